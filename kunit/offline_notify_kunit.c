// SPDX-License-Identifier: GPL-2.0
/*
 * Offlining that somebody else has a say in: notifications and vetoes, drivers
 * that own pages, and signals.
 */

#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/page-isolation.h>
#include <linux/sched/signal.h>
#include <linux/workqueue.h>

#include "contents.h"
#include "fake_section.h"
#include "listener.h"
#include "mhp_validate.h"
#include "zone_counters.h"

#define NR_CONTENTS	16

static struct fake_range online_in(struct kunit *test, unsigned int nr, enum zone_type zone)
{
	struct fake_range range = fake_range(test, nr);

	KUNIT_ASSERT_EQ(test, fake_plug(test, range, NULL), 0);
	KUNIT_ASSERT_EQ(test, fake_online_pages(test, range.pfn, range.nr_pages, zone), 0);
	return range;
}

static struct fake_range online_movable(struct kunit *test, unsigned int nr)
{
	return online_in(test, nr, ZONE_MOVABLE);
}

static struct contents *fill(struct kunit *test, struct fake_range range)
{
	return contents_fill(test, range.pfn, range.nr_pages / NR_CONTENTS, NR_CONTENTS);
}

static void offline_pages_notifies(struct kunit *test)
{
	struct fake_range range = online_movable(test, 2);
	struct listener *l = listener_add(test, 0);

	KUNIT_ASSERT_EQ(test, fake_offline_pages(test, range.pfn, range.nr_pages), 0);
	LISTENER_EXPECT(test, l, MEM_GOING_OFFLINE, MEM_OFFLINE);
	listener_expect_arguments(test, l, range.pfn, range.nr_pages);
}

static void offline_block_notifies(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	struct listener *l;

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE), 0);
	l = listener_add(test, 0);
	KUNIT_ASSERT_EQ(test, fake_offline(test, range), 0);
	LISTENER_EXPECT(test, l, MEM_GOING_OFFLINE, MEM_OFFLINE, MEM_FINISH_OFFLINE);
	listener_expect_arguments(test, l, range.pfn, range.nr_pages);
	KUNIT_EXPECT_EQ(test, l->events[2].arg.altmap_start_pfn, range.pfn);
	KUNIT_EXPECT_EQ(test, l->events[2].arg.altmap_nr_pages, 0);
}

/* Isolated when they go, and gone when all are told. */
struct moment {
	struct kunit *test;
	unsigned long pfn;
};

static void expect_moment(struct listener *l, unsigned long action)
{
	struct moment *m = l->private;
	struct page *page = pfn_to_online_page(m->pfn);

	if (action == MEM_GOING_OFFLINE) {
		KUNIT_EXPECT_NOT_NULL(m->test, page);
		if (page)
			KUNIT_EXPECT_TRUE(m->test, is_migrate_isolate_page(page));
	} else {
		KUNIT_EXPECT_NULL(m->test, page);
	}
}

static void offline_pages_notifies_before_and_after(struct kunit *test)
{
	struct fake_range range = online_movable(test, 1);
	struct listener *l = listener_add(test, 0);
	struct moment moment = { .test = test, .pfn = range.pfn };

	l->private = &moment;
	l->on_event = expect_moment;
	KUNIT_EXPECT_EQ(test, fake_offline_pages(test, range.pfn, range.nr_pages), 0);
	listener_remove(test, l);
	KUNIT_EXPECT_EQ(test, l->nr_events, 2);
}

/* All are told of the cancellation, also whom the veto kept from being asked. */
static void veto_of_going_offline_cancels(struct kunit *test)
{
	struct fake_range range = online_movable(test, 2);
	struct contents *contents = fill(test, range);
	struct listener *last = listener_add(test, -10);
	struct listener *vetoer = listener_add(test, 0);
	struct listener *first = listener_add(test, 10);
	struct zone_counters before;

	vetoer->veto = MEM_GOING_OFFLINE;
	vetoer->err = -EPERM;
	zone_counters_take(&before);
	KUNIT_EXPECT_EQ(test, fake_offline_pages(test, range.pfn, range.nr_pages), -EPERM);
	LISTENER_EXPECT(test, first, MEM_GOING_OFFLINE, MEM_CANCEL_OFFLINE);
	LISTENER_EXPECT(test, vetoer, MEM_GOING_OFFLINE, MEM_CANCEL_OFFLINE);
	LISTENER_EXPECT(test, last, MEM_CANCEL_OFFLINE);
	listener_expect_arguments(test, first, range.pfn, range.nr_pages);
	listener_expect_arguments(test, last, range.pfn, range.nr_pages);
	zone_counters_expect(test, &before);
	pageblocks_expect_usable(test, range.pfn, range.nr_pages);
	KUNIT_EXPECT_EQ(test, contents_nr_within(contents, range.pfn, range.nr_pages),
			NR_CONTENTS);
	contents_expect_intact(test, contents);

	listener_remove(test, vetoer);
	KUNIT_EXPECT_EQ(test, fake_offline_pages(test, range.pfn, range.nr_pages), 0);
	contents_expect_intact(test, contents);
}

