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
        "where clients connect")
SETTING(SOCKET_MODE, server, socket_mode, MODE, ANY, socket_mode, RESTART, DEFAULT("0660"), "permissions of the socket")
SETTING(SOCKET_GROUP, server, socket_group, GROUP, ANY, socket_group, RESTART, OTHERWISE("the daemon's own"),
        "group of the socket")

SETTING(HEAP_BYTES, limits, heap_bytes, BYTES, ANY, heap_bytes, RELOAD, DEFAULT("25%"),
        "counts nothing: max_physical_bytes follows from it")
SETTING(MAX_BYTES, limits, max_bytes, BYTE_LIMIT, ANY, broker.limits.max_bytes, RELOAD, OTHERWISE("their sum"),
        "RAM and mapped files together")
SETTING(MAX_PHYSICAL_BYTES, limits, max_physical_bytes, BYTE_LIMIT, ANY, broker.limits.max_physical_bytes, RELOAD,
        OTHERWISE("twice heap_bytes"), "RAM segments: leased, or being freed")
SETTING(MAX_MAPPED_BYTES, limits, max_mapped_bytes, BYTE_LIMIT, ANY, broker.limits.max_mapped_bytes, RELOAD,
        OTHERWISE("half of what its file system has free at the start"), "file segments")

SETTING(DIRECTORY, mapped, directory, PATH, ANY, spill_directory, RESTART, OTHERWISE("/var/cache/membroker"),
        "where file segments live, without names")
SETTING(FILES, mapped, files, PATH, ANY, files_directory, RESTART, OTHERWISE("none"),
        "where programs may name files of their own")

SETTING(DEFAULT_TTL, leases, default_ttl, DURATION, RANGE(1, INT32_MAX), broker.times.ttl_default_ms, RELOAD,
        DEFAULT("30s"), "time to live of leases of clients that ask for none")
SETTING(MIN_TTL, leases, min_ttl, DURATION, RANGE(1, INT32_MAX), broker.times.ttl_min_ms, RELOAD, DEFAULT("1s"),
        "shortest time to live that clients may ask for")
SETTING(MAX_TTL, leases, max_ttl, DURATION, RANGE(1, INT32_MAX), broker.times.ttl_max_ms, RELOAD, DEFAULT("1h"),
        "longest time to live that clients may ask for")
SETTING(RECONNECT_GRACE, leases, reconnect_grace, DURATION, RANGE(1, INT32_MAX), broker.times.reconnect_grace_ms,
        RELOAD, DEFAULT("10s"), "how long a session with a broken connection keeps its leases")
SETTING(LEARNED_FILE, leases, learned_sizes, PATH, ANY, learned_file, RESTART,
        OTHERWISE("/var/lib/membroker/learned-sizes"), "file that keeps the sizes that workspaces learned")

/* the queue is looked at as a whole, and that must stay short: hence 4096 */
SETTING(MAX_WAITING, queue, max_waiting, NUMBER, RANGE(1, 4096), broker.queue.waiting_max, RELOAD, DEFAULT("1024"),
        "requests that may wait at once")
SETTING(MAX_WAITING_PER_USER, queue, max_waiting_per_user, NUMBER, RANGE(1, 4096), broker.queue.waiting_per_user_max,
        RELOAD, OTHERWISE("a quarter of max_waiting"), "requests of one user that may wait at once")
SETTING(MAX_WAITING_PER_SESSION, queue, max_waiting_per_session, NUMBER, RANGE(1, 4096),
        broker.queue.waiting_per_session_max, RELOAD, DEFAULT("64"), "requests of one session that may wait at once")
SETTING(MAX_WAIT, queue, max_wait, DURATION, RANGE(1, INT32_MAX), broker.queue.wait_max_ms, RELOAD, DEFAULT("1h"),
        "how long a request may wait")
SETTING(AGEING, queue, ageing, DURATION, RANGE(0, INT32_MAX), broker.queue.ageing_ms, RELOAD, DEFAULT("1min"),
        "a waiting request's priority grows by one each time this has passed; 0: never")
SETTING(TRIM_TIME, queue, trim_time, DURATION, RANGE(0, INT32_MAX), broker.queue.trim_ms, RELOAD, DEFAULT("200ms"),
        "how long clients have to trim before a request is refused; 0: none is asked")
SETTING(REVOKE_FOR_PRIORITY, queue, revoke_for_priority, FLAG, ANY, broker.queue.revoke_for_priority, RELOAD,
        DEFAULT("no"), "whether a waiting request may take leases of lower priority")
