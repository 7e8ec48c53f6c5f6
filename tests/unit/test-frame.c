/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* The line reader, and the telnet commands in what it reads. */

#include <string.h>

#include "front/plain.h"
#include "front/telnet.h"
#include "unit/harness.h"
#include "unit/unit.h"

#define IAC "\xff"
#define DONT "\xfe"
#define DO "\xfd"
#define WONT "\xfc"
#define WILL "\xfb"
#define SB "\xfa"
#define SE "\xf0"
#define NOP "\xf1"

/* What a client's bytes come to: each line in brackets, "!" for one that was too long; and what is answered.
 */
typedef struct Result {
    char lines[8192];
    size_t n_lines;
    char answers[1024];
    size_t n_answers;
} Result;

typedef struct Reader {
    size_t max_line;
    bool is_skipping;
    uint16_t n_answered;
    Result result;
} Reader;

static void put_line(Result *result, const char *line, size_t n)
{
    ck_assert_uint_lt(result->n_lines + n + 2, sizeof result->lines);
    result->lines[result->n_lines++] = '[';
    memcpy(result->lines + result->n_lines, line, n);
    result->n_lines += n;
    result->lines[result->n_lines++] = ']';
}

static void put_frame(Reader *reader, FrameResult r, const Frame *frame)
{
    Result *result = &reader->result;

    switch (r) {
    case FRAME_MORE:
        break;
    case FRAME_LINE:
        ck_assert(frame->is_end);
        put_line(result, frame->line, frame->line_n);
        break;
    case FRAME_TOO_LONG:
        result->lines[result->n_lines++] = '!';
        reader->is_skipping = !frame->is_end;
        break;
    case FRAME_SKIPPED:
        reader->is_skipping = !frame->is_end;
        break;
    }
}

/* Looks at the bytes that wait, as host/connection does. Returns how many of them were consumed. */
static size_t reader_look(Reader *reader, const char *bytes, size_t n, bool is_all)
{
    static Frame frame;
    size_t at = 0;

    while (at < n) {
        /* On the heap, so that a step past the end is seen. */
        char *exact = malloc(n - at);
        FrameInput input = {.bytes = memcpy(exact, bytes + at, n - at), .n = n - at, .is_all = is_all};
        FrameResult r;

        input.is_skipping = reader->is_skipping;
        input.n_answered = reader->n_answered;
        input.max_line = reader->max_line;
        r = plain_frame(&input, &frame);
        memcpy(reader->result.answers + reader->result.n_answers, frame.answer, frame.answer_n);
        reader->result.n_answers += frame.answer_n;
        put_frame(reader, r, &frame);
        free(exact);
        reader->n_answered = r == FRAME_MORE ? frame.n_answered : 0;
        if (r == FRAME_MORE)
            break;
        ck_assert_uint_gt(frame.n_consumed, 0);
        ck_assert_uint_le(frame.n_consumed, n - at);
        at += frame.n_consumed;
    }
    return at;
}

/* All of the bytes, which arrive in pieces that end at the `cuts`. */
static void reader_run(Reader *reader, const char *bytes, size_t n, const size_t *cuts, size_t n_cuts,
                       bool is_all)
{
    size_t consumed = 0;

    for (size_t i = 0; i <= n_cuts; i++) {
        size_t end = i < n_cuts ? cuts[i] : n;

        consumed += reader_look(reader, bytes + consumed, end - consumed, is_all && i == n_cuts);
    }
}

static void check_same(const Result *a, const Result *b, const char *what, size_t at)
{
    ck_assert_msg(a->n_lines == b->n_lines && memcmp(a->lines, b->lines, a->n_lines) == 0,
                  "%s, cut at %zu: %.*s, %.*s", what, at, (int) a->n_lines, a->lines, (int) b->n_lines,
                  b->lines);
    ck_assert_msg(a->n_answers == b->n_answers && memcmp(a->answers, b->answers, a->n_answers) == 0,
                  "%s, cut at %zu: other answers", what, at);
}

/* However the bytes arrive, they mean the same. */
static void check_cuts(const char *what, const char *bytes, size_t n, size_t max_line, bool is_all,
                       const Result *whole)
{
    static Reader reader;
    static size_t cuts[65536];

    for (size_t cut = 1; cut < n; cut++) {
        reader = (Reader){.max_line = max_line};
        reader_run(&reader, bytes, n, &cut, 1, is_all);
        check_same(&reader.result, whole, what, cut);
        cuts[cut - 1] = cut;
    }
    reader = (Reader){.max_line = max_line};
    reader_run(&reader, bytes, n, cuts, n > 0 ? n - 1 : 0, is_all);
    check_same(&reader.result, whole, what, 0);
}

typedef struct Case {
    const char *what;
    const char *bytes;
    size_t n;
    const char *lines;
    const char *answers;
    bool is_all;
} Case;

