/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * The storm: many people who talk at once, and check every byte that they hear. It is the witness of the
 * promise that nobody is disconnected, and nothing lost, repeated, reordered or torn, whatever happens to the
 * server's process meanwhile.
 *
 * Everybody is in a main room all the time, and now and then in a side room that has people from other main
 * rooms. Who says something numbers it, one count for each room and for each partner of private lines, so a
 * listener knows what has to come next. A person's lines tell the same story in both directions: what was
 * said (storm-say.c) moves the state as the server will have it when it has executed that line; what is heard
 * (storm-hear.c) moves the state as the client knows it. The two meet in the list of awaited answers.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "base/macro.h"

enum { EXIT_WRONG_USAGE = 64 }; /* EX_USAGE */

enum {
    MAIN,
    SIDE,
    N_CHANNELS,

    PARTNERS = 4,     /* whom one person writes to in private */
    ANSWERS_MAX = 16, /* awaited by one person at a time */
    ANSWER_BYTES = 240,
    NAME_BYTES = 32,
    TEXT_BYTES = 512,  /* of a line that is said, without its end */
    KEPT_BYTES = 1024, /* of the line before, which must not be repeated */
    IN_BYTES = 32768,  /* no line of the server is longer */
    OUT_BYTES = 32768,
    OUT_ENOUGH = 8192, /* who has so much to send says nothing more */
    LONG_LINE = 9000,  /* more than any MaxLineLength= */
    TOPIC_BYTES = 200,
    SIDE_PEOPLE = 8, /* about so many share a side room */
    HISTORY_MAX = 200,
    TELNET_BYTES = 3, /* of a request, and of its answer (RFC 854) */
    TELNET_IAC = 255,
    TELNET_DO = 253,
    TELNET_WONT = 252,
    ORDERS_MAX = 256, /* of the lines of one person, of which it is known what came before */
    ORDER_WORDS = 8192,
    FINDINGS_SHOWN = 20,
};

/* What a line says about itself; the text of a line is this, something of any length, and a checksum. */
typedef struct Mark {
    unsigned speaker;
    char variant; /* 'a': under the first nick; 'b': under the other */
    char kind;    /* 's': said; 'm': /me; 't': topic; 'p': private */
    char channel; /* 'm': main room; 's': side room; from '0' on: to which partner */
    unsigned number;
} Mark;

typedef enum MarkResult {
    MARK_RIGHT,
    MARK_STRANGE, /* not made here */
    MARK_SPOILT,  /* the checksum is another one */
} MarkResult;

/* What happens when an answer comes. */
typedef enum Effect {
    EFFECT_NONE,
    EFFECT_GREETED, /* the greeting is over: from now on every line is judged */
    EFFECT_QUIET,   /* no more announcements of who comes and goes */
    EFFECT_READY,
    EFFECT_ROOM,
    EFFECT_TOPIC,
    EFFECT_SETTLED, /* others may write to this person again */
    EFFECT_SPOKEN,  /* all that this person said has been executed */
    EFFECT_HEARD,   /* all that anybody said must have been heard */
    EFFECT_GOODBYE,
} Effect;

typedef struct Answer {
    Effect effect;
    bool is_beginning; /* of the line; the rest of it is free */
    bool has_topic;    /* with EFFECT_ROOM: the topic must follow; otherwise it may */
    bool in_side;      /* with EFFECT_ROOM: where one is then */
    int current;
    char text[ANSWER_BYTES];
} Answer;

typedef struct Room {
    char name[NAME_BYTES];   /* with its # */
    unsigned first, step, n; /* its people, by their numbers */
    unsigned n_prompt;       /* those who read at once */
    unsigned n_gone;         /* those who have ended early */
    bool has_topic;          /* set by one of us, who has the answer */
    bool is_confused;        /* its people have not heard the same, which has been told */
} Room;

/* What one person hears of another in one room. */
typedef struct Ear {
    unsigned next;     /* number of the next line; 0: any, but not after `base` + 1 */
    unsigned base;     /* what may have been said before this person came */
    unsigned required; /* what has to be heard before this person leaves */
} Ear;

