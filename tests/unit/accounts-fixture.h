/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Accounts for the tests of host/accounts, from a source of their own, which hangs when it is told to. Time
 * is what the test says; only a thread's second of idleness is real.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/name.h"
#include "host/accounts.h"

/* For what happens at once, under valgrind too. */
enum { DEADLINE_SECONDS = 60 };

/* What the threads ask. They hang in names that begin with "hang", and in the uid 4242, or
 * another one. */
typedef struct Fake {
    bool is_open; /* names and uids that hang are let go */
    uid_t hanging_uid;
    unsigned n_hanging; /* threads that hang now */
    unsigned n_by_uid, n_by_name, n_by_group, n_each;
    unsigned n_padding; /* local accounts before the others */
    unsigned n_asked;   /* names that are in `asked` */
    char asked[8][NAME_KEY_MAX + 1];
    uint64_t stamp;
    int local_result; /* of looking at the local accounts */
    pid_t thread;     /* that asked last */
} Fake;

/* While there are threads that ask, look at it with fake_read(). */
extern Fake fake;
extern uint64_t now;

/* Accounts from the source of the test; or from another one, NULL: accounts_nss. */
Accounts *fixture_begin(void);
Accounts *fixture_begin_with(const AccountsSource *source);
/* Lets go who hangs; nobody stays. */
void fixture_end(Accounts *accounts);

unsigned fake_read(const unsigned *n);
void fake_open(void);
/* Who hangs from now on hangs. */
void fake_shut(void);
/* The local accounts are others now. */
void fake_change_local(unsigned n_padding, int result);

uint64_t deadline_in(unsigned seconds);
/* Threads besides those that there were before. */
size_t count_new_threads(void);
void wait_threads(size_t n);
void wait_hanging(unsigned n);

bool is_readable(const Accounts *accounts);
/* Waits for news, and takes them. */
void take(Accounts *accounts);
/* What is known now. */
AccountAnswer look(Accounts *accounts, const char *text);
/* What is known when it is known. */
AccountAnswer ask(Accounts *accounts, const char *text, uid_t *ret_uid);
AccountAnswer ask_quietly(Accounts *accounts, const char *text);
AccountAnswer ask_uid(Accounts *accounts, uid_t uid, const char *group, AccountPerson *ret_person);
/* As many threads hang as there may be, in lookups that were asked now. */
void hang_all(Accounts *accounts);
