/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* A file that is not what it was, or where it was: always an answer, never a crash, and the file is kept. */

#include <errno.h>

#include "archive/export.h"
#include "archive/purge.h"
#include "base/text.h"
#include "unit/archive-fixture.h"
#include "unit/harness.h"
#include "unit/unit.h"

enum { PAGE = 4096, N_KINDS = 4 };

typedef struct File {
    char *bytes; /* owned */
    size_t n;
} File;

static File file_read(const char *path)
{
    _cleanup_(fd_closep) int fd = open(path, O_RDONLY);
    struct stat status;
    File file;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstat(fd, &status), 0);
    file = (File){.bytes = malloc((size_t) status.st_size), .n = (size_t) status.st_size};
    ck_assert_ptr_nonnull(file.bytes);
    ck_assert_int_eq(read(fd, file.bytes, file.n), (ssize_t) file.n);
    return file;
}

static void file_write(const char *path, const char *bytes, size_t n)
{
    _cleanup_(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes, n), (ssize_t) n);
}

/* With some of everything. */
static void fill(Fixture *fixture)
{
    ArchiveTopic topic = {.room = fixture_name("lobby"),
                          .by = fixture_who("bob"),
                          .wall = FIXTURE_NOW,
                          .text = "topic",
                          .n = 5};
    ArchiveInvite invite = {fixture_name("walks"), fixture_name("bob"), 1000};
    ArchiveRule rule = {
        .id = 1, .subject = "x", .n_subject = 1, .bytes = "y", .by = fixture_name("bob"), .reason = ""};
    ArchiveSettings settings = {.who = fixture_who("alice!1000"), .away = "tea", .n_away = 3, .ignored = ""};
    ArchiveMessage message = {.id = 5,
                              .wall = FIXTURE_NOW,
                              .from = fixture_who("bob"),
                              .to = fixture_name("alice"),
                              .to_uid = 1000,
                              .text = "hello",
                              .n = 5};
    uint8_t id[ARCHIVE_STATE_ID_BYTES] = {1};
    uint32_t epoch;
    char text[200];

    ck_assert_int_eq(archive_begin_epoch(fixture->archive, id, &epoch), 0);
    for (unsigned i = 1; i < 300; i++) {
        (void) snprintf(text, sizeof text, "hello word%u again and again and again", i);
        fixture_say(fixture, i, i % 2 ? "lobby" : "walks", i % 3 ? "bob" : "alice!1000", text);
        if (i == 150) {
            fixture_commit(fixture, i);
            fixture_end_part(fixture);
        }
    }
    ck_assert_int_eq(archive_put_topic(fixture->archive, &topic), 0);
    ck_assert_int_eq(archive_put_invite(fixture->archive, &invite), 0);
    ck_assert_int_eq(archive_put_rule(fixture->archive, &rule), 0);
    ck_assert_int_eq(archive_put_settings(fixture->archive, &settings), 0);
    ck_assert_int_eq(archive_put_message(fixture->archive, &message), 0);
    fixture_commit(fixture, 300);
}

/* What comes from a damaged file is still fit to be seen. */
static int on_line(void *userdata, const ArchiveLine *line)
{
    unsigned *n = userdata;
    char clean[TEXT_GROWTH * ARCHIVE_TEXT_MAX];

    QUICK_ASSERT(line->n <= ARCHIVE_TEXT_MAX, "%zu", line->n);
    QUICK_ASSERT(text_clean(clean, line->text, line->n) == line->n, "%.*s", (int) line->n, line->text);
    QUICK_ASSERT(line->who.nick.n <= NAME_MAX_BYTES && line->room.n <= NAME_MAX_BYTES, "a name");
    (*n)++;
    return 0;
}

static int on_room(void *userdata _unused_, const ArchiveRoomRow *row _unused_)
{
    return 0;
}

static int on_invite(void *userdata _unused_, const ArchiveInvite *invite _unused_)
{
    return 0;
}

