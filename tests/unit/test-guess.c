/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdlib.h>
#include <string.h>

#include "base/guess.h"
#include "base/macro.h"
#include "unit/unit.h"

static const char *const words[] = {
    "nick",  "me",   "msg",    "reply",   "join", "leave", "rooms",   "who",  "whois",
    "topic", "away", "ignore", "history", "set",  "time",  "version", "help", "quit",
};

typedef struct Case {
    const char *word;
    const char *nearest;
} Case;

static const Case cases[] = {
    {"", NULL},
    {"x", NULL},
    {"xy", NULL},
    {"xyz", NULL},
    {"q", NULL}, /* one letter is the beginning of too much */
    {"frobnicate", NULL},
    {"kick", "nick"},
    {"jump", NULL},
    {"jo\xc3\xaf", "join"}, /* bytes are compared: a prefix of two and two bytes that differ */
    {"jion", "join"},       /* swapped */
    {"oin", "join"},        /* left out */
    {"joinn", "join"},      /* doubled */
    {"jown", "join"},       /* replaced */
    {"jooin", "join"},
    {"JOIN", "join"},
    {"Jion", "join"},
    {"quti", "quit"},
    {"exit", "quit"},
    {"hel", "help"},
    {"hist", "history"}, /* a beginning */
    {"ver", "version"},
    {"wh", "who"}, /* the first of two equals */
    {"whoi", "who"},
    {"whos", "who"},
    {"msgs", "msg"},
    {"repyl", "reply"},
    {"m", "me"},
    {"ignroe", "ignore"},
    {"verison", "version"},
    {"topics", "topic"},
    {"join", "join"},
};

START_TEST(test_words)
{
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        const char *nearest = guess_nearest(cases[i].word, words, N_ELEMENTS(words));

        if (cases[i].nearest == NULL)
            ck_assert_msg(nearest == NULL, "\"%s\" is near \"%s\"", cases[i].word, nearest);
        else
            ck_assert_msg(nearest != NULL && strcmp(nearest, cases[i].nearest) == 0, "\"%s\" is near \"%s\"",
                          cases[i].word, nearest != NULL ? nearest : "nothing");
    }
}
END_TEST

START_TEST(test_nothing_to_choose)
{
    ck_assert_ptr_null(guess_nearest("join", words, 0));
}
END_TEST

/* The nearest wins over an earlier one that is less near. */
START_TEST(test_nearest_wins)
{
    static const char *const near[] = {"MaxRoomsPerClient", "MaxClientsPerAddress", "MaxClients", "MaxRooms"};

    ck_assert_str_eq(guess_nearest("MaxClient", near, N_ELEMENTS(near)), "MaxClients");
    ck_assert_str_eq(guess_nearest("maxrooms", near, N_ELEMENTS(near)), "MaxRooms");
    ck_assert_str_eq(guess_nearest("MaxClientPerAdress", near, N_ELEMENTS(near)), "MaxClientsPerAddress");
    ck_assert_str_eq(guess_nearest("MaxRoomPerCliente", near, N_ELEMENTS(near)), "MaxRoomsPerClient");
}
END_TEST

/* Longer than any word of ours: 63 bytes are compared, 64 are not. */
START_TEST(test_long_words)
{
    char word[4096], candidate[64];
    const char *candidates[] = {candidate};

    memset(candidate, 'a', sizeof(candidate));
    candidate[63] = '\0';
    memset(word, 'a', sizeof(word));
    word[sizeof(word) - 1] = '\0';
    ck_assert_ptr_null(guess_nearest(word, candidates, 1));
    word[64] = '\0';
    ck_assert_ptr_null(guess_nearest(word, candidates, 1));
    word[63] = '\0';
    ck_assert_ptr_eq(guess_nearest(word, candidates, 1), candidate);
    word[0] = word[10] = word[20] = 'b';
    ck_assert_ptr_eq(guess_nearest(word, candidates, 1), candidate);
    word[30] = 'b';
    ck_assert_ptr_null(guess_nearest(word, candidates, 1));
}
END_TEST

UNIT_MAIN("guess", test_words, test_nothing_to_choose, test_nearest_wins, test_long_words)
