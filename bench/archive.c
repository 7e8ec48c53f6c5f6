/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/*
 * How long the archive takes, as a table in Markdown.
 *
 * It is filled with lines as people write them: few words are said often and most hardly ever (Zipf's law),
 * and so it is with who speaks, and where. The lines are spread over 100 days. What is asked is asked of a
 * second connection, several times; the table has the first answer, when nothing of it may be in memory, and
 * the median of all. In the end the daemon has the file, and one talks while others search (beside.h).
 */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/archive.h"
#include "archive/export.h"
#include "archive/purge.h"
#include "archive/query.h"
#include "archive/search.h"
#include "archive/write.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/macro.h"
#include "beside.h"

enum {
    N_WORDS = 100000,
    N_PEOPLE = 2000,
    N_ROOMS = 50,
    N_DAYS = 100,
    GROUP = 500,       /* lines in a commit */
    ROUNDS = 9,        /* of each question */
    PAGE = 50,         /* lines in an answer */
    COMMON_WORD = 20,  /* the 20th most frequent one */
    RARE_LINE = 10000, /* the rare word is said this long after the beginning, and nowhere else */
    STEP_USEC = 50000,
};

#define DAY (UINT64_C(86400) * USEC_PER_SEC)
#define BEGIN (UINT64_C(1780000000) * USEC_PER_SEC)

typedef struct Zipf {
    unsigned n;
    double *sums; /* of 1 / rank; owned */
} Zipf;

typedef struct Bench {
    uint64_t n_lines;
    char folder[256], path[300];
    uint64_t seed;
    Zipf words, people, rooms;
    Archive *writer, *reader;
} Bench;

static void die(const Archive *archive, const char *what, int r)
{
    (void) fprintf(stderr, "%s: %s (%s)\n", what, archive_strerror(r),
                   archive != NULL ? archive_detail(archive) : "");
    exit(EXIT_FAILURE);
}

static uint64_t random_next(Bench *bench)
{
    bench->seed ^= bench->seed << 13;
    bench->seed ^= bench->seed >> 7;
    bench->seed ^= bench->seed << 17;
    return bench->seed;
}

static void zipf_init(Zipf *zipf, unsigned n)
{
    double sum = 0;

    *zipf = (Zipf){.n = n, .sums = malloc(n * sizeof(double))};
    if (zipf->sums == NULL)
        die(NULL, "memory", -ENOMEM);
    for (unsigned i = 0; i < n; i++)
        zipf->sums[i] = sum += 1.0 / (i + 2.7);
}

static unsigned zipf_next(Bench *bench, const Zipf *zipf)
{
    double at = (double) (random_next(bench) >> 11) / (double) (UINT64_C(1) << 53) * zipf->sums[zipf->n - 1];
    unsigned low = 0, high = zipf->n - 1;

    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (zipf->sums[middle] > at)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* The word of a rank: short ones are the frequent ones. Returns its length. */
static size_t write_word(char *to, unsigned rank)
{
    static const char CONSONANTS[] = "bdfgklmnprstvz", VOWELS[] = "aeiou";
    size_t n = 0;

    for (unsigned rest = rank + 3; rest > 0; rest /= 70) {
        to[n++] = CONSONANTS[rest % 14];
        to[n++] = VOWELS[rest / 14 % 5];
    }
    return n;
}

static Name name_of(char first, unsigned rank)
{
    Name name = {0};

    name.bytes[0] = first;
    name.n = (uint8_t) (1 + write_word(name.bytes + 1, rank));
    return name;
}

static uint64_t wall_of(const Bench *bench, uint64_t i)
{
    return BEGIN + i * (N_DAYS * DAY / bench->n_lines);
}

static size_t write_text(Bench *bench, uint64_t i, char *to)
{
    unsigned n_words = 1 + (unsigned) (random_next(bench) % 8 + random_next(bench) % 8);
    size_t n = 0;

    for (unsigned k = 0; k < n_words; k++) {
        n += write_word(to + n, zipf_next(bench, &bench->words));
        to[n++] = ' ';
    }
    if (i == RARE_LINE)
        n += (size_t) sprintf(to + n, "xylophone ");
    return n - 1;
}

static void put_line(Bench *bench, uint64_t i)
{
    char text[512];
    unsigned who = zipf_next(bench, &bench->people);
    ArchiveLine line = {.id = archive_id(1, i * 104),
                        .wall = wall_of(bench, i),
                        .room = name_of('r', zipf_next(bench, &bench->rooms)),
                        .who = {.nick = name_of('n', who), .is_verified = who % 4 == 0, .uid = who},
                        .text = text};
    int r;

    line.n = write_text(bench, i, text);
    r = archive_put_line(bench->writer, &line);
    if (r != 0)
        die(bench->writer, "put", r);
}

static void row(const char *what, const char *format, ...) __attribute__((__format__(__printf__, 2, 3)));
static void row(const char *what, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void) printf("| %s | ", what);
    (void) vprintf(format, arguments);
    (void) printf(" |\n");
    (void) fflush(stdout);
    va_end(arguments);
}

