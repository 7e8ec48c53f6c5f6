/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/*
 * What the manual pages, the example configuration and the message catalog say is compared with the tables
 * of the program, so that they cannot drift apart.
 */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/log.h"
#include "base/macro.h"
#include "chat/command.h"
#include "unit/unit.h"

/* The whole of a file of the source tree; the caller frees it. */
static char *read_source(const char *name)
{
    _cleanup_(file_closep) FILE *file = NULL;
    char path[4096];
    size_t n = 0, size = 1 << 20;
    char *text = malloc(size);

    ck_assert_ptr_nonnull(text);
    (void) snprintf(path, sizeof path, "%s/%s", TEST_SOURCES, name);
    file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s cannot be read", path);
    n = fread(text, 1, size - 1, file);
    text[n] = '\0';
    return text;
}

/* "/leave [#ROOM]" in mdoc: ".It Ic /leave Op Ar #ROOM"; "/kick NICK [REASON]": ".It Ic /kick Ar NICK Op Ar
 * REASON". */
static void format_item(const Command *command, char *to, size_t size)
{
    const char *arguments = command->arguments, *optional = strstr(arguments, " [");
    char plain[64] = "";

    if (arguments[0] == '[')
        (void) snprintf(plain, sizeof plain, " Op Ar %.*s", (int) strlen(arguments) - 2, arguments + 1);
    else if (optional != NULL)
        (void) snprintf(plain, sizeof plain, " Ar %.*s Op Ar %.*s", (int) (optional - arguments), arguments,
                        (int) strlen(optional) - 3, optional + 2);
    else if (arguments[0] != '\0')
        (void) snprintf(plain, sizeof plain, " Ar %s", arguments);
    if (strcmp(plain, " Op Ar NICK [TIME] [REASON]") == 0)
        (void) snprintf(plain, sizeof plain, " Op Ar NICK Oo Ar TIME Oc Oo Ar REASON Oc");
    if (strcmp(plain, " Op Ar NICK [address]") == 0)
        (void) snprintf(plain, sizeof plain, " Op Ar NICK Op Cm address");
    if (strcmp(plain, " Ar WHO Op Ar TIME] [REASON") == 0)
        (void) snprintf(plain, sizeof plain, " Ar WHO Op Ar TIME Oo Ar REASON Oc");
    (void) snprintf(to, size, "\n.It Ic /%s%s\n", command->name, plain);
}

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;

    for (; (text = strstr(text, what)) != NULL; text += strlen(what))
        n++;
    return n;
}

START_TEST(test_commands)
{
    _cleanup_(freep) char *page = read_source("man/chat-protocol.7.in");
    unsigned n = 0;
    char item[128];

    for (const Command *command = COMMANDS; command->name != NULL; command++, n++) {
        format_item(command, item, sizeof item);
        ck_assert_msg(count(page, item) == 1, "chat-protocol(7) lacks %s", item);
    }
    ck_assert_uint_eq(count(page, "\n.It Ic /"), n);
}
END_TEST

/* Whether `what` stands in `text` before the next item of its list. */
static bool item_says(const char *text, const char *what)
{
    const char *end = strstr(text + 1, "\n.It Va "), *at = strstr(text, what);

    return at != NULL && (end == NULL || at < end);
}

START_TEST(test_settings)
{
    _cleanup_(freep) char *page = read_source("man/chatd.conf.5.in");
    _cleanup_(freep) char *example = read_source("systemd/chatd.conf");
    const ConfigItem *item;
    const char *at;
    char text[256];
    unsigned n = 0;

    for (; (item = config_item(n)) != NULL; n++) {
        (void) snprintf(text, sizeof text, "\n#%s=%s\n", item->key, item->standard);
        ck_assert_msg(count(example, text) == 1, "chatd.conf lacks %s", text);
        (void) snprintf(text, sizeof text, "\n.It Va %s=\n", item->key);
        ck_assert_msg(count(page, text) == 1, "chatd.conf(5) lacks %s=", item->key);
        at = strstr(page, text);
        (void) snprintf(text, sizeof text, "\nDefault: %s.\n",
                        item->standard[0] != '\0' ? item->standard : "none");
        ck_assert_msg(item_says(at, text), "chatd.conf(5) does not say of %s=:%s", item->key, text);
    }
    ck_assert_uint_eq(count(page, "\n.It Va "), n);
}
END_TEST

