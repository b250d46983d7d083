// SPDX-License-Identifier: GPL-2.0
/*
 * How zones grow and shrink as memory goes online and offline.
 *
 * In the drawings # is an online memory block, and . is one that is not.
 */

#include <linux/memory_hotplug.h>
#include <linux/mm.h>

#include "fake_section.h"

#define NR_BLOCKS	5

struct step {
	int online;	/* block to online, or -1 */
	int offline;	/* block to offline, or -1 */
	int first;	/* then the zone's first block, or -1 if it is empty */
	int last;	/* and its last one */
};

#define ON(nth, first, last)	{ nth, -1, first, last }
#define OFF(nth, first, last)	{ -1, nth, first, last }

struct steps {
	const char *desc;
	struct step step[12];
	unsigned int nr;
};

#define STEPS(name, ...) {						\
	.desc = name,							\
	.step = { __VA_ARGS__ },					\
	.nr = sizeof((const struct step []){ __VA_ARGS__ }) / sizeof(struct step), \
}

static const struct steps all_steps[] = {
	/* #....  ##...  ###..  ##...  #.... */
	STEPS("up and down at the end",
	      ON(0, 0, 0), ON(1, 0, 1), ON(2, 0, 2), OFF(2, 0, 1), OFF(1, 0, 0)),
	/* ....#  ...##  ..###  ...##  ....# */
	STEPS("up and down at the beginning",
	      ON(4, 4, 4), ON(3, 3, 4), ON(2, 2, 4), OFF(2, 3, 4), OFF(3, 4, 4)),
	/* ..#..  ..#.#  #.#.#  ..#.#  ..#.. */
	STEPS("gaps on both sides",
	      ON(2, 2, 2), ON(4, 2, 4), ON(0, 0, 4), OFF(0, 2, 4), OFF(4, 2, 2)),
	/* #.#.#  #...#  ....# */
	STEPS("a hole in the middle does not shrink it",
	      ON(0, 0, 0), ON(2, 0, 2), ON(4, 0, 4), OFF(2, 0, 4), OFF(0, 4, 4)),
	/* ###..  #.#..  ..#.. */
	STEPS("over a gap to the next",
	      ON(0, 0, 0), ON(1, 0, 1), ON(2, 0, 2), OFF(1, 0, 2), OFF(0, 2, 2)),
	/* ..###  ..#.#  ..#.. */
	STEPS("over a gap to the one before",
	      ON(2, 2, 2), ON(3, 2, 3), ON(4, 2, 4), OFF(3, 2, 4), OFF(4, 2, 2)),
	/* #...#  ....#  .#..#  .#... */
	STEPS("from one end to the other",
	      ON(0, 0, 0), ON(4, 0, 4), OFF(0, 4, 4), ON(1, 1, 4), OFF(4, 1, 1)),
	/* .#...  .....  ...#.  ..... */
	STEPS("empty in between",
	      ON(1, 1, 1), OFF(1, -1, -1), ON(3, 3, 3), OFF(3, -1, -1)),
};

KUNIT_ARRAY_PARAM_DESC(all_steps, all_steps, desc);

static void expect_span(struct kunit *test, struct zone *zone, struct fake_range range,
			const struct step *step, unsigned int nth)
{
	unsigned long block = range.nr_pages / range.nr_blocks;
	unsigned long start = 0, spanned = 0;

	if (step->first >= 0) {
		start = range.pfn + step->first * block;
		spanned = (step->last - step->first + 1) * block;
	}
	KUNIT_EXPECT_EQ_MSG(test, zone->zone_start_pfn, start, "step %u", nth);
	KUNIT_EXPECT_EQ_MSG(test, zone->spanned_pages, spanned, "step %u", nth);
}

