// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the validator: sections, memory blocks, resources and the memmap.
 * Each check has to find what is planted for it, and nothing else may.
 */

#include <linux/bitmap.h>
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/slab.h>
#include <linux/vmstat.h>
#include <asm/tlbflush.h>

#include "mhp_checks.h"
#include "mhp_planted.h"

static void nothing_planted(struct kunit *test)
{
	planted_look(test);
	planted_expect_nothing(test);
	planted_online(test, 2);
	planted_look(test);
	planted_expect_nothing(test);
}

static void section_flags_of_an_absent_section(struct kunit *test)
{
	struct fake_range range = planted_offline(test, 1);
	struct mem_section *ms = __pfn_to_section(range.pfn + range.nr_pages);

	if (!ms || present_section(ms))
		kunit_skip(test, "the next section has no struct mem_section");
	ms->section_mem_map = SECTION_IS_ONLINE;
	planted_look(test);
	ms->section_mem_map = 0;
	planted_expect(test, "section_flags");
}

static void section_flags_of_a_section_without_memmap(struct kunit *test)
{
	struct fake_range range = planted_offline(test, 1);
	struct mem_section *ms = __pfn_to_section(range.pfn);

	ms->section_mem_map &= ~SECTION_HAS_MEM_MAP;
	planted_look(test);
	ms->section_mem_map |= SECTION_HAS_MEM_MAP;
	planted_expect(test, "section_flags");
}

static void section_flags_of_a_hot_added_section_marked_early(struct kunit *test)
{
	struct fake_range range = planted_offline(test, 1);
	struct mem_section *ms = __pfn_to_section(range.pfn);

	ms->section_mem_map |= SECTION_IS_EARLY;
	planted_look(test);
	ms->section_mem_map &= ~SECTION_IS_EARLY;
	planted_expect(test, "section_flags", "memmap_counters");
}

static void section_flags_of_an_online_section_tainted(struct kunit *test)
{
#ifdef CONFIG_ZONE_DEVICE
	struct fake_range range = planted_online(test, 1);
	struct mem_section *ms = __pfn_to_section(range.pfn);

	ms->section_mem_map |= SECTION_TAINT_ZONE_DEVICE;
	planted_look(test);
	ms->section_mem_map &= ~SECTION_TAINT_ZONE_DEVICE;
	planted_expect(test, "section_flags");
#endif
}

static void section_usage_left_by_an_absent_section(struct kunit *test)
{
	struct fake_range range = planted_offline(test, 1);
	struct mem_section *ms = __pfn_to_section(range.pfn + range.nr_pages);
	struct mem_section_usage *usage;

	if (!ms || present_section(ms))
		kunit_skip(test, "the next section has no struct mem_section");
	usage = kunit_kzalloc(test, mem_section_usage_size(), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, usage);
	ms->usage = usage;
	planted_look(test);
	ms->usage = NULL;
	planted_expect(test, "section_usage");
}

/*
 * One sub-section is not marked:
 *
 *	map	| 0 | 1 | 1 |  ..  | 1 |
 *	memmap	|#######################|	mapped
 */
static void subsection_map_of_an_online_section(struct kunit *test)
{
	struct fake_range range = planted_online(test, 1);
	struct mem_section *ms = __pfn_to_section(range.pfn);

	if (MAX_ORDER_NR_PAGES > PAGES_PER_SUBSECTION)
		kunit_skip(test, "a free page may be larger than a sub-section");
	clear_bit(SUBSECTIONS_PER_SECTION - 1, ms->usage->subsection_map);
	planted_look(test);
	set_bit(SUBSECTIONS_PER_SECTION - 1, ms->usage->subsection_map);
	planted_expect(test, "subsection_map", "vmemmap_mapping", "memmap_counters", "system_ram",
		       "zone_span", "zone_present", "zone_managed", "free_lists");
}

static int get_pte(pte_t *pte, unsigned long addr, void *arg)
{
	*(pte_t **)arg = pte;
	return 0;
}

/* The PTE of the struct page of @pfn; page tables are made where there are none. */
static pte_t *memmap_pte(struct kunit *test, unsigned long pfn)
{
	unsigned long addr = (unsigned long)pfn_to_page(pfn) & PAGE_MASK;
	pte_t *pte = NULL;

	if (!mhp_memmap_can_be_walked())
		kunit_skip(test, "the memmap is not mapped by page tables here");
	if (pfn_valid(pfn) && pmd_leaf(*pmd_off_k(addr)))
		kunit_skip(test, "the memmap is not mapped with base pages");
	KUNIT_ASSERT_EQ(test, 0, apply_to_page_range(&init_mm, addr, PAGE_SIZE, get_pte, &pte));
	KUNIT_ASSERT_NOT_NULL(test, pte);
	return pte;
}

