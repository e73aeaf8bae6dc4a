/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every key of the configuration, described once. Reading, printing, comparing, reloading, `membrokerd --list-settings`
 * and the checks of the manual page and of the shipped file all follow from these rows.
 *
 *     SETTING(id, section, key, type, range, field of struct config, change, default, summary)
 *     SECTION_KEY(id, sections, key, type, range, field of struct policy_rule, flag, default, summary)
 *
 * type: one of value.h. range: RANGE(least, most), or ANY for types without one. change: RELOAD if a reload changes it,
 * else RESTART. flag: SAID(field) if a field tells that the key was set. default: DEFAULT(text as in a file), or
 * OTHERWISE(words) for a default that config/defaults.c computes, or that is no value.
 *
 * Without #pragma once: the includer defines the macros.
 */

#ifdef SETTING

SETTING(SOCKET, server, socket, SOCKET_PATH, ANY, socket, RESTART, OTHERWISE("/run/membroker/membroker.sock"),
        "path of the socket")
SETTING(SOCKET_MODE, server, socket_mode, MODE, ANY, socket_mode, RESTART, DEFAULT("0660"), "permissions of the socket")
SETTING(SOCKET_GROUP, server, socket_group, GROUP, ANY, socket_group, RESTART, OTHERWISE("the daemon's own group"),
        "group of the socket")

SETTING(HEAP_BYTES, limits, heap_bytes, BYTES, ANY, heap_bytes, RELOAD, DEFAULT("25%"),
        "limits nothing itself: the default of max_physical_bytes follows from it")
SETTING(MAX_BYTES, limits, max_bytes, BYTE_LIMIT, ANY, broker.limits.max_bytes, RELOAD,
        OTHERWISE("the sum of the two other limits"), "RAM and mapped files together")
SETTING(MAX_PHYSICAL_BYTES, limits, max_physical_bytes, BYTE_LIMIT, ANY, broker.limits.max_physical_bytes, RELOAD,
        OTHERWISE("twice heap_bytes"), "RAM segments that are leased, pooled or being freed")
SETTING(MAX_MAPPED_BYTES, limits, max_mapped_bytes, BYTE_LIMIT, ANY, broker.limits.max_mapped_bytes, RELOAD,
        OTHERWISE("half of the free space that its file system has when the daemon starts"), "file segments")

SETTING(DIRECTORY, mapped, directory, PATH, ANY, spill_directory, RESTART, OTHERWISE("/var/cache/membroker"),
        "directory for file segments")
SETTING(FILES, mapped, files, PATH, ANY, files_directory, RESTART, OTHERWISE("none"),
        "directory in which programs may create files by name")

SETTING(DEFAULT_TTL, leases, default_ttl, DURATION, RANGE(1, INT32_MAX), broker.times.ttl_default_ms, RELOAD,
        DEFAULT("30s"), "time to live of a lease if the client does not ask for one")
SETTING(MIN_TTL, leases, min_ttl, DURATION, RANGE(1, INT32_MAX), broker.times.ttl_min_ms, RELOAD, DEFAULT("1s"),
        "shortest time to live that clients may ask for")
SETTING(MAX_TTL, leases, max_ttl, DURATION, RANGE(1, INT32_MAX), broker.times.ttl_max_ms, RELOAD, DEFAULT("1h"),
        "longest time to live that clients may ask for")
SETTING(RECONNECT_GRACE, leases, reconnect_grace, DURATION, RANGE(1, INT32_MAX), broker.times.reconnect_grace_ms,
        RELOAD, DEFAULT("10s"), "how long a session with a broken connection keeps its leases")
SETTING(LEARNED_FILE, leases, learned_sizes, PATH, ANY, learned_file, RESTART,
        OTHERWISE("/var/lib/membroker/learned-sizes"), "file that keeps the sizes that workspaces learned")

/* at most 4096: a pass examines the whole queue */
SETTING(MAX_WAITING, queue, max_waiting, NUMBER, RANGE(1, 4096), broker.queue.waiting_max, RELOAD, DEFAULT("1024"),
        "requests that may wait at the same time")
SETTING(MAX_WAITING_PER_USER, queue, max_waiting_per_user, NUMBER, RANGE(1, 4096), broker.queue.waiting_per_user_max,
        RELOAD, OTHERWISE("a quarter of max_waiting"), "requests of one user that may wait at the same time")