static double seconds_since(uint64_t begin)
{
    return (double) (clock_monotonic() - begin) / (double) USEC_PER_SEC;
}

/* The index is tidied between groups, as a service does. */
static void fill(Bench *bench)
{
    uint64_t begin = clock_monotonic(), longest = 0, at;
    double took;
    int r;

    for (uint64_t i = 0; i < bench->n_lines; i++) {
        put_line(bench, i);
        if ((i + 1) % GROUP != 0 && i + 1 < bench->n_lines)
            continue;
        at = clock_monotonic();
        r = archive_commit(bench->writer, 1, (i + 1) * 104);
        if (r == 0 && archive_is_unclean(bench->writer))
            r = archive_clean(bench->writer, STEP_USEC);
        if (r != 0 && r != ARCHIVE_MORE && r != ARCHIVE_BUSY)
            die(bench->writer, "commit", r);
        longest = MAX(longest, clock_monotonic() - at);
        if ((i + 1) % MAX(bench->n_lines / 10, UINT64_C(1)) == 0)
            (void) fprintf(stderr, "%" PRIu64 " lines, %.0f s\n", i + 1, seconds_since(begin));
    }
    took = seconds_since(begin);
    row("lines", "%" PRIu64, bench->n_lines);
    row("inserting, with a commit every 500 lines", "%.0f lines/s (%.0f s)", (double) bench->n_lines / took,
        took);
    row("the longest commit", "%.0f ms", (double) longest / 1000);
}

static uint64_t size_of(const char *path, const char *suffix)
{
    char name[400];
    struct stat status;

    (void) snprintf(name, sizeof name, "%s%s", path, suffix);
    return stat(name, &status) == 0 ? (uint64_t) status.st_size : 0;
}

static int on_line(void *userdata, const ArchiveLine *line _unused_)
{
    (*(unsigned *) userdata)++;
    return 0;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}

typedef unsigned (*Question)(Bench *bench, const void *what);

static void ask(Bench *bench, const char *name, Question question, const void *what)
{
    double took[ROUNDS], first;
    unsigned n = 0;

    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t begin = clock_monotonic();

        n = question(bench, what);
        took[i] = seconds_since(begin) * 1000;
    }
    first = took[0];
    qsort(took, ROUNDS, sizeof took[0], compare);
    row(name, "%.1f ms, %.1f ms; %u found", first, took[ROUNDS / 2], n);
}

static unsigned search(Bench *bench, const void *what)
{
    ArchiveSearch asked = *(const ArchiveSearch *) what;
    ArchivePage page;
    unsigned n = 0;
    int r;

    asked.n_words = strlen(asked.words);
    asked.before = ARCHIVE_ID_END;
    asked.n_max = PAGE;
    r = archive_search(bench->reader, &asked, on_line, &n, &page);
    if (r != 0)
        die(bench->reader, "search", r);
    return n;
}

static unsigned history(Bench *bench, const void *what)
{
    unsigned n = 0;
    int r = archive_last_lines(bench->reader, what, ARCHIVE_ID_END, PAGE, on_line, &n);

    if (r != 0)
        die(bench->reader, "history", r);
    return n;
}

static unsigned day(Bench *bench, const void *what)
{
    uint64_t from = BEGIN + N_DAYS / 2 * DAY;
    ArchiveSpan span = {.from = from, .to = from + DAY, .n_max = PAGE};
    unsigned n = 0;
    int r = archive_lines_between(bench->reader, what, &span, on_line, &n);

    if (r != 0)
        die(bench->reader, "day", r);
    return n;
}

