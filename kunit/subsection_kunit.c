// SPDX-License-Identifier: GPL-2.0
/*
 * Parts of a memory section: sparse_add_section() and sparse_remove_section()
 * on sub-sections.  Device memory is added like this.
 *
 * In the drawings a section has four sub-sections, and # has a memmap.
 */

#include <linux/gfp.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/vmstat.h>

#include "fake_memmap.h"
#include "fake_section.h"
#include "mhp_validate.h"
#include "permutations.h"
#include "zone_counters.h"

#define PRESENT	(SECTION_MARKED_PRESENT | SECTION_HAS_MEM_MAP)
#define LAST	(SUBSECTIONS_PER_SECTION - 1)

/* First page of a free section, in which all cases work. */
static unsigned long free_section(struct kunit *test)
{
	if (SUBSECTIONS_PER_SECTION < 4)
		kunit_skip(test, "a section has %lu sub-sections, the cases want 4",
			   SUBSECTIONS_PER_SECTION);
	if (IS_ENABLED(CONFIG_PPC64))
		kunit_skip(test, "powerpc maps the memmap of other sub-sections as well");
	/* Else sub-sections share pages of the memmap. */
	fake_memmap_size(test, PAGES_PER_SUBSECTION);
	return fake_range(test, 1).pfn;
}

static int add(struct kunit *test, unsigned long section, unsigned int first,
	       unsigned int nr)
{
	return fake_memmap_add(test, section + first * PAGES_PER_SUBSECTION,
			       nr * PAGES_PER_SUBSECTION, NULL);
}

static void remove(struct kunit *test, unsigned long section, unsigned int first,
		   unsigned int nr)
{
	fake_memmap_remove(test, section + first * PAGES_PER_SUBSECTION,
			   nr * PAGES_PER_SUBSECTION);
}

/* Exactly the sub-sections in the map are there, whichever way one looks. */
static void expect_map(struct kunit *test, unsigned long section,
		       const unsigned long *map)
{
	struct mem_section *ms = __pfn_to_section(section);
	bool empty = bitmap_empty(map, SUBSECTIONS_PER_SECTION);
	unsigned long backing;
	unsigned int i;

	KUNIT_EXPECT_EQ(test, fake_section_flags(section), empty ? 0 : PRESENT);
	if (empty && ms)
		KUNIT_EXPECT_PTR_EQ(test, ms->usage, NULL);
	if (!empty) {
		KUNIT_EXPECT_TRUE(test, bitmap_equal(ms->usage->subsection_map, map,
						     SUBSECTIONS_PER_SECTION));
		/* That of its first page, whether there is one or not. */
		KUNIT_EXPECT_PTR_EQ(test, __section_mem_map_addr(ms) + section,
				    pfn_to_page(section));
	}
	for (i = 0; i < SUBSECTIONS_PER_SECTION; i++) {
		unsigned long pfn = section + i * PAGES_PER_SUBSECTION;
		unsigned long end = pfn + PAGES_PER_SUBSECTION - 1;
		bool there = test_bit(i, map);

		KUNIT_EXPECT_EQ_MSG(test, pfn_valid(pfn), there, "sub-section %u", i);
		KUNIT_EXPECT_EQ_MSG(test, pfn_valid(end), there, "sub-section %u", i);
		KUNIT_EXPECT_EQ_MSG(test, mhp_memmap_backing(pfn, &backing), there,
				    "sub-section %u", i);
		KUNIT_EXPECT_EQ_MSG(test, mhp_memmap_backing(end, &backing), there,
				    "sub-section %u", i);
	}
}

/*
 *	|#...|  |.#..|  |..#.|  |...#|
 */
