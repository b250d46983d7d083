# SPDX-License-Identifier: GPL-2.0
"""Which base's shims a kernel gets, and what is said about kernels of other versions."""

import re

from mhp import paths
from mhp.exits import Exit, MhpError
from mhp.state import State

_VERSION_DIR = re.compile(r"v(\d+)\.(\d+)")
Version = tuple[int, int]


def _known() -> list[Version]:
    """The versions that arch-shims/ has a folder for, oldest first."""
    return sorted((int(match[1]), int(match[2])) for match in
                  (_VERSION_DIR.fullmatch(path.name) for path in paths.ARCH_SHIMS.glob("v*")) if match)


def shims_for(version: Version) -> str:
    """The folder of arch-shims/ for a kernel version: its own, else the next older, else the oldest."""
    known = _known()
    if not known:
        raise MhpError(Exit.BROKEN_BASE, f"{paths.ARCH_SHIMS} holds no folder for any kernel version")
    older = [one for one in known if one <= version]
    return _shown(older[-1] if older else known[0])


def _shown(version: Version) -> str:
    return f"v{version[0]}.{version[1]}"


def is_own(state: State) -> bool:
    """Whether the shims are those of the kernel's own version."""
    return _shown(state.kernel) == state.shims


def about(state: State) -> str:
    """One line: which kernel, which shims, and whether the series is on top."""
    shims = f"arch-shims/{state.shims}" + ("" if is_own(state) else f", the nearest that there are to {_shown(state.kernel)}")
    if not state.kdir:
        return f"kernel: {state.origin}, with {shims}"
    series = f"with mm-patches/{state.shims} on top" if state.series else "without mm-patches/ (--series puts them on top)"
    return f"kernel: {state.origin} ({_shown(state.kernel)[1:]}), with {shims}; {series}"


def refusal(state: State, said: str) -> str:
    """What the user reads when something does not go on top of the kernel. said: which patch, file and hunk."""
    shims = said.startswith("arch-shims")
    versions = f"The kernel is {state.origin} ({_shown(state.kernel)[1:]}), the patches are for {state.shims}"
    if is_own(state) or not shims:
        instead = "" if shims else "; `scripts/series none` runs without the mm series"
        return (f"{said}\n{versions}. Nothing was changed. Mend the patch, take its line out of the series file, or "
                f"give another kernel with LINUX=DIR{instead}")
    known = _known()
    newer = state.kernel > max(known)
    which = "too new" if newer else "too old" if state.kernel < min(known) else "not near enough"
    return (f"{said}\n{versions}, the nearest base there is (arch-shims/ has {', '.join(map(_shown, known))}): this "
            f"kernel is {which} for its shims. Nothing was changed. Give a kernel nearer to {state.shims} with "
            f"LINUX=DIR, or port the shims: copy arch-shims/{state.shims} to arch-shims/{_shown(state.kernel)} and mend "
            "there what does not apply")
