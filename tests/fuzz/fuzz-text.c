/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/*
 * libFuzzer target for the text and name modules. The input up to the first newline is a name, the rest is
 * what somebody says. What is promised of them is checked here independently, and abort() says that it does
 * not hold; buffers are on the heap and as small as they may be, so that ASan sees each step past their end.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/macro.h"
#include "base/name.h"
#include "base/text.h"

#define EXPECT(condition)                                                                                    \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                   \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *allocate(size_t n)
{
    void *result = malloc(n > 0 ? n : 1);

    EXPECT(result != NULL);
    return result;
}

/* How many characters it has. */
static size_t check_clean_text(const char *text, size_t n)
{
    unsigned n_marks = 0;
    size_t count = 0;
    int32_t code, ignored;

    for (size_t i = 0; i < n; count++) {
        utf8proc_ssize_t length = utf8proc_iterate((const uint8_t *) text + i, n - i, &code);
        utf8proc_category_t category = utf8proc_category(code);

        EXPECT(length > 0);
        EXPECT(category != UTF8PROC_CATEGORY_CC && category != UTF8PROC_CATEGORY_CF);
        EXPECT(category != UTF8PROC_CATEGORY_ZL && category != UTF8PROC_CATEGORY_ZP);
        EXPECT(utf8proc_decompose_char(code, &ignored, 1, UTF8PROC_IGNORE, NULL) == 1);
        EXPECT((code & 0xfffe) != 0xfffe && !(code >= 0xfdd0 && code <= 0xfdef));
        EXPECT(code != 0x2065 && !(code >= 0xfff0 && code <= 0xfff8) && code >> 12 != 0xe0);
        if (category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC ||
            category == UTF8PROC_CATEGORY_ME)
            EXPECT(++n_marks <= TEXT_MAX_MARKS);
        else
            n_marks = 0;
        i += length;
    }
    return count;
}

/* Returns the clean text, which the caller frees. */
static char *check_clean(const char *text, size_t n, size_t *ret_n)
{
    char *clean = allocate(TEXT_GROWTH * n);
    size_t n_clean = text_clean(clean, text, n), n_again;
    _cleanup_(freep) char *again = allocate(TEXT_GROWTH * n_clean);

    EXPECT(n_clean <= TEXT_GROWTH * n);
    (void) check_clean_text(clean, n_clean);
    n_again = text_clean(again, clean, n_clean);
    EXPECT(n_again == n_clean && memcmp(again, clean, n_clean) == 0);
    *ret_n = n_clean;
    return clean;
}

static size_t unescape(char *to, const char *from, size_t n)
{
    size_t o = 0;
    unsigned byte;

    for (size_t i = 0; i < n; i++) {
        if (from[i] != '\\') {
            to[o++] = from[i];
        } else if (from[++i] == '\\') {
            to[o++] = '\\';
        } else {
            EXPECT(sscanf(from + i, "x%2x", &byte) == 1);
            to[o++] = byte;
            i += 2;
        }
    }
    return o;
}

static void check_escape(const char *text, size_t n, size_t size)
{
    _cleanup_(freep) char *full = allocate(4 * n + 1), *cut = allocate(size), *back = allocate(4 * n);
    size_t n_full = text_escape(full, 4 * n + 1, text, n), n_cut = text_escape(cut, size, text, n), n_dots;

    EXPECT(n_full <= 4 * n && full[n_full] == '\0' && strlen(full) == n_full);
    EXPECT(utf8proc_decompose((const uint8_t *) full, n_full, NULL, 0, 0) >= 0);
    EXPECT(unescape(back, full, n_full) == n && memcmp(back, text, n) == 0);
    for (size_t i = 0; i < n_full; i++)
        EXPECT((uint8_t) full[i] >= 0x20 && full[i] != 0x7f);

    if (size == 0)
        return;
    EXPECT(n_cut < size && strlen(cut) == n_cut);
    if (size > n_full) {
        EXPECT(strcmp(cut, full) == 0);
        return;
    }
    n_dots = MIN(n_cut, STRLEN("..."));
    EXPECT(memcmp(cut + n_cut - n_dots, "...", n_dots) == 0);
    EXPECT(memcmp(cut, full, n_cut - n_dots) == 0);
    EXPECT(utf8proc_decompose((const uint8_t *) cut, n_cut, NULL, 0, 0) >= 0);
    (void) unescape(back, cut, n_cut - n_dots);
}

