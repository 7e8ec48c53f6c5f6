/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* People with accounts, and what an archive keeps for one of them, bea. */

#include <string.h>

#include "chat/mail.h"
#include "unit/operator-fixture.h"
#include "unit/unit.h"

/* An archive that answers at once, or not at all. */
typedef struct Memory {
    RecallState state;
    const char *trouble;
    MailCounts counts;
    PersonRecalled person; /* of uid 1000 */
    bool is_more;
    unsigned n_asked;
} Memory;

static inline NameStanding look_up(void *userdata, const Name *name, uint32_t *ret_uid)
{
    (void) userdata;
    if (strcmp(name->bytes, "carol") != 0)
        return NAME_IS_FREE;
    *ret_uid = 1003;
    return NAME_IS_RESERVED;
}

static inline RecallState recall(void *userdata, const Recall *question, Recalled *ret_recalled)
{
    Memory *memory = userdata;
    static const PersonRecalled nothing;

    memory->n_asked++;
    if (memory->state != RECALL_ANSWERED || ret_recalled == NULL)
        return memory->state;
    *ret_recalled = (Recalled){.trouble = memory->trouble};
    if (memory->trouble != NULL)
        return RECALL_ANSWERED;
    if (question->kind == RECALL_OWNER) {
        ret_recalled->bytes = "\1";
        ret_recalled->n = question->nick.n == 4 && memcmp(question->nick.bytes, "erin", 4) == 0;
    } else if (question->kind == RECALL_MAIL) {
        ret_recalled->bytes = (const char *) &memory->counts;
        ret_recalled->n = sizeof memory->counts;
    } else if (question->kind == RECALL_PERSON) {
        ret_recalled->bytes = (const char *) (question->uid == 1000 ? &memory->person : &nothing);
        ret_recalled->n = sizeof memory->person;
        ret_recalled->is_more = question->uid == 1000 && memory->is_more;
        memory->is_more = false;
    }
    return RECALL_ANSWERED;
}

static inline void scene_begin(World *world, Memory *memory)
{
    world_begin(world);
    *memory = (Memory){.state = RECALL_ANSWERED};
    world->harness->chat->look_up = look_up;
    world->harness->chat->recall = recall;
    world->harness->chat->recall_userdata = memory;
    harness_turn(world->harness);
}

/* The last note of that kind in the transcript. */
static inline bool last_note(const Chat *chat, NoteKind kind, Note *ret_note)
{
    uint64_t pos = chat->state.header->tail;
    const Entry *entry;
    bool is_found = false;
    Note note;

    while ((entry = transcript_read(&chat->transcript, &pos)) != NULL) {
        if (entry->kind == ENTRY_NOTE && note_read(entry, &note) && note.kind == kind) {
            *ret_note = note;
            is_found = true;
        }
        pos += entry->size;
    }
    return is_found;
}

static inline void add_mail(Memory *memory, uint64_t id, const char *text)
{
    MailRecord *mail = &memory->person.mails[memory->person.n_mails++];

    *mail = (MailRecord){.id = id,
                         .wall = HARNESS_WALL,
                         .from = {5, "dora"},
                         .is_verified = true,
                         .n = (uint16_t) strlen(text)};
    mail->from = (Name){4, "dora"};
    memcpy(mail->text, text, mail->n);
}

/* What is kept of bea: a setting, and a name. */
static inline void keep_settings(World *world, Memory *memory)
{
    client_say(world->harness, world->bea, "/set mark ascii\n/ignore absent");
    ck_assert(last_note(world->harness->chat, NOTE_SETTINGS, &memory->person.settings));
    client_say(world->harness, world->bea, "/quit");
    harness_turn(world->harness);
    harness_take_all(world->harness);
}
