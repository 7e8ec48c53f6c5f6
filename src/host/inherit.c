/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/error.h"
#include "base/macro.h"
#include "host/inherit.h"

/* What systemd-socket-activate(1) and units without FileDescriptorName= of old managers give: no name. */
static bool name_is_plain(const char *name)
{
    return strcmp(name, "plain") == 0 || strcmp(name, "unknown") == 0 || name[0] == '\0';
}

/* What units with Accept=yes give. */
static bool name_is_connection(const char *name)
{
    return strcmp(name, "connection") == 0;
}

/* The kernel tells who is at the other end of these alone. */
static bool is_local(int fd, const char *name)
{
    int domain = AF_UNSPEC;
    socklen_t n = sizeof domain;

    return strcmp(name, "local") == 0 && getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) == 0 &&
           domain == AF_UNIX;
}

static bool is_socket(int fd)
{
    int type;
    socklen_t n = sizeof type;

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0;
}

/* Listening, or a stream that is connected. A socket that is neither is treated as one that does not listen.
 */
static bool is_listening(int fd)
{
    int listening = 0;
    socklen_t n = sizeof listening;

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &n) == 0 && listening;
}

static int set_flags(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return error_origin(-errno);
    return 0;
}

static void free_names(char ***names)
{
    if (*names == NULL)
        return;
    for (char **name = *names; *name != NULL; name++)
        free(*name);
    free(*names);
}

bool inherit_is_inetd(void)
{
    return getenv("LISTEN_FDS") == NULL && is_socket(STDIN_FILENO);
}

static int inherit_from_inetd(Inherited *inherited)
{
    int fd, r;

    if (!is_listening(STDIN_FILENO))
        return INHERIT_CONNECTED;
    fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return error_origin(-errno);
    r = set_flags(fd);
    if (r < 0) {
        (void) fd_close(fd);
        return error_trace(r);
    }
    inherited->fds[inherited->n++] = fd;
    inherited->from_inetd = true;
    return 0;
}

static bool name_is_stored(const char *name)
{
    return strncmp(name, INHERIT_STATE, STRLEN(INHERIT_STATE)) == 0 ||
           strncmp(name, INHERIT_VAULT, STRLEN(INHERIT_VAULT)) == 0;
}

static int inherit_stored(Inherited *inherited, int fd, const char *name)
{
    Stored *stored = realloc(inherited->stored, (inherited->n_stored + 1) * sizeof *stored);

    if (stored == NULL || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return error_origin(-errno);
    inherited->stored = stored;
    stored[inherited->n_stored] = (Stored){.fd = fd};
    (void) strncpy(stored[inherited->n_stored++].name, name, sizeof stored->name - 1);
    return 0;
}

static int inherit_one(const Log *log, Inherited *inherited, int fd, const char *name)
{
    bool may_serve = name_is_plain(name) || is_local(fd, name);
    int r;

    if (name_is_stored(name))
        return error_trace(inherit_stored(inherited, fd, name));
    if (!is_listening(fd) && is_socket(fd) && (may_serve || name_is_connection(name))) {
        (void) fd_close(fd);
        return INHERIT_CONNECTED;
    }
    if (!may_serve || !is_listening(fd) || inherited->n == INHERIT_MAX) {
        log_event(
            log, (LogEvent){.priority = LOG_WARNING, .id = LOG_ID_SOCKET_UNKNOWN},
            "Closed a descriptor named \"%.64s\": a listening socket is named \"plain\", or \"local\" if "
            "it is a unix socket for accounts (FileDescriptorName=).",
            name);
        (void) fd_close(fd);
        return INHERIT_UNKNOWN;
    }
    r = set_flags(fd);
    if (r < 0)
        return error_trace(r);
    inherited->are_local[inherited->n] = is_local(fd, name);
    inherited->fds[inherited->n++] = fd;
    return 0;
}

int inherit_sockets(const Log *log, Inherited *ret_inherited)
{
    _cleanup_(free_names) char **names = NULL;
    Inherited inherited = {0};
    int n, r = INHERIT_NOTHING;

    if (inherit_is_inetd()) {
        r = inherit_from_inetd(&inherited);
    } else {
        n = sd_listen_fds_with_names(true, &names);
        if (n < 0)
            return error_origin(n);
        for (int i = 0; i < n && r >= 0 && r != INHERIT_CONNECTED; i++) {
            int one = inherit_one(log, &inherited, SD_LISTEN_FDS_START + i, names[i]);

            if (one != 0)
                r = one;
        }
    }
    /* A connected socket means a unit that is set up wrongly, whatever else it has. */
    if (r < 0 || r == INHERIT_CONNECTED || inherited.n == 0) {
        inherit_done(&inherited);
        return r;
    }
    *ret_inherited = inherited;
    return 0;
}

void inherit_done(Inherited *inherited)
{
    while (inherited->n_stored > 0)
        (void) fd_close(inherited->stored[--inherited->n_stored].fd);
    free(inherited->stored);
    inherited->stored = NULL;
    while (inherited->n > 0)
        (void) fd_close(inherited->fds[--inherited->n]);
}