static NameKey key_of(char first, unsigned rank)
{
    Name name = name_of(first, rank);
    NameKey key;

    name_fold(name.bytes, name.n, &key);
    return key;
}

static void ask_all(Bench *bench)
{
    char common[32] = "", other[32] = "", both[80], seldom[32] = "", prefix[40];
    NameKey busy = key_of('r', 0), quiet = key_of('r', N_ROOMS - 1), who = key_of('n', N_PEOPLE / 2);

    (void) write_word(common, COMMON_WORD);
    (void) write_word(other, 2 * COMMON_WORD);
    (void) write_word(seldom, N_WORDS / 2);
    (void) snprintf(both, sizeof both, "%s %s", common, other);
    (void) snprintf(prefix, sizeof prefix, "%.4s*", seldom);
    ask(bench, "a word said once, long ago", search, &(ArchiveSearch){.words = "xylophone"});
    ask(bench, "a word never said", search, &(ArchiveSearch){.words = "xyzzy"});
    ask(bench, "a rare word", search, &(ArchiveSearch){.words = seldom});
    ask(bench, "a common word", search, &(ArchiveSearch){.words = common});
    ask(bench, "two common words", search, &(ArchiveSearch){.words = both});
    ask(bench, "the beginning of words", search, &(ArchiveSearch){.words = prefix});
    ask(bench, "a common word in a busy room", search, &(ArchiveSearch){.words = common, .room = &busy});
    ask(bench, "a common word in a quiet room", search, &(ArchiveSearch){.words = common, .room = &quiet});
    ask(bench, "a common word from one nick", search, &(ArchiveSearch){.words = common, .nick = &who});
    ask(bench, "a common word, the busy room hidden", search,
        &(ArchiveSearch){.words = common, .hidden = &busy, .n_hidden = 1});
    ask(bench, "a rare word since 10 days", search,
        &(ArchiveSearch){.words = seldom, .since = BEGIN + (N_DAYS - 10) * DAY});
    ask(bench, "history of a busy room", history, &busy);
    ask(bench, "history of a quiet room", history, &quiet);
    ask(bench, "a day of a busy room, first page", day, &busy);
    ask(bench, "a day of a quiet room, first page", day, &quiet);
}

static void export_all(Bench *bench, ArchiveFormat format, const char *name)
{
    _cleanup_(file_closep) FILE *file = fopen("/dev/null", "w");
    uint64_t begin = clock_monotonic();
    int r;

    if (file == NULL)
        die(NULL, "/dev/null", -errno);
    r = archive_export(bench->reader, file, &(ArchiveExport){.format = format});
    if (r != 0)
        die(bench->reader, "export", r);
    row(name, "%.1f s (%.0f lines/s)", seconds_since(begin), (double) bench->n_lines / seconds_since(begin));
}

/* Until it is done: how long that took, and the longest step. */
static void finish(Bench *bench, const char *name, int (*step)(Bench *bench))
{
    uint64_t begin = clock_monotonic(), longest = 0, at;
    unsigned n = 0;
    int r;

    do {
        at = clock_monotonic();
        r = step(bench);
        longest = MAX(longest, clock_monotonic() - at);
        n++;
    } while (r == ARCHIVE_MORE);
    if (r != 0)
        die(bench->writer, name, r);
    row(name, "%.0f ms in %u steps, the longest %.0f ms", seconds_since(begin) * 1000, n,
        (double) longest / 1000);
}

static int take_back(Bench *bench)
{
    int r;

    if (archive_is_unclean(bench->writer))
        return archive_clean(bench->writer, 0);
    r = archive_put_take_back(bench->writer, archive_id(1, RARE_LINE * 104));
    if (r == 0)
        r = archive_commit(bench->writer, 1, bench->n_lines * 104);
    return r == 0 ? ARCHIVE_MORE : r;
}

static int purge_day(Bench *bench)
{
    return archive_purge(
        bench->writer, &(ArchivePurge){.keep = (N_DAYS - 1) * DAY, .now = BEGIN + N_DAYS * DAY, .budget = 0});
}

static int forget(Bench *bench)
{
    NameKey who = key_of('n', N_PEOPLE / 2);

    return archive_forget(bench->writer, &who, 0, NULL);
}

