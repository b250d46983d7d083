// SPDX-License-Identifier: GPL-2.0
/*
 * Offlining memory that is in use: offline_pages() migrates what it can, and
 * leaves all as it was when there is something that it cannot.  See
 * offline_notify_kunit.c for vetoes and signals.
 *
 * In the drawings m is a movable page, and U one that cannot move.
 */

#include <linux/gfp.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/page-isolation.h>
#include <linux/swap.h>

#include "contents.h"
#include "fake_section.h"
#include "listener.h"
#include "mhp_validate.h"
#include "permutations.h"
#include "zone_counters.h"

#define NR_CONTENTS	48

struct target {
	const char *desc;
	enum zone_type zone;
};

static const struct target targets[] = {
	{ "ZONE_NORMAL", ZONE_NORMAL },
	{ "ZONE_MOVABLE", ZONE_MOVABLE },
};

KUNIT_ARRAY_PARAM_DESC(targets, targets, desc);

static struct fake_range online_blocks(struct kunit *test, unsigned int nr,
				       enum zone_type zone)
{
	struct fake_range range = fake_range(test, nr);

	KUNIT_ASSERT_EQ(test, fake_plug(test, range, NULL), 0);
	KUNIT_ASSERT_EQ(test, fake_online_pages(test, range.pfn, range.nr_pages, zone), 0);
	return range;
}

/* From the first to the last page, or nearly. */
static struct contents *fill(struct kunit *test, struct fake_range range)
{
	unsigned long stride = (range.nr_pages - 1) / (NR_CONTENTS - 1);

	return contents_fill(test, range.pfn, stride, NR_CONTENTS);
}

/*
 *	|m..m..m..m|  ->  offline, and each m elsewhere
 */
static void offline_migrates_movable_pages(struct kunit *test)
{
	const struct target *target = test->param_value;
	struct fake_range range = online_blocks(test, 1, target->zone);
	struct contents *contents = fill(test, range);

	KUNIT_ASSERT_EQ(test, contents_nr_within(contents, range.pfn, range.nr_pages),
			NR_CONTENTS);
	KUNIT_ASSERT_EQ(test, fake_offline_pages(test, range.pfn, range.nr_pages), 0);
	KUNIT_EXPECT_EQ(test, contents_nr_within(contents, range.pfn, range.nr_pages), 0);
	contents_expect_intact(test, contents);

	/* The old frames may get any other content now. */
	KUNIT_ASSERT_EQ(test, fake_online_pages(test, range.pfn, range.nr_pages,
						target->zone), 0);
	fill(test, range);
	contents_expect_intact(test, contents);
}

/*
 *	|m..m..m..m| to and fro: the content is in both blocks in turn
 */
static void offline_many_times_loses_nothing(struct kunit *test)
{
	struct fake_range range = online_blocks(test, 1, ZONE_MOVABLE);
	struct contents *contents = fill(test, range);
	unsigned int i;

	for (i = 0; i < 16; i++) {
		KUNIT_ASSERT_EQ(test, fake_offline_pages(test, range.pfn, range.nr_pages), 0);
		contents_expect_intact(test, contents);
		KUNIT_ASSERT_EQ(test, fake_online_pages(test, range.pfn, range.nr_pages,
							ZONE_MOVABLE), 0);
	}
}

struct position {
	const char *desc;
	unsigned int quarter;	/* of the range; 4 is its last page */
};

static const struct position positions[] = {
	{ "first page", 0 },
	{ "in the middle", 2 },
	{ "last page", 4 },
};

KUNIT_ARRAY_PARAM_DESC(positions, positions, desc);

static unsigned long position_pfn(const struct position *position, struct fake_range range)
{
	return range.pfn + min(position->quarter * (range.nr_pages / 4), range.nr_pages - 1);
}

/*
 *	|m..m.Um..m|: refused before anything is migrated, and before anyone is told
 */
static void offline_with_busy_page_is_refused(struct kunit *test)
{
	struct fake_range range = online_blocks(test, 1, ZONE_NORMAL);
	struct contents *contents = contents_fill(test, range.pfn + 1, 1, 8);
	struct held *held = contents_hold(test, position_pfn(test->param_value, range), 1);
	struct listener *l = listener_add(test, 0);
	struct zone_counters before;

	zone_counters_take(&before);
	KUNIT_EXPECT_EQ(test, fake_offline_pages(test, range.pfn, range.nr_pages), -EBUSY);
	zone_counters_expect(test, &before);
	pageblocks_expect_usable(test, range.pfn, range.nr_pages);
	LISTENER_EXPECT(test, l);
	KUNIT_EXPECT_EQ(test, contents_nr_within(contents, range.pfn, range.nr_pages), 8);
	contents_expect_intact(test, contents);

	/* It was nothing but that page. */
	contents_release(test, held);
	KUNIT_EXPECT_EQ(test, fake_offline_pages(test, range.pfn, range.nr_pages), 0);
	contents_expect_intact(test, contents);
}

