// SPDX-License-Identifier: GPL-2.0
/*
 * vmemmap_populate*() and vmemmap_free() called directly on a hole, and what
 * comes of it in the page tables: remove_pagetable(), free_pagetable(),
 * free_hugepage_table() and the functions for each level.
 */

#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <asm/cpufeature.h>
#include <asm/pgtable_types.h>

#include "fake_section.h"
#include "mhp_validate.h"
#include "self_hosted.h"
#include "vmemmap_hole.h"

#define PMD_PAGES	(PMD_SIZE / PAGE_SIZE)
#define PMD_ORDER	(PMD_SHIFT - PAGE_SHIFT)

static void need_pse(struct kunit *test)
{
	if (!boot_cpu_has(X86_FEATURE_PSE))
		kunit_skip(test, "this CPU has no 2 MiB pages");
}

/* Mapped as one page, of the page allocator, and given back as one. */
static void free_huge_gives_all_back(struct kunit *test)
{
	unsigned long start = hole_start(), before = fake_free_pages();

	need_pse(test);
	hole_populate_huge(test, start, PMD_SIZE, NULL);
	hole_expect_level(test, start, PMD_SIZE, PG_LEVEL_2M);
	/* The page and the PMD table; with five levels a PUD table, too. */
	KUNIT_EXPECT_EQ(test, before - fake_free_pages(),
			PMD_PAGES + 1 + pgtable_l5_enabled());
	hole_fill(start, PMD_SIZE, 0xa5);
	hole_expect_filled(test, start, PMD_SIZE, 0xa5);

	hole_free(start, PMD_SIZE, NULL);
	hole_expect_level(test, start, PMD_SIZE, PG_LEVEL_NONE);
	KUNIT_EXPECT_FALSE(test, hole_has_pmd_table(start));
	KUNIT_EXPECT_EQ(test, fake_free_pages(), before);
}

static void free_base_pages_gives_all_back(struct kunit *test)
{
	unsigned long start = hole_start(), before = fake_free_pages();

	hole_populate_base(test, start, PMD_SIZE, NULL);
	hole_expect_level(test, start, PMD_SIZE, PG_LEVEL_4K);
	KUNIT_EXPECT_EQ(test, before - fake_free_pages(),
			PMD_PAGES + 2 + pgtable_l5_enabled());
	hole_fill(start, PMD_SIZE, 0x3c);

	hole_free(start, PMD_SIZE, NULL);
	hole_expect_level(test, start, PMD_SIZE, PG_LEVEL_NONE);
	KUNIT_EXPECT_FALSE(test, hole_has_pmd_table(start));
	KUNIT_EXPECT_EQ(test, fake_free_pages(), before);
}

/*
 *	PTE table	| 0 1 2 3 | 4 5 6 7 | none ... |
 *	first free	  ^^^^^^^
 */
static void free_some_base_pages_keeps_pte_table(struct kunit *test)
{
	unsigned long start = hole_start(), before = fake_free_pages();
	const unsigned long half = 4 * PAGE_SIZE;

	hole_populate_base(test, start, 2 * half, NULL);
	hole_fill(start, 2 * half, 0x11);
	hole_free(start, half, NULL);
	hole_expect_level(test, start, half, PG_LEVEL_NONE);
	hole_expect_level(test, start + half, half, PG_LEVEL_4K);
	hole_expect_filled(test, start + half, half, 0x11);
	KUNIT_EXPECT_TRUE(test, hole_has_pte_table(start));

	hole_free(start + half, half, NULL);
	KUNIT_EXPECT_FALSE(test, hole_has_pmd_table(start));
	KUNIT_EXPECT_EQ(test, fake_free_pages(), before);
}

/* Two neighbours in one PMD table: it goes with the second of them. */
static void free_one_huge_keeps_pmd_table(struct kunit *test)
{
	unsigned long start = hole_start(), before = fake_free_pages();

	need_pse(test);
	hole_populate_huge(test, start, 2 * PMD_SIZE, NULL);
	hole_fill(start, 2 * PMD_SIZE, 0x77);
	hole_free(start, PMD_SIZE, NULL);
	hole_expect_level(test, start, PMD_SIZE, PG_LEVEL_NONE);
	hole_expect_level(test, start + PMD_SIZE, PMD_SIZE, PG_LEVEL_2M);
	hole_expect_filled(test, start + PMD_SIZE, PMD_SIZE, 0x77);

	hole_free(start + PMD_SIZE, PMD_SIZE, NULL);
	KUNIT_EXPECT_FALSE(test, hole_has_pmd_table(start));
	KUNIT_EXPECT_EQ(test, fake_free_pages(), before);
}

