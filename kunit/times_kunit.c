// SPDX-License-Identifier: GPL-2.0
/*
 * How long a memory block takes to be added, onlined, offlined and removed.
 *
 * Always a few cycles, so that the measurement itself stays in order; `make
 * bench` asks for more of them with times_kunit.cycles=N and reads the line that
 * each case prints.  The validator looks before and after, not in between.
 */

#include <linux/ktime.h>
#include <linux/moduleparam.h>
#include <linux/sort.h>

#include "blocks.h"
#include "fake_section.h"
#include "mhp_validate.h"
#include "self_hosted.h"

enum step { ADD, ONLINE, OFFLINE, REMOVE, NR_STEPS };

static unsigned int cycles = 3;
module_param(cycles, uint, 0444);
MODULE_PARM_DESC(cycles, "how often each step is measured");

static int do_step(enum step step, struct fake_range range, struct memory_block *mem, mhp_t flags)
{
	int err;

	if (step == ADD)
		return add_memory(0, range.start, range.size, flags);
	if (step == REMOVE)
		return remove_memory(range.start, range.size);
	lock_device_hotplug();
	err = step == ONLINE ? device_online(&mem->dev) : device_offline(&mem->dev);
	unlock_device_hotplug();
	return err;
}

static int compare(const void *a, const void *b)
{
	u64 left = *(const u64 *)a, right = *(const u64 *)b;

	return left < right ? -1 : left > right;
}

/* Cycle after cycle of one memory block; prints the median of each step, in ns. */
static void measure(struct kunit *test, const char *memmap, mhp_t flags)
{
	static const char * const names[] = { "add", "online", "offline", "remove" };
	struct fake_range range = fake_range(test, 1);
	unsigned int cycle, nr = max(cycles, 1U);
	struct memory_block *mem = NULL;
	u64 *ns, start;
	int step;

	ns = kunit_kcalloc(test, nr * NR_STEPS, sizeof(*ns), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ns);
	for (cycle = 0; cycle < nr; cycle++) {
		for (step = ADD; step < NR_STEPS; step++) {
			start = ktime_get_ns();
			KUNIT_ASSERT_EQ_MSG(test, do_step(step, range, mem, flags), 0,
					    "%s, cycle %u", names[step], cycle);
			ns[step * nr + cycle] = ktime_get_ns() - start;
			if (step == ADD)
				mem = blocks_get(test, range, 0);
		}
	}
	mhp_validate(test, "the last remove_memory");

	for (step = ADD; step < NR_STEPS; step++) {
		sort(ns + step * nr, nr, sizeof(*ns), compare, NULL);
		kunit_info(test, "%s: %s takes %llu ns, median of %u", memmap, names[step],
			   ns[step * nr + nr / 2], nr);
	}
}

static void cycle_memmap_elsewhere(struct kunit *test)
{
	measure(test, "memmap elsewhere", MHP_NONE);
}

static void cycle_memmap_self_hosted(struct kunit *test)
{
	self_hosted_host(test);
	self_hosted_mode(test);
	measure(test, "memmap self-hosted", SELF_HOSTED);
}

static struct kunit_case times_cases[] = {
	KUNIT_CASE(cycle_memmap_elsewhere),
	KUNIT_CASE(cycle_memmap_self_hosted),
	{}
};

static struct kunit_suite times_suite = {
	.name = "mhp_times",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = times_cases,
};

kunit_test_suite(times_suite);
