// SPDX-License-Identifier: GPL-2.0
/*
 * PageVmemmap(): what it means, and that nobody takes it for anything else or
 * believes it of memmap that is not initialised.
 */

#include <linux/ksm.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/pagemap.h>

#include "fake_memmap.h"
#include "fake_section.h"
#include "mhp_validate.h"
#include "self_hosted.h"

static struct page *some_page(struct kunit *test)
{
	struct page *page = kunit_kzalloc(test, sizeof(*page), GFP_KERNEL);

	if (!VMEMMAP_PAGE)
		kunit_skip(test, "this kernel has no PageVmemmap(): the series is not in it");
	KUNIT_ASSERT_NOT_NULL(test, page);
	return page;
}

static void mark_takes_reserved_and_mapping(struct kunit *test)
{
	struct page *page = some_page(test);

	KUNIT_EXPECT_FALSE(test, PageVmemmap(page));
	__SetPageReserved(page);
	KUNIT_EXPECT_FALSE_MSG(test, PageVmemmap(page), "only reserved");
	__ClearPageReserved(page);
	page->mapping = (void *)VMEMMAP_PAGE;
	KUNIT_EXPECT_FALSE_MSG(test, PageVmemmap(page), "only the mapping");
	page->mapping = NULL;

	__SetPageVmemmap(page);
	KUNIT_EXPECT_TRUE(test, PageVmemmap(page));
	KUNIT_EXPECT_TRUE(test, PageReserved(page));
	__ClearPageVmemmap(page);
	KUNIT_EXPECT_FALSE(test, PageVmemmap(page));
	KUNIT_EXPECT_FALSE(test, PageReserved(page));
	KUNIT_EXPECT_NULL(test, page->mapping);
}

static void mark_is_no_other_kind_of_page(struct kunit *test)
{
	struct page *page = some_page(test);

	__SetPageVmemmap(page);
	KUNIT_EXPECT_FALSE(test, PageAnon(page));
	KUNIT_EXPECT_FALSE(test, PageKsm(page));
	KUNIT_EXPECT_FALSE(test, __PageMovable(page));
	KUNIT_EXPECT_FALSE(test, PageLRU(page));
	KUNIT_EXPECT_FALSE(test, PageMappingFlags(page));
}

/* Who asks for it follows it. */
static void mark_is_no_address_space(struct kunit *test)
{
	struct page *page = some_page(test);

	__SetPageVmemmap(page);
	KUNIT_EXPECT_NULL(test, folio_mapping(page_folio(page)));
}

/* As if the memory had held such pages before, where nothing is poisoned. */
static void forge(struct kunit *test, struct fake_range range, bool hosted)
{
	unsigned long pfn, host = self_hosted_host(test);
	unsigned long nr = hosted ? self_hosted_vmemmap_pages(test) : 0;

	for (pfn = range.pfn; pfn < range.pfn + range.nr_pages; pfn++) {
		struct page *page = pfn_to_page(pfn);

		if ((pfn - range.pfn) % host < nr)
			continue;
		memset(page, 0, sizeof(*page));
		__SetPageVmemmap(page);
	}
}

/*
 * As a hibernation leaves it: the memmap of offline memory is outside of all
 * zones, so the image does not hold it.
 */
static void lose(struct kunit *test, struct fake_range range, bool hosted)
{
	memset(pfn_to_page(range.pfn), 0x6b, range.nr_pages * sizeof(struct page));
}

struct ruin {
	const char *desc;
	void (*memmap)(struct kunit *test, struct fake_range range, bool hosted);
	bool hosted;
};

static const struct ruin ruins[] = {
	{ "forged marks, memory that hosts its memmap", forge, true },
	{ "forged marks, memory that does not", forge, false },
	{ "lost memmap, memory that hosts it", lose, true },
	{ "lost memmap, memory that does not", lose, false },
};

KUNIT_ARRAY_PARAM_DESC(ruins, ruins, desc);

/* Adds two blocks, and ruins their memmap while they are offline. */
static struct fake_range add_ruined(struct kunit *test, const struct ruin *ruin)
{
	struct fake_range range = fake_range(test, 2);

	KUNIT_ASSERT_EQ(test, fake_add(test, range, ruin->hosted ? SELF_HOSTED : MHP_NONE), 0);
	ruin->memmap(test, range, ruin->hosted);
	return range;
}

static void online(struct kunit *test, struct fake_range range, int online_type, bool hosted)
{
	KUNIT_ASSERT_EQ(test, fake_online(test, range, online_type), 0);
	if (hosted)
		self_hosted_expect(test, range);
	else
		self_hosted_expect_none(test, range);
}

