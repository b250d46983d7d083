# SPDX-License-Identifier: GPL-2.0
"""Does KVM work here? Tried with a real kernel: within a guest, a device that can be opened and that runs
a few instructions may still stop at the first one that the outer hypervisor cannot emulate."""

import json
import os
import shutil
from pathlib import Path

from mhp import run
from mhp.exits import MhpError
from mhp.paths import build_root
from mhp.progress import say
from mhp.state import write_whole

_DEVICE = "/dev/kvm"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SECONDS = 10
_CAME_FAR = b"Kernel panic - not syncing: "


def works(program: str, kernel: Path) -> bool:
    """Whether a kernel boots with KVM up to where it misses its init; asked once for each boot of the host.

    program: QEMU for the machine that we run on; kernel: what it is given as -kernel. False as long as
    there is no kernel.
    """
    if not os.access(_DEVICE, os.R_OK | os.W_OK) or not kernel.is_file():
        return False
    memory = build_root() / "kvm.json"
    asked = {"boot": _BOOT_ID.read_text(encoding="ascii").strip(), "qemu": shutil.which(program)}
    try:
        known = json.loads(memory.read_bytes())
        if known["asked"] == asked:
            return bool(known["works"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    say("is KVM of use here? trying")
    found = _try(program, kernel)
    say("KVM works" if found else "KVM does not boot a kernel here: emulating")
    write_whole(memory, json.dumps({"asked": asked, "works": found}).encode())
    return found


def _try(program: str, kernel: Path) -> bool:
    try:
        ended = run.run([program, "-accel", "kvm", "-nodefaults", "-nographic", "-no-reboot", "-m", "512", "-serial",
                         "stdio", "-kernel", kernel, "-append", "console=ttyS0 reboot=k panic=-1 kunit.enable=0"],
                        timeout=_SECONDS)
    except MhpError:
        return False
    return ended.status == 0 and _CAME_FAR in ended.stdout
