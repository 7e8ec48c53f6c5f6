/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Searching what was said.
 *
 * What a user types are words and nothing else: no character in it means anything, but for a '*' at the end
 * of a word, which asks for all words that begin like that. A line is found if it has all of the words, in
 * any order, without regard to case and diacritics (FTS5's unicode61, remove_diacritics 2). What has neither
 * letters nor digits is not looked for; other signs within a word separate words that have to follow each
 * other. Without any words it is all lines of `room` or `nick`, if one of these is given.
 */

#include "archive/query.h"

enum {
    ARCHIVE_SEARCH_WORDS = 16,       /* further words are not looked for */
    ARCHIVE_SEARCH_WORD_BYTES = 200, /* nor further bytes of a word */
    ARCHIVE_SEARCH_HIDDEN = 1024,    /* rooms in `hidden`; the answer to more of them is -EINVAL */
    ARCHIVE_SEARCH_INDEXED = 1024,   /* rooms left out by the index; of others each line is looked at */
};

typedef struct ArchiveSearch {
    const char *words;     /* separated by spaces; need not be valid UTF-8 */
    size_t n_words;        /* bytes */
    const NameKey *room;   /* only in this room; NULL: in all */
    const NameKey *nick;   /* only by this person; NULL: by all */
    const NameKey *hidden; /* nothing from these rooms, whatever `room` says */
    size_t n_hidden;
    uint32_t secret;      /* nothing from rooms that have one of these bits in their flags, */
    const NameKey *known; /* but for these */
    size_t n_known;
    uint64_t since;  /* usec since the epoch; only what was said then or later */
    uint64_t before; /* only ids below this; ARCHIVE_ID_END for the first page */
    unsigned n_max;  /* at most ARCHIVE_ROWS_MAX */
    uint64_t budget; /* usec that it may take, roughly; 0: as long as need be */
} ArchiveSearch;

typedef struct ArchivePage {
    unsigned n;      /* lines found */
    bool is_cut;     /* the time was over before the page was full or everything was looked at */
    uint64_t before; /* of the next page; 0: there is none */
} ArchivePage;

/* Gives the lines to `function`, newest first. *ret_page is written with 0. */
int archive_search(Archive *archive, const ArchiveSearch *search, ArchiveLineFunction function,
                   void *userdata, ArchivePage *ret_page);
