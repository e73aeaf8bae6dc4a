/* SPDX-License-Identifier: Apache-2.0 */
/* A segment could not be made: the request is told why, and nothing of it is left. */
#include "daemon/core/grant_failed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/answer.h"
#include "daemon/core/denial.h"
#include "daemon/core/ending.h"
#include "daemon/core/host_room.h"
#include "daemon/core/place.h"
#include "proto/base/size.h"
#include "proto/base/text.h"

/* What can go wrong with a named file only; false: something else did. */
static bool explain_file(struct step *step, const struct session *session, const struct segment *segment,
                         const struct input_segment *failed)
{
    const char *directory = failed->directory;
    int error = failed->error;
    void *peer = session->peer;
    uint64_t id = segment->request_id;
    if (!segment->lease->file || segment->lease->state != LEASE_MAKING) {
        return false;
    }
    const char *file = segment->lease->file->name;
    if (error == -EBUSY) {
        answer_error(step, peer, id, ERROR_BUSY, "another program has the file \"%s\" locked; end that first", file);
    } else if (error == -EACCES || error == -EPERM) {
        answer_error(
            step, peer, id, ERROR_NOT_PERMITTED,
            "the file \"%s\" is not user %u's, or the broker may not open it or give it to that user; name another, "
            "or give the broker the right to (CAP_CHOWN, CAP_DAC_OVERRIDE): membroker.conf(5) has the drop-in for its "
            "unit",
            file, session->identity.uid);
    } else if (error == -EMLINK) {
        answer_error(step, peer, id, ERROR_INVALID, "\"%s\" is no regular file, or has other names (links) too", file);
    } else if (error == -ESTALE) {
        answer_error(step, peer, id, ERROR_BUSY, "the file \"%s\" became longer in the meantime; try again", file);
    } else if (error == -EOWNERDEAD) {
        answer_error(step, peer, id, ERROR_SYSTEM,
                     "a worker process of the broker was killed while it opened the file \"%s\", which may be there in "
                     "part; ask again, and look for the reason in the kernel's log",
                     file);
    } else if (error == -ENOENT && directory) {
        answer_error(step, peer, id, ERROR_SYSTEM,
                     "the directory of named files, %s, is gone; make it again on the same file system and with the "
                     "same owner, or restart the broker",
                     directory);
    } else {
        return false;
    }
    return true;
}

static void explain_memory(struct step *step, const struct session *session, const struct segment *segment,
                           const struct input_segment *failed)
{
    char asked[SIZE_TEXT_BYTES], free_text[SIZE_TEXT_BYTES];
    void *peer = session->peer;
    uint64_t id = segment->request_id;
    bool mapped = !location_is_memory(segment->charge.location);
    size_to_text(segment->charge.bytes, asked);
    if (mapped && (failed->error == -ENOSPC || failed->error == -EDQUOT)) {
        answer_error(step, peer, id, ERROR_DISK_FULL,
                     "the spill file system has %s free and %s were asked for; ask for less, release mapped leases, or "
                     "give [mapped] directory more space",
                     size_to_text(failed->disk_free, free_text), asked);
    } else if (!mapped && (failed->error == -ENOMEM || failed->error == -ENOSPC)) {
        answer_error(step, peer, id, ERROR_HOST_MEMORY,
                     "the kernel could not provide %s of %s%s; ask for less, or use location MMAP or AUTO", asked,
                     segment->options.huge_pages == HUGE_PAGES_ALWAYS ? "huge pages" : "RAM",
                     segment->options.numa_node >= 0 ? " on that NUMA node" : "");
    } else if (mapped && failed->error == -ENOLCK) {
        answer_error(step, peer, id, ERROR_NOT_SUPPORTED,
                     "a block can't be in a file here: the file system of %s can't tell whether a file can still be "
                     "written (it has no file leases); acquire the block in RAM, or have [mapped] directory moved to "
                     "ext4, XFS, Btrfs or tmpfs",
                     failed->directory);
    } else if (failed->error == -ENODEV || failed->error == -EOPNOTSUPP) {
        answer_error(step, peer, id, ERROR_NOT_SUPPORTED,
                     "this host has no NUMA node %d to bind to; leave the node out, or see `numactl --hardware`",
                     segment->options.numa_node);
    } else if (failed->error == -EMFILE || failed->error == -ENFILE) {
        answer_error(step, peer, id, ERROR_TOO_MANY,
                     "the broker has no descriptor left for another segment; release leases, or raise its LimitNOFILE");
    } else if (failed->error == -EOWNERDEAD) {
        answer_error(
            step, peer, id, ERROR_SYSTEM,
            "a worker process of the broker was killed while it made %s, and so was the next one; look for the "
            "reason in the kernel's log (out of memory?), and ask for less, or without prefault",
            asked);
    } else if (failed->error == -ENOENT && failed->directory) {
        answer_error(step, peer, id, ERROR_SYSTEM, "the spill directory, %s, is gone; make it again, as it was",
                     failed->directory);
    } else {
        answer_error(step, peer, id, ERROR_SYSTEM, "the kernel refused a segment of %s: %s", asked,
                     strerrordesc_np(-failed->error));
    }
}

