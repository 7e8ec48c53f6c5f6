/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Names of people and rooms.
 *
 * A name is kept as its owner spelt it, in NFC. Two names are the same name if their keys are equal: the
 * key is the name after compatibility case folding (Unicode's NFKC_Casefold), so `Straße`, `STRASSE` and
 * fullwidth letters meet. Letters that merely look alike (Latin a, Cyrillic а) stay different names.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    NAME_MAX_CHARS = 24,
    NAME_MAX_BYTES = 96, /* 24 characters of 4 bytes */
    NAME_KEY_MAX = 256,
};

typedef struct Name {
    uint8_t n;
    char bytes[NAME_MAX_BYTES + 1]; /* NFC, NUL-terminated too; zero to the end */
} Name;

typedef struct NameKey {
    uint16_t n;
    char bytes[NAME_KEY_MAX]; /* zero to the end, so whole keys may be compared or hashed */
} NameKey;

enum {
    NAME_EMPTY = 1,
    NAME_TOO_LONG,
    NAME_BAD_CHARACTER,
    NAME_FIRST_IS_DIGIT, /* or another character that a name may have, but not begin with */
};

/*
 * Makes a name of the `n` bytes at `text`, which is without any leading '#'. In NFC it may have up to
 * `max_chars` code points (never more than NAME_MAX_CHARS): letters and decimal digits of any script,
 * '-', '_', and at most two combining marks in a row after a letter. It begins with a letter or '_'.
 * Nothing in it may be invisible, and its key has neither spaces nor more than NAME_KEY_MAX bytes.
 * Returns 0 or one of the above. Parsing a parsed name gives the same bytes.
 */
int name_parse(const char *text, size_t n, size_t max_chars, Name *ret_name);

/* What is wrong, as a predicate to "The name": "The name has to be shorter". */
const char *name_strerror(int r);

/*
 * The key of the `n` bytes at `name`, which may be anything that somebody typed in search of a name. What
 * cannot be a name because it is not UTF-8 or too long gets the empty key, which no name has.
 */
void name_fold(const char *name, size_t n, NameKey *ret_key);

/* Whether that is the key of the name. The empty one is of none. */
bool name_has_key(const Name *name, const NameKey *key);

/* Whether two names are one name. An empty one is none. */
bool name_is_same(const Name *a, const Name *b);

/*
 * The name of an account: what a login name has beyond letters, digits, '-' and '_' becomes '_', and the rest
 * is left out where it would be too long; one that is a guest's has a '_' behind it. 0, or what name_parse()
 * says of that.
 */
int name_from_login(const char *login, Name *ret_name);

/*
 * The name of an account where another account's owner bears that name: "john~2". It is nobody else's, since
 * no name has that character. `number` has up to 7 digits.
 */
void name_number(const Name *login, unsigned number, Name *ret_name);
/* Whether the owner of that account may be called so: by the login name, or by that with a number. */
bool name_is_of_login(const Name *name, const Name *login);
/* Whether the owner of one account may be called both, each with a number or without. */
bool name_is_one_login(const Name *a, const Name *b);
/* As name_parse(); it may be such a name, too. */
int name_parse_nick(const char *text, size_t n, Name *ret_name);

/* Whether it has a letter that looks like the mark of verified people, in either form. */
bool name_looks_marked(const Name *name);
/* guest<digits> under folding, with the digits of any script: reserved for those who have not chosen yet. */
bool name_is_guest(const Name *name);

/*
 * Does the clean text speak of `nick`, under folding, as a word of its own? A word ends where there is
 * neither letter, mark, digit nor '_'; a '-' between two of these is part of the word. East Asian wide
 * letters are written without spaces around names, so a word also ends before and after each of them.
 */
bool name_is_mentioned(const char *nick, size_t nick_n, const char *text, size_t n);
