// SPDX-License-Identifier: GPL-2.0
/*
 * What user space is shown of pages that hold the memmap of their own host, and
 * debugging aids that look at all pages:
 *
 *	| VVVV h ... | VVVV ...	|	online; h is held
 */

#include <linux/kernel-page-flags.h>
#include <linux/mm.h>

#include "contents.h"
#include "fake_section.h"
#include "log_lines.h"
#include "mhp_validate.h"
#include "self_hosted.h"
#include "user_file.h"

struct world {
	struct fake_range range;
	unsigned long nr;	/* vmemmap pages of a host */
	struct held *held;	/* the page after those of the first */
};

static struct world world(struct kunit *test)
{
	struct world w = { .range = self_hosted_online(test, 2, MMOP_ONLINE_MOVABLE) };

	w.nr = self_hosted_vmemmap_pages(test);
	w.held = contents_hold(test, w.range.pfn + w.nr, 1);
	return w;
}

static void end(struct kunit *test, struct world *w)
{
	contents_release(test, w->held);
	mhp_validate(test, "a look at all pages");
	self_hosted_expect(test, w->range);
}

/* A number for each page, from the first of the range to the one that is held */
static u64 *read_proc(struct kunit *test, const char *name, struct world *w)
{
	size_t size = (w->nr + 1) * sizeof(u64);
	u64 *values = kunit_kzalloc(test, size, GFP_KERNEL);

	if (!IS_ENABLED(CONFIG_PROC_PAGE_MONITOR))
		kunit_skip(test, "CONFIG_PROC_PAGE_MONITOR is not set");
	KUNIT_ASSERT_NOT_NULL(test, values);
	KUNIT_ASSERT_EQ(test, user_file_read(test, "proc", name, w->range.pfn * sizeof(u64),
					     values, size), size);
	return values;
}

static void kpageflags_say_reserved(struct kunit *test)
{
	const u64 others = BIT_ULL(KPF_ANON) | BIT_ULL(KPF_KSM) | BIT_ULL(KPF_LRU) |
			   BIT_ULL(KPF_BUDDY) | BIT_ULL(KPF_OFFLINE) | BIT_ULL(KPF_NOPAGE);
	struct world w = world(test);
	u64 *flags = read_proc(test, "kpageflags", &w);
	unsigned long i;

	for (i = 0; i < w.nr; i++) {
		KUNIT_ASSERT_TRUE_MSG(test, flags[i] & BIT_ULL(KPF_RESERVED), "page %lu", i);
		KUNIT_ASSERT_EQ_MSG(test, flags[i] & others, 0, "page %lu", i);
	}
	KUNIT_EXPECT_FALSE(test, flags[w.nr] & BIT_ULL(KPF_RESERVED));
	end(test, &w);
}

/* Nobody maps them. */
static void kpagecount_is_zero(struct kunit *test)
{
	struct world w = world(test);
	u64 *counts = read_proc(test, "kpagecount", &w);
	unsigned long i;

	for (i = 0; i < w.nr; i++)
		KUNIT_ASSERT_EQ_MSG(test, counts[i], 0, "page %lu", i);
	end(test, &w);
}

static void kpagecgroup_is_none(struct kunit *test)
{
	struct world w = world(test);
	unsigned long i;
	u64 *inodes;

	if (!IS_ENABLED(CONFIG_MEMCG))
		kunit_skip(test, "CONFIG_MEMCG is not set");
	inodes = read_proc(test, "kpagecgroup", &w);
	for (i = 0; i < w.nr; i++)
		KUNIT_ASSERT_EQ_MSG(test, inodes[i], 0, "page %lu", i);
	end(test, &w);
}

static void expect_owner(struct kunit *test, unsigned long pfn, const char *says)
{
	struct kmsg_dump_iter iter;

	log_lines_begin(&iter);
	dump_page(pfn_to_page(pfn), "a test wants to see who owns it");
	KUNIT_EXPECT_EQ_MSG(test, log_lines_count(&iter, says), 1, "pfn %#lx: %s", pfn, says);
}

/*
 * From the first vmemmap page on, the held page is the first that somebody owns.
 * The file has no pages without a stack trace, so none at all on UML, where
 * nobody takes one: there the log tells.
 */
static void page_owner_knows_no_owner(struct kunit *test)
{
	char text[1024] = "", pfn[32];
	struct world w;
	ssize_t len;

	if (!IS_ENABLED(CONFIG_PAGE_OWNER))
		kunit_skip(test, "CONFIG_PAGE_OWNER is not set");
	w = world(test);
	len = user_file_read(test, "debugfs", "page_owner", w.range.pfn, text, sizeof(text) - 1);
	if (len == -ENOENT)
		kunit_skip(test, "page_owner=on is not on the command line");
	KUNIT_EXPECT_GE(test, len, 0);
	snprintf(pfn, sizeof(pfn), "PFN 0x%lx ", w.range.pfn + w.nr);
	if (len)
		KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(text, pfn), "%snot in: %s", pfn, text);
	expect_owner(test, w.range.pfn, "page_owner info is not present");
	expect_owner(test, w.range.pfn + w.nr - 1, "page_owner info is not present");
	expect_owner(test, w.range.pfn + w.nr, "page_owner tracks the page as allocated");
	end(test, &w);
}

/*
 * It reads the struct pages of all that is in use, and there are none in the middle:
 *
 *	| VVVV ... |  removed  | VVVV ... |
 */
static void kmemleak_scans_around_them(struct kunit *test)
{
	struct fake_range range, middle;

	if (!IS_ENABLED(CONFIG_DEBUG_KMEMLEAK))
		kunit_skip(test, "CONFIG_DEBUG_KMEMLEAK is not set");
	range = self_hosted_online(test, 3, MMOP_ONLINE_MOVABLE);
	middle = fake_block(test, range, 1);
	KUNIT_ASSERT_EQ(test, fake_offline(test, middle), 0);
	KUNIT_ASSERT_EQ(test, fake_remove(test, middle), 0);
	KUNIT_EXPECT_EQ(test, user_file_write(test, "debugfs", "kmemleak", "scan"), 4);
	mhp_validate(test, "a scan");
	self_hosted_expect(test, fake_block(test, range, 0));
	self_hosted_expect(test, fake_block(test, range, 2));
}

static struct kunit_case vmemmap_user_cases[] = {
	KUNIT_CASE(kpageflags_say_reserved),
	KUNIT_CASE(kpagecount_is_zero),
	KUNIT_CASE(kpagecgroup_is_none),
	KUNIT_CASE(page_owner_knows_no_owner),
	KUNIT_CASE(kmemleak_scans_around_them),
	{}
};

static struct kunit_suite vmemmap_user_suite = {
	.name = "mhp_vmemmap_user",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = vmemmap_user_cases,
};

kunit_test_suite(vmemmap_user_suite);
