// SPDX-License-Identifier: GPL-2.0
/*
 * What x86 says memory that hosts its own memmap consists of; see self_hosted.h.
 */

#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <asm/cpufeature.h>

#include "fake_section.h"
#include "parameter.h"
#include "self_hosted.h"

#ifdef CONFIG_MHP_SELF_HOSTED
/*
 *	| VV     | VV     |	with 2 MiB pages
 *	| memmap elsewhere |	without: nothing is taken from an altmap then
 */
static void self_hosting_takes_huge_pages(struct kunit *test)
{
	const bool pse = boot_cpu_has(X86_FEATURE_PSE);
	struct fake_range range = fake_range(test, 2);

	KUNIT_EXPECT_EQ(test, memmap_host_nr_pages(), pse ? PAGES_PER_SECTION : 0);
	parameter_set(test, "memory_hotplug.memmap_on_memory", "section");
	KUNIT_ASSERT_EQ(test, fake_add(test, range, SELF_HOSTED), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE), 0);
	if (pse)
		self_hosted_expect(test, range);
	else
		self_hosted_expect_none(test, range);
}
#else
SELF_HOSTED_SKIPPED(self_hosting_takes_huge_pages)
#endif

static struct kunit_case x86_self_hosted_cases[] = {
	KUNIT_CASE(self_hosting_takes_huge_pages),
	{}
};

static struct kunit_suite x86_self_hosted_suite = {
	.name = "mhp_x86_self_hosted",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = x86_self_hosted_cases,
};

kunit_test_suite(x86_self_hosted_suite);
