// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that cannot be added: each case looks for what is left behind, and
 * adds the memory properly afterwards where that is possible.
 */

#include <linux/device.h>
#include <linux/ioport.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>

#include "blocks.h"
#include "fake_memmap.h"
#include "fake_section.h"
#include "mhp_validate.h"
#include "reports.h"

/* Expects an error and that nothing has changed. */
static void expect_refused(struct kunit *test, u64 start, u64 size, int expected)
{
	struct mhp_state before, after;
	int err;

	mhp_state_take(&before);
	err = add_memory(0, start, size, MHP_NONE);
	mhp_validate(test, "add_memory");
	mhp_state_take(&after);
	KUNIT_EXPECT_EQ_MSG(test, err, expected, "%#llx bytes at %#llx", size, start);
	mhp_state_expect_equal(test, &before, &after);
}

static void expect_addable(struct kunit *test, struct fake_range range)
{
	blocks_expect_absent(test, range);
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE), 0);
	blocks_expect_zone(test, range, ZONE_NORMAL);
}

static void add_memory_misaligned_start_is_refused(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);
	u64 block = memory_block_size_bytes();

	expect_refused(test, range.start + PAGE_SIZE, block, -EINVAL);
	expect_refused(test, range.start + block / 2, block, -EINVAL);
	expect_refused(test, range.start + block - PAGE_SIZE, block, -EINVAL);
	expect_addable(test, range);
}

static void add_memory_misaligned_size_is_refused(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);
	u64 block = memory_block_size_bytes();

	expect_refused(test, range.start, PAGE_SIZE, -EINVAL);
	expect_refused(test, range.start, block / 2, -EINVAL);
	expect_refused(test, range.start, block + PAGE_SIZE, -EINVAL);
	expect_refused(test, range.start, 2 * block - PAGE_SIZE, -EINVAL);
	expect_addable(test, range);
}

/* The check of the range comes first, and finds that it wraps around. */
static void add_memory_empty_is_refused(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);

	expect_refused(test, range.start, 0, -E2BIG);
	expect_addable(test, range);
}

static void add_memory_resource_empty_is_refused(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	struct resource res = DEFINE_RES_MEM_NAMED(range.start, 0, "System RAM");
	int err;

	lock_device_hotplug();
	err = add_memory_resource(0, &res, MHP_NONE);
	unlock_device_hotplug();
	mhp_validate(test, "add_memory_resource");
	KUNIT_EXPECT_EQ(test, err, -EINVAL);
	expect_addable(test, range);
}

/* By all of the range, by all but one block, and around the end of it all. */
static void add_memory_beyond_pluggable_range_is_refused(struct kunit *test)
{
	u64 end = ALIGN_DOWN(mhp_get_pluggable_range(true).end + 1, memory_block_size_bytes());
	u64 block = memory_block_size_bytes();

	expect_refused(test, end, block, -E2BIG);
	expect_refused(test, end - block, 2 * block, -E2BIG);
	expect_refused(test, -block, block, -E2BIG);
	expect_refused(test, -block, 2 * block, -E2BIG);
}

/* The stack is gone when a case that failed is cleaned up. */
static u64 *keep(struct kunit *test, u64 value)
{
	u64 *kept = kunit_kmalloc(test, sizeof(*kept), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, kept);
	*kept = value;
	return kept;
}

static void reset_max_mem_size(void *old)
{
	max_mem_size = *(u64 *)old;
}

/* "mem=" on the command line holds for what is added during boot. */
static void add_memory_beyond_mem_limit_at_boot_is_refused(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);
	u64 *old = keep(test, max_mem_size);

	if (system_state >= SYSTEM_RUNNING)
		kunit_skip(test, "the kernel has booted");
	fake_add_action(test, reset_max_mem_size, old);
	max_mem_size = range.start + range.size / 2;
	expect_refused(test, range.start, range.size, -E2BIG);
	KUNIT_EXPECT_EQ(test, fake_add(test, fake_block(test, range, 0), MHP_NONE), 0);
	fake_release_action(test, reset_max_mem_size, old);
	expect_addable(test, fake_block(test, range, 1));
}

