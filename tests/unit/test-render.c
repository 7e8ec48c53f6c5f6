/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* The writing half of the plain front: items to bytes. */

#include <string.h>

#include "chat/room.h"
#include "chat/session.h"
#include "front/plain.h"
#include "unit/harness.h"
#include "unit/unit.h"

enum { T = SETTING_TIME, C = SETTING_COLOR, R = ITEM_OTHER_ROOM, B = ITEM_BELL, D = ITEM_DATED };

typedef struct Case {
    EntryKind kind;
    uint8_t key;
    const char *text;
    const char *bytes;
} Case;

/* alice, in #dev, at 12:03; her colour is the third. */
static const Case cases[] = {
    {ENTRY_SAID, 0, "hello", "<alice> hello\n"},
    {ENTRY_SAID, T, "hello", "[12:03] <alice> hello\n"},
    {ENTRY_SAID, R, "hello", "#dev <alice> hello\n"},
    {ENTRY_SAID, T | R, "hello", "[12:03] #dev <alice> hello\n"},
    {ENTRY_SAID, D, "hello", "<alice> hello\n"},
    {ENTRY_SAID, T | D, "hello", "[2026-11-22 12:03] <alice> hello\n"},
    {ENTRY_PRIVATE, T | D | R, "hello", "[2026-11-22 12:03] (private) #dev <alice> hello\n"},
    {ENTRY_SAID, T | B, "hello", "[12:03] <alice> hello\a\n"},
    {ENTRY_SAID, T | C, "hello", "[12:03] <\x1b[33malice\x1b[0m> hello\n"},
    {ENTRY_SAID, T | C | R | B, "hello", "[12:03] #dev <\x1b[33malice\x1b[0m> hello\a\n"},
    {ENTRY_SAID, T, "", "[12:03] <alice> \n"},
    {ENTRY_SAID, T, "-- bob is here", "[12:03] <alice> -- bob is here\n"},
    {ENTRY_SAID, T, "[12:04] <bob> hi", "[12:03] <alice> [12:04] <bob> hi\n"},
    {ENTRY_ACTION, 0, "waves", "* alice waves\n"},
    {ENTRY_ACTION, T, "waves", "[12:03] * alice waves\n"},
    {ENTRY_ACTION, T | R, "waves", "[12:03] #dev * alice waves\n"},
    {ENTRY_ACTION, T | C | B, "waves", "[12:03] * \x1b[33malice\x1b[0m waves\a\n"},
    {ENTRY_PRIVATE, 0, "psst", "(private) <alice> psst\n"},
    {ENTRY_PRIVATE, T, "psst", "[12:03] (private) <alice> psst\n"},
    {ENTRY_PRIVATE, T | C | B, "psst", "[12:03] (private) <\x1b[33malice\x1b[0m> psst\a\n"},
    {ENTRY_JOINED, T | C, "", "-- alice is here\n"},
    {ENTRY_JOINED, T | R, "", "-- #dev: alice is here\n"},
    {ENTRY_LEFT, T, "", "-- alice has left\n"},
    {ENTRY_LEFT, R, "", "-- #dev: alice has left\n"},
    {ENTRY_RENAMED, T, "bob", "-- alice is now bob\n"},
    {ENTRY_RENAMED, R, "bob", "-- #dev: alice is now bob\n"},
    {ENTRY_TOPIC, T, "words", "-- alice set the topic: words\n"},
    {ENTRY_TOPIC, R, "words", "-- #dev: alice set the topic: words\n"},
    {ENTRY_TOPIC, T, "", "-- alice cleared the topic\n"},
    {ENTRY_REPLY, T | C, "one", "-- one\n"},
    {ENTRY_REPLY, T, "one\ntwo\n\nfour", "-- one\n-- two\n-- \n-- four\n"},
    {ENTRY_REPLY, 0, "", "-- \n"},
    {ENTRY_ERROR, T, "no", "!! no\n"},
    {ENTRY_RAW, T, "\xff\xfe\x01", "\xff\xfe\x01"},
};

