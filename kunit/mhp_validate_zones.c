// SPDX-License-Identifier: GPL-2.0
/*
 * Checks of zones against the pages that are online.
 *
 * check_online_pages() walks them once and adds up; the checks after it compare
 * what zones say with the sums.
 */

#include <linux/bitmap.h>
#include <linux/ioport.h>
#include <linux/nodemask.h>

#include "mhp_checks.h"

/*
 * Pages that the page allocator never had: boot memory that was never freed to
 * it, what a driver did not online, and the memmap that a block holds.
 */
static bool is_unmanaged(const struct page *page)
{
	return PageReserved(page) || PageOffline(page) || PageVmemmapSelfHosted(page);
}

/*
 * Pageblocks of boot memory without a single page of the page allocator, as the
 * last count had it.  There are many, they hardly ever change, and to look at
 * each struct page again and again is what a validation would spend its time
 * with.  check_zone_managed() counts again before it complains.
 */
static unsigned long *unmanaged_blocks;

/* RAM may begin and end within a pageblock, and the other half of it may be in use. */
static bool is_cachable(unsigned long pfn, unsigned long end_pfn)
{
	return end_pfn - pfn == pageblock_nr_pages && unmanaged_blocks &&
	       pfn_to_section_nr(pfn) <= mhp_boot.last_early_section;
}

static void forget_unmanaged_blocks(void)
{
	unsigned long nr = section_nr_to_pfn(mhp_boot.last_early_section + 1) >> pageblock_order;

	if (unmanaged_blocks)
		bitmap_zero(unmanaged_blocks, nr);
	else
		unmanaged_blocks = bitmap_zalloc(nr, GFP_KERNEL);
}

/* A free block has none, and need not be looked at page by page. */
static unsigned long scan_unmanaged(struct zone *zone, unsigned long pfn, unsigned long end_pfn)
{
	unsigned long count = 0, flags;

	spin_lock_irqsave(&zone->lock, flags);
	while (pfn < end_pfn) {
		struct page *page = pfn_to_page(pfn);

		if (PageBuddy(page) && page_private(page) <= MAX_PAGE_ORDER) {
			pfn += 1UL << page_private(page);
			continue;
		}
		count += is_unmanaged(page);
		pfn++;
	}
	spin_unlock_irqrestore(&zone->lock, flags);
	return count;
}

static unsigned long count_unmanaged(struct zone *zone, unsigned long pfn, unsigned long end_pfn)
{
	unsigned long count;

	if (is_cachable(pfn, end_pfn) && test_bit(pfn >> pageblock_order, unmanaged_blocks))
		return end_pfn - pfn;
	count = scan_unmanaged(zone, pfn, end_pfn);
	if (is_cachable(pfn, end_pfn) && count == end_pfn - pfn)
		__set_bit(pfn >> pageblock_order, unmanaged_blocks);
	return count;
}

/* Online pages of one pageblock; they are of one zone. */
static void survey_pageblock(struct mhp_ctx *ctx, struct page *page, unsigned long pfn,
			     unsigned long end_pfn)
{
	struct mhp_zone_survey *survey;
	struct zone *zone;

	if (PagePoisoned(page)) {
		mhp_violation(ctx, "%s: online, but the struct page of pfn %#lx is not initialised",
			      section_name(pfn_to_section_nr(pfn)).s, pfn);
		return;
	}
	zone = page_zone(page);
	if (!node_online(page_to_nid(page)) || mhp_zone_is_device(zone)) {
		mhp_violation(ctx,
			      "%s: online, but the struct page of pfn %#lx says node %d zone %d, flags %#lx",
			      section_name(pfn_to_section_nr(pfn)).s, pfn, page_to_nid(page),
			      page_zonenum(page), page->flags);
		return;
	}
	survey = mhp_survey_of(ctx, zone);
	if (!survey->present)
		survey->start_pfn = pfn;
	survey->end_pfn = end_pfn;
	survey->present += end_pfn - pfn;
	if (early_section(__pfn_to_section(pfn)))
		survey->early += end_pfn - pfn;
	survey->unmanaged += count_unmanaged(zone, pfn, end_pfn);
	if (get_pageblock_migratetype(page) == MIGRATE_ISOLATE) {
		survey->isolated++;
		survey->expected_isolated += mhp_is_isolation_expected(pfn);
	}
}

static int survey_range(unsigned long pfn, unsigned long nr_pages, void *arg)
{
	const unsigned long end = pfn + nr_pages;
	unsigned long next;

	for (; pfn < end; pfn = next) {
		struct page *page;

		if (!online_section_nr(pfn_to_section_nr(pfn))) {
			next = SECTION_ALIGN_UP(pfn + 1);
			continue;
		}
		next = min(end, pageblock_end_pfn(pfn));
		page = pfn_to_online_page(pfn);
		if (page)
			survey_pageblock(arg, page, pfn, next);
	}
	return 0;
}

/* What is online has struct pages that say so; adds up for the checks below. */
void check_online_pages(struct mhp_ctx *ctx)
{
	if (!unmanaged_blocks)
		forget_unmanaged_blocks();
	walk_system_ram_range(0, PHYS_PFN(PHYSMEM_END), ctx, survey_range);
}

