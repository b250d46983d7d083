/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MHP_PARAMETER_H
#define MHP_PARAMETER_H

#include <kunit/test.h>

/*
 * Kernel parameters, as they are given on the command line.  One that is read
 * at boot only is set all the same, so that one boot serves for all values.
 */

void parameter_set(struct kunit *test, const char *name, const char *value);
void parameter_expect_refused(struct kunit *test, const char *name, const char *value);

#endif /* MHP_PARAMETER_H */
