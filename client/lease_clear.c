/* SPDX-License-Identifier: Apache-2.0 */
/* Writes zeros where a lease has pages. */
#include "client/lease_clear.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Up to here, zeros on every page cost less than a new lease that nobody touches: measured with 64 KiB to 256 MiB. */
enum { CLEAR_AT_ONCE_BYTES = 2 << 20 };

bool lease_clear_needs_descriptor(uint64_t bytes)
{
    return bytes > CLEAR_AT_ONCE_BYTES;
}

bool lease_clear_is_cheap(const mb_lease *lease)
{
    return !lease_clear_needs_descriptor(lease_extent(lease, 0)->bytes) || lease_extent(lease, 0)->fd >= 0;
}

/* Swapped pages count as data. Returns where the next ones begin, or end; negative: there are none. */
static off_t next(const struct extent *extent, off_t from, int what)
{
    return lseek(extent->fd, from, what);
}

void lease_clear(const mb_lease *lease)
{
    const struct extent *extent = lease_extent(lease, 0);
    char *start = extent->address;
    off_t end = (off_t)extent->bytes, from = 0;
    if (!lease_clear_needs_descriptor(extent->bytes)) {
        memset(start, 0, extent->bytes);
        return;
    }
    while ((from = next(extent, from, SEEK_DATA)) >= 0 && from < end) {
        off_t hole = next(extent, from, SEEK_HOLE);
        hole = hole < 0 || hole > end ? end : hole;
        memset(start + from, 0, (size_t)(hole - from));
        from = hole;
    }
    if (from < 0 && errno != ENXIO) { /* the kernel does not tell */
        memset(start, 0, extent->bytes);
    }
}
