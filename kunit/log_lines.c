// SPDX-License-Identifier: GPL-2.0
/*
 * Lines of the kernel's log; see log_lines.h.
 */

#include <linux/string.h>

#include "log_lines.h"

/**
 * log_lines_begin() - from now on
 * @iter: gets to the end of the log
 */
void log_lines_begin(struct kmsg_dump_iter *iter)
{
	*iter = (struct kmsg_dump_iter) { };
	kmsg_dump_rewind(iter);
	log_lines_count(iter, "");
}

/**
 * log_lines_count() - lines that hold a text
 * @iter: where to begin; gets to the end of the log
 * @text: what to look for
 */
unsigned int log_lines_count(struct kmsg_dump_iter *iter, const char *text)
{
	unsigned int count = 0;
	char line[200];
	size_t len;

	while (kmsg_dump_get_line(iter, false, line, sizeof(line) - 1, &len)) {
		line[len] = '\0';
		count += !!strstr(line, text);
	}
	return count;
}
