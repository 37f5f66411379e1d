"""What makes a neuron fire or keeps it silent, by its evidence, and what it writes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from n2gdb.storage.read.effects import WrittenToken, read_effects
from n2gdb.storage.read.evidence import read_class_names, read_evidence, read_token_classes

if TYPE_CHECKING:
    from n2gdb.core.arrays import Int64Array
    from n2gdb.core.graph import NeuronGraph
    from n2gdb.detached import NeuronSource
    from n2gdb.evidence.influences import WeighedToken
    from n2gdb.evidence.weights import UnitEvidence

__all__ = ["Influences"]


class Influences(ABC):
    """The tokens that a stored neuron weighs, and those that it promotes and suppresses."""

    model: str
    _key: int
    _database: NeuronSource

    @property
    @abstractmethod
    def graph(self) -> NeuronGraph:
        """The graph."""

    @abstractmethod
    def texts(self, tokens: Iterable[int]) -> dict[int, str]:
        """Return the texts of token ids of the neuron's model."""

    @cached_property
    def evidence(self) -> UnitEvidence | None:
        """The weights of tokens that predict where it fires; None where it has only its graph.

        >>> round(neuron.evidence.base, 2)
        -3.21
        """
        return read_evidence(self._database.connection, self._key)

    @cached_property
    def token_classes(self) -> Int64Array | None:
        """The classes of every token that evidence may weigh, (kinds, tokens); None where there are none.

        >>> neuron.token_classes.shape
        (2, 4096)
        """
        return read_token_classes(self._database.connection, self._database.model(self.model).number)

    @property
    def activating_tokens(self) -> tuple[WeighedToken, ...]:
        """The tokens on which it may fire by its evidence; empty without evidence.

        First those of its graph, the strongest before others, then the likeliest.

        >>> [str(each) for each in neuron.activating_tokens]
        ['·other']
        """
        root = self.graph.depth == 0
        strength = dict(zip(self.graph.token[root].tolist(), self.graph.best[root].tolist(), strict=True))
        found = [each for each in self._weighed if each.depth == 0]
        return tuple(sorted(found, key=lambda each: (-strength.get(each.token, 0.0), -each.weight)))

    @property
    def excited_by(self) -> tuple[WeighedToken, ...]:
        """The context that makes it likelier to fire, the strongest first; empty without evidence.

        >>> [str(each) for each in neuron.excited_by]
        ['·an', '·on', '<like <|pad|>>']
        """
        return self._context(1)

    @property
    def inhibited_by(self) -> tuple[WeighedToken, ...]:
        """The context that makes it less likely to fire, the strongest first; empty without evidence.

        >>> [str(each) for each in db["L4N12"].inhibited_by]
        ['·the', '<word>']
        """
        return self._context(-1)

    def _context(self, sign: int) -> tuple[WeighedToken, ...]:
        found = [each for each in self._weighed if each.depth and each.weight * sign > 0]
        return tuple(sorted(found, key=lambda each: (-abs(each.weight), each.depth, each.token)))

    @cached_property
    def _weighed(self) -> tuple[WeighedToken, ...]:
        from n2gdb.prediction.influences import weighed_tokens

        if self.evidence is None:
            return ()
        names = read_class_names(self._database.connection, self._database.model(self.model).number)
        tokens = [token for token in self.evidence.token.tolist() if token not in names]
        return weighed_tokens(self.evidence, self.texts(tokens), names)

    @property
    def promotes(self) -> tuple[WrittenToken, ...]:
        """The tokens whose logits it raises most, the strongest first; empty if no effects are stored.

        >>> [(each.text, each.logit) for each in neuron.promotes]
        [(' E', 2.0), ('For', 1.5), ("'s", 0.5)]
        """
        return tuple(each for each in self._effects if each.logit > 0)

    @property
    def suppresses(self) -> tuple[WrittenToken, ...]:
        """The tokens whose logits it lowers most, the strongest first; empty if no effects are stored.

        >>> [(each.text, each.logit) for each in neuron.suppresses]
        [('OU', -1.0), ('gers', -0.5)]
        """
        return tuple(each for each in reversed(self._effects) if each.logit < 0)

    @cached_property
    def _effects(self) -> tuple[WrittenToken, ...]:
        return read_effects(self._database.connection, self._key)
