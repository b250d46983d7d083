// SPDX-License-Identifier: GPL-2.0
/*
 * Listeners on the memory notifier chain; see listener.h.
 */

#include <linux/string.h>

#include "fake_section.h"
#include "listener.h"

static const char *action_name(unsigned long action)
{
	switch (action) {
	case MEM_ONLINE:
		return "MEM_ONLINE";
	case MEM_GOING_OFFLINE:
		return "MEM_GOING_OFFLINE";
	case MEM_OFFLINE:
		return "MEM_OFFLINE";
	case MEM_GOING_ONLINE:
		return "MEM_GOING_ONLINE";
	case MEM_CANCEL_ONLINE:
		return "MEM_CANCEL_ONLINE";
	case MEM_CANCEL_OFFLINE:
		return "MEM_CANCEL_OFFLINE";
	case MEM_PREPARE_ONLINE:
		return "MEM_PREPARE_ONLINE";
	case MEM_FINISH_OFFLINE:
		return "MEM_FINISH_OFFLINE";
	default:
		return "an unknown action";
	}
}

static int note_event(struct notifier_block *nb, unsigned long action, void *data)
{
	struct listener *l = container_of(nb, struct listener, nb);

	if (l->nr_events < LISTENER_MAX_EVENTS) {
		l->events[l->nr_events].action = action;
		l->events[l->nr_events].arg = *(struct memory_notify *)data;
	}
	l->nr_events++;
	if (l->on_event)
		l->on_event(l, action);
	return l->veto == action ? notifier_from_errno(l->err) : NOTIFY_OK;
}

static void unregister_listener(void *arg)
{
	struct listener *l = arg;

	unregister_memory_notifier(&l->nb);
}

/**
 * listener_add() - listen to memory hotplug until the case ends
 * @test: the running case
 * @priority: listeners with a higher one are told first
 *
 * Return: the listener; it belongs to the case.
 */
struct listener *listener_add(struct kunit *test, int priority)
{
	struct listener *l = kunit_kzalloc(test, sizeof(*l), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, l);
	l->nb.notifier_call = note_event;
	l->nb.priority = priority;
	KUNIT_ASSERT_EQ(test, register_memory_notifier(&l->nb), 0);
	fake_add_action(test, unregister_listener, l);
	return l;
}

/**
 * listener_remove() - listen no more; what was noted can still be read
 * @test: the running case
 * @listener: the listener
 */
void listener_remove(struct kunit *test, struct listener *listener)
{
	fake_release_action(test, unregister_listener, listener);
}

/**
 * listener_forget() - begin the notes anew
 * @listener: the listener
 */
void listener_forget(struct listener *listener)
{
	listener->nr_events = 0;
}

/**
 * listener_expect_actions() - compare the notes; called as LISTENER_EXPECT()
 * @test: the running case
 * @listener: the listener
 * @actions: all actions that it should have been told of, in their order
 * @nr: how many
 */
void listener_expect_actions(struct kunit *test, const struct listener *listener,
			     const unsigned long *actions, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < min(nr, listener->nr_events) && i < LISTENER_MAX_EVENTS; i++)
		KUNIT_EXPECT_STREQ_MSG(test, action_name(listener->events[i].action),
				       action_name(actions[i]), "notification %u", i);
	KUNIT_EXPECT_EQ_MSG(test, listener->nr_events, nr, "number of notifications");
}

/**
 * listener_expect_arguments() - compare what came with the actions
 * @test: the running case
 * @listener: the listener
 * @pfn: first page that all of them should be about
 * @nr_pages: how many pages
 *
 * No node gets its first memory or loses its last by them.
 */
void listener_expect_arguments(struct kunit *test, const struct listener *listener,
			       unsigned long pfn, unsigned long nr_pages)
{
	unsigned int i;

	for (i = 0; i < min(listener->nr_events, LISTENER_MAX_EVENTS); i++) {
		unsigned long action = listener->events[i].action;
		const struct memory_notify *arg = &listener->events[i].arg;

		KUNIT_EXPECT_EQ_MSG(test, arg->start_pfn, pfn, "%s", action_name(action));
		KUNIT_EXPECT_EQ_MSG(test, arg->nr_pages, nr_pages, "%s", action_name(action));
		/* Nodes are not filled in for these two. */
		if (action == MEM_PREPARE_ONLINE || action == MEM_FINISH_OFFLINE)
			continue;
		KUNIT_EXPECT_EQ_MSG(test, arg->status_change_nid, NUMA_NO_NODE,
				    "%s", action_name(action));
		KUNIT_EXPECT_EQ_MSG(test, arg->status_change_nid_normal, NUMA_NO_NODE,
				    "%s", action_name(action));
	}
}
