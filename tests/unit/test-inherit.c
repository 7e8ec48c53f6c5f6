/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/*
 * Each case runs in a process of its own, whose descriptors from 3 on are what a service manager would have
 * left there, or whose standard input is what inetd would. In that process EXPECT() ends what does not hold.
 */

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/inherit.h"
#include "unit/harness.h"
#include "unit/unit.h"

enum { FDS = INHERIT_MAX + 4, HIGH = 200 };

typedef enum Kind {
    NOTHING,
    LISTENING,       /* TCP */
    LISTENING_LOCAL, /* AF_UNIX */
    CONNECTED,
    BOUND, /* and not listening */
    PIPE,
} Kind;

typedef struct Given {
    Kind kind;
    const char *name;
} Given;

typedef struct Case {
    const char *what;
    Kind stdin_kind;
    Given fds[4];
    bool is_for_another; /* $LISTEN_PID is somebody else's */
    int r;
    unsigned n, n_stored, n_logged;
    bool from_inetd;
} Case;

static unsigned n_logged;

static void count_log(void *userdata, const LogEvent *event)
{
    (void) userdata;
    EXPECT(event->priority == LOG_WARNING && strcmp(event->id, LOG_ID_SOCKET_UNKNOWN) == 0);
    EXPECT(event->message[0] != '\0');
    n_logged++;
}

static const Log log_counted = {.sink = count_log};

/* A descriptor of that kind, out of the way of those that are to be set up. */
static int make_fd(Kind kind)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr local = {.sa_family = AF_UNIX};
    int fds[2] = {-1, -1}, high;

    if (kind == PIPE)
        EXPECT(pipe(fds) == 0);
    else if (kind == CONNECTED)
        EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    else
        fds[0] = socket(kind == LISTENING_LOCAL ? AF_UNIX : AF_INET, SOCK_STREAM, 0);
    EXPECT(fds[0] >= 0);
    if (kind == LISTENING || kind == BOUND)
        EXPECT(bind(fds[0], (struct sockaddr *) &address, sizeof address) == 0);
    if (kind == LISTENING_LOCAL)
        EXPECT(bind(fds[0], &local, sizeof local.sa_family) ==
               0); /* an address of the kernel's choice: unix(7) */
    if (kind == LISTENING || kind == LISTENING_LOCAL)
        EXPECT(listen(fds[0], 10) == 0);
    high = fcntl(fds[0], F_DUPFD, HIGH);
    EXPECT(high >= HIGH);
    (void) close(fds[0]);
    if (kind == CONNECTED) {
        EXPECT(fcntl(fds[1], F_DUPFD, HIGH) >= HIGH);
        (void) close(fds[1]);
    }
    return high;
}

static void set_up(Kind stdin_kind, const Given *given, unsigned n, bool is_for_another)
{
    static char names[64 * FDS];
    int fds[FDS], input = stdin_kind != NOTHING ? make_fd(stdin_kind) : -1;
    char number[16];

    for (unsigned i = 0; i < n; i++)
        fds[i] = make_fd(given[i].kind);
    names[0] = '\0';
    for (unsigned i = 0; i < n; i++) {
        EXPECT(dup2(fds[i], 3 + (int) i) >= 0);
        (void) close(fds[i]);
        (void) strcat(strcat(names, i > 0 ? ":" : ""), given[i].name);
    }
    (void) close(STDIN_FILENO);
    if (input >= 0)
        EXPECT(dup2(input, STDIN_FILENO) == STDIN_FILENO);
    else
        EXPECT(open("/dev/null", O_RDONLY) == STDIN_FILENO);
    if (n == 0) {
        (void) unsetenv("LISTEN_FDS");
        return;
    }
    (void) snprintf(number, sizeof number, "%d", is_for_another ? 1 : (int) getpid());
    (void) setenv("LISTEN_PID", number, 1);
    (void) snprintf(number, sizeof number, "%u", n);
    (void) setenv("LISTEN_FDS", number, 1);
    (void) setenv("LISTEN_FDNAMES", names, 1);
}

