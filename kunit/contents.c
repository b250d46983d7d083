// SPDX-License-Identifier: GPL-2.0
/*
 * What fills online memory; see contents.h.
 */

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/migrate.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>
#include <linux/swap.h>

#include "contents.h"

/* Pages of a file; page i was at pfn + i * stride when it was filled. */
struct contents {
	struct file *file;
	unsigned int nr;
	u64 *buffer;		/* one page */
};

/* Pages that were allocated and have no owner that could give them up. */
struct held {
	unsigned long pfn;
	unsigned long nr_pages;
};

/* Neither zero nor poison */
#define LEFT	0x5a

/* No two words of all pages are the same. */
static u64 pattern(unsigned int page, unsigned int word)
{
	return ((u64)(page + 1) << 32 | word) * 0x9e3779b97f4a7c15ULL;
}

static void write_page(struct kunit *test, struct contents *c, unsigned int page)
{
	loff_t pos = (loff_t)page << PAGE_SHIFT;
	unsigned int i;

	for (i = 0; i < PAGE_SIZE / sizeof(u64); i++)
		c->buffer[i] = pattern(page, i);
	KUNIT_ASSERT_EQ(test, kernel_write(c->file, c->buffer, PAGE_SIZE, &pos),
			(ssize_t)PAGE_SIZE);
}

static bool page_is_intact(struct contents *c, unsigned int page)
{
	loff_t pos = (loff_t)page << PAGE_SHIFT;
	unsigned int i;

	if (kernel_read(c->file, c->buffer, PAGE_SIZE, &pos) != PAGE_SIZE)
		return false;
	for (i = 0; i < PAGE_SIZE / sizeof(u64); i++) {
		if (c->buffer[i] != pattern(page, i))
			return false;
	}
	return true;
}

/* For migrate_pages(): the target is the page that was set aside. */
static struct folio *take_target(struct folio *src, unsigned long private)
{
	struct page **target = (struct page **)private;
	struct page *page = *target;

	*target = NULL;
	return page ? page_folio(page) : NULL;
}

static void put_back_target(struct folio *dst, unsigned long private)
{
	*(struct page **)private = &dst->page;
}

/*
 * Take what ZONE_MOVABLE has, until the page is among it.  For a pageblock that
 * also holds what cannot move, which alloc_contig_range() refuses.  The last few
 * pages of the zone cannot be had in this way.
 */
static int take_from_movable_zone(unsigned long pfn)
{
	struct zone *zone = page_zone(pfn_to_page(pfn));
	unsigned long watermark[NR_WMARK];
	struct page *page, *next;
	LIST_HEAD(others);
	int err = -EBUSY;

	if (zone_idx(zone) != ZONE_MOVABLE)
		return err;
	/* Nothing is kept back, or other zones are asked for the last pages. */
	memcpy(watermark, zone->_watermark, sizeof(watermark));
	memset(zone->_watermark, 0, sizeof(watermark));
	while (err) {
		zone->watermark_boost = 0;
		page = alloc_pages(GFP_HIGHUSER_MOVABLE | __GFP_NOWARN, 0);
		if (!page)
			break;
		if (page_to_pfn(page) == pfn)
			err = 0;
		else
			list_add(&page->lru, &others);
		if (page_zone(page) != zone)
			break;
	}
	list_for_each_entry_safe(page, next, &others, lru)
		__free_page(page);
	memcpy(zone->_watermark, watermark, sizeof(watermark));
	return err;
}

/* A page on a per-CPU list counts as unmovable, and cannot be isolated. */
static int take_page(unsigned long pfn)
{
	lru_add_drain_all();
	if (!alloc_contig_range(pfn, pfn + 1, MIGRATE_MOVABLE, GFP_KERNEL))
		return 0;
	return take_from_movable_zone(pfn);
}

/*
 * Which page frame the page allocator hands out is nobody's to choose.  So the
 * wanted one is taken out of the page allocator and the page migrated to it.
 */
static int move_page_to(struct contents *c, unsigned int index, unsigned long pfn)
{
	struct page *target;
	struct folio *folio;
	LIST_HEAD(list);
	int err;

	folio = filemap_get_folio(c->file->f_mapping, index);
	if (IS_ERR(folio))
		return PTR_ERR(folio);
	if (folio_pfn(folio) == pfn) {
		folio_put(folio);
		return 0;
	}
	folio_put(folio);

	err = take_page(pfn);
	if (err)
		return err;
	target = pfn_to_page(pfn);

	/* That may have moved it. */
	folio = filemap_get_folio(c->file->f_mapping, index);
	err = isolate_folio_to_list(folio, &list) ? 0 : -EBUSY;
	folio_put(folio);
	if (!err) {
		err = migrate_pages(&list, take_target, put_back_target,
				    (unsigned long)&target, MIGRATE_SYNC,
				    MR_CONTIG_RANGE, NULL);
		if (err)
			putback_movable_pages(&list);
	}
	if (target)
		__free_page(target);
	return err;
}

