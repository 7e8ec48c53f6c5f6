/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/config.h"
#include "base/crash.h"
#include "base/error.h"
#include "base/macro.h"
#include "chat/state.h"

/* Regions begin on a page, so that a region nobody uses costs nothing. */
#define REGION_ALIGN 4096

/* Old bytes in the undo area are followed by this, so that it can be read from its end. */
typedef struct UndoMark {
    uint64_t offset, n;
} UndoMark;

/* What one transaction changes besides what is counted: a few records of each session of a person, the
 * greeting; and all invitations end with their rooms. */
#define UNDO_BASE_BYTES (65536 + LIMIT_INVITES * (sizeof(uint64_t) + sizeof(UndoMark)))
/* One of the names that all sessions of a person ignore. */
#define UNDO_IGNORED_BYTES (LIMIT_PERSON_SESSIONS * (sizeof(IgnoredRecord) + sizeof(UndoMark)))
/* Who goes changes each room it is in. */
#define UNDO_ROOM_BYTES (sizeof(RoomRecord) + sizeof(MemberRecord) + 2 * sizeof(UndoMark))

enum {
    REGION_HEADER,
    REGION_UNDO,
    REGION_SESSIONS,
    REGION_ROOMS,
    REGION_MEMBERS,
    REGION_AWAYS,
    REGION_IGNORED,
    REGION_HALVES,
    REGION_RULES,
    REGION_INVITES,
    REGION_OVERS,
    REGION_RING,
    REGIONS,
};

/* `n` times `group` records of `size` bytes. */
typedef struct Region {
    size_t at, size, group, n;
} Region;

typedef struct Regions {
    Region of[REGIONS];
    size_t size; /* of the file */
} Regions;

/* The one place that knows the order of the regions. False: no file can be that large. */
static bool regions_place(const StateHeader *header, Regions *ret_regions)
{
    /* Before these layouts what stands here is something else. */
    bool has_rules = header->layout >= 3, has_invites = header->layout >= 4, has_overs = header->layout >= 6;
    size_t at = 0, bytes;

    *ret_regions =
        (Regions){.of = {
                      {0, header->header_size, 1, 1},
                      {0, 1, 1, header->undo_size},
                      {0, header->session_size, 1, header->max_sessions},
                      {0, header->room_size, 1, header->max_rooms},
                      {0, header->member_size, 1, header->max_members},
                      {0, header->away_size, 1, header->max_sessions},
                      {0, header->ignored_size, header->max_ignored, header->max_sessions},
                      {0, header->half_size, 1, header->max_sessions},
                      {0, has_rules ? header->rule_size : 1, 1, has_rules ? header->max_rules : 0},
                      {0, has_invites ? header->invite_size : 1, 1, has_invites ? header->max_invites : 0},
                      {0, has_overs ? header->over_size : 1, 1, has_overs ? header->max_overs : 0},
                      {0, 1, 1, header->transcript_size},
                  }};
    for (unsigned i = 0; i < REGIONS; i++) {
        Region *region = &ret_regions->of[i];

        region->at = at;
        if (__builtin_mul_overflow(region->size * region->group, region->n, &bytes) ||
            __builtin_add_overflow(at, bytes, &at) || __builtin_add_overflow(at, REGION_ALIGN - 1, &at))
            return false;
        at -= at % REGION_ALIGN;
    }
    ret_regions->size = at;
    return at <= INT64_MAX;
}

static void state_point(State *state, const Regions *regions)
{
    char *base = state->base;

    state->header = (StateHeader *) (base + regions->of[REGION_HEADER].at);
    state->undo = base + regions->of[REGION_UNDO].at;
    state->sessions = (SessionRecord *) (base + regions->of[REGION_SESSIONS].at);
    state->rooms = (RoomRecord *) (base + regions->of[REGION_ROOMS].at);
    state->members = (MemberRecord *) (base + regions->of[REGION_MEMBERS].at);
    state->aways = (AwayRecord *) (base + regions->of[REGION_AWAYS].at);
    state->ignored = (IgnoredRecord *) (base + regions->of[REGION_IGNORED].at);
    state->halves = (HalfRecord *) (base + regions->of[REGION_HALVES].at);
    state->rules = (RuleRecord *) (base + regions->of[REGION_RULES].at);
    state->invites = (InviteRecord *) (base + regions->of[REGION_INVITES].at);
    state->overs = (OverRecord *) (base + regions->of[REGION_OVERS].at);
    state->ring = base + regions->of[REGION_RING].at;
}