/*
 *	      | present, online |
 *	| to be added |
 *	           | to be added |
 *	| to be added                |
 */
static void add_memory_present_is_refused(struct kunit *test)
{
	struct fake_range range = fake_range(test, 4);
	struct fake_range present = fake_sub_range(test, range, 1, 2);
	u64 block = memory_block_size_bytes();

	expect_addable(test, present);
	expect_refused(test, present.start, present.size, -EEXIST);
	expect_refused(test, present.start, block, -EEXIST);
	expect_refused(test, present.start + block, block, -EEXIST);
	expect_refused(test, range.start, 2 * block, -EEXIST);
	expect_refused(test, present.start + block, 2 * block, -EEXIST);
	expect_refused(test, range.start, range.size, -EEXIST);
	blocks_expect_zone(test, present, ZONE_NORMAL);
	blocks_expect_absent(test, fake_block(test, range, 0));
	blocks_expect_absent(test, fake_block(test, range, 3));
}

static void add_memory_of_boot_is_refused(struct kunit *test)
{
	u64 block = memory_block_size_bytes();

	expect_refused(test, ALIGN_DOWN(__pa(keep(test, 0)), block), block, -EEXIST);
}

static void release_page(void *start)
{
	release_mem_region(*(u64 *)start, PAGE_SIZE);
}

/* One page in the middle belongs to a device. */
static void add_memory_over_device_is_refused(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);
	u64 *page = keep(test, range.start + range.size / 2 - PAGE_SIZE);

	KUNIT_ASSERT_NOT_NULL(test, request_mem_region(*page, PAGE_SIZE, "mhp_kunit device"));
	fake_add_action(test, release_page, page);
	expect_refused(test, range.start, range.size, -EEXIST);
	expect_refused(test, range.start, range.size / 2, -EEXIST);
	fake_release_action(test, release_page, page);
	expect_addable(test, range);
}

static void add_memory_to_unknown_group_is_refused(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);

	KUNIT_EXPECT_EQ(test, add_memory(INT_MAX, range.start, range.size, MHP_NID_IS_MGID),
			-EINVAL);
	mhp_validate(test, "add_memory");
	expect_addable(test, range);
}

static void remove_device(void *start)
{
	lock_device_hotplug();
	remove_memory_block_devices(*(u64 *)start, memory_block_size_bytes());
	unlock_device_hotplug();
}

/*
 *	| add | add | add: its memory block device exists | add |
 *
 * All four are plugged in by then, and the first two have devices.
 */
static void add_memory_block_exists_unwinds(struct kunit *test)
{
	struct fake_range range = fake_range(test, 4);
	u64 *third = keep(test, fake_block(test, range, 2).start);
	int err;

	lock_device_hotplug();
	err = create_memory_block_devices(*third, memory_block_size_bytes(), NULL, NULL);
	unlock_device_hotplug();
	KUNIT_ASSERT_EQ(test, err, 0);
	fake_add_action(test, remove_device, third);

	/* Not validated now: a block without sections is no valid state. */
	KUNIT_EXPECT_EQ(test, add_memory(0, range.start, range.size, MHP_NONE), -EEXIST);
	fake_release_action(test, remove_device, third);
	mhp_validate(test, "add_memory");
	expect_addable(test, range);
}

/*
 * What should not be there would be in the way of the cases that follow.
 *
 * Return: how many sections were.
 */
static unsigned int remove_leftovers(struct fake_range range, struct vmem_altmap *altmap)
{
	unsigned long pfn, end = range.pfn + range.nr_pages;
	unsigned int count = 0;

	mem_hotplug_begin();
	for (pfn = range.pfn; pfn < end; pfn += PAGES_PER_SECTION) {
		if (!valid_section(__pfn_to_section(pfn)))
			continue;
		sparse_remove_section(pfn, PAGES_PER_SECTION, altmap, NULL);
		count++;
	}
	mem_hotplug_done();
	return count;
}