static void check_key(const char *text, size_t n, NameKey *ret_key)
{
    NameKey again;

    name_fold(text, n, ret_key);
    EXPECT(ret_key->n <= NAME_KEY_MAX);
    EXPECT(utf8proc_decompose((const uint8_t *) ret_key->bytes, ret_key->n, NULL, 0, 0) >= 0);
    name_fold(ret_key->bytes, ret_key->n, &again);
    EXPECT(memcmp(&again, ret_key, sizeof(again)) == 0);
}

static void check_parsed_name(const Name *name, size_t max_chars)
{
    uint8_t *decomposed;
    utf8proc_ssize_t n;
    NameKey key, other_key;
    Name again;

    EXPECT(name->n > 0 && name->n <= NAME_MAX_BYTES && strlen(name->bytes) == name->n);
    EXPECT(check_clean_text(name->bytes, name->n) <= MIN(max_chars, (size_t) NAME_MAX_CHARS));
    EXPECT(name_parse(name->bytes, name->n, max_chars, &again) == 0);
    EXPECT(memcmp(&again, name, sizeof(again)) == 0);
    EXPECT(name_is_mentioned(name->bytes, name->n, name->bytes, name->n));

    check_key(name->bytes, name->n, &key);
    EXPECT(key.n > 0 && memchr(key.bytes, ' ', key.n) == NULL);
    n = utf8proc_map((const uint8_t *) name->bytes, name->n, &decomposed,
                     UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
    EXPECT(n > 0);
    EXPECT(name_parse((const char *) decomposed, n, max_chars, &again) == 0);
    EXPECT(memcmp(&again, name, sizeof(again)) == 0);
    name_fold((const char *) decomposed, n, &other_key);
    EXPECT(memcmp(&other_key, &key, sizeof(key)) == 0);
    free(decomposed);
}

static bool is_ascii(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((uint8_t) text[i] >= 0x80)
            return false;
    return true;
}

static void check_mention(const Name *name, const char *text, size_t n)
{
    _cleanup_(freep) char *longer = allocate(n + 2 + name->n);
    bool yes = name_is_mentioned(name->bytes, name->n, text, n);

    memcpy(longer, text, n);
    if (is_ascii(text, n) && is_ascii(name->bytes, name->n)) {
        /* The same by the road for any script */
        memcpy(longer + n, "\xc2\xbf", 2);
        EXPECT(name_is_mentioned(name->bytes, name->n, longer, n + 2) == yes);
    }
    longer[n] = ' ';
    memcpy(longer + n + 1, name->bytes, name->n);
    EXPECT(name_is_mentioned(name->bytes, name->n, longer, n + 1 + name->n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *newline = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t n_nick = newline != NULL ? (size_t) (newline - data) : size, n_text = 0, n_clean;
    size_t max_chars = size % 5 == 0 ? size % (NAME_MAX_CHARS + 2) : NAME_MAX_CHARS;
    _cleanup_(freep) char *nick = allocate(n_nick), *text = NULL, *clean = NULL;
    Name name;
    NameKey key;
    int r;

    if (newline != NULL)
        n_text = size - n_nick - 1;
    text = allocate(n_text);
    if (n_nick > 0)
        memcpy(nick, data, n_nick);
    if (n_text > 0)
        memcpy(text, newline + 1, n_text);

    clean = check_clean(text, n_text, &n_clean);
    check_escape(text, n_text, n_nick);
    check_key(nick, n_nick, &key);

    r = name_parse(nick, n_nick, max_chars, &name);
    EXPECT(r >= 0 && r <= NAME_FIRST_IS_DIGIT && (r == NAME_EMPTY) == (n_nick == 0));
    EXPECT(name_strerror(r)[0] != '\0');
    if (r == 0) {
        check_parsed_name(&name, max_chars);
        check_mention(&name, clean, n_clean);
        (void) name_is_guest(&name);
    }
    /* Neither has to be what it should be. */
    (void) name_is_mentioned(nick, n_nick, text, n_text);
    return 0;
}
