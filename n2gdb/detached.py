"""Detached neurons: the data a pickled neuron carries, so that it opens its database only when it must."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from n2gdb.core.neuron_view import AnyUnit
    from n2gdb.query.answer import Answer
    from n2gdb.similarity.neurons import SimilarNeuron
    from n2gdb.storage.connection import Connection
    from n2gdb.storage.read.catalog import ModelInfo

__all__ = ["DetachedSource", "NeuronSource"]


class NeuronSource(Protocol):
    """What a neuron needs of the database that it comes from; see ``n2gdb.database.Database``."""

    @property
    def connection(self) -> Connection:
        """The open file."""

    def reopener(self) -> Callable[[], NeuronSource]:
        """Return what opens the same file again, in another process too."""

    def texts(self, tokens: Iterable[int], model: str | None = None) -> dict[int, str]:
        """Return the texts of token ids."""

    def tokenize(self, text: str, model: str | None = None) -> tuple[int, ...]:
        """Return the token ids of a text."""

    def model(self, name: str | None = None) -> ModelInfo:
        """Return what is known of a model."""

    def similar(
        self,
        neuron: AnyUnit,
        k: int | None = 20,
        metric: str = "graph",
        *,
        above: float = 0.0,
        sharing: int = 1,
        model: str | None = None,
        within: str | None = None,
    ) -> Answer[SimilarNeuron]:
        """Return the most similar neurons."""


@dataclass(slots=True)
class DetachedSource:
    """The texts and the model of one neuron, and how to open its database for anything else."""

    reopen: Callable[[], NeuronSource]
    known: ModelInfo
    held: Mapping[int, str]
    _opened: NeuronSource | None = None

    def __getstate__(self) -> tuple[Callable[[], NeuronSource], ModelInfo, Mapping[int, str]]:
        return self.reopen, self.known, self.held

    def __setstate__(self, state: tuple[Callable[[], NeuronSource], ModelInfo, Mapping[int, str]]) -> None:
        self.reopen, self.known, self.held = state
        self._opened = None

    @property
    def database(self) -> NeuronSource:
        """The database, opened when first asked for; raises like ``n2gdb.open``."""
        if self._opened is None:
            self._opened = self.reopen()
        return self._opened

    @property
    def connection(self) -> Connection:
        """The open file."""
        return self.database.connection

    def reopener(self) -> Callable[[], NeuronSource]:
        """Return what opens the same file again."""
        return self.reopen

    def texts(self, tokens: Iterable[int], model: str | None = None) -> dict[int, str]:
        """Return the texts of token ids; those of the neuron's graph and examples without the database."""
        wanted = tuple(tokens)
        if all(token in self.held for token in wanted):
            return {int(token): self.held[token] for token in wanted}
        return self.database.texts(wanted, model)

    def tokenize(self, text: str, model: str | None = None) -> tuple[int, ...]:
        """Return the token ids of a text."""
        return self.database.tokenize(text, model)

    def model(self, name: str | None = None) -> ModelInfo:
        """Return what is known of the neuron's model."""
        return self.known

    def similar(
        self,
        neuron: AnyUnit,
        k: int | None = 20,
        metric: str = "graph",
        *,
        above: float = 0.0,
        sharing: int = 1,
        model: str | None = None,
        within: str | None = None,
    ) -> Answer[SimilarNeuron]:
        """Return the most similar neurons."""
        return self.database.similar(
            neuron, k, metric, above=above, sharing=sharing, model=model, within=within
        )