/* Of each person in the main room, the last line that was heard before some line. */
typedef struct Order {
    unsigned number; /* of that line; 0: of none */
    unsigned *last;  /* ORDER_UNKNOWN: nobody has heard it yet for whom that is not a line of its own */
} Order;
#define ORDER_UNKNOWN UINT32_MAX

typedef struct Partner {
    unsigned whom;
    unsigned said, heard;
} Partner;

typedef struct Client {
    unsigned id;
    int fd;
    Room *rooms[N_CHANNELS];
    uint64_t random;
    bool is_unix, is_slow, is_early; /* early: shuts down its side while others still talk */
    bool is_connected, is_readable, is_writable;
    bool is_gone; /* the connection is over, or never was */
    bool is_lost; /* it is, and should not be: what of its lines was executed is not known */

    /* As the server will have it after all that was said. */
    unsigned said[N_CHANNELS];
    int current;
    bool in_side, is_away, ignores;
    char variant;
    unsigned side_before; /* lines of its own in the side room before it joined */
    unsigned n_unique, away_since;
    unsigned telnet_said;
    unsigned n_owed; /* lines for those who read at once, in what is not yet sent */
    Partner partners[PARTNERS];

    /* As far as it has heard. */
    unsigned heard[N_CHANNELS]; /* of its lines, by anybody */
    Ear *ears[N_CHANNELS];
    Order *orders; /* of what it says in the main room */
    unsigned n_orders;
    int heard_current;
    bool heard_in_side;
    bool is_greeted, is_quiet, is_ready, is_leaving, is_shut, has_spoken, is_bidden;
    enum { TOPIC_NONE, TOPIC_MAY, TOPIC_MUST } topic_next;
    unsigned n_history;   /* lines that may still be history of the side room */
    unsigned n_private;   /* private lines under way to it */
    unsigned n_unsettled; /* /nick and /away that are not answered */
    unsigned n_repeated;
    unsigned telnet_heard;
    Answer answers[ANSWERS_MAX];
    unsigned first_answer, n_answers;
    char last_answer[ANSWER_BYTES];

    uint64_t write_at; /* not before this */
    size_t n_in, n_out, n_before;
    char before[KEPT_BYTES]; /* the line before */
    char in[IN_BYTES];
    char out[OUT_BYTES];
} Client;

enum { PARTING_QUIT, PARTING_SHUT, PARTING_VANISH, N_PARTINGS };

typedef struct Visitor {
    int fd;
    bool is_unix, is_settled, has_parted, is_dismissed;
    unsigned parting, cut, n_said, n_lines;
    uint64_t until; /* stays, or stays away */
    size_t n_in;
    char in[IN_BYTES];
} Visitor;

typedef struct Options {
    const char *tcp, *path, *name;
    unsigned clients, room_size, rate, seconds, restarts, slow, early, unix_share, visitors, deadline;
    uint64_t seed;
    bool is_lossy;
} Options;

typedef enum Phase {
    PHASE_COME,
    PHASE_TALK,
    PHASE_SPEAK_OUT, /* nobody says anything new; all that was said is executed */
    PHASE_HEAR_OUT,  /* everybody hears all of it, and leaves */
    PHASE_OVER,
} Phase;

typedef struct Storm {
    Options options;
    Phase phase;
    uint64_t now, phase_began, talk_end, credit_at; /* milliseconds */
    uint64_t credit;                                /* thousandths of lines that are due */
    int epoll_fd;
    struct sockaddr_storage address; /* of options.tcp */
    socklen_t address_n;
    uint64_t random;
    Client *clients;
    Visitor *visitors;
    Room *mains, *sides;
    unsigned n_mains, n_sides;
    uint64_t n_said, n_heard, n_repeated, n_skips, n_visits;
    unsigned n_newcomers_lost;
    bool visitors_are_gone;
    uint64_t n_owed; /* lines that somebody who reads at once has not heard yet */
    uint64_t heard_at, silence;
    unsigned n_findings;
} Storm;

