/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* Deleting to the end, and what there is to delete. */

#include "archive/purge.h"
#include "unit/archive-fixture.h"

/* Words of which no other begins in the same way, so that the index has them whole. */
#define RARE "zqrarebirdzq"

#define DAY (UINT64_C(86400) * USEC_PER_SEC)

/* Until it is done: whatever the answer is then. */
static inline int clean(Fixture *fixture)
{
    unsigned n = 0;
    int r;

    do {
        r = archive_clean(fixture->archive, 0);
    } while (r == ARCHIVE_MORE && n++ < 10000);
    ck_assert(r != 0 || !archive_is_unclean(fixture->archive));
    return r;
}

static inline void purge(Fixture *fixture, uint64_t keep, uint64_t max_size, uint64_t now)
{
    unsigned n = 0;
    int r;

    do {
        r = archive_purge(fixture->archive, &(ArchivePurge){.keep = keep, .max_size = max_size, .now = now});
    } while (r == ARCHIVE_MORE && n++ < 10000);
    ck_assert_msg(r == 0, "%s (%s)", archive_strerror(r), archive_detail(fixture->archive));
    ck_assert(!archive_is_unclean(fixture->archive));
}

/* Each with words of its own, some of them in overflow pages. */
static inline void chatter(Fixture *fixture, unsigned from, unsigned to)
{
    char text[ARCHIVE_TEXT_MAX + 1];

    for (unsigned i = from; i < to; i++) {
        int n = snprintf(text, sizeof text, "talk%u about tea%u and the weather", i, i % 100);

        if (i % 50 == 0) {
            memset(text + n, 'x', 3000);
            text[n + 3000] = '\0';
        }
        fixture_say(fixture, i, i % 3 ? "lobby" : "walks", i % 7 ? "bob" : "alice!1000", text);
    }
    fixture_commit(fixture, to);
}