/* ZONE_MOVABLE, which has nothing but what the steps put into it. */
static void movable_zone_spans_its_memory(struct kunit *test)
{
	const struct steps *steps = test->param_value;
	struct fake_range range = fake_range(test, NR_BLOCKS);
	struct zone *zone = fake_zone(ZONE_MOVABLE);
	unsigned int i, nr_online = 0;

	if (zone->spanned_pages)
		kunit_skip(test, "boot memory has a ZONE_MOVABLE already");
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	for (i = 0; i < steps->nr; i++) {
		const struct step *step = &steps->step[i];
		bool online = step->online >= 0;
		struct fake_range block = fake_block(test, range, online ? step->online :
								  step->offline);

		if (online)
			KUNIT_ASSERT_EQ(test, fake_online(test, block, MMOP_ONLINE_MOVABLE), 0);
		else
			KUNIT_ASSERT_EQ(test, fake_offline(test, block), 0);
		nr_online += online ? 1 : -1;
		expect_span(test, zone, range, step, i);
		KUNIT_EXPECT_EQ(test, zone->present_pages, nr_online * block.nr_pages);
	}
}

/* ZONE_NORMAL, of which boot memory is the beginning that stays. */
static void normal_zone_spans_its_memory(struct kunit *test)
{
	struct fake_range range = fake_range(test, 3);
	struct zone *zone = fake_zone(ZONE_NORMAL);
	unsigned long start = zone->zone_start_pfn;
	unsigned long end = zone_end_pfn(zone);
	unsigned long block = range.nr_pages / 3;

	KUNIT_ASSERT_LE(test, end, range.pfn);
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, zone_end_pfn(zone), range.pfn + 3 * block);
	KUNIT_ASSERT_EQ(test, fake_offline(test, fake_block(test, range, 1)), 0);
	KUNIT_EXPECT_EQ(test, zone_end_pfn(zone), range.pfn + 3 * block);
	KUNIT_ASSERT_EQ(test, fake_offline(test, fake_block(test, range, 2)), 0);
	KUNIT_EXPECT_EQ(test, zone_end_pfn(zone), range.pfn + block);
	KUNIT_ASSERT_EQ(test, fake_offline(test, fake_block(test, range, 0)), 0);
	/* A zone shrinks by sub-sections, boot memory may end within one. */
	KUNIT_EXPECT_EQ(test, zone_end_pfn(zone),
			ALIGN(end, PAGES_PER_SUBSECTION));
	KUNIT_EXPECT_EQ(test, zone->zone_start_pfn, start);
}

/* ZONE_DEVICE keeps what it has spanned once, and the node spans that as well. */
static unsigned long node_end(unsigned long pfn)
{
#ifdef CONFIG_ZONE_DEVICE
	return max(pfn, zone_end_pfn(fake_zone(ZONE_DEVICE)));
#else
	return pfn;
#endif
}

/* The node spans all that its zones span. */
static void node_spans_its_zones(struct kunit *test)
{
	struct pglist_data *pgdat = NODE_DATA(0);
	struct fake_range range = fake_range(test, 3);
	unsigned long start = pgdat->node_start_pfn;
	unsigned long end = pgdat_end_pfn(pgdat);

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, fake_block(test, range, 0),
					  MMOP_ONLINE_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, pgdat_end_pfn(pgdat),
			node_end(range.pfn + range.nr_pages / 3));
	KUNIT_ASSERT_EQ(test, fake_online(test, fake_block(test, range, 2),
					  MMOP_ONLINE_MOVABLE), 0);
	KUNIT_EXPECT_EQ(test, pgdat_end_pfn(pgdat), node_end(range.pfn + range.nr_pages));
	KUNIT_ASSERT_EQ(test, fake_offline(test, fake_block(test, range, 2)), 0);
	KUNIT_EXPECT_EQ(test, pgdat_end_pfn(pgdat),
			node_end(range.pfn + range.nr_pages / 3));
	KUNIT_ASSERT_EQ(test, fake_offline(test, fake_block(test, range, 0)), 0);
	KUNIT_EXPECT_EQ(test, pgdat_end_pfn(pgdat),
			ALIGN(end, PAGES_PER_SUBSECTION));
	KUNIT_EXPECT_EQ(test, pgdat->node_start_pfn, start);
}

/*
 *	###.  contiguous: pfn_to_page() needs no check within the zone
 *	#.#.  not
 *
 * Onlining cannot tell yet, as the new pages are not online when it looks, and
 * so it says no.
 */
