/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* The archive's threads, and a file that is locked, damaged, full, or not there. */

#include <signal.h>
#include <sys/resource.h>

#include "unit/archivist-fixture.h"
#include "unit/unit.h"

/* Everything again, from where the archive is. */
static void say_again(World *world, unsigned n)
{
    ck_assert_uint_eq(world->status.n_lines, 0);
    world->pos = world->status.pos;
    world->n_lines = 0;
    world_say(world, n);
}

/* Somebody else writes for longer than is waited: it is told once, and nothing is lost. */
START_TEST(test_locked)
{
    Recall last = recall_of(RECALL_LAST, "lobby", 1);
    uint64_t n_openings;
    Recalled recalled;
    World world;

    world_begin(&world);
    world_say(&world, 1);
    WAIT_UNTIL(&world, world.status.n_done_lines == 1);
    n_openings = world.status.n_openings;
    neighbour_does(&world, "BEGIN IMMEDIATE");
    world_say(&world, 2);
    WAIT_UNTIL(&world, world.status.answer != 0);
    ck_assert_int_eq(world.status.answer, ARCHIVE_BUSY);
    /* Who asks is answered meanwhile. */
    world_ask(&world, &last, &recalled);
    ck_assert_ptr_null(recalled.trouble);
    neighbour_does(&world, "ROLLBACK");
    WAIT_UNTIL(&world, world.status.n_openings != n_openings);
    ck_assert_uint_eq(world.status.n_lines, 1);
    world.pos = world.status.pos;
    world.n_lines = world.status.n_lines;
    world_say(&world, 2);
    WAIT_UNTIL(&world, world.status.n_done_lines == 3);
    ck_assert_int_eq(world.status.answer, 0);
    world_stop(&world);
    world_expect_lines(&world, 0, 3);
    world_end(&world);
}
END_TEST

static bool is_answered(Core *core, const Recall *recall)
{
    bool is = false;

    (void) pthread_mutex_lock(&core->lock);
    for (size_t i = 0; i < ARCHIVIST_QUESTIONS; i++)
        is |= core->questions[i].state == QUESTION_ANSWERED && !core->questions[i].is_done &&
              memcmp(&core->questions[i].recall, recall, sizeof *recall) == 0;
    (void) pthread_mutex_unlock(&core->lock);
    return is;
}

/* It has an answer, which nobody has taken. */
static void ask_and_leave(World *world, const Recall *recall)
{
    ck_assert_int_eq(archivist_ask(world->archivist, recall, clock_monotonic(), NULL), RECALL_AWAITED);
    WAIT_UNTIL(world, is_answered(world->archivist->core, recall));
}

static bool is_closed(Core *core)
{
    bool is;

    (void) pthread_mutex_lock(&core->lock);
    is = !core->status.is_open;
    (void) pthread_mutex_unlock(&core->lock);
    return is;
}

/* What was given before a question is dropped with the batch that had it: then no answer is of use, neither
 * one that was there nor one that comes before the loop knows. */
START_TEST(test_answers_of_before)
{
    Recall last = recall_of(RECALL_LAST, "lobby", 1), other = recall_of(RECALL_LAST, "lobby", 2);
    uint64_t n_openings, end;
    Recalled recalled;
    World world;

    world_begin(&world);
    n_openings = world.status.n_openings;
    ask_and_leave(&world, &last);
    neighbour_does(&world, "BEGIN IMMEDIATE");
    world_say(&world, 1);
    /* The loop has not heard of it. */
    for (end = clock_monotonic() + WORLD_DEADLINE_SECONDS * USEC_PER_SEC;
         !is_closed(world.archivist->core) && clock_monotonic() < end;)
        ck_assert_int_eq(usleep(1000), 0);
    for (end = clock_monotonic() + USEC_PER_SEC / 5; clock_monotonic() < end;) {
        ck_assert_int_eq(archivist_ask(world.archivist, &last, clock_monotonic(), NULL), RECALL_AWAITED);
        ck_assert_int_eq(archivist_ask(world.archivist, &other, clock_monotonic(), NULL), RECALL_AWAITED);
    }
    WAIT_UNTIL(&world, !world.status.is_open);
    ck_assert_int_eq(archivist_ask(world.archivist, &last, clock_monotonic(), NULL), RECALL_AWAITED);
    world_ask(&world, &last, &recalled);
    ck_assert_uint_eq(recalled.n, 0);
    /* Nor is one from while it was closed. */
    ask_and_leave(&world, &other);
    neighbour_does(&world, "ROLLBACK");
    WAIT_UNTIL(&world, world.status.n_openings != n_openings && world.status.is_open);
    say_again(&world, 1);
    world_ask(&world, &other, &recalled);
    ck_assert_ptr_null(recalled.trouble);
    ck_assert_ptr_nonnull(memmem(recalled.bytes, recalled.n, "line 0", 6));
    world_end(&world);
}
END_TEST

