"""The query language: text in, tree out."""

from __future__ import annotations

from n2gdb.grammar.ast import Query, Statement
from n2gdb.grammar.errors import GrammarError
from n2gdb.grammar.parser import parse

__all__ = ["GrammarError", "Query", "Statement", "parse"]
