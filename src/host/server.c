/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <assert.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/error.h"
#include "base/macro.h"
#include "chat/keep.h"
#include "chat/lifecycle.h"
#include "chat/mail.h"
#include "front/plain.h"
#include "host/adopt.h"
#include "host/fault.h"
#include "host/history.h"
#include "host/input.h"
#include "host/liveness.h"
#include "host/names.h"
#include "host/reload.h"
#include "host/server.h"
#include "host/thread.h"
#include "host/trim.h"

enum {
    EVENTS_PER_WAIT = 512,
    SPARE_DESCRIPTORS = 64, /* for everything that is no client */
    POLL_SIGNALS = 0,
    POLL_CLIENTS = 1,
    POLL_ACCOUNTS = 2,
    POLL_ARCHIVE = 3,
    POLL_LISTENERS = 4,
};

/*
 * How many clients the limit of open files leaves room for. Some descriptors are kept for everything else:
 * telling the service manager anything takes one (sd_notify(3)), and without that its watchdog would end the
 * service.
 */
static uint32_t count_descriptors(bool has_vault)
{
    struct rlimit limit;
    uint32_t n;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > INT32_MAX)
        return 1 << 20;
    n = (uint32_t) (limit.rlim_cur - MIN(limit.rlim_cur / 2, (rlim_t) SPARE_DESCRIPTORS));
    /* No more may be in flight than there may be open files (unix(7), ETOOMANYREFS), and there may be as many
     * dead entries as living ones. */
    return has_vault ? n / 2 : n;
}

static int server_allocate(Server *server)
{
    uint32_t max_clients = server->chat->state.header->max_sessions;
    SessionList *lists[] = {&server->ready,  &server->waiting, &server->throttled,
                            &server->behind, &server->unsure,  &server->dead};

    server->connections = calloc(max_clients, sizeof *server->connections);
    if (server->connections == NULL)
        return error_origin(-ENOMEM);
    for (size_t i = 0; i < N_ELEMENTS(lists); i++) {
        lists[i]->items = calloc(max_clients, sizeof *lists[i]->items);
        if (lists[i]->items == NULL)
            return error_origin(-ENOMEM);
    }
    return 0;
}

