/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MHP_VALIDATE_H
#define MHP_VALIDATE_H

#include <kunit/test.h>

void mhp_validate(struct kunit *test, const char *after);

struct mhp_state {
	int todo;
};

static inline void mhp_state_take(struct mhp_state *state) { }
static inline void mhp_state_expect_equal(struct kunit *test,
					  const struct mhp_state *before,
					  const struct mhp_state *after) { }
#endif
