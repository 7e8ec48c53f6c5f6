/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* What lines do: speech, and the commands about people and the service. */

#include <stdio.h>

#include "config.h"

#include "chat/command.h"
#include "chat/session.h"
#include "unit/play.h"

START_TEST(test_unknown)
{
    PLAY(NULL, {'a', "/jion #dev", "!! Unknown command /jion. Did you mean /join? /help lists them.\n", ""},
         {'a', "/JOIN #dev", "!! Unknown command /JOIN. Did you mean /join? /help lists them.\n", ""},
         {'a', "/xyzzy",
          "!! Unknown command /xyzzy. /help lists them; two slashes say a line that begins with one.\n", ""},
         {'a', "/", "!! Unknown command /. /help lists them; two slashes say a line that begins with one.\n",
          ""},
         {'a', "/ me waves",
          "!! Unknown command /. /help lists them; two slashes say a line that begins with one.\n", ""},
         {'a', "/a23456789012345678901234567890%s",
          "!! Unknown command /a23456789012345678901234567890%s. /help lists them; two slashes say a line "
          "that begins "
          "with one.\n",
          ""},
         {'a', "/a23456789012345678901234567890123",
          "!! Unknown command. /help lists them; two slashes say a line that begins with one.\n", ""},
         {'a', "/nick", "!! /nick needs more words: /nick NAME\n", ""},
         {'a', "/msg", "!! /msg needs more words: /msg NICK TEXT\n", ""},
         {'a', "/join  ", "!! /join needs more words: /join #ROOM\n", ""},
         {'a', "/rooms now", "!! /rooms is a command without more words.\n", ""},
         {'a', "/quit now", "!! /quit is a command without more words.\n", ""});
}
END_TEST

START_TEST(test_speech)
{
    PLAY(NULL, {'a', "", "", ""}, {'a', "   ", "", ""}, {'a', "\t\t", "", ""}, {'a', "\x07\x1b", "", ""},
         {'a', "\xe2\x80\x8b", "", ""}, /* nothing that can be seen */
         {'a', "hello", "", "[12:03] <alice> hello\n"}, {'a', "  hello  ", "", "[12:03] <alice>   hello\n"},
         {'a', "//join", "", "[12:03] <alice> /join\n"}, {'a', "//", "", "[12:03] <alice> /\n"},
         {'a', "///", "", "[12:03] <alice> //\n"}, {'a', "/\x07/join", "", "[12:03] <alice> /join\n"},
         {'a', "\x1b/join", "!! /join needs more words: /join #ROOM\n", ""},
         {'a', " /join", "", "[12:03] <alice>  /join\n"},
         {'a', "\x1b[31mred\x07", "", "[12:03] <alice> [31mred\n"},
         {'a',
          "a\xfe"
          "b",
          "",
          "[12:03] <alice> a\xef\xbf\xbd"
          "b\n"},
         {'a', "-- bob is here", "", "[12:03] <alice> -- bob is here\n"},
         {'a', "hello\r[12:03] <bob> I am bob", "", "[12:03] <alice> hello[12:03] <bob> I am bob\n"},
         {'a', "one\ntwo", "", "[12:03] <alice> one\n[12:03] <alice> two\n"},
         {'a', "/me waves", "", "[12:03] * alice waves\n"},
         {'a', "/me   waves  ", "", "[12:03] * alice waves\n"},
         {'a', "/me", "!! /me needs more words: /me ACTION\n", ""});
}
END_TEST

/* In pieces: a character that is cut in two between two reads is one character. */
START_TEST(test_pieces)
{
    static const char LINE[] = "gr\xc3\xbc\xc3\x9f dich \xf0\x9f\x91\x8b\r\n";
    Harness *harness = harness_new(NULL, 10);
    Client *alice = client_named(harness, "alice"), *bob = client_named(harness, "bob");

    for (size_t i = 0; i < sizeof LINE - 1; i++) {
        ck_assert_str_eq(client_take(bob), "");
        client_type(alice, LINE + i, 1);
        harness_turn(harness);
    }
    ck_assert_str_eq(client_take(bob), "[12:03] <alice> gr\xc3\xbc\xc3\x9f dich \xf0\x9f\x91\x8b\n");
    harness_free(harness);
}
END_TEST

