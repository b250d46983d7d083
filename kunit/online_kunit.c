// SPDX-License-Identifier: GPL-2.0
/*
 * Onlining memory: online_pages() on plugged-in sections, and device_online()
 * of memory blocks.  See online_notify_kunit.c for the notifications.
 */

#include <linux/gfp.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/page-isolation.h>
#include <linux/vmstat.h>

#include "contents.h"
#include "fake_section.h"
#include "mhp_validate.h"

struct target {
	const char *desc;
	enum zone_type zone;
	int online_type;
};

/* What zone_for_pfn_range() picks for memory that is not low. */
static const struct target targets[] = {
	{ "ZONE_NORMAL", ZONE_NORMAL, MMOP_ONLINE_KERNEL },
	{ "ZONE_MOVABLE", ZONE_MOVABLE, MMOP_ONLINE_MOVABLE },
};

KUNIT_ARRAY_PARAM_DESC(targets, targets, desc);

/* Every page is an initialized, free or used page of the zone. */
static void expect_zone(struct kunit *test, unsigned long pfn,
			unsigned long nr_pages, enum zone_type type)
{
	struct zone *zone = fake_zone(type);
	unsigned long i;

	for (i = 0; i < nr_pages; i++) {
		struct page *page = pfn_to_online_page(pfn + i);

		if (page && page_zone(page) == zone && page_to_nid(page) == 0 &&
		    !PageReserved(page) && !PagePoisoned(page))
			continue;
		KUNIT_FAIL(test, "pfn %#lx is not an online page of zone %s",
			   pfn + i, zone->name);
		return;
	}
	for (i = 0; i < nr_pages; i += pageblock_nr_pages) {
		if (get_pageblock_migratetype(pfn_to_page(pfn + i)) == MIGRATE_MOVABLE)
			continue;
		KUNIT_FAIL(test, "the pageblock at pfn %#lx is not MIGRATE_MOVABLE", pfn + i);
		return;
	}
}

static void online_pages_puts_pages_into_zone(struct kunit *test)
{
	const struct target *target = test->param_value;
	struct fake_range range = fake_range(test, 2);
	struct zone *zone = fake_zone(target->zone);
	unsigned long present = zone->present_pages;
	unsigned long managed = zone_managed_pages(zone);
	unsigned long total = totalram_pages();

	KUNIT_ASSERT_EQ(test, fake_plug(test, range, NULL), 0);
	KUNIT_EXPECT_EQ(test, zone->present_pages, present);
	KUNIT_EXPECT_EQ(test, totalram_pages(), total);

	KUNIT_ASSERT_EQ(test, fake_online_pages(test, range.pfn, range.nr_pages,
						target->zone), 0);
	expect_zone(test, range.pfn, range.nr_pages, target->zone);
	KUNIT_EXPECT_EQ(test, zone->present_pages, present + range.nr_pages);
	KUNIT_EXPECT_EQ(test, zone_managed_pages(zone), managed + range.nr_pages);
	KUNIT_EXPECT_EQ(test, totalram_pages(), total + range.nr_pages);

	KUNIT_ASSERT_EQ(test, fake_offline_pages(test, range.pfn, range.nr_pages), 0);
	KUNIT_EXPECT_EQ(test, zone->present_pages, present);
	KUNIT_EXPECT_EQ(test, zone_managed_pages(zone), managed);
	KUNIT_EXPECT_EQ(test, totalram_pages(), total);
}

static void online_block_puts_pages_into_zone(struct kunit *test)
{
	const struct target *target = test->param_value;
	struct fake_range range = fake_range(test, 1);
	unsigned long present = fake_zone(target->zone)->present_pages;

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_EXPECT_FALSE(test, fake_is_online(range));
	KUNIT_ASSERT_EQ(test, fake_online(test, range, target->online_type), 0);
	KUNIT_EXPECT_TRUE(test, fake_is_online(range));
	expect_zone(test, range.pfn, range.nr_pages, target->zone);
	KUNIT_EXPECT_EQ(test, fake_zone(target->zone)->present_pages,
			present + range.nr_pages);
}

