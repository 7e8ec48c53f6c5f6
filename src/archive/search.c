/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/line.h"
#include "archive/search.h"
#include "archive/sql.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/macro.h"

enum {
    TAG_BYTES = 32,
    ROWS_BETWEEN_LOOKS = 64, /* at the clock */
    HIDDEN_STEP = 256,
    COLUMN_ROOM = LINE_N_COLUMNS,
};

/* A search that is going on. */
typedef struct Walk {
    Archive *archive;
    const ArchiveSearch *search;
    ArchiveLineFunction function;
    void *userdata;
    uint64_t deadline; /* CLOCK_MONOTONIC, usec; 0: none */
    char *match;       /* what FTS5 is asked for; owned */
    size_t n_match;
    int64_t *hidden; /* rooms; owned */
    size_t n_hidden, n_places;
    unsigned n_rows;
    ArchivePage page;
} Walk;

static void walk_done(Walk *walk)
{
    free(walk->match);
    free(walk->hidden);
}

/* What FTS5 is asked for */

static void add(Walk *walk, const char *text, size_t n)
{
    memcpy(walk->match + walk->n_match, text, n);
    walk->n_match += n;
}

static void add_text(Walk *walk, const char *text)
{
    add(walk, text, strlen(text));
}

/* As a string of FTS5, in which nothing but the quote means anything (sqlite.org/fts5.html, 3.1). SQLite
 * reads the whole up to a NUL, so there is none in it. */
static void add_word(Walk *walk, const char *word, size_t n)
{
    bool is_prefix = n > 1 && word[n - 1] == '*';

    add_text(walk, "\"");
    for (size_t i = 0; i < n && i < ARCHIVE_SEARCH_WORD_BYTES; i++) {
        if (word[i] == '"')
            add_text(walk, "\"\"");
        else
            add(walk, word[i] == '\0' ? " " : &word[i], 1);
    }
    add_text(walk, is_prefix ? "\"* " : "\" ");
}

static void add_words(Walk *walk)
{
    const char *at = walk->search->words, *end = at + walk->search->n_words;
    unsigned n = 0;

    while (at < end && n < ARCHIVE_SEARCH_WORDS) {
        const char *space = memchr(at, ' ', (size_t) (end - at));
        size_t n_word = (size_t) ((space != NULL ? space : end) - at);

        if (n_word > 0) {
            add_text(walk, n++ == 0 ? "({text} : (" : "");
            add_word(walk, at, n_word);
        }
        at += n_word + 1;
    }
    add_text(walk, n > 0 ? "))" : "");
}

static void add_tag(Walk *walk, const char *before, char letter, int64_t number)
{
    char tag[TAG_BYTES];

    (void) snprintf(tag, sizeof tag, "%c%" PRIi64 " ", letter, number);
    add_text(walk, before);
    add_text(walk, tag);
}

/* A room or a person that the archive does not know has said nothing: *ret_is_known. */
static int find_tag(Walk *walk, const char *sql, const NameKey *key, int64_t *ret_number, bool *ret_is_known)
{
    int r;

    *ret_number = 0;
    if (key == NULL)
        return 0;
    r = SQL_NUMBER(walk->archive, sql, ret_number, SQL_NAME(key));
    if (r == 0 && *ret_number == 0)
        *ret_is_known = false;
    return error_trace(r);
}

#define FIND_ROOM "SELECT id FROM rooms WHERE key = ?1"
#define FIND_PERSON "SELECT id FROM people WHERE key = ?1"

static int hide(Walk *walk, int64_t room)
{
    int64_t *more;

    if (walk->n_hidden == walk->n_places) {
        more = realloc(walk->hidden, (walk->n_places + HIDDEN_STEP) * sizeof *more);
        if (more == NULL)
            return error_origin(-ENOMEM);
        walk->hidden = more;
        walk->n_places += HIDDEN_STEP;
    }
    walk->hidden[walk->n_hidden++] = room;
    return 0;
}