static uint32_t rooms_each(const Config *config, uint32_t max_rooms)
{
    return config->max_rooms_per_client != 0 ? MIN(config->max_rooms_per_client, max_rooms) : max_rooms;
}

/* A new topic ends the half-sent greetings of any number of people; and who goes leaves all rooms at once. */
static uint64_t undo_size_for(const StateHeader *header)
{
    return UNDO_BASE_BYTES + (uint64_t) header->max_sessions * (SESSION_READING_BYTES + sizeof(UndoMark)) +
           (uint64_t) header->max_rooms_each * UNDO_ROOM_BYTES +
           (uint64_t) header->max_ignored * UNDO_IGNORED_BYTES;
}

static uint32_t members_for(const StateHeader *header)
{
    uint64_t members = (uint64_t) header->max_rooms_each * header->max_sessions;

    return members < LIMIT_MEMBERS ? (uint32_t) members : LIMIT_MEMBERS;
}

/* The sizes that `config` asks for, in the layout of today. */
static StateHeader header_for(const Config *config, uint32_t max_sessions)
{
    uint32_t max_rooms = (config->max_rooms != 0 ? config->max_rooms : LIMIT_ROOMS) + 1; /* and the lobby */
    StateHeader header = {
        .magic = STATE_MAGIC,
        .layout = STATE_LAYOUT,
        .header_size = sizeof(StateHeader),
        .session_size = sizeof(SessionRecord),
        .room_size = sizeof(RoomRecord),
        .member_size = sizeof(MemberRecord),
        .away_size = sizeof(AwayRecord),
        .ignored_size = sizeof(IgnoredRecord),
        .half_size = sizeof(HalfRecord),
        .max_sessions = max_sessions,
        .max_rooms = max_rooms,
        .max_ignored = config->max_ignores,
        .max_rooms_each = rooms_each(config, max_rooms),
        .transcript_size = config->transcript_size - config->transcript_size % 8,
        .generation = 1,
        .next_serial = 1,
        .next_guest = 1,
        .next_vault = 1,
        .rule_size = sizeof(RuleRecord),
        .max_rules = LIMIT_RULES,
        .next_rule = 1,
        .invite_size = sizeof(InviteRecord),
        .max_invites = LIMIT_INVITES,
        .over_size = sizeof(OverRecord),
        .max_overs = LIMIT_ROOMS_OVER,
    };

    header.max_members = members_for(&header);
    header.undo_size = undo_size_for(&header);
    return header;
}

/* Maps all of the file. 0, or a negative errno. */
static int state_map(State *state, const Regions *regions)
{
    state->size = regions->size;
    state->base = mmap(NULL, state->size, PROT_READ | PROT_WRITE, MAP_SHARED, state->fd, 0);
    if (state->base == MAP_FAILED)
        return error_origin(-errno);
    /* A core file need not have in it what people say. */
    (void) madvise(state->base, state->size, MADV_DONTDUMP);
    state_point(state, regions);
    return 0;
}

static int state_make(State *state, const StateHeader *header)
{
    Regions regions;
    int r;

    *state = (State){.fd = -1, .base = MAP_FAILED};
    if (!regions_place(header, &regions))
        return error_origin(-ENOMEM);
    state->fd = memfd_create("chatd-state", MFD_CLOEXEC);
    if (state->fd < 0)
        return error_origin(-errno);
    r = ftruncate(state->fd, (off_t) regions.size) < 0 ? error_origin(-errno) : state_map(state, &regions);
    if (r < 0) {
        state_done(state);
        return error_trace(r);
    }
    *state->header = *header;
    if (getrandom(state->header->id, STATE_ID_BYTES, 0) != STATE_ID_BYTES) {
        r = error_origin(-errno);
        state_done(state);
    }
    return error_trace(r);
}

