/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <string.h>

#include "base/config.h"
#include "chat/state.h"
#include "chat/transcript.h"
#include "unit/harness.h"
#include "unit/unit.h"

/* A state whose ring may be of any size, for the transcript needs no more of it. */
typedef struct Ring {
    State state;
    Transcript transcript;
    uint64_t reclaimed; /* the last tail that was announced */
    unsigned n_reclaims;
    void (*on_reclaim)(struct Ring *ring, uint64_t tail);
} Ring;

static void reclaim(void *userdata, uint64_t tail)
{
    Ring *ring = userdata;

    ck_assert_uint_gt(tail, ring->state.header->tail);
    ck_assert_uint_le(tail, ring->state.header->head);
    if (ring->on_reclaim != NULL)
        ring->on_reclaim(ring, tail);
    ring->reclaimed = tail;
    ring->n_reclaims++;
}

static Ring *ring_new(size_t size)
{
    Ring *ring = calloc(1, sizeof *ring);
    Config config;

    ck_assert_ptr_nonnull(ring);
    harness_config(&config);
    config.transcript_size = size;
    ck_assert_int_eq(state_new(&ring->state, &config, 1), 0);
    /* What lies there is not to be trusted. */
    memset(ring->state.ring, 0xa5, size);
    transcript_init(&ring->transcript, &ring->state, reclaim, ring);
    return ring;
}

static void ring_free(Ring *ring)
{
    state_done(&ring->state);
    free(ring);
}

/* As a transaction, with no more room than it needs. */
static uint64_t ring_append(Ring *ring, const EntryDraft *draft)
{
    size_t n = sizeof(Entry) + draft->nick_n + draft->room_name_n + draft->text_n;
    uint64_t pos;

    transcript_reserve(&ring->transcript, n + -n % 8);
    pos = transcript_append(&ring->transcript, draft);
    state_commit(&ring->state);
    return pos;
}

static uint64_t ring_say(Ring *ring, const char *text, size_t n)
{
    EntryDraft draft = {.kind = ENTRY_SAID, .room = 0, .from = 1, .text = text, .text_n = n};

    return ring_append(ring, &draft);
}

START_TEST(test_empty)
{
    Ring *ring = ring_new(4096);
    uint64_t pos = ring->state.header->tail, zero = 0;

    ck_assert_ptr_null(transcript_read(&ring->transcript, &pos));
    ck_assert_uint_eq(pos, ring->state.header->tail);
    ck_assert_ptr_null(transcript_at(&ring->transcript, 0));
    ck_assert_ptr_null(transcript_at(&ring->transcript, pos));
    ck_assert_ptr_null(transcript_at(&ring->transcript, UINT64_MAX));
    ck_assert_uint_gt(ring_say(ring, "hi", 2), zero);
    ring_free(ring);
}
END_TEST

START_TEST(test_entry)
{
    Ring *ring = ring_new(4096);
    const EntryDraft draft = {
        .kind = ENTRY_PRIVATE,
        .room = 17,
        .from = 1,
        .to = 2,
        .from_hash = 3,
        .prev = 4,
        .wall = 5,
        .nick = "alice",
        .nick_n = 5,
        .room_name = "dev",
        .room_name_n = 3,
        .text = "h\0i",
        .text_n = 3,
    };
    uint64_t pos = ring_append(ring, &draft);
    const Entry *entry = transcript_at(&ring->transcript, pos);

    ck_assert_ptr_nonnull(entry);
    ck_assert_uint_eq(entry->pos, pos);
    ck_assert_uint_eq(entry->room, 17);
    ck_assert_uint_eq(entry->from, 1);
    ck_assert_uint_eq(entry->to, 2);
    ck_assert_uint_eq(entry->from_hash, 3);
    ck_assert_uint_eq(entry->prev, 4);
    ck_assert_uint_eq(entry->wall, 5);
    ck_assert_uint_eq(entry->size % 8, 0);
    ck_assert_int_eq(entry->kind, ENTRY_PRIVATE);
    ck_assert_uint_eq(entry->nick_n, 5);
    ck_assert_mem_eq(entry_nick(entry), "alice", 5);
    ck_assert_uint_eq(entry->room_n, 3);
    ck_assert_mem_eq(entry_room(entry), "dev", 3);
    ck_assert_uint_eq(entry->text_n, 3);
    ck_assert_mem_eq(entry_text(entry), "h\0i", 3);
    /* One byte further there is nothing. */
    ck_assert_ptr_null(transcript_at(&ring->transcript, pos + entry->size));
    ring_free(ring);
}
END_TEST

