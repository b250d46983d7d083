# SPDX-License-Identifier: GPL-2.0
"""What was found out, kept by content: a directory of JSON files, each named by a hash of all that it depends on."""

import hashlib
import json
import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

_KEEP_SECONDS = 30 * 24 * 3600


class Store:
    """A directory of such files. One that cannot be read is none."""

    def __init__(self, place: Path) -> None:
        self._place = place
        place.mkdir(parents=True, exist_ok=True)

    def get(self, name: str) -> Any:
        """What is kept under that name; None when there is nothing."""
        path = self._place / f"{name}.json"
        try:
            raw = json.loads(path.read_bytes())
            os.utime(path)
            return raw
        except (OSError, ValueError):
            return None

    def put(self, name: str, raw: Any) -> None:
        """Keep it. It may be lost in a crash, but is never seen half-written."""
        fresh = self._place / f".{name}.{os.getpid()}.{threading.get_ident()}"
        fresh.write_text(json.dumps(raw), encoding="utf-8")
        fresh.replace(self._place / f"{name}.json")

    def prune(self) -> None:
        """Remove what was not used for a month, and what killed runs left. Others may be at work here."""
        for entry in os.scandir(self._place):
            try:
                age = time.time() - entry.stat().st_mtime
            except FileNotFoundError:
                continue
            if age > _KEEP_SECONDS or entry.name.startswith(".") and age > 3600:
                Path(entry.path).unlink(missing_ok=True)


def file_hash(path: Path) -> str:
    """The hash of a file's content, "none" when it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "none"


def program_identity(name: str) -> str:
    """Which program a name stands for: its path, size and time of change."""
    found = shutil.which(name)
    if found is None:
        return f"{name}: none"
    status = os.stat(os.path.realpath(found))
    return f"{os.path.realpath(found)} {status.st_size} {status.st_mtime_ns}"
