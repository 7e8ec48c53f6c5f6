/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdlib.h>
#include <string.h>

#include "lib/account.h"
#include "lib/match.h"

#define CUT "\xe2\x80\xa6" /* U+2026 at the end of a line of which the rest is lost */

static char letter_of(int i)
{
    return (char) ('a' + i % 26);
}

void account_say(Client *speaker, int i, size_t n_text)
{
    client_say(speaker, "%06d %s", i, run_of(letter_of(i), n_text));
}

void account_expect(Client *listener, const char *speaker, int i, size_t n_text)
{
    client_expect_next(listener, "[{time}] <%s> %06d %s", speaker, i, run_of(letter_of(i), n_text));
}

static void count_skipped(Account *account, const char *number, int may_repeat)
{
    int n_skipped = atoi(number);

    ck_assert_int_gt(n_skipped, 0);
    account->was_cut = false;
    if (n_skipped == account->n_just_skipped && account->n_repeated < may_repeat) {
        account->n_repeated++;
        return;
    }
    account->n_just_skipped = n_skipped;
    account->n_skipped += n_skipped;
    account->next += n_skipped;
}

/* A line of the talk, whole or cut, or the notice of what was skipped. False if it is another line. */
static bool account_line(Client *client, Account *account, int may_repeat)
{
    const char *line = client->line, *text = strstr(line, "> ");
    int number;
    size_t n;

    if (match_line("-- You read too slowly: {any} skipped.", line, client->n_line)) {
        count_skipped(account, line + strlen("-- You read too slowly: "), may_repeat);
        return true;
    }
    account->n_just_skipped = 0;
    ck_assert_msg(!account->was_cut, "a line was cut, but the next one is no notice: %s", line);
    if (client->n_line >= strlen(CUT) && strcmp(line + client->n_line - strlen(CUT), CUT) == 0) {
        account->was_cut = true;
        return true;
    }
    if (text == NULL)
        return false;
    text += strlen("> ");
    number = atoi(text);
    if (number == account->next - 1 && account->n_repeated < may_repeat)
        account->n_repeated++;
    else
        ck_assert_msg(number == account->next++, "[%s] line %d expected, this came: %.40s", suite_get_note(),
                      account->next - 1, line);
    text += 7;
    n = strspn(text, (char[]){letter_of(number), '\0'});
    ck_assert_msg(n == account->n_text && text[n] == '\0', "line %d is torn: %zu letters, then %.40s", number,
                  n, text + n);
    return true;
}

Account account_for(Client *client, int n_lines, size_t n_text, int may_repeat)
{
    Account account = {.n_text = n_text};

    client_say(client, "/version");
    for (;;) {
        const char *line = client_take_line(client);

        ck_assert_msg(line != NULL, "the server closed the connection");
        if (strncmp(line, "-- chatd ", 9) == 0) {
            /* It may be the answer to an earlier question that came twice. */
            if (account.next == 0 && account.n_repeated++ < may_repeat)
                continue;
            break;
        }
        ck_assert_msg(account_line(client, &account, may_repeat), "what is this? %s", line);
    }
    ck_assert_int_eq(account.next, n_lines);
    return account;
}
