"""How a command ends: its exit code, and one line for an error."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from n2gdb.cli.output.terminal import say
from n2gdb.errors import N2gdbError, QueryError, QueryTimeoutError, UsageError, one_line

__all__ = ["FAILED", "ended", "exit_code", "say_refused"]

FAILED, _MISUSED, _INTERRUPTED = 1, 2, 130


def ended(command: Callable[[], object]) -> int:
    """Run a command and return its exit code; an error is one line on stderr, without a traceback.

    A command that returns False has failed, and has said so.
    """
    try:
        done = command()
        sys.stdout.flush()  # a reader that has gone is met here, not at the interpreter's end
    except N2gdbError as error:
        say(f"error: {error}", err=True)
        return exit_code(error)
    except KeyboardInterrupt:
        say("interrupted", err=True)
        return _INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        say_refused(error)
        return FAILED
    else:
        return FAILED if done is False else 0
    return 0


def exit_code(error: N2gdbError) -> int:
    """Return what the process ends with for an error: 2 where what was asked is wrong, else 1."""
    misused = isinstance(error, QueryError | UsageError) and not isinstance(error, QueryTimeoutError)
    return _MISUSED if misused else FAILED


def _refused(error: OSError) -> str:
    """Say what the system refused; no file named, it is standard output, which is then let go."""
    why = error.strerror or one_line(error)
    if error.filename is not None:
        return f"{error.filename}: {why}"
    try:
        sys.stdout.flush()
    except OSError:  # flushed again at the interpreter's end, it would fail again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return f"the output cannot be written ({why}): send it elsewhere"


def say_refused(error: OSError) -> None:
    """Say what the system refused, such as standard output on a full disk."""
    say(f"error: {_refused(error)}", err=True)
