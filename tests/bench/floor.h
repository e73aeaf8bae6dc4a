/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor under a publication: processes as those of a broker, which do nothing but pass messages on. A broker asks a
 * worker, answers the publisher, and sends the reader that waits a descriptor, which it maps. An error ends the
 * program.
 */
#pragma once

struct floor {
    int publisher, reader; /* sockets of the broker */
};

/* Starts the broker and its worker; they end when both sockets are closed everywhere. */
struct floor floor_start(void);

/* Returns when the broker has answered. */
void floor_publish(const struct floor *floor);

/* Waits for the publication, and maps what comes. */
void floor_attach(const struct floor *floor);

/* A question that the broker answers itself. */
void floor_ping(const struct floor *floor);
