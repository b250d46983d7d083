// SPDX-License-Identifier: GPL-2.0
/*
 * vmemmap_populate() without memory, with an altmap that has not enough, and
 * where nothing can be mapped; on hash and on radix.
 */

#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "failing.h"
#include "fake_memmap.h"
#include "fake_section.h"
#include "reports.h"
#include "vmemmap_range.h"

/* A part of the virtual memmap: the first address, and bytes of memmap */
struct memmap {
	unsigned long start;
	unsigned long size;
	struct vmem_altmap *altmap;
};

static int drop(void *arg)
{
	struct memmap *memmap = arg;

	vmemmap_free(memmap->start, memmap->start + memmap->size, memmap->altmap);
	return 0;
}

static int populate(void *arg)
{
	struct memmap *memmap = arg;
	int err = vmemmap_populate(memmap->start, memmap->start + memmap->size, 0, memmap->altmap);

	/* What there is of it stays; its caller frees it. */
	if (err)
		drop(memmap);
	return err;
}

static void expect_unwinds(struct kunit *test, struct memmap *memmap)
{
	struct failing operation = { "vmemmap_populate", populate, drop, memmap };

	KUNIT_EXPECT_GT(test, failing_each(test, &operation), 0);
	vmemmap_range_expect_mapped(test, memmap->start, memmap->size, false);
}

static unsigned long memmap_of(u64 phys)
{
	return (unsigned long)pfn_to_page(PHYS_PFN(phys));
}

/* The memmap of addresses far above all RAM, where there are no page tables yet */
static unsigned long memmap_of_nothing(void)
{
	return memmap_of(vmemmap_range_far_away());
}

/* From within what a PMD of memmap maps, so that base pages are needed, to another. */
static void populate_unwinds(struct kunit *test)
{
	struct memmap memmap = { memmap_of_nothing() + PMD_SIZE - 4 * PAGE_SIZE, 2 * PMD_SIZE };

	expect_unwinds(test, &memmap);
}

static void populate_without_page_tables_unwinds(struct kunit *test)
{
	struct memmap memmap = { memmap_of_nothing(), PMD_SIZE };

	expect_unwinds(test, &memmap);
}

static void expect_populated(struct kunit *test, struct memmap *memmap)
{
	KUNIT_ASSERT_EQ(test, populate(memmap), 0);
	vmemmap_range_expect_mapped(test, memmap->start, memmap->size, true);
	memset((void *)memmap->start, 0, memmap->size);
}

/*
 *	altmap	| 3 pages |
 *	memmap	| altmap  | other memory  |
 */
static void altmap_that_runs_out_is_filled_up(struct kunit *test)
{
	struct fake_range range = fake_range(test, DIV_ROUND_UP(SZ_2G, memory_block_size_bytes()));
	struct memmap memmap = { memmap_of(range.start), PMD_SIZE };
	unsigned long before;

	KUNIT_ASSERT_EQ(test, populate(&memmap), 0);
	drop(&memmap);
	before = fake_free_pages();
	memmap.altmap = fake_altmap(test, range.pfn, range.nr_pages);
	memmap.altmap->free = 3;
	expect_populated(test, &memmap);
	if (vmemmap_range_unit() == PAGE_SIZE)
		KUNIT_EXPECT_EQ(test, memmap.altmap->alloc, 3);
	drop(&memmap);
	KUNIT_EXPECT_EQ(test, memmap.altmap->alloc, 0);
	vmemmap_range_expect_freed(test, before);
}

/*
 *	blocks	| memmap of it | altmap |
 */
static void altmap_of_other_memory_is_not_used(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2), other = fake_block(test, range, 1);
	struct memmap memmap = { memmap_of(range.start), PAGE_SIZE };

	memmap.altmap = fake_altmap(test, other.pfn, other.nr_pages);
	expect_populated(test, &memmap);
	KUNIT_EXPECT_EQ(test, memmap.altmap->alloc, 0);
	drop(&memmap);
	vmemmap_range_expect_mapped(test, memmap.start, memmap.size, false);
}

