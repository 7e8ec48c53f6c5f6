/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* The archive's threads: what they write and answer, and what becomes of questions that wait. */

#include <dirent.h>

#include "unit/archivist-fixture.h"
#include "unit/unit.h"

START_TEST(test_written)
{
    uint32_t epoch;
    uint64_t pos;
    World world;

    world_begin(&world);
    ck_assert_uint_eq(world.status.pos, 0);
    world_say(&world, 3);
    world_say(&world, 1);
    WAIT_UNTIL(&world, world.status.committed == world.pos);
    ck_assert_uint_eq(world.status.n_done_lines, 4);
    world_stop(&world);
    world_expect_lines(&world, 0, 4);
    fixture_open(world.fixture);
    ck_assert_int_eq(archive_cursor(world.fixture->archive, &epoch, &pos), 0);
    ck_assert_uint_eq(pos, world.pos);
    world.fixture->archive = archive_close(world.fixture->archive);
    /* And the next process goes on there. */
    world_start(&world);
    WAIT_UNTIL(&world, world.status.is_open);
    ck_assert_uint_eq(world.status.pos, world.pos);
    ck_assert_uint_eq(world.status.n_lines, 4);
    world_end(&world);
}
END_TEST

/* What was given for an opening that is over. */
START_TEST(test_stale)
{
    ArchivistBatch *batch;
    World world;

    world_begin(&world);
    batch = world_batch(&world, 2, 0);
    batch->opening--;
    archivist_give(world.archivist, batch);
    archivist_finish(world.archivist, WORLD_DEADLINE_SECONDS * USEC_PER_SEC);
    WAIT_UNTIL(&world, true);
    ck_assert_uint_eq(world.status.committed, 0);
    ck_assert_uint_eq(world.status.n_done_lines, 0);
    ck_assert_int_eq(world.status.answer, 0);
    world_say(&world, 2);
    world_stop(&world);
    world_expect_lines(&world, 2, 4);
    world_end(&world);
}
END_TEST

START_TEST(test_missing)
{
    ArchivistBatch *batch;
    World world;

    world_begin(&world);
    batch = world_batch(&world, 1, 0);
    batch->n_missing = 17;
    batch->missing_at = 0;
    batch->wall = FIXTURE_NOW;
    world_say(&world, 1);
    archivist_give(world.archivist, batch);
    world_stop(&world);
    ck_assert_int_eq(fixture_count(world.fixture, "SELECT sum(n) FROM gaps"), 17);
    world_end(&world);
}
END_TEST

static void expect_text(const Recalled *recalled, const char *expected)
{
    ck_assert_ptr_null(recalled->trouble);
    ck_assert_msg(recalled->n == strlen(expected) && memcmp(recalled->bytes, expected, recalled->n) == 0,
                  "%.*s", (int) recalled->n, recalled->bytes);
}

/* One of each kind. */
START_TEST(test_questions)
{
    Recall last = recall_of(RECALL_LAST, "LOBBY", 2), between = recall_of(RECALL_BETWEEN, "lobby", 20),
           search = recall_of(RECALL_SEARCH, "lobby", 2), seen = recall_of(RECALL_SEEN, "", 0),
           room = recall_of(RECALL_ROOM, "lobby", 2), rules = recall_of(RECALL_RULES, "", 0);
    Recalled recalled;
    const Entry *entry;
    World world;

    (void) setenv("TZ", "UTC", 1);
    world_begin(&world);
    world_say(&world, 4);
    world_ask(&world, &last, &recalled);
    expect_text(&recalled, "2026-11-22 14:03 #lobby <alice> line 2\n2026-11-22 14:03 #lobby <alice> line 3");
    ck_assert(!recalled.is_more);
    between.from = FIXTURE_NOW + 1 * USEC_PER_SEC;
    between.to = FIXTURE_NOW + 3 * USEC_PER_SEC;
    world_ask(&world, &between, &recalled);
    expect_text(&recalled, "2026-11-22 14:03 #lobby <alice> line 1\n2026-11-22 14:03 #lobby <alice> line 2");
    search.n_words = (uint16_t) (stpcpy(search.words, "line") - search.words);
    world_ask(&world, &search, &recalled);
    expect_text(&recalled, "2026-11-22 14:03 #lobby <alice> line 3\n2026-11-22 14:03 #lobby <alice> line 2");
    ck_assert(recalled.is_more);
    seen.nick = fixture_key("Alice");
    world_ask(&world, &seen, &recalled);
    expect_text(&recalled,
                "alice was here last on 2026-11-22 14:03, and for the first time on 2026-11-22 14:03.");
    seen.nick = fixture_key("nobody");
    world_ask(&world, &seen, &recalled);
    expect_text(&recalled, "");
    world_ask(&world, &room, &recalled);
    ck_assert_ptr_null(recalled.trouble);
    entry = (const Entry *) recalled.bytes;
    ck_assert_uint_lt(entry->size, recalled.n);
    ck_assert_int_eq(memcmp(entry_text(entry), "line 2", entry->text_n), 0);
    ck_assert(entry->is_recalled);
    world_ask(&world, &rules, &recalled);
    expect_text(&recalled, "");
    world_end(&world);
}
END_TEST