/* storm-text.c */
uint64_t random_next(uint64_t *state);
/* From 0 to n - 1. */
unsigned random_below(uint64_t *state, unsigned n);
void nick_format(const Storm *storm, unsigned id, char variant, char nick[NAME_BYTES]);
/* A text of at most `max` bytes, at least 64, that ends with a NUL. Returns its length. */
size_t mark_format(const Storm *storm, const Mark *mark, uint64_t *random, size_t max, char text[TEXT_BYTES]);
MarkResult mark_parse(const Storm *storm, const char *text, size_t n, Mark *ret_mark);
/* What is not printable ASCII as \xNN. Returns `to`. */
char *text_escape(const char *from, size_t n, char *to, size_t size);

/* The telnet option that is asked for the n-th time. */
static inline uint8_t telnet_option(unsigned n)
{
    return (uint8_t) (' ' + n % 90);
}

/* storm-say.c */
void say_greetings(Storm *storm, Client *client);
/* Says one line or gives one command; false: not now. */
bool say_something(Storm *storm, Client *client);
bool awaits(const Client *client, Effect effect);
void say_last_word(Storm *storm, Client *client);
void say_end_of_speech(Storm *storm, Client *client);
void say_goodbye(Storm *storm, Client *client);

/* storm-hear.c: judges what stands in client->in. */
void hear(Storm *storm, Client *client);
/* What others have heard of the channel by now, this person must hear before it leaves. */
void hear_require(Storm *storm, Client *client, int channel);
/* All that was said has been executed, and this person has heard what came of it. */
void hear_completely(Storm *storm, Client *client);
/* It has left the side room, or the chat: it must have heard what is required. */
void hear_required(Storm *storm, Client *client, int channel);
/* The connection has ended. */
void hear_end(Storm *storm, Client *client);

typedef struct Speech {
    char form; /* as the kind of a mark */
    const char *room, *nick, *text;
    size_t room_n, nick_n, text_n; /* the room with its #; 0: none was named */
} Speech;
void hear_speech(Storm *storm, Client *client, const Speech *speech, const char *line, size_t n);
static inline bool begins_with(const char *text, size_t n, const char *beginning)
{
    return n >= strlen(beginning) && memcmp(text, beginning, strlen(beginning)) == 0;
}

/* storm-answer.c: the lines of the server itself. */
void hear_server_line(Storm *storm, Client *client, const char *line, size_t n);
/* Whether `line` was the topic that goes with the answer before. */
bool hear_topic_line(Storm *storm, Client *client, const char *line, size_t n);

/* storm.c */
void storm_find(Storm *storm, const Client *client, const char *line, size_t n, const char *format, ...)
    _printf_(5, 6); /* client: NULL for visitors */
static inline Client *room_person(const Storm *storm, const Room *room, unsigned place)
{
    return &storm->clients[room->first + place * room->step];
}
static inline unsigned room_place(const Room *room, unsigned id)
{
    return (id - room->first) / room->step;
}

/* Whether somebody may lose lines. */
static inline bool storm_forgives(const Storm *storm, const Client *client)
{
    return storm->options.is_lossy && client->is_slow;
}

/*
 * A server that dies after it has accepted a connection, and before it has put that anywhere, loses it: one
 * newcomer each time. Whether that may have been now.
 */
static inline bool storm_may_lose_newcomer(Storm *storm)
{
    return storm->n_newcomers_lost++ < storm->options.restarts;
}

/* storm-options.c: false: that was wrong, and has been told. Does not return from --help. */
bool options_parse(Storm *storm, int argc, char **argv);

/* storm-visit.c: true when nobody is there any more. */
bool visitors_tick(Storm *storm);
void visitors_find(Storm *storm);

/* storm-client.c */
/* A new socket that connects, or -1 with errno. */
int storm_connect(const Storm *storm, bool is_unix, bool is_slow);
void client_open(Storm *storm, Client *client);
void client_read(Storm *storm, Client *client);
void client_write(Storm *storm, Client *client);
void client_close(Storm *storm, Client *client);
