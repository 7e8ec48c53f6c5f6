/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/*
 * Crash points, every one: the process is killed at its first, its second, and so on, and whatever anybody
 * reads is what they would have read without that.
 */

#include "daemon/scenario.h"

#define LETTERS10 "abcdefghij"
#define LETTERS50 LETTERS10 LETTERS10 LETTERS10 LETTERS10 LETTERS10
#define LETTERS200 LETTERS50 LETTERS50 LETTERS50 LETTERS50
#define LETTERS2000                                                                                          \
    LETTERS200 LETTERS200 LETTERS200 LETTERS200 LETTERS200 LETTERS200 LETTERS200 LETTERS200 LETTERS200       \
        LETTERS200

/* However lines are cut into packets. */
static const ScriptStep lines[] = {
    THREE,
    SENDS('a', "hello\n", {"bu", T "<alice> hello\n"}),
    SENDS('u', "hi alice\n", {"ab", T "<uma> hi alice\n"}),
    SENDS('a', "one\ntwo\r\nthree\n", {"bu", T "<alice> one\n" T "<alice> two\n" T "<alice> three\n"}),
    SENDS('u', "four\nfive\n", {"ab", T "<uma> four\n" T "<uma> five\n"}),
    SENDS('b', "this is ha"),
    SENDS('a', "between\n", {"bu", T "<alice> between\n"}),
    SENDS('b', "lf a line\nand thi", {"au", T "<bob> this is half a line\n"}),
    SENDS('b', "s the next\n", {"au", T "<bob> and this the next\n"}),
    SENDS('u', "a line of u"),
    SENDS('u', "ma's, in thr"),
    SENDS('u', "ee\n", {"ab", T "<uma> a line of uma's, in three\n"}),
    SENDS('u', "mixed\nwith a ha", {"ab", T "<uma> mixed\n"}),
    SENDS('u', "lf line\n", {"ab", T "<uma> with a half line\n"}),
    SENDS('a', "/me waves\n", {"bu", T "* alice waves\n"}),
    SENDS('b', "//nick is a command\n", {"au", T "<bob> /nick is a command\n"}),
    SENDS('a', "\n\r\n  \nafter nothing\n", {"bu", T "<alice> after nothing\n"}),
    SENDS('b', "gr\xc3\xbc\xc3\x9f \xff \x1b[31mred\n",
          {"au", T "<bob> gr\xc3\xbc\xc3\x9f \xef\xbf\xbd [31mred\n"}),
    ENDS("abu"),
};

/* What is answered, and what is wrong. */
static const ScriptStep answers[] = {
    THREE,
    SENDS('a', "/jion #dev\n", {"a", "!! Unknown command /jion. Did you mean /join? /help lists them.\n"}),
    SENDS('u', "/nick alice\n", {"u", "!! Somebody else is called alice. Choose another.\n"}),
    SENDS('b', LETTERS2000 "k\n/me is\nback\n",
          {"b", "!! That line had more than 2000 bytes and was not sent. The rest of it was skipped.\n"},
          {"au", T "* bob is\n" T "<bob> back\n"}),
    SENDS('u', LETTERS2000 "klmno",
          {"u", "!! That line had more than 2000 bytes and was not sent. The rest of it was skipped.\n"}),
    SENDS('a', "meanwhile\n", {"bu", T "<alice> meanwhile\n"}),
    SENDS('u', "pqrst\nshort\n", {"ab", T "<uma> short\n"}),
    SENDS('a', "te\xff\xfb\x05lnet\xff\xfd\x03\n", {"a", "\xff\xfe\x05\xff\xfc\x03"},
          {"bu", T "<alice> telnet\n"}),
    SENDS('a', "\xff\xfa\x18 half a subnego"),
    SENDS('b', "tick\n", {"au", T "<bob> tick\n"}),
    SENDS('a', "tiation\xff\xf0 rest\n", {"bu", T "<alice>  rest\n"}),
    SENDS('u', "\xff\xfb\x1f wi", {"u", "\xff\xfe\x1f"}),
    SENDS('b', "tock\n", {"au", T "<bob> tock\n"}),
    SENDS('u', "de\n", {"ab", T "<uma>  wide\n"}),
    SENDS('b', "/topic\n/whois nobody\n/who\n",
          {"b", "-- #lobby has no topic. /topic TEXT sets one.\n"
                "!! Nobody here is called nobody. /who lists who is.\n"
                "-- 3 people in #lobby:\n-- uma, bob, alice\n"}),
    SENDS('u', "/help topic\n/rooms\n",
          {"u", "-- /topic [TEXT]         show or set the topic of your current room; - clears it\n"
                "-- 1 room:\n-- #lobby (3)\n"}),
    ENDS("abu"),
};

