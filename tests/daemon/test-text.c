/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* What one person typed is made harmless before another's terminal has it, by whichever command it goes. */

#include <stdlib.h>
#include <string.h>

#include "lib/client.h"

#define BAD "\xef\xbf\xbd" /* U+FFFD */
#define ACUTE "\xcc\x81"   /* U+0301, combining */

static const struct {
    const char *what;
    const char *sent;
    size_t n_sent; /* 0: up to the NUL */
    const char *heard;
} texts[] = {
    {"escape sequence", "a\x1b[31mz", 0, "a[31mz"},
    {"title of the window", "a\x1b]0;x\x07z", 0, "a]0;xz"},
    {"C1 control sequence", "a\xc2\x9b[31mz", 0, "a[31mz"},
    {"bell", "a\x07z", 0, "az"},
    {"NUL", "a\0z", 3, "az"},
    {"delete", "a\x7fz", 0, "az"},
    {"tab", "a\tz", 0, "a z"},
    {"byte that is never valid", "a\xfez", 0, "a" BAD "z"},
    {"overlong slash", "a\xc0\xafz", 0, "a" BAD BAD "z"},
    {"surrogate", "a\xed\xa0\x80z", 0, "a" BAD BAD BAD "z"},
    {"above U+10FFFF", "a\xf4\x90\x80\x80z", 0, "a" BAD BAD BAD BAD "z"},
    {"cut after two of three", "a\xe2\x82z", 0, "a" BAD "z"},
    {"cut after three of four", "a\xf0\x9f\x98z", 0, "a" BAD "z"},
    {"cut by the end of the line", "a\xf0\x9f", 0, "a" BAD},
    {"stray continuation", "a\x80\x80z", 0, "a" BAD BAD "z"},
    {"Latin-1", "caf\xe9", 0, "caf" BAD},
    {"noncharacter", "a\xef\xbf\xbfz", 0, "a" BAD "z"},
    {"right-to-left override", "a\xe2\x80\xaez", 0, "az"},
    {"isolate", "a\xe2\x81\xa6z\xe2\x81\xa9", 0, "az"},
    {"left-to-right mark", "a\xe2\x80\x8ez", 0, "az"},
    {"Arabic letter mark", "a\xd8\x9cz", 0, "az"},
    {"zero width space", "a\xe2\x80\x8bz", 0, "az"},
    {"byte order mark", "\xef\xbb\xbfxz", 0, "xz"},
    {"soft hyphen", "a\xc2\xadz", 0, "az"},
    {"Hangul filler", "a\xe3\x85\xa4z", 0, "az"},
    {"tag character", "a\xf3\xa0\x81\x81z", 0, "az"},
    {"variation selector", "a\xef\xb8\x8fz", 0, "az"},
    {"line separator", "a\xe2\x80\xa8z", 0, "a z"},
    {"paragraph separator", "a\xe2\x80\xa9z", 0, "a z"},
    {"next line", "a\xc2\x85z", 0, "az"},
    {"private use stays", "a\xee\x80\x80z", 0, "a\xee\x80\x80z"},
    {"a face stays", "\xf0\x9f\x98\x80", 0, "\xf0\x9f\x98\x80"},
    {"scripts stay", "\xd0\xbf\xd1\x80\xd0\xb8 \xd7\xa9\xd7\x9c \xe4\xbd\xa0", 0,
     "\xd0\xbf\xd1\x80\xd0\xb8 \xd7\xa9\xd7\x9c \xe4\xbd\xa0"},
    {"nine marks on one letter", "a" ACUTE ACUTE ACUTE ACUTE ACUTE ACUTE ACUTE ACUTE ACUTE "b", 0,
     "a" ACUTE ACUTE ACUTE ACUTE ACUTE ACUTE ACUTE ACUTE "b"},
};

