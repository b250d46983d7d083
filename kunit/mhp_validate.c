// SPDX-License-Identifier: GPL-2.0
/*
 * The validator of memory hotplug: the table of checks, and how it tells what
 * they found.  The checks are in mhp_validate_*.c.
 */

#include <linux/device.h>
#include <linux/jhash.h>
#include <linux/maple_tree.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include "mhp_checks.h"

/* One check shall not push the others out. */
#define MAX_LINES_PER_CHECK	6

/*
 * In this order: what a check relies on has been looked at by those before it.
 * A check that reads struct pages is left out once the memmap is known to be
 * not all there, since reading it would end the run without a word.
 */
static const struct {
	const char *name;
	void (*check)(struct mhp_ctx *ctx);
	bool reads_memmap;
} checks[] = {
	{ "section_flags", check_section_flags },
	{ "section_usage", check_section_usage },
	{ "subsection_map", check_subsection_map },
	{ "vmemmap_mapping", check_vmemmap_mapping },
	{ "memmap_counters", check_memmap_counters },
	{ "block_sections", check_block_sections },
	{ "bare_sections", check_bare_sections },
	{ "block_state", check_block_state },
	{ "block_altmap", check_block_altmap },
	{ "system_ram", check_system_ram },
	{ "max_pfn", check_max_pfn },
	{ "node", check_node },
	{ "zonelists", check_zonelists },
	{ "pcp", check_pcp },
	{ "totalram", check_totalram },
	{ "offline_memmap", check_offline_memmap, true },
	{ "online_pages", check_online_pages, true },
	{ "vmemmap_backing", check_vmemmap_backing, true },
	{ "block_zone", check_block_zone, true },
	{ "memory_groups", check_memory_groups, true },
	{ "zone_span", check_zone_span, true },
	{ "zone_present", check_zone_present, true },
	{ "zone_managed", check_zone_managed, true },
	{ "zone_contiguous", check_zone_contiguous, true },
	{ "isolation", check_isolation, true },
	{ "free_lists", check_free_lists, true },
};

struct mhp_boot mhp_boot;

/* Serializes validations, and protects what is static below. */
static DEFINE_MUTEX(validate_lock);

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

/* The first validation of all sees the state that booting left. */
static int look_at_boot(struct mhp_ctx *ctx)
{
	static bool done;
	unsigned long nr, pages, boot_pages, want, want_boot;
	struct zone *zone;

	if (done)
		return 0;
	mhp_boot.zone_start_pfn = kcalloc(nr_node_ids * MAX_NR_ZONES, sizeof(long), GFP_KERNEL);
	mhp_boot.zone_end_pfn = kcalloc(nr_node_ids * MAX_NR_ZONES, sizeof(long), GFP_KERNEL);
	if (!mhp_boot.zone_start_pfn || !mhp_boot.zone_end_pfn)
		return -ENOMEM;

	for (nr = next_present_section_nr(-1); nr != -1; nr = next_present_section_nr(nr)) {
		if (!early_section(__nr_to_section(nr)))
			continue;
		mhp_boot.early_sections++;
		mhp_boot.last_early_section = nr;
	}
	mhp_memmap_counters(&pages, &boot_pages);
	mhp_expected_memmap(&want, &want_boot);
	mhp_boot.memmap_extra = pages - want;
	mhp_boot.memmap_boot_extra = boot_pages - want_boot;
	for_each_zone(zone) {
		mhp_boot.zone_start_pfn[mhp_zone_index(zone)] = zone->zone_start_pfn;
		mhp_boot.zone_end_pfn[mhp_zone_index(zone)] = zone_end_pfn(zone);
	}
	done = true;
	return 0;
}

