/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ctl/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "proto/base/size.h"

enum { INTERVAL_MS = 200, LINE = 40 };

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct progress progress_begin(uint64_t all)
{
    return (struct progress){.all = all, .shown_at = now_ms(), .is_shown = isatty(STDERR_FILENO)};
}

void progress_note(struct progress *progress, uint64_t done)
{
    char part[SIZE_TEXT_BYTES], all[SIZE_TEXT_BYTES], line[2 * SIZE_TEXT_BYTES + 8];
    uint64_t now = now_ms();
    if (!progress->is_shown || now - progress->shown_at < INTERVAL_MS) {
        return;
    }
    progress->shown_at = now;
    progress->has_line = true;
    (void)snprintf(line, sizeof line, "%s of %s", size_to_text(done, part), size_to_text(progress->all, all));
    (void)fprintf(stderr, "\r%-*s", LINE, line);
}

void progress_end(const struct progress *progress)
{
    if (progress->has_line) {
        (void)fprintf(stderr, "\r%*s\r", LINE, "");
    }
}
