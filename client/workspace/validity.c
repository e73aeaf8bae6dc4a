/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a reference's memory is still valid, and why not. */
#include <errno.h>

#include "client/buffer/buffer.h"
#include "client/client.h"
#include "client/error.h"
#include "client/workspace/reference.h"

static bool is_overwritten(const struct origin *origin, const mb_ref *ref)
{
    return atomic_load(&origin->position) - ref_value(ref) > atomic_load(&origin->size);
}

static bool is_given_back(const struct origin *origin, const mb_ref *ref)
{
    const _Atomic uint64_t *end = ref_place(ref) == REF_PINNED ? &origin->ends.pinned : &origin->ends.spilled;
    return ref_value(ref) <= atomic_load(end);
}

/* Whether the bytes themselves are gone, apart from the scope. */
static bool has_ended(const struct origin *origin, const mb_ref *ref)
{
    enum ref_place place = ref_place(ref);
    return place == REF_ARENA ? origin->circular && is_overwritten(origin, ref)
                              : (place == REF_SPILLED || place == REF_PINNED) && is_given_back(origin, ref);
}

/* A scope's end ends its memory, except that of a circular workspace and bypassed memory. */
static mb_ref_validity verdict_on(const struct origin *origin, const mb_ref *ref)
{
    enum ref_place place = ref_place(ref);
    bool is_scoped = !origin->circular && place != REF_BYPASSED;
    bool is_present = atomic_load(&origin->generation) == ref->generation;
    if (place == REF_FOREIGN) {
        return MB_REF_LEAKED;
    }
    if (has_ended(origin, ref) || (is_scoped && !is_present)) {
        return is_present ? MB_REF_LEAKED : MB_REF_OUTDATED;
    }
    return is_scoped && !atomic_load(&origin->active) ? MB_REF_LEAKED : MB_REF_VALID;
}

/* Whether this process was forked from the one that made the reference. */
static bool is_a_parents(const mb_ref *ref)
{
    const struct origin *origin = ref->origin;
    return ref->buffer ? !thread_process_is(buffer_heap(ref->buffer)->client->owner)
                       : origin && !thread_process_is(origin->process);
}

mb_ref_validity mb_ref_state(const mb_ref *ref)
{
    const struct origin *origin = ref->origin;
    if (is_a_parents(ref)) {
        return MB_REF_LEAKED;
    }
    if (ref->buffer) {
        return mb_buffer_check(ref->buffer) == 0 ? MB_REF_VALID : MB_REF_LOST;
    }
    reference_publish_position(origin);
    if (!origin || atomic_load(&origin->workspace) != ref->workspace) {
        return MB_REF_LEAKED;
    }
    mb_ref_validity validity = verdict_on(origin, ref);
    return validity == MB_REF_VALID && reference_is_lost(ref) ? MB_REF_LOST : validity;
}

static int explain_leak(const struct origin *origin, const mb_ref *ref, unsigned long long from, unsigned long long now)
{
    if (!origin) {
        return error_set(-ESTALE, "the reference is empty: it was never given memory");
    }
    uint64_t number = atomic_load(&origin->workspace);
    if (number != ref->workspace) {
        return error_set(-ESTALE,
                         "leaked: the memory is of workspace \"%s\" (number %llu), generation %llu, which was closed, "
                         "by its thread's end if not before; detach what must outlive its workspace",
                         number == 0 ? origin->name : "?", (unsigned long long)ref->workspace, from);
    }
    if (ref_place(ref) == REF_FOREIGN) {
        return error_set(-ESTALE, "leaked: the reference was not made from memory that workspace \"%s\" had handed out",
                         origin->name);
    }
    if (origin->circular) {
        return error_set(-ESTALE,
                         "leaked: the memory lay outside the arena of workspace \"%s\", generation %llu, and was given "
                         "back when the cycle ended; detach what must live longer",
                         origin->name, from);
    }
    return error_set(-ESTALE,
                     "leaked: the memory is of workspace \"%s\", generation %llu, whose scope has ended (the present "
                     "generation is %llu and not open); use it inside the scope, or detach it",
                     origin->name, from, now);
}

int mb_ref_check(const mb_ref *ref)
{
    const struct origin *origin = ref->origin;
    mb_ref_validity validity = mb_ref_state(ref);
    if (is_a_parents(ref)) {
        return error_set(-ESTALE, "leaked: the memory is of the process that forked this one");
    }
    if (validity == MB_REF_VALID || ref->buffer) {
        return validity == MB_REF_VALID ? error_end(0) : mb_buffer_check(ref->buffer);
    }
    unsigned long long from = ref->generation, now = origin ? atomic_load(&origin->generation) : 0;
    if (validity == MB_REF_LEAKED) {
        return explain_leak(origin, ref, from, now);
    }
    if (validity == MB_REF_LOST) {
        return error_set(-ESTALE, "the memory is of workspace \"%s\", whose lease has ended", origin->name);
    }
    return error_set(
        -ESTALE,
        "outdated: the memory is of workspace \"%s\", generation %llu, and the present generation is %llu: "
        "it was entered again since%s; detach what must live longer than a cycle",
        origin->name, from, now,
        !origin->circular             ? ""
        : ref_place(ref) == REF_ARENA ? ", and has overwritten this"
                                      : ", and has given this back");
}