/* 2000 bytes and no more; with each of them cleaned to three. */
START_TEST(test_length)
{
    static const char NO[] =
        "!! That line had more than 2000 bytes and was not sent. The rest of it was skipped.\n";
    Harness *harness = harness_new(NULL, 10);
    Client *alice = client_named(harness, "alice"), *bob = client_named(harness, "bob");
    static char line[9000];

    memset(line, 'x', sizeof line);
    client_say(harness, alice, "%.2000s", line);
    ck_assert_uint_eq(strlen(client_take(bob)), 2000 + strlen("[12:03] <alice> \n"));
    ck_assert_str_eq(client_take(alice), "");
    client_say(harness, alice, "%.2001s", line);
    ck_assert_str_eq(client_take(bob), "");
    ck_assert_str_eq(client_take(alice), NO);
    client_type(alice, line, sizeof line);
    harness_turn(harness);
    client_type(alice, line, sizeof line);
    harness_turn(harness);
    client_say(harness, alice, "the end of it");
    client_say(harness, alice, "hello");
    ck_assert_str_eq(client_take(alice), NO);
    ck_assert_str_eq(client_take(bob), "[12:03] <alice> hello\n");
    memset(line, 0xff, sizeof line);
    for (unsigned i = 0; i < 2000; i++)
        line[i] = (char) 0xfe;
    client_say(harness, alice, "%.2000s", line);
    ck_assert_uint_eq(strlen(client_take(bob)), 6000 + strlen("[12:03] <alice> \n"));
    harness_free(harness);
}
END_TEST

/* A last line without an end counts; what was not read before is still delivered, and then the server closes.
 */
START_TEST(test_end_of_input)
{
    Harness *harness = harness_new(NULL, 10);
    Client *alice = client_named(harness, "alice"), *bob = client_named(harness, "bob");

    client_stop(alice);
    client_say(harness, bob, "hi");
    client_type(alice, "hello\r\n/time\nlast", 17);
    alice->has_ended = true;
    harness_turn(harness);
    harness_turn(harness);
    ck_assert(!alice->is_gone);
    client_say(harness, bob, "too late");
    client_open_window(harness, alice, SIZE_MAX);
    harness_turn(harness);
    ck_assert_str_eq(client_take(alice), "[12:03] <bob> hi\n-- 2026-11-22 12:03:04 UTC (+0000)\n");
    ck_assert_str_eq(client_take(bob), "[12:03] <alice> hello\n[12:03] <alice> last\n");
    ck_assert(alice->is_gone);
    harness_turn(harness);
    ck_assert_str_eq(client_take(bob), "-- alice has left\n");
    harness_free(harness);
}
END_TEST

START_TEST(test_nick)
{
    PLAY(NULL, {'a', "/nick 1st", "!! You can not be called that: it has to begin with a letter or _.\n", ""},
         {'a', "/nick bob", "!! Somebody else is called bob. Choose another.\n", ""},
         {'a', "/nick BOB", "!! Somebody else is called BOB. Choose another.\n", ""},
         {'a', "/nick guest7", "!! Names like guest7 are given to guests. Choose another.\n", ""},
         {'a', "/nick olga\u1429",
          "!! olga\u1429 looks as if it had the mark of an account. Choose another.\n", ""},
         {'a', "/nick GUEST99", "!! Names like GUEST99 are given to guests. Choose another.\n", ""},
         {'a', "/nick abcdefghijklmnopqrstuvwxy", "!! A nick may have 24 characters; that one has more.\n",
          ""},
         {'a', "/nick abcdefghijklmnopqrstuvwx", "-- You are now abcdefghijklmnopqrstuvwx.\n",
          "-- alice is now abcdefghijklmnopqrstuvwx\n"},
         {'a', "/nick guesty", "-- You are now guesty.\n", "-- abcdefghijklmnopqrstuvwx is now guesty\n"},
         {'a', "/nick Zo\xc3\xab", "-- You are now Zo\xc3\xab.\n", "-- guesty is now Zo\xc3\xab\n"},
         {'a', "/nick Zoe\xcc\x88", "-- You are now Zo\xc3\xab.\n", "-- Zo\xc3\xab is now Zo\xc3\xab\n"},
         {'b', "/nick zoe\xcc\x88", "", "!! Somebody else is called zo\xc3\xab. Choose another.\n"},
         {'b', "/nick alice", "-- bob is now alice\n", "-- You are now alice.\n"});
}
END_TEST

