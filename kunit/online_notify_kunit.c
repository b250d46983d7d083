// SPDX-License-Identifier: GPL-2.0
/*
 * Notifications while memory is onlined, and vetoes of them.
 *
 * Three listeners stand in a row in most cases:
 *
 *	first	is told before the veto
 *	vetoer	refuses
 *	last	is not told any more of what was refused
 */

#include <linux/memory_hotplug.h>
#include <linux/mm.h>

#include "fake_section.h"
#include "listener.h"
#include "zone_counters.h"

#define PRESENT	(SECTION_MARKED_PRESENT | SECTION_HAS_MEM_MAP)

struct row {
	struct listener *first;
	struct listener *vetoer;
	struct listener *last;
};

static struct row listen(struct kunit *test, unsigned long veto, int err)
{
	struct row row = {
		.last = listener_add(test, -10),
		.vetoer = listener_add(test, 0),
		.first = listener_add(test, 10),
	};

	row.vetoer->veto = veto;
	row.vetoer->err = err;
	return row;
}

static void expect_offline(struct kunit *test, struct fake_range range)
{
	unsigned long pfn, flags;

	for (pfn = range.pfn; pfn < range.pfn + range.nr_pages; pfn += PAGES_PER_SECTION) {
		flags = __pfn_to_section(pfn)->section_mem_map & ~SECTION_MAP_MASK;
		KUNIT_EXPECT_EQ(test, flags, PRESENT);
		if (IS_ENABLED(CONFIG_DEBUG_VM))
			KUNIT_EXPECT_TRUE(test, PagePoisoned(pfn_to_page(pfn)));
	}
}

static void online_pages_notifies(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);
	struct listener *l = listener_add(test, 0);

	KUNIT_ASSERT_EQ(test, fake_plug(test, range, NULL), 0);
	LISTENER_EXPECT(test, l);
	KUNIT_ASSERT_EQ(test, fake_online_pages(test, range.pfn, range.nr_pages,
						ZONE_MOVABLE), 0);
	LISTENER_EXPECT(test, l, MEM_GOING_ONLINE, MEM_ONLINE);
	listener_expect_arguments(test, l, range.pfn, range.nr_pages);
}

static void online_block_notifies(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	struct listener *l = listener_add(test, 0);

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	LISTENER_EXPECT(test, l);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE), 0);
	LISTENER_EXPECT(test, l, MEM_PREPARE_ONLINE, MEM_GOING_ONLINE, MEM_ONLINE);
	listener_expect_arguments(test, l, range.pfn, range.nr_pages);
	KUNIT_EXPECT_EQ(test, l->events[0].arg.altmap_start_pfn, range.pfn);
	KUNIT_EXPECT_EQ(test, l->events[0].arg.altmap_nr_pages, 0);
}

/* When a listener is told: before the pages can be used, and after. */
struct moment {
	unsigned long pfn;
	bool online[2];
	unsigned int nr;
};

static void note_moment(struct listener *l, unsigned long action)
{
	struct moment *m = l->private;

	if (m->nr < ARRAY_SIZE(m->online))
		m->online[m->nr] = pfn_to_online_page(m->pfn);
	m->nr++;
}

static void online_pages_notifies_before_and_after(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	struct listener *l = listener_add(test, 0);
	struct moment moment = { .pfn = range.pfn };

	KUNIT_ASSERT_EQ(test, fake_plug(test, range, NULL), 0);
	l->private = &moment;
	l->on_event = note_moment;
	KUNIT_EXPECT_EQ(test, fake_online_pages(test, range.pfn, range.nr_pages,
						ZONE_NORMAL), 0);
	listener_remove(test, l);
	KUNIT_EXPECT_EQ(test, moment.nr, 2);
	KUNIT_EXPECT_FALSE(test, moment.online[0]);
	KUNIT_EXPECT_TRUE(test, moment.online[1]);
}

struct errors {
	const char *desc;
	int err;
};

static const struct errors errors[] = {
	{ "EPERM", -EPERM },
	{ "ENOMEM", -ENOMEM },
	{ "EBUSY", -EBUSY },
};

KUNIT_ARRAY_PARAM_DESC(errors, errors, desc);

/* The listener's error is the one that online_pages() returns. */
static void veto_of_going_online_cancels(struct kunit *test)
{
	const struct errors *error = test->param_value;
	struct fake_range range = fake_range(test, 2);
	struct zone_counters before;
	struct row row;

	KUNIT_ASSERT_EQ(test, fake_plug(test, range, NULL), 0);
	zone_counters_take(&before);
	row = listen(test, MEM_GOING_ONLINE, error->err);
	KUNIT_EXPECT_EQ(test, fake_online_pages(test, range.pfn, range.nr_pages,
						ZONE_MOVABLE), error->err);
	LISTENER_EXPECT(test, row.first, MEM_GOING_ONLINE, MEM_CANCEL_ONLINE);
	LISTENER_EXPECT(test, row.vetoer, MEM_GOING_ONLINE, MEM_CANCEL_ONLINE);
	LISTENER_EXPECT(test, row.last, MEM_CANCEL_ONLINE);
	listener_expect_arguments(test, row.first, range.pfn, range.nr_pages);
	listener_expect_arguments(test, row.last, range.pfn, range.nr_pages);
	zone_counters_expect(test, &before);
	expect_offline(test, range);
}

/* In ZONE_NORMAL, which has other memory, and which has to shrink again. */
static void veto_of_going_online_to_normal_zone_cancels(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);
	struct zone_counters before;

	KUNIT_ASSERT_EQ(test, fake_plug(test, range, NULL), 0);
	zone_counters_take(&before);
	listen(test, MEM_GOING_ONLINE, -EPERM);
	KUNIT_EXPECT_EQ(test, fake_online_pages(test, range.pfn, range.nr_pages,
						ZONE_NORMAL), -EPERM);
	zone_counters_expect(test, &before);
	expect_offline(test, range);
}

