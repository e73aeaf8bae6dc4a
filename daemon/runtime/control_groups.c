/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/control_groups.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "daemon/core/control_group.h"
#include "daemon/os/process.h"
#include "daemon/runtime/log.h"

enum { TEXT_SIZE = 65536 }; /* every hierarchy of cgroup v1 with the longest path */

int control_groups_read(int32_t pid, int pidfd, const char **ret)
{
    static const struct log_about anybody = {.event = LOG_EVENT_NONE};
    static char text[TEXT_SIZE], groups[CONTROL_GROUPS_SIZE];
    *ret = NULL;
    int result = process_read_control_groups(pid, pidfd, text, sizeof text);
    if (result == -E2BIG || result == -ENAMETOOLONG) {
        return -E2BIG;
    }
    if (result == 0) {
        result = control_groups_parse(text, groups);
        *ret = result < 0 ? NULL : groups;
        return result;
    }
    if (result != -ESRCH && result != -ENOSYS && log_allows(&anybody)) {
        log_warning("the control group of process %d can't be read (%s): no slices apply to it", pid,
                    strerrordesc_np(-result));
    }
    return 0;
}