/* Nobody else has them yet, so all can be had; and each keeps what is written. */
static void onlined_pages_can_be_used(struct kunit *test)
{
	const struct target *target = test->param_value;
	struct fake_range range = fake_range(test, 1);
	unsigned long i, step = max(range.nr_pages / 512, 1UL);
	struct held *held;

	KUNIT_ASSERT_EQ(test, fake_plug(test, range, NULL), 0);
	KUNIT_ASSERT_EQ(test, fake_online_pages(test, range.pfn, range.nr_pages,
						target->zone), 0);
	held = contents_hold(test, range.pfn, range.nr_pages);

	/* Some are enough: writing to all would cost the host real memory. */
	for (i = 0; i < range.nr_pages; i += step)
		memset64(page_address(pfn_to_page(range.pfn + i)), range.pfn + i,
			 PAGE_SIZE / sizeof(u64));
	for (i = 0; i < range.nr_pages; i += step) {
		u64 *word = page_address(pfn_to_page(range.pfn + i));

		if (word[0] == range.pfn + i &&
		    !memcmp(word, word + 1, PAGE_SIZE - sizeof(u64)))
			continue;
		KUNIT_FAIL(test, "pfn %#lx does not hold what was written", range.pfn + i);
		break;
	}
	contents_release(test, held);
	KUNIT_EXPECT_EQ(test, fake_offline_pages(test, range.pfn, range.nr_pages), 0);
}

static void free_page_list(struct list_head *pages, unsigned int order)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, pages, lru)
		__free_pages(page, order);
}

/*
 * The page allocator comes to a new ZONE_MOVABLE by itself when it is asked for
 * movable pages: the zone has to be in the zone lists, with watermarks.
 */
static void allocator_finds_onlined_movable_zone(struct kunit *test)
{
	struct fake_range range = fake_range(test, 4);
	unsigned long nr, inside = 0;
	LIST_HEAD(pages);

	if (populated_zone(fake_zone(ZONE_MOVABLE)))
		kunit_skip(test, "boot memory has a ZONE_MOVABLE already");
	KUNIT_ASSERT_EQ(test, fake_plug(test, range, NULL), 0);
	KUNIT_ASSERT_EQ(test, fake_online_pages(test, range.pfn, range.nr_pages,
						ZONE_MOVABLE), 0);
	KUNIT_EXPECT_TRUE(test, populated_zone(fake_zone(ZONE_MOVABLE)));

	/* Half of the new memory. */
	for (nr = 0; nr < max(range.nr_pages / pageblock_nr_pages / 2, 1UL); nr++) {
		struct page *page = alloc_pages(GFP_HIGHUSER_MOVABLE, pageblock_order);

		if (!page)
			break;
		list_add(&page->lru, &pages);
		inside += page_to_pfn(page) - range.pfn < range.nr_pages;
	}
	KUNIT_EXPECT_GT(test, inside, 0);
	free_page_list(&pages, pageblock_order);
}

/*
 * Kernel pages must never come from ZONE_MOVABLE: they would pin the block. Of
 * an order that boot memory has however long it was used: a zone list with
 * ZONE_MOVABLE in it is seen at the first page, the zone comes first in it.
 */
static void allocator_keeps_kernel_pages_out_of_movable_zone(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	const unsigned int order = PAGE_ALLOC_COSTLY_ORDER;
	unsigned long nr, inside = 0;
	LIST_HEAD(pages);

	KUNIT_ASSERT_EQ(test, fake_plug(test, range, NULL), 0);
	KUNIT_ASSERT_EQ(test, fake_online_pages(test, range.pfn, range.nr_pages,
						ZONE_MOVABLE), 0);
	for (nr = 0; nr < 16; nr++) {
		struct page *page = alloc_pages(GFP_KERNEL, order);

		if (!page)
			break;
		list_add(&page->lru, &pages);
		inside += page_to_pfn(page) - range.pfn < range.nr_pages;
	}
	KUNIT_EXPECT_GT(test, nr, 0);
	KUNIT_EXPECT_EQ(test, inside, 0);
	free_page_list(&pages, order);
}