START_TEST(test_private)
{
    PLAY(
        NULL, {'a', "/msg bob", "!! /msg needs more words: /msg NICK TEXT\n", ""},
        {'a', "/msg nobody hi", "!! Nobody here is called nobody. /who lists who is.\n", ""},
        {'a', "/reply hi", "!! Nobody has said anything to you in private yet. /msg NICK TEXT begins.\n", ""},
        {'a', "/msg BOB  psst,  bob", "", "[12:03] (private) <alice> psst,  bob\n"},
        {'b', "/reply yes?", "[12:03] (private) <bob> yes?\n", ""},
        {'a', "/nick alicia", "-- You are now alicia.\n", "-- alice is now alicia\n"},
        {'b', "/reply still you", "[12:03] (private) <bob> still you\n", ""},
        {'a', "/msg alicia me", "[12:03] (private) <alicia> me\n", ""},
        {'b', "/away lunch", "",
         "-- You are away. Whoever writes to you is told; /away says that you are back.\n"},
        {'a', "/msg bob hi", "-- bob is away: lunch\n", "[12:03] (private) <alicia> hi\n"},
        {'b', "/away", "", "-- You are back.\n"}, {'a', "/msg bob hi", "", "[12:03] (private) <alicia> hi\n"},
        {'b', "/away", "", "-- You are away. Whoever writes to you is told; /away says that you are back.\n"},
        {'a', "/msg bob hi", "-- bob is away.\n", "[12:03] (private) <alicia> hi\n"},
        {'c', "/msg alicia hi", "[12:03] (private) <carol> hi\n", ""},
        {'c', "/quit", "-- carol has left\n", "-- carol has left\n"},
        {'a', "/reply hi", "!! Whoever spoke to you in private last has left. Your line was not sent.\n",
         ""});
}
END_TEST

/* Somebody who came later, in the place and under the name of who left, is not who spoke. */
START_TEST(test_reply_to_next_in_place)
{
    Harness *harness = harness_new(NULL, 2);
    Client *alice = client_named(harness, "alice"), *bob = client_named(harness, "bob");
    uint32_t place = bob->session;

    client_say(harness, bob, "/msg alice hi");
    client_say(harness, bob, "/quit");
    bob = client_named(harness, "bob");
    ck_assert_uint_eq(bob->session, place);
    client_say(harness, alice, "/reply hi");
    ck_assert_str_eq(client_take(alice),
                     "!! Whoever spoke to you in private last has left. Your line was not sent.\n");
    ck_assert_str_eq(client_take(bob), "");
    harness_free(harness);
}
END_TEST

START_TEST(test_away_length)
{
    static const char TOO_LONG[] = "!! That text may have 300 bytes; yours has 301.\n";
    Harness *harness = harness_new(NULL, 10);
    Client *alice = client_named(harness, "alice");

    client_say(harness, alice, "/away %0301d", 0);
    ck_assert_str_eq(client_take(alice), TOO_LONG);
    client_say(harness, alice, "/away %0300d", 0);
    ck_assert_mem_eq(client_take(alice), "-- You are away.", 16);
    /* Another text takes the place of the first. */
    client_say(harness, alice, "/away two");
    (void) client_take(alice);
    client_say(harness, alice, "/msg alice hi");
    ck_assert_str_eq(client_take(alice), "[12:03] (private) <alice> hi\n-- alice is away: two\n");
    harness_free(harness);
}
END_TEST

