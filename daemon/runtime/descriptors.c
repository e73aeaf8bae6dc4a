/* SPDX-License-Identifier: Apache-2.0 */
/* One byte a number, for all numbers from the start: noting a use can't fail. */
#include "daemon/runtime/descriptors.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/os/fault.h"
#include "proto/base/cleanup.h"
#include "proto/base/size.h"

/* The daemon needs some descriptors for the host's figures, pidfds and its own files, whatever the clients take. */
enum {
    RESERVE = 64,
    CEILING_MAX = (1 << 18) - 2, /* as the unit file has it; libuv takes powers of two */
};

int descriptor_uses_init(struct descriptor_uses *uses, uint64_t limit)
{
    uses->ceiling = (int)size_min(limit - size_min(RESERVE, limit / 4), CEILING_MAX);
    size_t count = (size_t)uses->ceiling + RESERVE;
    uses->of = calloc(count, sizeof *uses->of);
    uses->count = uses->of ? count : 0;
    return uses->of ? 0 : -ENOMEM;
}

void descriptor_uses_deinit(struct descriptor_uses *uses)
{
    free(uses->of);
    *uses = (struct descriptor_uses){0};
}

static void set(struct descriptor_uses *uses, int fd, enum descriptor_use use)
{
    if (fd >= 0 && (size_t)fd < uses->count) {
        uses->used += (use != DESCRIPTOR_UNKNOWN) - (uint64_t)(uses->of[fd] != DESCRIPTOR_UNKNOWN);
        uses->of[fd] = (uint8_t)use;
    }
}

void descriptor_note(struct descriptor_uses *uses, int fd, enum descriptor_use use)
{
    fault_unless(descriptor_use(uses, fd) == DESCRIPTOR_UNKNOWN); /* else it was closed without a word */
    set(uses, fd, use);
}

void descriptor_note_other(struct descriptor_uses *uses, int fd, enum descriptor_use use)
{
    fault_unless(descriptor_use(uses, fd) != DESCRIPTOR_UNKNOWN);
    set(uses, fd, use);
}

void descriptor_forget(struct descriptor_uses *uses, int fd)
{
    set(uses, fd, DESCRIPTOR_UNKNOWN);
}

int descriptor_close(struct descriptor_uses *uses, int fd)
{
    descriptor_forget(uses, fd);
    return fd_close(fd);
}

enum descriptor_use descriptor_use(const struct descriptor_uses *uses, int fd)
{
    return fd >= 0 && (size_t)fd < uses->count ? (enum descriptor_use)uses->of[fd] : DESCRIPTOR_UNKNOWN;
}
