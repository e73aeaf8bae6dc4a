/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One packet with its descriptors over a SOCK_SEQPACKET socket. Received descriptors are close-on-exec
 * and belong to the caller; a caller that expects none says so, and a packet that brings some is an error.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { TRANSPORT_DESCRIPTORS_MAX = 2 };

struct packet_descriptors {
    int fd[TRANSPORT_DESCRIPTORS_MAX];
    size_t count;
};

/*
 * Sends one packet, with a descriptor if `fd` is one. Never raises SIGPIPE. `wait` false: -EAGAIN instead of
 * blocking. Returns 0 or negative errno.
 */
int transport_send(int socket, const void *packet, size_t bytes, int fd, _Bool wait);

/* The same with `count` descriptors, at most TRANSPORT_DESCRIPTORS_MAX. */
int transport_send_several(int socket, const void *packet, size_t bytes, const int *fds, size_t count, _Bool wait);

/*
 * Receives one packet. Returns its length; 0 at the peer's end; -EAGAIN when there is none and `wait` is
 * false; -EMSGSIZE when it was longer than `size`; -EBADF when descriptors were lost on the way
 * (MSG_CTRUNC), or came although `ret` is NULL: none are expected; or negative errno. On success ret->fd[] are the
 * caller's; on any error nothing is left open.
 *
 * Descriptors that nobody expects never become the receiver's, so that it need not close them: close() of a file on a
 * FUSE mount waits for the process that serves it, which may be the sender.
 */
ssize_t transport_receive(int socket, void *packet, size_t size, struct packet_descriptors *ret, _Bool wait);

/*
 * Has the kernel refuse descriptors that peers send: on this socket, and on what connects to it from now on. 0 or
 * negative errno (-ENOPROTOOPT before Linux 6.16).
 */
int transport_refuse_descriptors(int socket);

/*
 * Whether the kernel does. Else some may come, and the process in which the last reference to one ends may have to wait
 * for as long as the sender likes: for a connection that lingers (SO_LINGER), say.
 */
_Bool transport_refuses_descriptors(int socket);

/*
 * Receives one packet that brings none, without waiting. -EBADF: it brings some. If the kernel `may_bring` them, that
 * packet stays where it is, and so do they. Else as transport_receive().
 */
ssize_t transport_receive_bare(int socket, void *packet, size_t size, _Bool may_bring);

/* After a length of 0: whether that was the peer's end. If not, it sent an empty packet. */
_Bool transport_has_ended(int socket);

/* How many bytes of what was sent the peer has not received, as the kernel accounts for them; 0 once its end is closed,
 * or where that can't be told. */
int transport_unread(int socket);
