/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MHP_FAILING_H
#define MHP_FAILING_H

#include <kunit/test.h>

/*
 * Allocations that fail, by the kernel's own fault injection: an operation is
 * done again and again, and each time the next one of its allocations fails,
 *
 *	allocation	 1  2  3  4  5  6 ..
 *	1st time	 x
 *	2nd time	 .  x
 *	3rd time	 .  .  x
 *
 * of pages or slab objects, and of the running task's only.  The operation may
 * do without.  If it fails, everything has to be as it was before.
 */

/**
 * struct failing - an operation that can be undone
 * @name: the function of the kernel that it calls, for messages
 * @call: does it; 0 or -errno
 * @undo: takes it back after a success; 0 or -errno
 * @arg: for both
 */
struct failing {
	const char *name;
	int (*call)(void *arg);
	int (*undo)(void *arg);
	void *arg;
};

int failing_nth(struct kunit *test, const struct failing *operation, unsigned int nth);
unsigned int failing_each(struct kunit *test, const struct failing *operation);

#endif /* MHP_FAILING_H */