static void swap_pte(unsigned long pfn, pte_t *pte, pte_t entry)
{
	unsigned long addr = (unsigned long)pfn_to_page(pfn) & PAGE_MASK;

	if (pte_none(entry))
		pte_clear(&init_mm, addr, pte);
	else
		set_pte_at(&init_mm, addr, pte, entry);
}

/*
 * Where the MMU is not told of it, what a PTE says is for the validator alone;
 * nobody else reads these struct pages.
 */
static void look_with_pte(struct kunit *test, unsigned long pfn, pte_t *pte, pte_t entry)
{
	pte_t was = ptep_get(pte);

	swap_pte(pfn, pte, entry);
	planted_look(test);
	swap_pte(pfn, pte, was);
	flush_tlb_kernel_range((unsigned long)pfn_to_page(pfn) & PAGE_MASK,
			       ((unsigned long)pfn_to_page(pfn) & PAGE_MASK) + PAGE_SIZE);
}

static void vmemmap_mapping_of_an_absent_section(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	struct page *page = alloc_page(GFP_KERNEL);
	pte_t *pte = memmap_pte(test, range.pfn);

	KUNIT_ASSERT_NOT_NULL(test, page);
	look_with_pte(test, range.pfn, pte, mk_pte(page, PAGE_KERNEL));
	__free_page(page);
	planted_expect(test, "vmemmap_mapping");
}

static void vmemmap_mapping_missing(struct kunit *test)
{
	struct fake_range range = planted_offline(test, 1);

	look_with_pte(test, range.pfn, memmap_pte(test, range.pfn), __pte(0));
	planted_expect(test, "vmemmap_mapping");
}

static void vmemmap_backing_in_an_offline_page(struct kunit *test)
{
	struct fake_range range = planted_offline(test, 1);
	pte_t *pte = memmap_pte(test, range.pfn);

	look_with_pte(test, range.pfn, pte,
		      pfn_pte(range.pfn + range.nr_pages - 1, PAGE_KERNEL));
	planted_expect(test, "vmemmap_backing");
}

static void vmemmap_backing_in_a_free_page(struct kunit *test)
{
	struct fake_range range = planted_offline(test, 1);
	struct fake_range online = planted_online(test, 1);
	pte_t *pte = memmap_pte(test, range.pfn);

	look_with_pte(test, range.pfn, pte, pfn_pte(online.pfn, PAGE_KERNEL));
	planted_expect(test, "vmemmap_backing");
}

static void memmap_counters_off_by_one(struct kunit *test)
{
	if (!mhp_memmap_is_countable())
		kunit_skip(test, "the counters are not exact with this configuration");
	memmap_pages_add(1);
	planted_look(test);
	memmap_pages_add(-1);
	planted_expect(test, "memmap_counters");

	memmap_boot_pages_add(-1);
	planted_look(test);
	memmap_boot_pages_add(1);
	planted_expect(test, "memmap_counters");
}

static void block_sections_of_another_block(struct kunit *test)
{
	struct memory_block *mem = planted_block(test, planted_offline(test, 1));

	mem->dev.id++;
	planted_look(test);
	mem->dev.id--;
	planted_expect(test, "block_sections");
}

static void bare_sections_not_announced(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);

	KUNIT_ASSERT_EQ(test, fake_plug(test, range, NULL), 0);
	mhp_validate_expect_bare(range.pfn, range.nr_pages, false);
	planted_look(test);
	mhp_validate_expect_bare(range.pfn, range.nr_pages, true);
	planted_expect(test, "bare_sections");
}

static void block_state_half_way(struct kunit *test)
{
	struct memory_block *mem = planted_block(test, planted_offline(test, 1));

	mem->state = MEM_GOING_OFFLINE;
	planted_look(test);
	mem->state = MEM_OFFLINE;
	planted_expect(test, "block_state");
}

static void block_state_other_than_its_sections(struct kunit *test)
{
	struct fake_range range = planted_online(test, 1);

	/* The pages of an offline section are not there for zones and free lists. */
	offline_mem_sections(range.pfn, range.pfn + PAGES_PER_SECTION);
	planted_look(test);
	online_mem_sections(range.pfn, range.pfn + PAGES_PER_SECTION);
	planted_expect(test, "block_state", "offline_memmap", "zone_span", "zone_present",
		       "zone_managed", "free_lists");
}