static void measure(Bench *bench)
{
    struct rusage usage;
    uint32_t epoch;
    int r;

    (void) printf("| what | result |\n|---|---|\n");
    r = archive_open(bench->path, ARCHIVE_WRITER, &bench->writer);
    if (r != 0)
        die(NULL, "open", r);
    r = archive_begin_epoch(bench->writer, (const uint8_t[ARCHIVE_STATE_ID_BYTES]){"bench"}, &epoch);
    if (r != 0)
        die(bench->writer, "epoch", r);
    fill(bench);
    row("the file", "%.0f MiB, its log %.0f MiB", (double) size_of(bench->path, "") / 1048576,
        (double) size_of(bench->path, "-wal") / 1048576);
    r = archive_open(bench->path, ARCHIVE_READER, &bench->reader);
    if (r != 0)
        die(NULL, "open", r);
    ask_all(bench);
    export_all(bench, ARCHIVE_FORMAT_TEXT, "export as text");
    export_all(bench, ARCHIVE_FORMAT_JSON, "export as JSON");
    finish(bench, "taking back a line", take_back);
    finish(bench, "purging a day", purge_day);
    finish(bench, "forgetting a person", forget);
    row("the file in the end", "%.0f MiB, its log %.0f MiB", (double) size_of(bench->path, "") / 1048576,
        (double) size_of(bench->path, "-wal") / 1048576);
    (void) getrusage(RUSAGE_SELF, &usage);
    row("memory at most", "%ld MiB", usage.ru_maxrss / 1024);
    bench->reader = archive_close(bench->reader);
    bench->writer = archive_close(bench->writer);
}

static void beside_daemon(Bench *bench, const char *chatd)
{
    char common[40] = "", other[40] = "", both[80], seldom[40] = "", prefix[40], in[160], from[160];
    const char *const questions[] = {common, "xylophone", both, seldom, "xyzzy", prefix, in, from, NULL};
    int r;

    (void) write_word(common, COMMON_WORD);
    (void) write_word(other, 2 * COMMON_WORD);
    (void) write_word(seldom, N_WORDS / 2);
    (void) snprintf(both, sizeof both, "%s %s", common, other);
    (void) snprintf(prefix, sizeof prefix, "%.4s*", seldom);
    (void) snprintf(in, sizeof in, "%s in #%s", common, name_of('r', N_ROOMS - 1).bytes);
    (void) snprintf(from, sizeof from, "%s from %s", common, name_of('n', N_PEOPLE / 3).bytes);
    /* A small file is a trial of this program. */
    r = beside_measure(chatd, bench->folder, questions, (unsigned) (bench->n_lines / 1000));
    if (r != 0)
        die(NULL, chatd, r);
}

static void clear(const Bench *bench)
{
    static const char *const SUFFIXES[] = {"", "-wal", "-shm"};
    char name[400];

    for (size_t i = 0; i < N_ELEMENTS(SUFFIXES); i++) {
        (void) snprintf(name, sizeof name, "%s%s", bench->path, SUFFIXES[i]);
        (void) unlink(name);
    }
    (void) rmdir(bench->folder);
}

int main(int argc, char **argv)
{
    Bench bench = {.n_lines = 10 * 1000 * 1000, .seed = 88172645463325252};
    const char *tmp = getenv("TMPDIR");

    if (argc > 3 || (argc >= 2 && (bench.n_lines = strtoull(argv[1], NULL, 10)) <= RARE_LINE)) {
        (void) fprintf(stderr,
                       "usage: archive [LINES [CHATD]]\nLINES: more than 10000 (10 million). CHATD: the "
                       "daemon, to talk to it while others search. Files go below $TMPDIR.\n");
        return EXIT_FAILURE;
    }
    (void) snprintf(bench.folder, sizeof bench.folder, "%s/chatd-bench-XXXXXX",
                    tmp != NULL ? tmp : "/var/tmp");
    if (mkdtemp(bench.folder) == NULL)
        die(NULL, bench.folder, -errno);
    (void) snprintf(bench.path, sizeof bench.path, "%s/archive.db", bench.folder);
    zipf_init(&bench.words, N_WORDS);
    zipf_init(&bench.people, N_PEOPLE);
    zipf_init(&bench.rooms, N_ROOMS);
    measure(&bench);
    if (argc == 3)
        beside_daemon(&bench, argv[2]);
    clear(&bench);
    free(bench.words.sums);
    free(bench.people.sums);
    free(bench.rooms.sums);
    return EXIT_SUCCESS;
}
