/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MHP_LISTENER_H
#define MHP_LISTENER_H

#include <kunit/test.h>
#include <linux/memory.h>
#include <linux/notifier.h>

/*
 * Listeners on the memory notifier chain: they note what they are told, and
 * one of them can veto.  Those of a higher priority are told first.  A veto
 * ends the round, but all are told of the cancellation that follows.
 */

#define LISTENER_MAX_EVENTS	32

/**
 * struct listener - one listener; made by listener_add()
 * @veto: the action (MEM_*) that it refuses, or 0
 * @err: -errno that it refuses it with
 * @on_event: called for each action if not %NULL, before a veto
 * @private: for @on_event
 * @nr_events: how many actions it was told of, also those beyond the array
 * @events: the actions in their order and what came with them
 */
struct listener {
	unsigned long veto;
	int err;
	void (*on_event)(struct listener *listener, unsigned long action);
	void *private;
	unsigned int nr_events;
	struct {
		unsigned long action;
		struct memory_notify arg;
	} events[LISTENER_MAX_EVENTS];
	/* private: */
	struct notifier_block nb;
};

struct listener *listener_add(struct kunit *test, int priority);
void listener_remove(struct kunit *test, struct listener *listener);
void listener_forget(struct listener *listener);
void listener_expect_actions(struct kunit *test, const struct listener *listener,
			     const unsigned long *actions, unsigned int nr);
void listener_expect_arguments(struct kunit *test, const struct listener *listener,
			       unsigned long pfn, unsigned long nr_pages);

/* All that the listener was told of, in this order; no more and no less. */
#define LISTENER_EXPECT(test, listener, ...)					\
	listener_expect_actions(test, listener,					\
				(const unsigned long []){ __VA_ARGS__ },	\
				sizeof((const unsigned long []){ __VA_ARGS__ }) /\
				sizeof(unsigned long))

#endif /* MHP_LISTENER_H */
