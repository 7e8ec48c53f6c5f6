/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <dirent.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macro.h"
#include "unit/accounts-fixture.h"
#include "unit/harness.h"
#include "unit/unit.h"

static pthread_mutex_t fake_lock = PTHREAD_MUTEX_INITIALIZER; /* of `fake` */
static pthread_cond_t fake_opened = PTHREAD_COND_INITIALIZER;
static size_t n_threads_before;
Fake fake;
uint64_t now;

/* The threads of this process. */
static size_t count_threads(void)
{
    DIR *directory = opendir("/proc/self/task");
    size_t n = 0;

    ck_assert_ptr_nonnull(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        n += entry->d_name[0] != '.';
    (void) closedir(directory);
    return n;
}

static void fake_hang(void)
{
    fake.n_hanging++;
    while (!fake.is_open)
        (void) pthread_cond_wait(&fake_opened, &fake_lock);
    fake.n_hanging--;
}

static int fake_by_uid(void *userdata, uid_t uid, char *ret_login)
{
    static const struct {
        uid_t uid;
        const char *name;
    } logins[] = {{0, "root"}, {1, "daemon"}, {1000, "alice"}, {65534, "nobody"}};
    int r = ACCOUNTS_NONE;

    EXPECT(userdata == &fake);
    (void) pthread_mutex_lock(&fake_lock);
    fake.n_by_uid++;
    fake.thread = gettid();
    if (uid == fake.hanging_uid)
        fake_hang();
    for (size_t i = 0; i < N_ELEMENTS(logins); i++)
        if (uid == logins[i].uid) {
            (void) snprintf(ret_login, ACCOUNTS_LOGIN_MAX + 1, "%s", logins[i].name);
            r = 0;
        }
    if (uid == 5000)
        r = ACCOUNTS_FAILED;
    (void) pthread_mutex_unlock(&fake_lock);
    return r;
}

static int fake_by_name(void *userdata, const char *name, uid_t *ret_uid)
{
    static const struct {
        const char *name;
        uid_t uid;
    } accounts[] = {{"root", 0},     {"toor", 0},       {"daemon", 1},        {"alice", 1000},
                    {"JDoe", 70000}, {"nobody", 65534}, {"mary.major", 70001}};
    int r = strcmp(name, "fault") == 0 ? ACCOUNTS_FAILED : ACCOUNTS_NONE;

    EXPECT(userdata == &fake);
    (void) pthread_mutex_lock(&fake_lock);
    fake.n_by_name++;
    fake.thread = gettid();
    if (fake.n_asked < N_ELEMENTS(fake.asked))
        (void) snprintf(fake.asked[fake.n_asked++], sizeof fake.asked[0], "%s", name);
    if (strncmp(name, "hang", STRLEN("hang")) == 0)
        fake_hang();
    for (size_t i = 0; i < N_ELEMENTS(accounts); i++)
        if (strcmp(name, accounts[i].name) == 0) {
            *ret_uid = accounts[i].uid;
            r = 0;
        }
    (void) pthread_mutex_unlock(&fake_lock);
    return r;
}

static int fake_by_group(void *userdata, const char *name, gid_t *ret_gid)
{
    EXPECT(userdata == &fake);
    (void) pthread_mutex_lock(&fake_lock);
    fake.n_by_group++;
    (void) pthread_mutex_unlock(&fake_lock);
    if (strcmp(name, "fault") == 0)
        return ACCOUNTS_FAILED;
    if (strcmp(name, "wheel") != 0)
        return ACCOUNTS_NONE;
    *ret_gid = 10;
    return 0;
}

static int fake_stamp(void *userdata, AccountsStamp *ret_stamp)
{
    EXPECT(userdata == &fake);
    (void) pthread_mutex_lock(&fake_lock);
    *ret_stamp = (AccountsStamp){.words = {fake.stamp}};
    (void) pthread_mutex_unlock(&fake_lock);
    return 0;
}

static int fake_each(void *userdata, AccountsOnLocal on_local, void *local)
{
    static const struct {
        const char *login;
        uid_t uid;
    } locals[] = {{"Bob", 1001},      {"Carol", 60001},
                  {"lp", 7},          {"john.doe", 1002},
                  {"jane.roe", 1003}, {"Jane_Roe", 1004},
                  {"Jane.Roe", 1005}, {"web.data", 33},
                  {"2nd", 1006},      {"abcdefghijklmnopqrstuvwxyz", 1007},
                  {"jürgen", 1008},   {"BOB", 1009},
                  {"BoB", 1010}};
    unsigned n_padding;
    bool goes_on = true;
    char name[32];
    int result;

    EXPECT(userdata == &fake);
    (void) pthread_mutex_lock(&fake_lock);
    fake.n_each++;
    n_padding = fake.n_padding;
    result = fake.local_result;
    (void) pthread_mutex_unlock(&fake_lock);
    for (unsigned i = 0; i < n_padding && goes_on; i++) {
        (void) snprintf(name, sizeof name, "Padding%u", i);
        goes_on = on_local(local, name, 100000 + i);
    }
    for (size_t i = 0; i < N_ELEMENTS(locals) && goes_on; i++)
        goes_on = on_local(local, locals[i].login, locals[i].uid);
    return result;
}

static const AccountsSource source = {
    .userdata = &fake,
    .by_uid = fake_by_uid,
    .by_name = fake_by_name,
    .by_group = fake_by_group,
    .stamp = fake_stamp,
    .each = fake_each,
};

unsigned fake_read(const unsigned *n)
{
    unsigned value;

    (void) pthread_mutex_lock(&fake_lock);
    value = *n;
    (void) pthread_mutex_unlock(&fake_lock);
    return value;
}

void fake_open(void)
{
    (void) pthread_mutex_lock(&fake_lock);
    fake.is_open = true;
    (void) pthread_cond_broadcast(&fake_opened);
    (void) pthread_mutex_unlock(&fake_lock);
}

void fake_shut(void)
{
    (void) pthread_mutex_lock(&fake_lock);
    fake.is_open = false;
    (void) pthread_mutex_unlock(&fake_lock);
}

void fake_change_local(unsigned n_padding, int result)
{
    (void) pthread_mutex_lock(&fake_lock);
    fake.n_padding = n_padding;
    fake.local_result = result;
    fake.stamp++;
    (void) pthread_mutex_unlock(&fake_lock);
}

/* Lets the other threads go on for a moment; false: they have had enough. */
static bool pause_until(uint64_t deadline)
{
    (void) poll(NULL, 0, 1);
    return clock_monotonic() < deadline;
}

uint64_t deadline_in(unsigned seconds)
{
    return clock_monotonic() + seconds * USEC_PER_SEC;
}

size_t count_new_threads(void)
{
    return count_threads() - n_threads_before;
}

void wait_hanging(unsigned n)
{
    uint64_t deadline = deadline_in(DEADLINE_SECONDS);

    while (fake_read(&fake.n_hanging) != n)
        ck_assert(pause_until(deadline));
}

void wait_threads(size_t n)
{
    uint64_t deadline = deadline_in(DEADLINE_SECONDS);

    while (count_new_threads() != n)
        ck_assert(pause_until(deadline));
}

static void *note_thread(void *userdata)
{
    *(pid_t *) userdata = gettid();
    return NULL;
}

/* Counts the threads that are not ours: a sanitizer may have one from the first other thread on. */
static void count_threads_before(void)
{
    uint64_t deadline = deadline_in(DEADLINE_SECONDS);
    pthread_t thread;
    char path[64];
    pid_t tid = 0;

    ck_assert_int_eq(pthread_create(&thread, NULL, note_thread, &tid), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    (void) snprintf(path, sizeof path, "/proc/self/task/%d", (int) tid);
    while (access(path, F_OK) == 0)
        ck_assert(pause_until(deadline));
    n_threads_before = count_threads();
}

Accounts *fixture_begin_with(const AccountsSource *other)
{
    Accounts *accounts = NULL;

    /* Threads close what is not theirs, a checker's own descriptors too: what NSS loads is loaded before. */
    (void) getpwnam("no-such-account");
    (void) getgrnam("no-such-group");
    count_threads_before();
    now = HARNESS_NOW;
    ck_assert_int_eq(accounts_new(other, &accounts), 0);
    ck_assert_uint_eq(accounts_due(accounts), UINT64_MAX);
    return accounts;
}

Accounts *fixture_begin(void)
{
    (void) pthread_mutex_lock(&fake_lock);
    fake = (Fake){.hanging_uid = 4242};
    (void) pthread_mutex_unlock(&fake_lock);
    return fixture_begin_with(&source);
}

void fixture_end(Accounts *accounts)
{
    fake_open();
    ck_assert_ptr_null(accounts_free(accounts));
    wait_threads(0);
}

bool is_readable(const Accounts *accounts)
{
    struct pollfd pollfd = {.fd = accounts_fd(accounts), .events = POLLIN};

    return poll(&pollfd, 1, 0) == 1;
}

void take(Accounts *accounts)
{
    struct pollfd pollfd = {.fd = accounts_fd(accounts), .events = POLLIN};

    ck_assert_int_eq(poll(&pollfd, 1, DEADLINE_SECONDS * 1000), 1);
    ck_assert(accounts_take(accounts, now));
}

static Name make_name(const char *text)
{
    Name name;

    ck_assert_int_eq(name_parse(text, strlen(text), NAME_MAX_CHARS, &name), 0);
    return name;
}

AccountAnswer look(Accounts *accounts, const char *text)
{
    Name name = make_name(text);
    uid_t uid = 0;

    return accounts_name(accounts, &name, now, &uid);
}

AccountAnswer ask(Accounts *accounts, const char *text, uid_t *ret_uid)
{
    AccountAnswer answer;
    Name name = make_name(text);

    while ((answer = accounts_name(accounts, &name, now, ret_uid)) == ACCOUNT_UNKNOWN)
        take(accounts);
    return answer;
}

AccountAnswer ask_quietly(Accounts *accounts, const char *text)
{
    uid_t uid = 0;

    return ask(accounts, text, &uid);
}

AccountAnswer ask_uid(Accounts *accounts, uid_t uid, const char *group, AccountPerson *ret_person)
{
    AccountAnswer answer;

    while ((answer = accounts_uid(accounts, uid, group, now, ret_person)) == ACCOUNT_UNKNOWN)
        take(accounts);
    return answer;
}

void hang_all(Accounts *accounts)
{
    char text[16];

    for (unsigned i = 0; i < ACCOUNTS_THREADS; i++) {
        (void) snprintf(text, sizeof text, "hang%u", i);
        ck_assert_int_eq(look(accounts, text), ACCOUNT_UNKNOWN);
    }
    for (unsigned i = 0; i < ACCOUNTS_THREADS; i++) {
        wait_hanging(i + 1);
        if (i + 1 < ACCOUNTS_THREADS) {
            ck_assert_uint_eq(accounts_due(accounts), now + ACCOUNTS_HURRY_USEC);
            now += ACCOUNTS_HURRY_USEC;
            ck_assert(!accounts_take(accounts, now));
        }
    }
    wait_threads(ACCOUNTS_THREADS);
}
