/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of mapped segments: whether the daemon can keep files there. */
#pragma once

#include <sys/statvfs.h>

/* Makes the directory, mode 0700, and those above it. 0 and what statvfs() says, or negative errno. */
int directory_make(char *path, struct statvfs *ret);

/* Makes nothing: checks that the nearest directory that exists can be written to. */
int directory_look(const char *path, struct statvfs *ret);