static int find_hidden(Walk *walk)
{
    const ArchiveSearch *search = walk->search;
    int r = 0;

    for (size_t i = 0; i < search->n_hidden && r == 0; i++) {
        int64_t room;
        bool is_known = true;

        r = find_tag(walk, FIND_ROOM, &search->hidden[i], &room, &is_known);
        if (r == 0 && is_known)
            r = hide(walk, room);
    }
    return error_trace(r);
}

static bool is_known(const Walk *walk, int64_t room, const int64_t *known)
{
    for (size_t i = 0; i < walk->search->n_known; i++)
        if (known[i] == room)
            return true;
    return false;
}

/* What the file itself says is a secret is one, whoever asks and whatever they remember. */
static int find_secret(Walk *walk)
{
    _cleanup_(freep) int64_t *known = calloc(walk->search->n_known + 1, sizeof *known);
    int64_t room = 0;
    int r = 0;

    if (known == NULL)
        return error_origin(-ENOMEM);
    for (size_t i = 0; i < walk->search->n_known && r == 0; i++)
        r = SQL_NUMBER(walk->archive, FIND_ROOM, &known[i], SQL_NAME(&walk->search->known[i]));
    while (r == 0) {
        r = SQL_NUMBER(walk->archive, "SELECT min(id) FROM rooms WHERE id > ?1 AND flags & ?2", &room,
                       SQL_INT(room), SQL_INT(walk->search->secret));
        if (r != 0 || room == 0)
            break;
        if (!is_known(walk, room, known))
            r = hide(walk, room);
    }
    return error_trace(r);
}

/* ({text} : ("a" "b"*)) AND ({tags} : r1) AND ({tags} : p2) NOT ({tags} : (r3 OR r4)) */
static int walk_ask(Walk *walk, bool *ret_is_possible)
{
    int64_t room, person;
    int r;

    *ret_is_possible = true;
    r = find_tag(walk, FIND_ROOM, walk->search->room, &room, ret_is_possible);
    if (r == 0)
        r = find_tag(walk, FIND_PERSON, walk->search->nick, &person, ret_is_possible);
    if (r == 0)
        r = find_hidden(walk);
    if (r == 0 && walk->search->secret != 0)
        r = find_secret(walk);
    if (r != 0)
        return error_trace(r);
    add_words(walk);
    if (room != 0)
        add_tag(walk, walk->n_match > 0 ? " AND {tags} : " : "{tags} : ", 'r', room);
    if (person != 0)
        add_tag(walk, walk->n_match > 0 ? " AND {tags} : " : "{tags} : ", 'p', person);
    if (walk->n_match == 0)
        *ret_is_possible = false;
    for (size_t i = 0; i < MIN(walk->n_hidden, (size_t) ARCHIVE_SEARCH_INDEXED); i++)
        add_tag(walk, i == 0 ? " NOT {tags} : (" : "OR ", 'r', walk->hidden[i]);
    if (walk->n_hidden > 0)
        add_text(walk, ")");
    return 0;
}

static int walk_init(Walk *walk)
{
    /* Each byte of a word may become two, and there is something around each word and tag. */
    size_t size = 2 * ARCHIVE_SEARCH_WORDS * (ARCHIVE_SEARCH_WORD_BYTES + TAG_BYTES) +
                  2 * TAG_BYTES * (ARCHIVE_SEARCH_INDEXED + 8);

    walk->match = malloc(size);
    return walk->match != NULL ? 0 : error_origin(-ENOMEM);
}

/* Through the partitions */

static bool is_late(Walk *walk)
{
    return walk->deadline != 0 && clock_monotonic() >= walk->deadline;
}

/* The index has left most of these out already; a file that somebody has tampered with is looked at twice. */
static bool is_hidden(const Walk *walk, int64_t room)
{
    for (size_t i = 0; i < walk->n_hidden; i++)
        if (walk->hidden[i] == room)
            return true;
    return false;
}

