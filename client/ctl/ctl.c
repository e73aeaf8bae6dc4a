/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs share: asking, failing, printing. */
#include "client/ctl/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/ctl/monitor.h"
#include "client/ctl/text.h"
#include "membroker.h"

static struct monitor *monitor; /* one connection for all questions of a run */

int ctl_failed(int code)
{
    (void)fprintf(stderr, "membrokerctl: ");
    text_print(stderr, mb_last_error());
    (void)fputc('\n', stderr);
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

/* What a broker that keeps to the protocol answers: another kind's union member would be read as this one's. */
static bool answers(enum request_kind request, enum reply_kind reply)
{
    static const enum reply_kind kinds[REQUEST_KINDS] = {
        [REQUEST_STATUS] = REPLY_STATUS, [REQUEST_LIST] = REPLY_LISTING, [REQUEST_REVOKE] = REPLY_DONE,
        [REQUEST_PING] = REPLY_PONG,     [REQUEST_AUDIT] = REPLY_AUDIT,  [REQUEST_WHY] = REPLY_WHY,
        [REQUEST_RELOAD] = REPLY_DONE,
    };
    return kinds[request] == reply;
}

const char *ctl_socket(void)
{
    return monitor ? monitor_socket(monitor) : "";
}

int ctl_ask(const struct ctl_options *options, struct request *request, const struct reply **ret)
{
    if (!monitor) {
        int result = monitor_open(options->socket, &monitor);
        if (result < 0) {
            return ctl_failed(result);
        }
    }
    int result = monitor_call(monitor, request, ret);
    if (result < 0) {
        return ctl_failed(result);
    }
    if (!answers(request->kind, (*ret)->kind)) {
        (void)fprintf(stderr,
                      "membrokerctl: the broker answered something else than was asked; is it of this version?\n");
        return CTL_REFUSED;
    }
    return CTL_DONE;
}

void ctl_print_warnings(const char *lines)
{
    char line[1024];
    while (*lines) {
        size_t length = strcspn(lines, "\n");
        (void)snprintf(line, sizeof line, "%.*s", (int)length, lines);
        printf("WARNING: ");
        text_print(stdout, line);
        (void)putchar('\n');
        lines += length + (lines[length] != '\0');
    }
}

int ctl_print_json(json_t *document, bool compact)
{
    if (!document) {
        (void)fprintf(stderr, "membrokerctl: the broker's answer can't be JSON: a text in it is not UTF-8\n");
        return CTL_REFUSED;
    }
    (void)json_dumpf(document, stdout, JSON_REAL_PRECISION(9) | (compact ? JSON_COMPACT : JSON_INDENT(2)));
    (void)putchar('\n');
    (void)fflush(stdout);
    json_decref(document);
    return CTL_DONE;
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