static void veto_of_going_offline_keeps_block_online(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	struct zone_counters before;
	struct listener *l;

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE), 0);
	l = listener_add(test, 0);
	l->veto = MEM_GOING_OFFLINE;
	l->err = -EAGAIN;
	zone_counters_take(&before);
	KUNIT_EXPECT_EQ(test, fake_offline(test, range), -EAGAIN);
	KUNIT_EXPECT_TRUE(test, fake_is_online(range));
	LISTENER_EXPECT(test, l, MEM_GOING_OFFLINE, MEM_CANCEL_OFFLINE);
	zone_counters_expect(test, &before);
	pageblocks_expect_usable(test, range.pfn, range.nr_pages);
}

/* They are offline by then: the refusal comes too late. */
static void veto_of_offline_is_ignored(struct kunit *test)
{
	struct fake_range range = online_movable(test, 1);
	struct listener *l = listener_add(test, 0);

	l->veto = MEM_OFFLINE;
	l->err = -EPERM;
	KUNIT_EXPECT_EQ(test, fake_offline_pages(test, range.pfn, range.nr_pages), 0);
	KUNIT_EXPECT_NULL(test, pfn_to_online_page(range.pfn));
}

/*
 * Pages that a driver has taken from the page allocator and given back to a
 * hypervisor, say.  They are PageOffline() and not managed.  When asked, the
 * driver may agree by dropping its references.
 */
struct inflated {
	unsigned long pfn;
	unsigned long nr_pages;
	bool agree;
	bool gone;
};

static void inflate(struct inflated *in)
{
	unsigned long i;

	for (i = 0; i < in->nr_pages; i++)
		__SetPageOffline(pfn_to_page(in->pfn + i));
	adjust_managed_page_count(pfn_to_page(in->pfn), -in->nr_pages);
}

static void deflate(void *arg)
{
	struct inflated *in = arg;
	unsigned long i;

	if (in->gone)
		return;
	for (i = 0; i < in->nr_pages; i++)
		__ClearPageOffline(pfn_to_page(in->pfn + i));
	adjust_managed_page_count(pfn_to_page(in->pfn), in->nr_pages);
	free_contig_range(in->pfn, in->nr_pages);
}

static void driver_is_told(struct listener *l, unsigned long action)
{
	struct inflated *in = l->private;
	unsigned long i;

	for (i = 0; in->agree && i < in->nr_pages; i++) {
		if (action == MEM_GOING_OFFLINE)
			page_ref_dec(pfn_to_page(in->pfn + i));
		else if (action == MEM_CANCEL_OFFLINE)
			page_ref_inc(pfn_to_page(in->pfn + i));
		else if (action == MEM_OFFLINE)
			in->gone = true;
	}
}

static struct inflated *inflate_middle(struct kunit *test, struct fake_range range, bool agree)
{
	struct inflated *in = kunit_kzalloc(test, sizeof(*in), GFP_KERNEL);
	struct listener *l = listener_add(test, 10);

	KUNIT_ASSERT_NOT_NULL(test, in);
	in->pfn = range.pfn + range.nr_pages / 2;
	in->nr_pages = 4;
	in->agree = agree;
	KUNIT_ASSERT_EQ(test, alloc_contig_range(in->pfn, in->pfn + in->nr_pages,
						 MIGRATE_MOVABLE, GFP_KERNEL), 0);
	inflate(in);
	fake_add_action(test, deflate, in);
	l->private = in;
	l->on_event = driver_is_told;
	return in;
}

/* They are skipped, and not counted as managed pages that went. */
static void offline_skips_pages_driver_gives_up(struct kunit *test)
{
	struct zone *zone = fake_zone(ZONE_MOVABLE);
	unsigned long managed = zone_managed_pages(zone);
	struct fake_range range = online_movable(test, 1);
	struct inflated *in = inflate_middle(test, range, true);

	KUNIT_EXPECT_EQ(test, zone_managed_pages(zone),
			managed + range.nr_pages - in->nr_pages);
	KUNIT_EXPECT_EQ(test, fake_offline_pages(test, range.pfn, range.nr_pages), 0);
	KUNIT_EXPECT_TRUE(test, in->gone);
	KUNIT_EXPECT_EQ(test, zone_managed_pages(zone), managed);
}

