/* SPDX-License-Identifier: Apache-2.0 */
/* The published blocks, as a list. */
#pragma once

#include "client/python/src/compat.h"

/*
 * list_blocks(client): tuples of the fields of BlockInfo, in their order: texts as bytes, and None for a number
 * that there is none of.
 */
PyObject *listing_blocks(PyObject *module, PyObject *client);
