/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MHP_REPORTS_H
#define MHP_REPORTS_H

#include <kunit/test.h>

/*
 * Reports that a case provokes: WARN() and the like.  The run fails for one that was not
 * announced, and for one that was and does not come.
 */

void reports_forget(void);
void reports_expect(struct kunit *test, const char *text);
void reports_expect_failed_add(struct kunit *test);

#endif /* MHP_REPORTS_H */
