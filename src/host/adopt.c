/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/crash.h"
#include "base/error.h"
#include "base/macro.h"
#include "base/text.h"
#include "chat/lifecycle.h"
#include "chat/session.h"
#include "host/adopt.h"
#include "host/history.h"
#include "host/input.h"
#include "host/liveness.h"
#include "host/server.h"
#include "host/settle.h"

enum { RECOVERIES_MAX = 3 }; /* begun without one of them being completed */

static const char LOST_WORDS[] =
    "!! The chat had to begin anew and has forgotten who you are. Please connect again.\n";

static bool is_state(const Stored *stored)
{
    return stored->fd >= 0 && strncmp(stored->name, INHERIT_STATE, STRLEN(INHERIT_STATE)) == 0;
}

static uint64_t generation_of(const Stored *stored)
{
    return strtoull(stored->name + STRLEN(INHERIT_STATE), NULL, 10);
}

bool adopt_has_state(const Inherited *inherited)
{
    for (unsigned i = 0; i < inherited->n_stored; i++)
        if (is_state(&inherited->stored[i]))
            return true;
    return false;
}

/* The latest; older ones are what a copy to a larger file left behind. */
static int take_state(Server *server, Inherited *inherited)
{
    Stored *latest = NULL;

    for (unsigned i = 0; i < inherited->n_stored; i++)
        if (is_state(&inherited->stored[i]) &&
            (latest == NULL || generation_of(&inherited->stored[i]) > generation_of(latest)))
            latest = &inherited->stored[i];
    for (unsigned i = 0; i < inherited->n_stored; i++)
        if (is_state(&inherited->stored[i]) && &inherited->stored[i] != latest) {
            notify_unstore(&server->notify, inherited->stored[i].name);
            inherited->stored[i].fd = fd_close(inherited->stored[i].fd);
        }
    return latest != NULL ? TAKE_FD(latest->fd) : -1;
}

static void refuse_found(_unused_ void *userdata, const VaultFound *found)
{
    if (found->fd >= 0)
        listener_turn_away_one(found->fd, LOST_WORDS);
}

/* Whoever is in the vault is told, and let go, and all that was stored is forgotten. */
static int adopt_refuse(Server *server, Inherited *inherited)
{
    StateHeader header = {.max_sessions = 1};
    int r = vault_init(&server->vault, &server->notify, server->log, &header);

    for (unsigned i = 0; i < inherited->n_stored; i++)
        if (strncmp(inherited->stored[i].name, INHERIT_STATE, STRLEN(INHERIT_STATE)) == 0)
            notify_unstore(&server->notify, inherited->stored[i].name);
    if (r == 0)
        r = vault_adopt(&server->vault, inherited, refuse_found, NULL);
    vault_clear(&server->vault);
    vault_done(&server->vault);
    return error_trace(r);
}

/* Copies the state to a file of today's layout and sizes, if it is not in one. 0, or a negative errno. */
static int adopt_grow(Server *server, State *state, uint32_t max_clients)
{
    char name[32], old_name[32];
    State grown;
    int r;

    if (!state_must_grow(state, &server->config, max_clients))
        return 0;
    r = state_grow(state, &server->config, max_clients, &grown);
    if (r < 0)
        return error_trace(r);
    (void) snprintf(old_name, sizeof old_name, INHERIT_STATE "%" PRIu64, state->header->generation);
    (void) snprintf(name, sizeof name, INHERIT_STATE "%" PRIu64, grown.header->generation);
    crash_point();
    r = notify_store(&server->notify, name, &grown.fd, 1);
    crash_point();
    if (r < 0)
        log_event(server->log, (LogEvent){.priority = LOG_WARNING, .id = LOG_ID_NO_STORE},
                  "Can not store the state in its new size: %s.", strerror(-r));
    if (r < 0 && state->header->layout == STATE_LAYOUT) {
        state_done(&grown); /* too small is better than in no store */
        return 0;
    }
    notify_unstore(&server->notify, old_name);
    crash_point();
    state_done(state);
    *state = grown;
    return 0;
}

