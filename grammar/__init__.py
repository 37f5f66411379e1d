"""The query language: syntax trees, their validation and their text; ``parsing`` reads text."""

from __future__ import annotations

from n2gdb.grammar.ast import Query, Statement
from n2gdb.grammar.errors import GrammarError

__all__ = ["GrammarError", "Query", "Statement"]
