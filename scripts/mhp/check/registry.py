# SPDX-License-Identifier: GPL-2.0
"""The checks: each directory of scripts/checks/ with a check.toml is one."""

import importlib.util
import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mhp import paths
from mhp.check.model import Check, Job, Report
from mhp.exits import Exit, MhpError

CHECKS = paths.SCRIPTS / "checks"
TIERS = ("quick", "build", "run")
_SCOPES = ("patch", "series")
# What a check's result can depend on, beside its own files, its tools and its programs.
DEPENDS = ("mail", "mails", "files", "before", "history", "previous", "bases", "kernels", "semantic", "boots")
_NAME = re.compile(r"[a-z][a-z0-9-]*")


def all_checks(directory: Path = CHECKS) -> list[Check]:
    """Every check, the quick ones first, by name."""
    found = [_read(path.parent) for path in sorted(directory.glob("*/check.toml"))]
    return sorted(found, key=lambda check: (TIERS.index(check.tier), check.name))


def chosen(checks: Sequence[Check], tiers: Sequence[str], only: Sequence[str]) -> list[Check]:
    """The checks of these tiers, or only those of these names. Raises MhpError(USAGE) for an unknown name."""
    names = [check.name for check in checks]
    for name in only:
        if name not in names:
            raise MhpError(Exit.USAGE, f"--only {name}: no such check; there are {', '.join(names)}")
    return [check for check in checks if (check.name in only if only else check.tier in tiers)]


def _read(directory: Path) -> Check:
    description = directory / "check.toml"
    try:
        raw = tomllib.loads(description.read_text(encoding="utf-8"))
        check = Check(directory.name, raw.pop("about"), raw.pop("tier"), raw.pop("scope"),
                      raw.pop("applied", False), tuple(raw.pop("depends")),
                      tuple(sorted(raw.pop("programs", {}).items())), tuple(raw.pop("tools", ())), directory,
                      _program(directory / "check.py"))
        if (raw or not _NAME.fullmatch(check.name) or check.tier not in TIERS or check.scope not in _SCOPES
                or not set(check.depends) <= set(DEPENDS)):
            raise ValueError(f"not understood: {', '.join(raw) or 'tier, scope, depends or the name'}")
        return check
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as err:
        raise MhpError(Exit.INTERNAL, f"{description}: {err}") from err


def _program(path: Path) -> Callable[[Job], Report]:
    """The function check() of a check's program."""
    spec = importlib.util.spec_from_file_location(f"mhp_check_{path.parent.name.replace('-', '_')}", path)
    assert spec and spec.loader
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    program: Callable[[Job], Report] = module.check
    return program
