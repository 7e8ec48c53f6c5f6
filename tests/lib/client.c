/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/client.h"
#include "lib/match.h"

enum {
    TAKEN_MAX = 256 * 1024, /* what was taken is forgotten when there is more of it */
    TAKEN_MIN = 4 * 1024,   /* but so much is kept, to be shown in failures */
    SHOWN_MAX = 1500,
};

/* The server's answer to /version, which nothing else looks like. */
#define VERSION_PATTERN "-- chatd {any}"

static void client_fail(Client *client, const char *format, ...) _printf_(2, 3) __attribute__((__noreturn__));
static void client_fail(Client *client, const char *format, ...)
{
    size_t from = client->n_taken > SHOWN_MAX ? client->n_taken - SHOWN_MAX : 0;
    size_t n_left = MIN(client->in.n - client->n_taken, (size_t) SHOWN_MAX);
    Buffer text = {0};
    char *reason = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&reason, format, args) < 0)
        reason = NULL;
    va_end(args);
    buffer_add_text(&text, reason != NULL ? reason : "out of memory");
    if (client->eof)
        buffer_add_text(&text, client->was_reset ? "\n--- the connection was reset"
                                                 : "\n--- the connection has ended");
    buffer_add_text(&text, "\n--- ");
    buffer_add_text(&text, client->nick);
    buffer_add_text(&text, " had taken:\n");
    buffer_add_escaped(&text, buffer_text(&client->in) + from, client->n_taken - from);
    buffer_add_text(&text, "\n--- and not yet taken:\n");
    buffer_add_escaped(&text, buffer_text(&client->in) + client->n_taken, n_left);
    daemon_fail(client->daemon, "%s", buffer_text(&text));
}

/* Takes the next `n` bytes of the input. */
static void take(Client *client, size_t n)
{
    client->n_taken += n;
    client->n_scanned = client->n_taken;
    if (client->n_taken > TAKEN_MAX) {
        size_t n_forget = client->n_taken - TAKEN_MIN;

        buffer_drop(&client->in, n_forget);
        client->n_taken -= n_forget;
        client->n_scanned -= n_forget;
    }
}

bool client_receive(Client *client)
{
    int r = client->eof ? 0 : buffer_read(&client->in, client->fd);

    if (r == -EAGAIN || r == -EINTR)
        return false;
    if (r == -ECONNRESET || r == -EPIPE)
        client->was_reset = true;
    else if (r < 0)
        client_fail(client, "read: %s", strerror(-r));
    if (r <= 0)
        client->eof = true;
    return true;
}

bool client_wait(Client *client, uint64_t deadline)
{
    while (!client_receive(client)) {
        if (!daemon_turn(client->daemon, client->fd, POLLIN, deadline))
            return client_receive(client);
    }
    return true;
}

static int open_socket(int family, const ClientOptions *options)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    struct sockaddr_in from = {.sin_family = AF_INET};

    ck_assert_msg(fd >= 0, "socket: %s", strerror(errno));
    if (options->receive_buffer > 0)
        ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &options->receive_buffer, sizeof(int)), 0);
    if (family != AF_UNIX)
        (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (options->from != NULL) {
        ck_assert_int_eq(inet_pton(AF_INET, options->from, &from.sin_addr), 1);
        ck_assert_msg(bind(fd, (struct sockaddr *) &from, sizeof(from)) == 0, "bind: %s", strerror(errno));
    }
    return fd;
}

/* A mapped listener is there to be reached under its IPv4 address. */
static socklen_t address_for(const Listener *listener, struct sockaddr_storage *ret_address)
{
    const struct sockaddr_in6 *mapped = (const struct sockaddr_in6 *) &listener->address;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    if (listener->kind != LISTENER_MAPPED) {
        *ret_address = listener->address;
        return listener->n_address;
    }
    v4.sin_port = mapped->sin6_port;
    memset(ret_address, 0, sizeof(*ret_address));
    memcpy(ret_address, &v4, sizeof(v4));
    return sizeof(v4);
}