static int on_rule(void *userdata _unused_, const ArchiveRule *rule _unused_)
{
    return 0;
}

static int on_settings(void *userdata _unused_, const ArchiveSettings *settings _unused_)
{
    return 0;
}

static int on_message(void *userdata _unused_, const ArchiveMessage *message _unused_)
{
    return 0;
}

static unsigned n_answers[16];

/* 0 or an answer. */
static void note(int r)
{
    QUICK_ASSERT(r >= 0 && r < (int) N_ELEMENTS(n_answers), "%s", archive_strerror(r));
    QUICK_ASSERT(r != ARCHIVE_BUSY && r != ARCHIVE_MORE, "%s", archive_strerror(r));
    n_answers[r]++;
}

static void ask(Archive *archive)
{
    NameKey lobby = fixture_key("lobby"), bob = fixture_key("bob");
    ArchiveSearch search = {.words = "hello", .n_words = 5, .before = ARCHIVE_ID_END, .n_max = 1000};
    ArchiveSpan span = {.to = UINT64_MAX, .n_max = 1000};
    _cleanup_(file_closep) FILE *null = fopen("/dev/null", "w");
    ArchivePerson person;
    ArchivePage page;
    uint64_t n, pos;
    uint32_t uid;
    unsigned n_lines = 0;
    bool is_found;

    ck_assert_ptr_nonnull(null);
    note(archive_cursor(archive, &uid, &pos));
    note(archive_last_lines(archive, &lobby, ARCHIVE_ID_END, 1000, on_line, &n_lines));
    note(archive_lines_between(archive, &lobby, &span, on_line, &n_lines));
    note(archive_search(archive, &search, on_line, &n_lines, &page));
    search.words = "w*";
    search.n_words = 2;
    search.nick = &bob;
    note(archive_search(archive, &search, on_line, &n_lines, &page));
    note(archive_find_person(archive, &bob, &is_found, &person));
    note(archive_find_verified(archive, &bob, &is_found, &uid));
    note(archive_load_settings(archive, 1000, on_settings, NULL));
    note(archive_load_messages(archive, 1000, 100, on_message, NULL));
    note(archive_count_messages_from(archive, &bob, &n));
    note(archive_count_messages_to(archive, 1000, &n));
    note(archive_load_rooms(archive, on_room, NULL));
    note(archive_load_invites(archive, on_invite, NULL));
    note(archive_load_rules(archive, 0, on_rule, NULL));
    note(archive_export(archive, null, &(ArchiveExport){.format = ARCHIVE_FORMAT_TEXT}));
    note(archive_export(archive, null, &(ArchiveExport){.format = ARCHIVE_FORMAT_JSON, .room = &lobby}));
}

static void finish(Archive *archive, int (*step)(Archive *archive))
{
    unsigned n = 0;
    int r;

    do {
        r = step(archive);
    } while (r == ARCHIVE_MORE && n++ < 1000);
    QUICK_ASSERT(n < 1000, "no end of it");
    note(r);
}

static int step_clean(Archive *archive)
{
    return archive_clean(archive, 0);
}

static int step_forget(Archive *archive)
{
    NameKey key = fixture_key("alice");

    return archive_forget(archive, &key, 0, NULL);
}

static int step_purge(Archive *archive)
{
    return archive_purge(archive, &(ArchivePurge){.keep = 200 * USEC_PER_SEC,
                                                  .max_size = 100 * 1024,
                                                  .now = FIXTURE_NOW + 300 * USEC_PER_SEC});
}

static void change(Archive *archive)
{
    uint8_t id[ARCHIVE_STATE_ID_BYTES] = {2};
    uint32_t epoch;
    uint64_t pos;
    int r;

    note(archive_begin_epoch(archive, id, &epoch));
    r = archive_cursor(archive, &epoch, &pos);
    note(r);
    for (unsigned i = 290; i < 310 && r == 0; i++)
        r = fixture_put(archive, i, "lobby", "bob", "hello again");
    if (r == 0)
        r = archive_put_take_back(archive, archive_id(1, 80));
    if (r == 0)
        r = archive_commit(archive, 1, 310 * 8);
    note(r);
    finish(archive, step_clean);
    finish(archive, step_purge);
    finish(archive, step_forget);
}