int state_new(State *state, const Config *config, uint32_t max_sessions)
{
    StateHeader header = header_for(config, max_sessions);

    assert(max_sessions > 0);
    return error_trace(state_make(state, &header));
}

void state_done(State *state)
{
    if (state->base != MAP_FAILED && state->base != NULL)
        (void) munmap(state->base, state->size);
    state->base = MAP_FAILED;
    state->fd = fd_close(state->fd);
}

/* Transactions */

static bool is_edited(const State *state, size_t offset, size_t n)
{
    for (unsigned i = 0; i < MIN(state->n_edited, N_ELEMENTS(state->edited)); i++)
        if (state->edited[i].offset <= offset && offset + n <= state->edited[i].offset + state->edited[i].n)
            return true;
    return false;
}

void *state_edit(State *state, const void *record, size_t n)
{
    StateHeader *header = state->header;
    size_t offset = (size_t) ((const char *) record - (const char *) state->base);
    size_t n_all = n + -n % 8;
    char *undo = state->undo + header->undo_n;

    assert(offset + n <= state->size);
    if (is_edited(state, offset, n))
        return (char *) state->base + offset;
    assert(header->undo_n + n_all + sizeof(UndoMark) <= header->undo_size);
    memcpy(undo, record, n);
    *(UndoMark *) (undo + n_all) = (UndoMark){.offset = offset, .n = n};
    state_barrier();
    crash_point();
    header->undo_n += n_all + sizeof(UndoMark);
    state_barrier();
    crash_point();
    state->edited[state->n_edited % N_ELEMENTS(state->edited)].offset = offset;
    state->edited[state->n_edited++ % N_ELEMENTS(state->edited)].n = n;
    return (char *) state->base + offset;
}

void state_commit(State *state)
{
    state->n_edited = 0;
    if (state->header->undo_n == 0)
        return;
    state_barrier();
    crash_point();
    state->header->undo_n = 0;
    state_barrier();
    crash_point();
}

/* A state that another process left. Its header has only been checked when header_check() has seen it. */

/* In layout 5 rooms that are over stood at the end of the header, in no order, and the free ones had no
 * position. */
typedef struct FifthOver {
    uint64_t pos;
    Name name;
    uint32_t flags;
    uint8_t how;
} FifthOver;

enum {
    FIFTH_OVERS_AT = offsetof(StateHeader, over_size),
    FIFTH_HEADER_SIZE = FIFTH_OVERS_AT + LIMIT_ROOMS_OVER * sizeof(FifthOver),
};

static size_t oldest_header(uint32_t layout)
{
    if (layout >= 6)
        return offsetof(StateHeader, noted_from) + sizeof(uint64_t);
    if (layout == 5)
        return FIFTH_HEADER_SIZE;
    if (layout == 4)
        return offsetof(StateHeader, today) + sizeof(uint64_t);
    return layout == 3 ? offsetof(StateHeader, id) : offsetof(StateHeader, rule_size);
}

static size_t oldest_room(uint32_t layout)
{
    return layout >= 4 ? offsetof(RoomRecord, empty_since) + sizeof(uint32_t)
                       : offsetof(RoomRecord, topic) + LIMIT_TOPIC_BYTES;
}

