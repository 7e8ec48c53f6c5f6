/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* What a session reads next: in parts, late, too late, and while it changes its mind. */

#include <stdio.h>
#include <string.h>

#include "chat/command.h"
#include "chat/lifecycle.h"
#include "chat/room.h"
#include "chat/session.h"
#include "unit/harness.h"
#include "unit/unit.h"

#define ELLIPSIS "\xe2\x80\xa6"

typedef struct Scene {
    Harness *harness;
    Client *alice, *bob;
} Scene;

/* alice, who reads, and bob, who speaks. */
static void scene_begin(Scene *scene)
{
    scene->harness = harness_new(NULL, 40);
    scene->alice = client_named(scene->harness, "alice");
    scene->bob = client_named(scene->harness, "bob");
}

static void scene_end(Scene *scene)
{
    harness_check(scene->harness);
    harness_free(scene->harness);
}

/* Fills the transcript until all that was there before is gone. Returns the number of lines. */
static unsigned scene_flood(Scene *scene)
{
    const StateHeader *header = scene->harness->chat->state.header;
    uint64_t before = header->head;
    unsigned n = 0;

    while (header->tail < before) {
        client_say(scene->harness, scene->bob, "line %u %0900d", n, 0);
        n++;
    }
    return n;
}

/* alice takes all there is, and keeps up again. */
static const char *scene_catch_up(Scene *scene)
{
    client_open_window(scene->harness, scene->alice, SIZE_MAX);
    do
        harness_turn(scene->harness);
    while (scene->alice->is_behind);
    return client_take(scene->alice);
}

static unsigned count_lines(const char *text)
{
    unsigned n = 0;

    for (; (text = strchr(text, '\n')) != NULL; text++)
        n++;
    return n;
}

/* alice takes `n` bytes of the next line, types something, and then takes the rest. */
static const char *scene_change(Scene *scene, size_t n, const char *line, const char *command)
{
    client_stop(scene->alice);
    client_say(scene->harness, scene->bob, "%s", line);
    client_open_window(scene->harness, scene->alice, n);
    harness_turn(scene->harness);
    client_say(scene->harness, scene->alice, "%s", command);
    return scene_catch_up(scene);
}

typedef struct Change {
    const char *line;    /* bob types it */
    const char *command; /* alice types it in the middle of that */
    const char *all;     /* alice reads this */
} Change;

static const Change changes[] = {
    {"hello", "/set time off", "[12:03] <bob> hello\n-- time is off now.\n"},
    {"hello", "/set color on", "[12:03] <bob> hello\n-- color is on now.\n"},
    {"hello alice", "/set bell on", "[12:03] <bob> hello alice\n-- bell is on now.\n"},
    {"hello carol", "/nick carol", "[12:03] <bob> hello carol\n-- You are now carol.\n"},
    {"hello", "/join #dev", "[12:03] <bob> hello\n-- You are in #dev now, alone.\n"},
    {"/nick robert", "/set joins off", "-- bob is now robert\n-- joins is off now.\n"},
    {"/topic words", "/set joins off", "-- bob set the topic: words\n-- joins is off now.\n"},
    {"hello", "/ignore bob", "[12:03] <bob> hello\n-- You ignore bob now. The same command again ends it.\n"},
    {"/me waves", "/ignore bob",
     "[12:03] * bob waves\n-- You ignore bob now. The same command again ends it.\n"},
    {"/msg alice psst", "/ignore bob",
     "[12:03] (private) <bob> psst\n-- You ignore bob now. The same command again ends it.\n"},
};

/* Cut at each byte: what was begun is finished as it was begun. */
START_TEST(test_change_in_the_middle)
{
    for (size_t i = 0; i < N_ELEMENTS(changes); i++) {
        size_t first = (size_t) (strchr(changes[i].all, '\n') + 1 - changes[i].all);

        for (size_t n = 1; n < first; n++) {
            Scene scene;
            const char *all;

            scene_begin(&scene);
            all = scene_change(&scene, n, changes[i].line, changes[i].command);
            ck_assert_msg(strcmp(all, changes[i].all) == 0, "%s after %zu bytes: %s", changes[i].command, n,
                          all);
            scene_end(&scene);
        }
    }
}
END_TEST

