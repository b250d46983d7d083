// SPDX-License-Identifier: GPL-2.0
/*
 * The direct map of hot-added memory: init_memory_mapping() makes it, and
 * kernel_physical_mapping_remove() takes it away, at whatever size it has.
 */

#include <linux/mm.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <asm/cpufeature.h>
#include <asm/pgtable_types.h>

#include "fake_section.h"
#include "vmemmap_hole.h"

#define BLOCKS_PER_PUD	(PUD_SIZE / memory_block_size_bytes())

static unsigned long direct(struct fake_range range)
{
	return (unsigned long)__va(range.start);
}

static unsigned int expected_level(void)
{
	return boot_cpu_has(X86_FEATURE_PSE) && !debug_pagealloc_enabled() ? PG_LEVEL_2M :
									     PG_LEVEL_4K;
}

/* What /proc/meminfo says about the direct map */
static void take_counts(struct kunit *test, char *counts, size_t size)
{
	struct seq_file m = { .buf = counts, .size = size - 1 };

	arch_report_meminfo(&m);
	KUNIT_ASSERT_LT(test, m.count, m.size);
	counts[m.count] = '\0';
}

#define COUNTS_SIZE	256

static void unplug_unmaps_all(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	char before[COUNTS_SIZE], with[COUNTS_SIZE], after[COUNTS_SIZE];

	take_counts(test, before, sizeof(before));
	hole_expect_level(test, direct(range), range.size, PG_LEVEL_NONE);
	KUNIT_ASSERT_EQ(test, fake_plug(test, range, NULL), 0);
	hole_expect_level(test, direct(range), range.size, expected_level());
	take_counts(test, with, sizeof(with));
	KUNIT_EXPECT_STRNEQ(test, before, with);
	hole_fill(direct(range), SZ_1M, 0xd1);
	hole_expect_filled(test, direct(range), SZ_1M, 0xd1);

	fake_unplug(test, range);
	hole_expect_level(test, direct(range), range.size, PG_LEVEL_NONE);
	take_counts(test, after, sizeof(after));
	KUNIT_EXPECT_STREQ(test, before, after);
}

/*
 *	| 0 | 1 | 2 |
 *	      ^ goes
 */
static void unplug_keeps_neighbours(struct kunit *test)
{
	struct fake_range range = fake_range(test, 3), block[3];
	unsigned int i;

	for (i = 0; i < 3; i++) {
		block[i] = fake_block(test, range, i);
		KUNIT_ASSERT_EQ(test, fake_plug(test, block[i], NULL), 0);
		hole_fill(direct(block[i]) + block[i].size - SZ_1M, SZ_1M, 0xb0 + i);
	}
	fake_unplug(test, block[1]);
	hole_expect_level(test, direct(block[1]), block[1].size, PG_LEVEL_NONE);
	for (i = 0; i < 3; i += 2) {
		hole_expect_level(test, direct(block[i]), block[i].size, expected_level());
		hole_expect_filled(test, direct(block[i]) + block[i].size - SZ_1M, SZ_1M, 0xb0 + i);
	}
}

static struct fake_range aligned_to_pud(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2 * BLOCKS_PER_PUD - 1);
	u64 skip = ALIGN(range.start, PUD_SIZE) - range.start;

	return fake_sub_range(test, range, skip / memory_block_size_bytes(), BLOCKS_PER_PUD);
}

/* A whole PUD is mapped by one leaf where the CPU can, and unmapped as one. */
static void unplug_unmaps_gib(struct kunit *test)
{
	struct fake_range range = aligned_to_pud(test);
	bool gbpages = boot_cpu_has(X86_FEATURE_GBPAGES) && !debug_pagealloc_enabled();
	char before[COUNTS_SIZE], after[COUNTS_SIZE];

	take_counts(test, before, sizeof(before));
	KUNIT_ASSERT_EQ(test, fake_plug(test, range, NULL), 0);
	KUNIT_EXPECT_EQ(test, hole_level(direct(range)), gbpages ? PG_LEVEL_1G : expected_level());
	KUNIT_EXPECT_EQ(test, hole_level(direct(range) + range.size - 1),
			gbpages ? PG_LEVEL_1G : expected_level());
	fake_unplug(test, range);
	hole_expect_level(test, direct(range), range.size, PG_LEVEL_NONE);
	take_counts(test, after, sizeof(after));
	KUNIT_EXPECT_STREQ(test, before, after);
}

static struct kunit_case direct_map_cases[] = {
	KUNIT_CASE(unplug_unmaps_all),
	KUNIT_CASE(unplug_keeps_neighbours),
	KUNIT_CASE(unplug_unmaps_gib),
	{}
};

static struct kunit_suite direct_map_suite = {
	.name = "mhp_x86_direct_map",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = direct_map_cases,
};

kunit_test_suite(direct_map_suite);
