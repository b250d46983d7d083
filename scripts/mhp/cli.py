# SPDX-License-Identifier: GPL-2.0
"""What every command in scripts/ does around its own work: errors, signals, exit status."""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from types import FrameType

from mhp.exits import Exit, MhpError
from mhp.progress import say


def _interrupt(_signum: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(command: Callable[[], int]) -> int:
    """Run a command and return its exit status (for sys.exit()).

    MhpError is printed to stderr as it is. SIGTERM and SIGHUP unwind like Ctrl-C, so that what a
    `finally` cleans up is cleaned up. A reader that went away (`| head`) ends us quietly.
    """
    for signum in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(signum) is signal.SIG_DFL:
            signal.signal(signum, _interrupt)
    name = os.path.basename(sys.argv[0])
    try:
        status = command()
        sys.stdout.flush()
        return status
    except MhpError as err:
        say(f"{name}: {err}")
        return err.status
    except KeyboardInterrupt:
        print(f"\n{name}: interrupted; the next run picks up from here", file=sys.stderr)
        return Exit.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.INTERRUPTED
    except OSError as err:
        # A full disk, a directory without permission: the user's to mend, not a fault of ours.
        where = f"{err.filename}: " if err.filename else ""
        print(f"{name}: {where}{err.strerror or err}", file=sys.stderr)
        return Exit.INTERNAL
    except Exception:  # pylint: disable=broad-except
        traceback.print_exc()
        print(f"{name}: a fault of mhp-kunit itself; please report the lines above",
              file=sys.stderr)
        return Exit.INTERNAL
