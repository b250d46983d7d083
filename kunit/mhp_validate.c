// SPDX-License-Identifier: GPL-2.0
/*
 * The validator of memory hotplug: the table of checks, and how a case is told
 * what they found.  The checks are in mhp_validate_*.c.
 */

#include <linux/device.h>
#include <linux/jhash.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include "mhp_checks.h"

/**
 * struct mhp_check - a check
 * @name: its name; the function is check_<name>()
 * @check: reports what is wrong through mhp_violation()
 * @see: the functions of mm/ that are to keep it right, for the reader of a report
 * @reads_memmap: is left out once the memmap is known to be not all there, since
 *		  to read it would end the run without a word
 */
struct mhp_check {
	const char *name;
	void (*check)(struct mhp_ctx *ctx);
	const char *see;
	bool reads_memmap;
};

/* What a check relies on has been looked at by those before it. */
static const struct mhp_check checks[] = {
	{ "section_flags", check_section_flags,
	  "sparse_init_one_section(), section_deactivate(), online_mem_sections()" },
	{ "section_usage", check_section_usage,
	  "section_activate(), section_deactivate()" },
	{ "subsection_map", check_subsection_map,
	  "fill_subsection_map(), clear_subsection_map()" },
	{ "vmemmap_mapping", check_vmemmap_mapping,
	  "vmemmap_populate(), vmemmap_free(), section_deactivate()" },
	{ "memmap_counters", check_memmap_counters,
	  "populate_section_memmap(), depopulate_section_memmap(), free_map_bootmem()" },
	{ "block_sections", check_block_sections,
	  "create_memory_block_devices(), remove_memory_block_devices()" },
	{ "bare_sections", check_bare_sections,
	  "create_memory_block_devices(), __remove_pages(), __add_pages() that failed" },
	{ "block_state", check_block_state,
	  "memory_block_change_state(), online_mem_sections(), offline_mem_sections()" },
	{ "block_altmap", check_block_altmap,
	  "create_altmaps_and_memory_blocks(), altmap_alloc_block_buf()" },
	{ "system_ram", check_system_ram,
	  "register_memory_resource(), release_mem_region_adjustable()" },
	{ "max_pfn", check_max_pfn,
	  "arch_add_memory()" },
	{ "node", check_node,
	  "update_pgdat_span(), adjust_present_page_count(), node_states_set_node()" },
	{ "zonelists", check_zonelists,
	  "build_all_zonelists() in online_pages() and offline_pages()" },
	{ "pcp", check_pcp,
	  "zone_pcp_enable() and lru_cache_enable() in offline_pages()" },
	{ "totalram", check_totalram,
	  "adjust_managed_page_count(), __free_pages_core()" },
	{ "offline_memmap", check_offline_memmap,
	  "remove_pfn_range_from_zone(), sparse_add_section()", true },
	{ "online_pages", check_online_pages,
	  "move_pfn_range_to_zone(), memmap_init_range()", true },
	{ "vmemmap_backing", check_vmemmap_backing,
	  "vmemmap_alloc_block_buf(), vmemmap_free()", true },
	{ "vmemmap_marks", check_vmemmap_marks,
	  "mark_vmemmap_pages(), restore_vmemmap_marks(), remove_pfn_range_from_zone()", true },
	{ "block_zone", check_block_zone,
	  "memory_block_online(), memory_block_offline()", true },
	{ "memory_groups", check_memory_groups,
	  "adjust_present_page_count(), remove_memory_block()", true },
	{ "zone_span", check_zone_span,
	  "move_pfn_range_to_zone(), remove_pfn_range_from_zone()", true },
	{ "zone_present", check_zone_present,
	  "adjust_present_page_count() in online_pages() and offline_pages()", true },
	{ "zone_managed", check_zone_managed,
	  "__free_pages_core(), adjust_managed_page_count() in offline_pages()", true },
	{ "zone_contiguous", check_zone_contiguous,
	  "clear_zone_contiguous(), set_zone_contiguous()", true },
	{ "isolation", check_isolation,
	  "start_isolate_page_range(), undo_isolate_page_range(), nr_isolate_pageblock in online_pages() and offline_pages()",
	  true },
	{ "free_lists", check_free_lists,
	  "__offline_isolated_pages(), move_freepages_block_isolate()", true },
};

struct mhp_boot mhp_boot;

/* Serializes validations, and protects what is static below. */
static DEFINE_MUTEX(validate_lock);

/* The first validation of all sees the state that booting left. */
static int look_at_boot(struct mhp_ctx *ctx)
{
	static bool done;
	unsigned long nr, want, want_boot;
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
	mhp_expected_memmap(&want, &want_boot);
	mhp_boot.memmap_extra = ctx->memmap_pages - want;
	mhp_boot.memmap_boot_extra = ctx->memmap_boot_pages - want_boot;
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
	mhp_memmap_counters(&ctx.memmap_pages, &ctx.memmap_boot_pages);
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
		ctx.see = checks[i].see;
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
	u32 hash[64];		/* of what was reported since all was right */
	unsigned int nr;
	char test[64];		/* the case that had it first, */
	char after[64];		/* and the operation in it */
} last;

static u32 hash_of(const struct mhp_violation *line)
{
	return jhash(line->text, strlen(line->text), 0);
}

static bool is_known(const struct mhp_violation *line)
{
	int i;

	for (i = 0; i < min(last.nr, ARRAY_SIZE(last.hash)); i++)
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
	/* Once for each case that finds it; that case need not have to do with it. */
	if (test->status == KUNIT_FAILURE)
		return;
	KUNIT_FAIL(test,
		   "after %s: what %s did to the state of memory hotplug with %s is still there (%u violations)",
		   after, last.test, last.after, found->count);
}

static void report_lines(struct kunit *test, const char *after,
			 const struct mhp_violations *found)
{
	const char *see = NULL;
	int i;

	for (i = 0; i < found->nr_lines; i++) {
		const struct mhp_violation *line = &found->line[i];

		if (is_known(line))
			continue;
		if (see && see != line->see)
			kunit_err(test, "        see %s\n", see);
		kunit_err(test, "    after %s: %s: %s\n", after, line->check, line->text);
		see = line->see;
	}
	if (see)
		kunit_err(test, "        see %s\n", see);
}

static void report(struct kunit *test, const char *after,
		   const struct mhp_violations *found)
{
	int i;

	KUNIT_FAIL(test, "after %s: the state of memory hotplug is not consistent, %u violations:",
		   after, found->count);
	report_lines(test, after, found);
	if (found->count > found->nr_lines)
		kunit_err(test, "    and %u more\n", found->count - found->nr_lines);
	if (found->memmap_unsafe)
		kunit_err(test,
			  "    struct pages were not looked at: part of the memmap is not there\n");

	for (i = 0; i < found->nr_lines; i++)
		if (!is_known(&found->line[i]))
			last.hash[last.nr++ % ARRAY_SIZE(last.hash)] = hash_of(&found->line[i]);
	strscpy(last.test, test->name);
	strscpy(last.after, after);
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
