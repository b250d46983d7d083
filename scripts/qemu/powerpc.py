# SPDX-License-Identifier: GPL-2.0
"""The machine that --arch=powerpc boots on, as upstream's kunit.py reads it (tools/testing/kunit).

The kernel gets the first 2 GiB, which on radix is what one PMD of virtual memmap covers; RAM above is kept
from it for the suites: mhp_ram= tells them. The host gives pages as they are written.

The CPU model decides between hash (power8) and radix; that is a boot's own, in scripts/matrix.
"""

from ..qemu_config import QemuArchParams

QEMU_ARCH = QemuArchParams(
    linux_arch="powerpc",
    kconfig="CONFIG_HVC_CONSOLE=y",
    qemu_arch="ppc64",
    kernel_path="vmlinux",
    # After a panic the machine is reset at once, which ends QEMU.
    kernel_command_line="console=hvc0 panic=-1 mem=2048M mhp_ram=10G@2G",
    extra_qemu_params=["-m", "12G", "-object", "memory-backend-ram,id=ram,size=12G,reserve=off",
                       "-machine", "pseries,memory-backend=ram", "-vga", "none"])
