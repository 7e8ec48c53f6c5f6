/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/*
 * Whatever fails, and whenever somebody dies: nothing is missing in the archive afterwards, and nothing is
 * there twice.
 *
 * A shim below SQLite (sqlite.org/vfs.html) counts what is done to the files, and at a number fails it, or
 * kills the process. Each test does so at 1, 2, 3 and so on, until the work is done before the number is
 * reached.
 */

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "archive/purge.h"
#include "unit/archive-fixture.h"
#include "unit/harness.h"
#include "unit/unit.h"

enum {
    SHIM_WRITE = 1, /* and truncate */
    SHIM_SYNC = 2,
    SHIM_READ = 4,
    SHIM_SHARED = 8, /* the index of the log */
    SHIM_OPEN = 16,
    SHIM_LOCK = 32,
};

typedef struct Shim {
    sqlite3_vfs vfs, *real;
    sqlite3_io_methods methods;
    unsigned mask;  /* what counts */
    unsigned n, at; /* how often it was done; when it fails, 0 for never */
    int code;       /* how; 0: the process is killed */
    bool is_sticky; /* and from then on always */
    bool has_happened;
    bool is_readonly;
} Shim;

typedef struct ShimFile {
    sqlite3_file base;
    sqlite3_file *real;
} ShimFile;

static Shim shim;

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((ShimFile *) file)->real;
}

/* SQLITE_OK: go on. */
static int shim_count(unsigned what)
{
    if ((shim.mask & what) == 0 || shim.at == 0)
        return SQLITE_OK;
    shim.n++;
    if (shim.n != shim.at && !(shim.is_sticky && shim.n > shim.at))
        return SQLITE_OK;
    shim.has_happened = true;
    if (shim.code == 0)
        (void) kill(getpid(), SIGKILL);
    return shim.code;
}

static void shim_arm(unsigned mask, unsigned at, int code, bool is_sticky)
{
    shim.mask = mask;
    shim.n = 0;
    shim.at = at;
    shim.code = code;
    shim.is_sticky = is_sticky;
    shim.has_happened = false;
}

static int shim_close(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int shim_read(sqlite3_file *file, void *to, int n, sqlite3_int64 at)
{
    int code = shim_count(SHIM_READ);

    return code != SQLITE_OK ? code : real_of(file)->pMethods->xRead(real_of(file), to, n, at);
}

/* A write that fails may have written a part. */
static int shim_write(sqlite3_file *file, const void *from, int n, sqlite3_int64 at)
{
    bool will_die = shim.code == 0 && shim.at != 0 && shim.n + 1 == shim.at && (shim.mask & SHIM_WRITE) != 0;
    int code;

    if (will_die)
        (void) real_of(file)->pMethods->xWrite(real_of(file), from, n / 2, at);
    code = shim_count(SHIM_WRITE);
    if (code != SQLITE_OK) {
        (void) real_of(file)->pMethods->xWrite(real_of(file), from, n / 2, at);
        return code;
    }
    return real_of(file)->pMethods->xWrite(real_of(file), from, n, at);
}

static int shim_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    int code = shim_count(SHIM_WRITE);

    return code != SQLITE_OK ? code : real_of(file)->pMethods->xTruncate(real_of(file), size);
}

/* Nothing here survives the kernel's end, so nothing is synced, which saves time. */
static int shim_sync(sqlite3_file *file _unused_, int flags _unused_)
{
    return shim_count(SHIM_SYNC);
}

static int shim_file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int shim_lock(sqlite3_file *file, int level)
{
    int code = shim_count(SHIM_LOCK);

    return code != SQLITE_OK ? code : real_of(file)->pMethods->xLock(real_of(file), level);
}

static int shim_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int shim_check_reserved(sqlite3_file *file, int *is_reserved)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), is_reserved);
}

static int shim_control(sqlite3_file *file, int operation, void *argument)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), operation, argument);
}

static int shim_sector_size(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int shim_characteristics(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int shim_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **map)
{
    int code = shim_count(SHIM_SHARED);

    return code != SQLITE_OK ? code
                             : real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, map);
}

static int shim_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, n, flags);
}

static void shim_shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int shim_shm_unmap(sqlite3_file *file, int is_deleted)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), is_deleted);
}

static int shim_open(sqlite3_vfs *vfs _unused_, const char *name, sqlite3_file *file, int flags,
                     int *ret_flags)
{
    ShimFile *opened = (ShimFile *) file;
    int code = shim_count(SHIM_OPEN);

    opened->base.pMethods = NULL;
    if (code != SQLITE_OK)
        return code;
    opened->real = (sqlite3_file *) (opened + 1);
    if (shim.is_readonly && (flags & SQLITE_OPEN_MAIN_DB) != 0)
        flags = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
    code = shim.real->xOpen(shim.real, name, opened->real, flags, ret_flags);
    if (opened->real->pMethods != NULL)
        opened->base.pMethods = &shim.methods;
    return code;
}

