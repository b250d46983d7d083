// SPDX-License-Identifier: GPL-2.0
/*
 * Accesses that have to be fatal.
 *
 * With mhp_death=KIND on the kernel command line a memory block is added and
 * removed again before the suites run, and then what is gone is read.  The
 * kernel dies of it, which cannot be a case of a suite; who boots the kernel
 * checks that it did and at which address.  A kernel that survives says so.
 */

#include <linux/init.h>
#include <linux/ioport.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/string.h>

static char death_kind[16] __initdata;

static int __init death_setup(char *arg)
{
	strscpy(death_kind, arg, sizeof(death_kind));
	return 1;
}
__setup("mhp_death=", death_setup);

static void *__init death_address(u64 start)
{
	if (!strcmp(death_kind, "memmap"))
		return pfn_to_page(PHYS_PFN(start));
	if (!strcmp(death_kind, "memmap-end"))
		return pfn_to_page(PHYS_PFN(start + memory_block_size_bytes()) - 1);
	if (!strcmp(death_kind, "data"))
		return __va(start);
	if (!strcmp(death_kind, "data-end"))
		return __va(start + memory_block_size_bytes() - sizeof(long));
	return NULL;
}

static int __init death_init(void)
{
	const u64 start = SZ_4G, size = memory_block_size_bytes();
	unsigned long *address;
	int err;

	if (!death_kind[0])
		return 0;
	address = death_address(start);
	if (!address) {
		pr_err("mhp_death: unknown kind \"%s\"\n", death_kind);
		return -EINVAL;
	}

	err = add_memory(0, start, size, MHP_NONE);
	if (err) {
		pr_err("mhp_death: add_memory failed: error %d\n", err);
		return err;
	}
	/* Readable as long as it is there; else the death would prove nothing. */
	pr_info("mhp_death: %s at %px is %#lx\n", death_kind, address,
		READ_ONCE(*address));
	err = remove_memory(start, size);
	if (err) {
		pr_err("mhp_death: remove_memory failed: error %d\n", err);
		return err;
	}
	pr_info("mhp_death: reading %px, expecting to die\n", address);
	pr_err("mhp_death: survived, it is %#lx\n", READ_ONCE(*address));
	return 0;
}
late_initcall(death_init);