SETTING(MAX_WAITING_PER_SESSION, queue, max_waiting_per_session, NUMBER, RANGE(1, 4096),
        broker.queue.waiting_per_session_max, RELOAD, DEFAULT("64"),
        "requests of one session that may wait at the same time")
SETTING(MAX_WAIT, queue, max_wait, DURATION, RANGE(1, INT32_MAX), broker.queue.wait_max_ms, RELOAD, DEFAULT("1h"),
        "how long a request may wait")
SETTING(AGEING, queue, ageing, DURATION, RANGE(0, INT32_MAX), broker.queue.ageing_ms, RELOAD, DEFAULT("1min"),
        "interval after which a waiting request's priority grows by one; 0: never")
SETTING(TRIM_TIME, queue, trim_time, DURATION, RANGE(0, INT32_MAX), broker.queue.trim_ms, RELOAD, DEFAULT("200ms"),
        "how long the broker waits for clients to trim before it refuses a request; 0: it asks none")
SETTING(REVOKE_FOR_PRIORITY, queue, revoke_for_priority, FLAG, ANY, broker.queue.revoke_for_priority, RELOAD,
        DEFAULT("no"), "whether the broker may revoke leases of lower priority for a waiting request")
SETTING(REVOKE_GRACE, queue, revoke_grace, DURATION, RANGE(1, INT32_MAX), broker.queue.revoke_grace_ms, RELOAD,
        DEFAULT("10s"), "how long a request must be held up first, and how long holders then keep their leases")

SETTING(POOL_BYTES, pool, pool_bytes, AMOUNT, ANY, broker.pool.bytes, RELOAD, DEFAULT("0"),
        "RAM segments that the broker creates in advance; 0: none")
SETTING(POOL_SIZES, pool, sizes, SIZES, ANY, broker.pool.sizes, RELOAD, OTHERWISE("none"),
        "segment sizes that the pool always has ready")

SETTING(RESERVATIONS_MAX_BYTES, reservations, max_bytes, BYTE_LIMIT, ANY, broker.reservations.bytes_max, RELOAD,
        DEFAULT("unlimited"), "RAM that reservations may have in all")
SETTING(RESERVATIONS_MAX_COUNT, reservations, max_count, NUMBER, RANGE(0, 1024), broker.reservations.count_max, RELOAD,
        DEFAULT("256"), "reservations at the same time; 0: none")
SETTING(RESERVATIONS_HOLD, reservations, hold_while_frozen, DURATION, RANGE(0, INT32_MAX), broker.reservations.hold_ms,
        RELOAD, DEFAULT("1h"), "how long the leases of a frozen or suspended job may outlive their TTL; 0: not at all")
SETTING(RESERVATIONS_HOLD_STOPPED, reservations, hold_while_stopped, FLAG, ANY, hold_while_stopped, RELOAD,
        DEFAULT("no"), "whether a job counts as frozen when all its processes are stopped by a signal")

SETTING(HISTORY_BYTES, history, bytes, HISTORY, ANY, history_bytes, RESTART, DEFAULT("4M"),
        "memory for the newest events and samples; 0: none")
SETTING(HISTORY_INTERVAL, history, interval, DURATION, RANGE(1, INT32_MAX), history_interval_ms, RESTART,
        DEFAULT("10s"), "how often what the classes hold is sampled")

SETTING(SHARING_MAX_BLOCKS, sharing, max_blocks, NUMBER, RANGE(0, 65536), broker.sharing.blocks_max, RELOAD,
        DEFAULT("1024"), "published blocks of one user; 0: nobody may publish")
SETTING(SHARING_MAX_VIEWS, sharing, max_views, NUMBER, RANGE(0, 262144), broker.sharing.views_max, RELOAD,
        DEFAULT("4096"), "views of blocks of one user at the same time")
SETTING(SHARING_MAX_WATCHES, sharing, max_watches, NUMBER, RANGE(0, 4096), broker.sharing.watches_max, RELOAD,
        DEFAULT("64"), "watches of the names of blocks of one client at the same time")
SETTING(SHARING_MAX_WATCHES_PER_USER, sharing, max_watches_per_user, NUMBER, RANGE(0, 262144),
        broker.sharing.watches_per_user_max, RELOAD, DEFAULT("1024"),
        "watches of the names of blocks of one user at the same time")