START_TEST(test_ignore)
{
    PLAY(NULL, {'a', "/ignore 1", "!! That is not a nick: it has to begin with a letter or _.\n", ""},
         {'a', "/ignore alice", "!! You can not ignore yourself.\n", ""},
         {'a', "/ignore", "-- You ignore nobody.\n", ""},
         {'a', "/ignore BOB", "-- You ignore BOB now. The same command again ends it.\n", ""},
         {'b', "hello", "", ""},
         {'a', "/ignore zed", "-- You ignore zed now. The same command again ends it.\n", ""},
         {'a', "/ignore", "-- You ignore BOB, zed.\n", ""},
         {'a', "/ignore bob", "-- You hear bob again.\n", ""}, {'b', "hello", "[12:03] <bob> hello\n", ""},
         {'b', "/nick zed", "-- bob is now zed\n", "-- You are now zed.\n"}, {'b', "hello", "", ""},
         {'a', "/ignore", "-- You ignore zed.\n", ""});
}
END_TEST

START_TEST(test_ignore_max)
{
    Harness *harness = harness_new(NULL, 10);
    Client *alice = client_named(harness, "alice");

    for (unsigned i = 0; i < 32; i++)
        client_say(harness, alice, "/ignore bob%u", i);
    ck_assert_ptr_nonnull(strstr(client_take(alice), "You ignore bob31 now."));
    client_say(harness, alice, "/ignore carol");
    ck_assert_str_eq(client_take(alice),
                     "!! You ignore as many as you may: 32. /ignore lists them, /ignore NICK ends one.\n");
    harness_free(harness);
}
END_TEST

START_TEST(test_whois)
{
    Harness *harness = harness_new(NULL, 10);
    Client *alice = client_named(harness, "alice"), *bob = client_named(harness, "bob");

    client_say(harness, alice, "/whois nobody");
    ck_assert_str_eq(client_take(alice), "!! Nobody here is called nobody. /who lists who is.\n");
    client_say(harness, alice, "/whois BOB");
    ck_assert_str_eq(client_take(alice),
                     "-- bob is in #lobby.\n-- Came less than a minute ago, has said nothing yet.\n");
    harness_wait(harness, 59 * 60 * USEC_PER_SEC);
    client_say(harness, bob, "/join #dev");
    client_say(harness, bob, "/me waves");
    client_say(harness, bob, "/away lunch");
    harness_wait(harness, 60 * USEC_PER_SEC);
    client_say(harness, alice, "/whois bob");
    ck_assert_str_eq(client_take(alice),
                     "-- bob is in #dev, #lobby.\n-- Came 1 h 0 min ago, spoke 1 min ago.\n-- Away: lunch\n");
    harness_free(harness);
}
END_TEST

START_TEST(test_set)
{
    PLAY(NULL,
         {'a', "/set noise on", "!! There is no such setting. There are time, bell, color, joins and mark.\n",
          ""},
         {'a', "/set time", "!! This setting is on or off: /set time on\n", ""},
         {'a', "/set time maybe", "!! This setting is on or off: /set time on\n", ""},
         {'a', "/set time on off", "!! This setting is on or off: /set time on\n", ""},
         {'a', "/set", "-- time on, bell off, color off, joins on, mark unicode.\n", ""},
         {'a', "/set time off", "-- time is off now.\n", ""}, {'b', "hello", "<bob> hello\n", ""},
         {'a', "/set bell  on", "-- bell is on now.\n", ""},
         {'b', "hello Alice", "<bob> hello Alice\a\n", ""}, {'b', "hello malice", "<bob> hello malice\n", ""},
         {'b', "/me greets alice", "* bob greets alice\a\n", ""},
         {'b', "/msg alice you, alice", "(private) <bob> you, alice\a\n", ""},
         {'b', "/topic alice", "-- bob set the topic: alice\n", "-- The topic of #lobby is set.\n"},
         {'a', "/set joins off", "-- joins is off now.\n", ""},
         {'c', "hello", "<carol> hello\n", "[12:03] <carol> hello\n"},
         {'c', "/quit", "", "-- carol has left\n"},
         {'a', "/set", "-- time off, bell on, color off, joins off, mark unicode.\n", ""});
}
END_TEST

