/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "system/storm.h"

enum {
    TICK = 5,        /* ms */
    FAREWELL = 1000, /* ms: before the end of the talk, in which some leave early */
    OPENED_AT_ONCE = 50,
    TRIES = 4,
    N_EVENTS = 256,
    EVENT_TICK = UINT32_MAX,
    EVENT_SIGNAL = UINT32_MAX - 1,
};

/* Findings */

static void find_context(const char *what, const char *line, size_t n)
{
    char text[4 * TEXT_BYTES];

    if (n > 0)
        printf("    %s: %s\n", what, text_escape(line, n, text, sizeof text));
}

void storm_find(Storm *storm, const Client *client, const char *line, size_t n, const char *format, ...)
{
    char nick[NAME_BYTES];
    va_list arguments;

    if (storm->n_findings++ >= FINDINGS_SHOWN)
        return;
    if (client != NULL)
        nick_format(storm, client->id, client->variant, nick);
    printf("storm: ");
    if (client != NULL)
        printf("%s (%s%s%s): ", nick, client->is_unix ? "unix" : "tcp", client->is_slow ? ", slow" : "",
               client->is_early ? ", early" : "");
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    (void) fflush(stdout);
    if (client == NULL)
        return;
    find_context("before", client->before, client->n_before);
    find_context("line  ", line, n);
    if (line >= client->in && line + n < client->in + client->n_in)
        find_context("after ", line + n + 1, MIN((size_t) (client->in + client->n_in - line - n) - 1, 100U));
    (void) fflush(stdout);
}

static void find_who_waits(Storm *storm)
{
    for (unsigned i = 0; i < storm->options.clients; i++) {
        const Client *client = &storm->clients[i];

        if (client->is_gone)
            continue;
        if (client->fd < 0)
            storm_find(storm, client, NULL, 0, "could not connect in time");
        else if (client->n_answers > 0)
            storm_find(storm, client, NULL, 0, "%u answers have not come in time, the first of them: %s",
                       client->n_answers, client->answers[client->first_answer].text);
        else if (client->n_out > 0 || (client->is_early && client->n_private > 0))
            storm_find(storm, client, NULL, 0,
                       "%zu bytes could not be sent, and %u private lines have not come", client->n_out,
                       client->n_private);
        else if (storm->phase == PHASE_HEAR_OUT)
            storm_find(storm, client, NULL, 0, "has not been disconnected in time");
    }
    if (storm->phase == PHASE_HEAR_OUT)
        visitors_find(storm);
}

/* Phases */

static void enter(Storm *storm, Phase phase)
{
    storm->phase = phase;
    storm->phase_began = storm->now;
}

static void tick_come(Storm *storm)
{
    unsigned n_ready = 0, n_tried = 0;

    for (unsigned i = 0; i < storm->options.clients; i++) {
        Client *client = &storm->clients[i];

        if (client->fd < 0 && !client->is_gone && n_tried++ < OPENED_AT_ONCE)
            client_open(storm, client);
        n_ready += client->is_ready || client->is_gone;
    }
    if (n_ready < storm->options.clients)
        return;
    printf("storm: %u people are here and begin to talk (seed %ju)\n", n_ready,
           (uintmax_t) storm->options.seed);
    (void) fflush(stdout);
    enter(storm, PHASE_TALK);
    storm->credit_at = storm->heard_at = storm->now;
    if (storm->talk_end != 0)
        storm->talk_end = storm->now;
    else if (storm->options.seconds > 0)
        storm->talk_end = storm->now + storm->options.seconds * UINT64_C(1000);
    else
        storm->talk_end = UINT64_MAX;
}

/* A pause of ours is not made up for. */
static void talk(Storm *storm)
{
    uint64_t line = 1000, most = storm->options.rate * line / 10 + line;

    storm->credit = MIN(storm->credit + (storm->now - storm->credit_at) * storm->options.rate, most);
    storm->credit_at = storm->now;
    for (; storm->credit >= line; storm->credit -= line)
        for (unsigned i = 0; i < TRIES; i++)
            if (say_something(storm, &storm->clients[random_below(&storm->random, storm->options.clients)]))
                break;
}

/* Those who go before the others do so one after the other, when no private lines are under way to them. */
static bool leave_early(Storm *storm)
{
    bool is_done = true;

    for (unsigned i = 0; i < storm->options.clients; i++) {
        Client *client = &storm->clients[i];

        if (!client->is_early || client->is_gone)
            continue;
        is_done = false;
        if (!client->is_leaving && client->n_private == 0 &&
            (storm->phase > PHASE_TALK || random_below(&storm->random, FAREWELL / TICK / 2) == 0))
            say_last_word(storm, client);
    }
    return is_done;
}

