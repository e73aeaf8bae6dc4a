/* SPDX-License-Identifier: Apache-2.0 */
/* FUSE as <linux/fuse.h> has it. */
#include "tests/attacks/fuse_server.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE_BYTES = 4096, FILE_NODE = 2, REQUEST_BYTES = 1 << 17, MINOR = 31 };

int fuse_server_mount(struct fuse_server *server, const char *directory)
{
    char options[128];
    server->device = open("/dev/fuse", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (server->device < 0) {
        return -errno;
    }
    (void)snprintf(options, sizeof options, "fd=%d,rootmode=%o,user_id=0,group_id=0", server->device, S_IFDIR);
    return mount("membroker-test", directory, "fuse", MS_NOSUID | MS_NODEV, options) < 0 ? -errno : 0;
}

static void answer(const struct fuse_server *server, uint64_t id, const void *body, size_t bytes)
{
    struct {
        struct fuse_out_header header;
        uint8_t body[PAGE_BYTES];
    } out = {.header = {.len = (uint32_t)(sizeof out.header + bytes), .unique = id}};
    memcpy(out.body, body, bytes);
    (void)!write(server->device, &out, out.header.len);
}

static void refuse(const struct fuse_server *server, uint64_t id, int error)
{
    struct fuse_out_header header = {.len = sizeof header, .unique = id, .error = -error};
    (void)!write(server->device, &header, sizeof header);
}

static struct fuse_attr attributes_of(uint64_t node)
{
    bool is_file = node == FILE_NODE;
    return (struct fuse_attr){.ino = node,
                              .size = is_file ? PAGE_BYTES : 0,
                              .blocks = 1,
                              .mode = is_file ? S_IFREG | 0666 : S_IFDIR | 0755,
                              .nlink = 1,
                              .blksize = PAGE_BYTES};
}

static void hold(struct fuse_server *server, uint64_t id, uint32_t bytes)
{
    if (server->held_count < FUSE_SERVER_HELD_MAX) {
        server->held[server->held_count++] = id;
        server->held_bytes = bytes;
        server->has_held = true;
    }
}

static void answer_zeros(const struct fuse_server *server, uint64_t id, uint32_t bytes)
{
    static const uint8_t zeros[PAGE_BYTES];
    answer(server, id, zeros, bytes < PAGE_BYTES ? bytes : PAGE_BYTES);
}

static void read_file(struct fuse_server *server, uint64_t id, const struct fuse_read_in *in)
{
    if (server->holds_reads) {
        hold(server, id, in->size);
    } else {
        answer_zeros(server, id, in->size);
    }
}

static void greet(const struct fuse_server *server, uint64_t id)
{
    const struct fuse_init_out init = {.major = FUSE_KERNEL_VERSION,
                                       .minor = MINOR,
                                       .max_background = 8,
                                       .congestion_threshold = 8,
                                       .max_write = PAGE_BYTES};
    answer(server, id, &init, sizeof init);
}

static void look_up(const struct fuse_server *server, uint64_t id, const char *name)
{
    if (strcmp(name, "page") != 0) {
        refuse(server, id, ENOENT);
        return;
    }
    const struct fuse_entry_out entry = {.nodeid = FILE_NODE, .attr = attributes_of(FILE_NODE)};
    answer(server, id, &entry, sizeof entry);
}

static void tell_attributes(const struct fuse_server *server, uint64_t id, uint64_t node)
{
    const struct fuse_attr_out out = {.attr = attributes_of(node)};
    answer(server, id, &out, sizeof out);
}

static void open_file(const struct fuse_server *server, uint64_t id)
{
    const struct fuse_open_out out = {.fh = 1};
    answer(server, id, &out, sizeof out);
}

static void flush(struct fuse_server *server, uint64_t id)
{
    if (server->holds_flushes) {
        hold(server, id, 0);
    } else {
        refuse(server, id, 0);
    }
}

static void serve_one(struct fuse_server *server, const struct fuse_in_header *header, const void *body)
{
    switch (header->opcode) {
    case FUSE_INIT:
        greet(server, header->unique);
        break;
    case FUSE_LOOKUP:
        look_up(server, header->unique, body);
        break;
    case FUSE_GETATTR:
        tell_attributes(server, header->unique, header->nodeid);
        break;
    case FUSE_OPEN:
        open_file(server, header->unique);
        break;
    case FUSE_READ:
        read_file(server, header->unique, body);
        break;
    case FUSE_FLUSH:
        flush(server, header->unique);
        break;
    case FUSE_RELEASE:
        refuse(server, header->unique, 0);
        break;
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT:
        break; /* no answer is wanted */
    default:
        refuse(server, header->unique, ENOSYS);
    }
}

int fuse_server_serve(struct fuse_server *server)
{
    static _Alignas(struct fuse_in_header) uint8_t request[REQUEST_BYTES];
    for (;;) {
        ssize_t got = read(server->device, request, sizeof request - 1);
        if (got < 0) {
            return errno == EAGAIN || errno == EINTR || errno == ENOENT ? 0 : -errno;
        }
        request[got] = '\0';
        serve_one(server, (const struct fuse_in_header *)(const void *)request,
                  request + sizeof(struct fuse_in_header));
    }
}

void fuse_server_let_go(struct fuse_server *server)
{
    server->holds_reads = server->holds_flushes = false;
    for (; server->held_count; server->held_count--) {
        answer_zeros(server, server->held[server->held_count - 1], server->held_bytes);
    }
}