static void connect_socket(Daemon *daemon, int fd, const struct sockaddr_storage *address,
                           socklen_t n_address)
{
    uint64_t deadline = deadline_in(SECONDS_TO_ANSWER);
    int error = 0;
    socklen_t n = sizeof(error);

    /* A unix socket whose backlog is full says EAGAIN and is to be asked again; TCP is under way. */
    while (connect(fd, (const struct sockaddr *) address, n_address) < 0) {
        if (errno == EINPROGRESS)
            break;
        ck_assert_msg(errno == EAGAIN || errno == EINTR, "connect: %s", strerror(errno));
        if (!daemon_turn(daemon, -1, 0, MIN(deadline, deadline_exactly_in(0.01))) && now_usec() > deadline)
            daemon_fail(daemon, "connect: the backlog is full");
    }
    while (poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, 0) == 0) {
        if (!daemon_turn(daemon, fd, POLLOUT, deadline))
            daemon_fail(daemon, "connect: no answer");
    }
    ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n), 0);
    ck_assert_msg(error == 0, "connect: %s", strerror(error));
}

Client *client_open_with(Daemon *daemon, const ClientOptions *options)
{
    Client *client = calloc(1, sizeof(*client));
    struct sockaddr_storage address;
    socklen_t n;

    ck_assert(client != NULL);
    ck_assert_uint_lt(options->listener, daemon->n_listeners);
    n = address_for(&daemon->listeners[options->listener], &address);
    *client = (Client){.daemon = daemon, .fd = open_socket(address.ss_family, options), .nick = "somebody"};
    connect_socket(daemon, client->fd, &address, n);
    client->next = daemon->clients;
    if (client->next != NULL)
        client->next->previous = client;
    daemon->clients = client;
    return client;
}

void client_close(Client *client)
{
    if (client->next != NULL)
        client->next->previous = client->previous;
    if (client->previous != NULL)
        client->previous->next = client->next;
    else
        client->daemon->clients = client->next;
    (void) close(client->fd);
    buffer_done(&client->in);
    free(client->line);
    free(client);
}

void client_reset(Client *client)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    (void) setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    client_close(client);
}

void daemon_close_clients(Daemon *daemon)
{
    while (daemon->clients != NULL)
        client_close(daemon->clients);
}

void client_half_close(Client *client)
{
    ck_assert_msg(shutdown(client->fd, SHUT_WR) == 0, "shutdown: %s", strerror(errno));
}

