/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Commands about the past. What the transcript does not have any more is asked of an archive. */

#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "base/macro.h"
#include "base/parse.h"
#include "chat/command.h"
#include "chat/ignore.h"
#include "chat/person.h"
#include "chat/room.h"
#include "chat/session.h"

static const char NO_ARCHIVE[] = "What is said is not archived here.";
static const char IN_SHORT[] = ", as far as could be looked in a short time";

static Recall recall_for(const Chat *chat, uint32_t session, RecallKind kind)
{
    const SessionRecord *record = session_record(chat, session);
    Recall recall = {.kind = kind,
                     .asker = record->serial,
                     .session = session,
                     .n = RECALL_PAGE,
                     .page = 1,
                     .is_ascii = !!(record->settings & SETTING_ASCII)};

    if (kind != RECALL_SEEN)
        ignore_list_names(chat, session, recall.ignored);
    return recall;
}

/* "N", from 1 to `max`. */
static bool parse_count(Arguments word, uint32_t max, uint32_t *ret_n)
{
    char text[WORD_MAX];
    uint64_t n;

    if (parse_number(command_word(word, text), &n) != 0 || n < 1 || n > max)
        return false;
    *ret_n = (uint32_t) n;
    return true;
}

bool command_take_answer(Chat *chat, uint32_t session, const Recall *recall, Recalled *ret_recalled)
{
    switch (chat_recall(chat, recall, ret_recalled)) {
    case RECALL_ABSENT:
        chat_error(chat, session, "%s", NO_ARCHIVE);
        return false;
    case RECALL_AWAITED:
        *ret_recalled = (Recalled){.trouble = "The archive is busy"};
        break;
    case RECALL_ANSWERED:
        break;
    }
    if (ret_recalled->trouble == NULL)
        return true;
    chat_error(chat, session, "%s. Please try again later.", ret_recalled->trouble);
    return false;
}

/* `next` is the command that gives the next page; empty: there is none. */
static void show_page(Chat *chat, uint32_t session, const Recalled *recalled, const char *next)
{
    chat_answer(chat, "%.*s", (int) recalled->n, recalled->bytes);
    if (recalled->is_partly)
        chat_answer(chat, "\nThere may be more, but that took too long.");
    if (recalled->is_more)
        chat_answer(chat, "\nThere is more%s%s", next[0] != '\0' ? ": " : ", which can not be shown.", next);
    chat_answer_send(chat, session);
}

/* /history */

typedef enum HistoryKind {
    HISTORY_WRONG, /* what was typed means nothing */
    HISTORY_LAST,  /* the last recall.n lines */
    HISTORY_DAY,
} HistoryKind;

static HistoryKind parse_history(const Chat *chat, uint32_t session, Arguments arguments, Recall *ret_recall)
{
    const RoomRecord *room = &chat->state.rooms[session_record(chat, session)->current_room];
    Arguments word = arguments_next(&arguments), page;
    char text[WORD_MAX];

    *ret_recall = recall_for(chat, session, RECALL_LAST);
    name_fold(room->name.bytes, room->name.n, &ret_recall->room);
    ret_recall->is_secret = !!(room->flags & ROOM_SECRET);
    ret_recall->n = MAX(chat->config->history, 1U);
    if (word.n == 0 || parse_count(word, LIMIT_HISTORY, &ret_recall->n))
        return arguments.n == 0 ? HISTORY_LAST : HISTORY_WRONG;
    ret_recall->kind = RECALL_BETWEEN;
    ret_recall->n = RECALL_PAGE;
    if (parse_day(command_word(word, text), chat->wall, &ret_recall->from, &ret_recall->to) != 0)
        return HISTORY_WRONG;
    page = arguments_next(&arguments);
    if (page.n > 0 &&
        (!arguments_equal(page, "page") || !parse_count(arguments, RECALL_PAGES, &ret_recall->page)))
        return HISTORY_WRONG;
    return HISTORY_DAY;
}

/* How many of the room's last `max` lines the transcript has for them. */
static uint32_t count_last(const Chat *chat, uint32_t session, uint32_t max)
{
    const RoomRecord *room = &chat->state.rooms[session_record(chat, session)->current_room];
    const Entry *entry = transcript_at(&chat->transcript, room->last_said);
    uint32_t n = 0;

    for (uint32_t i = 0; entry != NULL && i < max; i++) {
        n += !entry->is_taken_back && !ignore_has(chat, session, entry);
        entry = transcript_at(&chat->transcript, entry->prev);
    }
    return n;
}