START_TEST(speech_is_cleaned)
{
    Daemon *daemon = daemon_start();
    Client *alice, *carol;

    people_connect(daemon, "alice", &alice, "carol", &carol, NULL);
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        suite_note("%s", texts[i].what);
        client_send_bytes(carol, texts[i].sent,
                          texts[i].n_sent != 0 ? texts[i].n_sent : strlen(texts[i].sent));
        client_send_text(carol, "\n");
        client_expect_next(alice, "[{time}] <carol> %s", texts[i].heard);
    }
    client_expect_nothing(alice);
    daemon_stop(daemon);
}
END_TEST

/* A character that came in several packets is one character. */
START_TEST(speech_is_cleaned_byte_by_byte)
{
    Daemon *daemon = daemon_start();
    Client *alice, *carol, *witness;

    people_connect(daemon, "alice", &alice, "carol", &carol, NULL);
    witness = client_connect(daemon);
    daemon_settle(daemon);
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        suite_note("%s", texts[i].what);
        client_send_parts(carol, witness, texts[i].sent,
                          texts[i].n_sent != 0 ? texts[i].n_sent : strlen(texts[i].sent), 1);
        client_send_text(carol, "\n");
        client_expect_next(alice, "[{time}] <carol> %s", texts[i].heard);
    }
    daemon_stop(daemon);
}
END_TEST

/* Each command that carries words from one to another. */
static const struct {
    const char *format;
    const char *heard;
} carriers[] = {
    {"/me %s", "[{time}] * carol %s"},
    {"/msg alice %s", "[{time}] (private) <carol> %s"},
    {"/topic %s", "-- carol set the topic: %s"},
    {"//%s", "[{time}] <carol> /%s"},
};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

START_TEST(every_command_cleans)
{
    Daemon *daemon = daemon_start();
    Client *alice, *carol;

    people_connect(daemon, "alice", &alice, "carol", &carol, NULL);
    for (size_t i = 0; i < N_ELEMENTS(carriers); i++) {
        suite_note("%s", carriers[i].format);
        client_say(carol, carriers[i].format, "x\x1b[2J\r\xe2\x80\xae\xc2\x9by\xfez");
        client_expect_next(alice, carriers[i].heard, "x[2Jy" BAD "z");
    }
    client_expect_nothing(alice);
    daemon_stop(daemon);
}
END_TEST

#pragma GCC diagnostic pop

/* Whatever an answer repeats of the question, a terminal can be shown it. */
static const char *const questions[] = {
    "/\x1b[2J",          "/nick \x1b[2J",   "/nick a\x9b",      "/join #\x1b[2J",
    "/join \x1b[2J",     "/msg \x1b[2J x",  "/whois \x1b[2J",   "/who #\x1b[2J",
    "/leave #\x1b[2J",   "/topic \x1b[2J",  "/topic",           "/away \x1b[2J\xe2\x80\xae",
    "/whois carol",      "/ignore \x1b[2J", "/history \x1b[2J", "/set \x1b[2J on",
    "/set time \x1b[2J", "/help \x1b[2J",   "/rooms",           "/who",
};

START_TEST(no_answer_has_control_characters)
{
    Daemon *daemon = daemon_start();
    Client *carol = client_connect_as(daemon, "carol");

    for (size_t i = 0; i < N_ELEMENTS(questions); i++) {
        char *answer = client_ask(carol, "%s", questions[i]);

        suite_note("question %zu", i);
        ck_assert_msg(*answer != '\0', "[question %zu] no answer", i);
        for (const char *c = answer; *c != '\0'; c++)
            ck_assert_msg(*c == '\n' || ((unsigned char) *c >= 0x20 && *c != 0x7f),
                          "[question %zu] byte 0x%02x in: %s", i, (unsigned char) *c, answer);
        ck_assert_msg(strstr(answer, "\xe2\x80\xae") == NULL, "[question %zu] bidi override in: %s", i,
                      answer);
        free(answer);
    }
    daemon_stop(daemon);
}
END_TEST