size_t client_send_some(Client *client, const void *bytes, size_t n)
{
    ssize_t r = send(client->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (r >= 0)
        return (size_t) r;
    /* Sent to nobody: that the server has closed shows when its answer is expected. */
    if (errno == EPIPE || errno == ECONNRESET)
        return n;
    if (errno != EAGAIN && errno != EINTR)
        client_fail(client, "send: %s", strerror(errno));
    return 0;
}

void client_send_bytes(Client *client, const void *bytes, size_t n)
{
    uint64_t deadline = deadline_in(SECONDS_TO_ANSWER);
    const char *at = bytes;

    while (n > 0) {
        size_t n_sent = client_send_some(client, at, n);

        at += n_sent;
        n -= n_sent;
        if (n_sent > 0)
            deadline = deadline_in(SECONDS_TO_ANSWER);
        else if (!daemon_turn(client->daemon, client->fd, POLLOUT, deadline))
            client_fail(client, "the server does not read: %zu bytes are not sent", n);
    }
}

void client_send_text(Client *client, const char *text)
{
    client_send_bytes(client, text, strlen(text));
}

const char *run_of(char c, size_t n)
{
    static char text[16 * 1024];

    ck_assert_uint_lt(n, sizeof(text));
    memset(text, c, n);
    text[n] = '\0';
    return text;
}

void client_send_run(Client *client, char c, size_t n)
{
    while (n > 0) {
        size_t n_now = MIN(n, (size_t) 8 * 1024);

        client_send_bytes(client, run_of(c, n_now), n_now);
        n -= n_now;
    }
}

void client_send_urgent(Client *client, const void *bytes, size_t n)
{
    ssize_t r = send(client->fd, bytes, n, MSG_NOSIGNAL | MSG_OOB);

    ck_assert_msg(r == (ssize_t) n, "send: %s", r < 0 ? strerror(errno) : "cut");
}

void client_say(Client *client, const char *format, ...)
{
    va_list args;
    char *text;
    int n;

    va_start(args, format);
    n = vasprintf(&text, format, args);
    va_end(args);
    ck_assert_int_ge(n, 0);
    text[n] = '\n'; /* in the place of the NUL, so that the line is one packet */
    client_send_bytes(client, text, (size_t) n + 1);
    free(text);
}

void client_send_parts(Client *client, Client *witness, const void *bytes, size_t n, size_t n_part)
{
    for (size_t i = 0; i < n; i += n_part) {
        client_send_bytes(client, (const char *) bytes + i, MIN(n_part, n - i));
        client_sync(witness);
    }
}

/* Takes the next line if it is there whole, or if it is what is left before the end. */
static bool take_line_that_is_there(Client *client)
{
    const char *end = NULL, *start = buffer_text(&client->in) + client->n_taken;
    size_t n = client->in.n - client->n_taken, n_scanned = client->n_scanned - client->n_taken;

    if (n > n_scanned)
        end = memchr(start + n_scanned, '\n', n - n_scanned);
    if (end == NULL) {
        client->n_scanned = client->in.n;
        if (!client->eof || n == 0)
            return false;
    }
    client->n_line = end != NULL ? (size_t) (end - start) : n;
    client->line = realloc(client->line, client->n_line + 1);
    ck_assert(client->line != NULL);
    memcpy(client->line, start, client->n_line);
    client->line[client->n_line] = '\0';
    take(client, client->n_line + (end != NULL));
    return true;
}

/* `what` is what the caller waits for, to be named in a failure. */
static const char *take_line_before(Client *client, const char *what, uint64_t deadline)
{
    while (!take_line_that_is_there(client)) {
        if (client->eof)
            return NULL;
        if (!client_wait(client, deadline))
            client_fail(client, "nothing came in time, expected: %s", what);
    }
    return client->line;
}

static const char *take_line(Client *client, const char *what)
{
    return take_line_before(client, what, deadline_in(SECONDS_TO_ANSWER));
}

const char *client_take_line(Client *client)
{
    return take_line(client, "a line");
}

static char *format_pattern(const char *format, va_list args) __attribute__((__format__(__printf__, 1, 0)));
static char *format_pattern(const char *format, va_list args)
{
    char *pattern;

    ck_assert_int_ge(vasprintf(&pattern, format, args), 0);
    return pattern;
}

void client_expect(Client *client, const char *format, ...)
{
    uint64_t deadline = deadline_in(SECONDS_TO_ANSWER);
    char *pattern;
    va_list args;

    va_start(args, format);
    pattern = format_pattern(format, args);
    va_end(args);
    do {
        if (now_usec() > deadline)
            client_fail(client, "many lines came, but in time not: %s", pattern);
        if (take_line_before(client, pattern, deadline) == NULL)
            client_fail(client, "the connection ended, expected: %s", pattern);
    } while (!match_line(pattern, client->line, client->n_line));
    free(pattern);
}

void client_expect_next(Client *client, const char *format, ...)
{
    char *pattern;
    va_list args;

    va_start(args, format);
    pattern = format_pattern(format, args);
    va_end(args);
    if (take_line(client, pattern) == NULL)
        client_fail(client, "the connection ended, expected: %s", pattern);
    if (!match_line(pattern, client->line, client->n_line))
        client_fail(client, "the next line is\n%s\nexpected:\n%s", client->line, pattern);
    free(pattern);
}

void client_expect_bytes(Client *client, const void *bytes, size_t n)
{
    uint64_t deadline = deadline_in(SECONDS_TO_ANSWER);

    while (client->in.n - client->n_taken < n && !client->eof) {
        if (!client_wait(client, deadline))
            break;
    }
    if (client->in.n - client->n_taken < n || memcmp(client->in.data + client->n_taken, bytes, n) != 0) {
        Buffer wanted = {0};

        buffer_add_escaped(&wanted, bytes, n);
        client_fail(client, "expected the bytes:\n%s", buffer_text(&wanted));
    }
    take(client, n);
}

void client_expect_nothing_but(Client *client, const char *pattern)
{
    client_say(client, "/version");
    for (;;) {
        if (take_line(client, VERSION_PATTERN) == NULL)
            client_fail(client, "the connection ended, expected: %s", VERSION_PATTERN);
        if (match_line(VERSION_PATTERN, client->line, client->n_line))
            return;
        if (pattern == NULL || !match_line(pattern, client->line, client->n_line))
            client_fail(client, "this should not have come:\n%s", client->line);
    }
}

void client_expect_nothing(Client *client)
{
    client_expect_nothing_but(client, NULL);
}

void client_sync(Client *client)
{
    client_say(client, "/version");
    /* Bytes that are no lines, as the answers to telnet, may come right before it. */
    client_expect(client, "{any}" VERSION_PATTERN);
}

char *client_ask(Client *client, const char *format, ...)
{
    Buffer answer = {0};
    char *command;
    va_list args;

    va_start(args, format);
    command = format_pattern(format, args);
    va_end(args);
    client_say(client, "%s", command);
    free(command);
    client_say(client, "/version");
    buffer_add_text(&answer, "");
    while (take_line(client, VERSION_PATTERN) != NULL &&
           !match_line(VERSION_PATTERN, client->line, client->n_line)) {
        buffer_add(&answer, client->line, client->n_line);
        buffer_add_text(&answer, "\n");
    }
    return answer.data;
}

bool client_is_silent(Client *client)
{
    while (client_receive(client) && !client->eof)
        continue;
    return client->in.n == client->n_taken && !client->eof;
}

size_t client_read_some(Client *client, size_t n)
{
    uint64_t deadline = deadline_in(SECONDS_TO_ANSWER);
    char bytes[4096];
    ssize_t r;

    while ((r = recv(client->fd, bytes, MIN(n, sizeof(bytes)), MSG_DONTWAIT)) < 0) {
        if (errno != EAGAIN && errno != EINTR)
            client_fail(client, "recv: %s", strerror(errno));
        if (!daemon_turn(client->daemon, client->fd, POLLIN, deadline))
            client_fail(client, "nothing came in time");
    }
    buffer_add(&client->in, bytes, (size_t) r);
    if (r == 0)
        client->eof = true;
    return (size_t) r;
}

const char *client_read_all_until_eof(Client *client, size_t *ret_n)
{
    uint64_t deadline = deadline_in(SECONDS_TO_ANSWER);
    size_t from;

    while (!client->eof) {
        if (!client_wait(client, deadline))
            client_fail(client, "the server does not close the connection");
    }
    if (client->was_reset)
        client_fail(client, "the connection was reset instead of closed");
    from = client->n_taken;
    client->n_taken = client->n_scanned = client->in.n;
    *ret_n = client->in.n - from;
    return buffer_text(&client->in) + from;
}

void client_expect_eof(Client *client)
{
    if (take_line(client, "the end of the connection") != NULL)
        client_fail(client, "this came instead of the end of the connection:\n%s", client->line);
}

void client_expect_greeting(Client *client)
{
    const char *name, *end;

    client_expect_next(client, "-- Welcome to {any}. You are {word}; {any}");
    name = strstr(client->line, ". You are ");
    ck_assert(name != NULL);
    name += strlen(". You are ");
    end = strchr(name, ';');
    ck_assert(end != NULL);
    (void) snprintf(client->nick, sizeof(client->nick), "%.*s", (int) (end - name), name);
}

void client_become(Client *client, const char *nick)
{
    client_say(client, "/nick %s", nick);
    client_expect(client, "-- You are now %s.", nick);
    (void) snprintf(client->nick, sizeof(client->nick), "%s", nick);
}

Client *client_connect(Daemon *daemon)
{
    Client *client = client_open(daemon, .listener = 0);

    client_expect_greeting(client);
    client_sync(client);
    return client;
}

Client *client_connect_to(Daemon *daemon, size_t listener, const char *nick)
{
    Client *client = client_open(daemon, .listener = listener);

    client_expect_greeting(client);
    client_sync(client);
    client_become(client, nick);
    return client;
}

Client *client_connect_as(Daemon *daemon, const char *nick)
{
    return client_connect_to(daemon, 0, nick);
}

void daemon_settle(Daemon *daemon)
{
    /* What the last one had said may be for the first. */
    for (int i = 0; i < 2; i++) {
        for (Client *client = daemon->clients; client != NULL; client = client->next)
            client_sync(client);
    }
}

void people_connect(Daemon *daemon, ...)
{
    const char *nick;
    va_list args;

    va_start(args, daemon);
    while ((nick = va_arg(args, const char *)) != NULL)
        *va_arg(args, Client **) = client_connect_as(daemon, nick);
    va_end(args);
    daemon_settle(daemon);
}