static int run_checks(struct mhp_violations *found)
{
	/* Kept, so that validating does not move what is validated. */
	static struct mhp_zone_survey *zones;
	struct mhp_ctx ctx = { .found = found };
	int i, err = 0;

	memset(found, 0, offsetof(struct mhp_violations, line));
	lock_device_hotplug();
	get_online_mems();
	if (!zones)
		zones = kcalloc(nr_node_ids * MAX_NR_ZONES, sizeof(*zones), GFP_KERNEL);
	if (zones) {
		memset(zones, 0, nr_node_ids * MAX_NR_ZONES * sizeof(*zones));
		ctx.zones = zones;
		err = look_at_boot(&ctx);
	}
	if (!zones || err) {
		ctx.name = "validator";
		mhp_violation(&ctx, "out of memory");
		goto out;
	}
	for (i = 0; i < ARRAY_SIZE(checks); i++) {
		if (checks[i].reads_memmap && found->memmap_unsafe)
			continue;
		ctx.name = checks[i].name;
		ctx.nr_of_check = 0;
		checks[i].check(&ctx);
	}
out:
	put_online_mems();
	unlock_device_hotplug();
	return found->count;
}

/**
 * mhp_find_violations() - validate, and leave it to the caller what to do
 * @found: what was found
 *
 * Return: how many violations.
 */
int mhp_find_violations(struct mhp_violations *found)
{
	int count;

	mutex_lock(&validate_lock);
	count = run_checks(found);
	mutex_unlock(&validate_lock);
	return count;
}

/*
 * What is wrong stays wrong: later operations and cases find it too, but are
 * not to bury the operation that did it under the same lines again and again.
 */
static struct {
	u32 hash[MHP_MAX_LINES];
	unsigned int nr;
	char test[64];		/* the case that had it first, */
	char after[64];		/* and the operation in it */
	struct kunit *told;	/* the last case that was failed for it */
} last;

static u32 hash_of(const struct mhp_violation *line)
{
	return jhash(line->text, strlen(line->text), 0);
}

static bool is_known(const struct mhp_violation *line)
{
	int i;

	for (i = 0; i < last.nr; i++)
		if (last.hash[i] == hash_of(line))
			return true;
	return false;
}

static bool is_all_known(const struct mhp_violations *found)
{
	int i;

	for (i = 0; i < found->nr_lines; i++)
		if (!is_known(&found->line[i]))
			return false;
	return true;
}

static void report_again(struct kunit *test, const char *after,
			 const struct mhp_violations *found)
{
	if (last.told != test)
		KUNIT_FAIL(test,
			   "after %s: what %s did to the state of memory hotplug with %s is still there (%u violations)",
			   after, last.test, last.after, found->count);
	last.told = test;
}

static void report(struct kunit *test, const char *after,
		   const struct mhp_violations *found)
{
	int i;

	KUNIT_FAIL(test, "after %s: the state of memory hotplug is not consistent, %u violations:",
		   after, found->count);
	for (i = 0; i < found->nr_lines; i++)
		if (!is_known(&found->line[i]))
			kunit_err(test, "    after %s: %s: %s\n", after,
				  found->line[i].check, found->line[i].text);
	if (found->count > found->nr_lines)
		kunit_err(test, "    and %u more\n", found->count - found->nr_lines);
	if (found->memmap_unsafe)
		kunit_err(test,
			  "    struct pages were not looked at: part of the memmap is not there\n");

	last.nr = found->nr_lines;
	for (i = 0; i < found->nr_lines; i++)
		last.hash[i] = hash_of(&found->line[i]);
	strscpy(last.test, test->name);
	strscpy(last.after, after);
	last.told = test;
}

/**
 * mhp_validate() - check the state of memory hotplug
 * @test: the running case; it fails when something is wrong, and goes on
 * @after: the operation that was just done
 *
 * Prints nothing when all is right.
 */
void mhp_validate(struct kunit *test, const char *after)
{
	static struct mhp_violations found;

	mutex_lock(&validate_lock);
	if (!run_checks(&found))
		last.nr = 0;
	else if (is_all_known(&found))
		report_again(test, after, &found);
	else
		report(test, after, &found);
	mutex_unlock(&validate_lock);
}
