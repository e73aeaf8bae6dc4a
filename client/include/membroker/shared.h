/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client for all libraries of a process. Included by <membroker.h>.
 *
 *     mb_client *client;
 *     if (mb_client_shared(NULL, &client) < 0) ... // which has the options of its first user
 *     ...
 *     mb_client_shared_release(client);
 */
#ifndef MEMBROKER_SHARED_H
#define MEMBROKER_SHARED_H

#include <membroker.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Returns the client that the libraries of this process share, and connects it if there is none. Each call that
 * succeeds adds a user. Each user ends with mb_client_shared_release(), never with mb_disconnect(). The last release
 * disconnects; a later call connects again.
 *
 * The first caller's options are in effect until then. `options` NULL: the defaults for the first caller; later callers
 * accept whatever is in effect. -EEXIST: `options` differ from those in effect, and the sentence names the option.
 * Strings are equal if their content is, callbacks and user_data if the pointers are.
 *
 * If nobody releases it, the session ends with the process, as that of any client. The library does nothing at exit,
 * since exit handlers may still use the memory. A forked child has no shared client: its first call connects one, with
 * the options of that call, and closes the child's copies of the parent's descriptors.
 *
 * While another thread connects the client, the call waits for that thread. -EDEADLK: called from a callback of the
 * client that this thread is connecting. Otherwise returns what mb_connect() returns. Any thread.
 */
MB_PUBLIC int mb_client_shared(const mb_client_options *options, mb_client **ret_client);

/*
 * Removes a user of the shared client. The last one disconnects it, under the conditions of mb_disconnect(). NULL is
 * allowed. In a forked child it only closes the child's copies of the parent's descriptors. Any thread, but not in a
 * callback of the client.
 */
MB_PUBLIC void mb_client_shared_release(mb_client *client);

typedef struct mb_listener mb_listener;

/*
 * Calls `on_event` for each event of the client from now on, after the client's own on_event and under the same rules.
 * So a user of the shared client is told of events although another library chose the client's options. The listener
 * belongs to the client: end it with mb_listener_end() while the client exists. Starts the background thread if the
 * client may have one. Any thread.
 */
MB_PUBLIC int mb_client_listen(mb_client *client, void (*on_event)(const mb_event *event, void *user_data),
                               void *user_data, mb_listener **ret_listener);

/*
 * Ends a listener: after the return its callback neither runs nor is called any more. Waits for a callback that is
 * running, unless that is the caller. NULL is allowed. In a forked child it does nothing. Any thread.
 */
MB_PUBLIC void mb_listener_end(mb_listener *listener);

typedef struct mb_reclaimer mb_reclaimer;

/*
 * Calls `on_reclaim` too if memory is short, after the client's own on_reclaim and under the same rules. So a user of
 * the shared client can free memory although another library chose the client's options. It is called up to
 * `max_retries` times for an allocation. The thread then waits: after each round of calls, for the longest
 * `retry_wait_ms`. Calls of several threads may overlap. The reclaimer belongs to the client: end it with
 * mb_reclaimer_end() while the client exists. Any thread.
 */
MB_PUBLIC int mb_client_add_reclaimer(mb_client *client, void (*on_reclaim)(const mb_reclaim *reclaim, void *user_data),
                                      void *user_data, uint32_t max_retries, uint32_t retry_wait_ms,
                                      mb_reclaimer **ret_reclaimer);

/*
 * Ends a reclaimer: after the return its callback neither runs nor is called any more. Waits for callbacks that are
 * running, unless the caller is in an on_reclaim itself. NULL is allowed. In a forked child it does nothing. Any
 * thread.
 */
MB_PUBLIC void mb_reclaimer_end(mb_reclaimer *reclaimer);

#ifdef __cplusplus
}
#endif

#endif