SETTING(REVOKE_GRACE, queue, revoke_grace, DURATION, RANGE(1, INT32_MAX), broker.queue.revoke_grace_ms, RELOAD,
        DEFAULT("10s"), "how long a limit must hold a request up first, and how long holders then have")

SETTING(POOL_BYTES, pool, pool_bytes, AMOUNT, ANY, broker.pool.bytes, RELOAD, DEFAULT("0"),
        "RAM segments made ahead; 0: none")
SETTING(POOL_SIZES, pool, sizes, SIZES, ANY, broker.pool.sizes, RELOAD, OTHERWISE("none"),
        "sizes that are always kept ready")

SETTING(PRESSURE_SOME, pressure, some, PERCENT, RANGE(0, 99), pressure_some, RESTART, DEFAULT("20%"),
        "time that some tasks wait for memory from which on there is pressure; 0: not watched")
SETTING(PRESSURE_FULL, pressure, full, PERCENT, RANGE(0, 99), pressure_full, RESTART, DEFAULT("10%"),
        "time that all tasks wait for memory from which on there is pressure; 0: not watched")
SETTING(PAUSE_RAM_AT, pressure, pause_ram_at, PRESSURE, ANY, broker.pause_at, RELOAD, DEFAULT("full"),
        "pressure at which new grants of RAM pause")

SETTING(ALLOW_USERS, access, allow_users, USERS, ANY, policy.access.allow_users, RELOAD, OTHERWISE("everybody"),
        "users that may use the broker")
SETTING(ALLOW_GROUPS, access, allow_groups, GROUPS, ANY, policy.access.allow_groups, RELOAD, OTHERWISE("everybody"),
        "groups that may use the broker")
SETTING(DENY_USERS, access, deny_users, USERS, ANY, policy.access.deny_users, RELOAD, OTHERWISE("nobody"),
        "users that may not, even if they are allowed")
SETTING(DENY_GROUPS, access, deny_groups, GROUPS, ANY, policy.access.deny_groups, RELOAD, OTHERWISE("nobody"),
        "groups that may not, even if they are allowed")
SETTING(ADMIN_USERS, access, admin_users, USERS, ANY, policy.access.admin_users, RELOAD, OTHERWISE("nobody"),
        "users that may see and revoke all leases, besides root and the broker's user")
SETTING(ADMIN_GROUPS, access, admin_groups, GROUPS, ANY, policy.access.admin_groups, RELOAD, OTHERWISE("nobody"),
        "groups that may see and revoke all leases")
SETTING(SEE_ALL, access, see_all, FLAG, ANY, policy.access.see_all, RELOAD, DEFAULT("no"),
        "whether every user sees the names of others' sessions and leases")

SETTING(HANDSHAKE_TIME, clients, handshake_time, DURATION, RANGE(1, INT32_MAX), clients.handshake_ms, RELOAD,
        DEFAULT("10s"), "longest time from connecting to the first message")
SETTING(MAX_CONNECTIONS, clients, max_connections, NUMBER, RANGE(1, 1000000), clients.connections_max, RELOAD,
        DEFAULT("2048"), "connections of one user at once")
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
            DEFAULT("unlimited"), "leases at once")
SECTION_KEY(MAX_SESSIONS, ANY_SECTION, max_sessions, COUNT_LIMIT, RANGE(0, UINT32_MAX - 1), quota.max_sessions, NO_FLAG,
            DEFAULT("unlimited"), "sessions at once; a user without it has max_sessions_per_user")
SECTION_KEY(RESERVE_BYTES, ANY_SECTION, reserve_bytes, AMOUNT, ANY, quota.reserve_bytes, NO_FLAG, DEFAULT("0"),
            "RAM that nobody else can take")
SECTION_KEY(PRIORITY, ANY_SECTION, priority, NUMBER, RANGE(0, 1000), quota.priority, SAID(quota.has_priority),
            DEFAULT("0"), "who goes first when requests wait")
SECTION_KEY(WEIGHT, ANY_SECTION, weight, NUMBER, RANGE(1, 1000), quota.weight, SAID(quota.has_weight), DEFAULT("1"),
            "share of what there is between those of one priority")
SECTION_KEY(CHARGE, CLASS_ONLY, charge, CHARGE, ANY, quota.charge, NO_FLAG,
            OTHERWISE("the one that touches a page first"), "whose control group pays for pages of RAM")
SECTION_KEY(HUGE, CLASS_ONLY, huge, HUGE, ANY, quota.huge_pages, SAID(quota.has_huge_pages), DEFAULT("never"),
            "huge pages for requests that don't say")

#endif
