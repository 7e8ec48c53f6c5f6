/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* What /proc says of a process. All give 0 for one that is gone. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

size_t proc_n_fds(pid_t pid);
bool proc_has_socket(pid_t pid, ino_t inode);              /* one of its descriptors is that socket */
uint64_t proc_status_number(pid_t pid, const char *field); /* of /proc/PID/status; "VmRSS" is in kB */
bool proc_is_asleep(pid_t pid);                            /* all of its threads */
uint64_t proc_cpu_usec(pid_t pid);                         /* user and system time so far */
