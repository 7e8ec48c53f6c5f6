/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "lib/script.h"

enum { SHOWN_MAX = 600 };

size_t script_n_deaths(const Daemon *daemon)
{
    size_t n = 0;

    for (size_t i = 0; i < MIN(daemon->n_ends, (size_t) DAEMON_RUNS_MAX); i++)
        n += WIFSIGNALED(daemon->ends[i].status);
    return n;
}

static ScriptPerson *person(Script *script, char letter)
{
    ck_assert(letter >= 'a' && letter < 'a' + SCRIPT_PEOPLE_MAX);
    return &script->people[letter - 'a'];
}

static void show(Buffer *to, const char *title, const char *bytes, size_t from, size_t at, size_t n)
{
    from = at - from > SHOWN_MAX ? at - SHOWN_MAX : from;
    buffer_add_text(to, title);
    buffer_add_escaped(to, bytes + from, at - from);
    buffer_add_text(to, "\n    >>> here <<<\n");
    buffer_add_escaped(to, bytes + at, MIN(n - at, (size_t) SHOWN_MAX));
}

static void script_fail(Script *script, ScriptPerson *who, const char *reason) __attribute__((__noreturn__));
static void script_fail(Script *script, ScriptPerson *who, const char *reason)
{
    Client *client = who->client;
    Buffer text = {0};
    char letter[2] = {(char) ('a' + (who - script->people)), '\0'};
    char at[96];

    (void) snprintf(at, sizeof(at), "step %zu, after %zu deaths: ", script->step,
                    script_n_deaths(script->daemon));
    buffer_add_text(&text, at);
    buffer_add_text(&text, letter);
    buffer_add_text(&text, " ");
    buffer_add_text(&text, reason);
    if (client->eof)
        buffer_add_text(&text,
                        client->was_reset ? " (the connection was reset)" : " (the connection has ended)");
    show(&text, "\n--- wanted:\n", buffer_text(&who->wanted), 0, who->n_wanted, who->wanted.n);
    show(&text, "\n--- came:\n", buffer_text(&client->in), 0, who->n_got, client->in.n);
    daemon_fail(script->daemon, "%s", buffer_text(&text));
}

/* Adds `text` with the names in it. */
static void add_expanded(Script *script, Buffer *to, const char *text)
{
    while (*text != '\0') {
        size_t n = strcspn(text, "{");

        buffer_add(to, text, n);
        text += n;
        if (strncmp(text, "{host}", 6) == 0) {
            buffer_add_text(to, script->host);
            text += 6;
        } else if (*text == '{' && text[1] >= 'a' && text[1] <= 'z' && text[2] == '}') {
            buffer_add_text(to, person(script, text[1])->nick);
            text += 3;
        } else if (*text == '{') {
            buffer_add(to, text++, 1);
        }
    }
}

static bool is_same(char wanted, char got)
{
    return wanted == SCRIPT_DIGIT[0] ? got >= '0' && got <= '9' : wanted == got;
}

/*
 * Whether the last line comes once more instead of what is wanted: it was being sent over a unix socket when
 * the process died. It is skipped if all of it is there, otherwise *ret_more is set.
 */
static bool skip_repeated(Script *script, ScriptPerson *who, bool *ret_more)
{
    const char *got = buffer_text(&who->client->in);
    size_t n = who->got_line - who->got_line_before, n_there = MIN(who->client->in.n - who->got_line, n);

    if (script->daemon->listeners[who->listener].kind != LISTENER_UNIX || n == 0 ||
        script_n_deaths(script->daemon) == who->n_deaths_before ||
        script_n_deaths(script->daemon) == script->n_repeated ||
        memcmp(got + who->got_line, got + who->got_line_before, n_there) != 0)
        return false;
    *ret_more = n_there < n;
    if (*ret_more)
        return true;
    /* It may have begun like what is wanted. */
    who->n_wanted = who->want_line;
    who->got_line_before = who->got_line;
    who->n_got = who->got_line += n;
    script->n_repeated++;
    who->n_deaths_before++;
    return true;
}

/* An answer to telnet is three bytes, and what is sent in one piece like a line. */
static bool is_end_of_line(const ScriptPerson *who)
{
    const char *got = buffer_text(&who->client->in);

    return got[who->n_got - 1] == '\n' || (got[who->got_line] == '\xff' && who->n_got - who->got_line == 3);
}