/* Pages of 20 lines: the last one that there may be, and the one before it. */
START_TEST(test_pages)
{
    const unsigned n_pages = harness_is_slow() ? 50 : RECALL_PAGES, n = RECALL_PAGE * n_pages;
    Recall between = recall_of(RECALL_BETWEEN, "lobby", RECALL_PAGE);
    char line[24];
    World world;

    world_begin(&world);
    for (unsigned i = 0; i < n_pages; i++)
        world_say(&world, RECALL_PAGE);
    between.to = FIXTURE_NOW + USEC_PER_SEC * 100000;
    for (unsigned page = n_pages - 1; page <= n_pages; page++) {
        unsigned end = page * RECALL_PAGE;
        Recalled recalled;

        between.page = page;
        world_ask(&world, &between, &recalled);
        ck_assert_ptr_null(recalled.trouble);
        ck_assert(recalled.is_more == (end < n));
        (void) snprintf(line, sizeof line, "line %u\n", end - RECALL_PAGE);
        ck_assert_ptr_nonnull(memmem(recalled.bytes, recalled.n, line, strlen(line)));
        (void) snprintf(line, sizeof line, "line %u", end - 1);
        ck_assert_mem_eq(recalled.bytes + recalled.n - strlen(line), line, strlen(line));
    }
    world_end(&world);
}
END_TEST

/* The answer knows all that was given before the question. */
START_TEST(test_after)
{
    Recall last = recall_of(RECALL_LAST, "lobby", 1);
    Recalled recalled;
    char expected[32];
    World world;

    world_begin(&world);
    for (unsigned i = 0; i < 50; i++) {
        world_say(&world, 1);
        last.asker = i + 1;
        world_ask(&world, &last, &recalled);
        (void) snprintf(expected, sizeof expected, "<alice> line %u", i);
        ck_assert_ptr_null(recalled.trouble);
        ck_assert_ptr_nonnull(memmem(recalled.bytes, recalled.n, expected, strlen(expected)));
    }
    world_end(&world);
}
END_TEST

/* So long a question waits, and then there is an answer that says so. */
START_TEST(test_patience)
{
    Recall last = recall_of(RECALL_LAST, "lobby", 1);
    uint64_t now = clock_monotonic(), due = now + ARCHIVIST_PATIENCE_USEC;
    ArchivistStatus status;
    Recalled recalled;
    World world;

    world_begin(&world);
    world_hang(&world, true);
    ck_assert_int_eq(archivist_ask(world.archivist, &last, now, NULL), RECALL_AWAITED);
    ck_assert_uint_eq(archivist_due(world.archivist), due);
    (void) archivist_take(world.archivist, due - 1, &status);
    ck_assert(!archivist_take(world.archivist, due - 1, &status));
    ck_assert_int_eq(archivist_ask(world.archivist, &last, due - 1, &recalled), RECALL_AWAITED);
    ck_assert(archivist_take(world.archivist, due, &status));
    ck_assert_int_eq(archivist_ask(world.archivist, &last, due, NULL), RECALL_ANSWERED);
    ck_assert_int_eq(archivist_ask(world.archivist, &last, due, &recalled), RECALL_ANSWERED);
    ck_assert_str_eq(recalled.trouble, "The archive takes too long to answer");
    ck_assert_uint_eq(archivist_due(world.archivist), UINT64_MAX);
    world_hang(&world, false);
    world_ask(&world, &last, &recalled);
    ck_assert_ptr_null(recalled.trouble);
    world_end(&world);
}
END_TEST

/* Who asked has gone: the loop is told once, and not at every turn from then on. */
START_TEST(test_asker_gone)
{
    Recall last = recall_of(RECALL_LAST, "lobby", 1);
    uint64_t now = clock_monotonic(), due = now + ARCHIVIST_PATIENCE_USEC;
    ArchivistStatus status;
    World world;

    world_begin(&world);
    world_hang(&world, true);
    ck_assert_int_eq(archivist_ask(world.archivist, &last, now, NULL), RECALL_AWAITED);
    ck_assert(archivist_take(world.archivist, due, &status));
    ck_assert_uint_eq(archivist_due(world.archivist), UINT64_MAX);
    ck_assert(!archivist_take(world.archivist, due + 1, &status));
    world_hang(&world, false);
    world_end(&world);
}
END_TEST