/* SQLite uses it from now on. */
static void shim_register(void)
{
    /* Again in the same process, if the tests run in one. */
    if (shim.real == NULL)
        shim.real = sqlite3_vfs_find(NULL);
    ck_assert_ptr_nonnull(shim.real);
    shim_arm(0, 0, 0, false);
    shim.vfs = *shim.real;
    shim.vfs.zName = "shim";
    shim.vfs.pNext = NULL;
    shim.vfs.szOsFile = (int) sizeof(ShimFile) + shim.real->szOsFile;
    shim.vfs.xOpen = shim_open;
    shim.methods = (sqlite3_io_methods){.iVersion = 2,
                                        .xClose = shim_close,
                                        .xRead = shim_read,
                                        .xWrite = shim_write,
                                        .xTruncate = shim_truncate,
                                        .xSync = shim_sync,
                                        .xFileSize = shim_file_size,
                                        .xLock = shim_lock,
                                        .xUnlock = shim_unlock,
                                        .xCheckReservedLock = shim_check_reserved,
                                        .xFileControl = shim_control,
                                        .xSectorSize = shim_sector_size,
                                        .xDeviceCharacteristics = shim_characteristics,
                                        .xShmMap = shim_shm_map,
                                        .xShmLock = shim_shm_lock,
                                        .xShmBarrier = shim_shm_barrier,
                                        .xShmUnmap = shim_shm_unmap};
    ck_assert_int_eq(sqlite3_vfs_register(&shim.vfs, 1), SQLITE_OK);
}

/* The work: events 1 to N_EVENTS, a commit after every GROUP. */

enum { N_EVENTS = 36, GROUP = 9 };

static int put_event(Archive *archive, unsigned n)
{
    char text[3000];
    ArchiveMessage message = {.id = archive_id(1, n * 8),
                              .wall = FIXTURE_NOW,
                              .from = fixture_who("bob"),
                              .to = fixture_name("alice"),
                              .to_uid = 1000,
                              .text = text,
                              .n = 10};

    memset(text, 'a' + (int) (n % 26), sizeof text);
    text[n % 7 == 0 ? sizeof text - 1 : 20] = '\0';
    switch (n % 12) {
    case 5:
        return archive_put_take_back(archive, archive_id(1, (n - 3) * 8));
    case 6:
        return archive_put_message(archive, &message);
    case 10:
        return archive_put_delivered(archive, archive_id(1, (n - 4) * 8));
    default:
        return fixture_put(archive, n, n % 2 ? "lobby" : "walks", n % 3 ? "bob" : "alice!1000", text);
    }
}

/* From the cursor to the end: 0, or what went wrong. */
static int work(Archive *archive)
{
    uint32_t epoch;
    uint64_t pos;
    int r;

    r = archive_cursor(archive, &epoch, &pos);
    if (r != 0)
        return r;
    for (unsigned n = (unsigned) (pos / 8) + 1; n <= N_EVENTS; n++) {
        r = put_event(archive, n);
        if (r == 0 && n % GROUP == 0)
            r = archive_commit(archive, 1, n * 8);
        if (r != 0)
            return r;
        if (n % GROUP != 0)
            continue;
        do {
            r = archive_clean(archive, 0);
        } while (r == ARCHIVE_MORE);
        if (r != 0)
            return r;
    }
    return 0;
}

