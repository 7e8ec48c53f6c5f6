/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Gives back the pages of the program and its libraries: symbol tables, by which the dynamic linker found
 * what they need of each other, code that ran once, and what lay beside it, since the kernel maps 64 KiB at a
 * time. They are clean copies of files, so whatever is needed again is mapped again from the page cache
 * (madvise(2), MADV_DONTNEED), at about a microsecond a time.
 */
void trim_program(void);
