# SPDX-License-Identifier: GPL-2.0
"""Work that several checks need, done once although they run side by side."""

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from mhp.exits import MhpError

Value = TypeVar("Value")


class Once(Generic[Value]):
    """Values by name. Whoever asks first works it out; others who ask for the same wait for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: dict[Hashable, threading.Lock] = {}
        self._values: dict[Hashable, Value] = {}
        self._errors: dict[Hashable, MhpError] = {}

    def get(self, name: Hashable, make: Callable[[], Value]) -> Value:
        """The value of that name. When make() raises MhpError, all who ask get it: it may have taken minutes."""
        with self._lock:
            mine = self._locks.setdefault(name, threading.Lock())
        with mine:
            if name in self._errors:
                raise self._errors[name]
            if name not in self._values:
                try:
                    self._values[name] = make()
                except MhpError as err:
                    self._errors[name] = err
                    raise
            return self._values[name]
