/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/macro.h"
#include "clock.h"
#include "server.h"

enum { N_ARGS = 12, BACKLOG = 4096 /* as in chat.socket */, FIRST_PASSED = 3 /* sd_listen_fds(3) */ };

static const char *const names[N_SERVERS] = {"bare", "chatd", "ngircd", "ncat"};

const char *server_name(ServerKind kind)
{
    return names[kind];
}

ServerKind server_by_name(const char *name)
{
    unsigned i = 0;

    while (i < N_SERVERS && strcmp(names[i], name) != 0)
        i++;
    return (ServerKind) i;
}

static bool takes_socket(ServerKind kind)
{
    return kind == SERVER_BARE || kind == SERVER_CHATD;
}

static _printf_(3, 4) int failed(Server *server, int r, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void) vsnprintf(server->remark, sizeof(server->remark), format, args);
    va_end(args);
    return r;
}

/* A TCP socket on a loopback port that the kernel chose; *ret_port is that port. -errno if it fails. */
static int bind_loopback(bool no_delay, uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(address);
    int fd, yes = 1;

    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (no_delay) /* accepted sockets inherit it */
        (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    if (bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0 ||
        getsockname(fd, (struct sockaddr *) &address, &n) < 0) {
        int e = errno;

        (void) close(fd);
        return -e;
    }
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static int open_door(Server *server)
{
    /* chatd has NoDelay=yes in chat.socket. The bare loop is cheaper without. */
    bool no_delay = server->plan.kind == SERVER_CHATD || server->plan.bare_no_delay;
    int fd = bind_loopback(no_delay, &server->port);

    if (fd < 0)
        return failed(server, fd, "no loopback port: %s", strerror(-fd));
    if (!takes_socket(server->plan.kind)) {
        (void) close(fd); /* free now, and most likely still so when the server binds it */
        return 0;
    }
    if (listen(fd, BACKLOG) < 0) {
        (void) close(fd);
        return failed(server, -errno, "listen: %s", strerror(errno));
    }
    server->listen_fd = fd;
    return 0;
}

static FILE *open_in_folder(const Server *server, const char *name, const char *mode)
{
    char path[SERVER_PATH_MAX + 32];

    (void) snprintf(path, sizeof(path), "%s/%s", server->folder, name);
    return fopen(path, mode);
}

static int write_config(Server *server)
{
    _cleanup_(file_closep) FILE *f = open_in_folder(server, "conf", "we");

    if (f == NULL)
        return failed(server, -errno, "cannot write in %s: %s", server->folder, strerror(errno));
    if (server->plan.kind == SERVER_CHATD && !server->plan.default_config)
        (void) fprintf(f, "[Limits]\nMaxClients=0\nMaxClientsPerAddress=0\nLinesPerSecond=0\n"
                          "BytesPerSecond=0\nMaxRooms=0\n");
    if (server->plan.state_directory != NULL)
        (void) fprintf(f, "[Archive]\nKeep=0\nMaxSize=0\n");
    if (server->plan.kind == SERVER_NGIRCD)
        (void) fprintf(
            f,
            "[Global]\nName = bench.example.net\nInfo = bench\nAdminInfo1 = bench\nAdminEMail = a@b.c\n"
            "Listen = 127.0.0.1\nPorts = %u\nMotdPhrase = \"hello\"\n"
            "[Limits]\nMaxConnections = 0\nMaxConnectionsIP = 0\nMaxJoins = 0\nMaxNickLength = 24\n"
            "MaxPenaltyTime = 0\nPingTimeout = 3600\n"
            "[Options]\nDNS = no\nIdent = no\nPAM = no\n",
            server->port);
    return 0;
}

/* That of the plan, or one of its own, as in the unit. */
static int make_state_directory(Server *server)
{
    const ServerPlan *plan = &server->plan;

    if (plan->state_directory != NULL)
        (void) snprintf(server->state_directory, sizeof(server->state_directory), "%s",
                        plan->state_directory);
    if (plan->state_directory != NULL || plan->kind != SERVER_CHATD || !plan->default_config)
        return 0;
    (void) snprintf(server->state_directory, sizeof(server->state_directory), "%s/state", server->folder);
    if (mkdir(server->state_directory, 0700) < 0)
        return failed(server, -errno, "cannot make %s: %s", server->state_directory, strerror(errno));
    return 0;
}

/* What chatd has made in one of its own. */
static void remove_state_directory(Server *server)
{
    static const char *const NAMES[] = {"archive.db", "archive.db-wal", "archive.db-shm"};
    char path[SERVER_PATH_MAX + 64];

    for (size_t i = 0; i < N_ELEMENTS(NAMES) && server->plan.state_directory == NULL; i++) {
        (void) snprintf(path, sizeof(path), "%s/%s", server->state_directory, NAMES[i]);
        (void) unlink(path);
    }
    if (server->plan.state_directory == NULL && server->state_directory[0] != '\0')
        (void) rmdir(server->state_directory);
}

int server_init(Server *server, const ServerPlan *plan)
{
    const char *tmp = getenv("TMPDIR");
    int r;

    *server = (Server){.plan = *plan, .pid_fd = -1, .listen_fd = -1, .manager.fd = -1};
    (void) snprintf(server->folder, sizeof(server->folder), "%s/chatd-bench-XXXXXX",
                    tmp != NULL && *tmp != '\0' ? tmp : "/tmp");
    if (mkdtemp(server->folder) == NULL) {
        r = failed(server, -errno, "cannot make %s: %s", server->folder, strerror(errno));
        server->folder[0] = '\0';
        return r;
    }
    r = open_door(server);
    if (r == 0)
        r = write_config(server);
    if (r == 0)
        r = make_state_directory(server);
    if (r < 0 || plan->kind != SERVER_CHATD || plan->no_store)
        return r;
    r = manager_init(&server->manager, server->folder);
    return r < 0 ? failed(server, r, "no socket for notifications: %s", strerror(-r)) : 0;
}

/* Texts of arguments, to which `argv` points. */
typedef struct Arguments {
    char text[2][SERVER_PATH_MAX + 32];
    const char *argv[N_ARGS];
} Arguments;

static void fill_arguments(const Server *server, Arguments *args)
{
    const ServerPlan *plan = &server->plan;
    const char **a = args->argv;

    *a++ = plan->program;
    switch (plan->kind) {
    case SERVER_BARE:
        (void) snprintf(args->text[0], sizeof(args->text[0]), "--room=%u", plan->room_size);
        *a++ = args->text[0];
        break;
    case SERVER_CHATD:
        (void) snprintf(args->text[0], sizeof(args->text[0]), "--config=%s/conf", server->folder);
        *a++ = args->text[0];
        break;
    case SERVER_NGIRCD:
        (void) snprintf(args->text[0], sizeof(args->text[0]), "%s/conf", server->folder);
        *a++ = "--nodaemon";
        *a++ = "--config";
        *a++ = args->text[0];
        break;
    default:
        (void) snprintf(args->text[0], sizeof(args->text[0]), "%u", plan->n_clients + 8);
        (void) snprintf(args->text[1], sizeof(args->text[1]), "%u", server->port);
        *a++ = "--listen";
        *a++ = "--chat";
        *a++ = "--nodns";
        *a++ = "--max-conns";
        *a++ = args->text[0];
        *a++ = "127.0.0.1";
        *a++ = args->text[1];
        break;
    }
    *a = NULL;
}

/* In the child: the socket becomes the first descriptor that is passed, and what is stored follows. */
static int pass_descriptors(const Server *server)
{
    const Manager *manager = &server->manager;
    int n = 1 + (int) manager->n_items, *fds = calloc((size_t) n, sizeof(int));
    char *passed = calloc((size_t) n, MANAGER_NAME_MAX + 1), *end, text[16];

    if (fds == NULL || passed == NULL)
        return -ENOMEM;
    end = stpcpy(passed, "plain");
    /* First all go where none of them is to be. */
    fds[0] = fcntl(server->listen_fd, F_DUPFD_CLOEXEC, FIRST_PASSED + n);
    for (int i = 1; i < n; i++) {
        fds[i] = fcntl(manager->items[i - 1].fd, F_DUPFD_CLOEXEC, FIRST_PASSED + n);
        *end++ = ':';
        end = stpcpy(end, manager->items[i - 1].name);
    }
    for (int i = 0; i < n; i++)
        if (fds[i] < 0 || dup2(fds[i], FIRST_PASSED + i) < 0)
            return -errno;
    (void) snprintf(text, sizeof(text), "%d", (int) getpid());
    (void) setenv("LISTEN_PID", text, 1);
    (void) snprintf(text, sizeof(text), "%d", n);
    (void) setenv("LISTEN_FDS", text, 1);
    (void) setenv("LISTEN_FDNAMES", passed, 1);
    return 0;
}

/* What a service manager that we run under ourselves has set is not for the server. */
static void set_environment(const Server *server)
{
    static const char *const variables[] = {"NOTIFY_SOCKET",  "WATCHDOG_USEC",     "WATCHDOG_PID",
                                            "JOURNAL_STREAM", "RUNTIME_DIRECTORY", "FDSTORE",
                                            "STATE_DIRECTORY"};

    for (size_t i = 0; i < N_ELEMENTS(variables); i++)
        (void) unsetenv(variables[i]);
    if (server->manager.fd >= 0)
        (void) setenv("NOTIFY_SOCKET", server->manager.path, 1);
    if (server->state_directory[0] != '\0')
        (void) setenv("STATE_DIRECTORY", server->state_directory, 1);
}

/* In the child. Does not return. */
static void become_server(const Server *server, const Arguments *args, int log_fd, pid_t parent)
{
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC), r = 0;
    cpu_set_t cpus;

    /* Should the parent be killed in a way that it can not see, nothing stays behind. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        _exit(127);
    (void) signal(SIGPIPE, SIG_DFL);
    if (server->plan.cpu >= 0) {
        CPU_ZERO(&cpus);
        CPU_SET((unsigned) server->plan.cpu, &cpus);
        (void) sched_setaffinity(0, sizeof(cpus), &cpus);
    }
    (void) dup2(null_fd, STDIN_FILENO);
    (void) dup2(log_fd, STDOUT_FILENO);
    (void) dup2(log_fd, STDERR_FILENO);
    set_environment(server);
    if (server->listen_fd >= 0)
        r = pass_descriptors(server);
    if (r == 0) {
        (void) execvp(args->argv[0], (char *const *) (uintptr_t) args->argv);
        r = -errno;
    }
    (void) dprintf(STDERR_FILENO, "cannot run %s: %s\n", args->argv[0], strerror(-r));
    _exit(127);
}

int server_spawn(Server *server)
{
    _cleanup_(file_closep) FILE *log = open_in_folder(server, "log", "ae");
    pid_t parent = getpid(), pid;
    Arguments args = {0};

    if (log == NULL)
        return failed(server, -errno, "cannot write in %s: %s", server->folder, strerror(errno));
    fill_arguments(server, &args);
    pid = fork();
    if (pid < 0)
        return failed(server, -errno, "fork: %s", strerror(errno));
    if (pid == 0)
        become_server(server, &args, fileno(log), parent);
    server->pid = pid;
    server->pid_fd = (int) syscall(SYS_pidfd_open, pid, 0);
    return server->pid_fd < 0 ? failed(server, -errno, "pidfd_open: %s", strerror(errno)) : 0;
}

/* It has been waited for. */
static void forget_process(Server *server)
{
    server->pid = 0;
    server->pid_fd = fd_close(server->pid_fd);
}

void server_kill(Server *server)
{
    server->is_killed = true;
    (void) kill(server->pid, SIGKILL);
}

int server_attend(Server *server)
{
    int r = manager_receive(&server->manager);

    if (r < 0 || !server->is_killed || waitpid(server->pid, NULL, WNOHANG) != server->pid)
        return r;
    forget_process(server);
    server->is_killed = false;
    r = manager_receive(&server->manager); /* its last words */
    return r < 0 ? r : server_spawn(server);
}

/* One try to connect and to be served. The peers that greet nobody are served when they have accepted. */
static bool answers(Server *server)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(server->port)};
    struct pollfd p = {.events = POLLIN};
    bool good = false;
    char byte;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    p.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (p.fd < 0)
        return false;
    if (connect(p.fd, (struct sockaddr *) &to, sizeof(to)) == 0) {
        good = !takes_socket(server->plan.kind);
        /* With a held socket the connection stands before the server has even started: wait for its word. */
        for (unsigned i = 0; i < 50 && !good && !clock_interrupted() && !server_has_died(server); i++)
            good = poll(&p, 1, 100) == 1 && recv(p.fd, &byte, 1, 0) == 1;
    }
    (void) close(p.fd);
    return good;
}

