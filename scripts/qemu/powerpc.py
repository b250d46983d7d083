# SPDX-License-Identifier: GPL-2.0
"""The machine that --arch=powerpc boots on, as upstream's kunit.py reads it (tools/testing/kunit).

The kernel gets the first 2 GiB, which on radix is what one PMD of virtual memmap covers; RAM above is kept
from it for the suites: mhp_ram= tells them. The host gives pages as they are written. An odd number of GiB
makes memory blocks of 256 MiB, as machines with LPARs have them, an even one of 1 GiB. On hash, the kernel would
ask for a smaller hash page table whenever memory goes, in vain and for seconds. QEMU's own small firmware (x-vof)
starts the kernel at once; SLOF takes six seconds for what is not needed here.

The CPU model decides between hash (power8) and radix; that is a boot's own, in scripts/matrix.
"""

from ..qemu_config import QemuArchParams

QEMU_ARCH = QemuArchParams(
    linux_arch="powerpc",
    kconfig="CONFIG_HVC_CONSOLE=y",
    qemu_arch="ppc64",
    kernel_path="vmlinux",
    # After a panic the machine is reset at once, which ends QEMU.
    kernel_command_line="console=hvc0 panic=-1 mem=2048M mhp_ram=37G@2G",
    extra_qemu_params=["-m", "39G", "-object", "memory-backend-ram,id=ram,size=39G,reserve=off",
                       "-machine", "pseries,memory-backend=ram,resize-hpt=disabled,x-vof=on", "-vga", "none"])