/*
 *	| add | add | add: the section is present already | add |
 *
 * No resource tells that it is.
 */
static void add_memory_section_present_unwinds(struct kunit *test)
{
	struct fake_range range = fake_range(test, 4);
	unsigned long pfn = fake_block(test, range, 2).pfn;
	int err;

	fake_skip_without_series(test, "__add_pages() leaves sections behind when it fails");
	KUNIT_ASSERT_EQ(test, fake_memmap_add(test, pfn, PAGES_PER_SECTION, NULL), 0);
	reports_expect_failed_add(test);
	err = add_memory(0, range.start, range.size, MHP_NONE);
	KUNIT_EXPECT_EQ(test, err, -EEXIST);
	KUNIT_EXPECT_TRUE(test, pfn_valid(pfn));
	fake_memmap_remove(test, pfn, PAGES_PER_SECTION);
	KUNIT_EXPECT_EQ_MSG(test, remove_leftovers(range, NULL), 0, "sections stay behind");
	mhp_validate(test, "add_memory");
	expect_addable(test, range);
}

/*
 *	| add                     | add | add: no room for its memmap |
 *	| memmap of all three, |
 *	| but for one page     |
 */
static void add_pages_altmap_too_small_unwinds(struct kunit *test)
{
	unsigned long size = fake_memmap_size(test, 3 * PAGES_PER_SECTION);
	unsigned int nr_blocks = DIV_ROUND_UP(PFN_PHYS(3 * PAGES_PER_SECTION),
					      memory_block_size_bytes());
	struct fake_range range = fake_range(test, nr_blocks);
	struct vmem_altmap *altmap = fake_altmap(test, range.pfn, size - 1);
	struct mhp_params params = { .pgprot = PAGE_KERNEL, .altmap = altmap };
	int err;

	fake_skip_if_altmap_is_optional(test);
	fake_skip_without_series(test, "__add_pages() leaves sections behind when it fails");
	mem_hotplug_begin();
	err = __add_pages(0, range.pfn, 3 * PAGES_PER_SECTION, &params);
	mem_hotplug_done();
	KUNIT_EXPECT_EQ(test, err, -ENOMEM);
	KUNIT_EXPECT_EQ(test, altmap->alloc, 0);
	KUNIT_EXPECT_EQ_MSG(test, remove_leftovers(range, altmap), 0, "sections stay behind");
	mhp_validate(test, "__add_pages");
	expect_addable(test, range);
}

static struct kunit_case hotplug_error_cases[] = {
	KUNIT_CASE(add_memory_misaligned_start_is_refused),
	KUNIT_CASE(add_memory_misaligned_size_is_refused),
	KUNIT_CASE(add_memory_empty_is_refused),
	KUNIT_CASE(add_memory_resource_empty_is_refused),
	KUNIT_CASE(add_memory_beyond_pluggable_range_is_refused),
	KUNIT_CASE(add_memory_beyond_mem_limit_at_boot_is_refused),
	KUNIT_CASE(add_memory_present_is_refused),
	KUNIT_CASE(add_memory_of_boot_is_refused),
	KUNIT_CASE(add_memory_over_device_is_refused),
	KUNIT_CASE(add_memory_to_unknown_group_is_refused),
	KUNIT_CASE(add_memory_block_exists_unwinds),
	KUNIT_CASE(add_memory_section_present_unwinds),
	KUNIT_CASE(add_pages_altmap_too_small_unwinds),
	{}
};

static struct kunit_suite hotplug_error_suite = {
	.name = "mhp_hotplug_error",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = hotplug_error_cases,
};

kunit_test_suite(hotplug_error_suite);
