/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/macro.h"
#include "host/trim.h"

/* What may be written has been, by the dynamic linker at least, and would be lost. */
static int trim_object(struct dl_phdr_info *info, _unused_ size_t size, _unused_ void *userdata)
{
    const uintptr_t page = (uintptr_t) sysconf(_SC_PAGESIZE);

    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t begin = (info->dlpi_addr + segment->p_vaddr) & ~(page - 1);
        uintptr_t end = info->dlpi_addr + segment->p_vaddr + segment->p_memsz;

        if (segment->p_type == PT_LOAD && !(segment->p_flags & PF_W))
            (void) madvise((void *) begin, end - begin, MADV_DONTNEED);
    }
    return 0;
}

void trim_program(void)
{
    (void) dl_iterate_phdr(trim_object, NULL);
}
