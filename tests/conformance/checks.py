# SPDX-License-Identifier: Apache-2.0
"""What every message of the daemon must be, whatever it answers: a check for each kind."""

import fcntl
import os

import membroker_pb2 as pb

PAGE = 4096
F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE, F_SEAL_SEAL = 2, 4, 8, 1


def is_answer(message, fd, descriptor=False):
    assert message.HasField("reply_to"), "an answer without reply_to"
    assert (fd is not None) == descriptor, "descriptor"


def is_event(message, fd, descriptor=False):
    assert not message.HasField("reply_to"), "an event with reply_to"
    assert (fd is not None) == descriptor, "descriptor"


def has(body, *names):
    for name in names:
        assert body.HasField(name), f"{body.DESCRIPTOR.name} without {name}"


def check_limits(limits):
    for field, value in limits.ListFields():
        assert value >= 0, field.name


def check_refusal(refusal):
    has(refusal, "limit", "whose", "limit_bytes", "asked_bytes", "used_bytes", "free_bytes")
    assert refusal.asked_bytes > 0 and len(refusal.holders) <= 3
    for holder in refusal.holders:
        has(holder, "session", "uid", "bytes")


def error(message, body, fd):
    assert fd is None
    has(body, "code", "sentence")
    assert body.code in pb.ErrorCode.values() and body.code != pb.ERROR_UNSPECIFIED and len(body.sentence) > 10
    assert body.HasField("refusal") or body.code not in (pb.ERROR_LIMIT, pb.ERROR_HOST_MEMORY)
    if body.HasField("refusal"):
        check_refusal(body.refusal)
    if not message.HasField("reply_to"):
        assert body.code in (pb.ERROR_MALFORMED, pb.ERROR_OVERSIZED, pb.ERROR_PROTOCOL_VERSION, pb.ERROR_NOT_GREETED,
                             pb.ERROR_REPLACED), "this error does not end a connection"


def welcome(message, body, fd):
    is_monitor = not body.session
    is_answer(message, fd, descriptor=not is_monitor)
    has(body, "protocol", "daemon_version", "ttl_min_ms", "ttl_max_ms", "ttl_default_ms", "reconnect_grace_ms",
        "message_bytes_max")
    assert body.protocol in (1, 2) and body.message_bytes_max == 65536
    assert 0 < body.ttl_min_ms <= body.ttl_default_ms <= body.ttl_max_ms
    check_limits(body.host_limits)
    if not is_monitor:
        has(body, "leases_survive", "control_bytes")
        assert len(body.token) == 16
        size = os.fstat(fd).st_size
        assert size == (body.control_bytes if body.protocol > 1 else PAGE)
        assert fcntl.fcntl(fd, 1034) & F_SEAL_GROW, "F_GET_SEALS: the page can grow"


def grant(message, body, fd):
    is_answer(message, fd, descriptor=True)
    has(body, "lease", "segment", "bytes", "location", "ttl_ms", "slot", "generation", "extents")
    assert body.lease and body.bytes % PAGE == 0 and body.extents >= 1 and body.generation % 2 == 1
    assert body.location in (pb.LOCATION_RAM, pb.LOCATION_MMAP)
    size = os.fstat(fd).st_size
    assert size == (body.file_bytes or body.bytes)
    if body.location == pb.LOCATION_RAM:
        seals = fcntl.fcntl(fd, 1034)
        assert seals & F_SEAL_GROW and not seals & (F_SEAL_SHRINK | F_SEAL_WRITE)
        assert bool(seals & F_SEAL_SEAL) == (message.descriptors == 1), "only what can be published may be sealed later"


def got(message, body, fd):
    is_answer(message, fd)
    assert len(body.data) <= 32768


def board_part(message, body, fd):
    is_answer(message, fd, descriptor=True)
    has(body, "bytes")
    assert os.fstat(fd).st_size == body.bytes
    assert fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
    seals = fcntl.fcntl(fd, 1034)
    assert seals & F_SEAL_SHRINK and seals & F_SEAL_GROW and seals & F_SEAL_SEAL


def attached(message, body, fd):
    is_answer(message, fd, descriptor=True)
    has(body, "lease", "block", "bytes", "ttl_ms", "slot", "generation", "lifetime", "location")
    assert body.lease and body.block and body.bytes % PAGE == 0 and body.generation % 2 == 1
    assert os.fstat(fd).st_size == body.bytes and len(body.metadata) <= 4096
    seals = fcntl.fcntl(fd, 1034)
    assert seals & F_SEAL_WRITE and seals & F_SEAL_SEAL and not seals & F_SEAL_SHRINK