/* On both sides of the border of two PMD tables */
static void free_across_pmd_tables(struct kunit *test)
{
	unsigned long border = hole_start() + PUD_SIZE, before = fake_free_pages();
	unsigned long start = border - PMD_SIZE;

	need_pse(test);
	hole_populate_huge(test, start, 2 * PMD_SIZE, NULL);
	KUNIT_EXPECT_TRUE(test, hole_has_pmd_table(border - 1));
	KUNIT_EXPECT_TRUE(test, hole_has_pmd_table(border));
	hole_free(start, 2 * PMD_SIZE, NULL);
	KUNIT_EXPECT_FALSE(test, hole_has_pmd_table(border - 1));
	KUNIT_EXPECT_FALSE(test, hole_has_pmd_table(border));
	KUNIT_EXPECT_EQ(test, fake_free_pages(), before);
}

/* The PUD table is freed with five levels, and kept with four. */
static void free_last_pud_by_levels(struct kunit *test)
{
	unsigned long start = hole_start();

	hole_populate_base(test, start, PAGE_SIZE, NULL);
	KUNIT_EXPECT_TRUE(test, hole_has_pud_table(start));
	hole_free(start, PAGE_SIZE, NULL);
	KUNIT_EXPECT_EQ(test, hole_has_pud_table(start), !pgtable_l5_enabled());
}

/* Two PMD tables in one PUD table, freed one after the other */
static void free_one_pud_keeps_the_other(struct kunit *test)
{
	unsigned long start = hole_start(), before = fake_free_pages();

	hole_populate_base(test, start, PAGE_SIZE, NULL);
	hole_populate_base(test, start + PUD_SIZE, PAGE_SIZE, NULL);
	hole_fill(start + PUD_SIZE, PAGE_SIZE, 0x42);
	hole_free(start, PAGE_SIZE, NULL);
	KUNIT_EXPECT_TRUE(test, hole_has_pud_table(start));
	KUNIT_EXPECT_FALSE(test, hole_has_pmd_table(start));
	hole_expect_filled(test, start + PUD_SIZE, PAGE_SIZE, 0x42);
	hole_free(start + PUD_SIZE, PAGE_SIZE, NULL);
	KUNIT_EXPECT_EQ(test, fake_free_pages(), before);
}

/*
 * Free more than was populated: entries that are not there, at each level.
 *
 *	PMDs	| none | huge | none | PTEs, of which two | none ...
 */
static void free_passes_over_what_is_not_there(struct kunit *test)
{
	unsigned long start = hole_start(), before = fake_free_pages();

	need_pse(test);
	hole_populate_huge(test, start + PMD_SIZE, PMD_SIZE, NULL);
	hole_populate_base(test, start + 3 * PMD_SIZE + PAGE_SIZE, PAGE_SIZE, NULL);
	hole_populate_base(test, start + 3 * PMD_SIZE + 3 * PAGE_SIZE, PAGE_SIZE, NULL);
	hole_free(start, 2 * PUD_SIZE, NULL);
	KUNIT_EXPECT_FALSE(test, hole_has_pmd_table(start));
	KUNIT_EXPECT_EQ(test, fake_free_pages(), before);
}

static void free_of_nothing_changes_nothing(struct kunit *test)
{
	unsigned long start = hole_start(), before = fake_free_pages();

	hole_free(start, PAGE_SIZE, NULL);
	hole_free(start, 2 * PUD_SIZE, NULL);
	KUNIT_EXPECT_EQ(test, fake_free_pages(), before);
}

/* Whether the entry of the top level is empty; with four levels that is a P4D. */
static bool top_is_none(unsigned long addr)
{
	pgd_t *pgd = pgd_offset_k(addr);

	return pgd_none(*pgd) || p4d_none(*p4d_offset(pgd, addr));
}

/* Somewhere beyond the virtual memmap there are no page tables of any level. */
static void free_without_top_level_changes_nothing(struct kunit *test)
{
	unsigned long start = ALIGN(VMEMMAP_START + 1, PGDIR_SIZE), before = fake_free_pages();

	while (start < -2 * PGDIR_SIZE && !top_is_none(start))
		start += PGDIR_SIZE;
	if (!top_is_none(start))
		kunit_skip(test, "every entry of the top level is taken");
	hole_free(start, PGDIR_SIZE, NULL);
	KUNIT_EXPECT_TRUE(test, top_is_none(start));
	KUNIT_EXPECT_EQ(test, fake_free_pages(), before);
}

