/* SPDX-License-Identifier: Apache-2.0 */
/* The values of options and arguments: numbers, sizes and durations. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/ctl.h"
#include "proto/base/size.h"

bool ctl_is_number(const char *text, uint64_t *ret)
{
    char *end;
    errno = 0;
    *ret = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && !errno;
}

int ctl_take_number(const char *option, const char *text, uint32_t least, uint32_t most, uint32_t *ret)
{
    uint64_t number;
    if (!ctl_is_number(text, &number) || number < least || number > most) {
        return ctl_usage("%s `%s`: a number from %u to %u is expected", option, text, least, most);
    }
    *ret = (uint32_t)number;
    return CTL_DONE;
}

int ctl_take_size(const char *what, const char *text, uint64_t *ret)
{
    int result = size_from_text(text, 0, ret);
    if (result == -ERANGE || (result == 0 && *ret == UINT64_MAX)) {
        return ctl_usage("%s `%s` is too much: a size has less than 16777216T (2^64 bytes)", what, text);
    }
    if (result < 0 && strchr(text, '%')) {
        return ctl_usage("%s `%s`: only the configuration takes shares; give a size, such as 512M or 8G", what, text);
    }
    if (result < 0) {
        return ctl_usage("%s `%s`: a size is a whole number with a unit, B, K, M, G or T, such as 512M or 8G (and "
                         "1536M, not 1.5G)",
                         what, text);
    }
    return CTL_DONE;
}

int ctl_take_duration(const char *option, const char *text, uint32_t least, uint32_t *ret_milliseconds)
{
    uint64_t milliseconds;
    if (duration_from_text(text, &milliseconds) < 0) {
        return ctl_usage("%s `%s`: a duration is a whole number with a unit, ms, s, min or h, such as 500ms or 2min",
                         option, text);
    }
    if (milliseconds < least || milliseconds > UINT32_MAX) {
        return ctl_usage("%s `%s`: a duration from %ums to %uh is expected", option, text, least, UINT32_MAX / 3600000);
    }
    *ret_milliseconds = (uint32_t)milliseconds;
    return CTL_DONE;
}