static void tick_talk(Storm *storm)
{
    talk(storm);
    if (storm->now + FAREWELL >= storm->talk_end)
        (void) leave_early(storm);
    if (storm->now < storm->talk_end)
        return;
    if (storm->n_owed > 0)
        storm->silence = MAX(storm->silence, storm->now - storm->heard_at);
    enter(storm, PHASE_SPEAK_OUT);
}

static void tick_speak_out(Storm *storm)
{
    bool is_done = leave_early(storm);

    for (unsigned i = 0; i < storm->options.clients; i++) {
        Client *client = &storm->clients[i];

        if (client->is_gone || client->is_early)
            continue;
        if (!client->is_leaving)
            say_end_of_speech(storm, client);
        is_done &= client->has_spoken;
    }
    if (is_done)
        enter(storm, PHASE_HEAR_OUT);
}

static void tick_hear_out(Storm *storm)
{
    bool is_done = storm->visitors_are_gone;

    for (unsigned i = 0; i < storm->options.clients; i++) {
        Client *client = &storm->clients[i];

        if (!client->is_gone && !client->is_bidden)
            say_goodbye(storm, client);
        is_done &= client->is_gone;
    }
    if (is_done)
        enter(storm, PHASE_OVER);
}

static void tick(Storm *storm)
{
    static void (*const TICKS[])(Storm *) = {tick_come, tick_talk, tick_speak_out, tick_hear_out};

    storm->visitors_are_gone = visitors_tick(storm);
    TICKS[storm->phase](storm);
    for (unsigned i = 0; i < storm->options.clients; i++) {
        Client *client = &storm->clients[i];

        if (!client->is_gone && client->is_readable)
            client_read(storm, client);
        if (!client->is_gone)
            client_write(storm, client);
    }
    if (storm->phase != PHASE_TALK && storm->phase != PHASE_OVER &&
        storm->now >= storm->phase_began + storm->options.deadline * UINT64_C(1000)) {
        find_who_waits(storm);
        enter(storm, PHASE_OVER);
    }
    if (storm->n_findings >= FINDINGS_SHOWN)
        enter(storm, PHASE_OVER);
}

/* The loop */

