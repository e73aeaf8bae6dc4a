/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/tampering.h"

#include "daemon/runtime/log.h"

bool tampering_is_absent(const struct segment_file *file, const struct inode_view *view)
{
    return segment_backend(file)->is_intact(segment_length(file), view);
}

/* Logged once, and in a budget, since its borrower may do so again and again. */
void tampering_log(struct segment_file *file, uint64_t lease, const struct inode_view *view, const char *consequence)
{
    const struct log_about about = {.event = LOG_EVENT_SEGMENT_TAMPERED, .lease = lease};
    file->is_reported = true;
    if (log_allows(&about)) {
        log_line(LOG_LEVEL_WARNING, &about,
                 "segment %llu was granted with %llu bytes and has a size of %llu with %llu allocated%s: %s",
                 (unsigned long long)segment_id(file), (unsigned long long)file->bytes, (unsigned long long)view->size,
                 (unsigned long long)view->allocated, view->goes_beyond ? ", some of them beyond its end" : "",
                 consequence);
    }
}

void tampering_log_freed(struct segment_file *file, const struct inode_view *view)
{
    if (!file->is_reported && !tampering_is_absent(file, view)) {
        tampering_log(file, 0, view, "it came back so");
    }
}