/* present_pages and present_early_pages against what is online */
void check_zone_present(struct mhp_ctx *ctx)
{
	struct zone *zone;

	for_each_zone(zone) {
		struct mhp_zone_survey *survey = mhp_survey_of(ctx, zone);
		long off = zone->present_pages - survey->present;

		if (off)
			mhp_violation(ctx,
				      "%s: present_pages is %ld, but %lu pages are online: %s",
				      zone_name(zone).s, zone->present_pages, survey->present,
				      off_by(off).s);
		if (zone->present_early_pages != survey->early)
			mhp_violation(ctx,
				      "%s: present_early_pages is %ld, but %lu pages of boot memory are online",
				      zone_name(zone).s, zone->present_early_pages, survey->early);
	}
}

static bool is_managed_right(struct mhp_ctx *ctx)
{
	struct zone *zone;

	for_each_zone(zone) {
		struct mhp_zone_survey *survey = mhp_survey_of(ctx, zone);

		if (zone_managed_pages(zone) != survey->present - survey->unmanaged)
			return false;
	}
	return true;
}

static int recount_range(unsigned long pfn, unsigned long nr_pages, void *arg)
{
	const unsigned long end = pfn + nr_pages;
	struct mhp_ctx *ctx = arg;
	unsigned long next;

	for (; pfn < end; pfn = next) {
		struct page *page = pfn_to_online_page(pfn);
		struct zone *zone;

		next = min(end, pageblock_end_pfn(pfn));
		if (!page || PagePoisoned(page))
			continue;
		zone = page_zone(page);
		mhp_survey_of(ctx, zone)->unmanaged += count_unmanaged(zone, pfn, next);
	}
	return 0;
}

/* managed_pages against the pages that the page allocator was given */
void check_zone_managed(struct mhp_ctx *ctx)
{
	struct zone *zone;

	if (is_managed_right(ctx))
		return;
	forget_unmanaged_blocks();
	for_each_zone(zone)
		mhp_survey_of(ctx, zone)->unmanaged = 0;
	walk_system_ram_range(0, PHYS_PFN(PHYSMEM_END), ctx, recount_range);

	for_each_zone(zone) {
		struct mhp_zone_survey *survey = mhp_survey_of(ctx, zone);
		long want = survey->present - survey->unmanaged;
		long off = zone_managed_pages(zone) - want;

		if (off)
			mhp_violation(ctx,
				      "%s: managed_pages is %ld, but %ld of %lu online pages are the page allocator's: %s",
				      zone_name(zone).s, zone_managed_pages(zone), want,
				      survey->present, off_by(off).s);
	}
}

/*
 * The span of a zone goes from the first of its pages to the last; when it
 * shrinks, in steps of a sub-section.  That of boot may be wider, and
 * ZONE_DEVICE never shrinks.
 */
static bool is_span_right(struct zone *zone, const struct mhp_zone_survey *survey)
{
	const unsigned long boot_start = mhp_boot.zone_start_pfn[mhp_zone_index(zone)];
	const unsigned long boot_end = mhp_boot.zone_end_pfn[mhp_zone_index(zone)];
	const unsigned long start = zone->zone_start_pfn;
	const unsigned long end = zone_end_pfn(zone);

	if (!survey->present)
		return !zone->spanned_pages;
	if (start > survey->start_pfn || end < survey->end_pfn)
		return false;
	return (start >= SUBSECTION_ALIGN_DOWN(survey->start_pfn) || start == boot_start) &&
	       (end <= SUBSECTION_ALIGN_UP(survey->end_pfn) || end == boot_end);
}

void check_zone_span(struct mhp_ctx *ctx)
{
	struct zone *zone;

	for_each_zone(zone) {
		struct mhp_zone_survey *survey = mhp_survey_of(ctx, zone);

		if (mhp_zone_is_device(zone) || is_span_right(zone, survey))
			continue;
		mhp_violation(ctx,
			      "%s: spans %lu pages, pfn %#lx-%#lx, but its %lu online pages are in pfn %#lx-%#lx",
			      zone_name(zone).s, zone->spanned_pages, zone->zone_start_pfn,
			      zone_end_pfn(zone) - 1, survey->present, survey->start_pfn,
			      survey->end_pfn - 1);
	}
}

static bool is_whole_pageblock_of(struct zone *zone, unsigned long pfn, unsigned long end_pfn)
{
	struct page *first = pfn_to_online_page(pfn);
	struct page *last = pfn_to_online_page(end_pfn - 1);

	return first && last && !PagePoisoned(first) && !PagePoisoned(last) &&
	       page_zone(first) == zone && page_zone(last) == zone;
}

/* A zone that is marked contiguous has no holes; one that is not may have none. */
void check_zone_contiguous(struct mhp_ctx *ctx)
{
	struct zone *zone;

	for_each_zone(zone) {
		unsigned long pfn, next;

		if (!zone->contiguous)
			continue;
		for (pfn = zone->zone_start_pfn; pfn < zone_end_pfn(zone); pfn = next) {
			next = min(pageblock_end_pfn(pfn), zone_end_pfn(zone));
			if (is_whole_pageblock_of(zone, pfn, next))
				continue;
			mhp_violation(ctx,
				      "%s: marked contiguous over pfn %#lx-%#lx, but pfn %#lx-%#lx in %s is not online in it",
				      zone_name(zone).s, zone->zone_start_pfn,
				      zone_end_pfn(zone) - 1, pfn, next - 1,
				      section_name(pfn_to_section_nr(pfn)).s);
			break;
		}
	}
}