static void block_zone_is_another(struct kunit *test)
{
	struct memory_block *mem = planted_block(test, planted_online(test, 1));

	mem->zone = fake_zone(ZONE_NORMAL);
	planted_look(test);
	mem->zone = fake_zone(ZONE_MOVABLE);
	planted_expect(test, "block_zone");
}

static void block_zone_of_an_offline_block(struct kunit *test)
{
	struct memory_block *mem = planted_block(test, planted_offline(test, 1));

	mem->zone = fake_zone(ZONE_NORMAL);
	planted_look(test);
	mem->zone = NULL;
	planted_expect(test, "block_zone");
}

static void block_altmap_too_short(struct kunit *test)
{
	struct fake_range range = planted_offline(test, 1);
	struct memory_block *mem = planted_block(test, range);
	struct vmem_altmap altmap = {
		.base_pfn = range.pfn,
		.free = pageblock_nr_pages,
	};

	mem->altmap = &altmap;
	planted_look(test);
	mem->altmap = NULL;
	planted_expect(test, "block_altmap", "vmemmap_backing");
}

static void memory_groups_count_wrong(struct kunit *test)
{
	struct memory_block *mem = planted_block(test, planted_offline(test, 1));
	struct memory_group group = {};

	INIT_LIST_HEAD(&group.memory_blocks);
	mem->group = &group;
	list_add(&mem->group_next, &group.memory_blocks);
	planted_look(test);
	planted_expect_nothing(test);

	group.present_movable_pages = PAGES_PER_SECTION;
	planted_look(test);
	planted_expect(test, "memory_groups");

	list_del_init(&mem->group_next);
	mem->group = NULL;
}

static void system_ram_without_memory(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	struct resource *res;

	res = request_mem_region(range.start, range.size, "System RAM (planted)");
	KUNIT_ASSERT_NOT_NULL(test, res);
	res->flags |= IORESOURCE_SYSRAM;
	planted_look(test);
	release_mem_region(range.start, range.size);
	planted_expect(test, "system_ram");
}

static void system_ram_missing(struct kunit *test)
{
	struct fake_range range = planted_offline(test, 1);
	struct resource *res = iomem_resource.child;

	while (res && res->start != range.start)
		res = res->sibling;
	KUNIT_ASSERT_NOT_NULL(test, res);
	res->flags &= ~IORESOURCE_SYSRAM;
	planted_look(test);
	res->flags |= IORESOURCE_SYSRAM;
	planted_expect(test, "system_ram");
}

static void offline_memmap_not_poisoned(struct kunit *test)
{
	struct fake_range range = planted_offline(test, 1);
	struct page *page = pfn_to_page(range.pfn + PAGES_PER_SECTION - 1);
	unsigned long flags = page->flags;

	if (!PagePoisoned(page))
		kunit_skip(test, "struct pages are not poisoned with this configuration");
	page->flags = 0;
	planted_look(test);
	page->flags = flags;
	planted_expect(test, "offline_memmap");
}

static struct kunit_case validate_cases[] = {
	KUNIT_CASE(nothing_planted),
	KUNIT_CASE(section_flags_of_an_absent_section),
	KUNIT_CASE(section_flags_of_a_section_without_memmap),
	KUNIT_CASE(section_flags_of_a_hot_added_section_marked_early),
	KUNIT_CASE(section_flags_of_an_online_section_tainted),
	KUNIT_CASE(section_usage_left_by_an_absent_section),
	KUNIT_CASE(subsection_map_of_an_online_section),
	KUNIT_CASE(vmemmap_mapping_of_an_absent_section),
	KUNIT_CASE(vmemmap_mapping_missing),
	KUNIT_CASE(vmemmap_backing_in_an_offline_page),
	KUNIT_CASE(vmemmap_backing_in_a_free_page),
	KUNIT_CASE(memmap_counters_off_by_one),
	KUNIT_CASE(block_sections_of_another_block),
	KUNIT_CASE(bare_sections_not_announced),
	KUNIT_CASE(block_state_half_way),
	KUNIT_CASE(block_state_other_than_its_sections),
	KUNIT_CASE(block_zone_is_another),
	KUNIT_CASE(block_zone_of_an_offline_block),
	KUNIT_CASE(block_altmap_too_short),
	KUNIT_CASE(memory_groups_count_wrong),
	KUNIT_CASE(system_ram_without_memory),
	KUNIT_CASE(system_ram_missing),
	KUNIT_CASE(offline_memmap_not_poisoned),
	{}
};

static struct kunit_suite validate_suite = {
	.name = "mhp_validate",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = validate_cases,
};

kunit_test_suite(validate_suite);