/* Whatever is at the path. It is there afterwards. */
static void use(const Fixture *fixture)
{
    static const ArchiveMode MODES[] = {ARCHIVE_READER, ARCHIVE_WRITER};

    for (size_t i = 0; i < N_ELEMENTS(MODES); i++) {
        Archive *archive = NULL;
        int r = archive_open(fixture->path, MODES[i], &archive);

        note(r);
        if (r != 0)
            continue;
        ask(archive);
        if (MODES[i] == ARCHIVE_WRITER)
            change(archive);
        (void) archive_close(archive);
    }
    ck_assert_int_eq(access(fixture->path, F_OK), 0);
}

static void damage(char *page, unsigned kind, uint64_t *seed)
{
    switch (kind) {
    case 0:
        memset(page, 0, PAGE);
        break;
    case 1:
        memset(page, 0xff, PAGE);
        break;
    case 2:
        for (unsigned i = 0; i < PAGE; i++)
            page[i] = (char) random_below(seed, 256);
        break;
    default:
        for (unsigned i = 0; i < 10; i++)
            page[random_below(seed, PAGE)] ^= (char) (1 << random_below(seed, 8));
    }
}

START_TEST(test_pages)
{
    Fixture *fixture = fixture_new_open();
    uint64_t seed = 3;
    unsigned stride = harness_is_slow() ? 29 : 1;
    File file;
    char *bytes;

    fill(fixture);
    fixture->archive = archive_close(fixture->archive);
    file = file_read(fixture->path);
    bytes = malloc(file.n);
    ck_assert_ptr_nonnull(bytes);
    ck_assert_uint_gt(file.n / PAGE, 20);
    for (size_t i = 0; i < file.n / PAGE * N_KINDS; i += stride) {
        fixture_clear(fixture);
        memcpy(bytes, file.bytes, file.n);
        damage(bytes + i / N_KINDS * PAGE, i % N_KINDS, &seed);
        file_write(fixture->path, bytes, file.n);
        use(fixture);
    }
    ck_assert_uint_gt(n_answers[0], n_answers[ARCHIVE_DAMAGED]);
    ck_assert_uint_gt(n_answers[ARCHIVE_DAMAGED], 0);
    free(bytes);
    free(file.bytes);
    fixture_free(fixture);
}
END_TEST

/* Each byte of the header, and the file cut short. */
START_TEST(test_header)
{
    Fixture *fixture = fixture_new_open();
    unsigned stride = harness_is_slow() ? 17 : 1;
    File file;

    fill(fixture);
    fixture->archive = archive_close(fixture->archive);
    file = file_read(fixture->path);
    for (unsigned i = 0; i < 108; i += stride) {
        char byte = file.bytes[i];

        fixture_clear(fixture);
        file.bytes[i] = (char) (i % 2 ? 0xff : byte ^ 1);
        file_write(fixture->path, file.bytes, file.n);
        use(fixture);
        file.bytes[i] = byte;
    }
    for (size_t n = 0; n < file.n; n += n < 200 ? 50 : stride * PAGE + 1000) {
        fixture_clear(fixture);
        file_write(fixture->path, file.bytes, n);
        use(fixture);
    }
    free(file.bytes);
    fixture_free(fixture);
}
END_TEST