/* The same with a room that is left in the middle of what was said in it. */
START_TEST(test_leave_in_the_middle)
{
    static const char LINE[] = "[12:03] <bob> hello\n";
    Scene scene;
    const char *all;

    for (size_t n = 1; n < sizeof LINE - 1; n++) {
        scene_begin(&scene);
        client_say(scene.harness, scene.bob, "/join #dev");
        client_say(scene.harness, scene.alice, "/join #dev");
        harness_take_all(scene.harness);
        all = scene_change(&scene, n, "hello", "/leave");
        ck_assert_msg(strncmp(all, LINE, strlen(LINE)) == 0, "after %zu bytes: %s", n, all);
        ck_assert_str_eq(all + strlen(LINE), "-- You left #dev. You are in #lobby now, with 1 other.\n");
        scene_end(&scene);
    }
}
END_TEST

/* The connection's own end, in the middle of a line. */
START_TEST(test_end_in_the_middle)
{
    Scene scene;

    scene_begin(&scene);
    client_stop(scene.alice);
    client_say(scene.harness, scene.bob, "hello");
    client_open_window(scene.harness, scene.alice, 5);
    scene.alice->has_ended = true;
    harness_turn(scene.harness);
    client_say(scene.harness, scene.bob, "too late");
    ck_assert(!scene.alice->is_gone);
    ck_assert_str_eq(scene_catch_up(&scene), "[12:03] <bob> hello\n");
    ck_assert(scene.alice->is_gone);
    scene_end(&scene);
}
END_TEST

/* What a greeting says may change when a part of it has been sent: then it ends there, and that is seen. */
typedef struct Greeting {
    Harness *harness;
    Client *bob, *guest;
    Config other; /* with another message of the day */
} Greeting;

/* A guest, who has taken `n` bytes of the greeting. */
static void greeting_begin(Greeting *greeting, size_t n)
{
    Config config;

    harness_config(&config);
    ck_assert_int_eq(config_add_motd(&config, "first", 5), 0);
    ck_assert_int_eq(config_add_motd(&config, "second", 6), 0);
    greeting->harness = harness_new(&config, 10);
    greeting->bob = client_named(greeting->harness, "bob");
    client_say(greeting->harness, greeting->bob, "/topic words");
    greeting->guest = client_new(greeting->harness);
    client_stop(greeting->guest);
    client_open_window(greeting->harness, greeting->guest, n);
    harness_turn(greeting->harness);
    greeting->other = greeting->harness->config;
}

/* Takes the rest, and compares. */
static void greeting_end(Greeting *greeting, size_t n, bool is_cut, const char *what)
{
    static const char ALL[] =
        "-- Welcome to host. You are guest2; 1 other is here. /help lists the commands.\n"
        "-- first\n-- second\n-- Topic of #lobby: words\n";
    char expected[sizeof ALL + 64];

    if (is_cut && n < strlen(ALL))
        (void) snprintf(expected, sizeof expected, "%.*s%s-- You read too slowly: 1 line was skipped.\n",
                        (int) n, ALL, ALL[n - 1] == '\n' ? "" : "…\n");
    else
        (void) snprintf(expected, sizeof expected, "%s", ALL);
    client_open_window(greeting->harness, greeting->guest, SIZE_MAX);
    harness_turn(greeting->harness);
    ck_assert_msg(strncmp(greeting->guest->output, expected, strlen(expected)) == 0, "%s after %zu bytes: %s",
                  what, n, greeting->guest->output);
    harness_free(greeting->harness);
}

START_TEST(test_greeting_in_parts)
{
    Greeting greeting;

    for (size_t n = 1; n < 120; n++) {
        greeting_begin(&greeting, n);
        client_say(greeting.harness, greeting.bob, "hello");
        greeting_end(&greeting, n, false, "speech");
    }
}
END_TEST

START_TEST(test_topic_in_greeting)
{
    Greeting greeting;

    for (size_t n = 1; n < 120; n += 7) {
        greeting_begin(&greeting, n);
        client_say(greeting.harness, greeting.bob, "/topic other");
        greeting_end(&greeting, n, true, "another topic");
    }
}
END_TEST

START_TEST(test_motd_in_greeting)
{
    static char motd[] = "Nothing is as it was";
    Greeting greeting;

    for (size_t n = 1; n < 120; n += 7) {
        greeting_begin(&greeting, n);
        greeting.other.motd = motd;
        chat_set_config(greeting.harness->chat, &greeting.other);
        greeting_end(&greeting, n, true, "another message");
    }
}
END_TEST

