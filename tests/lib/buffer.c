/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/buffer.h"

static void buffer_reserve(Buffer *buffer, size_t n)
{
    size_t n_needed = buffer->n + n + 1;

    if (n_needed <= buffer->n_allocated)
        return;
    buffer->n_allocated = n_needed * 2;
    buffer->data = realloc(buffer->data, buffer->n_allocated);
    /* Not libcheck's: the process that becomes the daemon uses this too, and must not write to the test's
     * log. */
    if (buffer->data == NULL)
        abort();
}

void buffer_add(Buffer *buffer, const void *data, size_t n)
{
    buffer_reserve(buffer, n);
    if (n > 0)
        memcpy(buffer->data + buffer->n, data, n);
    buffer->n += n;
    buffer->data[buffer->n] = '\0';
}

void buffer_add_text(Buffer *buffer, const char *text)
{
    buffer_add(buffer, text, strlen(text));
}

void buffer_drop(Buffer *buffer, size_t n)
{
    if (n == 0)
        return;
    buffer->n -= n;
    memmove(buffer->data, buffer->data + n, buffer->n + 1);
}

const char *buffer_text(const Buffer *buffer)
{
    return buffer->data != NULL ? buffer->data : "";
}

void buffer_done(Buffer *buffer)
{
    free(buffer->data);
    *buffer = (Buffer){0};
}

void buffer_add_escaped(Buffer *buffer, const char *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char) from[i];
        char text[8];

        if ((c >= 0x20 && c < 0x7f) || c == '\n') {
            buffer_add(buffer, &from[i], 1);
            continue;
        }
        (void) snprintf(text, sizeof(text), "\\x%02x", c);
        buffer_add_text(buffer, text);
    }
}

int buffer_read(Buffer *buffer, int fd)
{
    ssize_t n;

    buffer_reserve(buffer, 64 * 1024);
    n = read(fd, buffer->data + buffer->n, buffer->n_allocated - buffer->n - 1);
    if (n < 0)
        return -errno;
    buffer->n += (size_t) n;
    buffer->data[buffer->n] = '\0';
    return n > 0;
}