/* In ZONE_NORMAL isolation looks at each page, and at a compound page as one. */
static void offline_with_compound_page_is_refused(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	unsigned long pfn = range.pfn + range.nr_pages - pageblock_nr_pages;

	KUNIT_ASSERT_EQ(test, fake_plug(test, range, NULL), 0);
	KUNIT_ASSERT_EQ(test, fake_online_pages(test, range.pfn, range.nr_pages, ZONE_NORMAL), 0);
	KUNIT_ASSERT_EQ(test, alloc_contig_range(pfn, pfn + pageblock_nr_pages, MIGRATE_MOVABLE,
						 GFP_KERNEL | __GFP_COMP), 0);
	KUNIT_EXPECT_EQ(test, fake_offline_pages(test, range.pfn, range.nr_pages), -EBUSY);
	KUNIT_EXPECT_EQ(test, compound_order(pfn_to_page(pfn)), pageblock_order);
	free_contig_range(pfn, pageblock_nr_pages);
	KUNIT_EXPECT_EQ(test, fake_offline_pages(test, range.pfn, range.nr_pages), 0);
}

/* The same for a whole pageblock and through the memory block. */
static void offline_block_with_busy_pageblock_is_refused(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	struct zone_counters before;
	struct held *held;

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_KERNEL), 0);
	held = contents_hold(test, range.pfn + range.nr_pages - pageblock_nr_pages,
			     pageblock_nr_pages);
	zone_counters_take(&before);
	KUNIT_EXPECT_EQ(test, fake_offline(test, range), -EBUSY);
	KUNIT_EXPECT_TRUE(test, fake_is_online(range));
	zone_counters_expect(test, &before);
	pageblocks_expect_usable(test, range.pfn, range.nr_pages);
	contents_release(test, held);
	KUNIT_EXPECT_EQ(test, fake_offline(test, range), 0);
	KUNIT_EXPECT_FALSE(test, fake_is_online(range));
}

struct isolation {
	const char *desc;
	unsigned int half;	/* 0 first pageblock, 1 in the middle, 2 last */
};

static const struct isolation isolations[] = {
	{ "first pageblock", 0 },
	{ "in the middle", 1 },
	{ "last pageblock", 2 },
};

KUNIT_ARRAY_PARAM_DESC(isolations, isolations, desc);

static unsigned long isolation_pfn(const struct isolation *isolation,
				   struct fake_range range)
{
	unsigned long pfn = range.pfn + isolation->half * (range.nr_pages / 2);

	return pageblock_start_pfn(min(pfn, range.pfn + range.nr_pages - 1));
}

/* Others stay out of an isolated pageblock while it is somebody else's. */
static void expect_isolated(struct kunit *test, struct fake_range range, unsigned long isolated)
{
	unsigned long pfn;

	for (pfn = range.pfn; pfn < range.pfn + range.nr_pages; pfn += pageblock_nr_pages)
		KUNIT_EXPECT_EQ_MSG(test, get_pageblock_migratetype(pfn_to_page(pfn)),
				    pfn == isolated ? MIGRATE_ISOLATE : MIGRATE_MOVABLE,
				    "the pageblock at pfn %#lx", pfn);
}

/*
 *	|..|..|II|..|: somebody has isolated a pageblock, to allocate from it say
 */
static void offline_of_partly_isolated_range_is_refused(struct kunit *test)
{
	struct fake_range range = online_blocks(test, 2, ZONE_MOVABLE);
	unsigned long pfn = isolation_pfn(test->param_value, range);
	struct zone *zone = fake_zone(ZONE_MOVABLE);
	struct zone_counters before;

	KUNIT_ASSERT_EQ(test, start_isolate_page_range(pfn, pfn + pageblock_nr_pages,
						       MIGRATE_MOVABLE, 0, GFP_KERNEL), 0);
	mhp_validate_expect_isolated(pfn, pageblock_nr_pages, true);
	zone_counters_take(&before);
	KUNIT_EXPECT_EQ(test, fake_offline_pages(test, range.pfn, range.nr_pages), -EBUSY);
	zone_counters_expect(test, &before);
	KUNIT_EXPECT_EQ(test, zone->nr_isolate_pageblock, 1);
	expect_isolated(test, range, pfn);

	undo_isolate_page_range(pfn, pfn + pageblock_nr_pages, MIGRATE_MOVABLE);
	mhp_validate_expect_isolated(pfn, pageblock_nr_pages, false);
	mhp_validate(test, "undo_isolate_page_range");
	KUNIT_EXPECT_EQ(test, fake_offline_pages(test, range.pfn, range.nr_pages), 0);
}

