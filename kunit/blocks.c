// SPDX-License-Identifier: GPL-2.0
/*
 * What memory hotplug made of a range; see blocks.h.
 */

#include <linux/device.h>
#include <linux/ioport.h>
#include <linux/memblock.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>

#include "blocks.h"
#include "fake_memmap.h"
#include "mhp_validate.h"
#include "parameter.h"

static struct memory_block *find(struct fake_range range, unsigned int index)
{
	unsigned long pfn = range.pfn + index * PHYS_PFN(memory_block_size_bytes());
	struct memory_block *mem = find_memory_block(pfn_to_section_nr(pfn));

	/* Nobody but the running case removes it. */
	if (mem)
		put_device(&mem->dev);
	return mem;
}

/**
 * blocks_get() - a memory block device
 * @test: the running case; it ends here when there is none
 * @range: the range
 * @index: which block of the range, from 0
 *
 * Return: the device, valid until the case removes it.
 */
struct memory_block *blocks_get(struct kunit *test, struct fake_range range,
				unsigned int index)
{
	struct memory_block *mem = find(range, index);

	KUNIT_ASSERT_NOT_NULL_MSG(test, mem, "there is no memory block %u", index);
	return mem;
}

static const char *state_name(enum memory_block_state state)
{
	switch (state) {
	case MEM_ONLINE:
		return "online";
	case MEM_OFFLINE:
		return "offline";
	default:
		return "in between";
	}
}

/**
 * blocks_expect_state() - all memory blocks are there, and in one state
 * @test: the running case
 * @range: the range
 * @state: MEM_ONLINE or MEM_OFFLINE
 *
 * Their sections are there, too.
 */
void blocks_expect_state(struct kunit *test, struct fake_range range,
			 enum memory_block_state state)
{
	unsigned long pfn, end = range.pfn + range.nr_pages;
	unsigned int i;

	for (i = 0; i < range.nr_blocks; i++) {
		struct memory_block *mem = blocks_get(test, range, i);

		KUNIT_EXPECT_STREQ_MSG(test, state_name(mem->state), state_name(state),
				       "memory block %u of %u", i, range.nr_blocks);
		KUNIT_EXPECT_EQ(test, (bool)mem->dev.offline, state == MEM_OFFLINE);
	}
	for (pfn = range.pfn; pfn < end; pfn += PAGES_PER_SECTION) {
		struct mem_section *ms = __pfn_to_section(pfn);

		KUNIT_EXPECT_TRUE_MSG(test, valid_section(ms), "section of pfn %#lx", pfn);
		KUNIT_EXPECT_EQ_MSG(test, online_section(ms), state == MEM_ONLINE,
				    "section of pfn %#lx", pfn);
	}
}

/**
 * blocks_expect_zone() - all memory blocks are online, and in one zone
 * @test: the running case
 * @range: the range
 * @zone: zone of node 0
 */
void blocks_expect_zone(struct kunit *test, struct fake_range range,
			enum zone_type zone)
{
	const char *name = fake_zone(zone)->name;
	unsigned int i;

	blocks_expect_state(test, range, MEM_ONLINE);
	for (i = 0; i < range.nr_blocks; i++) {
		struct memory_block *mem = blocks_get(test, range, i);
		struct page *last = pfn_to_online_page(section_nr_to_pfn(mem->start_section_nr) +
						       PHYS_PFN(memory_block_size_bytes()) - 1);

		KUNIT_ASSERT_NOT_NULL(test, mem->zone);
		KUNIT_EXPECT_STREQ_MSG(test, mem->zone->name, name, "memory block %u", i);
		KUNIT_ASSERT_NOT_NULL(test, last);
		KUNIT_EXPECT_STREQ_MSG(test, page_zone(last)->name, name, "memory block %u", i);
	}
}

/**
 * blocks_expect_resource() - one resource covers the range, no more and no less
 * @test: the running case
 * @range: the range
 * @name: its name
 * @flags: IORESOURCE_* that it has besides IORESOURCE_SYSTEM_RAM and _BUSY
 */
