/* SPDX-License-Identifier: Apache-2.0 */
/* Publishing and attaching blocks over the bare protocol, as a client does that knows no library. */
#pragma once

#include "proto/message.h"
#include "tests/integration/fixture.h"

enum { BLOCK_BYTES = 1 << 20 };

/* A connection with a session. */
struct party {
    int socket;
    const void *control; /* its first control page */
};

/* A segment that can be published: mapped for writing, or (later) for reading alone. */
struct written {
    enum location location;
    uint64_t lease, generation;
    uint32_t slot;
    int writable, readable;
    uint8_t *data;
};

/* A view of a block, mapped. */
struct attached {
    enum error_code code;  /* ERROR_UNSPECIFIED: it is attached */
    enum end_reason ended; /* of ERROR_BLOCK_ENDED */
    struct attached_reply reply;
    int fd;
    const uint8_t *data;
};

struct party party_open(const struct fixture *fixture);
void party_close(struct party *party);

/* A request's answer; its code if it is an error, else ERROR_UNSPECIFIED. */
enum error_code party_ask(const struct party *party, struct request *request, struct reply *ret);

/* Every byte is `value`. */
struct written party_write(const struct party *party, enum location location, uint8_t value);

/* What a client does before it publishes: the read-only descriptor takes the place of the mapping. */
void written_give_up(struct written *written);
void written_close(struct written *written);

enum error_code party_publish(const struct party *party, const struct written *written, const char *name,
                              enum lifetime lifetime);

/* All of it: written, given up and published. */
struct written party_publish_new(const struct party *party, const char *name, enum lifetime lifetime, uint8_t value);

enum error_code party_unpublish(const struct party *party, const char *name);
enum error_code party_release(const struct party *party, uint64_t lease);
struct attached party_attach(const struct party *party, const char *name, uint32_t wait_ms);
void attached_close(struct attached *attached);

/* What the control page says: the slot's generation, and why the newest lease in it ended. */
uint64_t party_generation(const struct party *party, uint32_t slot);
enum end_reason party_reason(const struct party *party, uint32_t slot);

/* The blocks that there are, in `ret`, at most `max`. */
size_t party_blocks(const struct party *party, struct block_entry *ret, size_t max);
