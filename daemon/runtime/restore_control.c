/* SPDX-License-Identifier: Apache-2.0 */
/* Copying control pages: those of before can't be written any more, not even by us. */
#include "daemon/runtime/restore_control.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/runtime/server.h"
#include "proto/base/cleanup.h"

/* By reading, which makes no page: those of earlier daemons were sparse. */
static int read_page(int fd, struct control_page **ret)
{
    struct stat status;
    if (fstat(fd, &status) < 0) {
        return -errno;
    }
    if (!S_ISREG(status.st_mode) || status.st_size < CONTROL_HEADER_BYTES || status.st_size > CONTROL_WHOLE_BYTES) {
        return -EPROTO;
    }
    cleanup(freep) struct control_page *page = malloc((size_t)status.st_size);
    if (!page) {
        return -ENOMEM;
    }
    ssize_t got = pread(fd, page, (size_t)status.st_size, 0);
    if (got != status.st_size) {
        return got < 0 && errno != EBADF ? -errno : -EPROTO;
    }
    if (page->magic != CONTROL_PAGE_MAGIC || page->slots > control_page_slots((uint64_t)status.st_size) ||
        page->first_slot > CONTROL_SLOTS_MAX) {
        return -EPROTO;
    }
    *ret = page;
    page = NULL;
    return 0;
}

static uint32_t used_slots(const struct control_page *page)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < page->slots; i++) {
        used = page->slot[i].generation ? i + 1 : used;
    }
    return used;
}

/* Where a client of protocol 1 has more slots in use than the usual first page has, it needs all of them in one. */
static int open_pages(struct peer *peer, const struct control_page *before)
{
    static const struct control_bounds none = {UINT64_MAX, UINT64_MAX};
    struct control_store *store = &peer->server->control_store;
    uint32_t user = identity_charged(&peer->identity);
    int result = control_open(&peer->control, store, user, 0, &none);
    if (result == 0 && used_slots(before) > control_slots(&peer->control)) {
        control_close(&peer->control);
        result = control_open(&peer->control, store, user, CONTROL_WHOLE_BYTES, &none);
    }
    return result;
}

static int copy_page(struct peer *peer, const struct control_page *page)
{
    static const struct control_bounds none = {UINT64_MAX, UINT64_MAX};
    uint32_t used = used_slots(page);
    int result = 0;
    while (result == 0 && used > 0 && control_slots(&peer->control) < page->first_slot + used) {
        result = control_grow(&peer->control, &none);
    }
    for (uint32_t i = 0; result == 0 && i < used; i++) {
        control_restore(&peer->control, page->first_slot + i, page->slot[i].generation, page->slot[i].end_reason);
    }
    return result > 0 ? -EPROTO : result;
}

static int copy_all(struct peer *peer, struct control_page *const pages[CONTROL_PAGES_MAX])
{
    int result = pages[0] ? open_pages(peer, pages[0]) : -EPROTO;
    for (unsigned place = 0; result == 0 && place < CONTROL_PAGES_MAX; place++) {
        result = pages[place] ? copy_page(peer, pages[place]) : 0;
    }
    return result;
}

int restore_control(struct peer *peer, const int fds[CONTROL_PAGES_MAX])
{
    struct control_page *pages[CONTROL_PAGES_MAX] = {NULL};
    int result = 0;
    for (unsigned place = 0; result == 0 && place < CONTROL_PAGES_MAX; place++) {
        result = fds[place] < 0 ? 0 : read_page(fds[place], &pages[place]);
    }
    if (result == 0) {
        result = copy_all(peer, pages);
    }
    for (unsigned place = 0; place < CONTROL_PAGES_MAX; place++) {
        free(pages[place]);
    }
    return result;
}
