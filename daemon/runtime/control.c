/* SPDX-License-Identifier: Apache-2.0 */
/* Making and writing control pages. */
#include "daemon/runtime/control.h"

#include <sys/mman.h>

#include "daemon/os/memfd.h"
#include "proto/base/cleanup.h"

int control_open(struct control *ret)
{
    void *address;
    int fd = memfd_control(CONTROL_PAGE_BYTES, &address);
    if (fd < 0) {
        return fd;
    }
    *ret = (struct control){.fd = fd, .page = address};
    ret->page->magic = CONTROL_PAGE_MAGIC;
    ret->page->version = CONTROL_PAGE_VERSION;
    ret->page->slots = CONTROL_PAGE_SLOTS;
    return 0;
}

void control_close(struct control *control)
{
    if (control->page) {
        (void)munmap(control->page, CONTROL_PAGE_BYTES);
        control->page = NULL;
        control->fd = fd_close(control->fd);
    }
}

void control_write(struct control *control, const struct effect_slot *slot)
{
    struct control_slot *to = &control->page->slot[slot->slot];
    if (slot->reason != END_NONE) {
        atomic_store_explicit(&to->end_reason, slot->reason, memory_order_relaxed);
    }
    atomic_store_explicit(&to->generation, slot->generation, memory_order_release);
}

void control_write_pressure(struct control *control, enum pressure level)
{
    atomic_store_explicit(&control->page->pressure, (uint32_t)level, memory_order_relaxed);
}
