// SPDX-License-Identifier: GPL-2.0
/*
 * Memory sections: sparse_add_section() and sparse_remove_section(), which
 * give a section a memmap and take it away again.  See subsection_kunit.c for
 * parts of a section.
 */

#include <linux/gfp.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>

#include "fake_memmap.h"
#include "fake_section.h"
#include "mhp_validate.h"
#include "permutations.h"
#include "reports.h"
#include "zone_counters.h"

#define PRESENT	(SECTION_MARKED_PRESENT | SECTION_HAS_MEM_MAP)

/* Whether what is mapped of the memmap can be told, and sections share none of it. */
static bool memmap_is_told(void)
{
	return mhp_memmap_can_be_walked() &&
	       IS_ALIGNED(PAGES_PER_SECTION * sizeof(struct page), PAGE_SIZE);
}

/* Nothing is left of the section: no flags, no usage map, no memmap. */
static void expect_absent(struct kunit *test, unsigned long pfn)
{
	struct mem_section *ms = __pfn_to_section(pfn);
	unsigned long last = pfn + PAGES_PER_SECTION - 1;

	if (ms) {
		KUNIT_EXPECT_EQ(test, ms->section_mem_map, 0);
		KUNIT_EXPECT_PTR_EQ(test, ms->usage, NULL);
	}
	KUNIT_EXPECT_FALSE(test, pfn_valid(pfn));
	if (!memmap_is_told())
		return;
	KUNIT_EXPECT_FALSE(test, mhp_memmap_is_stale(pfn));
	KUNIT_EXPECT_FALSE(test, mhp_memmap_is_stale(last));
}

/* All of the section has a memmap. */
static void expect_present(struct kunit *test, unsigned long pfn)
{
	struct mem_section *ms = __pfn_to_section(pfn);
	unsigned long i, backing;

	KUNIT_ASSERT_NOT_NULL(test, ms);
	KUNIT_EXPECT_EQ(test, fake_section_flags(pfn), PRESENT);
	KUNIT_ASSERT_NOT_NULL(test, ms->usage);
	KUNIT_EXPECT_TRUE(test, bitmap_full(ms->usage->subsection_map,
					    SUBSECTIONS_PER_SECTION));
	KUNIT_EXPECT_PTR_EQ(test, __section_mem_map_addr(ms) + pfn, pfn_to_page(pfn));
	for (i = 0; i < PAGES_PER_SECTION; i += PAGES_PER_SUBSECTION) {
		KUNIT_EXPECT_TRUE(test, pfn_valid(pfn + i));
		if (memmap_is_told())
			KUNIT_EXPECT_TRUE(test, mhp_memmap_backing(pfn + i, &backing));
	}
}

/* Neither online nor in a zone: no walker of online memory may meet it. */
static void add_section_makes_it_present(struct kunit *test)
{
	unsigned long pfn = fake_range(test, 1).pfn;

	expect_absent(test, pfn);
	KUNIT_ASSERT_EQ(test, fake_memmap_add(test, pfn, PAGES_PER_SECTION, NULL), 0);
	expect_present(test, pfn);
	KUNIT_EXPECT_PTR_EQ(test, pfn_to_online_page(pfn), NULL);
	fake_memmap_remove(test, pfn, PAGES_PER_SECTION);
	expect_absent(test, pfn);
}

/* An altmap with so many pages that may be used for the memmap of a section. */
static struct vmem_altmap *section_altmap(struct kunit *test, unsigned long pfn,
					  unsigned long nr_pages)
{
	struct vmem_altmap *altmap = fake_altmap(test, pfn, PAGES_PER_SECTION);

	/* It is of all of the section: powerpc passes over one that ends within. */
	altmap->free = nr_pages;
	return altmap;
}

/*
 * Each struct page is filled with PAGE_POISON_PATTERN, so that its use before
 * it is initialized is noticed.  The altmap has the memmap at the same pages
 * again, in which there is something else by then.
 */