START_TEST(test_lines)
{
    static const struct {
        EntryKind kind;
        const char *text;
        unsigned n;
    } cases[] = {
        {ENTRY_RAW, "\xff\xfe\n", 0}, {ENTRY_REPLAY, "0123456789abcdef", 0},
        {ENTRY_REPLY, "", 1},         {ENTRY_REPLY, "one", 1},
        {ENTRY_REPLY, "one\ntwo", 2}, {ENTRY_REPLY, "\n\n", 3},
        {ENTRY_SAID, "hi", 1},        {ENTRY_ACTION, "waves", 1},
        {ENTRY_PRIVATE, "hi", 1},     {ENTRY_JOINED, "", 1},
        {ENTRY_LEFT, "", 1},          {ENTRY_RENAMED, "bob", 1},
        {ENTRY_TOPIC, "", 1},         {ENTRY_SUMMARY, "1 came", 1},
        {ENTRY_ERROR, "no", 1},
    };
    Ring *ring = ring_new(4096);

    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        EntryDraft draft = {.kind = cases[i].kind, .text = cases[i].text, .text_n = strlen(cases[i].text)};
        const Entry *entry = transcript_at(&ring->transcript, ring_append(ring, &draft));

        ck_assert_uint_eq(entry_n_lines(entry), cases[i].n);
        ck_assert_int_eq(!!entry_is_speech(entry),
                         cases[i].kind == ENTRY_SAID || cases[i].kind == ENTRY_ACTION);
    }
    ring_free(ring);
}
END_TEST

/* The longest that may be: an eighth of the ring. */
START_TEST(test_largest)
{
    Ring *ring = ring_new(8192);
    char text[1024];
    uint64_t pos = 0, last = 0;
    const Entry *entry;

    memset(text, 'x', sizeof text);
    for (unsigned i = 0; i < 50; i++) {
        text[0] = (char) i;
        last = ring_say(ring, text, sizeof text - sizeof(Entry));
        entry = transcript_at(&ring->transcript, last);
        ck_assert_uint_eq(entry->size, 1024);
        ck_assert_mem_eq(entry_text(entry), text, entry->text_n);
    }
    /* Six to eight of them are there, and no other. */
    ck_assert_uint_ge(ring->state.header->head - ring->state.header->tail, 6 * 1024);
    for (pos = ring->state.header->tail; (entry = transcript_read(&ring->transcript, &pos)) != NULL;
         pos += entry->size)
        ck_assert_int_eq(entry_text(entry)[0], (char) (49 - (last - entry->pos) / 1024));
    ring_free(ring);
}
END_TEST

/* Gaps of every length at the end of the ring, those with room for a mark and those without. */
START_TEST(test_gaps)
{
    static char text[512];

    for (size_t rest = 8; rest <= 200; rest += 8) {
        Ring *ring = ring_new(4096);
        uint64_t pos, start = ring->state.header->head, at;
        const Entry *entry;
        unsigned n = 0;

        /* Up to `rest` bytes before the end, in pieces of 400 and what is left. */
        while ((at = 4096 - (ring->state.header->head - start) - rest) > 800)
            (void) ring_say(ring, text, 400 - sizeof(Entry));
        if (at > 400)
            (void) ring_say(ring, text, at / 2 / 8 * 8 - sizeof(Entry));
        at = 4096 - (ring->state.header->head - start) - rest;
        (void) ring_say(ring, text, at - sizeof(Entry));
        ck_assert_uint_eq(4096 - (ring->state.header->head - start), rest);

        /* The next does not fit there, so it begins at the start of the ring. */
        pos = ring_say(ring, text, 300);
        ck_assert_uint_eq(pos, start + 4096);
        at = pos - rest;
        entry = transcript_read(&ring->transcript, &at);
        ck_assert_ptr_nonnull(entry);
        ck_assert_uint_eq(entry->pos, pos);
        for (at = ring->state.header->tail; (entry = transcript_read(&ring->transcript, &at)) != NULL;
             at += entry->size)
            n++;
        ck_assert_uint_ge(n, 3);
        ck_assert_uint_eq(at, ring->state.header->head);
        ring_free(ring);
    }
}
END_TEST

