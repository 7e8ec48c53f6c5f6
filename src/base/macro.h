/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* Small macros that every layer uses. */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))
#define STRLEN(literal) (sizeof("" literal "") - 1)

#define MIN(a, b)                                                                                            \
    ({                                                                                                       \
        __typeof__(a) min_a_ = (a);                                                                          \
        __typeof__(b) min_b_ = (b);                                                                          \
        min_a_ < min_b_ ? min_a_ : min_b_;                                                                   \
    })
#define MAX(a, b)                                                                                            \
    ({                                                                                                       \
        __typeof__(a) max_a_ = (a);                                                                          \
        __typeof__(b) max_b_ = (b);                                                                          \
        max_a_ > max_b_ ? max_a_ : max_b_;                                                                   \
    })

/* The value leaves its variable: what a cleanup attribute would free now belongs to whoever receives it. */
#define TAKE(variable, empty)                                                                                \
    ({                                                                                                       \
        __typeof__(variable) taken_ = (variable);                                                            \
        (variable) = (empty);                                                                                \
        taken_;                                                                                              \
    })
#define TAKE_PTR(pointer) TAKE(pointer, NULL)
#define TAKE_FD(fd) TAKE(fd, -1)

#define _cleanup_(function) __attribute__((__cleanup__(function)))
#define _unused_ __attribute__((__unused__))
#define _printf_(format, first) __attribute__((__format__(__printf__, format, first)))

/* Closes `fd` unless it is negative; returns -1, for `fd = fd_close(fd)`. errno is kept. */
int fd_close(int fd);

static inline void fd_closep(int *fd)
{
    (void) fd_close(*fd);
}

static inline void file_closep(FILE **file)
{
    if (*file != NULL)
        (void) fclose(*file);
}

static inline void freep(void *pointer)
{
    free(*(void **) pointer);
}
