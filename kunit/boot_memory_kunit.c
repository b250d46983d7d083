// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that is there from boot takes part in hotplug like any other.
 */

#include <linux/init.h>
#include <linux/ioport.h>
#include <linux/memblock.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "blocks.h"
#include "fake_section.h"
#include "mhp_validate.h"
#include "sysfs.h"

static int count_pages(unsigned long pfn, unsigned long nr_pages, void *arg)
{
	unsigned long *sum = arg;

	*sum += nr_pages;
	return 0;
}

/* Every page of a zone is accounted for in the resource tree. */
static void boot_memory_is_system_ram(struct kunit *test)
{
	struct pglist_data *pgdat = NODE_DATA(0);
	unsigned long sum = 0;

	walk_system_ram_range(pgdat->node_start_pfn, pgdat->node_spanned_pages,
			      &sum, count_pages);
	KUNIT_EXPECT_EQ(test, sum, pgdat->node_present_pages);
}

struct boot_block {
	struct fake_range range;
	bool found;
};

static bool is_free(unsigned long pfn, unsigned long end)
{
	while (pfn < end) {
		struct page *page = pfn_to_online_page(pfn);

		if (!page || !PageBuddy(page))
			return false;
		pfn += 1UL << page_private(page);
	}
	return true;
}

/*
 * Boot blocks often hold something unmovable, and which do differs from boot to
 * boot.  Only a block that nobody uses a page of is tried: offline_pages() would
 * wait for ever for a page that looks movable and is not.
 */
static int try_offline(struct memory_block *mem, void *arg)
{
	unsigned long pfn = section_nr_to_pfn(mem->start_section_nr);
	struct boot_block *block = arg;

	if (mem->state != MEM_ONLINE)
		return 0;
	if (!is_free(pfn, pfn + PHYS_PFN(memory_block_size_bytes())))
		return 0;
	if (device_offline(&mem->dev))
		return 0;
	block->range.start = PFN_PHYS(section_nr_to_pfn(mem->start_section_nr));
	block->range.size = memory_block_size_bytes();
	block->range.pfn = PHYS_PFN(block->range.start);
	block->range.nr_pages = PHYS_PFN(block->range.size);
	block->range.nr_blocks = 1;
	block->found = true;
	return 1;
}

static void boot_block_offline_online(struct kunit *test)
{
	struct boot_block block = {};

	lock_device_hotplug();
	walk_memory_blocks(0, PFN_PHYS(max_pfn), &block, try_offline);
	unlock_device_hotplug();
	mhp_validate(test, "device_offline of a boot block");
	KUNIT_ASSERT_TRUE_MSG(test, block.found, "no free boot block could go offline");

	KUNIT_EXPECT_FALSE(test, fake_is_online(block.range));
	KUNIT_ASSERT_EQ(test, fake_online(test, block.range, MMOP_ONLINE), 0);
	KUNIT_EXPECT_TRUE(test, fake_is_online(block.range));
}

/* ZONE_MOVABLE has boot memory exactly when the command line asks for it. */
static void movable_zone_as_asked_for(struct kunit *test)
{
	bool asked = strstr(saved_command_line, "movablecore=") ||
		     strstr(saved_command_line, "kernelcore=");

	KUNIT_EXPECT_EQ(test, asked, populated_zone(fake_zone(ZONE_MOVABLE)));
}

static int find_mixed(struct memory_block *mem, void *arg)
{
	unsigned long pfn = section_nr_to_pfn(mem->start_section_nr);
	unsigned long last = pfn + PHYS_PFN(memory_block_size_bytes()) - 1;
	struct memory_block **found = arg;

	if (!pfn_to_online_page(pfn) || !pfn_to_online_page(last) ||
	    page_zone(pfn_to_page(pfn)) == page_zone(pfn_to_page(last)))
		return 0;
	*found = mem;
	return 1;
}

/*
 *	| ZONE_NORMAL | ZONE_MOVABLE |	one block
 */
static void block_of_two_zones_stays_online(struct kunit *test)
{
	struct memory_block *mem = NULL;
	int err;

	lock_device_hotplug();
	walk_memory_blocks(0, PFN_PHYS(max_pfn), &mem, find_mixed);
	err = mem ? device_offline(&mem->dev) : 0;
	unlock_device_hotplug();
	if (!mem)
		kunit_skip(test, "no block is in two zones: movablecore= divides one, most times");
	mhp_validate(test, "device_offline");
	KUNIT_EXPECT_EQ(test, err, -EINVAL);
	KUNIT_EXPECT_EQ(test, mem->state, MEM_ONLINE);
	KUNIT_EXPECT_NULL(test, mem->zone);
	KUNIT_EXPECT_STREQ(test, "none",
			   sysfs_read(test, "devices/system/memory/memory%lu/valid_zones",
				      mem->start_section_nr / (memory_block_size_bytes() /
				      (PAGES_PER_SECTION << PAGE_SHIFT))));
}

/* movable_node on the command line: what is hot-added can always be removed again. */
static void hot_added_memory_is_movable_with_movable_node(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);

	if (!movable_node_is_enabled())
		kunit_skip(test, "movable_node is not on the command line");
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE), 0);
	blocks_expect_zone(test, range, ZONE_MOVABLE);
}

static struct kunit_case boot_memory_cases[] = {
	KUNIT_CASE(boot_memory_is_system_ram),
	KUNIT_CASE(boot_block_offline_online),
	KUNIT_CASE(movable_zone_as_asked_for),
	KUNIT_CASE(block_of_two_zones_stays_online),
	KUNIT_CASE(hot_added_memory_is_movable_with_movable_node),
	{}
};

static struct kunit_suite boot_memory_suite = {
	.name = "mhp_boot_memory",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = boot_memory_cases,
};

kunit_test_suite(boot_memory_suite);