/* Files that are none at all. */
START_TEST(test_not_one)
{
    Fixture *fixture = fixture_new();
    Archive *archive = NULL;
    char text[3000];

    memset(text, 'x', sizeof text);
    file_write(fixture->path, text, sizeof text);
    ck_assert_int_eq(archive_open(fixture->path, ARCHIVE_WRITER, &archive), ARCHIVE_DAMAGED);
    ck_assert_int_eq(archive_open(fixture->path, ARCHIVE_READER, &archive), ARCHIVE_DAMAGED);
    fixture_clear(fixture);
    ck_assert_int_eq(mkdir(fixture->path, 0700), 0);
    ck_assert_int_gt(archive_open(fixture->path, ARCHIVE_WRITER, &archive), 0);
    ck_assert_int_eq(rmdir(fixture->path), 0);
    ck_assert_int_eq(symlink("nowhere/at/all", fixture->path), 0);
    ck_assert_int_gt(archive_open(fixture->path, ARCHIVE_WRITER, &archive), 0);
    fixture_clear(fixture);
    /* An empty file is an archive that has just begun. */
    file_write(fixture->path, "", 0);
    ck_assert_int_eq(archive_open(fixture->path, ARCHIVE_READER, &archive), ARCHIVE_ABSENT);
    fixture_open(fixture);
    fixture->archive = archive_close(fixture->archive);
    /* Another program's. */
    fixture_clear(fixture);
    fixture_change(fixture, "CREATE TABLE notes(text)");
    ck_assert_int_eq(archive_open(fixture->path, ARCHIVE_WRITER, &archive), ARCHIVE_DAMAGED);
    ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM notes"), 0);
    fixture_free(fixture);
}
END_TEST

/* A log that was damaged, or belongs to something else. */
START_TEST(test_log)
{
    Fixture *fixture = fixture_new_open();
    char path[FIXTURE_PATH + 8];
    uint64_t seed = 5;
    File file, log;

    fill(fixture);
    (void) snprintf(path, sizeof path, "%s-wal", fixture->path);
    file = file_read(fixture->path);
    log = file_read(path);
    ck_assert_uint_gt(log.n, PAGE);
    fixture->archive = archive_close(fixture->archive);
    for (unsigned i = 0; i < (harness_is_slow() ? 3 : 60); i++) {
        char *bytes = malloc(log.n);

        ck_assert_ptr_nonnull(bytes);
        memcpy(bytes, log.bytes, log.n);
        for (unsigned k = 0; k < 5; k++)
            bytes[random_below(&seed, (uint32_t) log.n)] ^= 4;
        fixture_clear(fixture);
        file_write(fixture->path, file.bytes, i % 3 == 2 ? PAGE : file.n);
        file_write(path, bytes, i % 3 == 0 ? random_below(&seed, (uint32_t) log.n) : log.n);
        use(fixture);
        free(bytes);
    }
    free(file.bytes);
    free(log.bytes);
    fixture_free(fixture);
}
END_TEST

/* Rows that SQLite likes and we do not. */
START_TEST(test_rows)
{
    static const struct {
        const char *sql;
        bool is_shown; /* as clean text; else it is damage */
    } CASES[] = {
        {"UPDATE lines SET text = char(27) || '[31mred' || char(10) || 'forged'", true},
        {"UPDATE lines SET text = x'ff00fe'", true},
        {"UPDATE lines SET text = 12345", true},
        {"UPDATE lines SET text = zeroblob(3000)", true},
        {"UPDATE lines SET text = zeroblob(24001)", false},
        {"UPDATE lines SET text = replace(hex(zeroblob(6000)), '0', x'ff')", false},
        {"UPDATE lines SET text = zeroblob(900000)", false},
        {"UPDATE lines SET nick = char(27)", false},
        {"UPDATE lines SET nick = zeroblob(1000)", false},
        {"UPDATE rooms SET name = x'ff'", false},
        {"UPDATE lines SET wall = -1", false},
        {"UPDATE lines SET kind = -1, uid = -1", true},
        {"DELETE FROM people", true},
        {"DELETE FROM rooms", true},
        {"DROP TABLE words_1", false},
        {"DROP TABLE people", false},
        {"UPDATE cursor SET pos = 3", false},
        {"DELETE FROM cursor", false},
        {"UPDATE parts SET number = number + 100", false},
        {"UPDATE parts SET first_id = -first_id", false},
        {"DELETE FROM parts", true},
        {"UPDATE parts SET is_dirty = 99", true},
    };
    NameKey lobby = fixture_key("lobby");

    for (size_t i = 0; i < N_ELEMENTS(CASES); i++) {
        Fixture *fixture = fixture_new_open();
        unsigned n = 0;
        int r;

        fill(fixture);
        fixture_change(fixture, CASES[i].sql);
        memset(n_answers, 0, sizeof n_answers);
        r = archive_last_lines(fixture->archive, &lobby, ARCHIVE_ID_END, 1000, on_line, &n);
        ck_assert(r == 0 || r == ARCHIVE_DAMAGED);
        ask(fixture->archive);
        ck_assert_msg((n_answers[ARCHIVE_DAMAGED] == 0) == CASES[i].is_shown, "%s", CASES[i].sql);
        change(fixture->archive);
        fixture_free(fixture);
    }
}
END_TEST