/* What is there is what `n` events make. */
static void check_rows(Fixture *fixture, unsigned n_done)
{
    NameKey rooms[] = {fixture_key("lobby"), fixture_key("walks")};
    uint64_t n_messages = 0, n_waiting = 0;
    unsigned n_lines = 0, n_found = 0;

    for (unsigned n = 1; n <= n_done; n++) {
        unsigned kind = n % 12;

        n_lines += kind != 5 && kind != 6 && kind != 10 && !(kind == 2 && n + 3 <= n_done);
        n_waiting += kind == 6 && n + 4 > n_done;
    }
    fixture->n_heard = 0;
    for (size_t i = 0; i < N_ELEMENTS(rooms); i++)
        ck_assert_int_eq(
            archive_last_lines(fixture->archive, &rooms[i], ARCHIVE_ID_END, 1000, fixture_on_line, fixture),
            0);
    for (size_t i = 0; i < fixture->n_heard; i++)
        n_found += fixture->heard[i] == '\n';
    ck_assert_uint_eq(n_found, n_lines);
    ck_assert_int_eq(archive_count_messages_to(fixture->archive, 1000, &n_messages), 0);
    ck_assert_uint_eq(n_messages, n_waiting);
    fixture->n_heard = 0;
    ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM lines"), n_lines);
    ck_assert_int_eq(
        fixture_count(fixture, "SELECT count(*) FROM words_1 WHERE words_1 MATCH 'tags:p1 OR tags:p2'"),
        n_lines);
    ck_assert_int_eq(
        fixture_count(fixture, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"),
        1);
}

/* After a death or an answer: the cursor and the rows agree, and the work can be done. */
static void check_resumed(Fixture *fixture, bool is_repeated)
{
    uint32_t epoch;
    uint64_t pos;
    int r;

    ck_assert_int_eq(archive_cursor(fixture->archive, &epoch, &pos), 0);
    ck_assert_uint_eq(pos / 8 % GROUP, 0);
    if (pos > 0)
        check_rows(fixture, (unsigned) (pos / 8));
    r = work(fixture->archive);
    ck_assert_msg(r == 0, "%s (%s)", archive_strerror(r), archive_detail(fixture->archive));
    check_rows(fixture, N_EVENTS);
    if (!is_repeated)
        return;
    /* Once more everything. */
    ck_assert_int_eq(archive_commit(fixture->archive, 1, 0), 0);
    ck_assert_int_eq(work(fixture->archive), 0);
    check_rows(fixture, N_EVENTS);
}

/* One operation fails: false if the work was done before that. */
static bool run_fault(unsigned mask, unsigned at, int code, bool is_sticky, bool is_reopened)
{
    Fixture *fixture = fixture_new();
    bool has_happened;
    int r;

    shim_arm(mask, at, code, is_sticky);
    r = archive_open(fixture->path, ARCHIVE_WRITER, &fixture->archive);
    if (r == 0)
        r = work(fixture->archive);
    else
        is_reopened = true;
    has_happened = shim.has_happened;
    ck_assert_msg(r >= 0 || r == -ENOMEM, "%d", r);
    ck_assert(r == 0 || has_happened);
    ck_assert(r != ARCHIVE_MORE);
    if (r != 0 && code == SQLITE_FULL)
        ck_assert_int_eq(r, ARCHIVE_FULL);
    shim_arm(0, 0, 0, false);
    if (is_reopened)
        fixture_reopen(fixture);
    check_resumed(fixture, at % 8 == 0);
    fixture_free(fixture);
    return has_happened;
}

static void run_faults(unsigned mask, int code)
{
    unsigned at = 1, stride = harness_is_slow() ? 31 : 1;

    shim_register();
    while (run_fault(mask, at, code, at % 2 == 0, at % 3 == 0))
        at += stride;
    ck_assert_uint_gt(at, 10);
}

START_TEST(test_full)
{
    run_faults(SHIM_WRITE, SQLITE_FULL);
}
END_TEST

START_TEST(test_write_error)
{
    run_faults(SHIM_WRITE, SQLITE_IOERR_WRITE);
}
END_TEST

START_TEST(test_sync_error)
{
    run_faults(SHIM_SYNC, SQLITE_IOERR_FSYNC);
}
END_TEST

START_TEST(test_read_error)
{
    run_faults(SHIM_READ, SQLITE_IOERR_READ);
}
END_TEST

START_TEST(test_other_errors)
{
    shim_register();
    for (unsigned at = 1; run_fault(SHIM_SHARED, at, SQLITE_IOERR_SHMMAP, at % 2, at % 3); at++)
        continue;
    for (unsigned at = 1; run_fault(SHIM_OPEN, at, SQLITE_CANTOPEN, at % 2, at % 3); at++)
        continue;
    for (unsigned at = 1; run_fault(SHIM_LOCK, at, SQLITE_IOERR_LOCK, at % 2, at % 3); at++)
        continue;
    for (unsigned at = 1; run_fault(SHIM_LOCK, at, SQLITE_BUSY, false, false); at++)
        continue;
}
END_TEST

/* Memory that runs out, as far as it is SQLite's. */

static sqlite3_mem_methods real_memory;
static unsigned n_allocations, fail_allocation;

static void *memory_malloc(int n)
{
    return ++n_allocations == fail_allocation ? NULL : real_memory.xMalloc(n);
}

static void *memory_realloc(void *pointer, int n)
{
    return ++n_allocations == fail_allocation ? NULL : real_memory.xRealloc(pointer, n);
}

START_TEST(test_no_memory)
{
    sqlite3_mem_methods methods;
    unsigned stride = harness_is_slow() ? 1999 : 151;

    ck_assert_int_eq(sqlite3_shutdown(), SQLITE_OK);
    ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory), SQLITE_OK);
    methods = real_memory;
    methods.xMalloc = memory_malloc;
    methods.xRealloc = memory_realloc;
    ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods), SQLITE_OK);
    shim_register();
    for (unsigned at = 1;; at += 1 + at % stride) {
        Fixture *fixture = fixture_new();
        int r;

        n_allocations = 0;
        fail_allocation = at;
        r = archive_open(fixture->path, ARCHIVE_WRITER, &fixture->archive);
        if (r == 0)
            r = work(fixture->archive);
        fail_allocation = 0;
        ck_assert_msg(r == 0 || r == -ENOMEM, "allocation %u: %s", at, archive_strerror(r));
        if (fixture->archive == NULL || at % 2)
            fixture_reopen(fixture);
        check_resumed(fixture, at % 8 == 0);
        fixture_free(fixture);
        if (n_allocations < at)
            break;
    }
    ck_assert_int_eq(sqlite3_shutdown(), SQLITE_OK);
    ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_MALLOC, &real_memory), SQLITE_OK);
    shim.real = NULL;
}
END_TEST