static Entry *make_entry(EntryKind kind, const char *nick, const char *room, const char *text, size_t text_n)
{
    Entry *entry = calloc(1, sizeof *entry + strlen(nick) + strlen(room) + text_n);

    ck_assert_ptr_nonnull(entry);
    entry->kind = (uint8_t) kind;
    entry->wall = HARNESS_WALL;
    entry->from_hash = 12 * 7 + 2;
    entry->nick_n = (uint8_t) strlen(nick);
    entry->room_n = (uint8_t) strlen(room);
    entry->text_n = (uint16_t) text_n;
    memcpy(entry->data, nick, entry->nick_n);
    memcpy(entry->data + entry->nick_n, room, entry->room_n);
    memcpy(entry->data + entry->nick_n + entry->room_n, text, text_n);
    return entry;
}

/* Into a block that ends where an item must. */
static size_t render(const Chat *chat, uint32_t session, const Item *item, char **ret_bytes)
{
    *ret_bytes = malloc(LIMIT_ITEM_BYTES);
    ck_assert_ptr_nonnull(*ret_bytes);
    return plain_render(chat, session, item, *ret_bytes);
}

START_TEST(test_entries)
{
    static Chat chat;

    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        Entry *entry = make_entry(cases[i].kind, "alice", "dev", cases[i].text, strlen(cases[i].text));
        Item item = {.kind = ITEM_ENTRY, .key = cases[i].key, .entry = entry};
        char *bytes;
        size_t n = render(&chat, SLOT_NONE, &item, &bytes);

        ck_assert_msg(n == strlen(cases[i].bytes) && memcmp(bytes, cases[i].bytes, n) == 0, "%s is %.*s",
                      cases[i].bytes, (int) n, bytes);
        free(bytes);
        free(entry);
    }
}
END_TEST

START_TEST(test_summary)
{
    static Chat chat;
    Entry *entry = make_entry(ENTRY_SUMMARY, "", "dev", "12 came, 3 left", 15);
    Item item = {.kind = ITEM_ENTRY, .key = SETTING_TIME, .entry = entry};
    char *bytes;
    size_t n = render(&chat, SLOT_NONE, &item, &bytes);

    ck_assert_uint_eq(n, strlen("-- 12 came, 3 left\n"));
    ck_assert_mem_eq(bytes, "-- 12 came, 3 left\n", n);
    free(bytes);
    item.key = ITEM_OTHER_ROOM;
    n = render(&chat, SLOT_NONE, &item, &bytes);
    ck_assert_uint_eq(n, strlen("-- #dev: 12 came, 3 left\n"));
    ck_assert_mem_eq(bytes, "-- #dev: 12 came, 3 left\n", n);
    free(bytes);
    free(entry);
}
END_TEST

/* The longest there can be of everything fits. */
START_TEST(test_longest)
{
    static char name[NAME_MAX_BYTES + 1], text[LIMIT_TEXT_BYTES];
    static Chat chat;
    size_t n, expected =
                  strlen("[2026-11-22 12:03] (private) # <> \a\n") + 2 * NAME_MAX_BYTES + sizeof text + 5 + 4;
    Entry *entry;
    Item item = {.kind = ITEM_ENTRY, .key = T | C | R | B | D};
    char *bytes;

    memset(name, 'n', NAME_MAX_BYTES);
    memset(text, 't', sizeof text);
    entry = make_entry(ENTRY_PRIVATE, name, name, text, sizeof text);
    item.entry = entry;
    n = render(&chat, SLOT_NONE, &item, &bytes);
    ck_assert_uint_eq(n, expected);
    ck_assert_mem_eq(bytes + n - 2, "\a\n", 2);
    free(bytes);
    free(entry);
}
END_TEST

/* An answer may be made of many lines. */
START_TEST(test_longest_reply)
{
    static char text[LIMIT_REPLY_BYTES];
    static Chat chat;
    Item item = {.kind = ITEM_ENTRY, .key = T};
    size_t n, n_lines = 1;
    Entry *entry;
    char *bytes;

    memset(text, 't', sizeof text);
    for (size_t i = 10; i < sizeof text; i += 11, n_lines++)
        text[i] = '\n';
    entry = make_entry(ENTRY_REPLY, "", "", text, sizeof text);
    item.entry = entry;
    n = render(&chat, SLOT_NONE, &item, &bytes);
    ck_assert_uint_eq(n, sizeof text + 3 * n_lines + 1);
    free(bytes);
    free(entry);
}
END_TEST

