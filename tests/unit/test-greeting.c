/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* The greeting of who comes with an account waits for what they have set, so that it is in force then. */

#include "chat/session.h"
#include "unit/mail-fixture.h"

#define GREETING(mark)                                                                                       \
    "-- Welcome to host. You are bea" mark "; 4 others are here. /help lists the commands.\n"
#define HELLO_OF(nick) "[12:03] <" nick "> hello\n"
/* As bea has set it, and as it is at first. */
#define GREETED GREETING("+") "<alice> hello\n"
#define GREETED_ANYHOW GREETING(MARK_) HELLO_OF("mallory") HELLO_OF("alice")

/* bea ignores mallory, wants no times, and has gone. Both have said something. */
static void begin(World *world, Memory *memory)
{
    scene_begin(world, memory);
    client_say(world->harness, world->bea, "/set mark ascii\n/set time off\n/ignore mallory");
    ck_assert(last_note(world->harness->chat, NOTE_SETTINGS, &memory->person.settings));
    client_say(world->harness, world->bea, "/quit");
    harness_turn(world->harness);
    client_say(world->harness, world->mallory, "hello");
    client_say(world->harness, world->alice, "hello");
    harness_take_all(world->harness);
    memory->state = RECALL_AWAITED;
}

static Client *bea_comes(World *world)
{
    Client *bea = client_account(world->harness, "bea", 1000);

    ck_assert_ptr_nonnull(bea);
    harness_turn(world->harness);
    return bea;
}

/* When the answer comes, in that turn; behind it what was said meanwhile, and only then what bea said. */
START_TEST(test_waits)
{
    Memory memory;
    World world;
    Client *bea;

    begin(&world, &memory);
    bea = bea_comes(&world);
    ck_assert_str_eq(client_take(bea), "");
    ck_assert_str_eq(client_take(world.alice), "-- bea" MARK_ " is here\n");
    client_say(world.harness, bea, "here I am");
    client_say(world.harness, world.alice, "meanwhile");
    client_say(world.harness, world.mallory, "meanwhile");
    ck_assert_str_eq(client_take(bea), "");
    ck_assert_str_eq(client_take(world.alice), "[12:03] <mallory> meanwhile\n");
    memory.state = RECALL_ANSWERED;
    harness_turn(world.harness);
    ck_assert_str_eq(client_take(bea), GREETED "<alice> meanwhile\n");
    ck_assert_str_eq(client_take(world.alice), "");
    harness_turn(world.harness);
    ck_assert_str_eq(client_take(world.alice), "[12:03] <bea" MARK_ "> here I am\n");
    ck_assert_uint_eq(world.harness->chat->n_expecting, 0);
    /* What is answered at once is not waited for. */
    client_say(world.harness, bea, "/quit");
    harness_turn(world.harness);
    bea = bea_comes(&world);
    ck_assert_ptr_nonnull(strstr(client_take(bea), GREETING("+")));
    world_end(&world);
}
END_TEST

/* Messages come behind it, and are not noted as delivered before. */
START_TEST(test_messages)
{
    Memory memory;
    World world;
    Client *bea;
    Note note;

    begin(&world, &memory);
    add_mail(&memory, 77, "see you");
    memory.state = RECALL_ANSWERED;
    bea = bea_comes(&world);
    ck_assert_str_eq(client_take(bea), GREETED);
    ck_assert(!last_note(world.harness->chat, NOTE_DELIVERED, &note));
    ck_assert_uint_eq(world.harness->chat->mail_due, world.harness->chat->now);
    harness_turn(world.harness);
    ck_assert_str_eq(client_take(bea),
                     "-- dora+ left a message for you on 2026-11-22 12:03:04 UTC (+0000): see you\n");
    ck_assert(last_note(world.harness->chat, NOTE_DELIVERED, &note));
    world_end(&world);
}
END_TEST

