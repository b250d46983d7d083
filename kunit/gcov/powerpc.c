// SPDX-License-Identifier: GPL-2.0
/*
 * A second virtual terminal of a pseries machine, spapr-vty.
 */

#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include <asm/hvconsole.h>

#include "gcov_out.h"

/* Its address on the virtual I/O bus. QEMU gives the console the first one, and an interrupt by the last byte. */
#define TERMINAL	0x71000010

int gcov_out(const void *data, size_t size)
{
	/* The hypervisor takes these bytes out of two registers. */
	u8 bytes[MAX_VIO_PUT_CHARS] __aligned(sizeof(long));
	ssize_t put;

	while (size) {
		size_t part = min(size, sizeof(bytes));

		memcpy(bytes, data, part);
		put = hvc_put_chars(TERMINAL, bytes, part);
		if (put == -EAGAIN)
			continue;
		if (put < 0)
			return put;
		data += put;
		size -= put;
	}
	return 0;
}