/* Against a list */

enum { MODEL_MAX = 60000 };

typedef struct ModelEntry {
    uint64_t pos, prev;
    uint32_t size, value;
} ModelEntry;

static ModelEntry model[MODEL_MAX];
static unsigned model_n, model_first; /* those from `model_first` on have not been reclaimed */

static void fill(char *text, size_t n, uint32_t value)
{
    for (size_t i = 0; i < n; i++)
        text[i] = (char) (value * 31 + i);
}

static void check_entry(const Entry *entry, const ModelEntry *expected)
{
    char text[4096];

    ck_assert_ptr_nonnull(entry);
    ck_assert_uint_eq(entry->pos, expected->pos);
    ck_assert_uint_eq(entry->size, expected->size);
    ck_assert_uint_eq(entry->wall, expected->value);
    ck_assert_uint_eq(entry->prev, expected->prev);
    fill(text, entry->text_n, expected->value);
    ck_assert(memcmp(entry_text(entry), text, entry->text_n) == 0);
}

/* All that is given up is there for the last time, and the rest goes on from the tail. */
static void check_reclaim(Ring *ring, uint64_t tail)
{
    uint64_t pos = ring->state.header->tail;

    for (; model_first < model_n && model[model_first].pos < tail; model_first++) {
        const Entry *entry = transcript_read(&ring->transcript, &pos);

        check_entry(entry, &model[model_first]);
        pos += entry->size;
    }
}

static void check_ring(const Ring *ring)
{
    uint64_t pos = ring->state.header->tail;
    const Entry *entry;
    unsigned i = model_first;

    for (; (entry = transcript_read(&ring->transcript, &pos)) != NULL; pos += entry->size)
        check_entry(entry, &model[i++]);
    ck_assert_uint_eq(i, model_n);
    ck_assert_uint_le(ring->state.header->head - ring->state.header->tail,
                      ring->state.header->transcript_size);
    for (i = 0; i < model_first; i += 1 + model_first / 16)
        ck_assert_ptr_null(transcript_at(&ring->transcript, model[i].pos));
    for (i = model_first; i < model_n; i += 1 + (model_n - model_first) / 16)
        check_entry(transcript_at(&ring->transcript, model[i].pos), &model[i]);
}

static void run_model(uint64_t seed, size_t size, unsigned n_appends)
{
    Ring *ring = ring_new(size);
    size_t largest = size / 64 * 8 - sizeof(Entry);
    char text[4096];

    ring->on_reclaim = check_reclaim;
    model_n = model_first = 0;
    for (unsigned i = 0; i < n_appends; i++) {
        size_t n = random_below(&seed, random_below(&seed, 4) == 0 ? (uint32_t) largest + 1 : 40);
        EntryDraft draft = {
            .kind = ENTRY_SAID, .wall = i, .text = text, .text_n = n, .nick = "al", .nick_n = n % 3};
        ModelEntry *entry = &model[model_n];

        draft.prev = model_n > 0 ? model[random_below(&seed, model_n)].pos : 0;
        if (draft.nick_n + n > largest)
            draft.nick_n = 0;
        fill(text, n, i);
        *entry = (ModelEntry){.pos = ring_append(ring, &draft), .prev = draft.prev, .value = i};
        entry->size = (uint32_t) (ring->state.header->head - entry->pos);
        ck_assert_uint_lt(entry->size - offsetof(Entry, data) - n - draft.nick_n, 8);
        ck_assert(i == 0 || entry->pos >= model[model_n - 1].pos + model[model_n - 1].size);
        model_n++;
        if (random_below(&seed, 20) == 0)
            check_ring(ring);
    }
    check_ring(ring);
    /* A little more than needed is given up at a time, but not more than that. */
    ck_assert_uint_ge(ring->state.header->head - ring->state.header->tail, size - size / 8 * 3);
    ck_assert_uint_eq(ring->state.header->tail, ring->reclaimed);
    ck_assert_uint_gt(ring->n_reclaims, 5);
    ring_free(ring);
}

START_TEST(test_random)
{
    run_model(1, 4096, 4000);
    run_model(2, 4104, 4000);
    run_model(3, 8192, 4000);
    run_model(4, 1000 * 8, 4000);
    run_model(5, 32768, 4000);
}
END_TEST

UNIT_MAIN("transcript", test_empty, test_entry, test_lines, test_largest, test_gaps, test_random)
