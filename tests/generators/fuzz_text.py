"""Statements for fuzzing: valid ones, valid ones with something extreme in them, and mutated ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

from n2gdb.grammar.unparse import written
from tests.oracle.random.known import Known
from tests.oracle.random.queries import random_statement

__all__ = ["KINDS", "fuzz_text"]

#: Whole numbers at which 32 and 64 bits, and blocks of rows, end.
_EDGES = (
    0,
    1,
    2_047,
    2_048,
    2_049,
    4_096,
    65_535,
    2**31 - 1,
    2**31,
    2**32,
    2**53 + 1,
    2**63 - 1,
    2**63,
    10**30,
)
_REALS = ("0.1", "1e-9", "1e308", "1e400", "1e-400", "0.30000001192092896", "-0.0", "-1", ".5", "5.")
_WORDS = (
    *("neurons", "patterns", "tokens", "COUNT", "BY", "MATCHING", "MENTIONING", "FIRING ON", "SIMILAR TO"),
    *("AND", "OR", "NOT", "WHERE", "ORDER BY", "RANK BY SIMILARITY TO", "LIMIT", "OFFSET", "RETURN", "IN"),
    *("BEFORE", "THEN", "AFTER/3", "NEAR/2", "...", "_", "$x", "'the'", '"the"', "/a.*/", "<digit>", "!"),
    *("(", ")", ",", "L0N0", "f1", "activation", "state", "0.5", "-- ", "EXPLAIN", "PROFILE", ";", "\\", "'"),
)
_ODD_CHARACTERS = "\0\u0007\u200b\u202e\ufeffé日😀\ud83d%`\"'\\${}[]"
_WHOLE = re.compile(r"(?<![\w.'\"])\d+(?![\w.'\"])")
_TOKEN = re.compile(r"'[^']*'|\"[^\"]*\"|\w+|\s+|[^\w\s]")


def fuzz_text(random: Random, known: Known) -> tuple[str, str]:
    """Return a kind of KINDS, and a statement of that kind."""
    kind = random.choice(list(KINDS))
    return kind, KINDS[kind](random, known)


def _valid(random: Random, known: Known) -> str:
    return written(random_statement(random, known))


def _paged(random: Random, known: Known) -> str:
    """Cut the answer where it ends, far behind it, or at an edge of the engine's."""
    text = re.sub(r"\s(LIMIT|OFFSET) \d+", "", _valid(random, known))
    near = (known.rows + random.randint(-2, 2), len(known.paths) + random.randint(-2, 2))
    page = [random.choice((*_EDGES, *near, 10 * known.rows)) for _ in range(2)]
    return f"{text} {random.choice(('LIMIT {0}', 'OFFSET {1}', 'LIMIT {0} OFFSET {1}')).format(*page)}"


def _extreme(random: Random, known: Known) -> str:
    """Put an extreme number in, repeat a part many times, or nest deeply."""
    text = _valid(random, known)
    match random.randrange(6):
        case 0:
            return _WHOLE.sub(lambda _: str(random.choice(_EDGES)), text)
        case 1:
            return _WHOLE.sub(lambda _: random.choice(_REALS), text)
        case 2:
            times = random.choice((2, 10, 70, 500))
            clause = random.choice(("MATCHING 'the'", "MENTIONING ' a'", "MATCHING ... BEFORE _"))
            return "neurons " + random.choice((" AND ", " OR ", " AND NOT ")).join([clause] * times)
        case 3:
            times = random.choice((2, 8, 40, 300))
            link = random.choice((" BEFORE ", " THEN ", " BEFORE/2 ", " NEAR ", " NEAR/3 "))
            steps = [random.choice(("'the'", "_", "...", "$x", "<word>", "!'a'")) for _ in range(times)]
            return f"{random.choice(('neurons', 'patterns'))} MATCHING {link.join(steps)}"
        case 4:
            deep = random.choice((5, 50, 400))
            return f"neurons {'(' * deep}MATCHING 'the'{')' * deep}"
        case _:
            keys = ", ".join(random.choices(("f1", "state DESC", "layer", "index DESC", "recall"), k=9))
            return f"{text.partition(' ORDER BY')[0]} ORDER BY {keys}"


def _mutated(random: Random, known: Known) -> str:
    """Leave out, repeat, swap or put in a word or a character."""
    parts = _TOKEN.findall(_valid(random, known))
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        place = random.randrange(len(parts) or 1)
        _changes(random)(random, parts, place)
    return "".join(parts)


def _spliced(random: Random, known: Known) -> str:
    """Put the beginning of one statement before the end of another."""
    first, second = (_TOKEN.findall(_valid(random, known)) for _ in range(2))
    return "".join([*first[: random.randint(1, len(first))], " ", *second[random.randrange(len(second)) :]])


def _looked_under(random: Random, known: Known) -> str:
    return f"{random.choice(('EXPLAIN', 'PROFILE'))} {_valid(random, known)}"


def _changes(random: Random) -> Callable[[Random, list[str], int], None]:
    changes: Sequence[Callable[[Random, list[str], int], None]] = (_left_out, _repeated, _word, _character)
    return random.choice(changes)


def _left_out(random: Random, parts: list[str], place: int) -> None:
    del parts[place : place + random.randint(1, 2)]


def _repeated(random: Random, parts: list[str], place: int) -> None:
    parts[place:place] = [*parts[place : place + 3], " "] * random.randint(1, 3)


def _word(random: Random, parts: list[str], place: int) -> None:
    parts.insert(place, f" {random.choice(_WORDS)} ")


def _character(random: Random, parts: list[str], place: int) -> None:
    parts.insert(place, random.choice(_ODD_CHARACTERS))


#: Makes a statement of each kind.
KINDS: dict[str, Callable[[Random, Known], str]] = {
    "valid": _valid,
    "paged": _paged,
    "extreme": _extreme,
    "mutated": _mutated,
    "spliced": _spliced,
    "explained": _looked_under,
}
