/* SPDX-License-Identifier: Apache-2.0 */
/* Packets of one size, with a descriptor or without one, for the programs that measure the kernel alone. */
#pragma once

#include <stddef.h>

enum { PACKET_BYTES = 64 };

/* Sends a packet, with a descriptor if there is one. Ends the program if it can't. */
void packet_send(int socket, char packet[PACKET_BYTES], int fd);

/* Receives a packet and returns the descriptor that came with it, or -EBADF. Ends the program if none comes. */
int packet_receive(int socket, char packet[PACKET_BYTES]);

/* A new sealed memfd of so many bytes, as a lender lends it. */
int packet_memfd(size_t bytes);
