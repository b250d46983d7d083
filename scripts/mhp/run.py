# SPDX-License-Identifier: GPL-2.0
"""Start other programs: argument lists only, never a shell, and nothing printed here."""

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mhp.exits import Exit, MhpError

Arg = str | Path

_TAIL_LINES = 12


@dataclass(frozen=True)
class Result:
    """What a finished program left: exit status (negative: the signal), stdout and stderr as bytes."""

    argv: tuple[str, ...]
    status: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """stdout as text, trailing newlines dropped; bytes that are no UTF-8 are shown as \\xNN."""
        return self.stdout.decode(errors="backslashreplace").rstrip("\n")

    @property
    def error_tail(self) -> str:
        """The last lines of stderr, or of stdout when stderr is empty."""
        text = (self.stderr.strip() or self.stdout.strip()).decode(errors="backslashreplace")
        return "\n".join(text.splitlines()[-_TAIL_LINES:])


def shown(argv: Sequence[Arg]) -> str:
    """The command as a line that can be pasted into a shell."""
    return shlex.join(str(arg) for arg in argv)


def run(
    argv: Sequence[Arg],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    input: bytes | None = None,  # pylint: disable=redefined-builtin
    timeout: float | None = None,
) -> Result:
    """Run a program to its end and capture its output.

    `env` is the whole environment (default: our own); `timeout` is in seconds. Without `input` the
    program's stdin is empty. The program is killed when we are interrupted or the time is over.
    Raises MhpError(MISSING_TOOL) when there is no such program, MhpError(TIMEOUT) when it takes too
    long; any exit status is the caller's to judge.
    """
    words = tuple(str(arg) for arg in argv)
    try:
        done = subprocess.run(
            words, cwd=cwd, env=None if env is None else dict(env),
            input=b"" if input is None else input,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, check=False)
    except FileNotFoundError as err:
        if cwd is not None and not os.path.isdir(cwd):
            raise MhpError(Exit.USAGE, f"{cwd}: no such directory") from err
        raise MhpError(Exit.MISSING_TOOL, f"{words[0]}: no such program. `make setup` installs "
                       "what most need; `scripts/packages` says which goal of scripts/setup has others") from err
    except PermissionError as err:
        raise MhpError(Exit.MISSING_TOOL, f"{words[0]}: cannot be started: {err.strerror}") from err
    except subprocess.TimeoutExpired as err:
        raise MhpError(Exit.TIMEOUT, f"{shown(words)}\ndid not end within {timeout:g} s") from err
    return Result(words, done.returncode, done.stdout, done.stderr)


def check(
    argv: Sequence[Arg],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    input: bytes | None = None,  # pylint: disable=redefined-builtin
    timeout: float | None = None,
    status: Exit = Exit.INTERNAL,
) -> Result:
    """Like run(), but an exit status other than 0 raises MhpError(`status`).

    The error's text holds the command and the last lines of its stderr.
    """
    result = run(argv, cwd=cwd, env=env, input=input, timeout=timeout)
    if result.status != 0:
        ended = f"signal {-result.status}" if result.status < 0 else f"status {result.status}"
        raise MhpError(status, f"{shown(argv)}\nended with {ended}:\n{result.error_tail}")
    return result