static int server_open_signals(Server *server)
{
    sigset_t signals;

    (void) sigemptyset(&signals);
    (void) sigaddset(&signals, SIGTERM);
    (void) sigaddset(&signals, SIGINT);
    (void) sigaddset(&signals, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
        return error_origin(-errno);
    server->signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    return server->signal_fd < 0 ? error_origin(-errno) : 0;
}

/* A chat in which nobody is, in a state that the next process will find. */
static int server_begin(Server *server, uint32_t max_clients)
{
    char name[32];
    int r = chat_init(server->chat, &server->config, server->log, max_clients);

    if (r < 0)
        return error_trace(r);
    history_load(server->chat, &server->config, server->log);
    server->chat->state.header->rendering = FRONT_RENDERING;
    (void) snprintf(name, sizeof name, INHERIT_STATE "%" PRIu64, server->chat->state.header->generation);
    crash_point();
    r = notify_store(&server->notify, name, &server->chat->state.fd, 1);
    if (r > 0)
        log_event(server->log, (LogEvent){.priority = LOG_NOTICE, .id = LOG_ID_NO_STORE},
                  "There is no descriptor store, so connections end with this process. A systemd unit with "
                  "FileDescriptorStoreMax= has one.");
    else if (r < 0)
        log_event(server->log, (LogEvent){.priority = LOG_WARNING, .id = LOG_ID_NO_STORE},
                  "Can not reach the descriptor store (%s), so connections end with this process.",
                  strerror(-r));
    crash_point();
    return 0;
}

/* The chat, the one that another process left or a new one. */
static int server_make_chat(Server *server, Inherited *inherited)
{
    uint32_t max_clients = server->config.max_clients;
    bool is_adopted = false;
    int r;

    server->max_descriptors = count_descriptors(server->notify.is_enabled);
    if (max_clients == 0)
        max_clients = server->max_descriptors;
    thread_widen_descriptors(max_clients + SPARE_DESCRIPTORS);
    server->chat = malloc(sizeof *server->chat);
    if (server->chat == NULL)
        return error_origin(-ENOMEM);
    r = adopt_state(server, inherited, max_clients, &is_adopted);
    if (r == 0 && !is_adopted)
        r = server_begin(server, max_clients);
    if (r < 0) {
        free(TAKE_PTR(server->chat));
        return error_trace(r);
    }
    history_forget();
    r = fault_watch(server->chat->state.header);
    if (r == 0)
        r = server_allocate(server);
    if (r == 0)
        r = vault_init(&server->vault, &server->notify, server->log, server->chat->state.header);
    if (r == 0 && is_adopted)
        r = adopt_clients(server, inherited);
    return error_trace(r);
}

static int server_setup(Server *server, Inherited *inherited)
{
    int r;

    r = server_open_signals(server);
    if (r < 0)
        return error_trace(r);
    server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (server->epoll_fd < 0)
        return error_origin(-errno);
    server->started = clock_monotonic();
    notify_init(&server->notify, server->started);
    for (; inherited->n > 0; inherited->n--)
        listener_init(&server->listeners[server->n_listeners++], inherited->fds[inherited->n - 1],
                      inherited->are_local[inherited->n - 1]);
    r = server_make_chat(server, inherited);
    if (r == 0)
        r = names_open(server);
    if (r < 0)
        return error_trace(r);
    remember_set(server);
    server->idle_since = server->started;
    server->is_started_on_demand = inherited->from_inetd || server->notify.is_enabled;
    inherit_done(inherited);
    return 0;
}

int server_new(Config *config, const char *config_path, const Log *log, Inherited *inherited,
               Server **ret_server)
{
    Server *server = calloc(1, sizeof *server);
    int r;

    if (server == NULL) {
        config_done(config);
        inherit_done(inherited);
        return error_origin(-ENOMEM);
    }
    server->config = *config;
    server->config_path = config_path;
    server->log = log;
    server->front = &front_plain;
    server->epoll_fd = server->signal_fd = -1;
    server->next_throttled = server->next_liveness = UINT64_MAX;
    r = server_setup(server, inherited);
    if (r < 0) {
        inherit_done(inherited);
        (void) server_free(server);
        return error_trace(r);
    }
    *ret_server = server;
    return 0;
}

Server *server_free(Server *server)
{
    if (server == NULL)
        return NULL;
    while (server->n_listeners > 0)
        listener_done(&server->listeners[--server->n_listeners]);
    names_close(server);
    remember_close(server, false);
    fault_forget();
    vault_done(&server->vault);
    if (server->chat != NULL) {
        chat_done(server->chat);
        free(server->chat);
    }
    free(server->dead.items);
    free(server->unsure.items);
    free(server->behind.items);
    free(server->throttled.items);
    free(server->waiting.items);
    free(server->ready.items);
    free(server->connections);
    (void) fd_close(server->epoll_fd);
    (void) fd_close(server->signal_fd);
    config_done(&server->config);
    free(server);
    return NULL;
}

static int server_take_signals(Server *server)
{
    struct signalfd_siginfo info;
    int r = 0;

    while (r == 0 && read(server->signal_fd, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGHUP)
            r = reload_run(server);
        else if (info.ssi_signo != SIGTERM || !server->notify.is_enabled)
            server->end = SERVER_STOPS;
        else if (server->end == SERVER_GOES_ON)
            server->end = SERVER_HANDS_OVER;
    }
    return error_trace(r);
}

static void server_take_events(Server *server)
{
    struct epoll_event events[EVENTS_PER_WAIT];
    int n = epoll_wait(server->epoll_fd, events, EVENTS_PER_WAIT, 0);

    /* Connections are closed at the end of a turn only, so whom an event is for is still there. */
    for (int i = 0; i < n; i++)
        connection_handle(server, events[i].data.u32, events[i].events);
}

static void server_release_throttled(Server *server)
{
    SessionList *throttled = &server->throttled;
    uint64_t now = server->chat->now;
    uint32_t n = 0;

    if (now < server->next_throttled)
        return;
    server->next_throttled = UINT64_MAX;
    for (uint32_t i = 0; i < throttled->n; i++) {
        uint32_t session = throttled->items[i];
        Connection *connection = &server->connections[session];

        if (connection->throttled_until > now) {
            server->next_throttled = MIN(server->next_throttled, connection->throttled_until);
            throttled->items[n++] = session;
            continue;
        }
        connection->flags &= (uint16_t) ~CONNECTION_THROTTLED;
        connection_set_ready(server, session);
    }
    throttled->n = n;
}

/* Everyone who was ready when the turn began has a go; who has more to say, or arrives meanwhile, has one in
 * the next. */
static int server_read(Server *server)
{
    SessionList *ready = &server->ready;
    uint32_t n = ready->n, i;
    int r = 0;

    server->turn_lines = 0;
    for (i = 0; i < n && r == 0 && server->turn_lines < TURN_LINES && !chat_turn_is_full(server->chat); i++) {
        server->connections[ready->items[i]].flags &= (uint16_t) ~CONNECTION_READY;
        r = input_read(server, ready->items[i]);
    }
    /* Who was not reached stays in front. */
    ready->n -= i;
    __builtin_memmove(ready->items, ready->items + i, ready->n * sizeof *ready->items);
    return error_trace(r);
}

static void session_list_forget_closed(const Server *server, SessionList *list)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < list->n; i++)
        if (server->connections[list->items[i]].fd >= 0)
            list->items[n++] = list->items[i];
    list->n = n;
}

