/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/macro.h"
#include "base/name.h"

#define NFD_OPTIONS (UTF8PROC_STABLE | UTF8PROC_DECOMPOSE)
#define NFC_OPTIONS (UTF8PROC_STABLE | UTF8PROC_COMPOSE)
#define FOLDING (UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE)
#define KEY_OPTIONS (NFC_OPTIONS | FOLDING)
#define SEARCH_OPTIONS (NFD_OPTIONS | FOLDING)

enum {
    /*
     * No character decomposes canonically into more than 4 (UAX #15, "Maximum Expansion Factor"), so what
     * has more code points than this in NFD has more than NAME_MAX_CHARS in NFC.
     */
    DECOMPOSED_MAX = 4 * NAME_MAX_CHARS,
    FOLDED_MAX = 2 * NAME_KEY_MAX, /* code points; at most 1.5 come from a byte of the key */
    EXPANSION_MAX = 32,            /* code points that one code point folds to; the worst now is 18, U+FDFA */
    MAX_MARKS = 2,
    WINDOW_MAX = 1024, /* code points; room for two folded names, two contexts and one expansion */
    LOGIN_KEPT = 16,   /* bytes of a login name that are kept where it needs a number */
    NUMBER_MARK = '~', /* before that; must be none of the characters of names */
    NUMBER_DIGITS = 7,
    CONTEXT = 16, /* what of the window is kept before the name: a letter with its marks, and a '-' */
};

typedef enum Class {
    CLASS_NONE, /* not for names */
    CLASS_LETTER,
    CLASS_MARK,
    CLASS_DIGIT,
    CLASS_UNDERSCORE,
    CLASS_HYPHEN,
} Class;

static Class classify(int32_t code)
{
    const utf8proc_property_t *property;

    if (code == '_')
        return CLASS_UNDERSCORE;
    if (code == '-')
        return CLASS_HYPHEN;
    property = utf8proc_get_property(code);
    /* Hangul fillers are letters and variation selectors are marks, but nobody can see them. */
    if (property->ignorable)
        return CLASS_NONE;
    switch (property->category) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return CLASS_LETTER;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
        return CLASS_MARK;
    case UTF8PROC_CATEGORY_ND:
        return CLASS_DIGIT;
    default:
        return CLASS_NONE;
    }
}

static bool is_ascii(const char *text, size_t n)
{
    uint64_t word, all = 0;
    size_t i = 0;

    for (; n - i >= sizeof(word); i += sizeof(word)) {
        memcpy(&word, text + i, sizeof(word));
        all |= word;
    }
    for (; i < n; i++)
        all |= (uint8_t) text[i];
    return (all & UINT64_C(0x8080808080808080)) == 0;
}

static inline char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static int check_characters(const int32_t *codes, size_t n)
{
    bool after_letter = false;
    unsigned n_marks = 0;

    for (size_t i = 0; i < n; i++) {
        Class class = classify(codes[i]);

        if (class == CLASS_NONE)
            return NAME_BAD_CHARACTER;
        if (i == 0 && class != CLASS_LETTER && class != CLASS_UNDERSCORE)
            return NAME_FIRST_IS_DIGIT;
        if (class == CLASS_MARK) {
            if (!after_letter || n_marks++ == MAX_MARKS)
                return NAME_BAD_CHARACTER;
        } else {
            after_letter = class == CLASS_LETTER;
            n_marks = 0;
        }
    }
    return 0;
}

int name_parse(const char *text, size_t n, size_t max_chars, Name *ret_name)
{
    int32_t codes[DECOMPOSED_MAX + 1];
    utf8proc_ssize_t length;
    NameKey key;
    int r;

    if (n == 0)
        return NAME_EMPTY;
    if (n > DECOMPOSED_MAX * 4)
        return NAME_TOO_LONG;

    length = utf8proc_decompose((const uint8_t *) text, n, codes, DECOMPOSED_MAX, NFC_OPTIONS);
    if (length < 0)
        return NAME_BAD_CHARACTER;
    if (length > DECOMPOSED_MAX)
        return NAME_TOO_LONG;
    length = utf8proc_normalize_utf32(codes, length, NFC_OPTIONS);
    if (length < 0)
        return NAME_BAD_CHARACTER;
    if ((size_t) length > MIN(max_chars, (size_t) NAME_MAX_CHARS))
        return NAME_TOO_LONG;
    r = check_characters(codes, length);
    if (r != 0)
        return r;

    length = utf8proc_reencode(codes, length, 0);
    if (length <= 0 || length > NAME_MAX_BYTES)
        return NAME_BAD_CHARACTER;
    name_fold((const char *) codes, length, &key);
    /* Some letters are phrases or isolated vowel signs, and fold to text with spaces: not one word. */
    if (key.n == 0 || memchr(key.bytes, ' ', key.n) != NULL)
        return NAME_BAD_CHARACTER;

    *ret_name = (Name){.n = length};
    memcpy(ret_name->bytes, codes, length);
    return 0;
}