/* `page.before` is where the next page begins, from here on. *ret_is_over: it does begin there. */
static int walk_row(Walk *walk, sqlite3_stmt *statement, bool *ret_is_over)
{
    ArchiveLine line;
    int r;

    *ret_is_over = true;
    if (walk->page.n >= MIN(walk->search->n_max, (unsigned) ARCHIVE_ROWS_MAX))
        return 0;
    if (++walk->n_rows % ROWS_BETWEEN_LOOKS == 0 && is_late(walk)) {
        walk->page.is_cut = true;
        return 0;
    }
    *ret_is_over = false;
    r = line_read(walk->archive, statement, &line);
    if (r != 0)
        return error_trace(r);
    walk->page.before = line.id;
    if (line.wall < walk->search->since || is_hidden(walk, sqlite3_column_int64(statement, COLUMN_ROOM)))
        return 0;
    walk->page.n++;
    return walk->function(walk->userdata, &line);
}

static int walk_part(Walk *walk, const Part *part, bool *ret_is_over)
{
    _cleanup_(sql_finalizep) sqlite3_stmt *statement = NULL;
    char sql[PART_SQL_BYTES];
    bool is_row;
    int r;

    (void) snprintf(sql, sizeof sql,
                    "SELECT " LINE_COLUMNS ", l.room FROM words_%" PRIi64
                    " AS w CROSS JOIN lines AS l ON l.id = w.rowid" LINE_JOIN " WHERE words_%" PRIi64
                    " MATCH ?1 AND w.rowid < ?2 ORDER BY w.rowid DESC",
                    part->number, part->number);
    r = sql_begin_once(walk->archive, sql,
                       SQL_VALUES(SQL_TEXT(walk->match, walk->n_match), SQL_INT(walk->page.before)),
                       &statement);
    while (r == 0 && !*ret_is_over) {
        r = sql_next(walk->archive, statement, &is_row);
        if (r != 0 || !is_row)
            break;
        r = walk_row(walk, statement, ret_is_over);
    }
    return error_trace(r);
}

static int walk_parts(Walk *walk)
{
    bool is_over = false;
    Part part;
    int r;

    for (;;) {
        r = part_before(walk->archive, (int64_t) walk->page.before, &part);
        if (r != 0)
            return error_trace(r);
        if (part.number == 0)
            break;
        if (part.max_wall < 0 || (uint64_t) part.max_wall >= walk->search->since)
            r = walk_part(walk, &part, &is_over);
        if (r != 0 || is_over)
            return error_trace(r);
        walk->page.before = (uint64_t) MAX(part.first_id, (int64_t) 0);
        if (is_late(walk)) {
            walk->page.is_cut = walk->page.before > 0;
            return 0;
        }
    }
    walk->page.before = 0;
    return 0;
}

int archive_search(Archive *archive, const ArchiveSearch *search, ArchiveLineFunction function,
                   void *userdata, ArchivePage *ret_page)
{
    Walk walk = {.archive = archive, .search = search, .function = function, .userdata = userdata};
    bool is_begun = false, is_possible;
    int r;

    if (search->n_hidden > ARCHIVE_SEARCH_HIDDEN)
        return error_origin(-EINVAL);
    walk.page.before = MIN(search->before, ARCHIVE_ID_END);
    if (search->budget != 0)
        walk.deadline = clock_monotonic() + search->budget;
    r = walk_init(&walk);
    /* One state of the file: partitions may be dropped meanwhile. */
    if (r == 0)
        r = sql_begin_reading(archive, &is_begun);
    if (r == 0)
        r = walk_ask(&walk, &is_possible);
    if (r == 0 && is_possible)
        r = walk_parts(&walk);
    else
        walk.page.before = 0;
    sql_end_reading(archive, is_begun);
    if (r == 0)
        *ret_page = walk.page;
    walk_done(&walk);
    return error_trace(r);
}
