/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"

void log_event(const Log *log, LogEvent event, const char *format, ...)
{
    char message[512];
    va_list arguments;

    if (log->sink == NULL)
        return;
    va_start(arguments, format);
    (void) vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    event.message = message;
    log->sink(log->userdata, &event);
}