/* Freshly onlined memory is free to the last page, and counted as that. */
static void online_counts_all_pages_as_free(struct kunit *test)
{
	const struct target *target = test->param_value;
	struct fake_range range = fake_range(test, 1);
	unsigned long pfn, nr_free = 0;

	KUNIT_ASSERT_EQ(test, fake_plug(test, range, NULL), 0);
	KUNIT_ASSERT_EQ(test, fake_online_pages(test, range.pfn, range.nr_pages,
						target->zone), 0);
	for (pfn = range.pfn; pfn < range.pfn + range.nr_pages; ) {
		struct page *page = pfn_to_page(pfn);

		if (!PageBuddy(page)) {
			pfn++;
			continue;
		}
		nr_free += 1UL << page_private(page);
		pfn += 1UL << page_private(page);
	}
	KUNIT_EXPECT_EQ(test, nr_free, range.nr_pages);
	/* The zone has other memory only if it is ZONE_NORMAL, or with movablecore=. */
	KUNIT_EXPECT_GE(test, zone_page_state(fake_zone(target->zone), NR_FREE_PAGES),
			range.nr_pages);
	if (fake_zone(target->zone)->present_pages == range.nr_pages)
		KUNIT_EXPECT_EQ(test, zone_page_state(fake_zone(target->zone),
						      NR_FREE_PAGES), range.nr_pages);
}

/* A driver that keeps all pages for itself, as balloon drivers do. */
static struct {
	unsigned long pages;
	unsigned int misaligned;
} kept;

static void keep_page(struct page *page, unsigned int order)
{
	kept.pages += 1UL << order;
	kept.misaligned += !IS_ALIGNED(page_to_pfn(page), 1UL << order);
}

static void restore_callback(void *unused)
{
	restore_online_page_callback(keep_page);
}

static void online_page_callback_gets_all_pages(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	struct zone *zone = fake_zone(ZONE_NORMAL);
	unsigned long pfn, managed = zone_managed_pages(zone);
	unsigned long present = zone->present_pages;

	memset(&kept, 0, sizeof(kept));
	KUNIT_ASSERT_EQ(test, fake_plug(test, range, NULL), 0);
	KUNIT_ASSERT_EQ(test, set_online_page_callback(keep_page), 0);
	fake_add_action(test, restore_callback, NULL);
	KUNIT_EXPECT_EQ(test, set_online_page_callback(keep_page), -EINVAL);

	KUNIT_ASSERT_EQ(test, fake_online_pages(test, range.pfn, range.nr_pages,
						ZONE_NORMAL), 0);
	/* Else they must not be given away below. */
	KUNIT_ASSERT_EQ(test, kept.pages, range.nr_pages);
	KUNIT_EXPECT_EQ(test, kept.misaligned, 0);
	/* Present, but the page allocator has none of them. */
	KUNIT_EXPECT_EQ(test, zone->present_pages, present + range.nr_pages);
	KUNIT_EXPECT_EQ(test, zone_managed_pages(zone), managed);
	for (pfn = range.pfn; pfn < range.pfn + range.nr_pages; pfn++) {
		if (PageOffline(pfn_to_page(pfn)) && !PageBuddy(pfn_to_page(pfn)))
			continue;
		KUNIT_FAIL(test, "pfn %#lx was not left to the callback", pfn);
		break;
	}

	/* Given away late, they are as all others. */
	fake_release_action(test, restore_callback, NULL);
	KUNIT_EXPECT_EQ(test, restore_online_page_callback(keep_page), -EINVAL);
	for (pfn = range.pfn; pfn < range.pfn + range.nr_pages; pfn += MAX_ORDER_NR_PAGES)
		generic_online_page(pfn_to_page(pfn), MAX_PAGE_ORDER);
	KUNIT_EXPECT_EQ(test, zone_managed_pages(zone), managed + range.nr_pages);
	KUNIT_EXPECT_EQ(test, fake_offline_pages(test, range.pfn, range.nr_pages), 0);
	KUNIT_EXPECT_EQ(test, zone_managed_pages(zone), managed);
}

/*
 *	| plugged | online | plugged |
 */
static void online_part_of_range(struct kunit *test)
{
	struct fake_range range = fake_range(test, 3);
	struct fake_range middle = fake_block(test, range, 1);

	KUNIT_ASSERT_EQ(test, fake_plug(test, range, NULL), 0);
	KUNIT_ASSERT_EQ(test, fake_online_pages(test, middle.pfn, middle.nr_pages,
						ZONE_MOVABLE), 0);
	expect_zone(test, middle.pfn, middle.nr_pages, ZONE_MOVABLE);
	KUNIT_EXPECT_NULL(test, pfn_to_online_page(middle.pfn - 1));
	KUNIT_EXPECT_NULL(test, pfn_to_online_page(middle.pfn + middle.nr_pages));
	KUNIT_EXPECT_TRUE(test, pfn_valid(middle.pfn - 1));
}