static void online_after_veto_succeeds(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	struct row row;

	KUNIT_ASSERT_EQ(test, fake_plug(test, range, NULL), 0);
	row = listen(test, MEM_GOING_ONLINE, -EPERM);
	KUNIT_EXPECT_EQ(test, fake_online_pages(test, range.pfn, range.nr_pages,
						ZONE_MOVABLE), -EPERM);
	listener_remove(test, row.vetoer);
	KUNIT_EXPECT_EQ(test, fake_online_pages(test, range.pfn, range.nr_pages,
						ZONE_NORMAL), 0);
	LISTENER_EXPECT(test, row.first, MEM_GOING_ONLINE, MEM_CANCEL_ONLINE,
			MEM_GOING_ONLINE, MEM_ONLINE);
}

/* Nothing was begun, so there is nothing to cancel. */
static void veto_of_prepare_online_ends_it(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	struct zone_counters before;
	struct row row;

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	zone_counters_take(&before);
	row = listen(test, MEM_PREPARE_ONLINE, -EPERM);
	KUNIT_EXPECT_EQ(test, fake_online(test, range, MMOP_ONLINE), -EPERM);
	KUNIT_EXPECT_FALSE(test, fake_is_online(range));
	LISTENER_EXPECT(test, row.first, MEM_PREPARE_ONLINE);
	LISTENER_EXPECT(test, row.vetoer, MEM_PREPARE_ONLINE);
	LISTENER_EXPECT(test, row.last);
	zone_counters_expect(test, &before);
	expect_offline(test, range);
}

/* What was prepared is finished. */
static void veto_of_going_online_finishes_block(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	struct zone_counters before;
	struct row row;

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	zone_counters_take(&before);
	row = listen(test, MEM_GOING_ONLINE, -EPERM);
	KUNIT_EXPECT_EQ(test, fake_online(test, range, MMOP_ONLINE_MOVABLE), -EPERM);
	KUNIT_EXPECT_FALSE(test, fake_is_online(range));
	LISTENER_EXPECT(test, row.first, MEM_PREPARE_ONLINE, MEM_GOING_ONLINE,
			MEM_CANCEL_ONLINE, MEM_FINISH_OFFLINE);
	LISTENER_EXPECT(test, row.vetoer, MEM_PREPARE_ONLINE, MEM_GOING_ONLINE,
			MEM_CANCEL_ONLINE, MEM_FINISH_OFFLINE);
	LISTENER_EXPECT(test, row.last, MEM_PREPARE_ONLINE, MEM_CANCEL_ONLINE,
			MEM_FINISH_OFFLINE);
	listener_expect_arguments(test, row.last, range.pfn, range.nr_pages);
	zone_counters_expect(test, &before);
	expect_offline(test, range);
}

/*
 *	| onlined | vetoed | not reached |
 */
static void veto_of_second_block_leaves_first_online(struct kunit *test)
{
	struct fake_range range = fake_range(test, 3);
	struct row row;

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, fake_block(test, range, 0),
					  MMOP_ONLINE_MOVABLE), 0);
	row = listen(test, MEM_GOING_ONLINE, -EPERM);
	KUNIT_EXPECT_EQ(test, fake_online(test, fake_block(test, range, 1),
					  MMOP_ONLINE_MOVABLE), -EPERM);
	KUNIT_EXPECT_TRUE(test, fake_is_online(fake_block(test, range, 0)));
	KUNIT_EXPECT_FALSE(test, fake_is_online(fake_block(test, range, 1)));
	KUNIT_EXPECT_EQ(test, fake_zone(ZONE_MOVABLE)->nr_isolate_pageblock, 0);
	listener_remove(test, row.vetoer);
	KUNIT_EXPECT_EQ(test, fake_online(test, fake_block(test, range, 2),
					  MMOP_ONLINE_MOVABLE), 0);
}

/* It is online by then: the refusal comes too late. */
static void veto_of_online_is_ignored(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	struct row row;

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	row = listen(test, MEM_ONLINE, -EPERM);
	KUNIT_EXPECT_EQ(test, fake_online(test, range, MMOP_ONLINE), 0);
	KUNIT_EXPECT_TRUE(test, fake_is_online(range));
	LISTENER_EXPECT(test, row.first, MEM_PREPARE_ONLINE, MEM_GOING_ONLINE, MEM_ONLINE);
	LISTENER_EXPECT(test, row.last, MEM_PREPARE_ONLINE, MEM_GOING_ONLINE);
}

static struct kunit_case online_notify_cases[] = {
	KUNIT_CASE(online_pages_notifies),
	KUNIT_CASE(online_block_notifies),
	KUNIT_CASE(online_pages_notifies_before_and_after),
	KUNIT_CASE_PARAM(veto_of_going_online_cancels, errors_gen_params),
	KUNIT_CASE(veto_of_going_online_to_normal_zone_cancels),
	KUNIT_CASE(online_after_veto_succeeds),
	KUNIT_CASE(veto_of_prepare_online_ends_it),
	KUNIT_CASE(veto_of_going_online_finishes_block),
	KUNIT_CASE(veto_of_second_block_leaves_first_online),
	KUNIT_CASE(veto_of_online_is_ignored),
	{}
};

static struct kunit_suite online_notify_suite = {
	.name = "mhp_online_notify",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = online_notify_cases,
};

kunit_test_suite(online_notify_suite);
