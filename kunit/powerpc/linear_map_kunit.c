// SPDX-License-Identifier: GPL-2.0
/*
 * arch_create_linear_mapping() and arch_remove_linear_mapping() called directly,
 * on hash and on radix: pages, PMDs and PUDs, and what is refused.
 */

#include <linux/memory_hotplug.h>
#include <linux/mm.h>

#include "fake_section.h"
#include "reports.h"
#include "vmemmap_range.h"

/* Physical: the first byte, and bytes */
struct mapping {
	u64 start;
	u64 size;
};

static unsigned long virtual(const struct mapping *mapping)
{
	return (unsigned long)__va(mapping->start);
}

static int create(void *arg)
{
	struct mhp_params params = { .pgprot = PAGE_KERNEL };
	struct mapping *mapping = arg;

	return arch_create_linear_mapping(0, mapping->start, mapping->size, &params);
}

static int remove(void *arg)
{
	struct mapping *mapping = arg;

	arch_remove_linear_mapping(mapping->start, mapping->size);
	return 0;
}

/* Bytes that are mapped at once, at least */
static unsigned long unit(void)
{
	return radix_enabled() ? PAGE_SIZE : 1UL << mmu_psize_defs[mmu_linear_psize].shift;
}

static bool ends_fault(const struct mapping *mapping)
{
	return vmemmap_range_faults(virtual(mapping)) &&
	       vmemmap_range_faults(virtual(mapping) + mapping->size - PAGE_SIZE);
}

static void expect_can_be_used(struct kunit *test, const struct mapping *mapping)
{
	unsigned long *first = (unsigned long *)virtual(mapping);
	unsigned long *last = first + mapping->size / sizeof(*last) - 1;

	*first = 1;
	*last = 2;
	KUNIT_EXPECT_EQ(test, *first, 1);
	KUNIT_EXPECT_EQ(test, *last, 2);
}

/* Page tables of a whole memory block are there after this, as far as they stay. */
static struct fake_range warm_block(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	struct mapping all = { range.start, range.size };

	KUNIT_ASSERT_EQ(test, create(&all), 0);
	remove(&all);
	KUNIT_ASSERT_TRUE(test, ends_fault(&all));
	return range;
}

static void expect_comes_and_goes(struct kunit *test, struct mapping mapping)
{
	unsigned long before = fake_free_pages();

	KUNIT_ASSERT_EQ(test, create(&mapping), 0);
	expect_can_be_used(test, &mapping);
	remove(&mapping);
	KUNIT_EXPECT_TRUE(test, ends_fault(&mapping));
	vmemmap_range_expect_freed(test, before);
}

static void create_block(struct kunit *test)
{
	struct fake_range range = warm_block(test);

	expect_comes_and_goes(test, (struct mapping){ range.start, range.size });
}

/*
 *	| unit |x|x|x| unit | ... of a memory block
 */
static void create_units(struct kunit *test)
{
	struct fake_range range = warm_block(test);

	expect_comes_and_goes(test, (struct mapping){ range.start + unit(), 3 * unit() });
}

/* The first and the last are within what a PMD maps. */
static void create_units_around_pmds(struct kunit *test)
{
	struct fake_range range = warm_block(test);

	struct mapping mapping = { range.start + unit(), range.size - 2 * unit() };

	expect_comes_and_goes(test, mapping);
}

/*
 *	mapped	    |x|x|x|
 *	removed	| more than was |
 */
static void remove_more_than_is_mapped(struct kunit *test)
{
	struct fake_range range = warm_block(test);
	struct mapping all = { range.start, range.size };
	struct mapping some = { range.start + unit(), 3 * unit() };

	KUNIT_ASSERT_EQ(test, create(&some), 0);
	remove(&all);
	KUNIT_EXPECT_TRUE(test, ends_fault(&some));
}