/* An older layout has shorter records, and none has longer ones. */
static bool sizes_are_known(const StateHeader *header)
{
    const struct {
        size_t n, oldest, today;
    } sizes[] = {
        {header->header_size, oldest_header(header->layout),
         header->layout == 5 ? FIFTH_HEADER_SIZE : sizeof(StateHeader)},
        {header->session_size, offsetof(SessionRecord, nick) + sizeof(Name), sizeof(SessionRecord)},
        {header->room_size, oldest_room(header->layout), sizeof(RoomRecord)},
        {header->member_size, offsetof(MemberRecord, order) + sizeof(uint64_t), sizeof(MemberRecord)},
        {header->away_size, offsetof(AwayRecord, text) + LIMIT_TOPIC_BYTES, sizeof(AwayRecord)},
        {header->ignored_size, offsetof(IgnoredRecord, name) + sizeof(Name), sizeof(IgnoredRecord)},
        {header->half_size, READ_BYTES, sizeof(HalfRecord)},
        {header->layout >= 3 ? header->rule_size : sizeof(RuleRecord),
         offsetof(RuleRecord, reason) + LIMIT_REASON_BYTES, sizeof(RuleRecord)},
        {header->layout >= 4 ? header->invite_size : sizeof(InviteRecord),
         offsetof(InviteRecord, name) + sizeof(Name), sizeof(InviteRecord)},
        {header->layout >= 6 ? header->over_size : sizeof(OverRecord),
         offsetof(OverRecord, former_uid) + sizeof(uint32_t), sizeof(OverRecord)},
    };

    for (size_t i = 0; i < N_ELEMENTS(sizes); i++)
        if (sizes[i].n < sizes[i].oldest || sizes[i].n > sizes[i].today ||
            (header->layout == STATE_LAYOUT && sizes[i].n != sizes[i].today))
            return false;
    return true;
}

static int header_check(const StateHeader *header, size_t size, Regions *ret_regions)
{
    if (header->magic != STATE_MAGIC)
        return STATE_UNREADABLE;
    if (header->layout > STATE_LAYOUT)
        return STATE_TOO_NEW;
    if (header->layout < STATE_LAYOUT_OLDEST || !sizes_are_known(header))
        return STATE_UNREADABLE;
    if (header->max_sessions == 0 || header->max_sessions == SLOT_NONE || header->max_rooms == 0 ||
        header->max_rooms > LIMIT_ROOMS + 1 || header->max_members == 0 ||
        header->max_members > LIMIT_MEMBERS || header->max_ignored > LIMIT_IGNORES ||
        header->max_rooms_each > LIMIT_ROOMS + 1 ||
        (header->layout >= 3 && header->max_rules != LIMIT_RULES) ||
        (header->layout >= 4 && header->max_invites != LIMIT_INVITES) ||
        (header->layout >= 6 && header->max_overs != LIMIT_ROOMS_OVER) || header->transcript_size % 8 != 0 ||
        header->transcript_size < LIMIT_TRANSCRIPT_MIN || header->undo_size % 8 != 0 ||
        header->undo_n % 8 != 0 || header->undo_n > header->undo_size)
        return STATE_UNREADABLE;
    return regions_place(header, ret_regions) && ret_regions->size == size ? 0 : STATE_UNREADABLE;
}

/*
 * Puts the old bytes back, the last ones first. Dying on the way does no harm: the next one begins anew.
 * False: this is no undo area.
 */
static bool state_undo(State *state, const Regions *regions)
{
    const size_t first = offsetof(StateHeader, tail);
    size_t at = state->header->undo_n;
    char *base = state->base;
    UndoMark mark;

    while (at > 0) {
        if (at < sizeof mark)
            return false;
        at -= sizeof mark;
        memcpy(&mark, state->undo + at, sizeof mark);
        if (mark.n == 0 || mark.n > at || mark.n + -mark.n % 8 > at || mark.offset < first ||
            mark.offset > state->size || mark.n > state->size - mark.offset ||
            (mark.offset < regions->of[REGION_SESSIONS].at &&
             mark.offset + mark.n > state->header->header_size))
            return false;
        at -= mark.n + -mark.n % 8;
        memcpy(base + mark.offset, state->undo + at, mark.n);
        crash_point();
    }
    state_commit(state);
    return true;
}

