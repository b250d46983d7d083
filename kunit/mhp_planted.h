/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MHP_PLANTED_H
#define MHP_PLANTED_H

#include "fake_section.h"
#include "mhp_validate.h"

/*
 * For the tests of the validator: something is made wrong in the live state of
 * memory hotplug, the validator looks, and it is put right again before anything
 * else can trip over it.
 *
 *	zone->present_pages++;
 *	planted_look(test);
 *	zone->present_pages--;
 *	planted_expect(test, "zone_present", "node");
 */
void planted_look(struct kunit *test);
void planted_expect_nothing(struct kunit *test);
void planted_expect_set(struct kunit *test, const char *const *checks, int nr);

/**
 * planted_expect() - expect what planted_look() saw
 * @test: the running case
 * @...: names of checks: each of these has to have found something, and no other
 */
#define planted_expect(test, ...)						\
	planted_expect_set(test, (const char *const []){ __VA_ARGS__ },		\
			   ARRAY_SIZE(((const char *const []){ __VA_ARGS__ })))

struct fake_range planted_offline(struct kunit *test, unsigned int nr_blocks);
struct fake_range planted_online(struct kunit *test, unsigned int nr_blocks);
struct memory_block *planted_block(struct kunit *test, struct fake_range range);
struct page *planted_pageblock(struct kunit *test, struct fake_range range);

#endif /* MHP_PLANTED_H */