SETTING(SHARING_GRACE, sharing, grace, DURATION, RANGE(0, INT32_MAX), broker.sharing.grace_ms, RELOAD, DEFAULT("10s"),
        "how long the views of other users keep a block that has ended; 0: not at all")
SETTING(SHARING_MAX_OBJECTS, sharing, max_objects, NUMBER, RANGE(0, 1000000), broker.sharing.objects_max, RELOAD,
        DEFAULT("131072"), "small objects of one user; 0: nobody may put any")
SETTING(SHARING_MAX_BOARD_BYTES, sharing, max_board_bytes, AMOUNT, ANY, broker.sharing.board_bytes_max, RELOAD,
        DEFAULT("256M"), "memory for the small objects of one user")

SETTING(PRESSURE_SOME, pressure, some, PERCENT, RANGE(0, 99), pressure_some, RESTART, DEFAULT("20%"),
        "share of time that some tasks wait for memory, which counts as pressure; 0: not watched")
SETTING(PRESSURE_FULL, pressure, full, PERCENT, RANGE(0, 99), pressure_full, RESTART, DEFAULT("10%"),
        "share of time that all tasks wait for memory, which counts as pressure; 0: not watched")
SETTING(PAUSE_RAM_AT, pressure, pause_ram_at, PRESSURE, ANY, broker.pause_at, RELOAD, DEFAULT("full"),
        "pressure level at which the broker pauses new grants of RAM")

SETTING(ALLOW_USERS, access, allow_users, USERS, ANY, policy.access.allow_users, RELOAD, OTHERWISE("everybody"),
        "users that may use the broker")
SETTING(ALLOW_GROUPS, access, allow_groups, GROUPS, ANY, policy.access.allow_groups, RELOAD, OTHERWISE("everybody"),
        "groups that may use the broker")
SETTING(DENY_USERS, access, deny_users, USERS, ANY, policy.access.deny_users, RELOAD, OTHERWISE("nobody"),
        "users that may not use the broker, even if they are allowed")
SETTING(DENY_GROUPS, access, deny_groups, GROUPS, ANY, policy.access.deny_groups, RELOAD, OTHERWISE("nobody"),
        "groups that may not use the broker, even if they are allowed")
SETTING(ADMIN_USERS, access, admin_users, USERS, ANY, policy.access.admin_users, RELOAD, OTHERWISE("nobody"),
        "users that may see and revoke the leases of all users")
SETTING(ADMIN_GROUPS, access, admin_groups, GROUPS, ANY, policy.access.admin_groups, RELOAD, OTHERWISE("nobody"),
        "groups that may see and revoke the leases of all users")
SETTING(RESERVE_USERS, access, reserve_users, USERS, ANY, policy.access.reserve_users, RELOAD, OTHERWISE("nobody"),
        "users that may make, change and give up reservations, as administrators may")
SETTING(SEE_ALL, access, see_all, FLAG, ANY, policy.access.see_all, RELOAD, DEFAULT("no"),
        "whether every user sees the names of others' sessions and leases")

SETTING(HANDSHAKE_TIME, clients, handshake_time, DURATION, RANGE(1, INT32_MAX), clients.handshake_ms, RELOAD,
        DEFAULT("10s"), "longest time from connecting to the first message")
SETTING(MAX_CONNECTIONS, clients, max_connections, NUMBER, RANGE(1, 1000000), clients.connections_max, RELOAD,
        DEFAULT("2048"), "connections of one user at the same time")
SETTING(MAX_SESSIONS_PER_USER, clients, max_sessions_per_user, NUMBER, RANGE(1, 1000000), broker.user_sessions_max,
        RELOAD, DEFAULT("4096"), "sessions of a user that has no max_sessions of its own")
SETTING(MAX_REQUESTS, clients, max_requests, NUMBER, RANGE(1, 4096), broker.requests_max, RELOAD, DEFAULT("256"),
        "requests of one session, under way or waiting")
SETTING(MAX_REQUESTS_PER_USER, clients, max_requests_per_user, NUMBER, RANGE(1, 1000000), broker.user_requests_max,
        RELOAD, DEFAULT("4096"), "requests of all sessions of one user")
SETTING(MAX_MESSAGES, clients, max_messages, NUMBER, RANGE(1, 1000000), clients.messages_max, RELOAD, DEFAULT("50000"),
        "messages of one connection in a second")