/* Lines of up to 10 bytes. */
static const Case cases[] = {
    {"nothing", BYTES(""), "", "", false},
    {"nothing at all", BYTES(""), "", "", true},
    {"no end", BYTES("0123456789"), "", "", false},
    {"one byte too many", BYTES("0123456789x"), "!", "", false},
    {"one byte too many, with an end", BYTES("0123456789x\nyes\n"), "![yes]", "", false},
    {"one byte too many, at the end", BYTES("0123456789x"), "!", "", true},
    {"a CR within counts", BYTES("01234\r56789\n"), "!", "", false},
    {"two CRs", BYTES("0123456789\r\r\n"), "!", "", false},
    {"much too long", BYTES("0123456789012345678901234567890123456789\n[\n"), "![[]", "", false},
    {"twice", BYTES("0123456789x\n0123456789x\n"), "!!", "", false},
    {"a doubled IAC is a byte", BYTES("012345678" IAC IAC IAC IAC "\n"), "!", "", false},
    {"the longest", BYTES("0123456789\n"), "[0123456789]", "", false},
    {"the longest with CR LF", BYTES("0123456789\r\n"), "[0123456789]", "", false},
    {"the longest without an end", BYTES("0123456789"), "[0123456789]", "", true},
    {"the longest with half an end", BYTES("0123456789\r"), "[0123456789]", "", true},
    {"the longest with a CR and no more", BYTES("0123456789\r"), "", "", false},
    {"the longest with commands", BYTES("01234" IAC NOP "56789" IAC DO "\x01\r\n"), "[0123456789]",
     IAC WONT "\x01", false},
    {"the longest with a doubled IAC", BYTES("012345678" IAC IAC "\n"), "[012345678" IAC "]", "", false},
    {"an empty line", BYTES("\n"), "[]", "", false},
    {"an empty line with CR", BYTES("\r\n"), "[]", "", false},
    {"a CR and nothing else", BYTES("\r"), "[]", "", true},
    {"two lines", BYTES("one\ntwo\n"), "[one][two]", "", false},
    {"mixed ends", BYTES("one\r\ntwo\nthree\r\n"), "[one][two][three]", "", false},
    {"a last line without an end", BYTES("one\ntwo"), "[one][two]", "", true},
    {"a last line that goes on", BYTES("one\ntwo"), "[one]", "", false},
    {"a NUL", BYTES("o\0e\n"), "[o\0e]", "", false},
    {"control characters are for others", BYTES("\x1b[2J\x07\n"), "[\x1b[2J\x07]", "", false},
    {"WILL", BYTES(IAC WILL "\x1f"), "", IAC DONT "\x1f", false},
    {"DO", BYTES(IAC DO "\x03"), "", IAC WONT "\x03", false},
    {"WONT and DONT",
     BYTES(IAC WONT "\x03" IAC DONT "\x04"
                    "a\n"),
     "[a]", "", false},
    {"an option that looks like a line end",
     BYTES("a" IAC DO "\n"
           "b\n"),
     "[ab]", IAC WONT "\n", false},
    {"an option that looks like IAC", BYTES("a" IAC WILL IAC "b\n"), "[ab]", IAC DONT IAC, false},
    {"many", BYTES(IAC WILL "\x01" IAC DO "\x02x" IAC WILL "\x03y\n" IAC DO "\x04z\n"), "[xy][z]",
     IAC DONT "\x01" IAC WONT "\x02" IAC DONT "\x03" IAC WONT "\x04", false},
    {"the same twice",
     BYTES(IAC DO "\x01" IAC DO "\x01"
                  "a\n"),
     "[a]", IAC WONT "\x01" IAC WONT "\x01", false},
    {"a command", BYTES("a" IAC NOP "b\n"), "[ab]", "", false},
    {"a subnegotiation", BYTES("a" IAC SB "\x1f\0P\0\x18" IAC SE "b\n"), "[ab]", "", false},
    {"a subnegotiation with a line end", BYTES("a" IAC SB "\x1f\n\r\n" IAC SE "b\n"), "[ab]", "", false},
    {"a subnegotiation with a doubled IAC", BYTES("a" IAC SB "\x1f" IAC IAC SE "\n" IAC SE "b\n"), "[ab]", "",
     false},
    {"a subnegotiation with nothing", BYTES("a" IAC SB IAC SE "b\n"), "[ab]", "", false},
    {"a request within a subnegotiation is data", BYTES("a" IAC SB "\x1f" IAC DO "\x01" IAC SE "b\n"), "[ab]",
     "", false},
    {"a command before the LF of CR LF", BYTES("ab\r" IAC NOP "\n"), "[ab]", "", false},
    {"only a command", BYTES(IAC NOP), "", "", false},
    {"only a command, at the end", BYTES(IAC NOP), "[]", "", true},
    {"half a command at the end", BYTES("a" IAC), "[a]", "", true},
    {"half a request at the end", BYTES("a" IAC DO), "[a]", "", true},
    {"half a subnegotiation at the end", BYTES("a" IAC SB "\x1f x"), "[a]", "", true},
};

