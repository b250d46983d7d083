#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Upstream's kunit.py of the prepared kernel tree, with our defaults and a stricter verdict."""

import os
import subprocess
import sys

# Compiled modules go to build/: reading them is faster than compiling them each time. Those of Python itself are
# looked for there, too, so they have to be written whatever PYTHONDONTWRITEBYTECODE says: it costs 0.5 s otherwise.
_HERE = os.path.dirname(os.path.realpath(__file__))
sys.pycache_prefix = os.path.join(os.environ.get("MHP_BUILD") or os.path.join(_HERE, "../build"), "pycache")
sys.dont_write_bytecode = False
sys.path.insert(0, _HERE)

# pylint: disable=wrong-import-position
from mhp import ahead, paths
from mhp.git import Git

if sys.argv[1:2] == ["run"] and not os.environ.get("LINUX"):
    # Before the rest is imported. Where --kdir names another tree, tree.prepare() has that one looked at instead.
    _TREE = paths.build_root() / paths.DEFAULT_BASE / paths.TREE
    ahead.begin(Git(_TREE / ".git", worktree=_TREE), early=True)

from mhp import cli, kunit_run, options, upstream
from mhp.exits import Exit


def _help(argv: list[str]) -> int:
    """Ours, then upstream's when there is a tree that has it."""
    print(options.help_text(), flush=True)
    scripts = sorted(paths.build_root().glob(f"*/linux/{upstream.SCRIPT}"))
    if not scripts:
        print("Upstream's help is shown here once a tree was prepared (`scripts/series apply`).")
        return Exit.PASS
    print(f"Upstream's help, from {scripts[0]}:\n", flush=True)
    words = [word for word in argv if word in options.SUBCOMMANDS][:1]
    return subprocess.run([upstream.PYTHON, "-B", scripts[0], *words, "--help"], check=False).returncode


def _command() -> int:
    argv = sys.argv[1:]
    if options.wants_help(argv):
        return _help(argv)
    return kunit_run.command(options.parse(argv))


if __name__ == "__main__":
    sys.exit(cli.main(_command))