static Recall question(unsigned i)
{
    Recall recall = recall_of(RECALL_LAST, "lobby", 1);

    recall.asker = i + 1;
    return recall;
}

static void ask_many(World *world, unsigned n, uint64_t now)
{
    for (unsigned i = 0; i < n; i++) {
        Recall recall = question(i);

        ck_assert_int_eq(archivist_ask(world->archivist, &recall, now, NULL), RECALL_AWAITED);
    }
}

/* More than there are places for: each is answered, and whoever had no place hears when there is one. */
START_TEST(test_places)
{
    enum { N = 2 * ARCHIVIST_QUESTIONS + 1 };
    unsigned n_answered = 0;
    bool are_done[N] = {0};
    Recalled recalled;
    World world;

    world_begin(&world);
    world_say(&world, 1);
    world_hang(&world, true);
    ask_many(&world, N, clock_monotonic());
    world_hang(&world, false);
    while (n_answered < N) {
        struct pollfd pollfd = {.fd = archivist_fd(world.archivist), .events = POLLIN};

        ck_assert_msg(poll(&pollfd, 1, 20000) == 1, "no news, and %u of %u are answered", n_answered, N);
        (void) archivist_take(world.archivist, clock_monotonic(), &world.status);
        /* The last ones first: those without a place look before those who give up theirs. */
        for (unsigned i = N; i-- > 0;) {
            Recall recall = question(i);

            if (are_done[i] ||
                archivist_ask(world.archivist, &recall, clock_monotonic(), &recalled) != RECALL_ANSWERED)
                continue;
            ck_assert_msg(recalled.trouble == NULL, "%u: %s", i, recalled.trouble);
            are_done[i] = true;
            n_answered++;
        }
    }
    world_end(&world);
}
END_TEST

static QuestionState state_of_last(const World *world)
{
    Core *core = world->archivist->core;
    QuestionState state;

    (void) pthread_mutex_lock(&core->lock);
    state = core->questions[ARCHIVIST_QUESTIONS - 1].state;
    (void) pthread_mutex_unlock(&core->lock);
    return state;
}

/* Answers that nobody comes for keep their places for a while. */
START_TEST(test_abandoned)
{
    Recall last = question(ARCHIVIST_QUESTIONS);
    uint64_t now = clock_monotonic(), due;
    World world;

    world_begin(&world);
    ask_many(&world, ARCHIVIST_QUESTIONS, now);
    WAIT_UNTIL(&world, state_of_last(&world) == QUESTION_ANSWERED);
    now = clock_monotonic();
    ck_assert_uint_eq(archivist_due(world.archivist), UINT64_MAX);
    ck_assert_int_eq(archivist_ask(world.archivist, &last, now, NULL), RECALL_AWAITED);
    due = archivist_due(world.archivist);
    ck_assert_uint_le(due, now + ARCHIVIST_KEEP_USEC);
    ck_assert_uint_gt(due, now);
    (void) archivist_take(world.archivist, due - 1, &world.status);
    ck_assert(archivist_take(world.archivist, due, &world.status));
    ck_assert_int_eq(archivist_ask(world.archivist, &last, due, NULL), RECALL_AWAITED);
    WAIT_UNTIL(&world, archivist_ask(world.archivist, &last, due, NULL) == RECALL_ANSWERED);
    world_end(&world);
}
END_TEST

/* Where all places are taken by questions that nothing will come of, nobody waits for one. */
START_TEST(test_stuck)
{
    Recall last = question(ARCHIVIST_QUESTIONS);
    uint64_t now = clock_monotonic(), due = now + ARCHIVIST_PATIENCE_USEC;
    Recalled recalled;
    World world;

    world_begin(&world);
    world_hang(&world, true);
    ask_many(&world, ARCHIVIST_QUESTIONS, now);
    ck_assert_int_eq(archivist_ask(world.archivist, &last, due - 1, NULL), RECALL_AWAITED);
    ck_assert_int_eq(archivist_ask(world.archivist, &last, due, NULL), RECALL_ANSWERED);
    ck_assert_int_eq(archivist_ask(world.archivist, &last, due, &recalled), RECALL_ANSWERED);
    ck_assert_str_eq(recalled.trouble, "The archive is busy");
    world_hang(&world, false);
    world_end(&world);
}
END_TEST