/* Begins a recovery, unless too many have failed. */
static bool adopt_begin(Server *server, State *state)
{
    /* A death that somebody else brought about blames nobody, also if this process dies by a fault. */
    if (state->header->fault == 0)
        state->header->executing = 0;
    if (state->header->n_recoveries < RECOVERIES_MAX) {
        state->header->n_recoveries++;
        return true;
    }
    history_set_aside(server->log, state->fd);
    return false;
}

int adopt_state(Server *server, Inherited *inherited, uint32_t max_clients, bool *ret_is_adopted)
{
    int fd = take_state(server, inherited), r;
    State state;

    *ret_is_adopted = false;
    if (fd < 0)
        return error_trace(adopt_refuse(server, inherited));
    r = state_open(fd, &state);
    if (r > 0)
        log_event(server->log, (LogEvent){.priority = LOG_ERR, .id = LOG_ID_STATE_REFUSED},
                  r == STATE_TOO_NEW
                      ? "The state was left by a later version, which this one can not go on from."
                      : "The state of the last process can not be read.");
    if (r == 0 && !adopt_begin(server, &state)) {
        state_done(&state);
        r = STATE_UNREADABLE;
    }
    if (r == 0) {
        r = adopt_grow(server, &state, max_clients);
        if (r < 0)
            state_done(&state);
    }
    if (r == 0)
        r = chat_adopt(server->chat, &state, &server->config, server->log);
    if (r < 0)
        return error_trace(r);
    *ret_is_adopted = r == 0;
    return r > 0 ? error_trace(adopt_refuse(server, inherited)) : 0;
}

/* Who is whose: the numbers of sessions by their serials. */

typedef struct Bearer {
    uint64_t serial;
    uint32_t session;
} Bearer;

static int compare_serials(const void *a, const void *b)
{
    const Bearer *first = a, *second = b;

    return first->serial < second->serial ? -1 : first->serial > second->serial;
}

typedef struct Adoption {
    Server *server;
    Bearer *bearers; /* owned; sorted by serial */
    uint32_t n;
    uint64_t next_serial; /* after all that is in the vault */
    VaultFound
        newcomer; /* in the vault, but no session yet: the process died between the two; fd -1: nobody */
} Adoption;

static int adoption_init(Adoption *adoption, Server *server)
{
    const Chat *chat = server->chat;

    *adoption = (Adoption){.server = server, .newcomer = {.fd = -1}};
    adoption->bearers = malloc(sizeof *adoption->bearers * ((size_t) chat_n_sessions(chat) + 1));
    if (adoption->bearers == NULL)
        return error_origin(-ENOMEM);
    for (uint32_t session = 0; session < chat->session_slots.n_touched; session++) {
        server->connections[session].fd = -1;
        if (session_record(chat, session)->serial != 0)
            adoption->bearers[adoption->n++] =
                (Bearer){.serial = session_record(chat, session)->serial, .session = session};
    }
    qsort(adoption->bearers, adoption->n, sizeof *adoption->bearers, compare_serials);
    return 0;
}

/* A descriptor out of the vault goes to its session. What is dead is closed at once: there may be more of it
 * than descriptors to be had. */
static void adopt_found(void *userdata, const VaultFound *found)
{
    Adoption *adoption = userdata;
    Server *server = adoption->server;
    const Bearer key = {.serial = found->serial};
    const Bearer *bearer =
        bsearch(&key, adoption->bearers, adoption->n, sizeof *adoption->bearers, compare_serials);

    /* Whatever becomes of it, nobody else may get its serial: the entry will be there for a while. */
    adoption->next_serial = MAX(adoption->next_serial, found->serial + 1);
    if (found->fd < 0)
        return;
    if (bearer != NULL && server->connections[bearer->session].fd < 0) {
        vault_assign(&server->vault, &found->place, bearer->session, found->fd);
        connection_open(server, bearer->session, found->fd);
    } else if (bearer == NULL && adoption->newcomer.fd < 0 &&
               found->serial == server->chat->state.header->next_serial) {
        adoption->newcomer = *found;
    } else {
        if (bearer == NULL)
            (void) shutdown(found->fd, SHUT_RDWR); /* the process died while it closed it */
        (void) fd_close(found->fd);
    }
}

