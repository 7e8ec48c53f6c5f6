/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/*
 * Names of the host's accounts: who is found, for how long that is known, and what NSS says.
 */

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macro.h"
#include "unit/accounts-fixture.h"
#include "unit/unit.h"

START_TEST(test_is_person)
{
    static const struct {
        uid_t uid;
        bool is_person;
    } cases[] = {
        {0, true},          {1, false},          {999, false},        {1000, true},   {60000, true},
        {60001, true},      {60513, true},       {60514, false},      {61184, false}, {65533, false},
        {65534, false},     {65535, false},      {65536, true},       {524288, true}, {2147483648, true},
        {4294967293, true}, {4294967294, false}, {4294967295, false},
    };

    for (size_t i = 0; i < N_ELEMENTS(cases); i++)
        ck_assert_msg(accounts_is_person(cases[i].uid) == cases[i].is_person, "%u", cases[i].uid);
}
END_TEST

/* What needs no question has no thread. */
START_TEST(test_nothing)
{
    Accounts *accounts = fixture_begin();
    Name name = {0};
    uid_t uid = 77;

    ck_assert_ptr_null(accounts_free(NULL));
    ck_assert_int_eq(accounts_name(accounts, &name, now, &uid), ACCOUNT_FREE);
    ck_assert_uint_eq(uid, 77);
    ck_assert(!accounts_take(accounts, now));
    ck_assert(!is_readable(accounts));
    ck_assert_uint_eq(accounts_due(accounts), UINT64_MAX);
    ck_assert_uint_eq(count_new_threads(), 0);
    fixture_end(accounts);
}
END_TEST

START_TEST(test_names)
{
    static const struct {
        const char *name;
        AccountAnswer answer;
        uid_t uid;
    } cases[] = {
        {"dave", ACCOUNT_FREE, 0},
        {"daemon", ACCOUNT_FREE, 0}, /* of the system */
        {"nobody", ACCOUNT_FREE, 0},
        {"lp", ACCOUNT_FREE, 0},
        {"fault", ACCOUNT_TIMEOUT, 0},
        {"Fault", ACCOUNT_TIMEOUT, 0},
        {"root", ACCOUNT_TAKEN, 0},
        {"Root", ACCOUNT_TAKEN, 0},
        {"toor", ACCOUNT_TAKEN, 0},
        {"alice", ACCOUNT_TAKEN, 1000},
        {"Alice", ACCOUNT_TAKEN, 1000},
        {"ALICE", ACCOUNT_TAKEN, 1000},
        {"ＡｌｉＣＥ", ACCOUNT_TAKEN, 1000},
        {"ａlice", ACCOUNT_TAKEN, 1000},
        /* Local accounts are known in whatever way they are spelt. */
        {"bob", ACCOUNT_TAKEN, 1001},
        {"Bob", ACCOUNT_TAKEN, 1001},
        {"bOB", ACCOUNT_TAKEN, 1001},
        {"ｂob", ACCOUNT_TAKEN, 1001},
        {"CAROL", ACCOUNT_TAKEN, 60001},
        /* Of several that differ in that only, who is called just so. */
        {"BOB", ACCOUNT_TAKEN, 1009},
        {"BoB", ACCOUNT_TAKEN, 1010},
        {"boB", ACCOUNT_TAKEN, 1001},
        /* One in a directory only as it spells itself. */
        {"JDoe", ACCOUNT_TAKEN, 70000},
        {"jdoe", ACCOUNT_FREE, 0},
        {"JDOE", ACCOUNT_FREE, 0},
    };
    Accounts *accounts = fixture_begin();

    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        uid_t uid = 77;

        ck_assert_msg(ask(accounts, cases[i].name, &uid) == cases[i].answer, "%s", cases[i].name);
        ck_assert_uint_eq(uid, cases[i].answer == ACCOUNT_TAKEN ? cases[i].uid : 77);
        /* And again, at once. */
        ck_assert_int_eq(look(accounts, cases[i].name), cases[i].answer);
    }
    ck_assert_uint_eq(fake_read(&fake.n_each), 1);
    fixture_end(accounts);
}
END_TEST