int server_start(Server *server, const ServerPlan *plan)
{
    uint64_t deadline = clock_nsec() + 10 * NSEC_PER_SEC;
    int r;

    r = server_init(server, plan);
    if (r == 0)
        r = server_spawn(server);
    if (r < 0)
        return r;
    while (!answers(server)) {
        if (clock_interrupted())
            return failed(server, -EINTR, "interrupted");
        if (server_has_died(server))
            return -ECHILD;
        if (clock_nsec() > deadline)
            return failed(server, -ETIMEDOUT, "does not answer a connection within 10 s");
        clock_sleep(20 * NSEC_PER_MSEC);
    }
    clock_sleep(100 * NSEC_PER_MSEC); /* that first client leaves */
    return 0;
}

/* The last line of the log, which most likely says why it ended. */
static void last_log_line(const Server *server, char *to, size_t size)
{
    _cleanup_(file_closep) FILE *f = open_in_folder(server, "log", "re");
    char line[160];

    to[0] = '\0';
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] != '\0')
            (void) snprintf(to, size, "%s", line);
    }
}

bool server_has_died(Server *server)
{
    char line[160];
    int status;

    if (server->pid == 0)
        return true;
    if (waitpid(server->pid, &status, WNOHANG) != server->pid)
        return false;
    forget_process(server);
    last_log_line(server, line, sizeof(line));
    (void) failed(server, 0, "ended by itself with %s %d%s%s", WIFSIGNALED(status) ? "signal" : "status",
                  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), line[0] != '\0' ? ": " : "",
                  line);
    return true;
}