/* A line of which nothing is left is not a line, and never one without its speaker. */
START_TEST(nothing_visible_says_nothing)
{
    static const char *const lines[] = {"", "\x1b", "\xe2\x80\x8b", "\x07\x07", "\xef\xbb\xbf"};
    Daemon *daemon = daemon_start();
    Client *alice, *carol;

    people_connect(daemon, "alice", &alice, "carol", &carol, NULL);
    for (size_t i = 0; i < N_ELEMENTS(lines); i++) {
        suite_note("line %zu", i);
        client_say(carol, "%s", lines[i]);
        client_sync(carol);
        client_expect_nothing(alice);
    }
    daemon_stop(daemon);
}
END_TEST

/* Names that would pass for another's, or for a part of the server's lines. */
static const char *const bad_nicks[] = {
    "ALICE",
    "Alice",
    "alic\xe9",
    "a lice",
    "<alice>",
    "alice>",
    "--",
    "-alice",
    "!!",
    "*",
    "[12:00]",
    "(private)",
    "#lobby",
    "guest1",
    "Guest99",
    "GUEST12",
    "1alice",
    "al\xe2\x80\x8bice",
    "alic\xc2\xad\x65",
    "\xe2\x80\xae\x61lice",
    "al\tice",
    "\xef\xbd\x81\xef\xbd\x8c\xef\xbd\x89\xef\xbd\x83\xef\xbd\x85", /* alice in full width */
    "al\x1b[1mice",
    "alice,",
    "alice:",
    "alice.",
    "@alice",
    "\xcc\x81",
    "\xc2\xa0",
};

START_TEST(no_nick_can_pose_as_somebody_else)
{
    Daemon *daemon = daemon_start();
    Client *alice, *carol;

    people_connect(daemon, "alice", &alice, "carol", &carol, NULL);
    for (size_t i = 0; i < N_ELEMENTS(bad_nicks); i++) {
        suite_note("nick %zu", i);
        client_say(carol, "/nick %s", bad_nicks[i]);
        client_expect_next(carol, "!! {any}");
        client_expect_nothing(carol);
    }
    suite_note("%s", "");
    client_expect_nothing(alice);
    client_say(carol, "still carol");
    client_expect_next(alice, "[{time}] <carol> still carol");
    daemon_stop(daemon);
}
END_TEST

START_TEST(nicks_of_any_script)
{
    static const char *const nicks[] = {
        "Carol",
        "carol_2",
        "c",
        "_c",
        "ca-rol",
        "\xd0\xba\xd1\x8d\xd1\x80\xd0\xbe\xd0\xbb",
        "\xe5\x8d\xa1\xe7\xbd\x97\xe5\xb0\x94",
        "\xc3\xa9mile",
        "\xe0\xa4\xb9\xe0\xa4\xbf\xe0\xa4\xa8\xe0\xa5\x8d\xe0\xa4\xa6\xe0\xa5\x80", /* marks within a word */
    };
    Daemon *daemon = daemon_start();
    Client *alice, *carol;

    people_connect(daemon, "alice", &alice, "carol", &carol, NULL);
    for (size_t i = 0; i < N_ELEMENTS(nicks); i++) {
        suite_note("nick %zu", i);
        client_become(carol, nicks[i]);
        client_say(carol, "hello");
        client_expect(alice, "[{time}] <%s> hello", nicks[i]);
    }
    daemon_stop(daemon);
}
END_TEST

START_TEST(nick_is_composed)
{
    Daemon *daemon = daemon_start();
    Client *alice, *carol;

    people_connect(daemon, "alice", &alice, "carol", &carol, NULL);
    client_say(carol, "/nick e" ACUTE "mile");
    client_expect_next(carol, "-- You are now \xc3\xa9mile.");
    client_say(alice, "/nick \xc3\x89MILE");
    client_expect_next(alice, "-- carol is now \xc3\xa9mile");
    client_expect_next(alice, "!! {any}");
    daemon_stop(daemon);
}
END_TEST

SUITE_MAIN("text", {speech_is_cleaned, 0}, {speech_is_cleaned_byte_by_byte, 0}, {every_command_cleans, 0},
           {no_answer_has_control_characters, 0}, {nothing_visible_says_nothing, 0},
           {no_nick_can_pose_as_somebody_else, 0}, {nicks_of_any_script, 0}, {nick_is_composed, 0})
