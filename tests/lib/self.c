/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <pwd.h>
#include <unistd.h>

#include "base/name.h"
#include "host/accounts.h"
#include "lib/self.h"

const char *self_name(void)
{
    const struct passwd *entry = getpwuid(getuid());
    static Name name;

    ck_assert_msg(entry != NULL && accounts_is_person(getuid()),
                  "whoever runs the tests has no account of a person");
    ck_assert_int_eq(name_from_login(entry->pw_name, &name), 0);
    return name.bytes;
}

Client *self_connect(Daemon *daemon, size_t listener)
{
    Client *client = client_open(daemon, .listener = listener);

    client_expect(client, "-- Welcome to {any}. You are %s" MARK "; {any}", self_name());
    return client;
}