static void add_section_poisons_memmap(struct kunit *test)
{
	unsigned long size = fake_memmap_size(test, PAGES_PER_SECTION);
	unsigned long i, pfn = fake_range(test, 1).pfn;
	struct vmem_altmap *altmap = section_altmap(test, pfn, size);
	const unsigned long *word;

	if (!IS_ENABLED(CONFIG_DEBUG_VM))
		kunit_skip(test, "a new memmap is poisoned with CONFIG_DEBUG_VM only");
	KUNIT_ASSERT_EQ(test, fake_memmap_add(test, pfn, PAGES_PER_SECTION, altmap), 0);
	memset(pfn_to_page(pfn), 0, size * PAGE_SIZE);
	fake_memmap_remove(test, pfn, PAGES_PER_SECTION);

	KUNIT_ASSERT_EQ(test, fake_memmap_add(test, pfn, PAGES_PER_SECTION, altmap), 0);
	word = (const unsigned long *)pfn_to_page(pfn);
	for (i = 0; i < size * PAGE_SIZE / sizeof(*word); i++) {
		if (word[i] == PAGE_POISON_PATTERN)
			continue;
		KUNIT_FAIL(test, "byte %lu of the memmap: %#lx", i * sizeof(*word), word[i]);
		return;
	}
}

/*
 *	| memmap of all of the section | ... |
 *	pfn                            pfn + size
 */
static void add_section_with_altmap_takes_head(struct kunit *test)
{
	unsigned long size = fake_memmap_size(test, PAGES_PER_SECTION);
	unsigned long pfn = fake_range(test, 1).pfn;
	struct vmem_altmap *altmap = section_altmap(test, pfn, size);
	unsigned long i, backing, per_page = PAGE_SIZE / sizeof(struct page);

	KUNIT_ASSERT_EQ(test, fake_memmap_add(test, pfn, PAGES_PER_SECTION, altmap), 0);
	expect_present(test, pfn);
	KUNIT_EXPECT_EQ(test, altmap->alloc, size);
	KUNIT_EXPECT_EQ(test, altmap->align, 0);
	for (i = 0; i < PAGES_PER_SECTION; i += per_page) {
		KUNIT_ASSERT_TRUE(test, mhp_memmap_backing(pfn + i, &backing));
		KUNIT_ASSERT_EQ(test, backing,
				pfn + i * sizeof(struct page) / PAGE_SIZE);
	}

	fake_memmap_remove(test, pfn, PAGES_PER_SECTION);
	expect_absent(test, pfn);
	KUNIT_EXPECT_EQ(test, altmap->alloc, 0);
}

/* What the altmap reserves is left alone, and what is left over stays free. */
static void add_section_with_larger_altmap_takes_its_need(struct kunit *test)
{
	unsigned long size = fake_memmap_size(test, PAGES_PER_SECTION);
	unsigned long backing, pfn = fake_range(test, 1).pfn;
	struct vmem_altmap *altmap = section_altmap(test, pfn, 2 * size);

	KUNIT_ASSERT_EQ(test, fake_memmap_add(test, pfn, PAGES_PER_SECTION, altmap), 0);
	KUNIT_EXPECT_EQ(test, altmap->alloc, size);
	KUNIT_ASSERT_TRUE(test, mhp_memmap_backing(pfn + PAGES_PER_SECTION - 1, &backing));
	KUNIT_EXPECT_EQ(test, backing, pfn + size - 1);
	fake_memmap_remove(test, pfn, PAGES_PER_SECTION);
	KUNIT_EXPECT_EQ(test, altmap->alloc, 0);
}

/* The memmap is not in the section, nor in any that was added before. */
static void add_section_without_altmap_takes_system_memory(struct kunit *test)
{
	unsigned long i, backing, pfn = fake_range(test, 1).pfn;

	if (!memmap_is_told())
		kunit_skip(test, "it cannot be told where the memmap is");
	KUNIT_ASSERT_EQ(test, fake_memmap_add(test, pfn, PAGES_PER_SECTION, NULL), 0);
	for (i = 0; i < PAGES_PER_SECTION; i += PAGES_PER_SUBSECTION) {
		KUNIT_ASSERT_TRUE(test, mhp_memmap_backing(pfn + i, &backing));
		KUNIT_EXPECT_NOT_NULL(test, pfn_to_online_page(backing));
	}
}

