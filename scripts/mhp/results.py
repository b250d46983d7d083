# SPDX-License-Identifier: GPL-2.0
"""The results of test cases, from the JSON that upstream's kunit.py writes."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mhp.exits import Exit, MhpError

PASS, FAIL, SKIP, ERROR = "PASS", "FAIL", "SKIP", "ERROR"
NO_RESULT = "(no result)"

_LIMIT_BYTES = 64 * 1024 * 1024
_LIMIT_DEPTH = 20


@dataclass(frozen=True)
class Case:
    """One test case: "suite.case" (or "suite.case.parameter") and PASS, FAIL, SKIP or ERROR."""

    name: str
    status: str


@dataclass(frozen=True)
class Counts:
    """How many cases; failed ones include those that did not end."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.passed + other.passed, self.failed + other.failed,
                      self.skipped + other.skipped)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def count(cases: Sequence[Case]) -> Counts:
    """Count the cases by status."""
    passed = sum(case.status == PASS for case in cases)
    skipped = sum(case.status == SKIP for case in cases)
    return Counts(passed, len(cases) - passed - skipped, skipped)


def _walk(group: dict[str, Any], path: tuple[str, ...]) -> Iterator[Case]:
    if len(path) > _LIMIT_DEPTH:
        raise ValueError("nested too deep")
    for sub in group["sub_groups"]:
        yield from _walk(sub, (*path, str(sub["name"])))
    for case in group["test_cases"]:
        status = case["status"] if case["status"] in (PASS, SKIP, ERROR) else FAIL
        # Upstream gives a case that never came no name.
        yield Case(".".join((*path, str(case["name"]) or NO_RESULT)), status)


def join(paths: Sequence[Path], into: Path) -> None:
    """One JSON file of those of several boots that read() has found right; those that are not there add nothing."""
    whole: dict[str, Any] = {}
    for path in paths:
        part = json.loads(path.read_bytes()) if path.exists() else {}
        groups, cases = whole.get("sub_groups", []), whole.get("test_cases", [])
        whole = {**part, **whole, "sub_groups": groups + part.get("sub_groups", []),
                 "test_cases": cases + part.get("test_cases", [])}
    into.write_text(json.dumps(whole, indent=1), encoding="utf-8")


def read(path: Path) -> list[Case] | None:
    """The cases in upstream's JSON file; None when there is no such file.

    Raises MhpError(INTERNAL) when it is not what upstream writes.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LIMIT_BYTES + 1)
    except FileNotFoundError:
        return None
    try:
        if len(data) > _LIMIT_BYTES:
            raise ValueError("too large")
        return list(_walk(json.loads(data), ()))
    except (ValueError, KeyError, TypeError, RecursionError) as err:
        raise MhpError(Exit.INTERNAL, f"{path}: not the JSON of kunit.py: {err}") from err