/* From the start, and for everybody. */
START_TEST(test_locked_at_start)
{
    Recall last = recall_of(RECALL_LAST, "lobby", 1);
    Recalled recalled;
    World world;

    world_init(&world);
    neighbour_does(&world, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; CREATE TABLE t(x)");
    world_start(&world);
    WAIT_UNTIL(&world, world.status.answer != 0);
    ck_assert_int_eq(world.status.answer, ARCHIVE_BUSY);
    ck_assert(!world.status.is_open);
    world_ask(&world, &last, &recalled);
    ck_assert_str_eq(recalled.trouble, archive_strerror(ARCHIVE_BUSY));
    neighbour_does(&world, "DROP TABLE t");
    neighbour_does(&world, "close");
    WAIT_UNTIL(&world, world.status.is_open);
    ck_assert_int_eq(world.status.answer, 0);
    world_say(&world, 2);
    world_stop(&world);
    world_expect_lines(&world, 0, 2);
    world_end(&world);
}
END_TEST

static void limit_files(rlim_t n_bytes)
{
    struct rlimit limit = {.rlim_cur = n_bytes, .rlim_max = RLIM_INFINITY};

    (void) signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The file can be opened and not be written: that is one trouble, tried again at leisure. */
START_TEST(test_full)
{
    unsigned n_changes = 0;
    uint64_t n_openings, end;
    int answer = 0;
    World world;

    world_begin(&world);
    n_openings = world.status.n_openings;
    limit_files(131072);
    archivist_give(world.archivist, world_batch(&world, 31, 4000));
    end = clock_monotonic() + 4 * USEC_PER_SEC;
    for (uint64_t given = n_openings; clock_monotonic() < end;) {
        world_poll(&world, 20);
        n_changes += world.status.answer != answer;
        answer = world.status.answer;
        if (!world.status.is_open || world.status.n_openings == given)
            continue;
        given = world.status.n_openings;
        world.pos = world.n_lines = 0;
        archivist_give(world.archivist, world_batch(&world, 31, 4000));
    }
    ck_assert_uint_eq(n_changes, 1);
    ck_assert_int_eq(answer, ARCHIVE_FULL);
    /* After 1, 2 and 4 seconds. */
    ck_assert_uint_le(world.status.n_openings - n_openings, 3);
    limit_files(RLIM_INFINITY);
    n_openings = world.status.n_openings;
    WAIT_UNTIL(&world, world.status.n_openings != n_openings && world.status.is_open);
    say_again(&world, 31);
    WAIT_UNTIL(&world, world.status.n_done_lines == 31);
    ck_assert_int_eq(world.status.answer, 0);
    world_stop(&world);
    world_expect_lines(&world, 0, 31);
    world_end(&world);
}
END_TEST

static void expect_aside(World *world)
{
    ck_assert_uint_eq(world->status.n_aside, 1);
    ck_assert_msg(strncmp(world->status.aside, world->fixture->path, strlen(world->fixture->path)) == 0 &&
                      strstr(world->status.aside, ".broken-") != NULL,
                  "%s", world->status.aside);
    ck_assert_int_eq(access(world->status.aside, R_OK), 0);
}

/* Not a database at all. */
START_TEST(test_damaged_at_start)
{
    World world;
    FILE *file;

    world_init(&world);
    file = fopen(world.fixture->path, "we");
    ck_assert_ptr_nonnull(file);
    for (unsigned i = 0; i < 10000; i++)
        (void) fputc('x', file);
    ck_assert_int_eq(fclose(file), 0);
    world_start(&world);
    WAIT_UNTIL(&world, world.status.is_open);
    expect_aside(&world);
    world_say(&world, 1);
    world_stop(&world);
    world_expect_lines(&world, 0, 1);
    world_end(&world);
}
END_TEST

/* Pages are overwritten while the threads have it open, the one that asks too: all but the first `n`. */
static void damage(unsigned n)
{
    Recall last = recall_of(RECALL_LAST, "lobby", 1);
    char sql[32];
    uint64_t n_openings;
    Recalled recalled;
    World world;

    world_begin(&world);
    world_say(&world, 200);
    WAIT_UNTIL(&world, world.status.n_done_lines == 200);
    world_ask(&world, &last, &recalled);
    ck_assert_ptr_null(recalled.trouble);
    n_openings = world.status.n_openings;
    neighbour_does(&world, "UPDATE cursor SET n_lines = n_lines; PRAGMA wal_checkpoint(TRUNCATE)");
    (void) snprintf(sql, sizeof sql, "damage %u", n);
    neighbour_does(&world, sql);
    world_say(&world, 1);
    WAIT_UNTIL(&world, world.status.n_aside > 0 && world.status.is_open);
    ck_assert_uint_gt(world.status.n_openings, n_openings);
    expect_aside(&world);
    say_again(&world, 201);
    WAIT_UNTIL(&world, world.status.n_done_lines == 201 && world.status.answer == 0);
    last.asker = 1;
    world_ask(&world, &last, &recalled);
    ck_assert_ptr_null(recalled.trouble);
    world_stop(&world);
    world_expect_lines(&world, 0, 201);
    world_end(&world);
}

START_TEST(test_damaged)
{
    damage(1);
}
END_TEST

/* So that it can still be opened. */
START_TEST(test_damaged_in_the_middle)
{
    for (unsigned n = 5; n < 30; n += 5)
        damage(n);
}
END_TEST

/* What is tidied up at the beginning has been: the log is empty, and nobody is about to write to the file. */
static bool is_at_rest(const World *world)
{
    char log[FIXTURE_PATH + 8];
    struct stat status;

    (void) snprintf(log, sizeof log, "%s-wal", world->fixture->path);
    return world->status.is_open && stat(log, &status) == 0 && status.st_size == 0;
}

/* 200 lines that are in the file itself, so that what is done to it stays. */
static void say_to_the_file(World *world)
{
    world_begin(world);
    WAIT_UNTIL(world, is_at_rest(world));
    world_say(world, 200);
    WAIT_UNTIL(world, world->status.n_done_lines == 200);
    neighbour_does(world, "PRAGMA wal_checkpoint(TRUNCATE)");
}

/* The writer has all that it needs in memory, and nothing to write: who asks comes across it. */
START_TEST(test_damaged_for_who_asks)
{
    Recall last = recall_of(RECALL_LAST, "lobby", 1);
    Recalled recalled;
    World world;

    say_to_the_file(&world);
    neighbour_does(&world, "damage 5");
    world_ask(&world, &last, &recalled);
    ck_assert_str_eq(recalled.trouble, archive_strerror(ARCHIVE_DAMAGED));
    WAIT_UNTIL(&world, world.status.answer == ARCHIVE_DAMAGED || world.status.n_aside > 0);
    WAIT_UNTIL(&world, world.status.n_aside > 0 && world.status.is_open);
    expect_aside(&world);
    say_again(&world, 201);
    /* It may have been met by who tidies up, too, and then that has to go well. */
    WAIT_UNTIL(&world, world.status.n_done_lines == 201 && world.status.answer == 0);
    world_stop(&world);
    world_end(&world);
}
END_TEST

/* Nor is anything else read by who only writes. */
START_TEST(test_cut_off)
{
    World world;

    say_to_the_file(&world);
    ck_assert_int_eq(truncate(world.fixture->path, 0), 0);
    world_say(&world, 1);
    WAIT_UNTIL(&world, world.status.n_aside > 0 && world.status.is_open);
    expect_aside(&world);
    say_again(&world, 201);
    WAIT_UNTIL(&world, world.status.n_done_lines == 201);
    world_stop(&world);
    world_expect_lines(&world, 0, 201);
    world_end(&world);
}
END_TEST

/* Somebody removes the file: it is begun anew, once it is to be written, and whoever asks is told what stands
 * there. */
START_TEST(test_removed)
{
    Recall last = recall_of(RECALL_LAST, "lobby", 1);
    uint8_t file[ARCHIVE_STATE_ID_BYTES];
    Recalled recalled;
    World world;

    world_begin(&world);
    world_say(&world, 20);
    world_ask(&world, &last, &recalled);
    WAIT_UNTIL(&world, world.status.n_done_lines == 20);
    ck_assert_int_eq(unlink(world.fixture->path), 0);
    world_say(&world, 1);
    WAIT_UNTIL(&world, world.status.answer != 0);
    ck_assert_int_eq(world.status.answer, ARCHIVE_MOVED);
    memcpy(file, world.status.file, sizeof file);
    WAIT_UNTIL(&world, world.status.is_open);
    ck_assert_mem_ne(world.status.file, file, sizeof file);
    ck_assert_uint_eq(world.status.pos, 0);
    say_again(&world, 21);
    WAIT_UNTIL(&world, world.status.n_done_lines == 21);
    ck_assert_int_eq(world.status.answer, 0);
    last.asker = 1;
    world_ask(&world, &last, &recalled);
    ck_assert_ptr_null(recalled.trouble);
    ck_assert_ptr_nonnull(memmem(recalled.bytes, recalled.n, "line 20", 7));
    world_stop(&world);
    world_expect_lines(&world, 0, 21);
    world_end(&world);
}
END_TEST

/* There is no such folder: everybody hears so, and the end does not wait. */
START_TEST(test_no_folder)
{
    Recall last = recall_of(RECALL_LAST, "lobby", 1);
    Recalled recalled;
    uint64_t before;
    World world;

    world_init(&world);
    (void) snprintf(world.fixture->path, sizeof world.fixture->path, "%s/absent/archive.db",
                    world.fixture->folder);
    world_start(&world);
    WAIT_UNTIL(&world, world.status.answer != 0);
    ck_assert(!world.status.is_open);
    world_ask(&world, &last, &recalled);
    ck_assert_ptr_nonnull(recalled.trouble);
    before = clock_monotonic();
    world_stop(&world);
    ck_assert_uint_lt(clock_monotonic() - before, (harness_is_slow() ? 10 : 1) * USEC_PER_SEC / 2);
    world_end(&world);
}
END_TEST

UNIT_MAIN("archivist-trouble", test_locked, test_answers_of_before, test_locked_at_start, test_full,
          test_damaged_at_start, test_damaged, test_damaged_in_the_middle, test_damaged_for_who_asks,
          test_cut_off, test_removed, test_no_folder)
