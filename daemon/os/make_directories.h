/* SPDX-License-Identifier: Apache-2.0 */
/* A directory (mode 0700) and those above it. */
#pragma once

/* Makes what is missing; the path is as before afterwards. 0 or negative errno. */
int make_directories(char *path);