/* A local account is found by the nick that is made of its login name, too. */
START_TEST(test_nicks)
{
    static const struct {
        const char *name;
        AccountAnswer answer;
        uid_t uid;
    } cases[] = {
        {"john_do", ACCOUNT_FREE, 0},
        {"john-doe", ACCOUNT_FREE, 0},
        {"johndoe", ACCOUNT_FREE, 0},
        {"web_data", ACCOUNT_FREE, 0}, /* of the system */
        {"nd", ACCOUNT_FREE, 0},
        {"abcdefghijklmnopqrstuvw", ACCOUNT_FREE, 0},
        /* One in a directory is only asked for as it is spelt, and no nick is spelt like that. */
        {"mary_major", ACCOUNT_FREE, 0},
        {"алиса", ACCOUNT_FREE, 0},
        {"JÜRGEN", ACCOUNT_TAKEN, 1008},
        {"john_doe", ACCOUNT_TAKEN, 1002},
        {"JOHN_DOE", ACCOUNT_TAKEN, 1002},
        {"John_Doe", ACCOUNT_TAKEN, 1002},
        {"ｊohn_doe", ACCOUNT_TAKEN, 1002},
        {"_nd", ACCOUNT_TAKEN, 1006},
        {"abcdefghijklmnopqrstuvwx", ACCOUNT_TAKEN, 1007},
        /* Who has the very login name comes before those of whose it is made. */
        {"jane_roe", ACCOUNT_TAKEN, 1004},
    };
    Accounts *accounts = fixture_begin();

    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        uid_t uid = 77;

        ck_assert_msg(ask(accounts, cases[i].name, &uid) == cases[i].answer, "%s", cases[i].name);
        ck_assert_uint_eq(uid, cases[i].answer == ACCOUNT_TAKEN ? cases[i].uid : 77);
    }
    fixture_end(accounts);
}
END_TEST

/* The folded name is asked for, and the name as it is typed; neither twice. */
START_TEST(test_spellings)
{
    Accounts *accounts = fixture_begin();

    ck_assert_int_eq(ask_quietly(accounts, "JDoe"), ACCOUNT_TAKEN);
    ck_assert_int_eq(ask_quietly(accounts, "dave"), ACCOUNT_FREE);
    ck_assert_int_eq(ask_quietly(accounts, "Ｄave"), ACCOUNT_FREE); /* which is "dave", and known */
    ck_assert_int_eq(ask_quietly(accounts, "Alice"), ACCOUNT_TAKEN);
    ck_assert_int_eq(ask_quietly(accounts, "Bob"), ACCOUNT_TAKEN);
    ck_assert_uint_eq(fake.n_asked, 4);
    ck_assert_str_eq(fake.asked[0], "jdoe");
    ck_assert_str_eq(fake.asked[1], "JDoe");
    ck_assert_str_eq(fake.asked[2], "dave");
    ck_assert_str_eq(fake.asked[3], "alice");
    fixture_end(accounts);
}
END_TEST

