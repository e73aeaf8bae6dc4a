/* SPDX-License-Identifier: Apache-2.0 */
/* Where files of state lie that outlive the service. */
#pragma once

/* The path of such a file; NULL: there is no such place. The caller frees it. */
char *state_path(const char *name);
