/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of private memory for slabs' records. The heap's lock is held. */
#pragma once

#include "client/buffer/heap.h"

/* A page at a multiple of its size; its content is undefined. NULL: out of memory. */
void *record_page_take(struct record_pages *pages);
void record_page_give(struct record_pages *pages, void *page);

/* Unmaps all of them. */
void record_pages_close(struct record_pages *pages);