START_TEST(test_uids)
{
    static const struct {
        uid_t uid;
        const char *group;
        AccountAnswer answer;
        const char *login;
        gid_t gid;
    } cases[] = {
        {1000, NULL, ACCOUNT_TAKEN, "alice", ACCOUNTS_NO_GID},
        {1000, "", ACCOUNT_TAKEN, "alice", ACCOUNTS_NO_GID},
        {1000, "wheel", ACCOUNT_TAKEN, "alice", 10},
        {1000, "nogroup", ACCOUNT_TAKEN, "alice", ACCOUNTS_NO_GID},
        {1, "wheel", ACCOUNT_TAKEN, "daemon", 10},
        {7777, "wheel", ACCOUNT_FREE, "", 10},
        {7777, NULL, ACCOUNT_FREE, "", ACCOUNTS_NO_GID},
        {5000, "wheel", ACCOUNT_TIMEOUT, NULL, 0},
        {1000, "fault", ACCOUNT_TIMEOUT, NULL, 0},
    };
    char longest[ACCOUNTS_LOGIN_MAX + 2];
    Accounts *accounts = fixture_begin();
    AccountPerson person;
    unsigned n;

    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        ck_assert_int_eq(ask_uid(accounts, cases[i].uid, cases[i].group, &person), cases[i].answer);
        if (cases[i].login == NULL)
            continue;
        ck_assert_str_eq(person.login, cases[i].login);
        ck_assert_uint_eq(person.gid, cases[i].gid);
    }
    /* As long as a group's name can be, it is asked for; a longer one has no group. */
    memset(longest, 'g', sizeof longest - 1);
    longest[ACCOUNTS_LOGIN_MAX + 1] = '\0';
    n = fake_read(&fake.n_by_group);
    ck_assert_int_eq(ask_uid(accounts, 2000, longest, &person), ACCOUNT_FREE);
    ck_assert_uint_eq(person.gid, ACCOUNTS_NO_GID);
    ck_assert_uint_eq(fake_read(&fake.n_by_group), n);
    longest[ACCOUNTS_LOGIN_MAX] = '\0';
    ck_assert_int_eq(ask_uid(accounts, 2000, longest, &person), ACCOUNT_FREE);
    ck_assert_uint_eq(fake_read(&fake.n_by_group), n + 1);
    fixture_end(accounts);
}
END_TEST

/* Answers are kept for so long, and not a microsecond longer. */
START_TEST(test_keep)
{
    static const struct {
        const char *name;
        AccountAnswer answer;
        uint64_t usec;
    } cases[] = {{"alice", ACCOUNT_TAKEN, ACCOUNTS_KEEP_USEC},
                 {"dave", ACCOUNT_FREE, ACCOUNTS_KEEP_USEC},
                 {"fault", ACCOUNT_TIMEOUT, ACCOUNTS_RETRY_USEC}};
    Accounts *accounts = fixture_begin();

    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        unsigned n;

        ck_assert_int_eq(ask_quietly(accounts, cases[i].name), cases[i].answer);
        n = fake_read(&fake.n_by_name);
        now += cases[i].usec - 1;
        ck_assert_int_eq(look(accounts, cases[i].name), cases[i].answer);
        ck_assert_uint_eq(fake_read(&fake.n_by_name), n);
        now++;
        ck_assert_int_eq(look(accounts, cases[i].name), ACCOUNT_UNKNOWN);
        ck_assert_int_eq(ask_quietly(accounts, cases[i].name), cases[i].answer);
        ck_assert_uint_eq(fake_read(&fake.n_by_name), n + 1);
    }
    fixture_end(accounts);
}
END_TEST

/* So many answers are kept; the next one takes the place of the oldest. */
START_TEST(test_cache)
{
    Accounts *accounts = fixture_begin();
    AccountPerson person;
    const uid_t first = 100000;

    for (unsigned i = 0; i < ACCOUNTS_CACHE; i++)
        QUICK_ASSERT(ask_uid(accounts, first + i, NULL, &person) == ACCOUNT_FREE, "%u", i);
    for (unsigned i = 0; i < ACCOUNTS_CACHE; i++)
        QUICK_ASSERT(accounts_uid(accounts, first + i, NULL, now, &person) == ACCOUNT_FREE, "%u", i);
    ck_assert_uint_eq(fake_read(&fake.n_by_uid), ACCOUNTS_CACHE);
    ck_assert_int_eq(ask_uid(accounts, 1000, NULL, &person), ACCOUNT_TAKEN);
    ck_assert_int_eq(accounts_uid(accounts, first + 1, NULL, now, &person), ACCOUNT_FREE);
    ck_assert_int_eq(accounts_uid(accounts, first, NULL, now, &person), ACCOUNT_UNKNOWN);
    take(accounts);
    /* Of which the second one is the oldest now, and so on, round and round. */
    ck_assert_int_eq(accounts_uid(accounts, first + 1, NULL, now, &person), ACCOUNT_UNKNOWN);
    take(accounts);
    for (unsigned i = 0; i < 2 * ACCOUNTS_CACHE; i++)
        QUICK_ASSERT(ask_uid(accounts, 2 * first + i, NULL, &person) == ACCOUNT_FREE, "%u", i);
    ck_assert_uint_eq(fake_read(&fake.n_by_uid), 3 * ACCOUNTS_CACHE + 3);
    fixture_end(accounts);
}
END_TEST