static Recall search(unsigned i)
{
    Recall recall = recall_of(RECALL_SEARCH, "lobby", 1);

    recall.asker = i + 1;
    recall.n_words = (uint16_t) (stpcpy(recall.words, "line") - recall.words);
    return recall;
}

static bool has_question(Core *core, const Recall *recall)
{
    bool has = false;

    (void) pthread_mutex_lock(&core->lock);
    for (size_t i = 0; i < ARCHIVIST_QUESTIONS; i++)
        has |= core->questions[i].state != QUESTION_FREE &&
               memcmp(&core->questions[i].recall, recall, sizeof *recall) == 0;
    (void) pthread_mutex_unlock(&core->lock);
    return has;
}

/* For somebody who ignores others what is left out has to be searched for. */
static Recall history(unsigned i)
{
    Recall recall = recall_of(RECALL_LAST, "lobby", 1);

    recall.asker = i + 1;
    recall.ignored[0] = (RecallIgnored){.hash = 1};
    return recall;
}

/* Half of the places, and not one more, are for searches; all may be for the others. */
static void expect_half(Recall (*search_of)(unsigned i))
{
    uint64_t now = clock_monotonic(), due = now + ARCHIVIST_PATIENCE_USEC;
    Recalled recalled;
    Recall recall;
    World world;

    world_begin(&world);
    world_hang(&world, true);
    for (unsigned i = 0; i < ARCHIVIST_SEARCHES + 1; i++) {
        recall = search_of(i);
        ck_assert_int_eq(archivist_ask(world.archivist, &recall, now, NULL), RECALL_AWAITED);
        ck_assert_int_eq(has_question(world.archivist->core, &recall), i < ARCHIVIST_SEARCHES);
    }
    ck_assert_int_eq(archivist_ask(world.archivist, &recall, due, NULL), RECALL_ANSWERED);
    ck_assert_int_eq(archivist_ask(world.archivist, &recall, due, &recalled), RECALL_ANSWERED);
    ck_assert_str_eq(recalled.trouble, "The archive is busy");
    /* That is their own trouble. */
    for (unsigned i = 0; i < ARCHIVIST_QUESTIONS - ARCHIVIST_SEARCHES + 1; i++) {
        recall = question(i);
        ck_assert_int_eq(archivist_ask(world.archivist, &recall, due, NULL), RECALL_AWAITED);
        ck_assert_int_eq(has_question(world.archivist->core, &recall),
                         i < ARCHIVIST_QUESTIONS - ARCHIVIST_SEARCHES);
    }
    world_hang(&world, false);
    WAIT_UNTIL(&world, archivist_ask(world.archivist, &recall, due, NULL) == RECALL_ANSWERED);
    world_end(&world);
}

START_TEST(test_searches)
{
    expect_half(search);
    expect_half(history);
}
END_TEST

/* Whatever was asked last is answered before the searches that wait. */
START_TEST(test_before_searches)
{
    Recall last = question(0), first_search = search(0);
    uint64_t now = clock_monotonic();
    Core *core;
    World world;

    world_begin(&world);
    core = world.archivist->core;
    world_hang(&world, true);
    for (unsigned i = 0; i < ARCHIVIST_SEARCHES; i++) {
        Recall recall = search(i);

        ck_assert_int_eq(archivist_ask(world.archivist, &recall, now, NULL), RECALL_AWAITED);
    }
    ck_assert_int_eq(archivist_ask(world.archivist, &last, now, NULL), RECALL_AWAITED);
    world_hang(&world, false);
    WAIT_UNTIL(&world, archivist_ask(world.archivist, &last, now, NULL) == RECALL_ANSWERED);
    WAIT_UNTIL(&world, archivist_ask(world.archivist, &first_search, now, NULL) == RECALL_ANSWERED);
    (void) pthread_mutex_lock(&core->lock);
    for (size_t i = 1; i < ARCHIVIST_SEARCHES; i++)
        ck_assert(core->questions[i].state != QUESTION_ANSWERED ||
                  core->questions[i].answered >= core->questions[i - 1].answered);
    ck_assert_uint_le(core->questions[ARCHIVIST_SEARCHES].answered, core->questions[0].answered);
    (void) pthread_mutex_unlock(&core->lock);
    world_end(&world);
}
END_TEST

