// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that was to host its own memmap and cannot be added: nothing stays
 * marked, mapped or allocated, and it can be added afterwards.
 */

#include <linux/memory_hotplug.h>
#include <linux/mm.h>

#include "blocks.h"
#include "fake_memmap.h"
#include "fake_section.h"
#include "mhp_validate.h"
#include "reports.h"
#include "self_hosted.h"

static void expect_addable(struct kunit *test, struct fake_range range)
{
	unsigned long pfn, backing;

	blocks_expect_absent(test, range);
	for (pfn = range.pfn; pfn < range.pfn + range.nr_pages; pfn += PAGES_PER_SUBSECTION)
		KUNIT_EXPECT_FALSE(test, mhp_memmap_backing(pfn, &backing));
	KUNIT_ASSERT_EQ(test, fake_add(test, range, SELF_HOSTED), 0);
	self_hosted_expect(test, range);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE), 0);
	self_hosted_expect(test, range);
}

static void remove_device(void *start)
{
	lock_device_hotplug();
	remove_memory_block_devices(*(u64 *)start, memory_block_size_bytes());
	unlock_device_hotplug();
}

/*
 *	| VV  add | VV  add | its memory block device exists | VV  add |
 */
static void add_memory_block_exists_unwinds(struct kunit *test)
{
	struct fake_range range = fake_range(test, 4);
	u64 *third = kunit_kmalloc(test, sizeof(*third), GFP_KERNEL);
	int err;

	self_hosted_mode(test);
	KUNIT_ASSERT_NOT_NULL(test, third);
	*third = fake_block(test, range, 2).start;
	lock_device_hotplug();
	err = create_memory_block_devices(*third, memory_block_size_bytes(), NULL, NULL);
	unlock_device_hotplug();
	KUNIT_ASSERT_EQ(test, err, 0);
	fake_add_action(test, remove_device, third);

	KUNIT_EXPECT_EQ(test, add_memory(0, range.start, range.size, SELF_HOSTED), -EEXIST);
	fake_release_action(test, remove_device, third);
	mhp_validate(test, "add_memory");
	expect_addable(test, range);
}

/*
 *	| VV  add | VV  add | present already | VV  add |
 *
 * The memmap of what comes after is never written over what is present.
 */
static void add_memory_section_present_unwinds(struct kunit *test)
{
	struct fake_range range = fake_range(test, 4);
	unsigned long pfn = fake_block(test, range, 2).pfn;

	self_hosted_mode(test);
	KUNIT_ASSERT_EQ(test, fake_memmap_add(test, pfn, PAGES_PER_SECTION, NULL), 0);
	reports_expect_failed_add(test);
	KUNIT_EXPECT_EQ(test, add_memory(0, range.start, range.size, SELF_HOSTED), -EEXIST);
	mhp_validate(test, "add_memory");
	KUNIT_EXPECT_TRUE(test, pfn_valid(pfn));
	KUNIT_EXPECT_EQ(test, fake_nr_present_sections(range), 1);
	fake_memmap_remove(test, pfn, PAGES_PER_SECTION);
	expect_addable(test, range);
}

#ifdef CONFIG_MHP_SELF_HOSTED
struct flush {
	struct vmem_altmap altmap;
	unsigned int calls;
	unsigned long alloc;
	bool memmap_was_writable;
};

static void note_flush(struct vmem_altmap *altmap, int nid)
{
	struct flush *flush = container_of(altmap, struct flush, altmap);
	struct page *page = pfn_to_page(altmap->base_pfn);

	flush->calls++;
	flush->alloc = altmap->alloc;
	page->private = 0x5a;
	flush->memmap_was_writable = page->private == 0x5a && pfn_valid(altmap->base_pfn);
}