int state_open(int fd, State *ret_state)
{
    State state = {.fd = fd, .base = MAP_FAILED};
    StateHeader header = {0};
    struct stat status;
    Regions regions;
    int r;

    if (fstat(fd, &status) < 0 || pread(fd, &header, sizeof header, 0) < (ssize_t) sizeof header.magic)
        r = STATE_UNREADABLE;
    else
        r = header_check(&header, (size_t) status.st_size, &regions);
    if (r == 0)
        r = state_map(&state, &regions);
    if (r == 0 && !state_undo(&state, &regions))
        r = STATE_UNREADABLE;
    if (r != 0) {
        state_done(&state);
        return r > 0 ? r : error_trace(r);
    }
    *ret_state = state;
    return 0;
}

/* The number of records up to the end of the last page that has data. */
static uint32_t region_use(const State *state, const Region *region)
{
    off_t end = (off_t) region->at, data, hole = end;

    while ((data = lseek(state->fd, hole, SEEK_DATA)) >= 0 &&
           (size_t) data < region->at + region->size * region->n) {
        hole = lseek(state->fd, data, SEEK_HOLE);
        if (hole < 0)
            break;
        end = hole;
    }
    return (uint32_t) MIN(((size_t) end - region->at + region->size - 1) / region->size, region->n);
}

StateUse state_use(const State *state)
{
    StateUse use = {0};
    Regions regions;

    if (regions_place(state->header, &regions))
        use = (StateUse){.n_sessions = region_use(state, &regions.of[REGION_SESSIONS]),
                         .n_rooms = region_use(state, &regions.of[REGION_ROOMS]),
                         .n_members = region_use(state, &regions.of[REGION_MEMBERS]),
                         .n_rules = region_use(state, &regions.of[REGION_RULES]),
                         .n_invites = region_use(state, &regions.of[REGION_INVITES])};
    return use;
}

/* The ring stays as large as it is: positions in it are places in it. */
static StateHeader header_grown(const StateHeader *old, const Config *config, uint32_t max_sessions)
{
    StateHeader header = header_for(config, max_sessions);

    header.max_sessions = MAX(header.max_sessions, old->max_sessions);
    header.max_rooms = MAX(header.max_rooms, old->max_rooms);
    header.max_ignored = MAX(header.max_ignored, old->max_ignored);
    header.max_rooms_each = MAX(header.max_rooms_each, old->max_rooms_each);
    header.max_members = MAX(members_for(&header), old->max_members);
    header.undo_size = undo_size_for(&header);
    header.transcript_size = old->transcript_size;
    return header;
}

bool state_must_grow(const State *state, const Config *config, uint32_t max_sessions)
{
    const StateHeader *old = state->header;
    StateHeader header = header_grown(old, config, max_sessions);

    return old->layout != header.layout || old->max_sessions != header.max_sessions ||
           old->max_rooms != header.max_rooms || old->max_members != header.max_members ||
           old->max_ignored != header.max_ignored || old->max_rooms_each != header.max_rooms_each ||
           old->undo_size < header.undo_size;
}

/* What lies from `at` to `end` of the old file, record by record: each fills the beginning of the new one. Of
 * a record that lies across a border only that part is touched. */
static void copy_records(State *to, const Region *new, const State *from, const Region *old, size_t at,
                         size_t end)
{
    for (size_t i = (at - old->at) / old->size; i < old->n * old->group; i++) {
        size_t record = old->at + i * old->size, first = MAX(record, at), last = MIN(record + old->size, end);
        size_t place = (i / old->group * new->group + i % old->group) * new->size;

        if (first >= end)
            break;
        memcpy((char *) to->base + new->at + place + (first - record), (const char *) from->base + first,
               last - first);
    }
}

/*
 * Both files are sparse, and looking at a page that was never written would make it: so only the parts that
 * have data are copied (lseek(2), SEEK_DATA). 0, or a negative errno.
 */
