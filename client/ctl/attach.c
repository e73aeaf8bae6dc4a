/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl attach NAME: writes a block to standard output; with --cgroup it is about a reservation. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/ctl/holding.h"
#include "client/ctl/owner.h"
#include "client/ctl/progress.h"
#include "client/ctl/reserve.h"
#include "proto/base/size.h"

static bool has_wait;
static uint32_t wait_ms;

static int take_wait(struct ctl_options *options, const char *value)
{
    (void)options;
    has_wait = true;
    return ctl_take_duration("--wait", value, 0, &wait_ms);
}

static const struct ctl_option own_options[] = {
    OWNER_OPTION("whose block it is (default: your own)"),
    {"wait", '\0', "TIME", "wait for so long until there is such a block (default: not at all)", take_wait},
    CGROUP_OPTION,
};

const struct ctl_option_list attach_options = {own_options, sizeof own_options / sizeof *own_options};

/* ---- the length ---- */

/* The bytes that the publisher put into it, as client/BLOCKS.md has them; false: it does not say. */
static bool exact_bytes(const mb_view *view, uint64_t whole, uint64_t *ret)
{
    size_t count;
    const char *metadata = mb_view_metadata(view, &count);
    json_t *object = json_loadb(metadata ? metadata : "", count, 0, NULL);
    const json_t *said = json_object_get(object, "bytes");
    json_int_t bytes = json_is_integer(said) ? json_integer_value(said) : -1;
    json_decref(object);
    *ret = (uint64_t)bytes;
    return bytes >= 0 && *ret <= whole;
}

/* ---- writing ---- */

/* What was written before may not be the block's. */
static int fail_lost(const mb_view *view, uint64_t written)
{
    (void)mb_view_check(view); /* the error that is printed */
    return ctl_fail(-ESTALE, "%s; what was written (%llu bytes) is not to be used", mb_last_error(),
                    (unsigned long long)written);
}

static int write_all(const mb_view *view, const char *data, uint64_t bytes)
{
    enum { PART = 4 << 20 };
    struct progress progress = progress_begin(bytes);
    uint64_t at = 0;
    ssize_t count = 0;
    while (at < bytes && count >= 0 && mb_view_check(view) == 0) {
        count = write(STDOUT_FILENO, data + at, size_min(bytes - at, PART));
        count = count < 0 && errno == EINTR ? 0 : count;
        at += count > 0 ? (uint64_t)count : 0;
        progress_note(&progress, at);
    }
    int error = errno;
    progress_end(&progress);
    if (mb_view_check(view) < 0) {
        return fail_lost(view, at);
    }
    return count >= 0 ? CTL_DONE
                      : ctl_fail(-error, "standard output can't be written: %s, after %llu of %llu bytes",
                                 strerrordesc_np(error), (unsigned long long)at, (unsigned long long)bytes);
}

static int write_view(const char *name, mb_view *view)
{
    uint64_t whole, exact;
    const void *data = mb_view_data(view, &whole);
    bool is_exact = exact_bytes(view, whole, &exact);
    int status = write_all(view, data, is_exact ? exact : whole);
    if (status == CTL_DONE && !is_exact) {
        (void)fprintf(stderr,
                      "membrokerctl: the block %s does not say its exact length, so all of its pages were written; the "
                      "last one may end with zeros\n",
                      name);
    }
    return status;
}

static int attach_block(const struct ctl_options *options, const char *name)
{
    struct holding holding;
    mb_view *view;
    uint32_t owner;
    int status = holding_open(options, "membrokerctl attach", MB_CLIENT_GUARD, &holding);
    if (status != CTL_DONE) {
        return status;
    }
    (void)owner_said(&owner);
    int result = mb_attach_from(holding.client, owner, name, wait_ms, &view);
    if (result < 0) {
        status = ctl_failed(result);
    } else {
        status = write_view(name, view);
        (void)mb_view_close(view);
    }
    holding_close(&holding);
    return status;
}

/* ---- the verb ---- */

static int check_block(const struct ctl_options *options, int argc, char **argv)
{
    if (argc < 2) {
        return ctl_usage("attach needs the name of a block, or of a reservation and --cgroup PATH");
    }
    if (!ctl_takes(argc, argv, 1)) {
        return CTL_USAGE;
    }
    if (!ctl_takes_name("a block", argv[1])) {
        return CTL_USAGE;
    }
    if (options->json) {
        return ctl_usage("without --cgroup PATH, attach writes the bytes of a block to standard output, and no JSON");
    }
    return !isatty(STDOUT_FILENO)
               ? CTL_DONE
               : ctl_usage("the bytes of a block could disturb the terminal: redirect standard output to a file or a "
                           "program; to add control groups to a reservation, say --cgroup PATH");
}

int attach_main(const struct ctl_options *options, int argc, char **argv)
{
    uint32_t owner;
    if (reserve_has_cgroups()) {
        return owner_said(&owner) || has_wait
                   ? ctl_usage("--cgroup is for reservations; --owner and --wait are for blocks")
                   : reserve_attach(options, argc, argv);
    }
    int status = check_block(options, argc, argv);
    return status == CTL_DONE ? attach_block(options, argv[1]) : status;
}
