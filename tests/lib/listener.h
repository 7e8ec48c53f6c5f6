/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* A socket as a socket unit would make it, on loopback and a port that the kernel chooses, or in the file
 * system. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

typedef enum ListenerKind {
    LISTENER_NONE,   /* the end of an array of options */
    LISTENER_TCP4,   /* 127.0.0.1 */
    LISTENER_TCP6,   /* ::1 */
    LISTENER_MAPPED, /* ::ffff:127.0.0.1: a socket for IPv6 that IPv4 comes in by, as in BindIPv6Only=both */
    LISTENER_UNIX,
    LISTENER_CONNECTION, /* not a listener: a connected socket, as Accept=yes hands over */
} ListenerKind;

typedef struct ListenerOptions {
    ListenerKind kind;
    const char *name; /* FileDescriptorName=; NULL: "plain" */
    int send_buffer;  /* SendBuffer=, which the connections inherit; 0: the kernel's choice */
} ListenerOptions;

typedef struct Listener {
    ListenerKind kind;
    const char *name; /* borrowed */
    int fd;
    int peer; /* LISTENER_CONNECTION: the other end, otherwise -1 */
    struct sockaddr_storage address;
    socklen_t n_address;
} Listener;

/* IPv6 on loopback may be missing in a container. */
bool listener_is_possible(ListenerKind kind);

void listener_init(Listener *listener, const ListenerOptions *options, const char *directory, size_t index);
void listener_done(Listener *listener);