/* The page tables come from the system, all else from the altmap. */
static void altmap_is_used_and_given_back(struct kunit *test)
{
	struct vmem_altmap *altmap = hole_altmap(test, PMD_ORDER + 1);
	unsigned long start = hole_start(), before = fake_free_pages();

	need_pse(test);
	hole_populate_huge(test, start, 2 * PMD_SIZE, altmap);
	KUNIT_EXPECT_EQ(test, altmap->alloc, 2 * PMD_PAGES);
	KUNIT_EXPECT_EQ(test, altmap->align, 0);
	KUNIT_EXPECT_EQ(test, hole_backing(start), altmap->base_pfn);
	KUNIT_EXPECT_EQ(test, hole_backing(start + PMD_SIZE), altmap->base_pfn + PMD_PAGES);
	KUNIT_EXPECT_EQ(test, before - fake_free_pages(), 1 + pgtable_l5_enabled());

	hole_free(start + PMD_SIZE, PMD_SIZE, altmap);
	KUNIT_EXPECT_EQ(test, altmap->alloc, PMD_PAGES);
	hole_expect_level(test, start, PMD_SIZE, PG_LEVEL_2M);
	hole_free(start, PMD_SIZE, altmap);
	KUNIT_EXPECT_EQ(test, altmap->alloc, 0);
	hole_expect_level(test, start, PMD_SIZE, PG_LEVEL_NONE);
	KUNIT_EXPECT_EQ(test, fake_free_pages(), before);
}

/*
 * Memmap that its own section hosts, and nobody has the altmap any more: the
 * pages lose their mark and are left alone, all of the PMD.
 */
static void free_of_marked_pages_leaves_them(struct kunit *test)
{
	struct vmem_altmap *altmap = hole_altmap(test, PMD_ORDER);
	unsigned long i, start = hole_start(), before = fake_free_pages();

	need_pse(test);
	fake_skip_without_series(test, "PageVmemmap() marks pages that host their own memmap");
	hole_populate_huge(test, start, PMD_SIZE, altmap);
	for (i = 0; i < PMD_PAGES; i++)
		__SetPageVmemmap(pfn_to_page(altmap->base_pfn + i));
	hole_free(start, PMD_SIZE, NULL);
	KUNIT_EXPECT_EQ(test, hole_level(start), PG_LEVEL_NONE);
	for (i = 0; i < PMD_PAGES; i++) {
		struct page *page = pfn_to_page(altmap->base_pfn + i);

		KUNIT_EXPECT_FALSE_MSG(test, PageVmemmap(page) || PageReserved(page), "page %lu", i);
		__ClearPageVmemmap(page);
	}
	KUNIT_EXPECT_EQ(test, altmap->alloc, PMD_PAGES);
	KUNIT_EXPECT_EQ(test, fake_free_pages(), before);
}

/* Pages as memblock leaves them at boot: reserved, and no zone manages them. */
static void free_of_reserved_pages_frees_them(struct kunit *test)
{
	unsigned long i, start = hole_start(), before = fake_free_pages();
	struct page *page;

	need_pse(test);
	hole_populate_huge(test, start, PMD_SIZE, NULL);
	page = pfn_to_page(hole_backing(start));
	for (i = 0; i < PMD_PAGES; i++) {
		set_page_count(page + i, 1);
		__SetPageReserved(page + i);
		adjust_managed_page_count(page + i, -1);
	}
	hole_free(start, PMD_SIZE, NULL);
	hole_expect_level(test, start, PMD_SIZE, PG_LEVEL_NONE);
	KUNIT_EXPECT_EQ(test, fake_free_pages(), before);
	mhp_validate(test, "vmemmap_free");
}

/* There is no other memory to fall back to. */
static void altmap_too_small_is_refused(struct kunit *test)
{
	struct vmem_altmap *altmap = hole_altmap(test, PMD_ORDER - 1);
	unsigned long start = hole_start(), before = fake_free_pages();

	need_pse(test);
	KUNIT_EXPECT_EQ(test, vmemmap_populate_hugepages(start, start + PMD_SIZE, 0, altmap),
			-ENOMEM);
	KUNIT_EXPECT_EQ(test, altmap->alloc, 0);
	hole_expect_level(test, start, PMD_SIZE, PG_LEVEL_NONE);
	/* An empty PMD table stays for the next attempt; freeing the range frees it. */
	hole_free(start, PMD_SIZE, altmap);
	KUNIT_EXPECT_EQ(test, altmap->alloc, 0);
	KUNIT_EXPECT_EQ(test, fake_free_pages(), before);
}