int name_from_login(const char *login, Name *ret_name)
{
    char text[NAME_MAX_CHARS + 1] = "";
    size_t n;
    int r;

    /* Login names are ASCII nearly everywhere; one that is not must be a name as it is. */
    if (!is_ascii(login, strlen(login)))
        return name_parse(login, strlen(login), NAME_MAX_CHARS, ret_name);
    n = strnlen(login, NAME_MAX_CHARS);
    for (size_t i = 0; i < n; i++)
        text[i] = classify(login[i]) != CLASS_NONE ? login[i] : '_';
    if (n > 0 && classify(text[0]) != CLASS_LETTER)
        text[0] = '_';
    r = name_parse(text, n, NAME_MAX_CHARS, ret_name);
    if (r != 0 || !name_is_guest(ret_name))
        return r;
    n = MIN(n, (size_t) NAME_MAX_CHARS - 1);
    text[n] = '_';
    return name_parse(text, n + 1, NAME_MAX_CHARS, ret_name);
}

void name_number(const Name *login, unsigned number, Name *ret_name)
{
    size_t n_kept = MIN(login->n, (size_t) LOGIN_KEPT);

    /* Not within a character. */
    while (((uint8_t) login->bytes[n_kept] & 0xc0) == 0x80)
        n_kept--;
    *ret_name = (Name){0};
    ret_name->n = (uint8_t) snprintf(ret_name->bytes, sizeof ret_name->bytes, "%.*s%c%u", (int) n_kept,
                                     login->bytes, NUMBER_MARK, number);
}

bool name_is_of_login(const Name *name, const Name *login)
{
    const char *mark = memchr(name->bytes, NUMBER_MARK, name->n);
    Name numbered;

    if (mark == NULL)
        return name_is_same(name, login);
    name_number(login, (unsigned) strtoul(mark + 1, NULL, 10), &numbered);
    return name_is_same(name, &numbered);
}

bool name_is_one_login(const Name *a, const Name *b)
{
    const char *mark = memchr(b->bytes, NUMBER_MARK, b->n);
    Name login = {0};

    if (mark == NULL)
        return name_is_of_login(a, b);
    if (memchr(a->bytes, NUMBER_MARK, a->n) == NULL)
        return name_is_of_login(b, a);
    login.n = (uint8_t) (mark - b->bytes);
    memcpy(login.bytes, b->bytes, login.n);
    return name_is_of_login(a, &login);
}

int name_parse_nick(const char *text, size_t n, Name *ret_name)
{
    const char *mark = n > 0 ? memrchr(text, NUMBER_MARK, n) : NULL;
    size_t n_name = mark != NULL ? (size_t) (mark - text) : n, n_number = n - n_name;
    int r;

    if (n_number == 1 || n_number > 1 + NUMBER_DIGITS)
        return NAME_BAD_CHARACTER;
    for (size_t i = n_name + 1; i < n; i++)
        if (text[i] < (i == n_name + 1 ? '1' : '0') || text[i] > '9')
            return NAME_BAD_CHARACTER;
    r = name_parse(text, n_name, NAME_MAX_CHARS - n_number, ret_name);
    if (r == 0 && n_number > 0) {
        memcpy(ret_name->bytes + ret_name->n, mark, n_number);
        ret_name->n = (uint8_t) (ret_name->n + n_number);
    }
    return r;
}

const char *name_strerror(int r)
{
    switch (r) {
    case NAME_EMPTY:
        return "needs at least one character";
    case NAME_TOO_LONG:
        return "has to be shorter";
    case NAME_BAD_CHARACTER:
        return "may have only letters, digits, - and _";
    case NAME_FIRST_IS_DIGIT:
        return "has to begin with a letter or _";
    default:
        return "cannot be used";
    }
}

