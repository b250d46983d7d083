// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that hosts its own memmap; see self_hosted.h.
 */

#include <linux/mm.h>
#include <linux/page-flags.h>

#include "mhp_validate.h"
#include "parameter.h"
#include "self_hosted.h"

/**
 * self_hosted_host() - pages of a host
 * @test: the running case; skipped where no memory can host its memmap
 */
unsigned long self_hosted_host(struct kunit *test)
{
#ifdef CONFIG_MHP_SELF_HOSTED
	if (!mhp_memmap_can_be_walked())
		kunit_skip(test, "the memmap is not mapped by page tables here");
	if (!memmap_host_nr_pages())
		kunit_skip(test, "no memory can host its own memmap here");
	return memmap_host_nr_pages();
#else
	kunit_skip(test, "CONFIG_MHP_SELF_HOSTED is not set: the series is not in this kernel");
	return 0;
#endif
}

/**
 * self_hosted_vmemmap_pages() - pages of a host that hold its memmap
 * @test: the running case
 */
unsigned long self_hosted_vmemmap_pages(struct kunit *test)
{
	return PFN_UP(self_hosted_host(test) * sizeof(struct page));
}

/**
 * self_hosted_mode() - memmap_on_memory=section for the rest of the case
 * @test: the running case; skipped where no memory can host its memmap
 */
void self_hosted_mode(struct kunit *test)
{
	self_hosted_host(test);
	parameter_set(test, "memory_hotplug.memmap_on_memory", "section");
}

/**
 * self_hosted_add() - add memory blocks that host their own memmap
 * @test: the running case
 * @nr_blocks: how many
 *
 * Return: the range.
 */
struct fake_range self_hosted_add(struct kunit *test, unsigned int nr_blocks)
{
	struct fake_range range = fake_range(test, nr_blocks);

	self_hosted_mode(test);
	KUNIT_ASSERT_EQ(test, fake_add(test, range, SELF_HOSTED), 0);
	return range;
}

/**
 * self_hosted_online() - self_hosted_add() and fake_online()
 * @test: the running case
 * @nr_blocks: how many memory blocks
 * @online_type: MMOP_*
 *
 * Return: the range.
 */
struct fake_range self_hosted_online(struct kunit *test, unsigned int nr_blocks,
				     int online_type)
{
	struct fake_range range = self_hosted_add(test, nr_blocks);

	KUNIT_ASSERT_EQ(test, fake_online(test, range, online_type), 0);
	return range;
}

/**
 * self_hosted_outside() - pages outside of a range that hold its memmap
 * @range: what has a memmap
 */
unsigned long self_hosted_outside(struct fake_range range)
{
	unsigned long pfn, backing, last = -1, count = 0;
	unsigned long step = max_t(unsigned long, 1, PAGE_SIZE / sizeof(struct page));

	for (pfn = range.pfn; pfn < range.pfn + range.nr_pages; pfn += step) {
		if (!mhp_memmap_backing(pfn, &backing) || backing == last)
			continue;
		last = backing;
		count += backing < range.pfn || backing >= range.pfn + range.nr_pages;
	}
	return count;
}

static void expect_host(struct kunit *test, unsigned long start, unsigned long nr_pages)
{
	unsigned long pfn, end = start + PFN_UP(nr_pages * sizeof(struct page));

	KUNIT_ASSERT_TRUE_MSG(test, mhp_memmap_is_at(start, nr_pages, start),
			      "the struct pages of pfn %#lx and on are not all there", start);
	for (pfn = start; pfn < start + nr_pages; pfn++) {
		if (self_hosted_is_marked(pfn) != (pfn < end)) {
			KUNIT_FAIL(test, "pfn %#lx, number %lu of its host: %smarked", pfn,
				   pfn - start, pfn < end ? "not " : "");
			return;
		}
		if (pfn < end && page_count(pfn_to_page(pfn)) != 1)
			KUNIT_FAIL(test, "vmemmap page %#lx has %d references", pfn,
				   page_count(pfn_to_page(pfn)));
	}
}

/**
 * self_hosted_expect() - expect that each host of a range holds its memmap
 * @test: the running case
 * @range: which; online or offline
 *
 * In order, from the host's first page on, marked, and nothing else is marked.
 */
void self_hosted_expect(struct kunit *test, struct fake_range range)
{
	unsigned long pfn, host = self_hosted_host(test);

	for (pfn = range.pfn; pfn < range.pfn + range.nr_pages; pfn += host)
		expect_host(test, pfn, host);
}

/**
 * self_hosted_expect_none() - expect that no page of a range holds its memmap
 * @test: the running case
 * @range: which; online or offline
 */
void self_hosted_expect_none(struct kunit *test, struct fake_range range)
{
	unsigned long pfn, backing;

	for (pfn = range.pfn; pfn < range.pfn + range.nr_pages; pfn++) {
		if (self_hosted_is_marked(pfn)) {
			KUNIT_FAIL(test, "pfn %#lx is marked", pfn);
			return;
		}
	}
	KUNIT_ASSERT_TRUE(test, mhp_memmap_backing(range.pfn, &backing));
	KUNIT_EXPECT_FALSE_MSG(test, backing >= range.pfn && backing < range.pfn + range.nr_pages,
			       "the memmap is in pfn %#lx of the range", backing);
}