/* Less than the memmap of a section is mapped by base pages, not from an altmap. */
static void populate_part_of_section_takes_base_pages(struct kunit *test)
{
	struct vmem_altmap *altmap = hole_altmap(test, PMD_ORDER);
	unsigned long start = hole_start(), before = fake_free_pages();
	unsigned long size = PAGES_PER_SUBSECTION * sizeof(struct page);

	KUNIT_ASSERT_EQ(test, vmemmap_populate(start, start + size, 0, altmap), 0);
	hole_expect_level(test, start, size, PG_LEVEL_4K);
	hole_expect_level(test, start + size, PAGE_SIZE, PG_LEVEL_NONE);
	KUNIT_EXPECT_EQ(test, altmap->alloc, 0);
	hole_free(start, size, NULL);
	KUNIT_EXPECT_EQ(test, fake_free_pages(), before);
}

static void populate_section_by_cpu(struct kunit *test)
{
	unsigned long size = PAGES_PER_SECTION * sizeof(struct page);
	unsigned long start = hole_start(), before = fake_free_pages();
	bool pse = boot_cpu_has(X86_FEATURE_PSE);

	KUNIT_ASSERT_EQ(test, vmemmap_populate(start, start + size, 0, NULL), 0);
	hole_expect_level(test, start, size, pse ? PG_LEVEL_2M : PG_LEVEL_4K);
	hole_free(start, size, NULL);
	hole_expect_level(test, start, size, PG_LEVEL_NONE);
	KUNIT_EXPECT_EQ(test, fake_free_pages(), before);
}

static void populate_section_with_altmap_by_cpu(struct kunit *test)
{
	struct vmem_altmap *altmap = hole_altmap(test, PMD_ORDER);
	unsigned long size = PAGES_PER_SECTION * sizeof(struct page);
	unsigned long start = hole_start(), before = fake_free_pages();
	bool pse = boot_cpu_has(X86_FEATURE_PSE);

	KUNIT_ASSERT_EQ(test, vmemmap_populate(start, start + size, 0, altmap),
			pse ? 0 : -ENOMEM);
	KUNIT_EXPECT_EQ(test, altmap->alloc, pse ? PMD_PAGES : 0);
	hole_free(start, size, altmap);
	KUNIT_EXPECT_EQ(test, altmap->alloc, 0);
	KUNIT_EXPECT_EQ(test, fake_free_pages(), before);
}

/* What is mapped by base pages already gets more of them, and no huge page. */
static void populate_huge_over_base_pages(struct kunit *test)
{
	unsigned long start = hole_start(), before = fake_free_pages();

	need_pse(test);
	hole_populate_base(test, start, PAGE_SIZE, NULL);
	hole_fill(start, PAGE_SIZE, 0x99);
	hole_populate_huge(test, start, PMD_SIZE, NULL);
	hole_expect_level(test, start, PMD_SIZE, PG_LEVEL_4K);
	hole_expect_filled(test, start, PAGE_SIZE, 0x99);
	hole_free(start, PMD_SIZE, NULL);
	KUNIT_EXPECT_EQ(test, fake_free_pages(), before);
}

static struct kunit_case vmemmap_cases[] = {
	KUNIT_CASE(free_huge_gives_all_back),
	KUNIT_CASE(free_base_pages_gives_all_back),
	KUNIT_CASE(free_some_base_pages_keeps_pte_table),
	KUNIT_CASE(free_one_huge_keeps_pmd_table),
	KUNIT_CASE(free_across_pmd_tables),
	KUNIT_CASE(free_last_pud_by_levels),
	KUNIT_CASE(free_one_pud_keeps_the_other),
	KUNIT_CASE(free_passes_over_what_is_not_there),
	KUNIT_CASE(free_of_nothing_changes_nothing),
	KUNIT_CASE(free_without_top_level_changes_nothing),
	KUNIT_CASE(altmap_is_used_and_given_back),
	KUNIT_CASE(free_of_marked_pages_leaves_them),
	KUNIT_CASE(free_of_reserved_pages_frees_them),
	KUNIT_CASE(altmap_too_small_is_refused),
	KUNIT_CASE(populate_part_of_section_takes_base_pages),
	KUNIT_CASE(populate_section_by_cpu),
	KUNIT_CASE(populate_section_with_altmap_by_cpu),
	KUNIT_CASE(populate_huge_over_base_pages),
	{}
};

static struct kunit_suite vmemmap_suite = {
	.name = "mhp_x86_vmemmap",
	.init = hole_init,
	.exit = hole_exit,
	.test_cases = vmemmap_cases,
};

kunit_test_suite(vmemmap_suite);