/* Overtaken */

START_TEST(test_missed)
{
    Scene scene;
    const char *all;
    unsigned n, told, n_help = 1;
    char rest[96];

    for (const Command *command = COMMANDS; command->name != NULL; command++)
        n_help += !command->is_for_operators;
    scene_begin(&scene);
    client_stop(scene.alice);
    client_say(scene.harness, scene.alice, "/help");
    n = n_help + scene_flood(&scene);
    all = scene_catch_up(&scene);
    told = n - (count_lines(all) - 1);
    (void) snprintf(rest, sizeof rest,
                    "-- You read too slowly: %u lines were skipped.\n[12:03] <bob> line %u ", told,
                    told - n_help);
    ck_assert_mem_eq(all, rest, strlen(rest));
    /* After that it reads as before. */
    client_say(scene.harness, scene.bob, "hello");
    ck_assert_str_eq(client_take(scene.alice), "[12:03] <bob> hello\n");
    scene_end(&scene);
}
END_TEST

/* The whole transcript between two lines of hers: just one is lost. */
START_TEST(test_missed_one)
{
    Scene scene;
    const char *all;

    scene_begin(&scene);
    client_say(scene.harness, scene.bob, "/join #dev");
    client_say(scene.harness, scene.bob, "/leave #lobby");
    harness_take_all(scene.harness);
    client_stop(scene.alice);
    client_say(scene.harness, scene.alice, "/time");
    (void) scene_flood(&scene);
    all = scene_catch_up(&scene);
    ck_assert_str_eq(all, "-- You read too slowly: 1 line was skipped.\n");
    scene_end(&scene);
}
END_TEST

/* The line that was begun is cut, and counts. */
START_TEST(test_cut)
{
    static const char LINE[] = "[12:03] <bob> hello\n";
    char begin[64];
    Scene scene;
    const char *all;
    unsigned n, skipped;

    for (size_t cut = 1; cut < sizeof LINE - 1; cut++) {
        scene_begin(&scene);
        client_stop(scene.alice);
        client_say(scene.harness, scene.bob, "hello");
        client_open_window(scene.harness, scene.alice, cut);
        harness_turn(scene.harness);
        n = scene_flood(&scene);
        (void) snprintf(begin, sizeof begin, "%.*s" ELLIPSIS "\n-- You read too slowly: ", (int) cut, LINE);
        all = scene_catch_up(&scene);
        ck_assert_mem_eq(all, begin, strlen(begin));
        skipped = (unsigned) atoi(all + strlen(begin));
        ck_assert_uint_eq(skipped + count_lines(all) - 2, n + 1);
        scene_end(&scene);
    }
}
END_TEST

/* A notice that is on its way keeps its number; what is lost meanwhile is told of after it. */
START_TEST(test_notice_in_parts)
{
    static const char NOTICE[] = "-- You read too slowly: ";
    Scene scene;
    const char *all;
    unsigned n, told;
    char rest[96];

    for (size_t cut = 1; cut < 46; cut += 4) {
        scene_begin(&scene);
        client_stop(scene.alice);
        client_say(scene.harness, scene.bob, "hello");
        n = 1 + scene_flood(&scene);
        client_open_window(scene.harness, scene.alice, cut);
        harness_turn(scene.harness);
        n += scene_flood(&scene);
        all = scene_catch_up(&scene);
        ck_assert_mem_eq(all, NOTICE, strlen(NOTICE));
        told = (unsigned) atoi(all + strlen(NOTICE));
        (void) snprintf(rest, sizeof rest, "%s%u lines were skipped.\n%s", NOTICE, told, NOTICE);
        ck_assert_mem_eq(all, rest, strlen(rest));
        told += (unsigned) atoi(all + strlen(rest));
        ck_assert_uint_eq(told + count_lines(all) - 2, n);
        scene_end(&scene);
    }
}
END_TEST

