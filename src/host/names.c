/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include "base/error.h"
#include "base/macro.h"
#include "host/input.h"
#include "host/names.h"
#include "host/server.h"

static NameStanding look_up(void *userdata, const Name *name, uint32_t *ret_uid)
{
    Server *server = userdata;
    uid_t uid;

    switch (accounts_name(server->accounts, name, server->chat->now, &uid)) {
    case ACCOUNT_FREE:
        return NAME_IS_FREE;
    case ACCOUNT_TAKEN:
        *ret_uid = uid;
        return NAME_IS_RESERVED;
    case ACCOUNT_UNKNOWN:
        return NAME_IS_AWAITED;
    default:
        return NAME_IS_UNSURE;
    }
}

int names_open(Server *server)
{
    bool is_needed = false;

    for (unsigned i = 0; i < server->n_listeners; i++)
        is_needed = is_needed || server->listeners[i].is_local;
    if (!is_needed)
        return 0;
    server->chat->look_up = look_up;
    server->chat->look_up_userdata = server;
    return error_trace(accounts_new(NULL, &server->accounts));
}

void names_close(Server *server)
{
    server->accounts = accounts_free(server->accounts);
}

int names_take(Server *server)
{
    if (server->accounts == NULL || !accounts_take(server->accounts, server->chat->now))
        return 0;
    input_look_again(server);
    return error_trace(arrivals_look(server));
}
