/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MHP_WITHHELD_H
#define MHP_WITHHELD_H

#include <linux/range.h>

/*
 * Where the fixture looks for addresses.  On User-mode Linux that is anywhere:
 * memory comes from the host as it is plugged in.  A machine has to keep some of
 * its RAM from the kernel at boot, and mhp_ram=SIZE@START tells where that is.
 */

bool withheld_range(struct range *range);

#endif /* MHP_WITHHELD_H */
