/* SPDX-License-Identifier: Apache-2.0 */
/* Explains why connect() failed: no broker, a busy one, or no permission. */
#include "client/unreachable.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/error.h"

enum { NAME_BYTES = 64, NSS_BYTES = 4096 };

/* The name of a group, or its number if it has no name. */
static const char *group_name(gid_t gid, char *name)
{
    char buffer[NSS_BYTES];
    struct group group, *found = NULL;
    if (getgrgid_r(gid, &group, buffer, sizeof buffer, &found) == 0 && found) {
        (void)snprintf(name, NAME_BYTES, "%s", found->gr_name);
    } else {
        (void)snprintf(name, NAME_BYTES, "%u", gid);
    }
    return name;
}

static const char *user_name(uid_t uid, char *name)
{
    char buffer[NSS_BYTES];
    struct passwd user, *found = NULL;
    if (getpwuid_r(uid, &user, buffer, sizeof buffer, &found) == 0 && found) {
        (void)snprintf(name, NAME_BYTES, "%s", found->pw_name);
    } else {
        (void)snprintf(name, NAME_BYTES, "%u", uid);
    }
    return name;
}

static int forbidden(const char *path, const char *setting)
{
    char group[NAME_BYTES], user[NAME_BYTES];
    struct stat status;
    if (stat(path, &status) < 0) {
        return error_set(-EACCES,
                         "permission denied on %s: this user may not enter one of the directories above it; ask the "
                         "administrator, or name another socket with %s",
                         path, setting);
    }
    if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0) {
        return error_set(-EACCES,
                         "permission denied on %s, though its mode %04o allows it: a security module (SELinux, "
                         "AppArmor) forbids it; see the kernel's log",
                         path, status.st_mode & 07777);
    }
    (void)group_name(status.st_gid, group);
    (void)user_name(status.st_uid, user);
    if (status.st_mode & S_IWGRP && status.st_gid == 0) {
        return error_set(-EACCES,
                         "permission denied on %s: only members of the administrators' group may connect (mode %04o, "
                         "owner %s); the administrator can change that with [server] socket_mode and socket_group, or "
                         "start a broker of your own and name its socket with %s",
                         path, status.st_mode & 07777, user, setting);
    }
    if (status.st_mode & S_IWGRP) {
        return error_set(-EACCES,
                         "permission denied on %s: only members of group %s may connect (mode %04o, owner %s); add "
                         "this user to the group (usermod -aG %s USER) and log in again",
                         path, group, status.st_mode & 07777, user, group);
    }
    return error_set(-EACCES,
                     "permission denied on %s: only its owner %s may connect (mode %04o, group %s); the administrator "
                     "can change that with [server] socket_mode and socket_group",
                     path, user, status.st_mode & 07777, group);
}

int unreachable(const struct sockaddr_un *address, int error, const char *setting)
{
    const char *path = address->sun_path;
    switch (error) {
    case -EACCES:
    case -EPERM:
        return forbidden(path, setting);
    case -ENOENT:
    case -ENOTDIR:
        return error_set(-ENOTCONN, "there is no socket %s; start membrokerd, or name its socket with %s", path,
                         setting);
    case -ECONNREFUSED:
        return error_set(-ENOTCONN, "no broker listens on %s; start membrokerd, or name its socket with %s", path,
                         setting);
    case -EAGAIN:
        return error_set(
            -ENOTCONN,
            "the broker on %s accepts no connection: it is stopped, or too many clients connect at the same time; "
            "see whether membrokerd runs, and try again",
            path);
    case -EMFILE:
    case -ENFILE:
        return error_set(-EMFILE, "no descriptor is left to connect to %s with: %s", path, strerrordesc_np(-error));
    default:
        return error_set(-ENOTCONN, "can't connect to %s: %s; start membrokerd, or name its socket with %s", path,
                         strerrordesc_np(-error), setting);
    }
}