static struct flush *flush(struct kunit *test, struct fake_range range, unsigned long nr_free)
{
	struct flush init = {
		.altmap = {
			.base_pfn = range.pfn,
			.end_pfn = range.pfn + range.nr_pages - 1,
			.free = nr_free,
			.flush_alloc_pfns = note_flush,
		},
	};
	struct flush *copy = kunit_kmalloc(test, sizeof(*copy), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, copy);
	memcpy(copy, &init, sizeof(init));
	return copy;
}

static int add_one_section(struct kunit *test, struct fake_range range, struct flush *flush)
{
	int err;

	mem_hotplug_begin();
	err = sparse_add_one_section(0, range.pfn, &flush->altmap, NULL);
	mem_hotplug_done();
	return err;
}

static void remove_one_section(struct fake_range range, struct flush *flush)
{
	mem_hotplug_begin();
	sparse_remove_section(range.pfn, PAGES_PER_SECTION, &flush->altmap, NULL);
	mem_hotplug_done();
}

/* The memory itself has to be there: it holds the memmap. */
static struct fake_range backed_range(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);

	KUNIT_ASSERT_EQ(test, fake_add(test, fake_block(test, range, 0), MHP_NONE), 0);
	return range;
}

/*
 *	| memory for the memmap | section |
 */
static void add_one_section_flushes_once(struct kunit *test)
{
	unsigned long size = fake_memmap_size(test, PAGES_PER_SECTION);
	struct fake_range range = backed_range(test);
	struct fake_range section = fake_block(test, range, 1);
	struct flush *f = flush(test, range, size);
	int err;

	/* Its own struct pages are what it may look at. */
	err = add_one_section(test, section, f);
	KUNIT_EXPECT_EQ(test, err, 0);
	KUNIT_EXPECT_EQ(test, f->calls, 1);
	KUNIT_EXPECT_EQ(test, f->alloc, size);
	KUNIT_EXPECT_TRUE(test, f->memmap_was_writable);
	if (!err) {
		KUNIT_EXPECT_EQ(test, add_one_section(test, section, f), -EEXIST);
		KUNIT_EXPECT_EQ(test, f->calls, 1);
		remove_one_section(section, f);
	}
	KUNIT_EXPECT_EQ(test, f->altmap.alloc, 0);
	mhp_validate(test, "sparse_add_one_section");
}

static void add_one_section_altmap_too_small_flushes_nothing(struct kunit *test)
{
	unsigned long size = fake_memmap_size(test, PAGES_PER_SECTION);
	struct fake_range range = backed_range(test);
	struct flush *f = flush(test, range, size - 1);

	fake_skip_if_altmap_is_optional(test);
	KUNIT_EXPECT_EQ(test, add_one_section(test, fake_block(test, range, 1), f), -ENOMEM);
	KUNIT_EXPECT_EQ(test, f->calls, 0);
	KUNIT_EXPECT_EQ(test, f->altmap.alloc, 0);
	mhp_validate(test, "sparse_add_one_section");
}

static int add_pages_self_hosted(unsigned long pfn, unsigned long nr_pages,
				 struct vmem_altmap *altmap)
{
	struct mhp_params params = {
		.pgprot = PAGE_KERNEL,
		.altmap = altmap,
		.self_hosted = true,
	};
	int err;

	mem_hotplug_begin();
	err = __add_pages(0, pfn, nr_pages, &params);
	mem_hotplug_done();
	return err;
}

/*
 * Two say where the memmap goes: nobody has it then.
 *
 *	| part | nothing |	of one host
 *
 * Some of the memmap would have no place, or one that is somebody else's.  It is
 * one case: it is the first of them that the kernel warns about.
 */