void blocks_expect_resource(struct kunit *test, struct fake_range range,
			    const char *name, unsigned long flags)
{
	struct resource *res = lookup_resource(&iomem_resource, range.start);

	KUNIT_ASSERT_NOT_NULL_MSG(test, res, "no resource begins at %#llx", range.start);
	KUNIT_EXPECT_STREQ(test, res->name, name);
	KUNIT_EXPECT_EQ(test, res->end, range.start + range.size - 1);
	KUNIT_EXPECT_EQ(test, res->flags, IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY | flags);
	KUNIT_EXPECT_EQ(test, res->desc, IORES_DESC_NONE);
}

/**
 * blocks_expect_absent() - nothing of the range is known to the kernel
 * @test: the running case
 * @range: the range
 */
void blocks_expect_absent(struct kunit *test, struct fake_range range)
{
	unsigned long pfn, end = range.pfn + range.nr_pages;
	unsigned int i;

	for (i = 0; i < range.nr_blocks; i++)
		KUNIT_EXPECT_NULL_MSG(test, find(range, i), "memory block %u of %u stays",
				      i, range.nr_blocks);
	for (pfn = range.pfn; pfn < end; pfn += PAGES_PER_SECTION) {
		KUNIT_EXPECT_EQ_MSG(test, fake_section_flags(pfn), 0,
				    "section of pfn %#lx stays", pfn);
		KUNIT_EXPECT_FALSE_MSG(test, mhp_memmap_is_stale(pfn),
				       "the memmap of pfn %#lx stays", pfn);
	}
	KUNIT_EXPECT_EQ_MSG(test, region_intersects(range.start, range.size, 0,
						    IORES_DESC_NONE),
			    REGION_DISJOINT, "a resource stays");
}

/**
 * blocks_need_memmap_on_memory() - switch memmap_on_memory on for the case
 * @test: the running case; skipped where it is not supported
 * @mode: "Y" or "force"
 */
void blocks_need_memmap_on_memory(struct kunit *test, const char *mode)
{
	unsigned long block = memory_block_size_bytes();

	if (!IS_ENABLED(CONFIG_MHP_MEMMAP_ON_MEMORY))
		kunit_skip(test, "CONFIG_MHP_MEMMAP_ON_MEMORY is not set");
	parameter_set(test, "memory_hotplug.memmap_on_memory", mode);
	if (!mhp_supports_memmap_on_memory())
		kunit_skip(test, "memmap_on_memory=%s: a memmap of %lu pages, pageblocks of %lu",
			   mode, PFN_UP(PHYS_PFN(block) * sizeof(struct page)),
			   pageblock_nr_pages);
}

static bool is_movable_boot_memory(unsigned long pfn)
{
	return pfn_to_online_page(pfn) && early_section(__pfn_to_section(pfn)) &&
	       page_zonenum(pfn_to_page(pfn)) == ZONE_MOVABLE;
}

/**
 * blocks_movable_boot - the first memory block of boot memory in ZONE_MOVABLE
 * @test:	the test, skipped where there is none
 *
 * The first is one that memblock gave nothing out of, for it begins at the end.
 *
 * Return: the block, which nothing puts back when the test has removed it.
 */
struct fake_range blocks_movable_boot(struct kunit *test)
{
	const unsigned long nr_pages = PHYS_PFN(memory_block_size_bytes());
	struct fake_range range = {
		.size = PFN_PHYS(nr_pages),
		.nr_pages = nr_pages,
		.nr_blocks = 1,
	};

	for (range.pfn = nr_pages; range.pfn < max_pfn; range.pfn += nr_pages) {
		range.start = PFN_PHYS(range.pfn);
		if (is_movable_boot_memory(range.pfn))
			return range;
	}
	kunit_skip(test, "no movable block of boot memory: movablecore= or kernelcore= is not given");
	return range;
}