/* Deaths */

static void die_at(Fixture *fixture, unsigned at)
{
    pid_t child = fork();
    int status;

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        shim_arm(SHIM_WRITE | SHIM_SYNC | SHIM_OPEN | SHIM_SHARED, at, 0, false);
        if (archive_open(fixture->path, ARCHIVE_WRITER, &fixture->archive) != 0 ||
            work(fixture->archive) != 0)
            _exit(2);
        (void) archive_close(fixture->archive);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    shim.has_happened = WIFSIGNALED(status);
}

START_TEST(test_death_at)
{
    unsigned at = 1;

    shim_register();
    do {
        Fixture *fixture = fixture_new();

        die_at(fixture, at);
        /* And on the way back. */
        if (shim.has_happened && at % 2)
            die_at(fixture, at % 50 + 1);
        die_at(fixture, 100000);
        ck_assert(!shim.has_happened);
        die_at(fixture, at);
        shim_arm(0, 0, 0, false);
        fixture_open(fixture);
        check_resumed(fixture, at % 8 == 0);
        fixture_free(fixture);
        at += harness_is_slow() ? 37 : 2;
    } while (at < 250);
}
END_TEST

/* At any moment. */
START_TEST(test_death)
{
    unsigned n_killed = 0, n_rounds = harness_is_slow() ? 5 : 60;
    uint64_t seed = 7;

    shim_register();
    for (unsigned i = 0; i < n_rounds; i++) {
        Fixture *fixture = fixture_new();
        pid_t child = fork();
        int status;

        ck_assert_int_ge(child, 0);
        if (child == 0) {
            if (archive_open(fixture->path, ARCHIVE_WRITER, &fixture->archive) != 0)
                _exit(2);
            for (;;)
                if (work(fixture->archive) != 0 || archive_commit(fixture->archive, 1, 0) != 0)
                    _exit(2);
        }
        (void) usleep(2000 + random_below(&seed, 20000));
        (void) kill(child, SIGKILL);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFSIGNALED(status));
        n_killed++;
        fixture_open(fixture);
        ck_assert_int_eq(archive_commit(fixture->archive, 1, 0), 0);
        ck_assert_int_eq(work(fixture->archive), 0);
        check_rows(fixture, N_EVENTS);
        fixture_free(fixture);
    }
    ck_assert_uint_eq(n_killed, n_rounds);
}
END_TEST

/* The system */

START_TEST(test_readonly)
{
    Fixture *fixture = fixture_new();
    Archive *archive = NULL;
    int r;

    shim_register();
    fixture_open(fixture);
    fixture_say(fixture, 1, "lobby", "bob", "first");
    fixture_commit(fixture, 1);
    shim.is_readonly = true;
    /* Beside somebody who can write, and alone. */
    for (unsigned i = 0; i < 2; i++) {
        r = archive_open(fixture->path, ARCHIVE_WRITER, &archive);
        if (r == 0) {
            r = fixture_put(archive, 2, "lobby", "bob", "second");
            archive = archive_close(archive);
        }
        ck_assert_msg(r == ARCHIVE_READONLY, "%s", archive_strerror(r));
        fixture->archive = archive_close(fixture->archive);
    }
    shim.is_readonly = false;
    fixture_open(fixture);
    fixture_expect_last(fixture, "lobby", "1 lobby <bob> first\n");
    fixture_free(fixture);
}
END_TEST

UNIT_MAIN("archive-fault", test_full, test_write_error, test_sync_error, test_read_error, test_other_errors,
          test_no_memory, test_death_at, test_death, test_readonly)