/* Closes what has ended. Their places are free from then on, so no list may still have them. */
static void server_reap(Server *server)
{
    const struct {
        uint16_t flag;
        SessionList *list;
    } lists[] = {
        {CONNECTION_READY, &server->ready},         {CONNECTION_WAITING, &server->waiting},
        {CONNECTION_THROTTLED, &server->throttled}, {CONNECTION_BEHIND, &server->behind},
        {CONNECTION_UNSURE, &server->unsure},
    };
    uint16_t flags = 0;

    if (server->dead.n == 0)
        return;
    /* Each leaves a word in its rooms. When that is much, the rest goes in the next turn. */
    while (server->dead.n > 0 && !chat_turn_is_full(server->chat)) {
        uint32_t session = server->dead.items[--server->dead.n];

        flags |= server->connections[session].flags;
        connection_close(server, session);
    }
    for (size_t i = 0; i < N_ELEMENTS(lists); i++)
        if (flags & lists[i].flag)
            session_list_forget_closed(server, lists[i].list);
    for (unsigned i = 0; i < server->n_listeners; i++)
        server->listeners[i].paused_until = 0;
    if (chat_n_people(server->chat) == 0)
        server->idle_since = server->chat->now;
}

/* When the service ends for want of people (usec, monotonic); UINT64_MAX: not. */
static uint64_t server_idle_exit(const Server *server)
{
    const Config *config = &server->config;

    if (config->idle_exit_usec == 0 || chat_n_people(server->chat) + server->n_arrivals > 0 ||
        (config->idle_exit_is_default && !server->is_started_on_demand))
        return UINT64_MAX;
    return MAX(server->idle_since + config->idle_exit_usec, server->started + IDLE_EXIT_MIN_USEC);
}

/* Milliseconds until the next thing that time alone brings; -1: never. */
static int server_timeout(Server *server)
{
    const Chat *chat = server->chat;
    uint64_t now = chat->now, next;

    server->notify.archive_trouble = remember_trouble(server);
    next = notify_tick(&server->notify, now, chat_n_people(chat), chat_n_rooms(chat));
    if (server->ready.n + server->behind.n + server->dead.n + chat->turn.n_sessions + chat->turn.n_rooms >
            0 ||
        chat->has_new_bans || chat->close_from != UINT64_MAX)
        return 0;
    next = MIN(next, server->vault.next_sweep);
    next = MIN(next, server->next_throttled);
    next = MIN(next, server->next_liveness);
    next = MIN(next, chat->next_summary);
    if (chat->n_expecting > 0)
        next = MIN(next, chat->mail_due);
    next = MIN(next, server_idle_exit(server));
    if (server->accounts != NULL)
        next = MIN(next, accounts_due(server->accounts));
    next = MIN(next, remember_due(server));
    next = MIN(next, server->next_trim);
    for (unsigned i = 0; i < server->n_listeners; i++)
        if (server->listeners[i].paused_until > 0)
            next = MIN(next, server->listeners[i].paused_until);
    if (next == UINT64_MAX)
        return -1;
    if (next <= now)
        return 0;
    return (int) MIN((next - now + USEC_PER_MSEC - 1) / USEC_PER_MSEC, (uint64_t) INT32_MAX);
}

/* Once nothing has happened for a while. */
static void server_trim(Server *server, bool has_happened)
{
    uint64_t now = server->chat->now;

    if (has_happened) {
        server->next_trim = now + TRIM_USEC;
    } else if (now >= server->next_trim) {
        server->next_trim = UINT64_MAX;
        trim_program();
    }
}

/* Waits for something to do, and says who may be accepted. 0, or a negative errno. */
static int server_wait(Server *server, struct pollfd *polls)
{
    unsigned n = POLL_LISTENERS;
    int n_ready;

    polls[POLL_SIGNALS] = (struct pollfd){.fd = server->signal_fd, .events = POLLIN};
    polls[POLL_CLIENTS] = (struct pollfd){.fd = server->epoll_fd, .events = POLLIN};
    polls[POLL_ACCOUNTS] = (struct pollfd){
        .fd = server->accounts != NULL ? accounts_fd(server->accounts) : -1, .events = POLLIN};
    polls[POLL_ARCHIVE] = (struct pollfd){.fd = remember_fd(server), .events = POLLIN};
    for (unsigned i = 0; i < server->n_listeners; i++) {
        bool is_open = listener_is_open(server, &server->listeners[i]);

        polls[n++] = (struct pollfd){.fd = is_open ? server->listeners[i].fd : -1, .events = POLLIN};
    }
    n_ready = poll(polls, n, server_timeout(server));
    if (n_ready < 0) {
        if (errno != EINTR)
            return error_origin(-errno);
        for (unsigned i = 0; i < n; i++)
            polls[i].revents = 0;
    }
    chat_begin_turn(server->chat, clock_monotonic(), clock_wall());
    server_trim(server, n_ready != 0);
    return 0;
}

