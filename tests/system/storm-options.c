/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>

#include "system/storm.h"

static void help(void)
{
    puts("usage: storm [--tcp=HOST:PORT] [--unix=PATH] [OPTION...]\n"
         "\n"
         "Many people connect, talk at once, and check every byte that they hear: nobody may be "
         "disconnected,\n"
         "and nothing lost, repeated, reordered or torn. Exits with 0 if that was so, and with 1 after "
         "telling\n"
         "what was not.\n"
         "\n"
         "  --tcp=HOST:PORT    where the chat is; with\n"
         "  --unix=PATH        both, the people are divided\n"
         "  --unix-share=N     percent of them that come over the unix socket (50)\n"
         "  --clients=N        people (300)\n"
         "  --room-size=N      people in a room (20); 0: everybody in the lobby\n"
         "  --rate=N           lines and commands a second of all together (2000)\n"
         "  --seconds=N        how long they talk (10); 0: until SIGTERM or SIGINT\n"
         "  --slow=N           percent who read in bursts, with small buffers (10)\n"
         "  --early=N          percent who shut down their side while others talk, and hear the rest (10)\n"
         "  --visitors=N       others who only come and go (10)\n"
         "  --restarts=N       of the server, at most: so often may a line be read twice by each person who "
         "is\n"
         "                     connected over the unix socket, once directly after the other; and as many "
         "may\n"
         "                     be disconnected before they have heard anything (0)\n"
         "  --lossy            slow readers may be told that they read too slowly, and lose lines\n"
         "  --deadline=N       seconds to wait for what must come, at the beginning and at the end (30)\n"
         "  --name=NAME        what names of people and rooms begin with (s); differs for each of several "
         "storms\n"
         "  --seed=N           of the random numbers; the one that was chosen is printed\n"
         "\n"
         "A line is printed when everybody is there and begins to talk.\n"
         "\n"
         "The server has to be without others who talk, and its configuration must have\n"
         "\n"
         "  [Limits]\n"
         "  LinesPerSecond=0\n"
         "  BytesPerSecond=0\n"
         "  MaxClientsPerAddress=0\n"
         "  TranscriptSize=64M\n"
         "\n"
         "with MaxClients= for all people, MaxRooms= for a room for each 20 and one for each 8 of them, and "
         "a\n"
         "TranscriptSize= that holds what is said in some seconds (some 500 bytes a line). Slow readers are "
         "behind\n"
         "in what the server has to remember, and not only in buffers of the kernel, if the listening TCP "
         "socket\n"
         "has a small one for sending (SendBuffer=8K in its unit).");
}

static int resolve(Storm *storm)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    const char *port = strrchr(storm->options.tcp, ':');
    char host[256];
    int r;

    if (port == NULL)
        return EAI_SERVICE;
    if (storm->options.tcp[0] == '[' && port[-1] == ']')
        (void) snprintf(host, sizeof host, "%.*s", (int) (port - storm->options.tcp - 2),
                        storm->options.tcp + 1);
    else
        (void) snprintf(host, sizeof host, "%.*s", (int) (port - storm->options.tcp), storm->options.tcp);
    r = getaddrinfo(host, port + 1, &hints, &found);
    if (r != 0)
        return r;
    memcpy(&storm->address, found->ai_addr, found->ai_addrlen);
    storm->address_n = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

static const struct option OPTIONS[] = {
    {"tcp", required_argument, NULL, 't'},
    {"unix", required_argument, NULL, 'u'},
    {"unix-share", required_argument, NULL, 'U'},
    {"clients", required_argument, NULL, 'c'},
    {"room-size", required_argument, NULL, 'r'},
    {"rate", required_argument, NULL, 'R'},
    {"seconds", required_argument, NULL, 's'},
    {"slow", required_argument, NULL, 'S'},
    {"early", required_argument, NULL, 'e'},
    {"restarts", required_argument, NULL, 'x'},
    {"lossy", no_argument, NULL, 'l'},
    {"deadline", required_argument, NULL, 'd'},
    {"visitors", required_argument, NULL, 'v'},
    {"name", required_argument, NULL, 'n'},
    {"seed", required_argument, NULL, 'z'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool parse_number(const char *text, uint64_t *ret_number)
{
    char *end;

    errno = 0;
    *ret_number = strtoull(text, &end, 10);
    return errno == 0 && end > text && *end == '\0' && text[0] != '-';
}

static bool parse_option(Options *options, int option)
{
    unsigned *const numbers[] = {
        ['U'] = &options->unix_share, ['c'] = &options->clients,  ['r'] = &options->room_size,
        ['R'] = &options->rate,       ['s'] = &options->seconds,  ['S'] = &options->slow,
        ['e'] = &options->early,      ['x'] = &options->restarts, ['d'] = &options->deadline,
        ['v'] = &options->visitors,
    };
    uint64_t number;

    switch (option) {
    case 't':
        options->tcp = optarg;
        return true;
    case 'u':
        options->path = optarg;
        return strlen(optarg) < sizeof(((struct sockaddr_un *) NULL)->sun_path);
    case 'n':
        options->name = optarg;
        return strlen(optarg) < 8;
    case 'l':
        options->is_lossy = true;
        return true;
    case 'z':
        return parse_number(optarg, &options->seed);
    default:
        if (option >= (int) N_ELEMENTS(numbers) || numbers[option] == NULL ||
            !parse_number(optarg, &number) || number > 1000000)
            return false;
        *numbers[option] = (unsigned) number;
        return true;
    }
}

static bool parse_arguments(Storm *storm, int argc, char **argv)
{
    Options *options = &storm->options;
    int option;

    *options = (Options){.name = "s",
                         .clients = 300,
                         .room_size = 20,
                         .rate = 2000,
                         .seconds = 10,
                         .slow = 10,
                         .early = 10,
                         .unix_share = 50,
                         .visitors = 10,
                         .deadline = 30,
                         .seed = (uint64_t) time(NULL)};
    while ((option = getopt_long(argc, argv, "h", OPTIONS, NULL)) >= 0) {
        if (option == 'h') {
            help();
            exit(EXIT_SUCCESS);
        }
        if (option == '?')
            return false;
        if (!parse_option(options, option)) {
            (void) fprintf(stderr, "storm: not possible: %s\n", optarg);
            return false;
        }
    }
    return optind == argc && (options->tcp != NULL || options->path != NULL) && options->clients > 0;
}

bool options_parse(Storm *storm, int argc, char **argv)
{
    int r;

    if (!parse_arguments(storm, argc, argv)) {
        (void) fprintf(stderr, "usage: storm [--tcp=HOST:PORT] [--unix=PATH] [OPTION...], see --help\n");
        return false;
    }
    r = storm->options.tcp != NULL ? resolve(storm) : 0;
    if (r != 0)
        (void) fprintf(stderr, "storm: %s: %s\n", storm->options.tcp, gai_strerror(r));
    return r == 0;
}
