/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * What is worth telling the administrator. An event has a message id (systemd.journal-fields(7)), explained
 * in the message catalog, and the fields that apply. Where events go is the sink's business: host/journal.
 * What people say is never part of an event, but for the line that ended a process, and what operators and
 * founders give as the reason of what they do.
 */

#include <stdint.h>
#include <syslog.h>

#include "base/macro.h"

#define LOG_ID_STARTED "1573be1318264568a95eebd5349d84d1"
#define LOG_ID_STOPPED "1b3d0583c8bf4523bab0b2188cab7bcf"
#define LOG_ID_CONFIG_RELOADED "1fbe35a78fec4063b18f4eb342513c4e"
#define LOG_ID_CONFIG_REFUSED "7441687b4953446c93fb29fd199a8927"
#define LOG_ID_CONFIG_WARNING "51468747b59d404cb7730fb5c623b8f5"
#define LOG_ID_SOCKET_UNKNOWN "cd014bfbde7c4b1d90b83ba534a868b5"
#define LOG_ID_LISTENER_PAUSED "dd99dfb08e1742e2ac71d495bcb805ed"
#define LOG_ID_LISTENER_RESUMED "60619a5a563e47df88822e8ac80634e2"
#define LOG_ID_LIMIT_REACHED "45158795e42e490faed19c0b949b03d4"
#define LOG_ID_CLIENT_CONNECTED "d26092fcdd3d4775942f3d872f32d731"
#define LOG_ID_CLIENT_LEFT "3710a3a31b8d4440a829431b40b9fc8e"
#define LOG_ID_LOG_DROPPED "c80c6100e372409d9bef56b0d3c97bc7"
#define LOG_ID_ADOPTED "059b826c410649fb8871069f083822d5"
#define LOG_ID_CULPRIT "c8545a25ad454151bd1bae3e5004bebc"
#define LOG_ID_STATE_REFUSED "6af83953ddac4b79b06cd53e24ca4076"
#define LOG_ID_STATE_SET_ASIDE "0914048700ab45f7a825b8fb2bcd5370"
#define LOG_ID_NO_STORE "ff1d58c4276242b78df0db065946eea6"
#define LOG_ID_HISTORY_LOST "b227be29e76b4bc2b4e02c5fa120266f"
#define LOG_ID_ARCHIVE_STOPPED "612a450205034b079d69fd2a5329dc6e"
#define LOG_ID_ARCHIVE_RESUMED "b81bb6f614e4496a904a68a3d565e5db"
#define LOG_ID_ARCHIVE_ASIDE "f2cd64b6a2ec439fbbeb2808c58f7e79"
#define LOG_ID_ARCHIVE_LOST "9c5d5052140946f0a2d952ac81d9e87c"
#define LOG_ID_ROOM_GIVEN_UP "076065075381475d90869dc30b5562d9"
/* What operators do. */
#define LOG_ID_KICKED "795894604a064562b06eac9f49c690b4"
#define LOG_ID_BANNED "0f567185f7ce4722a325157df46f4e42"
#define LOG_ID_UNBANNED "2fe470b612c9469fac2a3a4d9dccbfd1"
#define LOG_ID_MUTED "7a30882b4c654f2d8f9877fced2d90c5"
#define LOG_ID_UNMUTED "953ad7631a984ed58d42583408529993"
#define LOG_ID_ANNOUNCED "e5427c5991bb407bbb5698e30e7aa1fb"

#define LOG_ID_OP "4eadf1e0fd904febaf33026eaf1286ff"
#define LOG_ID_DEOP "b6a0e3882fc54339acca5016dad2b504"
/* What founders do to their rooms, and operators to any. */
#define LOG_ID_ROOM_LOCKED "ecdcfd1a2c504db4993e0ab6f57163a6"
#define LOG_ID_ROOM_UNLOCKED "b9b3a8e39ee3486ca998328e077193ac"
#define LOG_ID_TOPIC_LOCKED "20841d8479624aa3af3ec4b54e72b1ae"
#define LOG_ID_TOPIC_UNLOCKED "7cf3fc84ea924adabec31ef4fcffc060"
#define LOG_ID_TOPIC_SET "f69f7cc4e5c14ccba6900f065fb2aded"
#define LOG_ID_ROOM_HIDDEN "97b5cf287634464b9b1855842396cfc3"
#define LOG_ID_ROOM_SHOWN "d2273998387b4a23bd7ccde0ee2293b7"
#define LOG_ID_INVITED "a84ea9033d814c6eb7db78b7747ad27f"
#define LOG_ID_UNINVITED "a9752602dea646468e25adbf42166e48"
#define LOG_ID_DELETED "b73ce63e2c8242a99e9c89d65fab7fe7"
#define LOG_ID_PUT_OUT "0ac7a75bebd34ecaa6ded4084c7dbac1"
#define LOG_ID_ROOM_GIVEN "0ee1f355e5a64746b1ae8c674401c7ea"
#define LOG_ID_ROOM_CLOSED "6a01893c0f8e4c26a0a0bc73cb5770d7"

/* All strings are borrowed for the time of the call; NULL: does not apply. */
typedef struct LogEvent {
    int priority; /* syslog(3) */
    const char *id;
    const char *nick;
    const char *whom;   /* to whom an operator or a founder did it */
    const char *reason; /* which they gave */
    const char *room;
    const char *peer;
    const char *limit; /* the key in chatd.conf(5) */
    const char *line;  /* that somebody typed, escaped; only of LOG_ID_CULPRIT */
    const char *config_file;
    unsigned config_line; /* 0: none */
    const char *message;  /* set by log_event() */
} LogEvent;

/* Must not block and must not fail. */
typedef void (*LogSink)(void *userdata, const LogEvent *event);

typedef struct Log {
    LogSink sink; /* NULL: nothing is logged */
    void *userdata;
} Log;

void log_event(const Log *log, LogEvent event, const char *format, ...) _printf_(3, 4);
