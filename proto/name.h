/* SPDX-License-Identifier: Apache-2.0 */
/* Names: of clients, leases, files, workspaces, and those in the configuration. One rule for all of them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether the text can be a name: shorter than MESSAGE_NAME_SIZE, valid UTF-8, and every character shows. Refused are
 * controls, formats, private use, surrogates, line and paragraph separators (Unicode's Cc, Cf, Co, Cs, Zl, Zp) and
 * what is ignored where it can't be shown (Default_Ignorable_Code_Point): they make one name read as another.
 */
bool name_is_valid(const char *name);

/*
 * Why the text can't be the name of a block or an object; NULL: it can. Others find these by their names. So a name has
 * at least one character, and a blank (Unicode's Zs) neither begins nor ends it: nobody sees that one there.
 */
const char *name_fault(const char *name);

/* name_is_valid() for a text that may be longer. */
bool name_shows(const char *text, size_t length);
