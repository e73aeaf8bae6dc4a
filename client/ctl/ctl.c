/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs share: asking, failing, printing. */
#include "client/ctl/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "client/ctl/monitor.h"
#include "membroker.h"

int ctl_failed(int code)
{
    (void)fprintf(stderr, "membrokerctl: %s\n", mb_last_error());
    return code == -ENOTCONN ? CTL_NO_DAEMON : CTL_REFUSED;
}

int ctl_usage(const char *format, ...)
{
    va_list arguments;
    (void)fprintf(stderr, "membrokerctl: ");
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "\nTry `membrokerctl --help`.\n");
    return CTL_USAGE;
}

int ctl_ask(const struct ctl_options *options, struct request *request, const struct reply **ret)
{
    static struct monitor *monitor; /* one connection for all questions of a run */
    if (!monitor) {
        int result = monitor_open(options->socket, &monitor);
        if (result < 0) {
            return ctl_failed(result);
        }
    }
    int result = monitor_call(monitor, request, ret);
    return result < 0 ? ctl_failed(result) : CTL_DONE;
}

void ctl_print_json(json_t *document, bool compact)
{
    (void)json_dumpf(document, stdout, compact ? JSON_COMPACT : JSON_INDENT(2));
    (void)putchar('\n');
    (void)fflush(stdout);
    json_decref(document);
}

json_t *ctl_json_limit(uint64_t limit)
{
    return limit == LIMIT_OFF ? json_null() : json_integer((json_int_t)limit);
}

bool ctl_takes(int argc, char **argv, int most)
{
    if (argc - 1 <= most) {
        return true;
    }
    (void)ctl_usage("%s does not take `%s`", argv[0], argv[most + 1]);
    return false;
}