/* Compares what came with what is wanted, as far as both go. */
static void compare(Script *script, ScriptPerson *who)
{
    const Buffer *in = &who->client->in;
    bool more = false;

    while (who->n_got < in->n && !more) {
        if (who->n_wanted == who->wanted.n ||
            !is_same(who->wanted.data[who->n_wanted], in->data[who->n_got])) {
            if (!skip_repeated(script, who, &more))
                script_fail(script, who, "read something else");
            continue;
        }
        who->n_wanted++;
        who->n_got++;
        if (is_end_of_line(who)) {
            who->got_line_before = who->got_line;
            who->got_line = who->n_got;
            who->want_line = who->n_wanted;
        }
    }
}

static bool has_all(const ScriptPerson *who)
{
    return who->n_wanted == who->wanted.n && who->n_got == who->client->in.n;
}

static void expect_all(Script *script, ScriptPerson *who)
{
    uint64_t deadline = deadline_in(SECONDS_TO_ANSWER);

    for (;;) {
        compare(script, who);
        if (has_all(who))
            return;
        if (who->client->eof)
            script_fail(script, who, "lost the connection");
        if (!client_wait(who->client, deadline))
            script_fail(script, who, "did not read this in time");
    }
}

static void read_to_end(Script *script, ScriptPerson *who)
{
    uint64_t deadline = deadline_in(SECONDS_TO_ANSWER);

    while (!who->client->eof) {
        if (!client_wait(who->client, deadline))
            script_fail(script, who, "is still connected");
        compare(script, who);
    }
    compare(script, who);
}

static void leave(ScriptPerson *who)
{
    client_close(who->client);
    buffer_done(&who->wanted);
    who->client = NULL; /* the name is still used in texts */
}

/* The name and the host are in the first line. */
static bool is_greeted(Script *script, ScriptPerson *who)
{
    const char *text = buffer_text(&who->client->in);

    return strchr(text, '\n') != NULL &&
           sscanf(text, "-- Welcome to %64[^ ] You are %63[^;];", script->host, who->nick) == 2;
}

/* Where the listener's side is small, ours is, too. */
static void open_connection(Script *script, ScriptPerson *who)
{
    bool is_narrow = script->daemon->options.listeners[who->listener].send_buffer > 0;

    who->client =
        client_open(script->daemon, .listener = who->listener, .receive_buffer = is_narrow ? 4096 : 0);
}

/* A connection that ended before it was greeted: that is so only if the process died meanwhile. The one that
 * comes by the socket for accounts may be told so. */
static void connect_again(Script *script, ScriptPerson *who, size_t *n_deaths)
{
    static const char words[] = "!! The chat was restarted just now. Please connect again.\n";

    daemon_expect_sleep(script->daemon);
    if ((who->client->in.n > 0 && strcmp(buffer_text(&who->client->in), words) != 0) ||
        script_n_deaths(script->daemon) == *n_deaths)
        script_fail(script, who, "was not greeted");
    *n_deaths = script_n_deaths(script->daemon);
    client_close(who->client);
    open_connection(script, who);
}

static void connect_person(Script *script, ScriptPerson *who, size_t listener)
{
    uint64_t deadline = deadline_in(SECONDS_TO_ANSWER);
    size_t n_deaths = script_n_deaths(script->daemon);

    *who = (ScriptPerson){.listener = listener, .n_deaths_before = n_deaths};
    open_connection(script, who);
    while (!is_greeted(script, who)) {
        if (who->client->eof)
            connect_again(script, who, &n_deaths);
        else if (!client_wait(who->client, deadline))
            script_fail(script, who, "was not greeted in time");
    }
    /* The full stop after it belongs to the sentence. */
    script->host[strlen(script->host) - 1] = '\0';
}

static void send_expanded(Script *script, ScriptPerson *who, const char *text)
{
    Buffer bytes = {0};

    add_expanded(script, &bytes, text);
    client_send_bytes(who->client, bytes.data, bytes.n);
    buffer_done(&bytes);
}

/* It was slow in earnest: not all that is for it has found a place in the kernel. */
static void expect_some_left(Script *script, ScriptPerson *who)
{
    int n = 0;

    ck_assert_int_eq(ioctl(who->client->fd, FIONREAD, &n), 0);
    if ((size_t) n >= who->wanted.n - who->n_wanted)
        script_fail(script, who, "is not slow, all has come");
}

