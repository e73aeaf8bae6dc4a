/* SPDX-License-Identifier: Apache-2.0 */
/* Failing: a sentence for people, or an object for programs; and the exit status. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/ctl/ctl.h"
#include "client/ctl/print.h"
#include "client/ctl/text.h"
#include "membroker.h"
#include "proto/name.h"

enum { SENTENCE_BYTES = 1280 };

static bool as_json;
static const char *verb_name, *hint;

void ctl_fail_as_json(void)
{
    as_json = true;
}

void ctl_fail_in(const char *verb)
{
    verb_name = verb;
}

void ctl_fail_with_hint(const char *sentence)
{
    hint = sentence;
}

static void print_sentence(const char *sentence, bool is_usage)
{
    (void)fprintf(stderr, "membrokerctl: ");
    text_print(stderr, sentence);
    (void)fprintf(stderr, "\n");
    if (is_usage && hint) {
        (void)fprintf(stderr, "%s\n", hint);
    }
    if (is_usage) {
        (void)fprintf(stderr, "Try `membrokerctl %s%s--help`.\n", verb_name ? verb_name : "", verb_name ? " " : "");
    }
}

static int fail(int status, int code, const char *sentence)
{
    const char *name = strerrorname_np(-code);
    bool is_printed = as_json && print_json(json_pack("{s:{s:o,s:s?,s:i}}", "error", "message", json_text(sentence),
                                                      "errno", name, "exit_status", status),
                                            true);
    if (!is_printed) {
        print_sentence(sentence, status == CTL_USAGE);
    }
    return status;
}

int ctl_failed(int code)
{
    bool is_absent = code == -ENOTCONN || code == -ETIMEDOUT;
    return fail(is_absent ? CTL_NO_DAEMON : CTL_REFUSED, code, mb_last_error());
}

int ctl_fail(int code, const char *format, ...)
{
    char sentence[SENTENCE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    return fail(CTL_REFUSED, code, sentence);
}

int ctl_usage(const char *format, ...)
{
    char sentence[SENTENCE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    return fail(CTL_USAGE, -EINVAL, sentence);
}

bool ctl_takes(int argc, char **argv, int most)
{
    if (argc - 1 <= most) {
        return true;
    }
    (void)ctl_usage("%s takes no argument `%s`", argv[0], argv[most + 1]);
    return false;
}

bool ctl_takes_name(const char *of, const char *name)
{
    const char *fault = name_fault(name);
    if (fault) {
        (void)ctl_usage("`%s` can't be the name of %s: %s", name, of, fault);
    }
    return !fault;
}