/* Nothing more is written to a file that nobody will find; what it leaves beside the next one is gone. */
START_TEST(test_moved)
{
    for (unsigned is_replaced = 0; is_replaced < 2; is_replaced++) {
        Fixture *fixture = fixture_new_open();
        char log[FIXTURE_PATH + 8];
        File other;
        uint32_t epoch;
        uint64_t pos;

        (void) snprintf(log, sizeof log, "%s-wal", fixture->path);
        fill(fixture);
        fixture_reopen(fixture);
        other = file_read(fixture->path);
        fixture_say(fixture, 400, "lobby", "bob", "tea");
        fixture_commit(fixture, 401);
        ck_assert(!archive_has_moved(fixture->archive));
        ck_assert_int_eq(unlink(fixture->path), 0);
        if (is_replaced)
            file_write(fixture->path, other.bytes, other.n);
        ck_assert(archive_has_moved(fixture->archive));
        fixture_say(fixture, 402, "lobby", "bob", "coffee");
        ck_assert_int_eq(archive_commit(fixture->archive, 1, 403 * 8), ARCHIVE_MOVED);
        ck_assert_str_eq(archive_detail(fixture->archive), "");
        ck_assert_int_eq(fixture_put(fixture->archive, 402, "lobby", "bob", "coffee"), ARCHIVE_MOVED);
        ck_assert_int_eq(access(log, F_OK), 0);
        fixture->archive = archive_close(fixture->archive);
        ck_assert_int_ne(access(log, F_OK), 0);
        fixture_open(fixture);
        ck_assert_int_eq(archive_cursor(fixture->archive, &epoch, &pos), 0);
        ck_assert_int_eq(pos > 0, is_replaced);
        ck_assert_uint_lt(pos, 401 * 8);
        ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM lines WHERE text = 'tea'"), 0);
        free(other.bytes);
        fixture_free(fixture);
    }
}
END_TEST

/* Where nothing can be made the log can not be read either. That is no reason to say that there is no
 * archive. */
START_TEST(test_read_only_folder)
{
    Fixture *fixture = fixture_new_open();
    Archive *reader = NULL;

    fixture_say(fixture, 1, "lobby", "bob", "hello");
    fixture_commit(fixture, 2);
    fixture->archive = archive_close(fixture->archive);
    ck_assert_int_eq(chmod(fixture->folder, 0555), 0);
    /* Who may do everything is not kept from it by that. */
    ck_assert_int_eq(archive_open(fixture->path, ARCHIVE_READER, &reader),
                     geteuid() == 0 ? 0 : ARCHIVE_READONLY);
    (void) archive_close(reader);
    ck_assert_int_eq(chmod(fixture->folder, 0755), 0);
    fixture_open(fixture);
    fixture_free(fixture);
}
END_TEST

UNIT_MAIN("archive-damage", test_moved, test_pages, test_header, test_not_one, test_log, test_rows,
          test_read_only_folder)