/* History that is being shown again and is overtaken: what is lost of it counts. */
START_TEST(test_replay_overtaken)
{
    Scene scene;
    const char *all;
    unsigned n, told;

    scene_begin(&scene);
    for (unsigned i = 0; i < 20; i++)
        client_say(scene.harness, scene.bob, "old %u", i);
    harness_take_all(scene.harness);
    client_stop(scene.alice);
    client_say(scene.harness, scene.alice, "/history 20");
    client_open_window(scene.harness, scene.alice,
                       strlen("[12:03] <bob> old 0\n[12:03] <bob> old 1\n[12:03] "));
    harness_turn(scene.harness);
    n = scene_flood(&scene);
    all = scene_catch_up(&scene);
    ck_assert_ptr_nonnull(strstr(all, "<bob> old 1\n[12:03] " ELLIPSIS "\n-- You read too slowly: "));
    told = (unsigned) atoi(strstr(all, "slowly: ") + 8);
    /* 18 of the history and all those that came after it, but the ones she reads. */
    ck_assert_uint_eq(told + count_lines(all) - 4, 18 + n);
    scene_end(&scene);
}
END_TEST

/* An answer of many lines, cut: those that were sent in full were not skipped, and a line that was not begun
 * has no end. */
START_TEST(test_cut_in_answer)
{
    Scene scene;
    const char *all, *end;
    unsigned n, told, sent = 0;

    for (size_t cut = 1; cut < 400; cut++) {
        scene_begin(&scene);
        client_say(scene.harness, scene.alice, "/help");
        all = client_take(scene.alice);
        n = count_lines(all);
        client_stop(scene.alice);
        client_say(scene.harness, scene.alice, "/help");
        client_open_window(scene.harness, scene.alice, cut);
        harness_turn(scene.harness);
        sent = count_lines(scene.alice->output + scene.alice->taken);
        n += scene_flood(&scene);
        all = scene_catch_up(&scene);
        end = strstr(all, "-- You read too slowly: ");
        ck_assert_msg(strstr(all, "\n" ELLIPSIS) == NULL, "after %zu bytes: a line that is only an ellipsis",
                      cut);
        ck_assert_ptr_nonnull(end);
        told = (unsigned) atoi(end + strlen("-- You read too slowly: "));
        ck_assert_msg(told + sent + count_lines(end) - 1 == n, "after %zu bytes, %u lines: %u told, %u of %u",
                      cut, sent, told, count_lines(end) - 1, n);
        scene_end(&scene);
    }
}
END_TEST

/* What is no line, such as an answer to a telnet request, leaves no ellipsis where it is cut. */
START_TEST(test_cut_in_bytes)
{
    Scene scene;
    const char *all;

    scene_begin(&scene);
    client_stop(scene.alice);
    client_type(scene.alice, "\xff\xfd\x01", 3);
    harness_turn(scene.harness);
    client_open_window(scene.harness, scene.alice, 1);
    harness_turn(scene.harness);
    (void) scene_flood(&scene);
    all = scene_catch_up(&scene);
    ck_assert_int_eq((unsigned char) all[0], 0xff);
    ck_assert_msg(strstr(all, ELLIPSIS) == NULL, "%.40s", all + 1);
    scene_end(&scene);
}
END_TEST

/* The same where nothing else is lost with it: nothing is left over for the next time. */
START_TEST(test_cut_in_bytes_alone)
{
    Scene scene;
    const char *all;

    scene_begin(&scene);
    client_say(scene.harness, scene.bob, "/join #dev");
    client_say(scene.harness, scene.bob, "/leave #lobby");
    harness_take_all(scene.harness);
    client_stop(scene.alice);
    client_type(scene.alice, "\xff\xfd\x01", 3);
    harness_turn(scene.harness);
    client_open_window(scene.harness, scene.alice, 1);
    harness_turn(scene.harness);
    (void) scene_flood(&scene);
    (void) scene_catch_up(&scene);
    ck_assert_int_eq(session_record(scene.harness->chat, scene.alice->session)->flags & SESSION_CUT, 0);

    client_say(scene.harness, scene.bob, "/join #lobby");
    (void) client_take(scene.alice);
    client_stop(scene.alice);
    client_say(scene.harness, scene.bob, "hello");
    (void) scene_flood(&scene);
    all = scene_catch_up(&scene);
    ck_assert_mem_eq(all, "-- You read too slowly: ", 24);
    scene_end(&scene);
}
END_TEST