START_TEST(test_time)
{
    static const struct {
        uint64_t wall;
        int64_t offset;
        const char *text;
    } times[] = {
        {0, 0, "[00:00] "},
        {59 * USEC_PER_SEC, 0, "[00:00] "},
        {60 * USEC_PER_SEC, 0, "[00:01] "},
        {86399 * USEC_PER_SEC, 0, "[23:59] "},
        {HARNESS_WALL, 0, "[12:03] "},
        {HARNESS_WALL, 3600, "[13:03] "},
        {HARNESS_WALL, -8 * 3600, "[04:03] "},
        {HARNESS_WALL, 5 * 3600 + 1800, "[17:33] "},
        {HARNESS_WALL, 12 * 3600, "[00:03] "},
        {HARNESS_WALL, -13 * 3600, "[23:03] "},
    };
    static Chat chat;
    Entry *entry = make_entry(ENTRY_SAID, "alice", "dev", "hi", 2);
    Item item = {.kind = ITEM_ENTRY, .key = T, .entry = entry};
    char *bytes;

    for (size_t i = 0; i < N_ELEMENTS(times); i++) {
        entry->wall = times[i].wall;
        chat.utc_offset = times[i].offset;
        (void) render(&chat, SLOT_NONE, &item, &bytes);
        ck_assert_mem_eq(bytes, times[i].text, strlen(times[i].text));
        free(bytes);
    }
    free(entry);
}
END_TEST

/* One stable colour a nick, always of the same length and always taken back. */
START_TEST(test_colors)
{
    static Chat chat;
    Entry *entry = make_entry(ENTRY_SAID, "alice", "dev", "hi", 2);
    Item item = {.kind = ITEM_ENTRY, .key = C, .entry = entry};
    bool is_used[256] = {false};
    unsigned n_used = 0, color;
    char *bytes;

    for (uint64_t hash = 0; hash < 1000; hash++) {
        entry->from_hash = hash * UINT64_C(0x9e3779b97f4a7c15);
        ck_assert_uint_eq(render(&chat, SLOT_NONE, &item, &bytes), strlen("<\x1b[31malice\x1b[0m> hi\n"));
        color = (unsigned) atoi(bytes + 3);
        ck_assert((color >= 31 && color <= 36) || (color >= 91 && color <= 96));
        ck_assert_mem_eq(bytes + 5, "malice\x1b[0m> hi\n", 15);
        n_used += !is_used[color];
        is_used[color] = true;
        free(bytes);
    }
    ck_assert_uint_eq(n_used, 12);
    free(entry);
}
END_TEST

START_TEST(test_missed)
{
    static const struct {
        uint32_t n;
        bool is_cut;
        const char *bytes;
    } notices[] = {
        {1, false, "-- You read too slowly: 1 line was skipped.\n"},
        {2, false, "-- You read too slowly: 2 lines were skipped.\n"},
        {57, true, "\xe2\x80\xa6\n-- You read too slowly: 57 lines were skipped.\n"},
        {UINT32_MAX, false, "-- You read too slowly: 4294967295 lines were skipped.\n"},
    };
    static Chat chat;
    char *bytes;

    for (size_t i = 0; i < N_ELEMENTS(notices); i++) {
        Item item = {.kind = ITEM_MISSED, .n_missed = notices[i].n, .is_cut = notices[i].is_cut};
        size_t n = render(&chat, SLOT_NONE, &item, &bytes);

        ck_assert_uint_eq(n, strlen(notices[i].bytes));
        ck_assert_mem_eq(bytes, notices[i].bytes, n);
        free(bytes);
    }
}
END_TEST

