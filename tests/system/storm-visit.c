/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Visitors come, are greeted, and go in one way or another, again and again: so the server always has some
 * connections that have just begun, and some that have just ended. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "system/storm.h"

enum {
    STAY = 800, /* ms: at most, and as long between two visits */
    HURRY = 10, /* percent of them go at once */
};

static const char GREETINGS[] = "/set time off\n/set joins off\n";
static const char SETTLED[] = "-- joins is off now.";
static const char GOODBYE[] = "-- Goodbye.";

static void visitor_away(Storm *storm, Visitor *visitor)
{
    if (visitor->fd >= 0)
        (void) close(visitor->fd);
    visitor->fd = -1;
    visitor->until = storm->now + random_below(&storm->random, STAY);
}

static void visitor_find(Storm *storm, const Visitor *visitor, const char *what, const char *line, size_t n)
{
    char text[TEXT_BYTES];

    storm_find(storm, NULL, NULL, 0, "a visitor (%s), after %u lines: %s%s%s",
               visitor->is_unix ? "unix" : "tcp", visitor->n_lines, what, n > 0 ? ": " : "",
               text_escape(line, n, text, sizeof text));
}

static void visitor_come(Storm *storm, Visitor *visitor)
{
    bool is_unix =
        storm->options.path != NULL &&
        (storm->options.tcp == NULL || random_below(&storm->random, 100) < storm->options.unix_share);

    *visitor = (Visitor){.fd = storm_connect(storm, is_unix, false), .is_unix = is_unix};
    if (visitor->fd < 0 && errno != EAGAIN)
        visitor_find(storm, visitor, strerror(errno), NULL, 0);
    if (visitor->fd < 0 || random_below(&storm->random, 100) < HURRY) {
        visitor_away(storm, visitor);
        return;
    }
    storm->n_visits++;
    visitor->until = storm->now + random_below(&storm->random, STAY);
    visitor->parting = random_below(&storm->random, N_PARTINGS);
    visitor->cut = random_below(&storm->random, (unsigned) strlen(GREETINGS) + 1);
}

/* In two parts: in this tick and in the next. */
static void visitor_greet(Visitor *visitor)
{
    size_t end = visitor->n_said < visitor->cut ? visitor->cut : strlen(GREETINGS);
    ssize_t n;

    n = send(visitor->fd, GREETINGS + visitor->n_said, end - visitor->n_said, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0)
        visitor->n_said += (unsigned) n;
}

static void visitor_part(Storm *storm, Visitor *visitor)
{
    static const char QUIT[] = "/quit\n";

    visitor->has_parted = true;
    if (visitor->parting == PARTING_QUIT)
        (void) send(visitor->fd, QUIT, strlen(QUIT), MSG_NOSIGNAL);
    else if (visitor->parting == PARTING_SHUT)
        (void) shutdown(visitor->fd, SHUT_WR);
    else
        visitor_away(storm, visitor);
}

static void visitor_hear_line(Storm *storm, Visitor *visitor, const char *line, size_t n)
{
    bool is_settled = n == strlen(SETTLED) && begins_with(line, n, SETTLED);

    if (visitor->n_lines == 0 && !begins_with(line, n, "-- Welcome to "))
        visitor_find(storm, visitor, "this is no greeting", line, n);
    else if (begins_with(line, n, "!! ") || (is_settled && visitor->is_settled && !visitor->is_unix))
        visitor_find(storm, visitor, "nobody asked for this", line, n);
    visitor->n_lines++;
    visitor->is_settled |= is_settled;
    visitor->is_dismissed |= n == strlen(GOODBYE) && begins_with(line, n, GOODBYE);
}

static void visitor_hear(Storm *storm, Visitor *visitor)
{
    const char *line = visitor->in, *end = visitor->in + visitor->n_in, *stop;

    while ((stop = memchr(line, '\n', (size_t) (end - line))) != NULL) {
        visitor_hear_line(storm, visitor, line, (size_t) (stop - line));
        line = stop + 1;
    }
    visitor->n_in = (size_t) (end - line);
    memmove(visitor->in, line, visitor->n_in);
}

static void visitor_end(Storm *storm, Visitor *visitor, const char *how)
{
    bool is_missing = visitor->parting == PARTING_QUIT ? !visitor->is_dismissed : !visitor->is_settled;

    if (!visitor->has_parted && (visitor->n_lines > 0 || !storm_may_lose_newcomer(storm)))
        visitor_find(storm, visitor, how, NULL, 0);
    else if (visitor->n_in > 0)
        visitor_find(storm, visitor, "the last line has no end", visitor->in, visitor->n_in);
    else if (visitor->has_parted && is_missing)
        visitor_find(storm, visitor, "disconnected without the last answer", NULL, 0);
    visitor_away(storm, visitor);
}

static void visitor_read(Storm *storm, Visitor *visitor)
{
    ssize_t n;

    do {
        n = recv(visitor->fd, visitor->in + visitor->n_in, sizeof visitor->in - visitor->n_in, MSG_DONTWAIT);
        if (n > 0) {
            visitor->n_in += (size_t) n;
            visitor_hear(storm, visitor);
        }
    } while (n > 0);
    if (n == 0)
        visitor_end(storm, visitor, "disconnected");
    else if (errno != EAGAIN && errno != EINTR && errno != ENOTCONN)
        visitor_end(storm, visitor, strerror(errno));
}

bool visitors_tick(Storm *storm)
{
    bool is_over = storm->phase > PHASE_TALK, is_done = true;

    for (unsigned i = 0; i < storm->options.visitors; i++) {
        Visitor *visitor = &storm->visitors[i];

        if (visitor->fd < 0 && !is_over && storm->now >= visitor->until)
            visitor_come(storm, visitor);
        if (visitor->fd < 0)
            continue;
        visitor_greet(visitor);
        visitor_read(storm, visitor);
        if (visitor->fd >= 0 && visitor->is_settled && !visitor->has_parted &&
            (is_over || storm->now >= visitor->until))
            visitor_part(storm, visitor);
        is_done &= visitor->fd < 0;
    }
    return is_done;
}

void visitors_find(Storm *storm)
{
    for (unsigned i = 0; i < storm->options.visitors; i++)
        if (storm->visitors[i].fd >= 0)
            visitor_find(storm, &storm->visitors[i],
                         storm->visitors[i].has_parted ? "has not been disconnected in time"
                                                       : "its answers have not come in time",
                         NULL, 0);
}