static void check_inherited(Inherited *inherited)
{
    for (unsigned i = 0; i < inherited->n; i++) {
        int flags = fcntl(inherited->fds[i], F_GETFD);

        EXPECT(inherited->fds[i] >= 3);
        EXPECT(flags >= 0 && (flags & FD_CLOEXEC));
        EXPECT(fcntl(inherited->fds[i], F_GETFL) & O_NONBLOCK);
    }
}

/* What an earlier process left, under its names, with the flags it has: it is the same file. */
static void check_stored(const Inherited *inherited, const Case *c, unsigned n_given)
{
    EXPECT(inherited->n_stored == c->n_stored);
    for (unsigned i = 0; i < inherited->n_stored; i++) {
        const Stored *stored = &inherited->stored[i];
        unsigned given = (unsigned) stored->fd - 3;

        EXPECT(given < n_given && strcmp(c->fds[given].name, stored->name) == 0);
        EXPECT(fcntl(stored->fd, F_GETFD) == FD_CLOEXEC);
        EXPECT(strncmp(stored->name, INHERIT_STATE, strlen(INHERIT_STATE)) == 0 ||
               strncmp(stored->name, INHERIT_VAULT, strlen(INHERIT_VAULT)) == 0);
    }
}

static unsigned count_open(unsigned n)
{
    unsigned n_open = 0;

    for (unsigned i = 0; i < n; i++)
        n_open += fcntl(3 + (int) i, F_GETFD) >= 0;
    return n_open;
}

/* What was not taken over was closed, so that nobody waits at it. */
static void run_case(const Case *c)
{
    Inherited inherited = {.n = 4711};
    unsigned n_given = 0;
    int r;

    while (n_given < N_ELEMENTS(c->fds) && c->fds[n_given].kind != NOTHING)
        n_given++;
    set_up(c->stdin_kind, c->fds, n_given, c->is_for_another);
    EXPECT(inherit_is_inetd() == (n_given == 0 && c->stdin_kind != NOTHING && c->stdin_kind != PIPE));
    r = inherit_sockets(&log_counted, &inherited);
    if (r != c->r)
        (void) fprintf(stderr, "%s: %d instead of %d\n", c->what, r, c->r);
    EXPECT(r == c->r);
    EXPECT(n_logged == c->n_logged);
    EXPECT(getenv("LISTEN_FDS") == NULL || c->is_for_another);
    if (r != 0) {
        EXPECT(inherited.n == 4711);
        return;
    }
    EXPECT(inherited.n == c->n && inherited.from_inetd == c->from_inetd);
    check_inherited(&inherited);
    if (!c->from_inetd)
        EXPECT(count_open(n_given) == c->n + c->n_stored);
    check_stored(&inherited, c, n_given);
    inherit_done(&inherited);
    EXPECT(inherited.n_stored == 0);
    EXPECT(inherited.n == 0 && (c->from_inetd || count_open(n_given) == 0));
}

