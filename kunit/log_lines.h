/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MHP_LOG_LINES_H
#define MHP_LOG_LINES_H

#include <linux/kmsg_dump.h>

/*
 * What the kernel's log says from some moment on:
 *
 *	struct kmsg_dump_iter iter;
 *
 *	log_lines_begin(&iter);
 *	...
 *	count = log_lines_count(&iter, "what is looked for");
 */

void log_lines_begin(struct kmsg_dump_iter *iter);
unsigned int log_lines_count(struct kmsg_dump_iter *iter, const char *text);

#endif /* MHP_LOG_LINES_H */