bool command_history_must_wait(Chat *chat, uint32_t session, Arguments arguments)
{
    Recall recall;
    HistoryKind kind = parse_history(chat, session, arguments, &recall);

    if (kind == HISTORY_WRONG || (kind == HISTORY_LAST && count_last(chat, session, recall.n) == recall.n))
        return false;
    return chat_recall(chat, &recall, NULL) == RECALL_AWAITED;
}

/* That are in the answer: of long ones the oldest are not. */
static uint32_t count_lines(const Recalled *recalled)
{
    uint32_t n = recalled->n > 0;

    for (size_t i = 0; i < recalled->n; i++)
        n += recalled->bytes[i] == '\n';
    return n;
}

static void show_last(Chat *chat, uint32_t session, const Recall *recall)
{
    uint32_t room = session_record(chat, session)->current_room, n = count_last(chat, session, recall->n);
    RecallState asked = RECALL_ABSENT;
    Recalled recalled;

    if (n < recall->n)
        asked = chat_recall(chat, recall, &recalled);
    if (asked == RECALL_ANSWERED && recalled.trouble == NULL && count_lines(&recalled) > n)
        show_page(chat, session, &recalled, "");
    else if (command_replay(chat, session, room, recall->n))
        return;
    else if (asked == RECALL_ANSWERED && recalled.trouble != NULL)
        chat_error(chat, session, "%s. Please try again later.", recalled.trouble);
    else
        chat_reply(chat, session, "Nothing is remembered of #%s.", chat->state.rooms[room].name.bytes);
}

static void show_day(Chat *chat, uint32_t session, Arguments arguments, const Recall *recall)
{
    const RoomRecord *room = &chat->state.rooms[session_record(chat, session)->current_room];
    Arguments day = arguments_next(&arguments);
    char next[WORD_MAX + 64] = "";
    Recalled recalled;

    if (!command_take_answer(chat, session, recall, &recalled))
        return;
    if (recall->page < RECALL_PAGES)
        (void) snprintf(next, sizeof next, "/history %.*s page %u", (int) day.n, day.text, recall->page + 1);
    if (recalled.n > 0)
        show_page(chat, session, &recalled, next);
    else
        chat_reply(chat, session, "Nothing is remembered of #%s on that day%s.", room->name.bytes,
                   recalled.is_partly ? IN_SHORT : "");
}

int command_history(Chat *chat, uint32_t session, Arguments arguments)
{
    Recall recall;

    switch (parse_history(chat, session, arguments, &recall)) {
    case HISTORY_WRONG:
        chat_error(chat, session,
                   "/history takes a number of lines from 1 to %d, or a day such as 2026-11-22, today or "
                   "yesterday.",
                   LIMIT_HISTORY);
        break;
    case HISTORY_LAST:
        show_last(chat, session, &recall);
        break;
    case HISTORY_DAY:
        show_day(chat, session, arguments, &recall);
        break;
    }
    return 0;
}

/* /search */

static bool take_room(Arguments word, Recall *recall)
{
    Name name;

    if (command_parse_room(word, NAME_MAX_CHARS, &name) != 0)
        return false;
    name_fold(name.bytes, name.n, &recall->room);
    return true;
}

static bool take_nick(Arguments word, Recall *recall)
{
    Name name;

    if (command_parse_nick(word, &name) != 0)
        return false;
    name_fold(name.bytes, name.n, &recall->nick);
    return true;
}

static bool take_day(const Chat *chat, Arguments word, Recall *recall)
{
    char text[WORD_MAX];
    uint64_t to;

    return parse_day(command_word(word, text), chat->wall, &recall->from, &to) == 0;
}

/* "in #room", "from nick", "since day", "page n": anything else is words to look for. NULL, or what is wrong.
 */
