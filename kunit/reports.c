// SPDX-License-Identifier: GPL-2.0
/*
 * Reports that a case provokes; see reports.h.
 */

#include <linux/bug.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <asm/sections.h>

#include "reports.h"

/**
 * reports_forget() - what warns but once warns again
 *
 * Else what a case reports would depend on the cases before it.
 */
void reports_forget(void)
{
	generic_bug_clear_once();
	memset(__start_once, 0, __end_once - __start_once);
}

/**
 * reports_expect() - announce a WARN()
 * @test: the running case, which it has to come in
 * @text: what its message or its first line holds; scripts/mhp/ktap.py looks
 *	for it
 */
void reports_expect(struct kunit *test, const char *text)
{
	kunit_info(test, "expect report: %s", text);
}

/**
 * reports_expect_failed_add() - announce that sections are not going to be added
 * @test: the running case
 *
 * add_pages() of x86 warns when __add_pages() fails; others do not.
 */
void reports_expect_failed_add(struct kunit *test)
{
	if (IS_ENABLED(CONFIG_X86_64) && !IS_ENABLED(CONFIG_UML))
		reports_expect(test, "arch/x86/mm/init_64.c");
}
