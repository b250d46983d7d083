/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MHP_GCOV_OUT_H
#define MHP_GCOV_OUT_H

#include <linux/types.h>

/* An architecture's own way out of the guest: bytes that the host finds in a file. */
int gcov_out(const void *data, size_t size);

#endif /* MHP_GCOV_OUT_H */