static void zone_with_hole_is_not_contiguous(struct kunit *test)
{
	struct fake_range range = fake_range(test, 4);
	struct fake_range hole = fake_block(test, range, 1);
	struct zone *zone = fake_zone(ZONE_MOVABLE);

	if (zone->spanned_pages)
		kunit_skip(test, "boot memory has a ZONE_MOVABLE already");
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_MOVABLE), 0);
	KUNIT_ASSERT_EQ(test, fake_offline(test, fake_block(test, range, 3)), 0);
	KUNIT_EXPECT_TRUE(test, zone->contiguous);
	KUNIT_ASSERT_EQ(test, fake_offline(test, hole), 0);
	KUNIT_EXPECT_FALSE(test, zone->contiguous);

	/* Memory of another zone is as good as a hole. */
	KUNIT_ASSERT_EQ(test, fake_online(test, hole, MMOP_ONLINE_KERNEL), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, fake_block(test, range, 3),
					  MMOP_ONLINE_MOVABLE), 0);
	KUNIT_ASSERT_EQ(test, fake_offline(test, fake_block(test, range, 3)), 0);
	KUNIT_EXPECT_FALSE(test, zone->contiguous);
}

/* Memory that no zone spans goes to a kernel zone when nothing is asked for. */
static void default_zone_of_new_memory_is_normal(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE), 0);
	KUNIT_EXPECT_PTR_EQ(test, page_zone(pfn_to_page(range.pfn)), fake_zone(ZONE_NORMAL));
}

/*
 *	#.#  the block between two movable ones is within ZONE_MOVABLE's span
 */
static void default_zone_within_movable_zone_is_movable(struct kunit *test)
{
	struct fake_range range = fake_range(test, 3);
	struct fake_range middle = fake_block(test, range, 1);
	struct zone *zone = fake_zone(ZONE_MOVABLE);

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, fake_block(test, range, 0),
					  MMOP_ONLINE_MOVABLE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, fake_block(test, range, 2),
					  MMOP_ONLINE_MOVABLE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, middle, MMOP_ONLINE), 0);
	KUNIT_EXPECT_PTR_EQ(test, page_zone(pfn_to_page(middle.pfn)), zone);

	/* But it can be overruled, and the zones overlap then. */
	KUNIT_ASSERT_EQ(test, fake_offline(test, middle), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, middle, MMOP_ONLINE_KERNEL), 0);
	KUNIT_EXPECT_PTR_EQ(test, page_zone(pfn_to_page(middle.pfn)), fake_zone(ZONE_NORMAL));
	KUNIT_EXPECT_TRUE(test, zone_spans_pfn(zone, middle.pfn));
}

/*
 *	N#N  ZONE_NORMAL shrinks past a block of ZONE_MOVABLE
 */
static void normal_zone_shrinks_past_movable_memory(struct kunit *test)
{
	struct fake_range range = fake_range(test, 3);
	struct fake_range last = fake_block(test, range, 2);
	struct zone *zone = fake_zone(ZONE_NORMAL);

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, fake_block(test, range, 0),
					  MMOP_ONLINE_KERNEL), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, last, MMOP_ONLINE_KERNEL), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, fake_block(test, range, 1),
					  MMOP_ONLINE_MOVABLE), 0);
	KUNIT_EXPECT_EQ(test, zone_end_pfn(zone), last.pfn + last.nr_pages);
	KUNIT_ASSERT_EQ(test, fake_offline(test, last), 0);
	KUNIT_EXPECT_EQ(test, zone_end_pfn(zone), range.pfn + last.nr_pages);
}

static struct kunit_case zone_span_cases[] = {
	KUNIT_CASE_PARAM(movable_zone_spans_its_memory, all_steps_gen_params),
	KUNIT_CASE(normal_zone_spans_its_memory),
	KUNIT_CASE(normal_zone_shrinks_past_movable_memory),
	KUNIT_CASE(node_spans_its_zones),
	KUNIT_CASE(zone_with_hole_is_not_contiguous),
	KUNIT_CASE(default_zone_of_new_memory_is_normal),
	KUNIT_CASE(default_zone_within_movable_zone_is_movable),
	{}
};

static struct kunit_suite zone_span_suite = {
	.name = "mhp_zone_span",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = zone_span_cases,
};

kunit_test_suite(zone_span_suite);
