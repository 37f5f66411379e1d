"""Kept answers: each is made once, also where several ask for it at the same time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from n2gdb.core.deadline import check_time
from n2gdb.explorer.asked import Asked

__all__ = ["KeptAnswers"]

#: Seconds between two looks at whether whoever waits still does.
_LOOK = 0.1


class KeptAnswers:
    """The latest answers of a function; who asks for one that is being made waits for it."""

    def __init__(self, make: Callable[[Asked], bytes], most: int) -> None:
        self._make, self._most = make, most
        self._answers: OrderedDict[Asked, bytes] = OrderedDict()
        self._made: dict[Asked, threading.Lock] = {}
        self._lock = threading.Lock()

    def __call__(self, asked: Asked) -> bytes:
        """Return an answer; raises what making it raises, and what ends the asking while it waits."""
        with self._lock:
            one = self._made.setdefault(asked, threading.Lock())
        while not one.acquire(timeout=_LOOK):
            check_time()
        try:
            with self._lock:
                if asked in self._answers:
                    self._answers.move_to_end(asked)
                    return self._answers[asked]
            answer = self._make(asked)
            with self._lock:
                self._answers[asked] = answer
                while len(self._answers) > self._most:
                    self._made.pop(self._answers.popitem(last=False)[0], None)
            return answer
        finally:
            one.release()