/* For one second, which is when something is due; then all is as it comes. */
START_TEST(test_patience)
{
    Memory memory;
    uint64_t due;
    World world;
    Client *bea;

    begin(&world, &memory);
    due = world.harness->chat->now + USEC_PER_SEC;
    bea = bea_comes(&world);
    ck_assert_uint_eq(world.harness->chat->mail_due, due);
    harness_wait(world.harness, USEC_PER_SEC - 1);
    harness_turn(world.harness);
    ck_assert_str_eq(client_take(bea), "");
    ck_assert_uint_eq(world.harness->chat->mail_due, due);
    harness_wait(world.harness, 1);
    harness_turn(world.harness);
    ck_assert_str_eq(client_take(bea), GREETED_ANYHOW);
    memory.state = RECALL_ANSWERED;
    harness_turn(world.harness);
    client_say(world.harness, world.mallory, "hello");
    client_say(world.harness, world.alice, "hello");
    ck_assert_str_eq(client_take(bea), "<alice> hello\n");
    world_end(&world);
}
END_TEST

typedef void (*Trouble)(World *world, Memory *memory);

static void archive_fails(World *world, Memory *memory)
{
    (void) world;
    memory->state = RECALL_ANSWERED;
    memory->trouble = "The archive can not be read or written";
}

static void archive_is_absent(World *world, Memory *memory)
{
    (void) world;
    memory->state = RECALL_ABSENT;
}

static void archive_is_turned_off(World *world, Memory *memory)
{
    (void) memory;
    world->harness->chat->recall = NULL;
}

static void archive_is_in_trouble(World *world, Memory *memory)
{
    (void) memory;
    world->harness->chat->has_recall_trouble = true;
}

static void service_ends(World *world, Memory *memory)
{
    (void) memory;
    mail_release_greetings(world->harness->chat);
}

static const Trouble TROUBLES[] = {archive_fails, archive_is_absent, archive_is_turned_off,
                                   archive_is_in_trouble, service_ends};

/* What will not be answered soon is not waited for any more, nor in the first place. */
START_TEST(test_trouble)
{
    Memory memory;
    World world;
    Client *bea;

    for (size_t i = 0; i < N_ELEMENTS(TROUBLES); i++) {
        begin(&world, &memory);
        bea = bea_comes(&world);
        ck_assert_str_eq(client_take(bea), "");
        TROUBLES[i](&world, &memory);
        harness_turn(world.harness);
        ck_assert_str_eq(client_take(bea), GREETED_ANYHOW);
        client_say(world.harness, bea, "/quit");
        harness_turn(world.harness);
        memory.state = i == 0 ? RECALL_AWAITED : memory.state; /* it will be asked again later */
        bea = bea_comes(&world);
        ck_assert_int_eq(*client_take(bea) != '\0', TROUBLES[i] != service_ends);
        world_end(&world);
    }
}
END_TEST

/* Nobody else waits: a guest, another connection of bea's, somebody whose settings are known. */
START_TEST(test_others)
{
    Client *bea, *guest, *two;
    Memory memory;
    World world;

    begin(&world, &memory);
    bea = bea_comes(&world);
    two = client_account(world.harness, "bea", 1000);
    guest = client_new(world.harness);
    harness_turn(world.harness);
    ck_assert_ptr_nonnull(strstr(client_take(two), "You are bea"));
    ck_assert_ptr_nonnull(strstr(client_take(guest), "You are guest"));
    ck_assert_str_eq(client_take(bea), "");
    memory.state = RECALL_ANSWERED;
    harness_turn(world.harness);
    ck_assert_ptr_nonnull(strstr(client_take(bea), GREETED));
    memory.state = RECALL_AWAITED;
    ck_assert_ptr_nonnull(strstr(client_take(bea_comes(&world)), "You are bea+;"));
    world_end(&world);
}
END_TEST

/* The archive answers now: what is said is heard, as if nothing had been. */
static void hears_alice(World *world, Memory *memory, Client *who)
{
    memory->state = RECALL_ANSWERED;
    harness_turn(world->harness);
    client_say(world->harness, world->alice, "hello");
    ck_assert_str_eq(client_take(who), "<alice> hello\n");
}

/* The one that waits goes, or ends: then what it waits for is another one's, which was greeted. */
START_TEST(test_first_goes)
{
    Client *bea, *two;
    Memory memory;
    World world;

    for (int is_broken = 0; is_broken < 2; is_broken++) {
        begin(&world, &memory);
        bea = bea_comes(&world);
        two = bea_comes(&world);
        (void) client_take(two);
        if (is_broken) {
            client_break(world.harness, bea);
        } else {
            session_end(world.harness->chat, bea->session);
            chat_commit(world.harness->chat);
        }
        harness_turn(world.harness);
        ck_assert(bea->is_gone);
        ck_assert_str_eq(client_take(bea), is_broken ? "" : GREETED_ANYHOW);
        hears_alice(&world, &memory, two);
        world_end(&world);
    }
}
END_TEST