void name_fold(const char *name, size_t n, NameKey *ret_key)
{
    int32_t decomposed[FOLDED_MAX + 1], folded[FOLDED_MAX + 1];
    utf8proc_ssize_t length;

    *ret_key = (NameKey){0};
    if (n <= NAME_KEY_MAX && is_ascii(name, n)) {
        for (size_t i = 0; i < n; i++)
            ret_key->bytes[i] = ascii_lower(name[i]);
        ret_key->n = n;
        return;
    }

    /*
     * Canonical order comes first (The Unicode Standard, D146): folding turns U+0345, a mark, into a letter,
     * after which marks typed in another order would no longer meet.
     */
    length = utf8proc_decompose((const uint8_t *) name, n, decomposed, FOLDED_MAX, NFD_OPTIONS);
    if (length < 0 || length > FOLDED_MAX)
        return;
    length = utf8proc_reencode(decomposed, length, 0);
    if (length < 0)
        return;
    length = utf8proc_decompose((const uint8_t *) decomposed, length, folded, FOLDED_MAX, KEY_OPTIONS);
    if (length < 0 || length > FOLDED_MAX)
        return;
    length = utf8proc_reencode(folded, length, KEY_OPTIONS);
    if (length < 0 || length > NAME_KEY_MAX)
        return;
    ret_key->n = length;
    memcpy(ret_key->bytes, folded, length);
}

bool name_has_key(const Name *name, const NameKey *key)
{
    NameKey own;

    name_fold(name->bytes, name->n, &own);
    return own.n > 0 && own.n == key->n && memcmp(own.bytes, key->bytes, own.n) == 0;
}

bool name_is_same(const Name *a, const Name *b)
{
    NameKey key;

    name_fold(b->bytes, b->n, &key);
    return name_has_key(a, &key);
}

bool name_looks_marked(const Name *name)
{
    /* CANADIAN SYLLABICS FINAL PLUS, TAI VIET LETTER HIGH VO, LYCIAN LETTER H */
    static const int32_t like[] = {0x1429, 0xaa9c, 0x1029b};
    utf8proc_ssize_t length;
    int32_t code;

    for (size_t at = 0; at < name->n; at += (size_t) length) {
        length = utf8proc_iterate((const uint8_t *) name->bytes + at, name->n - (utf8proc_ssize_t) at, &code);
        if (length <= 0)
            break;
        for (size_t i = 0; i < N_ELEMENTS(like); i++)
            if (code == like[i])
                return true;
    }
    return false;
}

bool name_is_guest(const Name *name)
{
    static const char guest[] = "guest";
    utf8proc_ssize_t length;
    int32_t code;
    NameKey key;

    name_fold(name->bytes, name->n, &key);
    if (key.n <= STRLEN("guest") || memcmp(key.bytes, guest, STRLEN("guest")) != 0)
        return false;
    for (size_t i = STRLEN("guest"); i < key.n; i += length) {
        length = utf8proc_iterate((const uint8_t *) key.bytes + i, key.n - i, &code);
        if (length <= 0 || classify(code) != CLASS_DIGIT)
            return false;
    }
    return true;
}

/*
 * Mentions in ASCII. All but the rarest names and lines take this road.
 */

static inline bool ascii_is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool ascii_is_apart(const char *text, size_t n, size_t begin, size_t end)
{
    if (begin > 0 && ascii_is_word(text[begin - 1]))
        return false;
    if (begin > 1 && text[begin - 1] == '-' && ascii_is_word(text[begin - 2]))
        return false;
    if (end < n && ascii_is_word(text[end]))
        return false;
    if (n - end > 1 && text[end] == '-' && ascii_is_word(text[end + 1]))
        return false;
    return true;
}

static bool ascii_is_mentioned(const char *nick, size_t nick_n, const char *text, size_t n)
{
    char first = nick[0] | 0x20;

    for (size_t i = 0; i + nick_n <= n; i++) {
        size_t k = 0;

        /* One test that dismisses nearly all, in either case; what it lets through is compared in full. */
        if ((text[i] | 0x20) != first)
            continue;
        while (k < nick_n && ascii_lower(text[i + k]) == ascii_lower(nick[k]))
            k++;
        if (k == nick_n && ascii_is_apart(text, n, i, i + k))
            return true;
    }
    return false;
}

/*
 * Mentions in any script. The text is folded piece by piece into a window of code points in NFKD, through
 * which the folded name slides: in NFKD there is no composition that would hide where a name ends.
 */

typedef struct Window {
    size_t n;
    int32_t codes[WINDOW_MAX];
} Window;

/* Moves marks to their canonical place. A starter (class 0) neither moves nor lets anything pass. */
static void window_order(Window *window, size_t from)
{
    for (size_t i = from; i < window->n; i++) {
        int32_t code = window->codes[i];
        int rank = utf8proc_get_property(code)->combining_class;
        size_t to = i;

        for (; rank > 0 && to > 0; to--) {
            if (utf8proc_get_property(window->codes[to - 1])->combining_class <= rank)
                break;
            window->codes[to] = window->codes[to - 1];
        }
        window->codes[to] = code;
    }
}

