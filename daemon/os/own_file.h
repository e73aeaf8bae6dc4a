/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a file that only this process's user can have written, though others may write to its directory. */
#pragma once

#include <stdio.h>

/* Opens it for reading; the caller closes it. NULL, with errno: EPERM if it is no plain file of the user's own. */
FILE *own_file_open(const char *path);