/* In ZONE_NORMAL they are in the way of isolation, too, which comes before the driver is asked. */
static void offline_isolates_pages_of_driver_in_kernel_zone(struct kunit *test)
{
	struct fake_range range = online_in(test, 1, ZONE_NORMAL);
	struct inflated *in = inflate_middle(test, range, true);

	KUNIT_EXPECT_EQ(test, fake_offline_pages(test, range.pfn, range.nr_pages), 0);
	KUNIT_EXPECT_TRUE(test, in->gone);
}

static void offline_is_refused_when_driver_keeps_pages(struct kunit *test)
{
	struct fake_range range = online_movable(test, 1);
	struct contents *contents = contents_fill(test, range.pfn, 1, NR_CONTENTS);
	struct zone_counters before;
	struct listener *l;

	inflate_middle(test, range, false);
	l = listener_add(test, 0);
	zone_counters_take(&before);
	KUNIT_EXPECT_EQ(test, fake_offline_pages(test, range.pfn, range.nr_pages), -EBUSY);
	LISTENER_EXPECT(test, l, MEM_GOING_OFFLINE, MEM_CANCEL_OFFLINE);
	zone_counters_expect(test, &before);
	pageblocks_expect_usable(test, range.pfn, range.nr_pages);
	contents_expect_intact(test, contents);
}

/* The driver agrees, another one vetoes: the driver has to get its pages back. */
static void veto_after_driver_gave_up_pages_cancels(struct kunit *test)
{
	struct fake_range range = online_movable(test, 1);
	struct inflated *in = inflate_middle(test, range, true);
	struct listener *vetoer = listener_add(test, 0);
	struct zone_counters before;

	vetoer->veto = MEM_GOING_OFFLINE;
	vetoer->err = -EPERM;
	zone_counters_take(&before);
	KUNIT_EXPECT_EQ(test, fake_offline_pages(test, range.pfn, range.nr_pages), -EPERM);
	KUNIT_EXPECT_FALSE(test, in->gone);
	KUNIT_EXPECT_EQ(test, page_count(pfn_to_page(in->pfn)), 1);
	zone_counters_expect(test, &before);
	pageblocks_expect_usable(test, range.pfn, range.nr_pages);
}

/* A kernel thread ignores signals until it allows them. */
static void quiet(void *unused)
{
	flush_signals(current);
	disallow_signal(SIGUSR1);
}

static void offline_with_signal_pending_is_interrupted(struct kunit *test)
{
	struct fake_range range = online_movable(test, 2);
	struct contents *contents = fill(test, range);
	struct listener *l = listener_add(test, 0);
	struct zone_counters before;
	int err;

	zone_counters_take(&before);
	allow_signal(SIGUSR1);
	send_sig(SIGUSR1, current, 1);
	mem_hotplug_begin();
	err = offline_pages(range.pfn, range.nr_pages, fake_zone(ZONE_MOVABLE), NULL);
	mem_hotplug_done();
	quiet(NULL);
	mhp_validate(test, "interrupted offline_pages");

	KUNIT_EXPECT_EQ(test, err, -EINTR);
	LISTENER_EXPECT(test, l, MEM_GOING_OFFLINE, MEM_CANCEL_OFFLINE);
	listener_expect_arguments(test, l, range.pfn, range.nr_pages);
	zone_counters_expect(test, &before);
	pageblocks_expect_usable(test, range.pfn, range.nr_pages);
	KUNIT_EXPECT_EQ(test, contents_nr_within(contents, range.pfn, range.nr_pages),
			NR_CONTENTS);
	contents_expect_intact(test, contents);
	KUNIT_EXPECT_EQ(test, fake_offline_pages(test, range.pfn, range.nr_pages), 0);
	contents_expect_intact(test, contents);
}

/*
 * Something that happens while offline_pages() waits for a page: at the next
 * tick after all were told that the pages are going offline.
 */
struct later {
	struct delayed_work work;
	bool started;
	struct kunit *test;
	struct task_struct *task;
	struct held *held;
	struct page *pinned;
};

static void send_signal_later(struct work_struct *work)
{
	struct later *later = container_of(to_delayed_work(work), struct later, work);

	send_sig(SIGUSR1, later->task, 1);
}

static void release_later(struct work_struct *work)
{
	struct later *later = container_of(to_delayed_work(work), struct later, work);

	contents_release(later->test, later->held);
}

static void unpin_later(struct work_struct *work)
{
	struct later *later = container_of(to_delayed_work(work), struct later, work);

	put_page(later->pinned);
}

static void start_later(struct listener *l, unsigned long action)
{
	struct later *later = l->private;

	if (action != MEM_GOING_OFFLINE)
		return;
	later->started = true;
	queue_delayed_work(system_unbound_wq, &later->work, 1);
}

