// SPDX-License-Identifier: GPL-2.0
/*
 * RAM that was kept from the kernel at boot; see withheld.h.
 */

#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/memory_hotplug.h>
#include <linux/sizes.h>

#include "withheld.h"

static u64 ram_start, ram_size;

static int __init parse_mhp_ram(char *arg)
{
	char *p;
	u64 size = memparse(arg, &p);

	/* A boot's own parameters come before those of its machine. */
	if (ram_size)
		return 1;
	if (!size || *p != '@')
		return 0;
	ram_start = memparse(p + 1, &p);
	if (*p)
		return 0;
	ram_size = size;
	return 1;
}
__setup("mhp_ram=", parse_mhp_ram);

/**
 * withheld_range() - addresses at which memory can be plugged in
 * @range: receives them, first and last byte
 *
 * Return: whether there are any.
 */
bool withheld_range(struct range *range)
{
	*range = mhp_get_pluggable_range(true);
	if (ram_size) {
		range->start = max(range->start, ram_start);
		range->end = min(range->end, ram_start + ram_size - 1);
		return true;
	}
	/*
	 * Above what is mapped below 4 GiB on any machine, so that a case gets
	 * the same addresses in every boot even where boot memory has not the
	 * same size in every boot.
	 */
	range->start = SZ_4G;
	return IS_ENABLED(CONFIG_UML);
}
