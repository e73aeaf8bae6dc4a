/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ctl/names.h"

#include <stdio.h>

bool names_are_valid(int argc, char **argv, const char *of, const char *list)
{
    if (argc < 2) {
        (void)ctl_usage("%s needs the name of %s%s", argv[0], of, list);
        return false;
    }
    for (int i = 1; i < argc; i++) {
        if (!ctl_takes_name(of, argv[i])) {
            return false;
        }
    }
    return true;
}

int names_each(const struct ctl_options *options, int argc, char **argv, name_work *work)
{
    int first_failure = CTL_DONE, status = CTL_DONE;
    for (int i = 1; i < argc && status != CTL_NO_DAEMON; i++) {
        status = work(options, argv[i]);
        first_failure = first_failure == CTL_DONE ? status : first_failure;
    }
    return first_failure;
}

int names_done(const struct ctl_options *options, const char *noun, const char *name, const char *done)
{
    if (options->json) {
        return ctl_print(json_pack("{s:b,s:s}", done, true, "name", name), true);
    }
    printf("%s %s: %s\n", noun, name, done);
    return CTL_DONE;
}
