/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MHP_PERMUTATIONS_H
#define MHP_PERMUTATIONS_H

#include <kunit/test.h>

/**
 * struct permutation - an order of three things, as a parameter of cases
 * @desc: the order in words
 * @nth: which of the three comes first, second and third
 *
 * For KUNIT_CASE_PARAM(..., permutations_gen_params).
 */
struct permutation {
	const char *desc;
	unsigned int nth[3];
};

static const struct permutation permutations[] = {
	{ "first, middle, last", { 0, 1, 2 } },
	{ "first, last, middle", { 0, 2, 1 } },
	{ "middle, first, last", { 1, 0, 2 } },
	{ "middle, last, first", { 1, 2, 0 } },
	{ "last, first, middle", { 2, 0, 1 } },
	{ "last, middle, first", { 2, 1, 0 } },
};

KUNIT_ARRAY_PARAM_DESC(permutations, permutations, desc);

#endif /* MHP_PERMUTATIONS_H */