/* There is another archive, which is asked for one of both: it need not be the one that waits. */
START_TEST(test_other_archive)
{
    Client *place, *bea, *two;
    Memory memory;
    World world;

    begin(&world, &memory);
    place = client_named(world.harness, "trudy");
    bea = bea_comes(&world);
    client_break(world.harness, place);
    two = bea_comes(&world);
    ck_assert_uint_lt(two->session, bea->session);
    (void) client_take(two);
    mail_ask_anew(world.harness->chat);
    harness_turn(world.harness);
    ck_assert_ptr_nonnull(strstr(client_take(bea), "You are bea" MARK_));
    hears_alice(&world, &memory, two);
    world_end(&world);
}
END_TEST

/* And no longer because of that. */
START_TEST(test_other_archives)
{
    Memory memory;
    World world;
    Client *bea;

    begin(&world, &memory);
    bea = bea_comes(&world);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_str_eq(client_take(bea), "");
        harness_wait(world.harness, USEC_PER_SEC / 4);
        mail_ask_anew(world.harness->chat);
        harness_turn(world.harness);
    }
    ck_assert_str_eq(client_take(bea), GREETED_ANYHOW);
    world_end(&world);
}
END_TEST

/* The process dies meanwhile: the next one waits as well. */
START_TEST(test_survives)
{
    Memory memory;
    World world;
    Client *bea;

    begin(&world, &memory);
    bea = bea_comes(&world);
    client_say(world.harness, world.alice, "meanwhile");
    client_say(world.harness, bea, "here I am");
    for (unsigned i = 0; i < 3; i++) {
        ck_assert(harness_adopt(world.harness, harness_dup(world.harness)));
        world.harness->chat->recall = recall;
        world.harness->chat->recall_userdata = &memory;
        ck_assert(harness_settle(world.harness));
        harness_turn(world.harness);
        ck_assert_str_eq(client_take(bea), "");
        harness_check(world.harness);
    }
    memory.state = RECALL_ANSWERED;
    harness_turn(world.harness);
    ck_assert_str_eq(client_take(bea), GREETED "<alice> meanwhile\n");
    /* It has the settings in its state, and says what had not been sent. */
    client_stop(bea);
    client_say(world.harness, world.alice, "later");
    harness_survive(world.harness);
    client_open_window(world.harness, bea, SIZE_MAX);
    harness_turn(world.harness);
    ck_assert_str_eq(client_take(bea), "<alice> later\n");
    world_end(&world);
}
END_TEST

/* What the ring overwrites meanwhile is counted, but for what is not heard. */
START_TEST(test_overtaken)
{
    static char line[900];
    unsigned n, n_missed = 0, n_read = 0;
    Memory memory;
    World world;
    const char *text;
    Client *bea;

    begin(&world, &memory);
    bea = bea_comes(&world);
    n = (unsigned) (2 * world.harness->chat->state.header->transcript_size / sizeof line);
    memset(line, 'x', sizeof line - 1);
    for (unsigned i = 0; i < n; i++)
        client_say(world.harness, world.alice, "%s", line);
    ck_assert_str_eq(client_take(bea), "");
    harness_check(world.harness);
    memory.state = RECALL_ANSWERED;
    for (unsigned i = 0; i < 100; i++)
        harness_turn(world.harness);
    text = client_take(bea);
    ck_assert_int_eq(strncmp(text, GREETING("+"), strlen(GREETING("+"))), 0);
    text += strlen(GREETING("+"));
    ck_assert_msg(sscanf(text, "-- You read too slowly: %u lines", &n_missed) == 1, "%.80s", text);
    while ((text = strstr(text, "<alice> ")) != NULL) {
        n_read++;
        text++;
    }
    /* And what both had said before: that one of them is ignored was not known when it was lost. */
    ck_assert_uint_eq(n_missed + n_read, n + 2);
    world_end(&world);
}
END_TEST

UNIT_MAIN("greeting", test_waits, test_messages, test_patience, test_trouble, test_others, test_first_goes,
          test_other_archive, test_other_archives, test_survives, test_overtaken)