static int copy_region(State *to, const Region *new, const State *from, const Region *old)
{
    size_t bytes = old->size * old->group * old->n, end = old->at + bytes;
    off_t data = (off_t) old->at, hole;

    while (bytes > 0 && (data = lseek(from->fd, data, SEEK_DATA)) >= 0 && (size_t) data < end) {
        hole = lseek(from->fd, data, SEEK_HOLE);
        if (hole < 0)
            return error_origin(-errno);
        if (old->size == 1)
            memcpy((char *) to->base + new->at + ((size_t) data - old->at), (const char *) from->base + data,
                   MIN((size_t) hole, end) - (size_t) data);
        else
            copy_records(to, new, from, old, (size_t) data, MIN((size_t) hole, end));
        data = hole;
    }
    return data < 0 && errno != ENXIO ? error_origin(-errno) : 0;
}

/* All of the header that does not say how large things are. */
static void copy_header(StateHeader *to, const StateHeader *from)
{
    const size_t first = offsetof(StateHeader, generation);
    size_t end = from->layout >= 4 ? from->header_size : oldest_header(from->layout);

    if (from->layout == 5)
        end = FIFTH_OVERS_AT;
    memcpy((char *) to + first, (const char *) from + first, end - first);
    to->rule_size = sizeof(RuleRecord);
    to->max_rules = LIMIT_RULES;
    to->invite_size = sizeof(InviteRecord);
    to->max_invites = LIMIT_INVITES;
    to->over_size = sizeof(OverRecord);
    to->max_overs = LIMIT_ROOMS_OVER;
    to->generation++;
}

/* In the order of their positions. */
static void copy_fifth_overs(State *to, const State *from)
{
    const FifthOver *overs = (const FifthOver *) ((const char *) from->base + FIFTH_OVERS_AT), *next;
    OverRecord *records = (OverRecord *) (uintptr_t) to->overs;

    for (uint64_t after = 0;; after = next->pos) {
        next = NULL;
        for (size_t i = 0; i < LIMIT_ROOMS_OVER; i++)
            if (overs[i].pos > after && (next == NULL || overs[i].pos < next->pos))
                next = &overs[i];
        if (next == NULL)
            break;
        records[to->header->over_end++] =
            (OverRecord){.pos = next->pos, .name = next->name, .flags = next->flags, .how = next->how};
    }
}

/* What no version before had: where it lies now there was nothing, or padding. */
static void clear_new_fields(State *state, uint32_t layout, uint32_t n_sessions, uint32_t n_rooms)
{
    SessionRecord *sessions = (SessionRecord *) (uintptr_t) state->sessions;
    RoomRecord *rooms = (RoomRecord *) (uintptr_t) state->rooms;

    for (uint32_t i = 0; layout < 3 && i < n_sessions; i++)
        if (sessions[i].serial != 0)
            sessions[i].standing = 0;
    for (uint32_t i = 0; layout < 6 && i < n_sessions; i++)
        if (sessions[i].serial != 0 && (sessions[i].standing & STANDING_OPERATOR))
            sessions[i].standing |= STANDING_IN_GROUP;
    for (uint32_t i = 0; layout < 4 && i < n_rooms; i++)
        if (rooms[i].created_wall != 0)
            memset(&rooms[i].founder, 0, sizeof(RoomRecord) - offsetof(RoomRecord, founder));
}

int state_grow(const State *old, const Config *config, uint32_t max_sessions, State *ret_state)
{
    StateHeader header = header_grown(old->header, config, max_sessions);
    Regions from, to;
    State state;
    int r;

    assert(!state_is_open(old));
    if (!regions_place(old->header, &from) || !regions_place(&header, &to))
        return error_origin(-ENOMEM);
    r = state_make(&state, &header);
    for (unsigned i = REGION_SESSIONS; r == 0 && i < REGIONS; i++)
        r = copy_region(&state, &to.of[i], old, &from.of[i]);
    if (r < 0) {
        state_done(&state);
        return error_trace(r);
    }
    copy_header(state.header, old->header);
    if (old->header->layout == 5)
        copy_fifth_overs(&state, old);
    clear_new_fields(&state, old->header->layout, region_use(old, &from.of[REGION_SESSIONS]),
                     region_use(old, &from.of[REGION_ROOMS]));
    *ret_state = state;
    return 0;
}