static void remove_nothing(struct kunit *test)
{
	struct fake_range range = warm_block(test);
	struct mapping all = { range.start, range.size };
	unsigned long before = fake_free_pages();

	remove(&all);
	KUNIT_EXPECT_TRUE(test, ends_fault(&all));
	vmemmap_range_expect_freed(test, before);
}

/* Where nothing is there are no page tables, and hash finds no RAM to map. */
static struct mapping far_away(void)
{
	return (struct mapping){ vmemmap_range_far_away(), PMD_SIZE };
}

static void radix_only(struct kunit *test)
{
	if (!radix_enabled())
		kunit_skip(test, "hash has no page tables for it");
}

static void remove_nothing_far_away(struct kunit *test)
{
	struct mapping mapping = far_away();
	unsigned long before = fake_free_pages();

	radix_only(test);
	remove(&mapping);
	vmemmap_range_expect_freed(test, before);
}

/* Several tables share a page: as many as make more than one page, if they stayed. */
static void remove_frees_page_tables(struct kunit *test)
{
	struct mapping mapping = far_away();
	unsigned long before = fake_free_pages();
	int i;

	radix_only(test);
	mapping.start += unit();
	for (i = 0; i < 64; i++, mapping.start += PGDIR_SIZE) {
		KUNIT_ASSERT_EQ(test, create(&mapping), 0);
		remove(&mapping);
	}
	vmemmap_range_expect_freed(test, before);
}

static void create_without_ram_is_refused(struct kunit *test)
{
	struct mapping mapping = far_away();
	unsigned long before = fake_free_pages();

	if (radix_enabled())
		kunit_skip(test, "radix maps what is not there, too");
	KUNIT_EXPECT_EQ(test, create(&mapping), -EFAULT);
	KUNIT_EXPECT_TRUE(test, ends_fault(&mapping));
	vmemmap_range_expect_freed(test, before);
}

static void create_beyond_the_end_is_refused(struct kunit *test)
{
	struct mapping mapping = { VMALLOC_START - PAGE_OFFSET, memory_block_size_bytes() };
	unsigned long before = fake_free_pages();

	KUNIT_EXPECT_EQ(test, create(&mapping), -EFAULT);
	vmemmap_range_expect_freed(test, before);
}

/*
 *	mapped	| PUD |
 *	removed	| half|
 */
static void remove_of_half_a_pud_is_refused(struct kunit *test)
{
	struct mapping all = { 0, PUD_SIZE }, half = { 0, PUD_SIZE / 2 };
	unsigned long before;

	radix_only(test);
	if (memory_block_size_bytes() < PUD_SIZE)
		kunit_skip(test, "a PUD maps more than a memory block, of %lu bytes",
			   memory_block_size_bytes());
	all.start = fake_range(test, 1).start;
	half.start = all.start;
	before = fake_free_pages();
	expect_comes_and_goes(test, all);

	KUNIT_ASSERT_EQ(test, create(&all), 0);
	reports_expect(test, "remove_pagetable");
	remove(&half);
	expect_can_be_used(test, &all);
	remove(&all);
	KUNIT_EXPECT_TRUE(test, ends_fault(&all));
	vmemmap_range_expect_freed(test, before);
}

static struct kunit_case linear_map_cases[] = {
	KUNIT_CASE(create_block),
	KUNIT_CASE(create_units),
	KUNIT_CASE(create_units_around_pmds),
	KUNIT_CASE(remove_more_than_is_mapped),
	KUNIT_CASE(remove_nothing),
	KUNIT_CASE(remove_nothing_far_away),
	KUNIT_CASE(remove_frees_page_tables),
	KUNIT_CASE(create_without_ram_is_refused),
	KUNIT_CASE(create_beyond_the_end_is_refused),
	KUNIT_CASE(remove_of_half_a_pud_is_refused),
	{}
};

static struct kunit_suite linear_map_suite = {
	.name = "mhp_powerpc_linear_map",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = linear_map_cases,
};

kunit_test_suite(linear_map_suite);