static void add_subsection_at_each_position(struct kunit *test)
{
	unsigned long section = free_section(test);
	DECLARE_BITMAP(map, SUBSECTIONS_PER_SECTION) = { 0 };
	unsigned int i;

	for (i = 0; i < SUBSECTIONS_PER_SECTION; i++) {
		unsigned long pfn = section + i * PAGES_PER_SUBSECTION;

		KUNIT_ASSERT_EQ(test, add(test, section, i, 1), 0);
		__set_bit(i, map);
		expect_map(test, section, map);
		if (IS_ENABLED(CONFIG_DEBUG_VM))
			KUNIT_EXPECT_TRUE(test, PagePoisoned(pfn_to_page(pfn)));
		remove(test, section, i, 1);
		__clear_bit(i, map);
		expect_map(test, section, map);
	}
}

/*
 *	|#...| -> |##..| -> |###.| -> |####|
 */
static void add_subsections_until_section_is_full(struct kunit *test)
{
	unsigned long section = free_section(test);
	DECLARE_BITMAP(map, SUBSECTIONS_PER_SECTION) = { 0 };
	unsigned int i;

	for (i = 0; i < SUBSECTIONS_PER_SECTION; i++) {
		KUNIT_ASSERT_EQ(test, add(test, section, i, 1), 0);
		__set_bit(i, map);
		expect_map(test, section, map);
	}
}

/*
 *	|.#.#| -> |####|: what is in the memmap of the neighbours stays
 */
static void add_subsection_between_leaves_neighbours_alone(struct kunit *test)
{
	unsigned long section = free_section(test);
	DECLARE_BITMAP(map, SUBSECTIONS_PER_SECTION) = { 0 };
	struct page *left, *right;

	KUNIT_ASSERT_EQ(test, add(test, section, 1, 1), 0);
	KUNIT_ASSERT_EQ(test, add(test, section, 3, 1), 0);
	left = pfn_to_page(section + 2 * PAGES_PER_SUBSECTION - 1);
	right = pfn_to_page(section + 3 * PAGES_PER_SUBSECTION);
	left->private = 0x1ef7;
	right->private = 0x416;

	KUNIT_ASSERT_EQ(test, add(test, section, 2, 1), 0);
	bitmap_set(map, 1, 3);
	expect_map(test, section, map);
	KUNIT_EXPECT_EQ(test, left->private, 0x1ef7ul);
	KUNIT_EXPECT_EQ(test, right->private, 0x416ul);

	remove(test, section, 2, 1);
	__clear_bit(2, map);
	expect_map(test, section, map);
	KUNIT_EXPECT_EQ(test, left->private, 0x1ef7ul);
	KUNIT_EXPECT_EQ(test, right->private, 0x416ul);
}

struct overlap {
	const char *desc;
	unsigned int first;
	unsigned int nr;
};

/* Against sub-sections 1 and 2. */
static const struct overlap overlaps[] = {
	{ "the same", 1, 2 },
	{ "its first half", 1, 1 },
	{ "its last half", 2, 1 },
	{ "over its beginning", 0, 2 },
	{ "over its end", 2, 2 },
	{ "around it", 0, 4 },
	{ "the whole section", 0, SUBSECTIONS_PER_SECTION },
};

KUNIT_ARRAY_PARAM_DESC(overlaps, overlaps, desc);

/*
 *	|.##.|: nothing is changed, not even where there would have been room
 */
static void add_overlapping_subsections_is_refused(struct kunit *test)
{
	const struct overlap *overlap = test->param_value;
	unsigned long section = free_section(test);
	DECLARE_BITMAP(map, SUBSECTIONS_PER_SECTION) = { 0 };
	struct mem_section_usage *usage;
	struct page *page;

	KUNIT_ASSERT_EQ(test, add(test, section, 1, 2), 0);
	bitmap_set(map, 1, 2);
	usage = __pfn_to_section(section)->usage;
	page = pfn_to_page(section + PAGES_PER_SUBSECTION);
	page->private = 0x5ec;

	KUNIT_EXPECT_EQ(test, add(test, section, overlap->first, overlap->nr), -EEXIST);
	expect_map(test, section, map);
	KUNIT_EXPECT_PTR_EQ(test, __pfn_to_section(section)->usage, usage);
	KUNIT_EXPECT_EQ(test, page->private, 0x5ecul);
}

/*
 *	|0112|: the section is there until the last of the three goes
 */