static const Case cases[] = {
    {.what = "nothing", .r = INHERIT_NOTHING},
    {.what = "for another process",
     .fds = {{LISTENING, "plain"}},
     .is_for_another = true,
     .r = INHERIT_NOTHING},
    {.what = "a pipe as input", .stdin_kind = PIPE, .r = INHERIT_NOTHING},
    {.what = "Accept=yes", .fds = {{CONNECTED, "connection"}}, .r = INHERIT_CONNECTED},
    {.what = "Accept=yes, named", .fds = {{CONNECTED, "plain"}}, .r = INHERIT_CONNECTED},
    {.what = "a connection first",
     .fds = {{CONNECTED, "plain"}, {LISTENING, "plain"}},
     .r = INHERIT_CONNECTED},
    {.what = "a connection last",
     .fds = {{LISTENING, "plain"}, {CONNECTED, "plain"}},
     .r = INHERIT_CONNECTED},
    {.what = "inetd nowait", .stdin_kind = CONNECTED, .r = INHERIT_CONNECTED},
    {.what = "another name", .fds = {{LISTENING, "http"}}, .r = INHERIT_UNKNOWN, .n_logged = 1},
    {.what = "another case", .fds = {{LISTENING, "Plain"}}, .r = INHERIT_UNKNOWN, .n_logged = 1},
    {.what = "no socket", .fds = {{PIPE, "plain"}}, .r = INHERIT_UNKNOWN, .n_logged = 1},
    {.what = "two other names",
     .fds = {{LISTENING, "a"}, {PIPE, "stored"}},
     .r = INHERIT_UNKNOWN,
     .n_logged = 2},
    {.what = "one", .fds = {{LISTENING, "plain"}}, .n = 1},
    {.what = "a local one", .fds = {{LISTENING_LOCAL, "plain"}}, .n = 1},
    {.what = "no name", .fds = {{LISTENING, ""}}, .n = 1},
    {.what = "an unknown name", .fds = {{LISTENING, "unknown"}}, .n = 1},
    {.what = "several of a name",
     .fds = {{LISTENING, "plain"}, {LISTENING_LOCAL, "plain"}, {LISTENING, "plain"}},
     .n = 3},
    {.what = "another name first", .fds = {{LISTENING, "http"}, {LISTENING, "plain"}}, .n = 1, .n_logged = 1},
    {.what = "another name last", .fds = {{LISTENING, "plain"}, {LISTENING, "http"}}, .n = 1, .n_logged = 1},
    {.what = "sockets and a socket as input", .stdin_kind = LISTENING, .fds = {{LISTENING, "plain"}}, .n = 1},
    {.what = "what was stored",
     .fds = {{LISTENING, "plain"}, {PIPE, "state-1"}, {CONNECTED, "vault-7"}, {CONNECTED, "vault-7"}},
     .n = 1,
     .n_stored = 3},
    {.what = "what was stored first",
     .fds = {{CONNECTED, "vault-1"}, {PIPE, "state-12345678901234567890"}, {LISTENING, "plain"}},
     .n = 1,
     .n_stored = 2},
    {.what = "what was stored, without a socket",
     .fds = {{PIPE, "state-1"}, {CONNECTED, "vault-1"}},
     .r = INHERIT_NOTHING},
    {.what = "a connection of another name",
     .fds = {{LISTENING, "plain"}, {CONNECTED, "other"}},
     .n = 1,
     .n_logged = 1},
    {.what = "what was stored, and Accept=yes",
     .fds = {{PIPE, "state-1"}, {CONNECTED, "connection"}},
     .r = INHERIT_CONNECTED},
    {.what = "names that are almost those",
     .fds = {{LISTENING, "plain"}, {PIPE, "state"}, {PIPE, "State-1"}, {PIPE, "vault"}},
     .n = 1,
     .n_logged = 3},
    {.what = "inetd wait", .stdin_kind = LISTENING, .n = 1, .from_inetd = true},
    {.what = "inetd wait, local", .stdin_kind = LISTENING_LOCAL, .n = 1, .from_inetd = true},
};

static void run_in_child(const char *what, void (*run)(const Case *), const Case *c)
{
    int status;
    pid_t child;

    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        run(c);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s", what);
}

START_TEST(test_cases)
{
    for (size_t i = 0; i < N_ELEMENTS(cases); i++)
        run_in_child(cases[i].what, run_case, &cases[i]);
}
END_TEST

/* So many and not one more. */
static void run_many(const Case *c)
{
    static Given given[FDS];
    Inherited inherited = {0};

    (void) c;
    for (unsigned i = 0; i < FDS; i++)
        given[i] = (Given){.kind = LISTENING_LOCAL, .name = "plain"};
    set_up(NOTHING, given, FDS, false);
    EXPECT(inherit_sockets(&log_counted, &inherited) == 0);
    EXPECT(inherited.n == INHERIT_MAX && n_logged == FDS - INHERIT_MAX);
    EXPECT(count_open(FDS) == INHERIT_MAX);
    inherit_done(&inherited);
}

START_TEST(test_many)
{
    run_in_child("many", run_many, NULL);
}
END_TEST

UNIT_MAIN("inherit", test_cases, test_many)