SETTING(MAX_MESSAGES_PER_USER, clients, max_messages_per_user, NUMBER, RANGE(1, 1000000), clients.user_messages_max,
        RELOAD, DEFAULT("200000"), "messages of all connections of one user in a second")
SETTING(MAX_UNREAD, clients, max_unread, BYTES, ANY, clients.unread_bytes_max, RELOAD, DEFAULT("1M"),
        "bytes queued for a client that does not read")
SETTING(MAX_UNREAD_PER_USER, clients, max_unread_per_user, BYTES, ANY, clients.user_unread_bytes_max, RELOAD,
        DEFAULT("32M"), "bytes queued for all connections of one user")
SETTING(MAX_CONTROL_BYTES, clients, max_control_bytes, BYTES, ANY, clients.control.bytes_max, RELOAD, DEFAULT("256M"),
        "control pages of all sessions")
SETTING(MAX_CONTROL_BYTES_PER_USER, clients, max_control_bytes_per_user, BYTES, ANY, clients.control.user_bytes_max,
        RELOAD, DEFAULT("32M"), "control pages of one user's sessions")

#endif

#ifdef SECTION_KEY

SECTION_KEY(SLICES, CLASS_ONLY, slices, MEMBER_SLICES, ANY, members, NO_FLAG, OTHERWISE("none"),
            "slices and control groups in the class, with * and ?")
SECTION_KEY(USERS, CLASS_ONLY, users, MEMBER_USERS, ANY, members, NO_FLAG, OTHERWISE("none"), "users in the class")
SECTION_KEY(GROUPS, CLASS_ONLY, groups, MEMBER_GROUPS, ANY, members, NO_FLAG, OTHERWISE("none"), "groups in the class")
SECTION_KEY(CLIENTS, CLASS_ONLY, clients, MEMBER_CLIENTS, ANY, members, NO_FLAG, OTHERWISE("none"),
            "names of clients in the class, with * and ?")
SECTION_KEY(MAX_BYTES, ANY_SECTION, max_bytes, BYTE_LIMIT, ANY, quota.limits.max_bytes, NO_FLAG, DEFAULT("unlimited"),
            "RAM and mapped files together")
SECTION_KEY(MAX_PHYSICAL_BYTES, ANY_SECTION, max_physical_bytes, BYTE_LIMIT, ANY, quota.limits.max_physical_bytes,
            NO_FLAG, DEFAULT("unlimited"), "RAM segments")
SECTION_KEY(MAX_MAPPED_BYTES, ANY_SECTION, max_mapped_bytes, BYTE_LIMIT, ANY, quota.limits.max_mapped_bytes, NO_FLAG,
            DEFAULT("unlimited"), "file segments")
SECTION_KEY(MAX_LEASES, ANY_SECTION, max_leases, COUNT_LIMIT, RANGE(0, UINT32_MAX - 1), quota.max_leases, NO_FLAG,
            DEFAULT("unlimited"), "leases at the same time")
SECTION_KEY(MAX_SESSIONS, ANY_SECTION, max_sessions, COUNT_LIMIT, RANGE(0, UINT32_MAX - 1), quota.max_sessions, NO_FLAG,
            DEFAULT("unlimited"), "sessions at the same time; a user without it has max_sessions_per_user")
SECTION_KEY(RESERVE_BYTES, ANY_SECTION, reserve_bytes, AMOUNT, ANY, quota.reserve_bytes, NO_FLAG, DEFAULT("0"),
            "RAM that is reserved for this section")
SECTION_KEY(PRIORITY, ANY_SECTION, priority, NUMBER, RANGE(0, 1000), quota.priority, SAID(quota.has_priority),
            DEFAULT("0"), "which of the waiting requests goes first: the higher priority")
SECTION_KEY(WEIGHT, ANY_SECTION, weight, NUMBER, RANGE(1, 1000), quota.weight, SAID(quota.has_weight), DEFAULT("1"),
            "how waiting requests of the same priority share memory")
SECTION_KEY(CHARGE, CLASS_ONLY, charge, CHARGE, ANY, quota.charge, NO_FLAG,
            OTHERWISE("the process that touches a page first"),
            "process whose control group is charged for pages of RAM")
SECTION_KEY(HUGE, CLASS_ONLY, huge, HUGE, ANY, quota.huge_pages, SAID(quota.has_huge_pages), DEFAULT("never"),
            "use of huge pages for requests that do not specify it")

#endif