/* Being in two rooms, and what is kept of each. */
static const ScriptStep rooms[] = {
    THREE,
    SENDS('a', "/topic the weekend\n", {"a", "-- The topic of #lobby is set.\n"},
          {"bu", "-- alice set the topic: the weekend\n"}),
    SENDS('a', "/join #garden\n", {"a", "-- You are in #garden now, alone.\n"}),
    SENDS('a', "/topic roses\nall red\n", {"a", "-- The topic of #garden is set.\n"}),
    SENDS(
        'u', "/join garden\n",
        {"u", "-- You are in #garden now, with 1 other.\n-- Topic of #garden: roses\n" T "<alice> all red\n"},
        {"a", "-- uma is here\n"}),
    SENDS('b', "who is where?\n", {"au", T "#lobby <bob> who is where?\n"}),
    SENDS('u', "in the garden\n/join lobby\nhere\n",
          {"u", "-- You are in #lobby now, with 2 others.\n-- Topic of #lobby: the weekend\n"},
          {"a", T "<uma> in the garden\n" T "#lobby <uma> here\n"}, {"b", T "<uma> here\n"}),
    SENDS('u', "/leave garden\n", {"u", "-- You left #garden. You are in #lobby now, with 2 others.\n"},
          {"a", "-- uma has left\n"}),
    SENDS('u', "/history 2\n", {"u", T "<bob> who is where?\n" T "<uma> here\n"}),
    SENDS('b', "/nick rob\n", {"b", "-- You are now rob.\n"}, {"u", "-- bob is now rob\n"},
          {"a", "-- #lobby: bob is now rob\n"}),
    SENDS('a', "/leave\n", {"a", "-- You left #garden. You are in #lobby now, with 2 others.\n"}),
    SENDS('b', "/join #garden\n/topic\n",
          {"b", "-- You are in #garden now, alone.\n-- #garden has no topic. /topic TEXT sets one.\n"}),
    SENDS('a', "/topic -\n/leave\n",
          {"a", "-- The topic of #lobby is cleared.\n!! The lobby is the only room you are in. /join another "
                "first, or /quit.\n"},
          {"b", "-- #lobby: alice cleared the topic\n"}, {"u", "-- alice cleared the topic\n"}),
    ENDS("abu"),
};

/* What is between two people, and what is set for one. */
static const ScriptStep people[] = {
    THREE,
    SENDS('a', "/msg bob only for you\n", {"b", T "(private) <alice> only for you\n"}),
    SENDS('b', "/reply thank you\n", {"a", T "(private) <bob> thank you\n"}),
    SENDS('u', "/reply to whom?\n",
          {"u", "!! Nobody has said anything to you in private yet. /msg NICK TEXT begins.\n"}),
    SENDS('u', "/away at lunch\n",
          {"u", "-- You are away. Whoever writes to you is told; /away says that you are back.\n"}),
    SENDS('a', "/msg uma are you there?\n", {"a", "-- uma is away: at lunch\n"},
          {"u", T "(private) <alice> are you there?\n"}),
    SENDS('u', "/reply now I am\n/away\n", {"u", "-- You are back.\n"},
          {"a", T "(private) <uma> now I am\n"}),
    SENDS('b', "/ignore uma\n", {"b", "-- You ignore uma now. The same command again ends it.\n"}),
    SENDS('u', "hello\n/nick eve\nhello again\n/msg bob psst\n", {"u", "-- You are now eve.\n"},
          {"a", T "<uma> hello\n"
                  "-- uma is now eve\n" T "<eve> hello again\n"},
          {"b", "-- uma is now eve\n"}),
    SENDS('b', "/ignore\n/history 2\n", {"b", "-- You ignore uma.\n"}),
    SENDS('b', "/ignore uma\n", {"b", "-- You hear uma again.\n"}),
    SENDS('u', "at last\n", {"ab", T "<eve> at last\n"}),
    SENDS('a', "/set time off\n/set color on\n/set bell on\n",
          {"a", "-- time is off now.\n-- color is on now.\n-- bell is on now.\n"}),
    SENDS('u', "hello alice\n", {"a", "<\033[32meve\033[0m> hello alice\a\n"},
          {"b", T "<eve> hello alice\n"}),
    SENDS('b', "/set joins off\n/set joins\n/set\n",
          {"b",
           "-- joins is off now.\n!! This setting is on or off: /set joins on\n-- time on, bell off, color "
           "off, joins off, mark unicode.\n"}),
    SENDS('a', "/nick anna\nis me\n", {"a", "-- You are now anna.\n"}, {"b", T "<anna> is me\n"},
          {"u", "-- alice is now anna\n" T "<anna> is me\n"}),
    ENDS("abu"),
};