/*
 *	| not online | online            |
 *	pfn          pfn + a pageblock   end of the section
 *
 * as memory_block_online() does it for a memmap that is in the first pageblock.
 */
static void online_from_second_pageblock(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	unsigned long pfn = range.pfn + pageblock_nr_pages;
	unsigned long nr_pages = range.nr_pages - pageblock_nr_pages;
	struct zone *zone = fake_zone(ZONE_MOVABLE);
	unsigned long present = zone->present_pages;
	unsigned long managed = zone_managed_pages(zone);
	int err;

	if (!nr_pages)
		kunit_skip(test, "a memory block is one pageblock");
	KUNIT_ASSERT_EQ(test, fake_plug(test, range, NULL), 0);

	mem_hotplug_begin();
	err = mhp_init_memmap_on_memory(range.pfn, pageblock_nr_pages, zone, false) ?:
	      online_pages(pfn, nr_pages, zone, NULL);
	if (!err)
		adjust_present_page_count(pfn_to_page(range.pfn), NULL, pageblock_nr_pages);
	mem_hotplug_done();
	KUNIT_ASSERT_EQ(test, err, 0);
	mhp_validate(test, "online_pages");
	expect_zone(test, pfn, nr_pages, ZONE_MOVABLE);
	KUNIT_EXPECT_EQ(test, zone->present_pages, present + range.nr_pages);
	KUNIT_EXPECT_EQ(test, zone_managed_pages(zone), managed + nr_pages);

	mem_hotplug_begin();
	adjust_present_page_count(pfn_to_page(range.pfn), NULL, -pageblock_nr_pages);
	err = offline_pages(pfn, nr_pages, zone, NULL);
	if (!err)
		mhp_deinit_memmap_on_memory(range.pfn, pageblock_nr_pages);
	mem_hotplug_done();
	KUNIT_ASSERT_EQ(test, err, 0);
	mhp_validate(test, "offline_pages");
	KUNIT_EXPECT_EQ(test, zone->present_pages, present);
}

/* device_online() says so, and changes nothing. */
static void online_block_twice_returns_one(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	struct zone *zone = fake_zone(ZONE_MOVABLE);
	unsigned long present;

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_MOVABLE), 0);
	present = zone->present_pages;
	KUNIT_EXPECT_EQ(test, fake_online(test, range, MMOP_ONLINE_KERNEL), 1);
	KUNIT_EXPECT_EQ(test, zone->present_pages, present);
	expect_zone(test, range.pfn, range.nr_pages, ZONE_MOVABLE);
}

/* A block may change its zone while it is offline. */
static void online_again_to_another_zone(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	static const int types[] = {
		MMOP_ONLINE_KERNEL, MMOP_ONLINE_MOVABLE, MMOP_ONLINE_KERNEL,
	};
	unsigned int i;

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		KUNIT_ASSERT_EQ(test, fake_online(test, range, types[i]), 0);
		expect_zone(test, range.pfn, range.nr_pages,
			    types[i] == MMOP_ONLINE_MOVABLE ? ZONE_MOVABLE : ZONE_NORMAL);
		KUNIT_ASSERT_EQ(test, fake_offline(test, range), 0);
	}
}

static struct kunit_case online_cases[] = {
	KUNIT_CASE_PARAM(online_pages_puts_pages_into_zone, targets_gen_params),
	KUNIT_CASE_PARAM(online_block_puts_pages_into_zone, targets_gen_params),
	KUNIT_CASE_PARAM(onlined_pages_can_be_used, targets_gen_params),
	KUNIT_CASE(allocator_finds_onlined_movable_zone),
	KUNIT_CASE(allocator_keeps_kernel_pages_out_of_movable_zone),
	KUNIT_CASE_PARAM(online_counts_all_pages_as_free, targets_gen_params),
	KUNIT_CASE(online_page_callback_gets_all_pages),
	KUNIT_CASE(online_part_of_range),
	KUNIT_CASE(online_from_second_pageblock),
	KUNIT_CASE(online_block_twice_returns_one),
	KUNIT_CASE(online_again_to_another_zone),
	{}
};

static struct kunit_suite online_suite = {
	.name = "mhp_online",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = online_cases,
};

kunit_test_suite(online_suite);