/* All that was done before the altmap ran out is undone. */
static void add_section_altmap_one_page_short_unwinds(struct kunit *test)
{
	unsigned long size = fake_memmap_size(test, PAGES_PER_SECTION);
	unsigned long pfn = fake_range(test, 1).pfn;
	struct vmem_altmap *altmap = fake_altmap(test, pfn, size - 1);

	fake_skip_if_altmap_is_optional(test);
	KUNIT_EXPECT_EQ(test, fake_memmap_add(test, pfn, PAGES_PER_SECTION, altmap), -ENOMEM);
	expect_absent(test, pfn);
	KUNIT_EXPECT_EQ(test, altmap->alloc, 0);

	/* Nothing is in the way of another attempt. */
	altmap->free = size;
	KUNIT_EXPECT_EQ(test, fake_memmap_add(test, pfn, PAGES_PER_SECTION, altmap), 0);
	expect_present(test, pfn);
}

static void add_section_altmap_empty_unwinds(struct kunit *test)
{
	unsigned long pfn = fake_range(test, 1).pfn;
	struct vmem_altmap *altmap = fake_altmap(test, pfn, 0);

	fake_skip_if_altmap_is_optional(test);
	KUNIT_EXPECT_EQ(test, fake_memmap_add(test, pfn, PAGES_PER_SECTION, altmap), -ENOMEM);
	expect_absent(test, pfn);
	KUNIT_EXPECT_EQ(test, altmap->alloc, 0);
}

/* The section keeps its memmap, with what is in it, and its usage map. */
static void add_section_twice_is_refused(struct kunit *test)
{
	unsigned long before = 0, after = 0, pfn = fake_range(test, 1).pfn;
	struct mem_section_usage *usage;
	struct page *page;

	KUNIT_ASSERT_EQ(test, fake_memmap_add(test, pfn, PAGES_PER_SECTION, NULL), 0);
	usage = __pfn_to_section(pfn)->usage;
	page = pfn_to_page(pfn);
	page->private = 0x5ec;
	if (memmap_is_told())
		KUNIT_ASSERT_TRUE(test, mhp_memmap_backing(pfn, &before));

	KUNIT_EXPECT_EQ(test, fake_memmap_add(test, pfn, PAGES_PER_SECTION, NULL), -EEXIST);
	expect_present(test, pfn);
	KUNIT_EXPECT_PTR_EQ(test, __pfn_to_section(pfn)->usage, usage);
	if (memmap_is_told())
		KUNIT_ASSERT_TRUE(test, mhp_memmap_backing(pfn, &after));
	KUNIT_EXPECT_EQ(test, after, before);
	KUNIT_EXPECT_EQ(test, page->private, 0x5ecul);
}

static void add_section_twice_leaves_altmap_alone(struct kunit *test)
{
	unsigned long size = fake_memmap_size(test, PAGES_PER_SECTION);
	unsigned long pfn = fake_range(test, 1).pfn;
	struct vmem_altmap *altmap = section_altmap(test, pfn, 2 * size);

	KUNIT_ASSERT_EQ(test, fake_memmap_add(test, pfn, PAGES_PER_SECTION, altmap), 0);
	KUNIT_EXPECT_EQ(test, fake_memmap_add(test, pfn, PAGES_PER_SECTION, altmap), -EEXIST);
	KUNIT_EXPECT_EQ(test, altmap->alloc, size);
}