/* Each has all that was done for it put down in the state. Only then may anything new be said. */
static void adopt_settle(Server *server)
{
    const Chat *chat = server->chat;

    for (uint32_t session = 0; session < chat->session_slots.n_touched; session++) {
        Connection *connection = &server->connections[session];

        if (session_record(chat, session)->serial == 0)
            continue;
        if (connection->fd < 0 || !settle_connection(server, session)) {
            connection_drop(server, session);
            continue;
        }
        if (connection->flags & CONNECTION_TCP)
            liveness_watch(server, session);
    }
}

static void log_culprit(Server *server, uint32_t session)
{
    const SessionRecord *record = session_record(server->chat, session);
    size_t n = input_peek_line(server, session), size = 4 * n + 1;
    char *line = malloc(size);

    if (line != NULL)
        (void) text_escape(line, size, server->read, n);
    log_event(
        server->log,
        (LogEvent){.priority = LOG_CRIT,
                   .id = LOG_ID_CULPRIT,
                   .nick = record->nick.bytes,
                   .room = server->chat->state.rooms[record->current_room].name.bytes,
                   .line = line},
        "The last process died by signal %u (%s) while it executed a line of %s, who is dropped for it. "
        "The line is in CHAT_LINE=.",
        server->chat->state.header->fault, strsignal((int) server->chat->state.header->fault),
        record->nick.bytes);
    free(line);
}

/* The one whose line brought the process down is dropped, and nobody else. */
static void adopt_judge(Server *server)
{
    StateHeader *header = server->chat->state.header;
    uint32_t session = header->executing - 1;

    if (header->fault != 0 && header->executing != 0 && session < server->chat->session_slots.n_touched &&
        session_record(server->chat, session)->serial != 0 &&
        !(session_record(server->chat, session)->flags & SESSION_ENDING) &&
        !(server->connections[session].flags & CONNECTION_DEAD)) {
        log_culprit(server, session);
        chat_reserve(server->chat, session);
        chat_error(
            server->chat, session,
            "An error in the service, which your last line brought to light, ended it. The line was not "
            "executed, and you are disconnected. Your administrator finds it in the journal.");
        session_end(server->chat, session);
        chat_commit(server->chat);
    }
    header->executing = 0;
    state_barrier();
    header->fault = 0;
}

int adopt_clients(Server *server, Inherited *inherited)
{
    StateHeader *header = server->chat->state.header;
    Adoption adoption;
    int r = adoption_init(&adoption, server);

    if (r == 0)
        r = vault_adopt(&server->vault, inherited, adopt_found, &adoption);
    free(adoption.bearers);
    if (r < 0)
        return error_trace(r);
    crash_point();
    adopt_settle(server);
    crash_point();
    adopt_judge(server);
    header->rendering = FRONT_RENDERING;
    chat_set_config(server->chat, &server->config);
    if (adoption.newcomer.fd >= 0)
        r = listener_admit_found(server, &adoption.newcomer);
    if (r < 0)
        return error_trace(r);
    header->next_serial = MAX(header->next_serial, adoption.next_serial);
    log_event(server->log, (LogEvent){.priority = LOG_NOTICE, .id = LOG_ID_ADOPTED},
              "Going on with %u %s of the last process.", chat_n_people(server->chat),
              chat_n_people(server->chat) == 1 ? "person" : "people");
    server->is_recovering = true;
    return 0;
}

void adopt_complete(Server *server)
{
    StateHeader *header = server->chat->state.header;

    server->is_recovering = false;
    header->n_restarts++;
    state_barrier();
    crash_point();
    header->n_recoveries = 0;
}
