/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/macro.h"
#include "host/notify.h"

void notify_init(Notify *notify, uint64_t now)
{
    uint64_t usec = 0;

    *notify = (Notify){.is_enabled = getenv("NOTIFY_SOCKET") != NULL};
    if (notify->is_enabled && sd_watchdog_enabled(false, &usec) > 0)
        notify->watchdog_usec = usec / 2;
    notify->next_watchdog = notify->watchdog_usec > 0 ? now + notify->watchdog_usec : UINT64_MAX;
}

static void format_status(const Notify *notify, char *text, size_t size, uint32_t n_people, uint32_t n_rooms)
{
    int n;

    if (n_people == 0)
        n = snprintf(text, size, "nobody is here");
    else
        n = snprintf(text, size, "%u %s in %u room%s", n_people, n_people == 1 ? "person" : "people", n_rooms,
                     n_rooms == 1 ? "" : "s");
    if (notify->n_restarts > 0)
        n += snprintf(text + n, size - (size_t) n, ", %u restart%s survived", notify->n_restarts,
                      notify->n_restarts == 1 ? "" : "s");
    if (notify->archive_trouble != NULL)
        (void) snprintf(text + n, size - (size_t) n, "; nothing is archived: %s", notify->archive_trouble);
}

static void notify_status(Notify *notify, const char *prefix, uint64_t now, uint32_t n_people,
                          uint32_t n_rooms)
{
    char status[192];

    format_status(notify, status, sizeof status, n_people, n_rooms);
    (void) sd_notifyf(false, "%sSTATUS=%s", prefix, status);
    notify->n_people = n_people;
    notify->n_rooms = n_rooms;
    notify->told_trouble = notify->archive_trouble;
    notify->status_after = now + USEC_PER_SEC;
}

void notify_ready(Notify *notify, uint64_t now, uint32_t n_people, uint32_t n_rooms)
{
    if (notify->is_enabled)
        notify_status(notify, "READY=1\n", now, n_people, n_rooms);
}

void notify_reloading(const Notify *notify, uint64_t now)
{
    if (notify->is_enabled)
        (void) sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, now);
}

int notify_store(const Notify *notify, const char *name, const int *fds, unsigned n)
{
    char text[96];
    int r;

    if (!notify->is_enabled)
        return NOTIFY_NO_STORE;
    /* Not watched for POLLHUP (FDPOLL=0): whoever hangs up while no process runs is for the next one to find.
     */
    (void) snprintf(text, sizeof text, "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
    r = sd_pid_notify_with_fds(0, false, text, fds, n);
    return r > 0 ? 0 : r < 0 ? error_origin(r) : NOTIFY_NO_STORE;
}

void notify_unstore(const Notify *notify, const char *name)
{
    if (notify->is_enabled)
        (void) sd_notifyf(false, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}

void notify_stopping(const Notify *notify)
{
    if (notify->is_enabled)
        (void) sd_notify(false, "STOPPING=1\nSTATUS=ending");
}

uint64_t notify_tick(Notify *notify, uint64_t now, uint32_t n_people, uint32_t n_rooms)
{
    uint64_t next;

    if (!notify->is_enabled)
        return UINT64_MAX;
    if (now >= notify->next_watchdog) {
        (void) sd_notify(false, "WATCHDOG=1");
        notify->next_watchdog = now + notify->watchdog_usec;
    }
    next = notify->next_watchdog;
    if (n_people == notify->n_people && n_rooms == notify->n_rooms &&
        notify->archive_trouble == notify->told_trouble)
        return next;
    if (now < notify->status_after)
        return MIN(next, notify->status_after);
    notify_status(notify, "", now, n_people, n_rooms);
    return next;
}