START_TEST(test_cases)
{
    static Reader reader;
    static Result whole;

    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        const Case *c = &cases[i];
        size_t n_lines = strlen(c->lines);

        if (strcmp(c->what, "a NUL") == 0)
            n_lines = 5;
        reader = (Reader){.max_line = 10};
        reader_run(&reader, c->bytes, c->n, NULL, 0, c->is_all);
        ck_assert_msg(reader.result.n_lines == n_lines && memcmp(reader.result.lines, c->lines, n_lines) == 0,
                      "%s: %.*s", c->what, (int) reader.result.n_lines, reader.result.lines);
        ck_assert_msg(reader.result.n_answers == strlen(c->answers) &&
                          memcmp(reader.result.answers, c->answers, strlen(c->answers)) == 0,
                      "%s: other answers", c->what);
        whole = reader.result;
        check_cuts(c->what, c->bytes, c->n, 10, c->is_all, &whole);
    }
}
END_TEST

/* Each limit that can be configured, to the byte. */
START_TEST(test_limits)
{
    static const size_t limits[] = {80, 2000, LIMIT_LINE_BYTES};
    static const char *const ends[] = {"\n", "\r\n"};
    static char bytes[2 * LIMIT_LINE_BYTES + 2];
    static Reader reader;

    memset(bytes, 'x', sizeof bytes);
    for (size_t i = 0; i < N_ELEMENTS(limits); i++) {
        for (size_t j = 0; j < N_ELEMENTS(ends); j++) {
            for (size_t more = 0; more < 2; more++) {
                size_t n = limits[i] + more;

                memcpy(bytes + n, ends[j], strlen(ends[j]));
                reader = (Reader){.max_line = limits[i]};
                reader_run(&reader, bytes, n + strlen(ends[j]), NULL, 0, false);
                memset(bytes + n, 'x', 2);
                ck_assert_uint_eq(reader.result.n_lines, more ? 1 : limits[i] + 2);
                ck_assert(!reader.is_skipping);
            }
        }
        reader = (Reader){.max_line = limits[i]};
        ck_assert_uint_eq(reader_look(&reader, bytes, limits[i], false), 0);
        ck_assert_uint_eq(reader_look(&reader, bytes, limits[i] + 1, false), limits[i] + 1);
        ck_assert(reader.is_skipping);
    }
    /* The longest line of all, each byte of it doubled, still fits in one look. */
    memset(bytes, 0xff, 2 * LIMIT_LINE_BYTES);
    memcpy(bytes + 2 * LIMIT_LINE_BYTES, "\r\n", 2);
    reader = (Reader){.max_line = LIMIT_LINE_BYTES};
    reader_run(&reader, bytes, sizeof bytes, NULL, 0, false);
    ck_assert_uint_eq(reader.result.n_lines, LIMIT_LINE_BYTES + 2);
}
END_TEST

/* A line that never ends is given up, also where nothing of it counts. */
START_TEST(test_endless)
{
    static char bytes[READ_BYTES];
    static Reader reader;

    for (size_t i = 0; i + 1 < sizeof bytes; i += 2)
        memcpy(bytes + i, IAC NOP, 2);
    reader = (Reader){.max_line = 2000};
    ck_assert_uint_eq(reader_look(&reader, bytes, READ_BYTES - 1, false), 0);
    ck_assert_uint_eq(reader_look(&reader, bytes, READ_BYTES, false), READ_BYTES);
    ck_assert(reader.is_skipping);
    memcpy(bytes, IAC SB, 2);
    memset(bytes + 2, '\n', sizeof bytes - 2);
    reader = (Reader){.max_line = 2000};
    ck_assert_uint_eq(reader_look(&reader, bytes, READ_BYTES - 1, false), 0);
    ck_assert_uint_eq(reader_look(&reader, bytes, READ_BYTES, false), READ_BYTES);
    ck_assert_uint_eq(reader.result.n_lines, 1);
}
END_TEST

/* More requests in one look than there is room for answers: the first are answered. */
START_TEST(test_many_requests)
{
    static char bytes[3 * 1000];
    static Reader reader;

    for (size_t i = 0; i < sizeof bytes; i += 3)
        memcpy(bytes + i, IAC DO "\x01", 3);
    reader = (Reader){.max_line = 2000};
    ck_assert_uint_eq(reader_look(&reader, bytes, sizeof bytes, false), 0);
    ck_assert_uint_eq(reader.n_answered, 1000);
    ck_assert_uint_eq(reader.result.n_answers, 255);
    /* Looked at again, they get no second answer. */
    ck_assert_uint_eq(reader_look(&reader, bytes, sizeof bytes, false), 0);
    ck_assert_uint_eq(reader.result.n_answers, 255);
}
END_TEST

