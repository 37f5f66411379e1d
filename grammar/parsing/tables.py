"""Tables of the parser, taken from Lark as plain values: to read them takes a tenth of what Lark takes."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from n2gdb.grammar.records import dataclass

if TYPE_CHECKING:
    from lark import Lark
    from lark.grammar import Rule

__all__ = ["REGEX", "TEXT", "WORD", "Tables", "read_tables", "tables_of", "write_tables"]

#: How a terminal is found: a word in any case, a text as it is, or a regular expression.
WORD, TEXT, REGEX = "word", "text", "regex"

_WORD = re.compile(r"[a-z]+\\b")
_FORMAT = 1  # rises with every change of what is written


@dataclass(frozen=True, slots=True)
class Tables:
    """What reads a text: all by name and number, as JSON has it.

    ``terminals`` are (how, pattern) by name; ``orders`` the names to try, of which the first that matches is
    read; ``states`` (number of the order, action by symbol), where an action is a state to go to or, below
    zero, ~rule to reduce by; ``rules`` (name, size, callback, whether a single child stands for it, kept
    children, Nones after them); a kept child (place, whether its own take its place, Nones before it).
    """

    terminals: dict[str, tuple[str, str]]
    ignored: list[str]
    orders: list[list[str]]
    states: list[tuple[int, dict[str, int]]]
    rules: list[tuple[str, int, str, bool, list[tuple[int, bool, int]], int]]
    start: int
    end: int


def read_tables(path: Path, grammar: str) -> Tables | None:
    """Read the tables of a grammar; None where the file holds none, or those of another."""
    try:
        found = json.loads(path.read_text("utf-8"))
        return Tables(**found["tables"]) if found["of"] == [_FORMAT, grammar] else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write_tables(path: Path, grammar: str, tables: Tables) -> None:
    """Write tables, whole or not at all; where the system refuses, they are made again next time."""
    held = {name: getattr(tables, name) for name in Tables.__match_args__}
    part = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        part.write_text(json.dumps({"of": [_FORMAT, grammar], "tables": held}), "utf-8")
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)


def tables_of(lark: Lark) -> Tables:
    """Take the tables from a parser."""
    frontend: Any = lark.parser
    table, lexers = frontend.parser._parse_table, frontend.lexer.lexers
    numbers = {rule: number for number, rule in enumerate(lark.rules)}
    orders: dict[int, int] = {}
    names: list[list[str]] = []
    states = []
    for state in range(len(table.states)):
        lexer = lexers[state]
        if id(lexer) not in orders:
            orders[id(lexer)] = len(names)
            names.append([terminal.name for terminal in lexer.terminals])
        actions = {
            symbol: ~numbers[target] if target in numbers else target
            for symbol, (_, target) in table.states[state].items()
        }
        states.append((orders[id(lexer)], actions))
    return Tables(
        {terminal.name: _pattern(terminal) for terminal in lark.terminals},
        sorted(frontend.lexer.root_lexer.ignore_types),
        names,
        states,
        [_rule(rule) for rule in lark.rules],
        table.start_states["start"],
        table.end_states["start"],
    )


def _pattern(terminal: Any) -> tuple[str, str]:
    pattern = terminal.pattern
    if pattern.type == "str" and not pattern.flags:
        return TEXT, pattern.value
    if set(pattern.flags) == {"i"} and _WORD.fullmatch(pattern.value):
        return WORD, pattern.value.removesuffix(r"\b")
    return REGEX, pattern.to_regexp()


def _rule(rule: Rule) -> tuple[str, int, str, bool, list[tuple[int, bool, int]], int]:
    """Say what becomes of a rule's children, as Lark does it for optional parts that leave a None."""
    size = len(rule.expansion)
    missing = "".join("1" if is_empty else "0" for is_empty in rule.options.empty_indices)
    nones = [len(ones) for ones in missing.split("0")] if missing else [0] * (size + 1)
    kept, waiting = [], 0
    for place, symbol in enumerate(rule.expansion):
        waiting += nones[place]
        if not (symbol.is_term and symbol.filter_out):  # type: ignore[attr-defined]
            kept.append((place, not symbol.is_term and symbol.name.startswith("_"), waiting))
            waiting = 0
    name = str(rule.origin.name)
    single = bool(rule.options.expand1 and not rule.alias)
    return name, size, rule.alias or name, single, kept, waiting + nones[size]
