/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl metrics */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/ctl.h"
#include "client/ctl/options.h"
#include "client/metrics/families.h"

static uint32_t users = GATHER_USERS_DEFAULT;
static enum exposition_format format = EXPOSITION_OPENMETRICS;

static int take_users(struct ctl_options *options, const char *value)
{
    (void)options;
    return ctl_take_number("--users", value, 0, GATHER_USERS_MAX, &users);
}

static int take_format(struct ctl_options *options, const char *value)
{
    (void)options;
    if (strcmp(value, "openmetrics") != 0 && strcmp(value, "prometheus") != 0) {
        return ctl_usage("--format `%s`: openmetrics or prometheus is expected", value);
    }
    format = *value == 'o' ? EXPOSITION_OPENMETRICS : EXPOSITION_PROMETHEUS;
    return CTL_DONE;
}

static const struct ctl_option list[] = {
    {"users", '\0', "N", "how many users have metrics of their own: those who hold most (default 20)", take_users},
    {"format", '\0', "NAME", "openmetrics (default), or prometheus for node_exporter's textfile collector and promtool",
     take_format},
};

const struct ctl_option_list metrics_options = {list, sizeof list / sizeof *list};

/* ctl_ask() prints the message itself. */
struct asking {
    const struct ctl_options *options;
    int status;
};

static int ask(void *data, struct request *request, const struct reply **ret)
{
    struct asking *asking = data;
    asking->status = ctl_ask(asking->options, request, ret);
    return asking->status == CTL_DONE ? 0 : -EIO;
}

static int print(const char *text, size_t length, bool json)
{
    if (json) {
        return ctl_print(json_pack("{s:s%}", "metrics", text, length), false);
    }
    (void)fwrite(text, 1, length, stdout);
    return CTL_DONE;
}

int metrics_main(const struct ctl_options *options, int argc, char **argv)
{
    struct asking asking = {.options = options};
    struct gathered gathered;
    size_t length = 0;
    if (!ctl_takes(argc, argv, 0)) {
        return CTL_USAGE;
    }
    int result = gather(ask, &asking, users, &gathered);
    if (result < 0) {
        return asking.status != CTL_DONE ? asking.status : ctl_fail(result, "out of memory");
    }
    char *text = families_to_text(&gathered, format, &length);
    gather_free(&gathered);
    int status = text ? print(text, length, options->json) : ctl_fail(-ENOMEM, "out of memory");
    free(text);
    return status;
}