/* Folds the character at `text`, of which there is at least one byte; returns its length. */
static size_t window_append(Window *window, const char *text, size_t n)
{
    utf8proc_ssize_t length, n_codes;
    int32_t code;

    if ((uint8_t) text[0] < 0x80) {
        window->codes[window->n++] = (uint8_t) ascii_lower(text[0]);
        return 1;
    }

    length = utf8proc_iterate((const uint8_t *) text, n, &code);
    if (length <= 0) {
        window->codes[window->n++] = 0xfffd;
        return 1;
    }
    n_codes = utf8proc_decompose_char(code, window->codes + window->n, EXPANSION_MAX, SEARCH_OPTIONS, NULL);
    if (n_codes < 0 || n_codes > EXPANSION_MAX) {
        window->codes[window->n] = 0xfffd;
        n_codes = 1;
    }
    window->n += n_codes;
    window_order(window, window->n - n_codes);
    return length;
}

static bool is_word(int32_t code)
{
    Class class = classify(code);

    return class != CLASS_NONE && class != CLASS_HYPHEN;
}

/* Is the code point a part of the character before it: a mark, or the vowel or end of a Hangul syllable? */
static bool is_continuation(int32_t code)
{
    int bound = utf8proc_get_property(code)->boundclass;

    return classify(code) == CLASS_MARK || bound == UTF8PROC_BOUNDCLASS_V || bound == UTF8PROC_BOUNDCLASS_T;
}

/* utf8proc has no script property; but scripts whose letters are wide do without spaces, or add to names. */
static bool is_wide(int32_t code)
{
    return utf8proc_charwidth(code) == 2;
}

static bool is_wide_before(const int32_t *codes, size_t end)
{
    while (end > 1 && is_continuation(codes[end - 1]))
        end--;
    return is_wide(codes[end - 1]);
}

static bool window_is_apart(const Window *window, size_t begin, size_t end)
{
    const int32_t *codes = window->codes;
    size_t n_after = window->n - end;

    if (begin > 0 && is_word(codes[begin - 1]) && !is_wide(codes[begin]) && !is_wide_before(codes, begin))
        return false;
    if (begin > 1 && codes[begin - 1] == '-' && is_word(codes[begin - 2]))
        return false;
    if (n_after > 0 && is_continuation(codes[end]))
        return false;
    if (n_after > 0 && is_word(codes[end]) && !is_wide(codes[end]) && !is_wide_before(codes, end))
        return false;
    if (n_after > 1 && codes[end] == '-' && is_word(codes[end + 1]))
        return false;
    return true;
}

static bool folded_is_mentioned(const int32_t *nick, size_t nick_n, const char *text, size_t n)
{
    size_t i = 0, end, shift, at = 0;
    Window window;

    window.n = 0;
    for (;;) {
        while (at < n && window.n + EXPANSION_MAX <= WINDOW_MAX)
            at += window_append(&window, text + at, n - at);

        /*
         * Two code points after the name decide whether it ends there, so they have to be known. Marks that
         * are still to come can only change the order of a run at the end of the window; a name that ends
         * before such a run is not concerned, and one that ends within it goes on, whatever the order.
         */
        end = at < n ? window.n - 2 : window.n;
        for (; i + nick_n <= end; i++)
            if (window.codes[i] == nick[0] && memcmp(window.codes + i, nick, nick_n * sizeof(*nick)) == 0 &&
                window_is_apart(&window, i, i + nick_n))
                return true;
        if (at >= n)
            return false;

        shift = i - MIN(i, (size_t) CONTEXT);
        window.n -= shift;
        memmove(window.codes, window.codes + shift, window.n * sizeof(window.codes[0]));
        i -= shift;
    }
}

bool name_is_mentioned(const char *nick, size_t nick_n, const char *text, size_t n)
{
    int32_t codes[FOLDED_MAX];
    utf8proc_ssize_t length;
    bool text_is_ascii;

    if (nick_n == 0 || nick_n > NAME_MAX_BYTES || n == 0)
        return false;
    text_is_ascii = is_ascii(text, n);
    if (text_is_ascii && is_ascii(nick, nick_n))
        return ascii_is_mentioned(nick, nick_n, text, n);

    length = utf8proc_decompose((const uint8_t *) nick, nick_n, codes, FOLDED_MAX, SEARCH_OPTIONS);
    if (length <= 0 || length > FOLDED_MAX)
        return false;
    if (text_is_ascii)
        for (utf8proc_ssize_t i = 0; i < length; i++)
            if (codes[i] >= 0x80)
                return false;
    return folded_is_mentioned(codes, length, text, n);
}
