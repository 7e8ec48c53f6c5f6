/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* Threads beside the loop, for what may block. */

#include <stddef.h>
#include <stdint.h>

/* Begins a thread that nobody joins, and that takes no signals: those are for the loop. 0, or a negative
 * errno. */
int thread_start(void *(*function)(void *), void *userdata, size_t stack_bytes);
/*
 * The calling thread has a descriptor table of its own from now on, with `fd` and standard input, output and
 * error. So no connection stays open because the thread hangs, there are free descriptors for it when the
 * process is full, and the loop's system calls do not become dearer: in a table that is shared, the kernel
 * counts references to each entry that is used. Threads that it begins share its table. Where a system call
 * filter does not let it have that, it goes on without.
 */
void thread_leave_descriptors(int fd);
/*
 * Makes the descriptor table large enough for `n` descriptors, or for as many as the process may have. A
 * table that two threads share grows only when no system call of the other can still be looking at the old
 * one, which has been seen to take 17 ms; so this is done before there is a second thread. It costs the
 * kernel 8 bytes a descriptor.
 */
void thread_widen_descriptors(uint32_t n);
