/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* /ignore: by name, and by address, which is said or is that of somebody who is here. Only operators are told
 * addresses of others, so a network would not do: halving it again and again finds an address. */

#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "chat/command.h"
#include "chat/ignore.h"
#include "chat/mail.h"
#include "chat/peer.h"
#include "chat/person.h"
#include "chat/rule.h"
#include "chat/session.h"

enum { PLACE_TEXT_MAX = NAME_MAX_BYTES + PEER_TEXT_MAX };

/* "the address of bob", "192.0.2.1" */
static void describe(uint64_t place, const Name *nick, char text[PLACE_TEXT_MAX])
{
    if (nick->n > 0)
        (void) snprintf(text, PLACE_TEXT_MAX, "the address of %s", nick->bytes);
    else
        peer_format_place(place, text);
}

static void list_ignored(Chat *chat, uint32_t session)
{
    const IgnoredRecord *ignored;
    char text[PLACE_TEXT_MAX];

    if (ignore_nth(chat, session, 0) == NULL) {
        chat_reply(chat, session, "You ignore nobody.");
        return;
    }
    chat_answer(chat, "You ignore ");
    for (uint32_t i = 0; (ignored = ignore_nth(chat, session, i)) != NULL; i++) {
        bool is_place = ignored_is_place(ignored);

        if (is_place)
            describe(ignored->hash, &ignored->name, text);
        chat_answer(chat, "%s%s%s", i > 0 ? ", " : "", is_place ? text : ignored->name.bytes,
                    person_mark_if(chat, !is_place && (ignored->serial & IGNORED_VERIFIED), session));
    }
    chat_answer(chat, ".");
    chat_answer_send(chat, session);
}

static void refuse_more(Chat *chat, uint32_t session)
{
    chat_error(chat, session, "You ignore as many as you may: %u. /ignore lists them, /ignore NICK ends one.",
               chat->config->max_ignores);
}

static void toggle_nick(Chat *chat, uint32_t session, const Name *nick)
{
    uint32_t bearer = session_find(chat, nick);
    uint64_t who = ignore_who(chat, bearer);
    const char *mark = person_mark_if(chat, who & IGNORED_VERIFIED, session);

    if (bearer != SLOT_NONE && person_is_same(chat, bearer, session))
        chat_error(chat, session, "You can not ignore yourself.");
    else if (!ignore_remove(chat, session, nick, who)) {
        if (ignore_add(chat, session, nick, who))
            chat_reply(chat, session, "You ignore %s%s now. The same command again ends it.", nick->bytes,
                       mark);
        else
            refuse_more(chat, session);
    } else if (bearer != SLOT_NONE && ignore_has_bearer(chat, session, bearer))
        chat_reply(chat, session,
                   "You ignore %s no more by name, but by address. /ignore %s address ends that, too.",
                   nick->bytes, nick->bytes);
    else
        chat_reply(chat, session, "You hear %s%s again.", nick->bytes, mark);
}

static void toggle_place(Chat *chat, uint32_t session, uint64_t place, const Name *nick)
{
    char text[PLACE_TEXT_MAX];

    describe(place, nick, text);
    if (ignore_remove_place(chat, session, place))
        chat_reply(chat, session, "You hear guests from %s again.", text);
    else if (ignore_add_place(chat, session, place, nick))
        chat_reply(chat, session, "You ignore all guests from %s now. The same command again ends it.", text);
    else
        refuse_more(chat, session);
}

/* Where somebody is, or was when that was ignored. */
static void toggle_place_of(Chat *chat, uint32_t session, Arguments word, const Name *nick)
{
    uint64_t place = ignore_find_place(chat, session, nick);
    uint32_t who;

    if (place == 0) {
        who = command_find_person(chat, session, word);
        if (who == SLOT_NONE)
            return;
        place = ignore_place(chat, who);
        if (place == 0) {
            chat_error(chat, session, "%s has an account: /ignore %s is enough, wherever they come from.",
                       nick->bytes, nick->bytes);
            return;
        }
    }
    toggle_place(chat, session, place, nick);
}

/* As much of it as is one place. */
static void toggle_network(Chat *chat, uint32_t session, const RuleSubject *network)
{
    Peer peer = {0};

    memcpy(peer.address, network->address, sizeof peer.address);
    if (network->n_bits >= rule_subject(&peer).n_bits)
        toggle_place(chat, session, peer_place(&peer), &(Name){0});
    else
        chat_error(chat, session, "One address can be ignored, and not a network: /ignore 192.0.2.7");
}

int command_ignore(Chat *chat, uint32_t session, Arguments arguments)
{
    Arguments word = arguments_next(&arguments);
    RuleSubject network;
    Name nick = {0};
    char text[WORD_MAX];
    int r;

    if (word.n == 0) {
        list_ignored(chat, session);
        return 0;
    }
    r = command_parse_nick(word, &nick);
    if (rule_parse_network(command_word(word, text), &network))
        toggle_network(chat, session, &network);
    else if (r != 0)
        chat_error(chat, session, "That is not a nick: it %s.", name_strerror(r));
    else if (arguments.n == 0)
        toggle_nick(chat, session, &nick);
    else if (strcmp(command_word(arguments, text), "address") == 0)
        toggle_place_of(chat, session, word, &nick);
    else
        chat_error(chat, session,
                   "/ignore NICK is about one person, /ignore NICK address about all guests who "
                   "come from where they do.");
    for (uint32_t other = person_next(chat, session); other != session; other = person_next(chat, other))
        ignore_copy(chat, other, session);
    mail_note_settings(chat, session);
    return 0;
}
