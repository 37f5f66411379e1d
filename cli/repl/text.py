"""The shell's input: its own commands, and where a statement is not finished yet."""

from __future__ import annotations

from n2gdb.query.completion import open_quote

__all__ = ["HELP", "META_COMMANDS", "is_unfinished", "joined"]

#: The shell's own commands.
META_COMMANDS = (":help", ":explain", ":json", ":show", ":similar", ":firing", ":predict", ":save", ":quit")

HELP = """\
A statement of the query language, answered at once:

  neurons MATCHING 'the' BEFORE ... WHERE f1 >= 0.6 LIMIT 5
  patterns MATCHING <digit> THEN ('st' | 'nd' | 'rd' | 'th')
  COUNT neurons MENTIONING 'war' BY layer
  tokens ACTIVATING L3N45

Semicolons part statements. A line goes on after a backslash at its end, and while a quote is
open. TAB completes; the arrows bring earlier lines back; Ctrl-C stops a query, Ctrl-D leaves.

  :explain [QUERY]  how a query is answered; without one, the last
  :json             print JSON, or tables again
  :show L3N45       a neuron's graph and examples
  :similar L3N45    the neurons most like it
  :firing TEXT      which neurons fire on which token of a text
  :predict L3N45 TEXT   where one neuron fires on a text
  :save NAME        keep the neurons of the last query: neurons IN $NAME
  :help             this
  :quit             leave"""


def is_unfinished(text: str) -> bool:
    """Return whether the statement goes on in the next line."""
    return text.endswith("\\") or open_quote(text) is not None


def joined(text: str) -> str:
    """Return the statement that lines make: a backslash at an end goes, a line break in quotes is a space."""
    lines = text.split("\n")
    whole = lines[0]
    for line in lines[1:]:
        if open_quote(whole) is not None:
            whole = f"{whole} {line}"
        else:
            whole = f"{whole.removesuffix(chr(92))}\n{line}"
    return whole.removesuffix("\\").strip()
