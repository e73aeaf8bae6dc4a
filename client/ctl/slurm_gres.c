/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl slurm-gres: how many bytes Slurm may give to jobs on this node, as lines of its configuration. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/ctl/ctl.h"
#include "client/ctl/options.h"
#include "client/ctl/text.h"

enum { LINE_BYTES = 512 };

static const char *node;

static int take_node(struct ctl_options *options, const char *value)
{
    (void)options;
    if (!*value || strlen(value) > LINE_BYTES / 2 || strpbrk(value, " \t\n\"#=")) {
        return ctl_usage("--node `%s`: the name of a node in slurm.conf is expected, or of several, such as n[1-8]",
                         value);
    }
    node = value;
    return CTL_DONE;
}

static const struct ctl_option own[] = {
    {"node", '\0', "NAMES", "the nodes that the line is for (default: the one that reads it)", take_node},
};

const struct ctl_option_list slurm_gres_options = {own, sizeof own / sizeof *own};

/* A number that the next start of the broker may change is no number for Slurm, which drains nodes that have less. */
static void warn_of_earlier_settings(const struct status_reply *status)
{
    if (*status->configuration_error) {
        (void)fprintf(stderr, "membrokerctl: the configuration is bad, and this is the number of earlier settings: ");
        text_print(stderr, status->configuration_error);
        (void)putc('\n', stderr);
    }
}

/* What reservations may have, if Slurm can count it. */
static int read_bytes(const struct ctl_options *options, uint64_t *ret)
{
    struct request status = {.kind = REQUEST_STATUS};
    const struct reply *reply;
    int result = ctl_ask(options, &status, &reply);
    if (result != CTL_DONE) {
        return result;
    }
    warn_of_earlier_settings(&reply->status);
    *ret = reply->status.reservable_bytes;
    if (*ret > INT64_MAX) {
        return ctl_fail(-ERANGE,
                        "the broker has no limit on RAM that Slurm could count; set max_physical_bytes in [limits], or "
                        "max_bytes in [reservations]");
    }
    return *ret > 0 ? CTL_DONE
                    : ctl_fail(-ENOSPC, "reservations may have no RAM: the reserve_bytes of users, groups and classes "
                                        "leave nothing of max_physical_bytes, or [reservations] max_bytes is nothing");
}

int slurm_gres_main(const struct ctl_options *options, int argc, char **argv)
{
    uint64_t bytes;
    char line[LINE_BYTES], gres[64];
    int result = ctl_takes(argc, argv, 0) ? read_bytes(options, &bytes) : CTL_USAGE;
    if (result != CTL_DONE) {
        return result;
    }
    (void)snprintf(line, sizeof line, "%s%s%sName=membroker Count=%" PRIu64 " Flags=CountOnly", node ? "NodeName=" : "",
                   node ? node : "", node ? " " : "", bytes);
    (void)snprintf(gres, sizeof gres, "Gres=membroker:%" PRIu64, bytes);
    if (options->json) {
        return ctl_print(json_pack("{s:I,s:s,s:s}", "bytes", (json_int_t)bytes, "gres_conf", line, "slurm_conf", gres),
                         true);
    }
    printf("%s\n", line);
    return CTL_DONE;
}