static const char *parse_search(const Chat *chat, uint32_t session, Arguments arguments, Recall *ret_recall)
{
    Recall *recall = ret_recall;

    *recall = recall_for(chat, session, RECALL_SEARCH);
    while (arguments.n > 0) {
        Arguments word = arguments_next(&arguments), rest = arguments, value = arguments_next(&rest);
        bool is_option = true;

        if (arguments_equal(word, "in") && value.n > 1 && value.text[0] == '#')
            is_option = take_room(value, recall);
        else if (arguments_equal(word, "from") && value.n > 0)
            is_option = take_nick(value, recall);
        else if (arguments_equal(word, "since") && value.n > 0)
            is_option = take_day(chat, value, recall);
        else if (arguments_equal(word, "page") && value.n > 0)
            is_option = parse_count(value, RECALL_PAGES, &recall->page);
        else
            is_option = false;
        if (is_option) {
            arguments = rest;
            continue;
        }
        if (value.n > 0 && value.text[0] >= '0' && value.text[0] <= '9' && arguments_equal(word, "since"))
            return "A day is such as 2026-11-22, today or yesterday.";
        if (value.n > 0 && value.text[0] >= '0' && value.text[0] <= '9' && arguments_equal(word, "page"))
            return "A page is a number from 1 to 1000.";
        if (recall->n_words + word.n + 1 > sizeof recall->words)
            return "That is too much to look for at once.";
        memcpy(recall->words + recall->n_words, word.text, word.n);
        recall->n_words = (uint16_t) (recall->n_words + word.n);
        recall->words[recall->n_words++] = ' ';
    }
    return recall->n_words == 0 && recall->room.n + recall->nick.n == 0 ? "What is to be looked for?" : NULL;
}

bool command_search_must_wait(Chat *chat, uint32_t session, Arguments arguments)
{
    Recall recall;

    return arguments.n > 0 && parse_search(chat, session, arguments, &recall) == NULL &&
           chat_recall(chat, &recall, NULL) == RECALL_AWAITED;
}

int command_search(Chat *chat, uint32_t session, Arguments arguments)
{
    char next[32] = "";
    Recalled recalled;
    Recall recall;
    const char *wrong = parse_search(chat, session, arguments, &recall);

    if (wrong != NULL) {
        chat_error(chat, session, "%s /search WORDS [in #ROOM] [from NICK] [since DAY] [page N]", wrong);
        return 0;
    }
    if (!command_take_answer(chat, session, &recall, &recalled))
        return 0;
    if (recall.page < RECALL_PAGES)
        (void) snprintf(next, sizeof next, "the same with page %u", recall.page + 1);
    if (recalled.n > 0)
        show_page(chat, session, &recalled, next);
    else
        chat_reply(chat, session, "Nothing like that was said%s.", recalled.is_partly ? IN_SHORT : "");
    return 0;
}

/* /seen */

/* False: it is no name, or of somebody who is here. */
static bool parse_seen(const Chat *chat, uint32_t session, Arguments arguments, Name *ret_nick,
                       Recall *ret_recall)
{
    if (command_parse_nick(arguments, ret_nick) != 0 || session_find(chat, ret_nick) != SLOT_NONE)
        return false;
    *ret_recall = recall_for(chat, session, RECALL_SEEN);
    name_fold(ret_nick->bytes, ret_nick->n, &ret_recall->nick);
    return true;
}

bool command_seen_must_wait(Chat *chat, uint32_t session, Arguments arguments)
{
    Recall recall;
    Name nick;

    return parse_seen(chat, session, arguments, &nick, &recall) &&
           chat_recall(chat, &recall, NULL) == RECALL_AWAITED;
}

int command_seen(Chat *chat, uint32_t session, Arguments arguments)
{
    Recalled recalled;
    Recall recall;
    uint32_t who;
    Name nick;

    if (parse_seen(chat, session, arguments, &nick, &recall)) {
        if (!command_take_answer(chat, session, &recall, &recalled))
            return 0;
        if (recalled.n > 0)
            chat_reply(chat, session, "%.*s", (int) recalled.n, recalled.bytes);
        else
            chat_reply(chat, session, "Nobody called %s has been seen.", nick.bytes);
        return 0;
    }
    who = command_find_person(chat, session, arguments);
    if (who != SLOT_NONE)
        chat_reply(chat, session, "%s%s is here.", session_record(chat, who)->nick.bytes,
                   person_mark(chat, who, session));
    return 0;
}
