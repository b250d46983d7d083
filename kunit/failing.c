// SPDX-License-Identifier: GPL-2.0
/*
 * Allocations that fail; see failing.h.
 */

#include <linux/dcache.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/sched.h>

#include "failing.h"
#include "mhp_validate.h"

#ifdef CONFIG_FAULT_INJECTION_DEBUG_FS

/*
 * A memmap in base pages is hundreds of allocations, which differ in nothing:
 * of those in the middle, one in so many.  A prime, so that it does not keep
 * step with page tables.
 */
#define ALL_OF_FIRST	48
#define ALL_OF_LAST	48
#define STRIDE		61

/* The variable behind a file of debugfs. */
static void *knob(struct kunit *test, const char *kind, const char *name)
{
	struct dentry *dir = debugfs_lookup(kind, NULL), *file;
	void *value;

	KUNIT_ASSERT_NOT_NULL(test, dir);
	file = debugfs_lookup(name, dir);
	dput(dir);
	KUNIT_ASSERT_NOT_NULL_MSG(test, file, "%s/%s", kind, name);
	value = d_inode(file)->i_private;
	dput(file);
	KUNIT_ASSERT_NOT_NULL(test, value);
	return value;
}

/*
 * Any allocation can be the one, silently.  It stays so: as long as
 * "probability" is 0, nothing fails but what a task asks for by fail_nth.
 */
static void setup(struct kunit *test)
{
	*(bool *)knob(test, "failslab", "ignore-gfp-wait") = false;
	*(unsigned long *)knob(test, "failslab", "verbose") = 0;
	*(bool *)knob(test, "fail_page_alloc", "ignore-gfp-wait") = false;
	*(bool *)knob(test, "fail_page_alloc", "ignore-gfp-highmem") = false;
	*(u32 *)knob(test, "fail_page_alloc", "min-order") = 0;
	*(unsigned long *)knob(test, "fail_page_alloc", "verbose") = 0;
}

/* Returns how many more allocations it would have taken until the nth. */
static unsigned int call(const struct failing *operation, unsigned int nth, int *err)
{
	unsigned int left;

	WRITE_ONCE(current->fail_nth, nth);
	*err = operation->call(operation->arg);
	left = READ_ONCE(current->fail_nth);
	WRITE_ONCE(current->fail_nth, 0);
	return left;
}

/**
 * failing_nth() - do something, and let one of its allocations fail
 * @test: the running case; skipped where the kernel has no fault injection
 * @operation: what to do; @undo may be %NULL
 * @nth: which allocation, from 1; there may be fewer
 *
 * Return: what it returned.
 */
int failing_nth(struct kunit *test, const struct failing *operation, unsigned int nth)
{
	int err;

	setup(test);
	call(operation, nth, &err);
	return err;
}

/* Expects it to succeed; false when even that does not work. */
static bool undo(struct kunit *test, const struct failing *operation)
{
	int err = operation->undo(operation->arg);

	KUNIT_EXPECT_EQ_MSG(test, err, 0, "undoing %s()", operation->name);
	mhp_validate(test, operation->name);
	return !err && test->status != KUNIT_FAILURE;
}

/**
 * failing_each() - let the allocations of an operation fail, one at a time
 * @test: the running case; skipped where the kernel has no fault injection
 * @operation: what to do; it has not been done yet, and is not afterwards
 *
 * Of many, those at the beginning and the end, and some in between.
 *
 * Return: how many allocations the operation makes when none fails.
 */
unsigned int failing_each(struct kunit *test, const struct failing *operation)
{
	unsigned int nth, total, refused = 0, tried = 0;
	struct mhp_state before, after;
	int err;

	setup(test);
	mhp_state_take(&before);
	total = UINT_MAX - call(operation, UINT_MAX, &err);
	KUNIT_ASSERT_EQ_MSG(test, err, 0, "%s() without a failure", operation->name);
	KUNIT_ASSERT_TRUE(test, undo(test, operation));

	for (nth = 1; nth <= total; nth++) {
		if (nth > ALL_OF_FIRST && nth + ALL_OF_LAST < total && nth % STRIDE)
			continue;
		tried++;
		call(operation, nth, &err);
		if (!err) {
			if (!undo(test, operation))
				break;
			continue;
		}
		refused++;
		mhp_validate(test, operation->name);
		mhp_state_take(&after);
		mhp_state_expect_equal(test, &before, &after);
		if (test->status == KUNIT_FAILURE)
			break;
	}
	if (test->status == KUNIT_FAILURE)
		kunit_err(test, "%s(): this was allocation %u of %u", operation->name, nth, total);
	kunit_info(test, "%s(): %u allocations; of %u failures, %u made it fail",
		   operation->name, total, tried, refused);
	return total;
}

#else

static void skip(struct kunit *test)
{
	kunit_skip(test, "CONFIG_FAULT_INJECTION_DEBUG_FS is not set");
}

int failing_nth(struct kunit *test, const struct failing *operation, unsigned int nth)
{
	skip(test);
	return 0;
}

unsigned int failing_each(struct kunit *test, const struct failing *operation)
{
	skip(test);
	return 0;
}

#endif /* CONFIG_FAULT_INJECTION_DEBUG_FS */
