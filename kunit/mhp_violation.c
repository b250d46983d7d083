// SPDX-License-Identifier: GPL-2.0
/*
 * What the checks of the validator report with, and what they leave out because
 * a test wants it so.
 */

#include <linux/maple_tree.h>

#include "mhp_checks.h"

/* One check shall not push the others out. */
#define MAX_LINES_PER_CHECK	6

/**
 * mhp_violation() - report a violation; for the checks
 * @ctx: the validation
 * @fmt: what is wrong, with numbers, and where: one line
 *
 * May be called with spinlocks held.
 */
void mhp_violation(struct mhp_ctx *ctx, const char *fmt, ...)
{
	struct mhp_violations *found = ctx->found;
	struct mhp_violation *line;
	va_list args;

	found->count++;
	if (ctx->nr_of_check++ >= MAX_LINES_PER_CHECK || found->nr_lines == MHP_MAX_LINES)
		return;
	line = &found->line[found->nr_lines++];
	line->check = ctx->name;
	line->see = ctx->see;
	va_start(args, fmt);
	vsnprintf(line->text, sizeof(line->text), fmt, args);
	va_end(args);
}

struct mhp_name section_name(unsigned long section_nr)
{
	struct mhp_name name;

	scnprintf(name.s, sizeof(name.s), "section %lu (pfn %#lx-%#lx)", section_nr,
		  section_nr_to_pfn(section_nr), section_nr_to_pfn(section_nr + 1) - 1);
	return name;
}

struct mhp_name block_name(struct memory_block *mem)
{
	unsigned long end = mem->start_section_nr + mhp_sections_per_block();
	struct mhp_name name;

	scnprintf(name.s, sizeof(name.s), "memory block %u (pfn %#lx-%#lx)", mem->dev.id,
		  section_nr_to_pfn(mem->start_section_nr), section_nr_to_pfn(end) - 1);
	return name;
}

struct mhp_name zone_name(struct zone *zone)
{
	struct mhp_name name;

	scnprintf(name.s, sizeof(name.s), "node %d zone %s", zone_to_nid(zone), zone->name);
	return name;
}

/* How far a number of pages is off */
struct mhp_name off_by(long pages)
{
	const char *which = pages > 0 ? "many" : "few";
	const long per_section = PAGES_PER_SECTION;
	struct mhp_name name;

	if (pages % per_section)
		scnprintf(name.s, sizeof(name.s), "%ld too %s", abs(pages), which);
	else
		scnprintf(name.s, sizeof(name.s), "%ld too %s, which is %ld sections", abs(pages),
			  which, abs(pages) / per_section);
	return name;
}

static DEFINE_MTREE(bare_pfns);
static DEFINE_MTREE(isolated_pfns);

static void set_expected(struct maple_tree *mt, unsigned long pfn,
			 unsigned long nr_pages, bool expect)
{
	int err = mtree_store_range(mt, pfn, pfn + nr_pages - 1,
				    expect ? xa_mk_value(1) : NULL, GFP_KERNEL);

	WARN(err, "out of memory: the validator will report what is expected\n");
}

/**
 * mhp_validate_expect_bare() - say that a test plugs in sections by itself
 * @pfn: first page
 * @nr_pages: pages, whole sub-sections
 * @expect: true before they are added, false after they were removed
 *
 * Present sections have a memory block, or are ZONE_DEVICE.  What is added
 * through sparse_add_section(), __add_pages() or arch_add_memory() is neither.
 */
void mhp_validate_expect_bare(unsigned long pfn, unsigned long nr_pages, bool expect)
{
	set_expected(&bare_pfns, pfn, nr_pages, expect);
}

bool mhp_is_bare(unsigned long pfn)
{
	return mtree_load(&bare_pfns, pfn);
}

/**
 * mhp_validate_expect_isolated() - say that a test isolates pageblocks
 * @pfn: first page
 * @nr_pages: pages, whole pageblocks
 * @expect: true before they are isolated, false after they are no longer
 *
 * Elsewhere a pageblock that is isolated when nothing is going on is a
 * violation.
 */
void mhp_validate_expect_isolated(unsigned long pfn, unsigned long nr_pages, bool expect)
{
	set_expected(&isolated_pfns, pfn, nr_pages, expect);
}

bool mhp_is_isolation_expected(unsigned long pfn)
{
	return mtree_load(&isolated_pfns, pfn);
}