/* Each way to come and to go. */
static const ScriptStep coming[] = {
    THREE,
    SENDS('a', "/topic come in\nfirst\n", {"a", "-- The topic of #lobby is set.\n"},
          {"bu", "-- alice set the topic: come in\n" T "<alice> first\n"}),
    COMES('c', TCP,
          {"c", WELCOME("c") "3 others are here." HELP "-- Topic of #lobby: come in\n" T "<alice> first\n"},
          {"abu", "-- {c} is here\n"}),
    COMES('v', UNIX,
          {"v", WELCOME("v") "4 others are here." HELP "-- Topic of #lobby: come in\n" T "<alice> first\n"},
          {"abcu", "-- {v} is here\n"}),
    SENDS('v', "me too\n", {"abcu", T "<{v}> me too\n"}),
    QUITS('c', "/quit\n", {"c", "-- Goodbye.\n"}, {"abuv", "-- {c} has left\n"}),
    DOES(SCRIPT_CLOSE, 'b', {"auv", "-- bob has left\n"}),
    QUITS('v', "bye\n/quit\nnobody hears this\n", {"au", T "<{v}> bye\n-- {v} has left\n"},
          {"v", "-- Goodbye.\n"}),
    COMES('d', TCP,
          {"d", WELCOME("d") "2 others are here." HELP "-- Topic of #lobby: come in\n" T "<alice> first\n" T
                             "<{v}> me too\n" T "<{v}> bye\n"},
          {"au", "-- {d} is here\n"}),
    SENDS('d', "/nick bob\n", {"d", "-- You are now bob.\n"}, {"au", "-- {d} is now bob\n"}),
    HALF_CLOSES('d', "/who\nlast words", {"d", "-- 3 people in #lobby:\n-- bob, uma, alice\n"},
                {"au", T "<bob> last words\n-- bob has left\n"}),
    DOES(SCRIPT_CLOSE, 'u', {"a", "-- uma has left\n"}),
    COMES('w', UNIX,
          {"w", WELCOME("w") "1 other is here." HELP "-- Topic of #lobby: come in\n" T "<alice> first\n" T
                             "<{v}> me too\n" T "<{v}> bye\n" T "<bob> last words\n"},
          {"a", "-- {w} is here\n"}),
    HALF_CLOSES('w', "/nick wim\nhi\n/me goes", {"w", "-- You are now wim.\n"},
                {"a", "-- {w} is now wim\n" T "<wim> hi\n" T "* wim goes\n-- wim has left\n"}),
    ENDS("a"),
};

#define LONG                                                                                                 \
    LETTERS200 LETTERS200 LETTERS200 LETTERS200 LETTERS200 LETTERS200 LETTERS200 LETTERS200 LETTERS200
#define HEARD(number) T "<{a}> " number " " LONG "\n"

/* Eight long lines in one packet, and a sign that all of them are done. */
#define SAYS_MUCH(n)                                                                                         \
    SENDS('a',                                                                                               \
          n "1 " LONG "\n" n "2 " LONG "\n" n "3 " LONG "\n" n "4 " LONG "\n" n "5 " LONG "\n" n "6 " LONG   \
            "\n" n "7 " LONG "\n" n "8 " LONG "\n/set time on\n",                                            \
          {"a", "-- time is on now.\n"},                                                                     \
          {"sw", HEARD(n "1") HEARD(n "2") HEARD(n "3") HEARD(n "4") HEARD(n "5") HEARD(n "6") HEARD(n "7")  \
                     HEARD(n "8")})