/* Forged marks would be lost to the page allocator, and marks that were lost given to it. */
static void online_does_not_believe_offline_memmap(struct kunit *test)
{
	const struct ruin *ruin = test->param_value;
	struct fake_range range;

	self_hosted_mode(test);
	range = add_ruined(test, ruin);
	online(test, range, MMOP_ONLINE_MOVABLE, ruin->hosted);
	KUNIT_ASSERT_EQ(test, fake_offline(test, range), 0);
	ruin->memmap(test, range, ruin->hosted);
	online(test, range, MMOP_ONLINE_KERNEL, ruin->hosted);
}

/* It would be freed to nobody, or to the page allocator which never had it. */
static void remove_does_not_believe_offline_memmap(struct kunit *test)
{
	const struct ruin *ruin = test->param_value;
	struct mhp_state before, after;
	struct fake_range range;

	self_hosted_mode(test);
	mhp_state_take(&before);
	range = add_ruined(test, ruin);
	online(test, range, MMOP_ONLINE_KERNEL, ruin->hosted);
	KUNIT_ASSERT_EQ(test, fake_offline(test, range), 0);
	ruin->memmap(test, range, ruin->hosted);
	KUNIT_ASSERT_EQ(test, fake_remove(test, range), 0);
	mhp_state_take(&after);
	mhp_state_expect_equal(test, &before, &after);
}

#ifdef CONFIG_MHP_SELF_HOSTED
static void forget_marks(void *pfn)
{
	__pfn_to_section((unsigned long)pfn)->usage->nr_vmemmap_pages = 0;
}

/* For the first pages of an offline block, whose memmap is elsewhere and can be written */
static struct vmem_altmap *altmap_to_mark(struct kunit *test, struct fake_range range)
{
	self_hosted_host(test);
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	fake_add_action(test, forget_marks, (void *)range.pfn);
	return fake_altmap(test, range.pfn, range.nr_pages);
}

/* These and no more are marked, and their number is noted. */
static void expect_marked(struct kunit *test, struct fake_range range, unsigned long nr)
{
	unsigned long i;

	for (i = 0; i <= nr; i++)
		KUNIT_EXPECT_EQ_MSG(test, self_hosted_is_marked(range.pfn + i), i < nr,
				    "page %lu of %lu", i, nr);
	KUNIT_EXPECT_EQ(test, __pfn_to_section(range.pfn)->usage->nr_vmemmap_pages, nr);
}

/*
 *	| first section's memmap | second's |
 *
 * A host of several sections is marked once for each of them, and no page twice:
 * the struct pages are in use by then.
 */
static void mark_vmemmap_pages_marks_what_is_new(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	struct vmem_altmap *altmap = altmap_to_mark(test, range);

	altmap->alloc = 3;
	mark_vmemmap_pages(altmap, 0);
	expect_marked(test, range, 3);
	set_page_private(pfn_to_page(range.pfn + 2), 0x5a);
	altmap->alloc = 5;
	mark_vmemmap_pages(altmap, 0);
	expect_marked(test, range, 5);
	KUNIT_EXPECT_EQ(test, page_private(pfn_to_page(range.pfn + 2)), 0x5a);
}

/*
 *	| taken, and lost to alignment |
 *
 * What is lost lies before what is taken, so the last pages are in use.
 */
static void mark_vmemmap_pages_marks_padding(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	struct vmem_altmap *altmap = altmap_to_mark(test, range);

	altmap->alloc = 3;
	altmap->align = 2;
	mark_vmemmap_pages(altmap, 0);
	expect_marked(test, range, 5);
}
#else
SELF_HOSTED_SKIPPED(mark_vmemmap_pages_marks_what_is_new)
SELF_HOSTED_SKIPPED(mark_vmemmap_pages_marks_padding)
#endif /* CONFIG_MHP_SELF_HOSTED */

static struct kunit_case vmemmap_mark_cases[] = {
	KUNIT_CASE(mark_takes_reserved_and_mapping),
	KUNIT_CASE(mark_is_no_other_kind_of_page),
	KUNIT_CASE(mark_is_no_address_space),
	KUNIT_CASE(mark_vmemmap_pages_marks_what_is_new),
	KUNIT_CASE(mark_vmemmap_pages_marks_padding),
	KUNIT_CASE_PARAM(online_does_not_believe_offline_memmap, ruins_gen_params),
	KUNIT_CASE_PARAM(remove_does_not_believe_offline_memmap, ruins_gen_params),
	{}
};

static struct kunit_suite vmemmap_mark_suite = {
	.name = "mhp_vmemmap_mark",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = vmemmap_mark_cases,
};

kunit_test_suite(vmemmap_mark_suite);