/*
 *	|m..m|m..m|m..m|: a block does not look over its edge to an offline neighbour
 */
static void offline_blocks_in_any_order(struct kunit *test)
{
	const struct permutation *order = test->param_value;
	struct fake_range range = fake_range(test, 3);
	struct contents *contents;
	unsigned int i, k;

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_MOVABLE), 0);
	contents = fill(test, range);
	for (i = 0; i < 3; i++) {
		struct fake_range block = fake_block(test, range, order->nth[i]);

		KUNIT_ASSERT_EQ(test, fake_offline(test, block), 0);
		KUNIT_EXPECT_EQ(test, contents_nr_within(contents, block.pfn,
							 block.nr_pages), 0);
		contents_expect_intact(test, contents);
		for (k = 0; k < i; k++)
			KUNIT_EXPECT_FALSE(test, fake_is_online(fake_block(test, range,
									   order->nth[k])));
		for (k = i + 1; k < 3; k++) {
			block = fake_block(test, range, order->nth[k]);
			pageblocks_expect_usable(test, block.pfn, block.nr_pages);
		}
	}
}

static void offline_block_twice_returns_one(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	struct zone_counters before;

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE), 0);
	KUNIT_ASSERT_EQ(test, fake_offline(test, range), 0);
	zone_counters_take(&before);
	KUNIT_EXPECT_EQ(test, fake_offline(test, range), 1);
	zone_counters_expect(test, &before);
	KUNIT_EXPECT_FALSE(test, fake_is_online(range));
}

static void claim_system_ram(struct kunit *test, u64 start, u64 size)
{
	struct resource *res = request_mem_region(start, size, "System RAM (fake)");

	KUNIT_ASSERT_NOT_NULL(test, res);
	res->flags |= IORESOURCE_SYSRAM;
}

/*
 *	| System RAM | hole |
 *
 * as boot memory has it; what is in a hole cannot be onlined again.
 */
static void offline_of_range_with_hole_is_refused(struct kunit *test)
{
	struct fake_range range = online_blocks(test, 2, ZONE_MOVABLE);
	struct zone_counters before;
	int err;

	zone_counters_take(&before);
	release_mem_region(range.start, range.size);
	claim_system_ram(test, range.start, range.size / 2);
	/* The validator would miss the other half. */
	mem_hotplug_begin();
	err = offline_pages(range.pfn, range.nr_pages, fake_zone(ZONE_MOVABLE), NULL);
	mem_hotplug_done();
	release_mem_region(range.start, range.size / 2);
	claim_system_ram(test, range.start, range.size);
	KUNIT_ASSERT_EQ(test, err, -EINVAL);
	zone_counters_expect(test, &before);
	pageblocks_expect_usable(test, range.pfn, range.nr_pages);
	KUNIT_EXPECT_EQ(test, fake_offline_pages(test, range.pfn, range.nr_pages), 0);
}

/* The last memory of a zone takes the zone out of the zone lists. */
static void offline_of_last_block_empties_zone(struct kunit *test)
{
	struct zone *zone = fake_zone(ZONE_MOVABLE);
	struct fake_range range;
	struct page *page;

	if (populated_zone(zone))
		kunit_skip(test, "boot memory has a ZONE_MOVABLE already");
	range = online_blocks(test, 1, ZONE_MOVABLE);
	KUNIT_EXPECT_TRUE(test, populated_zone(zone));
	KUNIT_ASSERT_EQ(test, fake_offline_pages(test, range.pfn, range.nr_pages), 0);
	KUNIT_EXPECT_FALSE(test, populated_zone(zone));
	KUNIT_EXPECT_EQ(test, zone_page_state(zone, NR_FREE_PAGES), 0);

	page = alloc_page(GFP_HIGHUSER_MOVABLE);
	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_PTR_NE(test, page_zone(page), zone);
	__free_page(page);
}

static struct kunit_case offline_cases[] = {
	KUNIT_CASE_PARAM(offline_migrates_movable_pages, targets_gen_params),
	KUNIT_CASE(offline_many_times_loses_nothing),
	KUNIT_CASE_PARAM(offline_with_busy_page_is_refused, positions_gen_params),
	KUNIT_CASE(offline_with_compound_page_is_refused),
	KUNIT_CASE(offline_block_with_busy_pageblock_is_refused),
	KUNIT_CASE_PARAM(offline_of_partly_isolated_range_is_refused, isolations_gen_params),
	KUNIT_CASE_PARAM(offline_blocks_in_any_order, permutations_gen_params),
	KUNIT_CASE(offline_block_twice_returns_one),
	KUNIT_CASE(offline_of_range_with_hole_is_refused),
	KUNIT_CASE(offline_of_last_block_empties_zone),
	{}
};

static struct kunit_suite offline_suite = {
	.name = "mhp_offline",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = offline_cases,
};

kunit_test_suite(offline_suite);