START_TEST(test_options)
{
    static const char *const OPTIONS[] = {"config", "check\\-config", "export", "since",  "room",
                                          "format", "forget",         "help",   "version"};
    _cleanup_(freep) char *page = read_source("man/chatd.8.in");
    _cleanup_(freep) char *program = read_source("src/main.c");
    char text[128];

    for (size_t i = 0; i < N_ELEMENTS(OPTIONS); i++) {
        (void) snprintf(text, sizeof text, "\n.It Fl \\-%s", OPTIONS[i]);
        ck_assert_msg(count(page, text) == 1, "chatd(8) lacks --%s", OPTIONS[i]);
    }
    /* Each option of the table stands in --help, and there are no more in the page. */
    ck_assert_uint_eq(count(page, "\n.It Fl "), N_ELEMENTS(OPTIONS));
    ck_assert_uint_eq(count(program, "_argument, NULL, OPTION_"), N_ELEMENTS(OPTIONS));
    ck_assert_uint_eq(count(program, "\"  --"), N_ELEMENTS(OPTIONS));
}
END_TEST

/* What people do to others, and to rooms, stands last. */
static bool is_act(const char *header, const char *id)
{
    const char *acts = strstr(header, "/* What operators do"), *at = strstr(header, id);

    ck_assert_ptr_nonnull(acts);
    ck_assert_ptr_nonnull(at);
    return at > acts;
}

START_TEST(test_messages)
{
    static const char *const IDS[] = {
        LOG_ID_STARTED,
        LOG_ID_STOPPED,
        LOG_ID_CONFIG_RELOADED,
        LOG_ID_CONFIG_REFUSED,
        LOG_ID_CONFIG_WARNING,
        LOG_ID_SOCKET_UNKNOWN,
        LOG_ID_LISTENER_PAUSED,
        LOG_ID_LISTENER_RESUMED,
        LOG_ID_LIMIT_REACHED,
        LOG_ID_CLIENT_CONNECTED,
        LOG_ID_CLIENT_LEFT,
        LOG_ID_LOG_DROPPED,
        LOG_ID_ADOPTED,
        LOG_ID_CULPRIT,
        LOG_ID_STATE_REFUSED,
        LOG_ID_STATE_SET_ASIDE,
        LOG_ID_NO_STORE,
        LOG_ID_HISTORY_LOST,
        LOG_ID_BANNED,
        LOG_ID_UNBANNED,
        LOG_ID_MUTED,
        LOG_ID_UNMUTED,
        LOG_ID_KICKED,
        LOG_ID_ANNOUNCED,
        LOG_ID_OP,
        LOG_ID_DEOP,
        LOG_ID_ROOM_LOCKED,
        LOG_ID_ROOM_UNLOCKED,
        LOG_ID_TOPIC_LOCKED,
        LOG_ID_TOPIC_UNLOCKED,
        LOG_ID_TOPIC_SET,
        LOG_ID_ROOM_HIDDEN,
        LOG_ID_ROOM_SHOWN,
        LOG_ID_INVITED,
        LOG_ID_UNINVITED,
        LOG_ID_DELETED,
        LOG_ID_PUT_OUT,
        LOG_ID_ROOM_GIVEN,
        LOG_ID_ROOM_CLOSED,
        LOG_ID_ROOM_GIVEN_UP,
        LOG_ID_ARCHIVE_STOPPED,
        LOG_ID_ARCHIVE_RESUMED,
        LOG_ID_ARCHIVE_ASIDE,
        LOG_ID_ARCHIVE_LOST,
    };
    _cleanup_(freep) char *catalog = read_source("systemd/chatd.catalog");
    _cleanup_(freep) char *page = read_source("man/chatd.8.in");
    _cleanup_(freep) char *header = read_source("src/base/log.h");

    /* The command line that lists acts. */
    const char *acts = strstr(page, "What founders and operators have done to whom");

    ck_assert_ptr_nonnull(acts);
    ck_assert_uint_eq(count(header, "#define LOG_ID_"), N_ELEMENTS(IDS));
    for (size_t i = 0; i < N_ELEMENTS(IDS); i++) {
        char text[64];

        (void) snprintf(text, sizeof text, "-- %s\n", IDS[i]);
        ck_assert_msg(count(catalog, text) == 1, "the catalog lacks %s", IDS[i]);
        ck_assert_msg(count(page, IDS[i]) >= 1, "chatd(8) lacks %s", IDS[i]);
        if (is_act(header, IDS[i]))
            ck_assert_msg(count(acts, IDS[i]) == 1, "the acts in chatd(8) lack %s", IDS[i]);
    }
}
END_TEST

UNIT_MAIN("docs", test_commands, test_settings, test_options, test_messages)
