# SPDX-License-Identifier: GPL-2.0
"""What a long step is doing, how far it is and how long it has taken; on stderr."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

_TTY_SECONDS = 0.2
_PLAIN_SECONDS = 10.0


def plain(text: str) -> str:
    """Text whose control characters (names and patches are not ours) cannot reach the terminal."""
    return "".join(char if char.isprintable() or char in "\n\t" else f"\\x{ord(char):02x}" for char in text)


_followers: list[Callable[[str], None]] = []


@contextmanager
def followed(by: Callable[[str], None]) -> Iterator[None]:
    """While the block runs, messages and progress go to `by`, a line each, and not to stderr."""
    _followers.append(by)
    try:
        yield
    finally:
        _followers.remove(by)


def say(text: str) -> None:
    """A message for the user on stderr, where it does not mix with a command's result."""
    if _followers:
        _followers[-1](plain(text))
        return
    print(plain(text), file=sys.stderr, flush=True)


class Progress:
    """Progress of one step, used as a context manager.

    On a terminal one line is rewritten; elsewhere a line is printed at the start, every ten seconds
    and at the end. `total` is in the caller's `unit`; None when it is not known.
    """

    def __init__(self, what: str, total: int | None = None, unit: str = "files") -> None:
        self._what = what
        self._total = total
        self._unit = unit
        self._done = 0
        self._tty = sys.stderr.isatty()
        self._start = time.monotonic()
        self._shown = self._start

    def __enter__(self) -> Self:
        self._print("...", "")
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: BaseException | None,
                 _trace: TracebackType | None) -> None:
        seconds = time.monotonic() - self._start
        if kind is None:
            self._print(f"done, {seconds:.1f} s", "\n")
        else:
            self._print(f"stopped at {self._how_far()}, {seconds:.1f} s", "\n")

    def at(self, done: int, total: int | None = None) -> None:
        """Say that `done` units are finished, of a total known by now; cheap enough to call for each."""
        self._done = done
        self._total = total or self._total
        now = time.monotonic()
        if now - self._shown >= (_TTY_SECONDS if self._tty else _PLAIN_SECONDS):
            self._shown = now
            self._print(f"{self._how_far()}, {now - self._start:.0f} s", "")

    def _how_far(self) -> str:
        if self._total:
            percent = min(100, 100 * self._done // self._total)
            return f"{percent} % of {self._total} {self._unit}"
        return f"{self._done} {self._unit}"

    def _print(self, text: str, end: str) -> None:
        if _followers:
            _followers[-1](plain(f"{self._what}: {text}"))
        elif self._tty:
            print(f"\r\033[K{self._what}: {text}", end=end, file=sys.stderr, flush=True)
        else:
            print(f"{self._what}: {text}", file=sys.stderr, flush=True)