def block_changes(message, body, fd):
    is_answer(message, fd)
    has(body, "revision")
    assert not (body.lost and body.changes) and (body.changes or not body.more)
    for change in body.changes:
        has(change, "block", "name", "bytes")
        assert change.block and change.name and change.bytes % PAGE == 0


def done(message, _body, fd):
    is_answer(message, fd)


def renewed(message, body, fd):
    is_answer(message, fd)
    has(body, "leases")
    for end in body.ended:
        has(end, "lease", "reason")


def status(message, body, fd):
    is_answer(message, fd)
    has(body, "daemon_version", "pid", "uptime_ms", "limits", "used_bytes", "used_physical_bytes", "used_mapped_bytes",
        "freeing_bytes", "freeing_physical_bytes", "sessions", "leases", "segments", "counters", "host_total_bytes", "host_available_bytes",
        "spill_directory", "control_bytes")
    assert body.used_bytes == body.used_physical_bytes + body.used_mapped_bytes


def listing(message, body, fd):
    is_answer(message, fd)
    assert sum(1 for part in (body.sessions, body.leases, body.queue, body.reservations, body.usage, body.blocks) if len(part)) <= 1, "one kind a listing"
    for entry in body.sessions:
        has(entry, "session", "uid", "connected", "leases", "physical_bytes", "mapped_bytes", "class_rule")
    for entry in body.leases:
        has(entry, "lease", "session", "uid", "bytes", "location", "extents", "ttl_ms", "remaining_ms")
        assert entry.remaining_ms <= entry.ttl_ms
    for entry in body.queue:
        has(entry, "place", "session", "request", "bytes", "location", "priority", "waited_ms", "remaining_ms", "limit")
    for entry in body.reservations:
        has(entry, "reservation", "name", "bytes", "mapped_bytes", "used_bytes", "used_mapped_bytes", "sessions", "leases")
        assert entry.used_bytes <= entry.bytes and len(entry.control_groups) <= 64
    for entry in body.usage:
        has(entry, "number", "kind", "name", "bytes", "physical_bytes", "mapped_bytes", "sessions", "leases", "waiting", "weight")
        assert entry.bytes == entry.physical_bytes + entry.mapped_bytes <= entry.peak_bytes


def metrics(message, body, fd):
    is_answer(message, fd)
    has(body, "started_unix_ms", "messages", "descriptors", "descriptors_max", "acquire", "wait", "freeing", "turn")
    assert body.messages > 0 and body.descriptors <= body.descriptors_max
    for durations in (body.acquire, body.wait, body.freeing, body.turn):
        bounds = [bucket.upto_ns for bucket in durations.buckets[:-1]]
        assert bounds == sorted(bounds) and not durations.buckets[-1].HasField("upto_ns")


def pong(message, _body, fd):
    is_answer(message, fd)


def audit(message, body, fd):
    is_answer(message, fd)
    has(body, "segments", "ledger_physical_bytes", "ledger_mapped_bytes", "kernel_physical_bytes",
        "kernel_mapped_bytes", "ledger_control_bytes", "kernel_control_bytes")
    assert not body.differences, body.differences


def why(message, body, fd):
    is_answer(message, fd)
    for entry in body.entries:
        has(entry, "session", "uid", "waits", "since_ms", "refusal")
        check_refusal(entry.refusal)


def expiring(message, body, fd):
    is_event(message, fd)
    has(body, "lease", "remaining_ms")


def lease_ended(message, body, fd):
    is_event(message, fd)
    has(body, "lease", "reason")
    assert body.reason not in (pb.END_NONE, pb.END_RELEASED)


def limits_changed(message, body, fd):
    is_event(message, fd)
    has(body, "host_limits", "ttl_min_ms", "ttl_max_ms", "ttl_default_ms", "reconnect_grace_ms")
    check_limits(body.host_limits)


def trim(message, body, fd):
    is_event(message, fd)
    has(body, "wanted_bytes", "location", "deadline_ms")
    assert body.wanted_bytes > 0 and body.location in (pb.LOCATION_RAM, pb.LOCATION_MMAP)


def shutting_down(message, _body, fd):
    is_event(message, fd)


def pressure(message, body, fd):
    is_event(message, fd)
    has(body, "level")
    assert body.level in pb.Pressure.values()


def revoking(message, body, fd):
    is_event(message, fd)
    has(body, "lease", "remaining_ms")


def control_page(message, body, fd):
    is_event(message, fd, descriptor=True)
    has(body, "bytes", "first_slot", "slots")
    assert os.fstat(fd).st_size == body.bytes and body.bytes >= 64 + 16 * body.slots


def spared(message, body, fd):
    is_event(message, fd)
    has(body, "lease")


CHECKS = {name: check for name, check in list(globals().items())
          if callable(check) and name in {field.name for field in pb.DaemonMessage.DESCRIPTOR.fields}}