static void act(Script *script, const ScriptStep *step)
{
    ScriptPerson *who = step->who != '\0' ? person(script, step->who) : NULL;

    switch (step->action) {
    case SCRIPT_CONNECT:
        connect_person(script, who, step->listener);
        break;
    case SCRIPT_SEND:
        send_expanded(script, who, step->bytes);
        break;
    case SCRIPT_HALF_CLOSE:
        send_expanded(script, who, step->bytes);
        client_half_close(who->client);
        break;
    case SCRIPT_CLOSE:
        leave(who);
        break;
    case SCRIPT_PAUSE:
        who->is_paused = true;
        break;
    case SCRIPT_RESUME:
        expect_some_left(script, who);
        who->is_paused = false;
        who->n_deaths_before = 0;
        break;
    case SCRIPT_RESTART:
        daemon_signal(script->daemon, SIGTERM);
        break;
    case SCRIPT_END:
        daemon_ask_to_stop(script->daemon);
        break;
    }
}

static void want(Script *script, const ScriptStep *step)
{
    for (size_t i = 0; i < SCRIPT_READS_MAX && step->reads[i].who != NULL; i++) {
        for (const char *letter = step->reads[i].who; *letter != '\0'; letter++)
            add_expanded(script, &person(script, *letter)->wanted, step->reads[i].bytes);
    }
}

/* Everybody who reads has read what they should. */
static void expect_everybody(Script *script)
{
    for (size_t i = 0; i < SCRIPT_PEOPLE_MAX; i++) {
        ScriptPerson *who = &script->people[i];

        if (who->client != NULL && !who->is_paused)
            expect_all(script, who);
    }
}

static void expect_ends(Script *script, const char *letters)
{
    for (const char *letter = letters; letter != NULL && *letter != '\0'; letter++) {
        ScriptPerson *who = person(script, *letter);

        read_to_end(script, who);
        if (!has_all(who) || who->client->was_reset)
            script_fail(script, who, "saw another end");
        leave(who);
    }
}

static void expect_run_to_end(Script *script, size_t n_ends)
{
    uint64_t deadline = deadline_in(SECONDS_TO_ANSWER);

    while (script->daemon->n_ends == n_ends) {
        if (!daemon_turn(script->daemon, -1, 0, deadline))
            daemon_fail(script->daemon, "step %zu: the daemon does not end", script->step);
    }
}

/* What came twice came so in the step in which the process died; who does not read sees that later. */
static void note_deaths(Script *script)
{
    for (size_t i = 0; i < SCRIPT_PEOPLE_MAX; i++) {
        if (!script->people[i].is_paused)
            script->people[i].n_deaths_before = script_n_deaths(script->daemon);
    }
}

static void play_step(Script *script, const ScriptStep *step)
{
    size_t n_ends;

    (void) daemon_turn(script->daemon, -1, 0, now_usec());
    n_ends = script->daemon->n_ends;
    note_deaths(script);
    act(script, step);
    want(script, step);
    expect_everybody(script);
    expect_ends(script, step->ends);
    if (step->action == SCRIPT_RESTART)
        expect_run_to_end(script, n_ends);
    daemon_expect_sleep(script->daemon);
    for (size_t i = 0; i < SCRIPT_PEOPLE_MAX; i++) {
        ScriptPerson *who = &script->people[i];

        while (who->client != NULL && !who->is_paused && client_receive(who->client)) {
            if (who->client->eof)
                script_fail(script, who, "lost the connection");
        }
    }
    expect_everybody(script);
}

/* All read the end. If the process dies on the way, the manager drops what is stored, and their connections
 * end with a part of that or nothing. */
static void play_end(Script *script, const ScriptStep *step)
{
    Daemon *daemon = script->daemon;

    (void) daemon_turn(daemon, -1, 0, now_usec());
    note_deaths(script);
    script->n_unstored = notify_count(&daemon->notify, "FDSTOREREMOVE=1");
    act(script, step);
    want(script, step);
    expect_run_to_end(script, daemon->n_ends);
    script->died_at_end = WIFSIGNALED(daemon->exit_status);
    if (script->died_at_end)
        store_remove(&daemon->store, "{any}");
    else
        daemon_expect_exit(daemon, 0);
    daemon_expect_empty_store(daemon);
    for (size_t i = 0; i < SCRIPT_PEOPLE_MAX; i++) {
        ScriptPerson *who = &script->people[i];

        if (who->client == NULL)
            continue;
        read_to_end(script, who);
        if (!script->died_at_end && !has_all(who))
            script_fail(script, who, "did not read the end");
        leave(who);
    }
}

void script_play(Script *script, Daemon *daemon, const ScriptStep *steps, size_t n_steps)
{
    *script = (Script){.daemon = daemon, .steps = steps, .n_steps = n_steps};
    for (; script->step < n_steps; script->step++) {
        if (steps[script->step].action == SCRIPT_END)
            play_end(script, &steps[script->step]);
        else
            play_step(script, &steps[script->step]);
    }
}
