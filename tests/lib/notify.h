/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * The service manager's end of NOTIFY_SOCKET, sd_notify(3): each datagram is kept with the time it came and
 * the descriptors that came with it. Descriptors belong to their message until somebody takes them; those of
 * BARRIER=1 are closed at once, which is how the sender of a barrier learns that everything before it was
 * read.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    NOTIFY_FDS_MAX = 253, /* SCM_MAX_FD */
};

typedef struct NotifyMessage {
    char *text;    /* lines with \n between them */
    uint64_t usec; /* when it was read, CLOCK_MONOTONIC */
    int *fds;      /* -1 where it was taken */
    size_t n_fds;
} NotifyMessage;

typedef struct Notify {
    int fd;
    char path[108];
    NotifyMessage *messages;
    size_t n_messages;
    size_t n_allocated;
    size_t n_seen;     /* messages that an expectation has gone past */
    size_t n_received; /* with those that are not kept */
} Notify;

void notify_init(Notify *notify, const char *directory);
void notify_done(Notify *notify);

/* Reads all that is there, without waiting. */
void notify_receive(Notify *notify);

/* Copies the value of `field` ("STATUS") in the message to `value`, cut to `size`. False if it is not there.
 */
bool notify_message_get(const NotifyMessage *message, const char *field, char *value, size_t size);

/* One of the message's lines matches. */
bool notify_message_match(const NotifyMessage *message, const char *pattern);

/* The descriptor is the caller's from now on. */
int notify_message_take_fd(NotifyMessage *message, size_t index);

/* The first message not seen before with a line that matches; it and all before it are seen then. NULL if
 * none has come. */
NotifyMessage *notify_find(Notify *notify, const char *pattern);

/* How many messages ever had a line that matches. */
size_t notify_count(const Notify *notify, const char *pattern);