static void close_file(void *arg)
{
	struct contents *c = arg;

	/* At once, and not by a work item: what follows wants the pages free. */
	__fput_sync(c->file);
}

/**
 * contents_fill() - put page cache at given page frames
 * @test: the running case
 * @pfn: the first one; has to be free, as all others
 * @stride: distance of one to the next, pages
 * @nr: how many
 *
 * The pages are those of a shmem file, dirty and on the LRU lists.  They go
 * when the case ends, or with contents_drop().
 *
 * Return: the contents.
 */
struct contents *contents_fill(struct kunit *test, unsigned long pfn,
			       unsigned long stride, unsigned int nr)
{
	struct contents *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, c);
	c->nr = nr;
	c->buffer = kunit_kmalloc(test, PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, c->buffer);
	c->file = shmem_file_setup("mhp_kunit", (loff_t)nr << PAGE_SHIFT, VM_NORESERVE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, c->file);
	fake_add_action(test, close_file, c);

	for (i = 0; i < nr; i++) {
		write_page(test, c, i);
		KUNIT_ASSERT_EQ_MSG(test, move_page_to(c, i, pfn + i * stride), 0,
				    "no page cache at pfn %#lx", pfn + i * stride);
	}
	return c;
}

/**
 * contents_drop() - free the pages before the case ends
 * @test: the running case
 * @contents: from contents_fill()
 */
void contents_drop(struct kunit *test, struct contents *contents)
{
	fake_release_action(test, close_file, contents);
}

/**
 * contents_expect_intact() - fail the case if a page is not what was written
 * @test: the running case
 * @contents: from contents_fill()
 */
void contents_expect_intact(struct kunit *test, struct contents *contents)
{
	unsigned int i;

	for (i = 0; i < contents->nr; i++) {
		if (page_is_intact(contents, i))
			continue;
		KUNIT_FAIL(test, "page %u of %u has another content than was written",
			   i, contents->nr);
		return;
	}
}

/**
 * contents_nr_within() - how many of the pages are in a range now
 * @contents: from contents_fill()
 * @pfn: first page of the range
 * @nr_pages: pages of the range
 */
unsigned int contents_nr_within(struct contents *contents, unsigned long pfn,
				unsigned long nr_pages)
{
	unsigned int i, count = 0;

	for (i = 0; i < contents->nr; i++) {
		struct folio *folio = filemap_get_folio(contents->file->f_mapping, i);

		if (IS_ERR(folio))
			continue;
		count += folio_pfn(folio) - pfn < nr_pages;
		folio_put(folio);
	}
	return count;
}

static void release_pages_held(void *arg)
{
	struct held *held = arg;

	free_contig_range(held->pfn, held->nr_pages);
}

/**
 * contents_hold() - allocate given page frames as kernel pages
 * @test: the running case
 * @pfn: the first page; free or movable, as all others
 * @nr_pages: how many; they have to be in one zone
 *
 * Nothing can migrate them.  They are freed when the case ends, or with
 * contents_release().
 *
 * Return: what to release.
 */
struct held *contents_hold(struct kunit *test, unsigned long pfn,
			   unsigned long nr_pages)
{
	struct held *held = kunit_kzalloc(test, sizeof(*held), GFP_KERNEL);
	int err;

	KUNIT_ASSERT_NOT_NULL(test, held);
	held->pfn = pfn;
	held->nr_pages = nr_pages;
	lru_add_drain_all();
	err = nr_pages == 1 ? take_page(pfn) :
	      alloc_contig_range(pfn, pfn + nr_pages, MIGRATE_MOVABLE, GFP_KERNEL);
	KUNIT_ASSERT_EQ_MSG(test, err, 0, "pfn %#lx-%#lx cannot be allocated", pfn,
			    pfn + nr_pages - 1);
	fake_add_action(test, release_pages_held, held);
	return held;
}

/**
 * contents_release() - free pages before the case ends
 * @test: the running case
 * @held: from contents_hold()
 */
void contents_release(struct kunit *test, struct held *held)
{
	fake_release_action(test, release_pages_held, held);
}

/**
 * contents_leave() - memory that was in use before it is added
 * @test: the running case
 * @range: what is not there; its first page gets contents and is removed with the rest
 */
void contents_leave(struct kunit *test, struct fake_range range)
{
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	memset(__va(range.start), LEFT, PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, fake_remove(test, range), 0);
}

/**
 * contents_left_alone() - whether nobody has written where contents_leave() did
 * @range: the same one, added again
 *
 * Memory that the host has given back and got anew is zeroed instead.
 */
bool contents_left_alone(struct fake_range range)
{
	const u8 *memory = __va(range.start);

	return (*memory == LEFT || !*memory) && !memchr_inv(memory, *memory, PAGE_SIZE);
}
