// SPDX-License-Identifier: GPL-2.0
/*
 * Fails the build when the configuration is not what the suites need.  Most of
 * these options vanish without a word where something that they depend on is
 * off; cases would be skipped then, or pass without having tested anything.
 *
 * A message names the option and what to do.  All of them are in .kunitconfig.
 */

#include <linux/version.h>

#ifndef CONFIG_SPARSEMEM_VMEMMAP
#error "CONFIG_SPARSEMEM_VMEMMAP is off: set it, and CONFIG_SPARSEMEM_MANUAL"
#endif

#ifndef CONFIG_MEMORY_HOTREMOVE
#error "CONFIG_MEMORY_HOTREMOVE is off: set it, and CONFIG_MEMORY_HOTPLUG and CONFIG_MIGRATION"
#endif

#ifndef CONFIG_MHP_MEMMAP_ON_MEMORY
#error "CONFIG_MHP_MEMMAP_ON_MEMORY is off: set it, and CONFIG_SPARSEMEM_VMEMMAP"
#endif

#ifndef CONFIG_ZONE_DEVICE
#error "CONFIG_ZONE_DEVICE is off: set it, and CONFIG_SPARSEMEM_VMEMMAP"
#endif

#ifndef CONFIG_COMPACTION
#error "CONFIG_COMPACTION is off: set it; memory that is in use is moved with it"
#endif

#ifndef CONFIG_CONTIG_ALLOC
#error "CONFIG_CONTIG_ALLOC is off: set it, and CONFIG_COMPACTION"
#endif

#ifndef CONFIG_SHMEM
#error "CONFIG_SHMEM is off: set it; shmem files hold what offlining has to move"
#endif

#ifndef CONFIG_SYSFS
#error "CONFIG_SYSFS is off: set it; memory blocks are devices in it"
#endif

#ifndef CONFIG_PROC_FS
#error "CONFIG_PROC_FS is off: set it; the validator reads /proc/vmstat"
#endif

#ifndef CONFIG_PRINTK
#error "CONFIG_PRINTK is off: set it, or no result is ever seen"
#endif

/* New in 6.16; with it off, no suite runs at boot, and that looks like a pass. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
#ifndef CONFIG_KUNIT_AUTORUN_ENABLED
#error "CONFIG_KUNIT_AUTORUN_ENABLED is off: set it, or no suite runs at boot"
#endif
#endif

#if defined(CONFIG_MEMORY_HOTPLUG_DEFAULT_ONLINE) ||		\
	defined(CONFIG_MHP_DEFAULT_ONLINE_TYPE_ONLINE_AUTO) ||	\
	defined(CONFIG_MHP_DEFAULT_ONLINE_TYPE_ONLINE_KERNEL) ||	\
	defined(CONFIG_MHP_DEFAULT_ONLINE_TYPE_ONLINE_MOVABLE)
#error "hot-added memory goes online by itself: set CONFIG_MHP_DEFAULT_ONLINE_TYPE_OFFLINE"
#endif
