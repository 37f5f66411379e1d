"""Vocabulary of a database: the tokens that a literal, a class or an expression stands for.

Answers are kept for as long as the database is open; only expressions and scans read the whole vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from n2gdb.core.deadline import check_time
from n2gdb.core.tokens import CLASSES, SHAPES, display, normalise, text_key, without_space
from n2gdb.core.units import token_key, token_of
from n2gdb.errors import QueryError
from n2gdb.grammar.ast import (
    AllOf,
    Negated,
    OneOf,
    TokenClass,
    TokenExpression,
    TokenLiteral,
    TokensOf,
    TokenTest,
)
from n2gdb.grammar.records import dataclass
from n2gdb.query.semantics import token_sets
from n2gdb.query.semantics.places import placed
from n2gdb.query.semantics.token_sets import Among, AnyOf, NotA, OfKind, Reads, TokenSet, mask
from n2gdb.storage.parameters import Parameters

if TYPE_CHECKING:
    import pyarrow as pa

    from n2gdb.core.arrays import Int64Array
    from n2gdb.core.tokenizer import Cutter

__all__ = ["Vocabulary", "literal_key", "literals_of"]

#: Literals that one statement looks up.
_TOGETHER = 64
_LARGEST_EXPRESSION = 1_000
_MOST_EXPRESSIONS = 256  # whose tokens are kept

#: A token as a look-up finds it: Token.id, text, norm_key, text_key.
_Found = tuple[int, str, int, int]


@dataclass(frozen=True, slots=True)
class _Keys:
    """Token.ids by the keys that were looked up."""

    norm: dict[int, tuple[int, ...]] = field(default_factory=dict)
    text: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def of(self, exact: bool) -> dict[int, tuple[int, ...]]:
        return self.text if exact else self.norm


class Vocabulary:
    """Settles the tests of a query against the tokens of all models of a database."""

    def __init__(
        self,
        rows: Callable[[str, Mapping[str, object]], list[tuple[Any, ...]]],
        table: Callable[[str, Mapping[str, object]], pa.Table],
        tokenizers: Mapping[int, Callable[[], Cutter | None]],
    ) -> None:
        """Read tokens through ``rows`` and ``table``, cut text by the tokenizer of each model number."""
        self._rows = rows
        self._table = table
        self._tokenizers = tokenizers
        self._keys = _Keys()
        self._texts: dict[int, str] = {}
        self._cuts: dict[TokenLiteral, tuple[tuple[int, ...], ...]] = {}
        self._held: dict[TokenLiteral, tuple[tuple[int, ...], ...]] = {}
        self._of_units: dict[TokensOf, tuple[int, ...]] = {}
        self._holds: Callable[[Sequence[int]], bool] | None = None
        self._expressions: dict[tuple[str, bool], tuple[int, ...]] = {}
        self._shaped: dict[str, tuple[int, ...]] = {}

    def learn(self, tests: Iterable[TokenTest]) -> None:
        """Look all literals of ``tests`` up at once, where they are not known yet."""
        literals = [literal for test in tests for literal in literals_of(test)]
        unknown = [each for each in literals if literal_key(each) not in self._keys.of(each.exact)]
        for start in range(0, len(unknown), _TOGETHER):
            self._look_up(unknown[start : start + _TOGETHER])

    def know(self, test: TokensOf, tokens: Sequence[int]) -> None:
        """Take the tokens, by Token.id, of a class that names a unit, its model in a database of several."""
        self._of_units[test] = tuple(tokens)

    def hold_by(self, holds: Callable[[Sequence[int]], bool]) -> None:
        """Take what tells of tokens, by Token.id, whether some graph has them side by side: see ``held``."""
        self._holds = holds

    def settle(self, test: TokenTest) -> TokenSet:
        """Return the single tokens that pass a test; raise QueryError for an expression that RE2 refuses."""
        self.learn([test])
        match test:
            case TokenLiteral(_, exact):
                key = literal_key(test)
                return Reads(key, exact, self._keys.of(exact)[key])
            case TokenExpression(source, ignore_case):
                with placed(test.at):
                    return Among(self._matching(source, ignore_case))
            case TokenClass(kind) if kind.value in SHAPES:
                return Among(self._of_shape(kind.value))
            case TokenClass(kind):
                return OfKind(1 << CLASSES.index(kind.value))
            case TokensOf():
                return Among(self._of_units[test])
            case AllOf(tests):
                return token_sets.EachOf(tuple(self.settle(each) for each in tests))
            case OneOf(alternatives):
                return AnyOf(tuple(self.settle(each) for each in alternatives))
            case Negated(inner):
                return NotA(self.settle(inner))

    def reads(self, literal: TokenLiteral) -> bool:
        """Return whether some model has a single token that the literal means."""
        self.learn([literal])
        return bool(self._keys.of(literal.exact)[literal_key(literal)])

    def cuts(self, literal: TokenLiteral) -> tuple[tuple[int, ...], ...]:
        """Return what the literal is cut into, as sequences of Token.id, by models without such a token.

        A loose literal is cut in several spellings: with and without a leading space, and in each case.
        """
        if literal not in self._cuts:
            self.learn([literal])
            owners = {token_of(token)[0] for token in self._keys.of(literal.exact)[literal_key(literal)]}
            models = [model for model in self._tokenizers if model not in owners]
            cuts = list(dict.fromkeys(cut for model in models for cut in self._cut(model, literal)))
            self._cuts[literal] = tuple(cuts)
        return self._cuts[literal]

    def held(self, literal: TokenLiteral) -> tuple[tuple[int, ...], ...]:
        """Return those of ``cuts`` that some graph has side by side; a cut that is one token stays."""
        if literal not in self._held:
            cuts = self.cuts(literal)
            several = [cut for cut in cuts if len(cut) > 1]
            if several and self._holds is not None:
                several = [cut for cut in several if self._holds(cut)]
            elif several:
                from n2gdb.query.semantics.held import held

                several = list(held(self._table, several))
            self._held[literal] = tuple(cut for cut in cuts if len(cut) == 1 or cut in several)
        return self._held[literal]

    def describe(self, literal: TokenLiteral) -> str:
        """Say which tokens a literal stands for."""
        self.learn([literal])
        key = literal_key(literal)
        texts = sorted({self._texts[token] for token in self._keys.of(literal.exact)[key]})
        cuts = [" ".join(display(self.text(token)) for token in cut) for cut in self.held(literal)]
        meant = [*map(display, texts), *cuts]
        return f"{literal} reads {', '.join(meant) if meant else 'no token'} (key {key})"

    def text(self, token: int) -> str:
        """Return the text of a token by its Token.id."""
        if token not in self._texts:
            ((text,),) = self._rows("MATCH (t:Token) WHERE t.id = $token RETURN t.text", {"token": token})
            self._texts[token] = text
        return self._texts[token]

    @cached_property
    def table(self) -> pa.Table:
        """The whole vocabulary, row i the engine's token i: id, text, classes."""
        return self._table(
            "MATCH (t:Token) RETURN t.id AS id, t.text AS text, t.classes AS classes ORDER BY offset(id(t))",
            {},
        )

    def classes_of(self, tokens: TokenSet) -> tuple[int, ...]:
        """Return the classes that evidence may weigh and that have one of these tokens: TokenClass.ids."""
        import numpy as np

        owner, member = self._members
        if not len(owner):
            return ()
        chosen = self.table["id"].to_numpy()[mask(tokens, self.table)]
        return tuple(np.unique(owner[np.isin(member, chosen)]).tolist())

    @cached_property
    def _members(self) -> tuple[Int64Array, Int64Array]:
        """TokenClass.id and Token.id of every member of a class: (members,) each."""
        import numpy as np
        import pyarrow.compute as pc

        classes = self._table(
            "MATCH (c:TokenClass) RETURN c.id AS id, c.model AS model, c.tokens AS tokens", {}
        )
        if not len(classes):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        size = pc.list_value_length(classes["tokens"]).to_numpy()
        owner, model = (np.repeat(classes[name].to_numpy(), size) for name in ("id", "model"))
        member = pc.list_flatten(classes["tokens"]).to_numpy().astype(np.int64)
        base = np.array([token_key(number, 0) for number in np.unique(model).tolist()], np.int64)
        return owner.astype(np.int64), member | base[np.searchsorted(np.unique(model), model)]

    def _look_up(self, literals: Sequence[TokenLiteral]) -> None:
        parameters = Parameters()
        conditions = [
            f"t.{'text_key' if each.exact else 'norm_key'} = {parameters.bind(literal_key(each))}"
            for each in literals
        ]
        found: list[_Found] = self._rows(
            f"MATCH (t:Token) WHERE {' OR '.join(conditions)} RETURN t.id, t.text, t.norm_key, t.text_key",
            parameters.values,
        )
        self._texts.update((token, text) for token, text, _, _ in found)
        for literal in literals:
            key, column = literal_key(literal), 3 if literal.exact else 2
            self._keys.of(literal.exact)[key] = tuple(sorted(row[0] for row in found if row[column] == key))

    def _cut(self, model: int, literal: TokenLiteral) -> Iterator[tuple[int, ...]]:
        tokenizer = self._tokenizers[model]()
        if tokenizer is None:
            return
        for spelling in [literal.text] if literal.exact else _spellings(literal.text):
            check_time()  # a long one takes a second
            if cut := tokenizer.cut(spelling):
                yield tuple(token_key(model, token) for token in cut)

    def _of_shape(self, shape: str) -> tuple[int, ...]:
        if shape not in self._shaped:
            holds = SHAPES[shape]
            pairs = zip(self.table["id"].to_pylist(), self.table["text"].to_pylist(), strict=True)
            self._shaped[shape] = tuple(token for token, text in pairs if holds(text))
        return self._shaped[shape]

    def _matching(self, source: str, ignore_case: bool) -> tuple[int, ...]:
        key = (source, ignore_case)
        if key not in self._expressions:
            if len(self._expressions) >= _MOST_EXPRESSIONS:
                self._expressions.clear()
            self._expressions[key] = self._matched(source, ignore_case)
        return self._expressions[key]

    def _matched(self, source: str, ignore_case: bool) -> tuple[int, ...]:
        """Match the whole vocabulary by RE2, whose time is bounded whatever the expression."""
        import pyarrow as pa  # a quarter of a second: only for expressions
        import pyarrow.compute as pc

        check_time()  # a query may hold thousands of expressions
        if len(source) > _LARGEST_EXPRESSION:
            raise QueryError(
                f"a regular expression of {len(source)} characters: write at most {_LARGEST_EXPRESSION}"
            )
        try:
            # By itself first: what is not an expression might become one between brackets.
            pc.match_substring_regex(pa.array([""]), source, ignore_case=ignore_case)
            text = self.table["text"]
            bare = pc.if_else(
                pc.and_(pc.starts_with(text, " "), pc.greater(pc.utf8_length(text), 1)),
                pc.utf8_slice_codeunits(text, 1),
                text,
            )
            whole = rf"\A(?:{source})\z"
            taken = pc.or_(
                pc.match_substring_regex(text, whole, ignore_case=ignore_case),
                pc.match_substring_regex(bare, whole, ignore_case=ignore_case),
            )
        except (pa.ArrowInvalid, UnicodeEncodeError) as error:
            reason = str(error).removeprefix("Invalid regular expression: ")
            message = f"/{source}/ is not a regular expression ({reason}); it is read by RE2"
            raise QueryError(message) from error
        return tuple(self.table["id"].filter(taken).to_pylist())


def literal_key(token: TokenLiteral) -> int:
    """Return the number that ``text_key`` of a token that a literal means, or else ``norm_key``, must be."""
    return text_key(token.text if token.exact else normalise(token.text))


def literals_of(test: TokenTest) -> Iterator[TokenLiteral]:
    """Yield the literals that a test names."""
    match test:
        case TokenLiteral():
            yield test
        case OneOf(parts) | AllOf(parts):
            for each in parts:
                yield from literals_of(each)
        case Negated(inner):
            yield from literals_of(inner)


def _spellings(text: str) -> Iterator[str]:
    bare = without_space(text)
    for spelling in dict.fromkeys((bare, bare.lower(), bare.upper(), bare.title())):
        yield spelling
        yield f" {spelling}"
