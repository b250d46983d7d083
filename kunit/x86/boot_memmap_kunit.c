// SPDX-License-Identifier: GPL-2.0
/*
 * The memmap of boot memory, which is removed with it: its pages came from
 * memblock and are PageReserved().  Needs kernelcore=, so that there is boot
 * memory that can go offline; what is removed does not come back in this boot.
 */

#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <asm/pgtable_types.h>

#include "mhp_validate.h"
#include "vmemmap_hole.h"

/*
 * The first memory block of boot memory that is in ZONE_MOVABLE; 0 for none.
 * memblock allocates from the end, and what it gave out cannot go offline.
 */
static unsigned long movable_boot_pfn(void)
{
	const unsigned long nr_pages = PHYS_PFN(memory_block_size_bytes());
	unsigned long pfn;

	for (pfn = nr_pages; pfn < max_pfn; pfn += nr_pages) {
		if (pfn_to_online_page(pfn) && early_section(__pfn_to_section(pfn)) &&
		    page_zonenum(pfn_to_page(pfn)) == ZONE_MOVABLE)
			return pfn;
	}
	return 0;
}

static void remove_gives_reserved_memmap_to_allocator(struct kunit *test)
{
	const unsigned long nr_pages = PHYS_PFN(memory_block_size_bytes());
	unsigned long pfn = movable_boot_pfn(), backing, before, last;

	if (!pfn)
		kunit_skip(test, "no movable block of boot memory: kernelcore= is not given");
	KUNIT_ASSERT_TRUE(test, mhp_memmap_backing(pfn, &backing));
	KUNIT_ASSERT_TRUE(test, PageReserved(pfn_to_page(backing)));
	before = totalram_pages();

	KUNIT_ASSERT_EQ(test, offline_and_remove_memory(PFN_PHYS(pfn), PFN_PHYS(nr_pages)), 0);
	KUNIT_EXPECT_FALSE(test, mhp_memmap_backing(pfn, &last));
	KUNIT_EXPECT_FALSE(test, pfn_valid(pfn));
	KUNIT_EXPECT_EQ(test, hole_level((unsigned long)__va(PFN_PHYS(pfn))), PG_LEVEL_NONE);
	/* The page allocator lost the block, and got the pages of its memmap. */
	KUNIT_EXPECT_FALSE(test, PageReserved(pfn_to_page(backing)));
	KUNIT_EXPECT_EQ(test, totalram_pages(),
			before - nr_pages + PFN_UP(nr_pages * sizeof(struct page)));
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
