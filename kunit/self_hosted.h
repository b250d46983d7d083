/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MHP_SELF_HOSTED_H
#define MHP_SELF_HOSTED_H

#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/page-flags.h>

#include "fake_section.h"

/*
 * Memory that hosts its own memmap, see memmap_host_nr_pages():
 *
 *	| host                     | host                     |
 *	| VVVV | pages of the host | VVVV | pages of the host |
 *
 * V, "vmemmap pages", hold the memmap and are PageVmemmap().
 */

/*
 * A kernel without the series: the cases are there, so that they can be skipped
 * with a reason, and what they are about is not.
 */
#ifndef VMEMMAP_PAGE
#define VMEMMAP_PAGE	0UL
static inline bool PageVmemmap(const struct page *page)
{
	return false;
}

static inline void __SetPageVmemmap(struct page *page)
{
}

static inline void __ClearPageVmemmap(struct page *page)
{
}
#endif

/* The body of a case that does not even compile there */
#define SELF_HOSTED_SKIPPED(name)			\
	static void name(struct kunit *test)		\
	{						\
		self_hosted_host(test);			\
	}

/* For fake_add() in this mode; what a driver says that can have it. */
#define SELF_HOSTED	MHP_MEMMAP_ON_MEMORY

void self_hosted_mode(struct kunit *test);

/**
 * self_hosted_is_marked() - PageVmemmap()
 * @pfn: a page whose struct page is mapped; one that is not initialised has no mark
 */
static inline bool self_hosted_is_marked(unsigned long pfn)
{
	return !PagePoisoned(pfn_to_page(pfn)) && PageVmemmap(pfn_to_page(pfn));
}

unsigned long self_hosted_host(struct kunit *test);
unsigned long self_hosted_vmemmap_pages(struct kunit *test);

struct fake_range self_hosted_add(struct kunit *test, unsigned int nr_blocks);
struct fake_range self_hosted_online(struct kunit *test, unsigned int nr_blocks,
				     int online_type);

unsigned long self_hosted_outside(struct fake_range range);
void self_hosted_expect(struct kunit *test, struct fake_range range);
void self_hosted_expect_none(struct kunit *test, struct fake_range range);

#endif /* MHP_SELF_HOSTED_H */