/* The ledger had room. */
static struct refusal disk_figures(const struct segment *segment, const struct input_segment *failed)
{
    struct refusal refusal = {.limit_kind = LIMIT_KIND_DISK_SPACE,
                              .limit_bytes = failed->disk_free,
                              .asked_bytes = segment->charge.bytes,
                              .free_bytes = failed->disk_free,
                              .whose = "host"};
    text_copy(refusal.limit, sizeof refusal.limit, limit_kind_name(LIMIT_KIND_DISK_SPACE));
    return refusal;
}

static void explain_failure(struct step *step, const struct session *session, const struct segment *segment,
                            const struct input_segment *failed)
{
    if (!explain_file(step, session, segment, failed)) {
        explain_memory(step, session, segment, failed);
    }
    if (segment->request_id) {
        struct effect *last = &step->effects->effects[step->effects->count - 1];
        struct error_reply *error = &last->reply.reply.error;
        error->system_errno = (uint32_t)-failed->error;
        if (error->code == ERROR_DISK_FULL) {
            error->refusal = disk_figures(segment, failed);
            step->broker->figures.refused[LIMIT_KIND_DISK_SPACE]++;
        }
    }
}

/* RAM could not be had after all: the same segment as a file, if the request allows it and the limits do. */
static bool spill(struct step *step, struct segment *segment)
{
    struct lease *lease = segment->lease;
    struct denial denial;
    struct charge charge;
    enum location next = location_facts[segment->charge.location].spills_to;
    if (lease->state != LEASE_MAKING || !lease->may_spill || next == LOCATION_UNSPECIFIED) {
        return false;
    }
    if (!place_bytes(step, &lease->session->account, segment->least_bytes, next, FILE_NEVER, &charge, &denial)) {
        return false;
    }
    host_room_uncount(step->broker, segment);
    charge_release(&segment->charge);
    segment->charge = charge;
    segment->options = (struct segment_options){.numa_node = -1};
    lease->location = next;
    (void)segment_begin_making(step, segment);
    return true;
}

void grant_failed(struct step *step, struct segment *segment, const struct input_segment *failed)
{
    struct lease *lease = segment->lease;
    bool begun = lease->state != LEASE_MAKING;
    if (!segment->doomed && spill(step, segment)) {
        return;
    }
    explain_failure(step, lease->session, segment, failed);
    step->broker->counters.refused++;
    host_room_uncount(step->broker, segment);
    if (begun) {
        ending_drop_segment(step, segment);
        return;
    }
    charge_release(&segment->charge);
    segment_tree_remove(step->broker, segment);
    session_remove_segment(&step->broker->sessions, lease->session);
    free(segment);
    lease_abandon(step->broker, lease);
}