static int server_turn(Server *server)
{
    struct pollfd polls[POLL_LISTENERS + INHERIT_MAX];
    int r;

    r = server_wait(server, polls);
    if (r < 0)
        return error_trace(r);
    if (polls[POLL_SIGNALS].revents != 0) {
        r = server_take_signals(server);
        if (r < 0)
            return error_trace(r);
    }
    for (unsigned i = 0; i < server->n_listeners; i++) {
        if (polls[POLL_LISTENERS + i].revents == 0)
            continue;
        r = listener_accept(server, &server->listeners[i]);
        if (r < 0)
            return error_trace(r);
    }
    r = names_take(server);
    if (r < 0)
        return error_trace(r);
    if (polls[POLL_ARCHIVE].revents != 0 || remember_due(server) <= server->chat->now)
        remember_take(server);
    if (polls[POLL_CLIENTS].revents != 0)
        server_take_events(server);
    server_release_throttled(server);
    r = server_read(server);
    if (r < 0)
        return error_trace(r);
    chat_tick(server->chat);
    if (server->chat->has_settled)
        input_look_again(server);
    server->chat->has_settled = false;
    remember_tick(server);
    delivery_run(server);
    liveness_tick(server);
    server_reap(server);
    vault_tidy(&server->vault, server->chat->now);
    return 0;
}

/* Everyone is told, as far as they read, and let go. */
static void server_say_goodbye(Server *server)
{
    static const char WORDS[] = "-- The service is being stopped. Goodbye.\n";
    Chat *chat = server->chat;
    size_t sent;

    mail_release_greetings(chat);
    delivery_run(server);
    for (uint32_t session = 0; session < chat->session_slots.n_touched; session++) {
        const SessionRecord *record = &chat->state.sessions[session];

        if (record->serial == 0)
            continue;
        if (!(record->flags & SESSION_LAGGING))
            (void) connection_send(server, session, WORDS, sizeof WORDS - 1, &sent);
        connection_drop(server, session);
    }
    while (server->dead.n > 0) {
        server_reap(server);
        chat_end_turn(server->chat);
    }
}

/* Nothing is left for the next process but what was said in the lobby. */
static void server_stop(Server *server)
{
    char name[32];

    server_say_goodbye(server);
    remember_close(server, true);
    history_save(server->chat, &server->config, server->log);
    vault_clear(&server->vault);
    (void) snprintf(name, sizeof name, INHERIT_STATE "%" PRIu64, server->chat->state.header->generation);
    notify_unstore(&server->notify, name);
}

/* What the last process had not sent, and those who left meanwhile. */
static void server_recover(Server *server)
{
    if (server->is_recovering) {
        delivery_run(server);
        while (!keep_put_out_strangers(server->chat))
            delivery_run(server);
        server_reap(server);
        adopt_complete(server);
    }
    server->notify.n_restarts = server->chat->state.header->n_restarts;
}

int server_run(Server *server, ServerEnd *ret_end)
{
    const Chat *chat = server->chat;
    bool is_idle = false;
    int r = 0;

    server_recover(server);
    log_event(server->log, (LogEvent){.priority = LOG_NOTICE, .id = LOG_ID_STARTED},
              "Serving on %u socket%s.", server->n_listeners, server->n_listeners == 1 ? "" : "s");
    notify_ready(&server->notify, chat->now, chat_n_people(chat), chat_n_rooms(chat));
    while (r == 0 && server->end == SERVER_GOES_ON && !is_idle) {
        r = server_turn(server);
        is_idle = server_idle_exit(server) <= chat->now;
    }
    arrivals_done(server);
    notify_stopping(&server->notify);
    if (r < 0)
        return error_trace(r);
    log_event(server->log, (LogEvent){.priority = LOG_NOTICE, .id = LOG_ID_STOPPED},
              is_idle
                  ? "Ending: nobody has been here for a while. The next connection starts the service again."
              : server->end == SERVER_HANDS_OVER ? "Handing over to the next process: asked to."
                                                 : "Ending: asked to.");
    if (server->end != SERVER_HANDS_OVER)
        server_stop(server);
    *ret_end = server->end;
    return 0;
}