static void end_process(Server *server)
{
    uint64_t deadline = clock_nsec() + 3 * NSEC_PER_SEC;

    if (server->pid == 0)
        return;
    /* With SIGTERM chatd would leave everybody to the next process. */
    (void) kill(server->pid, server->plan.kind == SERVER_CHATD ? SIGINT : SIGTERM);
    while (waitpid(server->pid, NULL, WNOHANG) != server->pid) {
        struct pollfd polls[] = {{.fd = server->pid_fd, .events = POLLIN},
                                 {.fd = server->manager.fd, .events = POLLIN}};

        if (clock_nsec() > deadline) {
            (void) kill(server->pid, SIGKILL);
            (void) waitpid(server->pid, NULL, 0);
            break;
        }
        (void) poll(polls, N_ELEMENTS(polls), 10);
        (void) manager_receive(&server->manager); /* it waits for us when we do not */
    }
    forget_process(server);
}

void server_done(Server *server)
{
    char path[SERVER_PATH_MAX + 32];

    end_process(server);
    if (server->listen_fd >= 0)
        (void) close(server->listen_fd);
    server->listen_fd = -1;
    manager_done(&server->manager);
    if (server->folder[0] == '\0')
        return;
    remove_state_directory(server);
    (void) snprintf(path, sizeof(path), "%s/conf", server->folder);
    (void) unlink(path);
    (void) snprintf(path, sizeof(path), "%s/log", server->folder);
    (void) unlink(path);
    (void) rmdir(server->folder);
    server->folder[0] = '\0';
}