static void die(const char *what)
{
    (void) fprintf(stderr, "storm: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static void watch(const Storm *storm, int fd, uint32_t what)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = what};

    if (fd < 0 || epoll_ctl(storm->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll");
}

static uint64_t now_msec(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

static void happen(Storm *storm, const struct epoll_event *event)
{
    Client *client = &storm->clients[event->data.u32];

    client->is_readable |= (event->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    client->is_writable |= (event->events & EPOLLOUT) != 0;
    if (!client->is_gone)
        client_read(storm, client);
}

static void run(Storm *storm)
{
    const struct itimerspec interval = {{0, TICK * 1000000}, {0, TICK * 1000000}};
    struct epoll_event events[N_EVENTS];
    int tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), signal_fd;
    uint64_t n_ticks;
    sigset_t signals;

    (void) sigemptyset(&signals);
    (void) sigaddset(&signals, SIGTERM);
    (void) sigaddset(&signals, SIGINT);
    (void) sigprocmask(SIG_BLOCK, &signals, NULL);
    signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    storm->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    watch(storm, tick_fd, EVENT_TICK);
    watch(storm, signal_fd, EVENT_SIGNAL);
    if (timerfd_settime(tick_fd, 0, &interval, NULL) < 0)
        die("timerfd");
    storm->phase_began = now_msec();
    while (storm->phase != PHASE_OVER) {
        struct signalfd_siginfo info;
        int n = epoll_wait(storm->epoll_fd, events, N_EVENTS, -1);

        storm->now = now_msec();
        for (int i = 0; i < n; i++)
            if (events[i].data.u32 < storm->options.clients)
                happen(storm, &events[i]);
        if (read(signal_fd, &info, sizeof info) > 0)
            storm->talk_end = storm->now + FAREWELL;
        if (read(tick_fd, &n_ticks, sizeof n_ticks) > 0)
            tick(storm);
    }
}

/* Setting up */

static void *allocate(size_t n, size_t size)
{
    void *memory = calloc(MAX(n, (size_t) 1), size);

    if (memory == NULL)
        die("memory");
    return memory;
}

static void make_rooms(Storm *storm)
{
    const Options *options = &storm->options;
    unsigned size = options->room_size > 0 ? options->room_size : options->clients;

    storm->n_mains = (options->clients + size - 1) / size;
    storm->n_sides = (options->clients + SIDE_PEOPLE - 1) / SIDE_PEOPLE;
    storm->mains = allocate(storm->n_mains, sizeof(Room));
    storm->sides = allocate(storm->n_sides, sizeof(Room));
    for (unsigned i = 0; i < storm->n_mains; i++) {
        Room *room = &storm->mains[i];

        *room = (Room){.first = i * size, .step = 1, .n = MIN(size, options->clients - i * size)};
        (void) snprintf(room->name, sizeof room->name, options->room_size > 0 ? "#%s-main%u" : "#lobby",
                        options->name, i);
    }
    for (unsigned i = 0; i < storm->n_sides; i++) {
        Room *room = &storm->sides[i];

        *room = (Room){.first = i, .step = storm->n_sides};
        room->n = (options->clients - i + storm->n_sides - 1) / storm->n_sides;
        (void) snprintf(room->name, sizeof room->name, "#%s-side%u", options->name, i);
    }
}

static void make_orders(Client *client)
{
    unsigned n = client->rooms[MAIN]->n;
    unsigned *last;

    client->n_orders = MIN(MAX(ORDER_WORDS / n, 2U), (unsigned) ORDERS_MAX);
    client->orders = allocate(client->n_orders, sizeof(Order));
    last = allocate((size_t) client->n_orders * n, sizeof *last);
    for (unsigned i = 0; i < client->n_orders; i++)
        client->orders[i].last = last + (size_t) i * n;
}

static void make_client(Storm *storm, unsigned id)
{
    const Options *options = &storm->options;
    unsigned size = options->room_size > 0 ? options->room_size : options->clients;
    Client *client = &storm->clients[id];

    client->id = id;
    client->fd = -1;
    client->random = random_next(&storm->random);
    client->variant = 'a';
    client->rooms[MAIN] = &storm->mains[id / size];
    client->rooms[SIDE] = &storm->sides[id % storm->n_sides];
    client->is_unix = options->path != NULL &&
                      (options->tcp == NULL || random_below(&client->random, 100) < options->unix_share);
    client->is_slow = random_below(&client->random, 100) < options->slow;
    /* Of who may lose lines nobody knows when it has heard the private ones. */
    client->is_early =
        random_below(&client->random, 100) < options->early && !(options->is_lossy && client->is_slow);
    client->rooms[MAIN]->n_prompt += !client->is_slow;
    for (int channel = MAIN; channel < N_CHANNELS; channel++)
        client->ears[channel] = allocate(client->rooms[channel]->n, sizeof(Ear));
    for (unsigned i = 0; i < client->rooms[MAIN]->n; i++)
        client->ears[MAIN][i].next = 1;
    make_orders(client);
    for (unsigned i = 0; i < PARTNERS; i++)
        client->partners[i].whom = random_below(&client->random, options->clients);
}

static void set_up(Storm *storm)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &limit);
    }
    storm->random = storm->options.seed;
    storm->clients = allocate(storm->options.clients, sizeof(Client));
    storm->visitors = allocate(storm->options.visitors, sizeof(Visitor));
    for (unsigned i = 0; i < storm->options.visitors; i++)
        storm->visitors[i].fd = -1;
    make_rooms(storm);
    for (unsigned i = 0; i < storm->options.clients; i++)
        make_client(storm, i);
}

static void tear_down(Storm *storm)
{
    for (unsigned i = 0; i < storm->options.clients; i++) {
        client_close(storm, &storm->clients[i]);
        free(storm->clients[i].ears[MAIN]);
        free(storm->clients[i].ears[SIDE]);
        free(storm->clients[i].orders[0].last);
        free(storm->clients[i].orders);
    }
    free(storm->mains);
    free(storm->sides);
    free(storm->clients);
    free(storm->visitors);
}

int main(int argc, char **argv)
{
    Storm storm = {0};
    int r;

    if (!options_parse(&storm, argc, argv))
        return EXIT_WRONG_USAGE;
    set_up(&storm);
    run(&storm);
    if (storm.n_findings > FINDINGS_SHOWN)
        printf("storm: and %u more findings\n", storm.n_findings - FINDINGS_SHOWN);
    printf("storm: %ju lines and commands said, %ju lines heard, longest silence %ju ms, %ju lines repeated "
           "over "
           "unix sockets, %ju notices of lost lines, %ju visits, %u findings\n",
           (uintmax_t) storm.n_said, (uintmax_t) storm.n_heard, (uintmax_t) storm.silence,
           (uintmax_t) storm.n_repeated, (uintmax_t) storm.n_skips, (uintmax_t) storm.n_visits,
           storm.n_findings);
    r = storm.n_findings > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    tear_down(&storm);
    return r;
}
