# SPDX-License-Identifier: GPL-2.0
"""The machine that --arch=x86_64 boots on, as upstream's kunit.py reads it (tools/testing/kunit).

The kernel gets 256 MiB at 0 and 1 GiB at 4 GiB: without RAM of its own in ZONE_NORMAL, it would take
hot-added memory for itself as soon as that is online. What is above 5 GiB is kept from it for the suites;
mhp_ram= tells them. mem= would not do, because it forbids hot-adding what is above as long as the kernel
boots, and that is when the suites run. The host need not have 22 GiB: it gives pages as they are written.

What a boot has of its own is a line of scripts/matrix.
"""

from ..qemu_config import QemuArchParams

QEMU_ARCH = QemuArchParams(
    linux_arch="x86_64",
    kconfig="CONFIG_SERIAL_8250=y\nCONFIG_SERIAL_8250_CONSOLE=y",
    qemu_arch="x86_64",
    kernel_path="vmlinux",
    # Without firmware to ask, the keyboard controller resets the machine. After a panic, too: QEMU ends there.
    kernel_command_line="console=ttyS0 reboot=k panic=-1 "
                        "memmap=18G%5G-1,3G%256M-1 mhp_ram=18G@5G",
    extra_qemu_params=["-m", "22G", "-object", "memory-backend-ram,id=ram,size=22G,reserve=off",
                       "-machine", "pc,memory-backend=ram"])
