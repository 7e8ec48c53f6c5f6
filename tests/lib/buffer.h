/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* Bytes that grow at the end and may be dropped at the front. There is always a NUL after the last one. */

#include <stddef.h>

typedef struct Buffer {
    char *data; /* never NULL once something was added */
    size_t n;
    size_t n_allocated;
} Buffer;

void buffer_add(Buffer *buffer, const void *data, size_t n);
void buffer_add_text(Buffer *buffer, const char *text);
void buffer_drop(Buffer *buffer, size_t n);    /* the first `n` bytes */
const char *buffer_text(const Buffer *buffer); /* "" if nothing was ever added */
void buffer_done(Buffer *buffer);

/* Appends `from` so that it can be read in a failure message: what is not printable ASCII becomes \xNN, LF
 * stays. */
void buffer_add_escaped(Buffer *buffer, const char *from, size_t n);

/* Reads once from `fd` (not blocking) to the end of the buffer. 1: something came; 0: end of file; -errno. */
int buffer_read(Buffer *buffer, int fd);