static const struct {
    const char *bytes;
    size_t n;
} pieces[] = {
    {BYTES("a")},
    {BYTES("bc")},
    {BYTES("\xc3\xa9")},
    {BYTES(" ")},
    {BYTES("\n")},
    {BYTES("\r\n")},
    {BYTES("\n")},
    {BYTES("\r")},
    {BYTES(IAC IAC)},
    {BYTES(IAC WILL "\n")},
    {BYTES(IAC DO "\x18")},
    {BYTES(IAC WONT IAC)},
    {BYTES(IAC DONT "x")},
    {BYTES(IAC NOP)},
    {BYTES(IAC SB "\x1f" IAC SE)},
    {BYTES(IAC SB "\n" IAC IAC "\n" IAC SE)},
    {BYTES(IAC "\xf9")},
    {BYTES(IAC "\xf4")},
    {BYTES("\0")},
    {BYTES(IAC DO "\r")},
};

START_TEST(test_random)
{
    static Reader reader;
    static Result whole;
    uint64_t seed = 11;
    char bytes[400];

    for (unsigned round = 0; round < 300; round++) {
        bool is_all = random_below(&seed, 2);
        size_t n = 0;

        for (unsigned n_pieces = random_below(&seed, 60); n_pieces > 0; n_pieces--) {
            unsigned i = random_below(&seed, N_ELEMENTS(pieces));

            memcpy(bytes + n, pieces[i].bytes, pieces[i].n);
            n += pieces[i].n;
        }
        reader = (Reader){.max_line = 200};
        reader_run(&reader, bytes, n, NULL, 0, is_all);
        whole = reader.result;
        check_cuts("random", bytes, n, 200, is_all, &whole);
    }
}
END_TEST

START_TEST(test_telnet_length)
{
    static const struct {
        const char *bytes;
        size_t n, length;
    } commands[] = {
        {BYTES(IAC), 0},
        {BYTES(IAC DO), 0},
        {BYTES(IAC SB), 0},
        {BYTES(IAC SB "\x01\x02"), 0},
        {BYTES(IAC SB "\x01" IAC), 0},
        {BYTES(IAC SB "\x01" IAC IAC SE), 0},
        {BYTES(IAC SB "\x01" IAC IAC IAC), 0},
        {BYTES(IAC IAC), 2},
        {BYTES(IAC IAC IAC), 2},
        {BYTES(IAC NOP "x"), 2},
        {BYTES(IAC DO "\x01x"), 3},
        {BYTES(IAC WILL "\x01x"), 3},
        {BYTES(IAC WONT "\x01x"), 3},
        {BYTES(IAC DONT "\x01x"), 3},
        {BYTES(IAC SB "\x01" IAC SE "x"), 5},
        {BYTES(IAC SB "\x01" IAC IAC IAC SE "x"), 7},
    };

    for (size_t i = 0; i < N_ELEMENTS(commands); i++)
        ck_assert_msg(telnet_length(commands[i].bytes, commands[i].n) == commands[i].length, "command %zu",
                      i);
}
END_TEST

/* Answers are refusals, and refusals get none: there can be no loop (RFC 1143). */
START_TEST(test_telnet_answer)
{
    char answer[3] = {0}, unused[3];

    for (int option = 0; option < 256; option++) {
        const char will[3] = {(char) TELNET_IAC, (char) TELNET_WILL, (char) option};
        const char wont[3] = {(char) TELNET_IAC, (char) TELNET_WONT, (char) option};
        const char dont[3] = {(char) TELNET_IAC, (char) TELNET_DONT, (char) option};
        const char please[3] = {(char) TELNET_IAC, (char) TELNET_DO, (char) option};

        ck_assert_uint_eq(telnet_answer(will, 3, answer), 3);
        ck_assert_mem_eq(answer, dont, 3);
        ck_assert_uint_eq(telnet_answer(please, 3, answer), 3);
        ck_assert_mem_eq(answer, wont, 3);
        ck_assert_uint_eq(telnet_answer(wont, 3, unused), 0);
        ck_assert_uint_eq(telnet_answer(dont, 3, unused), 0);
    }
    ck_assert_uint_eq(telnet_answer(IAC NOP, 2, unused), 0);
    ck_assert_uint_eq(telnet_answer(IAC SB "\x01" IAC SE, 5, unused), 0);
}
END_TEST

UNIT_MAIN("frame", test_cases, test_limits, test_endless, test_many_requests, test_random, test_telnet_length,
          test_telnet_answer)