/* A line that is cut in the middle of a coloured nick does not colour what follows. */
START_TEST(test_cut_in_color)
{
    Scene scene;
    const char *all, *last, *escape;

    for (size_t cut = strlen("[12:03] <\x1b[31m"); cut < strlen("[12:03] <\x1b[31mbob\x1b[0m"); cut++) {
        scene_begin(&scene);
        client_say(scene.harness, scene.alice, "/set color on");
        (void) client_take(scene.alice);
        client_stop(scene.alice);
        client_say(scene.harness, scene.bob, "hello");
        client_open_window(scene.harness, scene.alice, cut);
        harness_turn(scene.harness);
        (void) scene_flood(&scene);
        all = scene_catch_up(&scene);
        last = strstr(all, "-- You read too slowly");
        ck_assert_ptr_nonnull(last);
        for (escape = all; strstr(escape + 1, "\x1b[") != NULL && strstr(escape + 1, "\x1b[") < last;)
            escape = strstr(escape + 1, "\x1b[");
        ck_assert_msg(strncmp(escape, "\x1b[0m", 4) == 0, "cut after %zu bytes: %.60s", cut, all);
        scene_end(&scene);
    }
}
END_TEST

/* Somebody who is ignored after a line was begun, and then the line is overtaken: it is cut as any other. */
START_TEST(test_cut_and_ignored)
{
    Scene scene;
    const char *all;

    scene_begin(&scene);
    client_stop(scene.alice);
    client_say(scene.harness, scene.bob, "hello");
    client_open_window(scene.harness, scene.alice, 12);
    harness_turn(scene.harness);
    client_say(scene.harness, scene.alice, "/ignore bob");
    (void) scene_flood(&scene);
    all = scene_catch_up(&scene);
    ck_assert_mem_eq(all, "[12:03] <bob" ELLIPSIS "\n-- You read too slowly: ", 40);
    scene_end(&scene);
}
END_TEST

/* A line to everybody in the lobby, from bob, and one to alice: more of both than the transcript holds, and
 * all in one turn. Returns how many of each. */
static unsigned scene_overfill(Scene *scene)
{
    Chat *chat = scene->harness->chat;
    const StateHeader *header = chat->state.header;
    char text[32];
    unsigned n = 0;

    for (; header->tail <= header->flushed; n++) {
        (void) snprintf(text, sizeof text, "line %u", n);
        chat_reserve(chat, scene->bob->session);
        chat_tell_room(chat, ROOM_LOBBY, ENTRY_SAID, scene->bob->session, text, strlen(text));
        chat_reply(chat, scene->alice->session, "answer %u", n);
        chat_commit(chat);
    }
    return n;
}

/* Of `n` lines somebody is told how many are gone, and reads the others. */
static void check_overfilled(const char *all, unsigned n)
{
    unsigned told;

    ck_assert_int_eq(sscanf(all, "-- You read too slowly: %u lines were skipped.", &told), 1);
    ck_assert_uint_gt(told, 0);
    ck_assert_uint_lt(told, n);
    ck_assert_uint_eq(told + count_lines(all) - 1, n);
}

/* That must not happen. Where it does, nobody has kept up, whoever it is, and a process that dies of it
 * leaves a state that the next goes on with. */
START_TEST(test_overfilled)
{
    for (unsigned is_killed = 0; is_killed <= 1; is_killed++) {
        Client *carol, *late;
        Scene scene;
        unsigned n;

        scene_begin(&scene);
        carol = client_named(scene.harness, "carol");
        harness_take_all(scene.harness);
        n = scene_overfill(&scene);
        late = client_new(scene.harness); /* of whom the others are told */
        if (is_killed)
            harness_survive(scene.harness);
        check_overfilled(scene_catch_up(&scene), 2 * n + 1);
        do
            harness_turn(scene.harness);
        while (carol->is_behind || late->is_behind);
        check_overfilled(client_take(carol), n + 1);
        ck_assert_ptr_null(strstr(client_take(late), "skipped"));
        client_say(scene.harness, scene.bob, "hello");
        ck_assert_str_eq(client_take(carol), "[12:03] <bob> hello\n");
        ck_assert_str_eq(client_take(scene.alice), "[12:03] <bob> hello\n");
        ck_assert_str_eq(client_take(late), "[12:03] <bob> hello\n");
        scene_end(&scene);
    }
}
END_TEST

UNIT_MAIN("stream", test_change_in_the_middle, test_leave_in_the_middle, test_end_in_the_middle,
          test_greeting_in_parts, test_topic_in_greeting, test_motd_in_greeting, test_missed, test_missed_one,
          test_cut, test_notice_in_parts, test_replay_overtaken, test_cut_in_answer, test_cut_in_bytes,
          test_cut_in_bytes_alone, test_cut_in_color, test_cut_and_ignored, test_overfilled)