/*
 * A page in ZONE_MOVABLE that cannot be migrated, pinned for I/O say, is waited
 * for: until it is free, or a signal arrives.
 */
static int offline_meanwhile(struct kunit *test, struct fake_range range,
			     struct held *held, struct page *pinned, work_func_t func)
{
	struct later later = {
		.test = test,
		.task = current,
		.held = held,
		.pinned = pinned,
	};
	struct listener *l = listener_add(test, 0);
	int err;

	INIT_DELAYED_WORK_ONSTACK(&later.work, func);
	l->private = &later;
	l->on_event = start_later;
	allow_signal(SIGUSR1);
	mem_hotplug_begin();
	err = offline_pages(range.pfn, range.nr_pages, fake_zone(ZONE_MOVABLE), NULL);
	mem_hotplug_done();
	listener_remove(test, l);
	flush_delayed_work(&later.work);
	destroy_delayed_work_on_stack(&later.work);
	KUNIT_EXPECT_TRUE(test, later.started);
	quiet(NULL);
	mhp_validate(test, "offline_pages");
	return err;
}

static void offline_waiting_for_page_is_interrupted(struct kunit *test)
{
	struct fake_range range = online_movable(test, 1);
	struct held *held = contents_hold(test, range.pfn + range.nr_pages / 2, 1);
	struct contents *contents = contents_fill(test, range.pfn, 1, NR_CONTENTS);
	struct listener *l = listener_add(test, 0);
	struct zone_counters before;

	zone_counters_take(&before);
	KUNIT_EXPECT_EQ(test, offline_meanwhile(test, range, held, NULL, send_signal_later), -EINTR);
	LISTENER_EXPECT(test, l, MEM_GOING_OFFLINE, MEM_CANCEL_OFFLINE);
	zone_counters_expect(test, &before);
	pageblocks_expect_usable(test, range.pfn, range.nr_pages);
	/* What had been migrated by then is not brought back, but it is not lost. */
	contents_expect_intact(test, contents);
	contents_release(test, held);
	KUNIT_EXPECT_EQ(test, fake_offline_pages(test, range.pfn, range.nr_pages), 0);
	contents_expect_intact(test, contents);
}

static void offline_waits_until_page_is_free(struct kunit *test)
{
	struct fake_range range = online_movable(test, 1);
	struct held *held = contents_hold(test, range.pfn + range.nr_pages / 2, 1);
	struct contents *contents = contents_fill(test, range.pfn, 1, NR_CONTENTS);

	KUNIT_EXPECT_EQ(test, offline_meanwhile(test, range, held, NULL, release_later), 0);
	KUNIT_EXPECT_EQ(test, contents_nr_within(contents, range.pfn, range.nr_pages), 0);
	contents_expect_intact(test, contents);
}

/* It is tried again and again, and put back on the LRU list in between. */
static void offline_waits_until_page_cache_can_move(struct kunit *test)
{
	struct fake_range range = online_movable(test, 1);
	struct contents *contents = fill(test, range);
	struct page *pinned = pfn_to_page(range.pfn);

	get_page(pinned);
	KUNIT_EXPECT_EQ(test, offline_meanwhile(test, range, NULL, pinned, unpin_later), 0);
	KUNIT_EXPECT_EQ(test, contents_nr_within(contents, range.pfn, range.nr_pages), 0);
	contents_expect_intact(test, contents);
}

static struct kunit_case offline_notify_cases[] = {
	KUNIT_CASE(offline_pages_notifies),
	KUNIT_CASE(offline_block_notifies),
	KUNIT_CASE(offline_pages_notifies_before_and_after),
	KUNIT_CASE(veto_of_going_offline_cancels),
	KUNIT_CASE(veto_of_going_offline_keeps_block_online),
	KUNIT_CASE(veto_of_offline_is_ignored),
	KUNIT_CASE(offline_skips_pages_driver_gives_up),
	KUNIT_CASE(offline_isolates_pages_of_driver_in_kernel_zone),
	KUNIT_CASE(offline_is_refused_when_driver_keeps_pages),
	KUNIT_CASE(veto_after_driver_gave_up_pages_cancels),
	KUNIT_CASE(offline_with_signal_pending_is_interrupted),
	KUNIT_CASE(offline_waiting_for_page_is_interrupted),
	KUNIT_CASE(offline_waits_until_page_is_free),
	KUNIT_CASE(offline_waits_until_page_cache_can_move),
	{}
};

static struct kunit_suite offline_notify_suite = {
	.name = "mhp_offline_notify",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = offline_notify_cases,
};

kunit_test_suite(offline_notify_suite);