/* So many bytes may wait, and not one more. */
START_TEST(test_queue_bytes)
{
    ArchivistBatch *batch;
    World world;
    Core *core;

    world_begin(&world);
    core = world.archivist->core;
    (void) pthread_mutex_lock(&core->lock);
    core->n_bytes = ARCHIVIST_QUEUE_BYTES - 1000;
    (void) pthread_mutex_unlock(&core->lock);
    ck_assert_ptr_null(archivist_batch(world.archivist, 1001));
    batch = archivist_batch(world.archivist, 1000);
    ck_assert_ptr_nonnull(batch);
    free(batch);
    (void) pthread_mutex_lock(&core->lock);
    core->n_bytes = 0;
    (void) pthread_mutex_unlock(&core->lock);
    /* What has been written does not count. */
    for (unsigned i = 0; i < 3; i++) {
        batch = world_batch(&world, 20, 4000);
        ck_assert_ptr_nonnull(batch);
        archivist_give(world.archivist, batch);
    }
    archivist_finish(world.archivist, WORLD_DEADLINE_SECONDS * USEC_PER_SEC);
    ck_assert_uint_eq(core->n_bytes, 0);
    world_stop(&world);
    world_expect_lines(&world, 0, 60);
    world_end(&world);
}
END_TEST

/* Whether a thread of this process has that file open, by its own table of descriptors. */
static bool thread_has(const char *tid, const char *file)
{
    char path[320], target[FIXTURE_PATH];
    bool is_found = false;
    struct dirent *entry;
    DIR *directory;

    (void) snprintf(path, sizeof path, "/proc/self/task/%s/fd", tid);
    directory = opendir(path);
    ck_assert_ptr_nonnull(directory);
    while ((entry = readdir(directory)) != NULL) {
        ssize_t n = readlinkat(dirfd(directory), entry->d_name, target, sizeof target - 1);

        target[MAX(n, (ssize_t) 0)] = '\0';
        is_found |= strcmp(target, file) == 0;
    }
    (void) closedir(directory);
    return is_found;
}

/* The file is open in the threads and not here; what is open here is not open there. */
START_TEST(test_descriptors)
{
    Recall last = recall_of(RECALL_LAST, "lobby", 1);
    char mine[FIXTURE_PATH + 8], main_tid[16];
    unsigned n_threads = 0;
    struct dirent *entry;
    Recalled recalled;
    World world;
    DIR *tasks;
    int fd;

    world_init(&world);
    (void) snprintf(mine, sizeof mine, "%s-mine", world.fixture->path);
    fd = open(mine, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    world_start(&world);
    WAIT_UNTIL(&world, world.status.is_open);
    world_ask(&world, &last, &recalled);
    (void) snprintf(main_tid, sizeof main_tid, "%d", (int) getpid());
    ck_assert(thread_has(main_tid, mine));
    ck_assert(!thread_has(main_tid, world.fixture->path));
    tasks = opendir("/proc/self/task");
    ck_assert_ptr_nonnull(tasks);
    while ((entry = readdir(tasks)) != NULL) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, main_tid) == 0)
            continue;
        n_threads++;
        ck_assert(!thread_has(entry->d_name, mine));
        ck_assert(thread_has(entry->d_name, world.fixture->path));
    }
    (void) closedir(tasks);
    ck_assert_uint_eq(n_threads, 2);
    (void) close(fd);
    world_end(&world);
}
END_TEST

/* The end comes while they are at something, and nobody waits for them. */
START_TEST(test_free_at_work)
{
    unsigned n = harness_is_slow() ? 5 : 50;

    for (unsigned i = 0; i < n; i++) {
        uint64_t before;
        World world;

        world_init(&world);
        world_start(&world);
        if (i % 5 > 0)
            WAIT_UNTIL(&world, world.status.is_open);
        for (unsigned j = 0; j < i % 5; j++) {
            ArchivistBatch *batch = world_batch(&world, 20, 4000);

            archivist_give(world.archivist, batch);
            ask_many(&world, i % 7, clock_monotonic());
        }
        before = clock_monotonic();
        ck_assert_ptr_null(archivist_free(world.archivist, i % 2 ? 0 : 1000));
        ck_assert_uint_lt(clock_monotonic() - before, 10 * USEC_PER_SEC);
        world.archivist = NULL;
        wait_for_last_thread();
        /* Whatever was written is whole. */
        fixture_open(world.fixture);
        world_end(&world);
    }
}
END_TEST

UNIT_MAIN("archivist", test_written, test_stale, test_missing, test_questions, test_pages, test_after,
          test_patience, test_asker_gone, test_places, test_abandoned, test_stuck, test_searches,
          test_before_searches, test_queue_bytes, test_descriptors, test_free_at_work)
