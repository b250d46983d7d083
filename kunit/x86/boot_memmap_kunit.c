// SPDX-License-Identifier: GPL-2.0
/*
 * The memmap of boot memory, which is removed with it: its pages came from
 * memblock and are PageReserved().  Needs movablecore= or kernelcore=, so that
 * there is boot memory that can go offline; what is removed does not come back
 * in this boot.
 */

#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <asm/pgtable_types.h>

#include "blocks.h"
#include "mhp_validate.h"
#include "vmemmap_hole.h"

static void remove_gives_reserved_memmap_to_allocator(struct kunit *test)
{
	const struct fake_range range = blocks_movable_boot(test);
	unsigned long backing, before, last;

	KUNIT_ASSERT_TRUE(test, mhp_memmap_backing(range.pfn, &backing));
	KUNIT_ASSERT_TRUE(test, PageReserved(pfn_to_page(backing)));
	before = totalram_pages();

	KUNIT_ASSERT_EQ(test, offline_and_remove_memory(range.start, range.size), 0);
	KUNIT_EXPECT_FALSE(test, mhp_memmap_backing(range.pfn, &last));
	KUNIT_EXPECT_FALSE(test, pfn_valid(range.pfn));
	KUNIT_EXPECT_EQ(test, hole_level((unsigned long)__va(range.start)), PG_LEVEL_NONE);
	/* The page allocator lost the block, and got the pages of its memmap. */
	KUNIT_EXPECT_FALSE(test, PageReserved(pfn_to_page(backing)));
	KUNIT_EXPECT_EQ(test, totalram_pages(),
			before - range.nr_pages + PFN_UP(range.nr_pages * sizeof(struct page)));
	mhp_validate(test, "offline_and_remove_memory of boot memory");
}

static struct kunit_case boot_memmap_cases[] = {
	KUNIT_CASE(remove_gives_reserved_memmap_to_allocator),
	{}
};

static struct kunit_suite boot_memmap_suite = {
	.name = "mhp_x86_boot_memmap",
	.test_cases = boot_memmap_cases,
};

kunit_test_suite(boot_memmap_suite);
