/* SPDX-License-Identifier: Apache-2.0 */
/* Putting a file's new content in the place of its old: whole, or not at all, whatever fails or is killed. */
#pragma once

#include <stddef.h>

/*
 * Written beside it, with ".new" behind its name, to the disk, and then put in its place; a directory that is missing
 * is made, if the one above is there. Returns 0 or negative errno: then the old one is as it was, and no new one is
 * left. Takes as long as the disk needs; any thread, one at a time for a path.
 */
int replace_file(const char *path, const void *bytes, size_t size);