static void hash_only(struct kunit *test)
{
	if (radix_enabled())
		kunit_skip(test, "radix has page tables for it, and no list");
}

/*
 * vmemmap_list has an entry for each unit that is mapped, and takes pages for
 * them: as many units are mapped as it takes until the next such page is due.
 */
static void list_without_memory_unwinds(struct kunit *test)
{
	const unsigned long unit = vmemmap_range_unit();
	/* A page has some thousand entries at most, and other cases have given some back. */
	const unsigned long most = 8192;
	struct memmap next = { memmap_of_nothing(), unit }, all = { next.start, 0 };
	struct memmap hosted = { 0, unit };
	struct failing add = { "vmemmap_populate", populate, NULL, &next };
	struct failing add_hosted = { "vmemmap_populate", populate, NULL, &hosted };
	struct fake_range range;
	unsigned long before = 0;
	int err = 0;

	hash_only(test);
	if (unit > PAGE_SIZE)
		kunit_skip(test, "there is not memory for so many units of %lu bytes", unit);
	range = fake_range(test, DIV_ROUND_UP(SZ_1G, memory_block_size_bytes()));
	hosted.start = memmap_of(range.start);
	hosted.altmap = fake_altmap(test, range.pfn, range.nr_pages);

	reports_expect(test, "arch/powerpc/mm/init_64.c");
	while (!err && all.size < most * unit) {
		before = fake_free_pages();
		/* The first is for the unit, the second for the list. */
		err = failing_nth(test, &add, 2);
		if (!err) {
			next.start += unit;
			all.size += unit;
		}
	}
	if (!err) {
		drop(&all);
		KUNIT_FAIL_AND_ABORT(test, "%lu units needed no page for the list", most);
	}
	KUNIT_EXPECT_EQ(test, err, -ENOMEM);
	vmemmap_range_expect_freed(test, before);
	KUNIT_EXPECT_TRUE(test, vmemmap_range_faults(next.start));

	reports_expect(test, "arch/powerpc/mm/init_64.c");
	KUNIT_EXPECT_EQ(test, failing_nth(test, &add_hosted, 1), -ENOMEM);
	KUNIT_EXPECT_EQ(test, hosted.altmap->alloc, 0);
	KUNIT_EXPECT_TRUE(test, vmemmap_range_faults(hosted.start));

	KUNIT_EXPECT_EQ(test, populate(&next), 0);
	KUNIT_EXPECT_EQ(test, populate(&hosted), 0);
	KUNIT_EXPECT_EQ(test, hosted.altmap->alloc, 1);
	drop(&hosted);
	drop(&next);
	drop(&all);
	KUNIT_EXPECT_EQ(test, hosted.altmap->alloc, 0);
}

/* Nothing takes the entry of the list back; freeing it does, and warns. */
static void populate_beyond_the_end_is_refused(struct kunit *test)
{
	struct memmap memmap = { 0, vmemmap_range_unit() };
	unsigned long before;

	hash_only(test);
	memmap.start = H_VMEMMAP_END - memmap.size;
	reports_expect(test, "hash__vmemmap_remove_mapping");
	before = fake_free_pages();
	KUNIT_EXPECT_EQ(test, populate(&memmap), -EFAULT);
	/* It may have taken a page for its list. */
	KUNIT_EXPECT_LE(test, before - fake_free_pages(), 1);
}

static struct kunit_case vmemmap_error_cases[] = {
	KUNIT_CASE(populate_unwinds),
	KUNIT_CASE(populate_without_page_tables_unwinds),
	KUNIT_CASE(altmap_that_runs_out_is_filled_up),
	KUNIT_CASE(altmap_of_other_memory_is_not_used),
	KUNIT_CASE(list_without_memory_unwinds),
	KUNIT_CASE(populate_beyond_the_end_is_refused),
	{}
};

static struct kunit_suite vmemmap_error_suite = {
	.name = "mhp_powerpc_vmemmap_error",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = vmemmap_error_cases,
};

kunit_test_suite(vmemmap_error_suite);