/* Boot memory is there, early and online, and stays so. */
static void add_boot_section_is_refused(struct kunit *test)
{
	unsigned long pfn = SECTION_ALIGN_DOWN(page_to_pfn(virt_to_page(test->priv)));
	unsigned long flags = fake_section_flags(pfn);

	KUNIT_EXPECT_EQ(test, flags, PRESENT | SECTION_IS_ONLINE | SECTION_IS_EARLY);
	KUNIT_EXPECT_EQ(test, fake_memmap_add(test, pfn, PAGES_PER_SECTION, NULL), -EEXIST);
	KUNIT_EXPECT_EQ(test, fake_section_flags(pfn), flags);
}

/* The neighbours of a removed section do not notice. */
static void remove_sections_in_any_order(struct kunit *test)
{
	const struct permutation *order = test->param_value;
	unsigned long pfn = fake_range(test, DIV_ROUND_UP(3 * PAGES_PER_SECTION * PAGE_SIZE,
							  memory_block_size_bytes())).pfn;
	bool there[3] = { true, true, true };
	unsigned int i, k;

	for (i = 0; i < 3; i++)
		KUNIT_ASSERT_EQ(test, fake_memmap_add(test, pfn + i * PAGES_PER_SECTION,
						      PAGES_PER_SECTION, NULL), 0);
	for (i = 0; i < 3; i++) {
		fake_memmap_remove(test, pfn + order->nth[i] * PAGES_PER_SECTION,
				   PAGES_PER_SECTION);
		there[order->nth[i]] = false;
		for (k = 0; k < 3; k++) {
			if (there[k])
				expect_present(test, pfn + k * PAGES_PER_SECTION);
			else
				expect_absent(test, pfn + k * PAGES_PER_SECTION);
		}
	}
}

#define CYCLES	32

static void cycle_section(struct kunit *test, unsigned long pfn, unsigned int cycles)
{
	while (cycles--) {
		KUNIT_ASSERT_EQ(test, fake_memmap_add(test, pfn, PAGES_PER_SECTION, NULL), 0);
		fake_memmap_remove(test, pfn, PAGES_PER_SECTION);
	}
}

/* The loss of a page in each cycle would be seen. */
static void readd_section_many_times_leaks_nothing(struct kunit *test)
{
	free_pages_expect_kept(test, cycle_section, fake_range(test, 1).pfn, CYCLES, CYCLES);
}

/* The next memmap is a fresh one, whatever the one before held. */
static void readd_section_with_and_without_altmap(struct kunit *test)
{
	unsigned long size = fake_memmap_size(test, PAGES_PER_SECTION);
	unsigned long backing, pfn = fake_range(test, 1).pfn;
	struct vmem_altmap *altmap = section_altmap(test, pfn, size);
	unsigned int i;

	for (i = 0; i < 4; i++) {
		bool inside = i % 2;

		KUNIT_ASSERT_EQ(test, fake_memmap_add(test, pfn, PAGES_PER_SECTION,
						      inside ? altmap : NULL), 0);
		KUNIT_ASSERT_TRUE(test, mhp_memmap_backing(pfn, &backing));
		KUNIT_EXPECT_EQ(test, backing == pfn, inside);
		if (IS_ENABLED(CONFIG_DEBUG_VM))
			KUNIT_EXPECT_TRUE(test, PagePoisoned(pfn_to_page(pfn)));
		memset(pfn_to_page(pfn), 0, sizeof(struct page));
		fake_memmap_remove(test, pfn, PAGES_PER_SECTION);
		KUNIT_EXPECT_EQ(test, altmap->alloc, 0);
	}
}

/* SECTION_* through the life of a section. */
static void section_flags_follow_its_life(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);

	KUNIT_EXPECT_EQ(test, fake_section_flags(range.pfn), 0);
	KUNIT_ASSERT_EQ(test, fake_plug(test, range, NULL), 0);
	KUNIT_EXPECT_EQ(test, fake_section_flags(range.pfn), PRESENT);
	KUNIT_ASSERT_EQ(test, fake_online_pages(test, range.pfn, range.nr_pages,
						ZONE_NORMAL), 0);
	KUNIT_EXPECT_EQ(test, fake_section_flags(range.pfn), PRESENT | SECTION_IS_ONLINE);
	KUNIT_ASSERT_EQ(test, fake_offline_pages(test, range.pfn, range.nr_pages), 0);
	KUNIT_EXPECT_EQ(test, fake_section_flags(range.pfn), PRESENT);
	fake_unplug(test, range);
	KUNIT_EXPECT_EQ(test, fake_section_flags(range.pfn), 0);
}