START_TEST(test_greeting)
{
    Harness *harness;
    Config config;
    Client *bob;

    harness_config(&config);
    ck_assert_int_eq(config_add_motd(&config, "Be kind.", 8), 0);
    ck_assert_int_eq(config_add_motd(&config, "No logs.", 8), 0);
    harness = harness_new(&config, 10);
    harness_turn(harness);
    bob = client_new(harness);
    harness_turn(harness);
    ck_assert_str_eq(client_take(bob),
                     "-- Welcome to host. You are guest1; nobody else is here. /help lists the commands.\n"
                     "-- Be kind.\n-- No logs.\n");
    client_say(harness, bob, "/topic words");
    bob = client_new(harness);
    harness_turn(harness);
    ck_assert_str_eq(client_take(bob),
                     "-- Welcome to host. You are guest2; 1 other is here. /help lists the commands.\n"
                     "-- Be kind.\n-- No logs.\n-- Topic of #lobby: words\n");
    bob = client_new(harness);
    harness_turn(harness);
    ck_assert(strstr(client_take(bob), "You are guest3; 2 others are here.") != NULL);
    harness_free(harness);
}
END_TEST

/* The longest message of the day, of as many lines as there can be, and the longest topic. */
START_TEST(test_longest_greeting)
{
    static char topic[LIMIT_TOPIC_BYTES + 1];
    Harness *harness = harness_new(NULL, 10);
    Motd *motd = &harness->chat->state.header->motd;
    Client *alice = client_named(harness, "alice");
    Item item = {.kind = ITEM_GREETING};
    char *bytes;
    size_t n;

    motd->n = LIMIT_MOTD_BYTES;
    memset(motd->text, '\n', LIMIT_MOTD_BYTES);
    memset(topic, 't', LIMIT_TOPIC_BYTES);
    chat_reserve(harness->chat, alice->session);
    room_set_topic(harness->chat, ROOM_LOBBY, alice->session, topic, LIMIT_TOPIC_BYTES);
    chat_commit(harness->chat);
    memset(harness->chat->state.header->host, 'h', sizeof harness->chat->state.header->host - 1);
    n = render(harness->chat, alice->session, &item, &bytes);
    ck_assert_mem_eq(bytes + n - 3, "tt\n", 3);
    free(bytes);
    harness_free(harness);
}
END_TEST

#define MINUTES(n) ((n) *60 * USEC_PER_SEC)

/* What was said yesterday has its date, and only that. A line that was begun before midnight stays what it
 * was, also for the next process. */
START_TEST(test_dated)
{
    Harness *harness = harness_new(NULL, 3);
    Client *alice = client_named(harness, "alice"), *bob = client_named(harness, "bob"), *carol;

    client_say(harness, bob, "one");
    harness_wait(harness, MINUTES(11 * 60 + 56));
    client_say(harness, bob, "two");
    ck_assert_str_eq(client_take(alice), "[12:03] <bob> one\n[23:59] <bob> two\n");
    client_open_window(harness, alice, 9);
    client_say(harness, alice, "/history");
    ck_assert_str_eq(client_take(alice), "[12:03] <");
    harness_wait(harness, MINUTES(2));
    client_say(harness, bob, "three");
    harness_survive(harness);
    client_open_window(harness, alice, SIZE_MAX);
    harness_turn(harness);
    ck_assert_str_eq(client_take(alice), "bob> one\n[2026-11-22 23:59] <bob> two\n[00:01] <bob> three\n");
    client_say(harness, alice, "/set time off\n/history");
    ck_assert_str_eq(client_take(alice), "-- time is off now.\n"
                                         "<bob> one\n<bob> two\n<bob> three\n");
    carol = client_new(harness);
    harness_turn(harness);
    ck_assert_ptr_nonnull(strstr(client_take(carol), "[2026-11-22 12:03] <bob> one\n"
                                                     "[2026-11-22 23:59] <bob> two\n[00:01] <bob> three\n"));
    harness_free(harness);
}
END_TEST

UNIT_MAIN("render", test_entries, test_summary, test_longest, test_longest_reply, test_time, test_colors,
          test_missed, test_greeting, test_longest_greeting, test_dated)