/* An entry that waits for its answer is never the one to go. */
START_TEST(test_cache_open)
{
    Accounts *accounts = fixture_begin();
    AccountPerson person;

    ck_assert_int_eq(accounts_uid(accounts, 4242, NULL, now, &person), ACCOUNT_UNKNOWN);
    wait_hanging(1);
    ck_assert_int_eq(accounts_uid(accounts, 1000, NULL, now, &person), ACCOUNT_UNKNOWN);
    now += ACCOUNTS_HURRY_USEC;
    ck_assert(!accounts_take(accounts, now)); /* a second thread, for the others */
    for (unsigned i = 0; i < 2 * ACCOUNTS_CACHE; i++)
        QUICK_ASSERT(ask_uid(accounts, 100000 + i, NULL, &person) == ACCOUNT_FREE, "%u", i);
    ck_assert_int_eq(accounts_uid(accounts, 4242, NULL, now, &person), ACCOUNT_UNKNOWN);
    fake_open();
    take(accounts);
    ck_assert_int_eq(accounts_uid(accounts, 4242, NULL, now, &person), ACCOUNT_FREE);
    ck_assert_uint_eq(fake_read(&fake.n_by_uid), 2 * ACCOUNTS_CACHE + 2); /* each once */
    fixture_end(accounts);
}
END_TEST

/* The local accounts are looked at when they have changed, and not more of them than there may be. */
START_TEST(test_local)
{
    Accounts *accounts = fixture_begin();

    ck_assert_int_eq(ask_quietly(accounts, "bob"), ACCOUNT_TAKEN);
    ck_assert_int_eq(ask_quietly(accounts, "padding0"), ACCOUNT_FREE);
    ck_assert_uint_eq(fake_read(&fake.n_each), 1);
    fake_change_local(ACCOUNTS_LOCAL_MAX - 1, 0);
    ck_assert_int_eq(ask_quietly(accounts, "BOB"), ACCOUNT_TAKEN); /* the last one that is looked at */
    ck_assert_int_eq(ask_quietly(accounts, "CAROL"), ACCOUNT_FREE);
    ck_assert_int_eq(ask_quietly(accounts, "PADDING0"), ACCOUNT_TAKEN);
    ck_assert_uint_eq(fake_read(&fake.n_each), 2);
    /* Unreadable, nobody is said to be free; who can be found is. */
    fake_change_local(0, ACCOUNTS_FAILED);
    ck_assert_int_eq(ask_quietly(accounts, "erin"), ACCOUNT_TIMEOUT);
    ck_assert_int_eq(ask_quietly(accounts, "alice"), ACCOUNT_TAKEN);
    fake_change_local(0, 0);
    ck_assert_int_eq(ask_quietly(accounts, "frank"), ACCOUNT_FREE);
    ck_assert_int_eq(ask_quietly(accounts, "boB"), ACCOUNT_TAKEN);
    fixture_end(accounts);
}
END_TEST