static void remove_subsections_in_any_order(struct kunit *test)
{
	static const unsigned int first[] = { 0, 1, LAST };
	static const unsigned int nr[] = { 1, LAST - 1, 1 };
	const struct permutation *order = test->param_value;
	unsigned long section = free_section(test);
	DECLARE_BITMAP(map, SUBSECTIONS_PER_SECTION) = { 0 };
	unsigned int i;

	for (i = 0; i < 3; i++)
		KUNIT_ASSERT_EQ(test, add(test, section, first[i], nr[i]), 0);
	bitmap_fill(map, SUBSECTIONS_PER_SECTION);
	expect_map(test, section, map);
	for (i = 0; i < 3; i++) {
		unsigned int k = order->nth[i];

		remove(test, section, first[k], nr[k]);
		bitmap_clear(map, first[k], nr[k]);
		expect_map(test, section, map);
	}
}

/* Several sub-sections that were added one by one can go in one go. */
static void remove_subsections_added_apart_at_once(struct kunit *test)
{
	unsigned long pfn, section = free_section(test);
	DECLARE_BITMAP(map, SUBSECTIONS_PER_SECTION) = { 0 };
	unsigned int i;

	mem_hotplug_begin();
	for (i = 0; i < 3; i++) {
		pfn = section + i * PAGES_PER_SUBSECTION;
		KUNIT_EXPECT_EQ(test, sparse_add_section(0, pfn, PAGES_PER_SUBSECTION,
							 NULL, NULL), 0);
	}
	sparse_remove_section(section, 3 * PAGES_PER_SUBSECTION, NULL, NULL);
	mem_hotplug_done();
	mhp_validate(test, "sparse_remove_section");
	expect_map(test, section, map);
}

/*
 *	|.#..|: the memmap is in the first pages of the sub-section
 */
static void add_subsection_with_altmap_takes_its_head(struct kunit *test)
{
	unsigned long section = free_section(test);
	unsigned long size = fake_memmap_size(test, PAGES_PER_SUBSECTION);
	unsigned long backing, pfn = section + PAGES_PER_SUBSECTION;
	struct vmem_altmap *altmap = fake_altmap(test, pfn, size);

	fake_skip_if_altmap_is_for_sections(test);
	KUNIT_ASSERT_EQ(test, fake_memmap_add(test, pfn, PAGES_PER_SUBSECTION, altmap), 0);
	KUNIT_EXPECT_EQ(test, altmap->alloc, size);
	KUNIT_ASSERT_TRUE(test, mhp_memmap_backing(pfn, &backing));
	KUNIT_EXPECT_EQ(test, backing, pfn);
	KUNIT_ASSERT_TRUE(test, mhp_memmap_backing(pfn + PAGES_PER_SUBSECTION - 1, &backing));
	KUNIT_EXPECT_EQ(test, backing, pfn + size - 1);

	fake_memmap_remove(test, pfn, PAGES_PER_SUBSECTION);
	KUNIT_EXPECT_EQ(test, altmap->alloc, 0);
}

/*
 *	|#.#.| -> |###.| fails: the first and third keep all that they have
 */
static void add_subsection_altmap_one_page_short_unwinds(struct kunit *test)
{
	unsigned long section = free_section(test);
	unsigned long size = fake_memmap_size(test, PAGES_PER_SUBSECTION);
	unsigned long pfn = section + PAGES_PER_SUBSECTION;
	struct vmem_altmap *altmap = fake_altmap(test, pfn, size - 1);
	DECLARE_BITMAP(map, SUBSECTIONS_PER_SECTION) = { 0 };
	struct mem_section_usage *usage;

	fake_skip_if_altmap_is_optional(test);
	fake_skip_if_altmap_is_for_sections(test);
	KUNIT_ASSERT_EQ(test, add(test, section, 0, 1), 0);
	KUNIT_ASSERT_EQ(test, add(test, section, 2, 1), 0);
	__set_bit(0, map);
	__set_bit(2, map);
	usage = __pfn_to_section(section)->usage;

	KUNIT_EXPECT_EQ(test, fake_memmap_add(test, pfn, PAGES_PER_SUBSECTION, altmap),
			-ENOMEM);
	KUNIT_EXPECT_EQ(test, altmap->alloc, 0);
	KUNIT_EXPECT_PTR_EQ(test, __pfn_to_section(section)->usage, usage);
	expect_map(test, section, map);
}