/* __add_pages() cuts a range into sections. */
static void add_pages_makes_all_sections_present(struct kunit *test)
{
	struct fake_range range = fake_range(test, 3);
	unsigned long pfn;

	KUNIT_ASSERT_EQ(test, fake_plug(test, range, NULL), 0);
	for (pfn = range.pfn; pfn < range.pfn + range.nr_pages; pfn += PAGES_PER_SECTION)
		expect_present(test, pfn);
	fake_unplug(test, range);
	for (pfn = range.pfn; pfn < range.pfn + range.nr_pages; pfn += PAGES_PER_SECTION)
		expect_absent(test, pfn);
}

/*
 *	| memmap of 0, 1 and 2 | ... | 1 | 2 |
 */
static void add_pages_with_altmap_takes_head_for_all(struct kunit *test)
{
	struct fake_range range = fake_range(test, 3);
	unsigned long size = fake_memmap_size(test, range.nr_pages);
	struct vmem_altmap *altmap = fake_altmap(test, range.pfn, range.nr_pages);
	unsigned long backing, last = range.pfn + range.nr_pages - 1;

	KUNIT_ASSERT_EQ(test, fake_plug(test, range, altmap), 0);
	KUNIT_EXPECT_EQ(test, altmap->alloc, size);
	KUNIT_ASSERT_TRUE(test, mhp_memmap_backing(last, &backing));
	KUNIT_EXPECT_EQ(test, backing, range.pfn + size - 1);
	fake_unplug(test, range);
	KUNIT_EXPECT_EQ(test, altmap->alloc, 0);
}

static void add_pages_altmap_elsewhere_is_refused(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);
	struct vmem_altmap *altmap;

	reports_expect_failed_add(test);
	/* It has to be at the head of the range ... */
	altmap = fake_altmap(test, range.pfn + pageblock_nr_pages, pageblock_nr_pages);
	KUNIT_EXPECT_EQ(test, fake_plug(test, range, altmap), -EINVAL);
	expect_absent(test, range.pfn);

	/* ... and within it. */
	altmap = fake_altmap(test, range.pfn, range.nr_pages + 1);
	KUNIT_EXPECT_EQ(test, fake_plug(test, range, altmap), -EINVAL);
	expect_absent(test, range.pfn);
}

static struct kunit_case section_cases[] = {
	KUNIT_CASE(add_section_makes_it_present),
	KUNIT_CASE(add_section_poisons_memmap),
	KUNIT_CASE(add_section_with_altmap_takes_head),
	KUNIT_CASE(add_section_with_larger_altmap_takes_its_need),
	KUNIT_CASE(add_section_without_altmap_takes_system_memory),
	KUNIT_CASE(add_section_altmap_one_page_short_unwinds),
	KUNIT_CASE(add_section_altmap_empty_unwinds),
	KUNIT_CASE(add_section_twice_is_refused),
	KUNIT_CASE(add_section_twice_leaves_altmap_alone),
	KUNIT_CASE(add_boot_section_is_refused),
	KUNIT_CASE_PARAM(remove_sections_in_any_order, permutations_gen_params),
	KUNIT_CASE(readd_section_many_times_leaks_nothing),
	KUNIT_CASE(readd_section_with_and_without_altmap),
	KUNIT_CASE(section_flags_follow_its_life),
	KUNIT_CASE(add_pages_makes_all_sections_present),
	KUNIT_CASE(add_pages_with_altmap_takes_head_for_all),
	KUNIT_CASE(add_pages_altmap_elsewhere_is_refused),
	{}
};

static struct kunit_suite section_suite = {
	.name = "mhp_section",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = section_cases,
};

kunit_test_suite(section_suite);