/* Two who do not read for so long that their sockets are full. */
static const ScriptStep slow[] = {
    COMES('a', TCP, {"a", WELCOME("a") "nobody else is here." HELP}),
    COMES('s', NARROW, {"s", WELCOME("s") "1 other is here." HELP}, {"a", "-- {s} is here\n"}),
    COMES('w', UNIX, {"w", WELCOME("w") "2 others are here." HELP}, {"as", "-- {w} is here\n"}),
    DOES(SCRIPT_PAUSE, 's'),
    DOES(SCRIPT_PAUSE, 'w'),
    SAYS_MUCH("1"),
    SAYS_MUCH("2"),
    SAYS_MUCH("3"),
    SAYS_MUCH("4"),
    SAYS_MUCH("5"),
    SAYS_MUCH("6"),
    SAYS_MUCH("7"),
    SENDS('s', "I am here\n/time off\n", {"aw", T "<{s}> I am here\n"},
          {"s", "!! /time is a command without more words.\n"}),
    DOES(SCRIPT_RESUME, 's'),
    DOES(SCRIPT_RESUME, 'w'),
    SENDS('w', "me too\n", {"as", T "<{w}> me too\n"}),
    ENDS("asw"),
};

START_TEST(however_lines_are_cut)
{
    crash_everywhere(&SCENARIO(lines));
}
END_TEST

START_TEST(answers_and_errors)
{
    crash_everywhere(&SCENARIO(answers));
}
END_TEST

START_TEST(rooms_topics_history)
{
    crash_everywhere(&SCENARIO(rooms));
}
END_TEST

START_TEST(private_lines_and_settings)
{
    crash_everywhere(&SCENARIO(people));
}
END_TEST

START_TEST(people_come_and_go)
{
    crash_everywhere(&SCENARIO(coming));
}
END_TEST

START_TEST(slow_readers)
{
    crash_everywhere(&SCENARIO(slow));
}
END_TEST

/* Two connections of one account, and a name that has to be looked up. */
static const ScriptStep persons[] = {
    COMES('a', TCP, {"a", WELCOME("a") "nobody else is here." HELP}),
    COMES('p', LOCAL, {"p", WELCOME("p") "1 other is here." HELP}, {"a", "-- {p} is here\n"}),
    COMES('q', LOCAL, {"q", WELCOME("q") "1 other is here." HELP}),
    SENDS('a', "/msg {p} psst\n", {"pq", T "(private) <{a}> psst\n"}),
    SENDS('p', "/join #den\n", {"p", "-- You are in #den now, alone.\n"},
          {"q", "-- You came into #den, by another of your connections.\n"}),
    SENDS('q', "two of me\n", {"a", T "<{q}> two of me\n"}, {"p", T "#lobby <{q}> two of me\n"}),
    SENDS('a', "/nick zoe\nhello\n", {"a", "-- You are now zoe.\n"},
          {"p", "-- #lobby: {a} is now zoe\n" T "#lobby <zoe> hello\n"},
          {"q", "-- {a} is now zoe\n" T "<zoe> hello\n"}),
    SENDS('p', "/leave\n", {"p", "-- You left #den. You are in #lobby now, with 1 other.\n"},
          {"q", "-- You left #den, by another of your connections.\n"}),
    QUITS('p', "/quit\n", {"p", "-- Goodbye.\n"}),
    SENDS('q', "one of me\n", {"a", T "<{q}> one of me\n"}),
    QUITS('q', "/quit\n", {"q", "-- Goodbye.\n"}, {"a", "-- {q} has left\n"}),
    ENDS("a"),
};

START_TEST(who_has_an_account)
{
    CrashScenario scenario = SCENARIO(persons);

    crash_everywhere(&scenario);
    crash_in_recovery(&scenario, 4);
}
END_TEST

SUITE_MAIN("crash", {however_lines_are_cut, 300}, {answers_and_errors, 300}, {rooms_topics_history, 300},
           {private_lines_and_settings, 300}, {people_come_and_go, 300}, {slow_readers, 300},
           {who_has_an_account, 300})