/* The host's own accounts. */
START_TEST(test_nss)
{
    Accounts *accounts = fixture_begin_with(NULL);
    AccountPerson person;
    uid_t uid = 77;

    ck_assert_int_eq(ask_uid(accounts, 0, "root", &person), ACCOUNT_TAKEN);
    ck_assert_str_eq(person.login, "root");
    ck_assert_uint_eq(person.gid, 0);
    ck_assert_int_eq(ask_uid(accounts, 0, "no-such-group-here", &person), ACCOUNT_TAKEN);
    ck_assert_uint_eq(person.gid, ACCOUNTS_NO_GID);
    ck_assert_int_eq(ask_uid(accounts, 3999999999, "root", &person), ACCOUNT_FREE);
    ck_assert_str_eq(person.login, "");
    ck_assert_uint_eq(person.gid, 0);
    ck_assert_int_eq(ask(accounts, "Root", &uid), ACCOUNT_TAKEN);
    ck_assert_uint_eq(uid, 0);
    ck_assert_int_eq(ask_quietly(accounts, "no-such-account-here"), ACCOUNT_FREE);
    ck_assert_int_eq(ask_quietly(accounts, "daemon"), ACCOUNT_FREE);
    fixture_end(accounts);
}
END_TEST

static void write_passwd(const char *path, const char *text)
{
    char other[256];
    FILE *file;

    (void) snprintf(other, sizeof other, "%s.new", path);
    file = fopen(other, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(rename(other, path), 0);
}

/* The local accounts, in a file like passwd(5). */
START_TEST(test_nss_local)
{
    AccountsSource nss = accounts_nss;
    char directory[UNIT_PATH], path[UNIT_PATH + 32];
    Accounts *accounts;
    uid_t uid = 77;

    unit_folder(directory);
    (void) snprintf(path, sizeof path, "%s/passwd", directory);
    nss.userdata = path;
    accounts = fixture_begin_with(&nss);
    /* No such file, no local accounts. */
    ck_assert_int_eq(ask_quietly(accounts, "x-unit-1"), ACCOUNT_FREE);
    write_passwd(path, "X-Unit-1:x:1000:1000::/:/bin/sh\n"
                       "# what is no account\n"
                       "x-unit-2:x:two:2::/:/bin/sh\n"
                       "+x-unit-3::::::\n"
                       "\n"
                       "x-unit-4:x:400:1000::/:/bin/sh\n"
                       "X-unit-5:x:1005:1000:Somebody, with \xc3\xa4:/:/bin/sh");
    ck_assert_int_eq(ask(accounts, "X-UNIT-1", &uid), ACCOUNT_TAKEN);
    ck_assert_uint_eq(uid, 1000);
    ck_assert_int_eq(ask_quietly(accounts, "x-unit-2"), ACCOUNT_FREE);
    ck_assert_int_eq(ask_quietly(accounts, "x-unit-3"), ACCOUNT_FREE);
    ck_assert_int_eq(ask_quietly(accounts, "x-unit-4"), ACCOUNT_FREE);
    ck_assert_int_eq(ask(accounts, "x-unit-5", &uid), ACCOUNT_TAKEN);
    ck_assert_uint_eq(uid, 1005);
    write_passwd(path, "X-Unit-6:x:1000:1000::/:/bin/sh\n"
                       "X.Unit.7:x:1001:1000::/:/bin/sh\n");
    ck_assert_int_eq(ask_quietly(accounts, "x-unit-6"), ACCOUNT_TAKEN);
    ck_assert_int_eq(ask(accounts, "x_unit_7", &uid), ACCOUNT_TAKEN);
    ck_assert_uint_eq(uid, 1001);
    ck_assert_int_eq(ask_quietly(accounts, "x-Unit-1"), ACCOUNT_FREE);
    /* A directory in its place can be opened, but not read. */
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(ask_quietly(accounts, "x-unit-7"), ACCOUNT_TIMEOUT);
    fixture_end(accounts);
}
END_TEST

UNIT_MAIN("accounts", test_is_person, test_nothing, test_names, test_nicks, test_spellings, test_uids,
          test_keep, test_cache, test_cache_open, test_local, test_nss, test_nss_local)