static void add_pages_self_hosted_is_refused_where_impossible(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	struct vmem_altmap *altmap = fake_altmap(test, range.pfn, range.nr_pages / 2);
	unsigned long part = PAGES_PER_SUBSECTION;

	self_hosted_mode(test);
	reports_expect(test, "__add_pages");
	KUNIT_EXPECT_EQ(test, add_pages_self_hosted(range.pfn, range.nr_pages, altmap), -EINVAL);
	mhp_validate(test, "__add_pages with an altmap");
	if (part < self_hosted_host(test)) {
		KUNIT_EXPECT_EQ(test, add_pages_self_hosted(range.pfn, part, NULL), -EINVAL);
		mhp_validate(test, "__add_pages of the first part of a host");
		KUNIT_EXPECT_EQ(test, add_pages_self_hosted(range.pfn + part,
							    range.nr_pages - part, NULL), -EINVAL);
		mhp_validate(test, "__add_pages of the last part of a host");
	}
	expect_addable(test, range);
}

/*
 *	| memmap of all | section | section |
 *
 * Whoever brought the altmap is told after each whole section.
 */
static void add_pages_flushes_each_section(struct kunit *test)
{
	struct fake_range range = fake_range(test, 3);
	struct flush *f = flush(test, range, fake_memmap_size(test, range.nr_pages));

	KUNIT_ASSERT_EQ(test, fake_plug(test, range, &f->altmap), 0);
	KUNIT_EXPECT_EQ(test, f->calls, range.nr_pages / PAGES_PER_SECTION);
	KUNIT_EXPECT_EQ(test, f->alloc, f->altmap.alloc);
	KUNIT_EXPECT_TRUE(test, f->memmap_was_writable);
	fake_unplug(test, range);
	KUNIT_EXPECT_EQ(test, f->altmap.alloc, 0);
}

/* What is less than a section goes through sparse_add_section(), which tells nobody. */
static void add_pages_of_sub_section_flushes_nothing(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	struct flush *f = flush(test, range, fake_memmap_size(test, PAGES_PER_SUBSECTION));
	struct mhp_params params = { .pgprot = PAGE_KERNEL, .altmap = &f->altmap };
	int err;

	if (PAGES_PER_SUBSECTION == PAGES_PER_SECTION)
		kunit_skip(test, "a section has one sub-section only");
	fake_skip_if_altmap_is_for_sections(test);
	mem_hotplug_begin();
	err = __add_pages(0, range.pfn, PAGES_PER_SUBSECTION, &params);
	mem_hotplug_done();
	KUNIT_EXPECT_EQ(test, err, 0);
	KUNIT_EXPECT_EQ(test, f->calls, 0);
	if (!err) {
		mem_hotplug_begin();
		__remove_pages(range.pfn, PAGES_PER_SUBSECTION, &f->altmap, NULL);
		mem_hotplug_done();
	}
	KUNIT_EXPECT_EQ(test, f->altmap.alloc, 0);
	mhp_validate(test, "__remove_pages");
}
#else
SELF_HOSTED_SKIPPED(add_one_section_flushes_once)
SELF_HOSTED_SKIPPED(add_one_section_altmap_too_small_flushes_nothing)
SELF_HOSTED_SKIPPED(add_pages_self_hosted_is_refused_where_impossible)
SELF_HOSTED_SKIPPED(add_pages_flushes_each_section)
SELF_HOSTED_SKIPPED(add_pages_of_sub_section_flushes_nothing)
#endif /* CONFIG_MHP_SELF_HOSTED */

static struct kunit_case self_hosted_error_cases[] = {
	KUNIT_CASE(add_memory_block_exists_unwinds),
	KUNIT_CASE(add_memory_section_present_unwinds),
	KUNIT_CASE(add_one_section_flushes_once),
	KUNIT_CASE(add_one_section_altmap_too_small_flushes_nothing),
	KUNIT_CASE(add_pages_self_hosted_is_refused_where_impossible),
	KUNIT_CASE(add_pages_flushes_each_section),
	KUNIT_CASE(add_pages_of_sub_section_flushes_nothing),
	{}
};

static struct kunit_suite self_hosted_error_suite = {
	.name = "mhp_self_hosted_error",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = self_hosted_error_cases,
};

kunit_test_suite(self_hosted_error_suite);
