/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of log. */
#include "daemon/runtime/log.h"

#include <stdarg.h>
#include <stdio.h>

static enum log_level highest = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
    highest = level;
}

void log_line(enum log_level level, const char *format, ...)
{
    static const char *const words[] = {"error: ", "warning: ", "", "debug: "};
    char line[1024];
    if (level > highest) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "membrokerd: %s%s\n", words[level], line);
}
