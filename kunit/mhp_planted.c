// SPDX-License-Identifier: GPL-2.0
/*
 * What the tests of the validator share; see mhp_planted.h.
 */

#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "mhp_checks.h"
#include "mhp_planted.h"

static struct mhp_violations found;

/**
 * planted_look() - have the validator look
 * @test: the running case
 *
 * Does not fail the case: what was planted has to be taken away first.
 */
void planted_look(struct kunit *test)
{
	mhp_find_violations(&found);
}

static void show(struct kunit *test)
{
	int i;

	for (i = 0; i < found.nr_lines; i++)
		kunit_info(test, "found: %s: %s\n", found.line[i].check, found.line[i].text);
}

/**
 * planted_expect_nothing() - expect that planted_look() saw nothing wrong
 * @test: the running case
 */
void planted_expect_nothing(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, found.count, 0);
	if (found.count)
		show(test);
}

static bool is_in(const char *check, const char *const *checks, int nr)
{
	int i;

	for (i = 0; i < nr; i++)
		if (!strcmp(check, checks[i]))
			return true;
	return false;
}

static bool has_found(const char *check)
{
	int i;

	for (i = 0; i < found.nr_lines; i++)
		if (!strcmp(found.line[i].check, check))
			return true;
	return false;
}

/**
 * planted_expect_set() - see planted_expect()
 * @test: the running case
 * @checks: names of checks
 * @nr: how many
 */
void planted_expect_set(struct kunit *test, const char *const *checks, int nr)
{
	bool right = true;
	int i;

	for (i = 0; i < nr; i++) {
		if (has_found(checks[i]))
			continue;
		if (!strcmp(checks[i], "memmap_counters") && !mhp_memmap_is_countable())
			continue;
		if (strstarts(checks[i], "vmemmap_") && !mhp_memmap_can_be_walked())
			continue;
		KUNIT_FAIL(test, "%s has found nothing", checks[i]);
		right = false;
	}
	for (i = 0; i < found.nr_lines; i++) {
		if (is_in(found.line[i].check, checks, nr))
			continue;
		KUNIT_FAIL(test, "%s has found something", found.line[i].check);
		right = false;
	}
	if (!right)
		show(test);
}

/**
 * planted_offline() - hot-add memory blocks
 * @test: the running case
 * @nr_blocks: how many
 *
 * Return: where they are.
 */
struct fake_range planted_offline(struct kunit *test, unsigned int nr_blocks)
{
	struct fake_range range = fake_range(test, nr_blocks);

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	return range;
}

/**
 * planted_online() - hot-add memory blocks and online them to ZONE_MOVABLE
 * @test: the running case
 * @nr_blocks: how many
 *
 * The kernel allocates nothing for itself there, and so does not meet what is
 * planted.
 *
 * Return: where they are.
 */
struct fake_range planted_online(struct kunit *test, unsigned int nr_blocks)
{
	struct fake_range range = planted_offline(test, nr_blocks);

	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_MOVABLE), 0);
	return range;
}

/**
 * planted_block() - the first memory block of a range
 * @test: the running case
 * @range: where
 *
 * Return: the block; it stays as long as the range is plugged in.
 */
struct memory_block *planted_block(struct kunit *test, struct fake_range range)
{
	struct memory_block *mem;

	lock_device_hotplug();
	mem = find_memory_block(pfn_to_section_nr(range.pfn));
	if (mem)
		put_device(&mem->dev);
	unlock_device_hotplug();
	KUNIT_ASSERT_NOT_NULL(test, mem);
	return mem;
}

/**
 * planted_pageblock() - take the first pageblock of a range from the allocator
 * @test: the running case
 * @range: an online range
 *
 * The caller gives it back with free_contig_range().
 *
 * Return: its first page.
 */
struct page *planted_pageblock(struct kunit *test, struct fake_range range)
{
	KUNIT_ASSERT_EQ(test, 0,
			alloc_contig_range(range.pfn, range.pfn + pageblock_nr_pages,
					   MIGRATE_MOVABLE, GFP_KERNEL));
	return pfn_to_page(range.pfn);
}