uint64_t server_cpu_nsec(const Server *server)
{
    struct timespec t;
    clockid_t clock;

    /* The process's own clock counts all its threads, to the nanosecond, also one that is running right now.
     */
    if (server->pid == 0 || clock_getcpuclockid(server->pid, &clock) != 0 || clock_gettime(clock, &t) < 0)
        return 0;
    return (uint64_t) t.tv_sec * NSEC_PER_SEC + (uint64_t) t.tv_nsec;
}

/* The number after `key` in a file of /proc/PID whose lines are "key: number ...". */
static uint64_t proc_number(const Server *server, const char *file, const char *key)
{
    _cleanup_(file_closep) FILE *f = NULL;
    char path[64], line[256];

    (void) snprintf(path, sizeof(path), "/proc/%d/%s", (int) server->pid, file);
    f = fopen(path, "re");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':')
            return strtoull(line + strlen(key) + 1, NULL, 10);
    return 0;
}

/* Memory files have no name in the file system; what they take is known from their blocks. */
static uint64_t memfd_bytes(const Server *server)
{
    char path[64 + 256], target[128];
    struct dirent *entry;
    struct stat st;
    uint64_t sum = 0;
    DIR *dir;

    (void) snprintf(path, sizeof(path), "/proc/%d/fd", (int) server->pid);
    dir = opendir(path);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        ssize_t n;

        (void) snprintf(path, sizeof(path), "/proc/%d/fd/%s", (int) server->pid, entry->d_name);
        n = readlink(path, target, sizeof(target) - 1);
        if (n <= 0)
            continue;
        target[n] = '\0';
        if (strncmp(target, "/memfd:", 7) == 0 && stat(path, &st) == 0)
            sum += (uint64_t) st.st_blocks * 512;
    }
    if (dir != NULL)
        (void) closedir(dir);
    return sum;
}

int server_memory(const Server *server, ServerMemory *ret_memory)
{
    ServerMemory memory = {
        .rss = proc_number(server, "smaps_rollup", "Rss") * 1024,
        .pss = proc_number(server, "smaps_rollup", "Pss") * 1024,
    };

    if (memory.rss == 0)
        return -ENODATA;
    memory.memfd = memfd_bytes(server);
    *ret_memory = memory;
    return 0;
}

uint64_t server_wakeups(const Server *server)
{
    return proc_number(server, "status", "voluntary_ctxt_switches");
}