START_TEST(test_color)
{
    Harness *harness = harness_new(NULL, 10);
    Client *alice = client_named(harness, "alice"), *bob = client_named(harness, "bob");
    char first[80];

    client_say(harness, alice, "/set color on");
    (void) client_take(alice);
    client_say(harness, bob, "hello");
    (void) strcpy(first, client_take(alice));
    ck_assert_mem_eq(first, "[12:03] <\x1b[", 11);
    ck_assert_str_eq(first + 14, "bob\x1b[0m> hello\n");
    /* The same whatever the case, and whoever bears it. */
    client_say(harness, bob, "hello");
    ck_assert_str_eq(client_take(alice), first);
    client_say(harness, bob, "/quit");
    bob = client_named(harness, "BOB");
    client_say(harness, bob, "hello");
    memcpy(first + 14, "BOB", 3);
    ck_assert_str_eq(client_take(alice), first);
    harness_free(harness);
}
END_TEST

START_TEST(test_server)
{
    PLAY(NULL, {'a', "/time", "-- 2026-11-22 12:03:04 UTC (+0000)\n", ""},
         {'a', "/version",
          "-- " PACKAGE_NAME " " PACKAGE_VERSION
          ". The service is up since 2026-11-22 12:03:04 UTC (+0000), this "
          "process since 2026-11-22 12:03:04 UTC (+0000); 0 restarts survived.\n",
          ""},
         {'a', "/help nothing", "!! There is no such command. /help lists them.\n", ""},
         {'a', "/help nick", "-- /nick NAME            take another name\n", ""},
         {'a', "/help /me", "-- /me ACTION            say what you do: * alice waves\n", ""},
         {'a', "/quit", "-- Goodbye.\n", "-- alice has left\n"});
}
END_TEST

/* /help lists every command of the table, to somebody who may use them all. */
START_TEST(test_help)
{
    Harness *harness = harness_new(NULL, 10);
    Client *alice = client_account(harness, "root", 0);
    const char *help;
    char text[80];

    harness_turn(harness);
    harness_take_all(harness);

    client_say(harness, alice, "/help");
    help = client_take(alice);
    for (const Command *command = COMMANDS; command->name != NULL; command++) {
        (void) snprintf(text, sizeof text, "\n-- /%s ", command->name);
        ck_assert_msg(command == COMMANDS ? strncmp(help, text + 1, strlen(text) - 1) == 0
                                          : strstr(help, text) != NULL,
                      "%s", text);
        ck_assert_ptr_nonnull(strstr(help, command->help));
    }
    harness_free(harness);
}
END_TEST

START_TEST(test_quit)
{
    Harness *harness = harness_new(NULL, 10);
    Client *alice = client_named(harness, "alice"), *bob = client_named(harness, "bob");

    client_type(alice, "/quit\nhello\n", 12);
    harness_turn(harness);
    ck_assert_str_eq(client_take(alice), "-- Goodbye.\n");
    ck_assert(alice->is_gone);
    harness_turn(harness);
    ck_assert_str_eq(client_take(bob), "-- alice has left\n");
    harness_free(harness);
}
END_TEST

START_TEST(test_command_is)
{
    ck_assert(!command_is("", 0));
    ck_assert(!command_is("hello", 5));
    ck_assert(!command_is(" /me", 4));
    ck_assert(!command_is("//me", 4));
    ck_assert(!command_is("//", 2));
    ck_assert(command_is("/", 1));
    ck_assert(command_is("/me", 3));
    ck_assert(command_is("/ /", 3));
}
END_TEST

START_TEST(test_arguments)
{
    Arguments arguments = {.text = "one  two three", .n = 14};

    ck_assert(arguments_equal(arguments_next(&arguments), "one"));
    ck_assert(arguments_equal(arguments, "two three"));
    ck_assert(arguments_equal(arguments_next(&arguments), "two"));
    ck_assert(arguments_equal(arguments_next(&arguments), "three"));
    ck_assert_uint_eq(arguments_next(&arguments).n, 0);
    ck_assert_uint_eq(arguments.n, 0);
}
END_TEST

UNIT_MAIN("command", test_unknown, test_speech, test_pieces, test_length, test_end_of_input, test_nick,
          test_private, test_reply_to_next_in_place, test_away_length, test_ignore, test_ignore_max,
          test_whois, test_set, test_color, test_server, test_help, test_quit, test_command_is,
          test_arguments)