/* The other sub-section of the page tables and the altmaps is not confused. */
static void subsections_with_and_without_altmap_share_section(struct kunit *test)
{
	unsigned long section = free_section(test);
	unsigned long size = fake_memmap_size(test, PAGES_PER_SUBSECTION);
	unsigned long backing, pfn = section + PAGES_PER_SUBSECTION;
	struct vmem_altmap *altmap = fake_altmap(test, pfn, size);
	DECLARE_BITMAP(map, SUBSECTIONS_PER_SECTION) = { 0 };

	fake_skip_if_altmap_is_for_sections(test);
	KUNIT_ASSERT_EQ(test, add(test, section, 0, 1), 0);
	KUNIT_ASSERT_EQ(test, fake_memmap_add(test, pfn, PAGES_PER_SUBSECTION, altmap), 0);
	remove(test, section, 0, 1);
	KUNIT_EXPECT_EQ(test, altmap->alloc, size);
	KUNIT_ASSERT_TRUE(test, mhp_memmap_backing(pfn, &backing));
	KUNIT_EXPECT_EQ(test, backing, pfn);
	__set_bit(1, map);
	expect_map(test, section, map);

	KUNIT_ASSERT_EQ(test, add(test, section, 0, 1), 0);
	fake_memmap_remove(test, pfn, PAGES_PER_SUBSECTION);
	KUNIT_EXPECT_EQ(test, altmap->alloc, 0);
	bitmap_zero(map, SUBSECTIONS_PER_SECTION);
	__set_bit(0, map);
	expect_map(test, section, map);
}

#define CYCLES	2048

static void cycle_subsection(struct kunit *test, unsigned long pfn, unsigned int cycles)
{
	int err = 0;

	mem_hotplug_begin();
	while (cycles-- && !err) {
		err = sparse_add_section(0, pfn, PAGES_PER_SUBSECTION, NULL, NULL);
		if (!err)
			sparse_remove_section(pfn, PAGES_PER_SUBSECTION, NULL, NULL);
		cond_resched();
	}
	mem_hotplug_done();
	KUNIT_EXPECT_EQ(test, err, 0);
}

/*
 * A usage map is made and freed in each cycle.  There are so many cycles that
 * the loss of so small a thing is many pages in the end.
 */
static void readd_subsection_many_times_leaks_nothing(struct kunit *test)
{
	unsigned long pfn = free_section(test);
	unsigned long lost = CYCLES * sizeof(struct mem_section_usage) / PAGE_SIZE;

	free_pages_expect_kept(test, cycle_subsection, pfn, CYCLES, lost);
	mhp_validate(test, "sparse_remove_section");
}

static struct kunit_case subsection_cases[] = {
	KUNIT_CASE(add_subsection_at_each_position),
	KUNIT_CASE(add_subsections_until_section_is_full),
	KUNIT_CASE(add_subsection_between_leaves_neighbours_alone),
	KUNIT_CASE_PARAM(add_overlapping_subsections_is_refused, overlaps_gen_params),
	KUNIT_CASE_PARAM(remove_subsections_in_any_order, permutations_gen_params),
	KUNIT_CASE(remove_subsections_added_apart_at_once),
	KUNIT_CASE(add_subsection_with_altmap_takes_its_head),
	KUNIT_CASE(add_subsection_altmap_one_page_short_unwinds),
	KUNIT_CASE(subsections_with_and_without_altmap_share_section),
	KUNIT_CASE(readd_subsection_many_times_leaks_nothing),
	{}
};

static struct kunit_suite subsection_suite = {
	.name = "mhp_subsection",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = subsection_cases,
};

kunit_test_suite(subsection_suite);
