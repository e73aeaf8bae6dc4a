# SPDX-License-Identifier: Apache-2.0
"""What PROTOCOL.md says, played: a case for each of its sections."""

import collections
import mmap
import os
import signal
import struct
import time

import membroker_pb2 as pb
from wire import Ended, Refused, map_segment

MIB = 1 << 20

Case = collections.namedtuple("Case", "play settings environment")
ALL = []


def case(settings="", **environment):
    """Registers a case with its broker's settings."""
    def register(play):
        ALL.append(Case(play, settings, environment))
        return play
    return register


def answered_with(code, connection, request_id):
    """The answer to a request must be this error, which it returns."""
    try:
        connection.answer(request_id)
    except Refused as refusal:
        assert refusal.code == code, refusal
        return refusal.error
    raise AssertionError(f"a request was granted, and not refused with {pb.ErrorCode.Name(code)}")


def refused(code, connection, kind, **fields):
    """Plays a request that must be refused so, and returns the error."""
    return answered_with(code, connection, connection.send(kind, **fields))


def ends(connection, code):
    """The daemon ends the connection, with this error."""
    try:
        while True:
            connection.take()
    except Ended as end:
        assert end.error and end.error.code == code, end
    try:
        connection.receive()
    except (Ended, ConnectionResetError):
        return
    raise AssertionError("the connection goes on")


# ---- framing and handshake ----

@case()
def frames(broker):
    """What is no frame ends the connection; a request that is unknown does not."""
    for packet, code in ((b"\1\0\0", pb.ERROR_MALFORMED), (struct.pack("<I", 9) + b"\x08\x01", pb.ERROR_MALFORMED),
                         (struct.pack("<I", 4) + b"\xff\xff\xff\xff", pb.ERROR_MALFORMED),
                         (struct.pack("<I", 65537) + bytes(65537), pb.ERROR_OVERSIZED)):
        connection = broker.session()
        connection.send_packet(packet)
        ends(connection, code)
    connection = broker.session()
    connection.send_packet(b"\5\0\0\0\x08\x4d\x9a\x06\0")  # id 77, field 99
    try:
        connection.answer(77)
    except Refused as refusal:
        assert refusal.code == pb.ERROR_UNKNOWN_REQUEST
    connection.call("ping")


@case()
def versions(broker):
    """protocol_max must be said, protocol_min need not; the newest that both speak is used."""
    for fields, version in (({"protocol_max": 2}, 2), ({"protocol_max": 1}, 1), ({"protocol_min": 1, "protocol_max": 9}, 2)):
        connection = broker.connect()
        welcome, fd = connection.call("hello", **fields)
        assert welcome.protocol == version
        assert welcome.control_bytes == (262144 if version == 1 else 4096)
        os.close(fd)
    for fields in ({}, {"protocol_min": 1}, {"protocol_min": 3, "protocol_max": 9}):
        connection = broker.connect()
        connection.send("hello", **fields)
        ends(connection, pb.ERROR_PROTOCOL_VERSION)


@case()
def greeting(broker):
    """A hello comes first, and once; with id 0 it is answered all the same, with reply_to 0."""
    connection = broker.connect()
    connection.send("ping")
    ends(connection, pb.ERROR_NOT_GREETED)
    connection = broker.session()
    connection.send("hello", protocol_max=2)
    ends(connection, pb.ERROR_NOT_GREETED)
    connection = broker.connect()
    connection.send("hello", request_id=0, protocol_max=2)
    message, fd = connection.receive()
    assert message.HasField("reply_to") and message.reply_to == 0 and message.WhichOneof("body") == "welcome"
    os.close(fd)
    connection.call("ping")
    connection = broker.connect()
    connection.send("hello", request_id=0, protocol_max=2, resume_session=1, resume_token=bytes(16))
    message, _ = connection.receive()
    assert message.reply_to == 0 and message.error.code == pb.ERROR_NO_SUCH_SESSION


@case()
def forgotten(broker):
    """Requests with id 0 get no answer, not even an error."""
    connection = broker.session()
    grant, _ = connection.acquire(MIB)
    connection.send("ping", request_id=0)
    connection.send("release", request_id=0, lease=grant.lease + 1)
    connection.send("release", request_id=0, lease=grant.lease)
    assert connection.call("renew", use=[pb.LeaseUse(lease=grant.lease)]).leases == 0
    assert not connection.answers and not connection.events
    assert connection.pages.slot(grant.slot) == (grant.generation + 1, pb.END_RELEASED)


# ---- leases ----

@case("[limits]\nmax_physical_bytes = 64M\n")
def leases(broker):
    """Acquire, extend, use, renew, list, release; refusals have their figures."""
    connection = broker.session(name="conformance")
    grant, memory = connection.acquire(MIB + 1, name="scratch", location=pb.LOCATION_RAM, prefault=True)
    assert grant.bytes == MIB + 4096 and grant.extents == 1 and connection.pages.lives(grant)
    memory[:5] = b"hello"
    more, fd = connection.call("extend", lease=grant.lease, bytes=MIB)
    map_segment(more, fd).close()
    assert more.lease == grant.lease and more.extents == 2 and more.generation == grant.generation
    renewed = connection.call("renew", use=[pb.LeaseUse(lease=grant.lease, used_bytes=5), pb.LeaseUse(lease=99)])
    assert renewed.leases == 1 and [end.lease for end in renewed.ended] == [99]
    entry, = connection.call("list", what=pb.List.LIST_OWN_LEASES).leases
    assert (entry.lease, entry.name, entry.used_bytes, entry.client) == (grant.lease, "scratch", 5, "conformance")
    session, = connection.call("list", what=pb.List.LIST_SESSIONS).sessions
    assert session.session == connection.welcome.session and session.leases == 1
    mapped, _ = connection.acquire(MIB, location=pb.LOCATION_MMAP)
    assert mapped.location == pb.LOCATION_MMAP
    error = refused(pb.ERROR_LIMIT, connection, "acquire", bytes=65 * MIB)
    assert error.refusal.limit == "max_physical_bytes" and error.refusal.asked_bytes == 65 * MIB
    refused(pb.ERROR_INVALID, connection, "acquire", bytes=0)
    refused(pb.ERROR_INVALID, connection, "acquire", bytes=MIB, ttl_ms=1)
    refused(pb.ERROR_NO_SUCH_LEASE, connection, "extend", lease=99, bytes=MIB)
    connection.call("release", lease=grant.lease)
    refused(pb.ERROR_LEASE_ENDED, connection, "release", lease=grant.lease)
    assert not connection.pages.lives(grant)


@case()
def many(broker):
    """More leases than the first control page has slots: another page comes before the first grant in it."""
    connection = broker.session()
    grants = [connection.acquire(4096)[0] for _ in range(300)]
    assert len(connection.pages.pages) == 2 and max(connection.pages.pages) == 252
    assert all(connection.pages.lives(grant) for grant in grants)
    listed, after = [], 0
    while True:
        page = connection.call("list", what=pb.List.LIST_OWN_LEASES, after=after)
        listed += [entry.lease for entry in page.leases]
        after = listed[-1]
        if not page.more:
            break
    assert listed == sorted(grant.lease for grant in grants)


@case()
def expiry(broker):
    """A lease that nobody renews is announced, ends, and never comes back."""
    connection = broker.session()
    grant, _ = connection.acquire(MIB, ttl_ms=400)
    warning = connection.event("expiring")
    assert warning.lease == grant.lease and warning.remaining_ms <= 100
    ended = connection.event("lease_ended")
    assert (ended.lease, ended.reason) == (grant.lease, pb.END_EXPIRED)
    assert connection.pages.slot(grant.slot) == (grant.generation + 1, pb.END_EXPIRED)
    ended, = connection.call("renew", use=[pb.LeaseUse(lease=grant.lease)]).ended
    assert ended.reason == pb.END_EXPIRED
    other = broker.session()
    lease = other.acquire(MIB)[0].lease
    connection.call("revoke", lease=lease)
    ended = other.event("lease_ended")
    assert (ended.lease, ended.reason) == (lease, pb.END_REVOKED)


@case()
def named_files(broker):
    """A named file has its exact length; one that is leased is busy; its bytes stay."""
    connection = broker.session()
    grant, fd = connection.call("acquire", location=pb.LOCATION_MMAP, file="array", bytes=5000)
    assert (grant.file_bytes, grant.bytes, os.fstat(fd).st_size) == (5000, 8192, 5000)
    memory = mmap.mmap(fd, grant.file_bytes)
    memory[4990:] = b"0123456789"
    os.close(fd)
    refused(pb.ERROR_BUSY, connection, "acquire", location=pb.LOCATION_MMAP, file="array", bytes=1)
    connection.call("release", lease=grant.lease)
    again, memory = connection.acquire(0, location=pb.LOCATION_MMAP, file="array")
    assert again.file_bytes == 5000 and memory[4990:] == b"0123456789"
    assert os.path.getsize(broker.directory + "/files/array") == 5000


@case()
def learned(broker):
    """A size that is remembered, and none."""
    connection = broker.session(name="learner")
    assert connection.call("acquire", bytes=0, name="ws", use_learned=True) == pb.Done()
    connection.acquire(3 * MIB, name="ws", learned=True)
    grant, _ = connection.acquire(0, name="ws", use_learned=True)
    assert grant.remembered and grant.bytes == 3 * MIB


# ---- reservations ----

@case("[limits]\nmax_physical_bytes = 64M\n")
def reservations(broker):
    """A reservation is made, the same again is done, another is busy; it is listed, extended and given up."""
    monitor = broker.session(monitor=True)
    terms = {"name": "job", "bytes": 40 * MIB, "control_groups": ["/membroker-conformance"]}
    assert monitor.call("reserve", **terms) == pb.Done()
    assert monitor.call("reserve", **terms) == pb.Done()
    refused(pb.ERROR_BUSY, monitor, "reserve", **{**terms, "bytes": 1})
    refused(pb.ERROR_LIMIT, monitor, "reserve", name="other", bytes=25 * MIB)
    refused(pb.ERROR_INVALID, monitor, "reserve", name="", bytes=1)
    assert monitor.call("attach", name="job", control_groups=["/membroker-conformance-2"]) == pb.Done()
    entry, = monitor.call("list", what=pb.List.LIST_RESERVATIONS).reservations
    assert (entry.name, entry.bytes, len(entry.control_groups), entry.over) == ("job", 40 * MIB, 2, False)
    assert monitor.call("unreserve", name="job") == pb.Done()


@case()
def suspension(broker):
    """While a reservation is suspended, the listing says for how long; both requests can be repeated."""
    monitor = broker.session(monitor=True)
    assert monitor.call("reserve", name="job", bytes=MIB) == pb.Done()
    assert monitor.call("suspend", name="job") == pb.Done()
    first, = monitor.call("list", what=pb.List.LIST_RESERVATIONS).reservations
    assert monitor.call("suspend", name="job") == pb.Done()
    second, = monitor.call("list", what=pb.List.LIST_RESERVATIONS).reservations
    assert first.suspended and second.suspended and first.held_ms >= second.held_ms > 0
    for _ in range(2):
        assert monitor.call("suspend", name="job", ends=True) == pb.Done()
        entry, = monitor.call("list", what=pb.List.LIST_RESERVATIONS).reservations
        assert not entry.suspended and not entry.held_ms
    refused(pb.ERROR_NO_SUCH_RESERVATION, monitor, "suspend", name="other")
    refused(pb.ERROR_NO_SUCH_RESERVATION, monitor, "suspend", name="other", ends=True)
    assert monitor.call("unreserve", name="job") == pb.Done()


@case("[class a]\nclients = a\nmax_bytes = 32M\n")
def usage(broker):
    """Accounts: of the class by its name, with its limit; of the user; the peak stays when the memory is given back."""
    client = broker.session(name="a")
    grant, _ = client.acquire(4 * MIB)
    assert client.call("release", lease=grant.lease) == pb.Done()
    grant, _ = client.acquire(MIB)
    rows = {(row.kind, row.name): row for row in client.call("list", what=pb.List.LIST_USAGE).usage}
    row = rows[pb.USAGE_KIND_CLASS, "a"]
    assert (row.limits.max_bytes, row.sessions, row.leases) == (32 * MIB, 1, 1)
    assert row.bytes >= MIB and row.peak_bytes >= 4 * MIB
    assert any(kind == pb.USAGE_KIND_USER for kind, _ in rows)
    assert sum(bucket.count for bucket in client.call("metrics").acquire.buckets) == 2


@case()
def history(broker):
    """What happened is listed in order, the same within a second as one event; settled ones alone if that is asked for."""
    client = broker.session(name="a")
    for _ in range(3):
        grant, _ = client.acquire(MIB)
        client.call("release", lease=grant.lease)
    refused(pb.ERROR_LIMIT, client, "acquire", bytes=1 << 50)
    listing = client.call("list", what=pb.List.LIST_EVENTS)
    assert not listing.more and listing.last == listing.events[-1].event
    kinds = [event.kind for event in listing.events]
    assert kinds[0] == pb.EVENT_KIND_STARTED and listing.events[0].text
    assert sum(event.count for event in listing.events if event.kind == pb.EVENT_KIND_GRANTED) == 3
    ended = [event for event in listing.events if event.kind == pb.EVENT_KIND_ENDED]
    assert sum(event.bytes for event in ended) == 3 * MIB and ended[0].reason == pb.END_RELEASED
    assert ended[0].client == "a" and ended[0].last_unix_ms >= ended[0].at_unix_ms
    event = listing.events[-1]
    assert (event.kind, event.code, event.limit_kind) == (
        pb.EVENT_KIND_REFUSED, pb.ERROR_LIMIT, pb.LIMIT_KIND_PHYSICAL_BYTES)
    later = client.call("list", what=pb.List.LIST_EVENTS, after=listing.events[0].event)
    assert [row.event for row in later.events] == [row.event for row in listing.events[1:]]
    sample = client.call("list", what=pb.List.LIST_SAMPLES).samples[0]
    assert sample.sample and sample.at_unix_ms and sample.limits.max_physical_bytes and not sample.reservation
    settled = client.call("list", what=pb.List.LIST_EVENTS, settled=True)
    assert len(settled.events) <= len(listing.events)


# ---- blocks ----

def publishable(client, content):
    """A segment with this content that nobody can write to any more."""
    grant, fd = client.call("acquire", bytes=len(content), publishable=True)
    os.pwrite(fd, content, 0)
    os.close(fd)
    os.close(client.readable)
    return grant


@case("[sharing]\nmax_watches = 1\n")
def watches(broker):
    """A prefix is listed page by page and then watched; changes come in their order, and old revisions are lost."""
    publisher, watcher = broker.session(), broker.session()
    first = watcher.call("watch_blocks", prefix="n")
    assert first.revision and not (first.changes or first.more or first.lost)
    waiting = watcher.send("watch_blocks", prefix="n", after=first.revision, wait_ms=20000)
    refused(pb.ERROR_TOO_MANY, watcher, "watch_blocks", after=first.revision, wait_ms=20000)
    leases = {name: publishable(publisher, b"x" * 4096).lease for name in ("n2", "other", "n1")}
    for name, lease in leases.items():
        assert publisher.call("publish", lease=lease, name=name, type="bytes") == pb.Done()
    change, = watcher.answer(waiting).changes
    assert (change.name, change.type, change.bytes) == ("n2", "bytes", 4096) and not change.HasField("ended")
    assert publisher.call("unpublish", name="n2") == pb.Done()
    answer = watcher.call("watch_blocks", prefix="n", after=first.revision, wait_ms=20000)
    told = [(change.name, change.ended) for change in answer.changes]
    assert told == [("n2", 0), ("n1", 0), ("n2", pb.END_UNPUBLISHED)]
    assert answer.changes[0].block == change.block < answer.changes[1].block
    now = watcher.call("watch_blocks", prefix="n", after=answer.revision)
    assert now.revision == answer.revision and not now.changes
    assert [change.name for change in watcher.call("watch_blocks").changes] == ["n1", "other"]
    assert [change.name for change in watcher.call("watch_blocks", after_name="n1").changes] == ["other"]
    assert watcher.call("watch_blocks", after=1).lost
    refused(pb.ERROR_INVALID, watcher, "watch_blocks", prefix="a\nb")
    refused(pb.ERROR_MONITOR, broker.session(monitor=True), "watch_blocks")
    waiting = watcher.send("watch_blocks", after=answer.revision, wait_ms=20000)
    assert watcher.call("cancel", request=waiting) == pb.Done()
    answered_with(pb.ERROR_CANCELLED, watcher, waiting)
    for lease in leases.values():
        assert publisher.call("release", lease=lease) == pb.Done()


def told_of_count(error, client, kind):
    """The answer, `why`, the history and the counters have the limit, of which two are used."""
    why, = client.call("why", session=client.welcome.session).entries
    for refusal in (error.refusal, why.refusal):
        assert (refusal.limit_kind, refusal.asked_bytes, refusal.used_bytes, refusal.limit_bytes) == (kind, 1, 2, 2)
    assert not why.HasField("earliest_ms") and not why.location
    event = client.call("list", what=pb.List.LIST_EVENTS).events[-1]
    assert (event.kind, event.sharing_limit_kind, event.used_bytes, event.limit_bytes) == (
        pb.EVENT_KIND_REFUSED, kind, 2, 2) and not event.HasField("limit_kind")
    assert [row.count for row in client.call("metrics").refusals if row.kind == kind] == [1]


@case("[sharing]\nmax_blocks = 2\n")
def blocks(broker):
    """A block is published, attached, replaced, waited for and unpublished; each refusal has its code."""
    content = bytes(range(256)) * 16
    publisher, reader, monitor = broker.session(), broker.session(), broker.session(monitor=True)
    grant, fd = publisher.call("acquire", bytes=4096, publishable=True)
    refused(pb.ERROR_STILL_WRITABLE, publisher, "publish", lease=grant.lease, name="n")
    os.pwrite(fd, content, 0)
    os.close(fd)
    os.close(publisher.readable)
    waiting = reader.send("attach_block", name="n", wait_ms=20000)
    for _ in range(2):
        assert publisher.call("publish", lease=grant.lease, name="n", type="bytes", metadata=b"m") == pb.Done()
    attached, fd = reader.answer(waiting)
    assert os.pread(fd, 5000, 0) == content and (attached.type, attached.metadata) == ("bytes", b"m")
    assert reader.pages.lives(attached) and publisher.pages.lives(grant)
    entry, = monitor.call("list", what=pb.List.LIST_BLOCKS).blocks
    assert (entry.block, entry.name, entry.bytes, entry.views) == (attached.block, "n", 4096, 2)
    os.close(fd)
    other = publishable(publisher, content)
    refused(pb.ERROR_NAME_TAKEN, publisher, "publish", lease=other.lease, name="n")
    refused(pb.ERROR_INVALID, publisher, "extend", lease=other.lease, bytes=4096)
    assert publisher.call("publish", lease=other.lease, name="n", replace=True) == pb.Done()
    error = refused(pb.ERROR_TOO_MANY, publisher, "publish", lease=publishable(publisher, content).lease, name="m")
    told_of_count(error, publisher, pb.LIMIT_KIND_BLOCKS)
    refused(pb.ERROR_NO_SUCH_BLOCK, reader, "attach_block", name="other")
    refused(pb.ERROR_NO_SUCH_BLOCK, reader, "unpublish", name="other")
    assert monitor.call("unpublish", name="n") == pb.Done()
    assert refused(pb.ERROR_BLOCK_ENDED, reader, "attach_block", name="n").ended == pb.END_UNPUBLISHED
    assert reader.pages.lives(attached), "a view of its owner stays"
    for client, lease in ((reader, attached.lease), (publisher, grant.lease), (publisher, other.lease)):
        assert client.call("release", lease=lease) == pb.Done()


@case("[sharing]\nmax_objects = 2\n")
def objects(broker):
    """An object is put, got, replaced and removed; its board can be opened; each refusal has its code."""
    putter, reader, monitor = broker.session(), broker.session(), broker.session(monitor=True)
    assert putter.call("put", name="n", data=b"first") == pb.Done()
    assert putter.call("put", name="kept", data=b"", lifetime=pb.LIFETIME_KEEP) == pb.Done()
    got = reader.call("get", name="n")
    assert got.data == b"first" and got.board
    part, fd = reader.call("open_board", board=got.board, part=0)
    assert os.fstat(fd).st_size == part.bytes == 65536 and b"first" in os.pread(fd, part.bytes, 0)
    os.close(fd)
    refused(pb.ERROR_NO_SUCH_BLOCK, reader, "open_board", board=got.board, part=1)
    told_of_count(refused(pb.ERROR_TOO_MANY, putter, "put", name="third", data=b""), putter, pb.LIMIT_KIND_OBJECTS)
    refused(pb.ERROR_INVALID, putter, "put", name="n", data=bytes(32769))
    refused(pb.ERROR_INVALID, putter, "put", name="n", lifetime=pb.LIFETIME_CACHE)
    refused(pb.ERROR_MONITOR, monitor, "put", name="n")
    assert putter.call("put", name="n", data=b"second") == pb.Done()
    assert monitor.call("get", owner=os.getuid(), name="n").data == b"second"
    board, = monitor.call("list", what=pb.List.LIST_BOARDS).boards
    assert (board.owner, board.objects, board.object_bytes, board.kept_objects) == (os.getuid(), 2, 6, 1)
    figures = monitor.call("status").objects
    assert (figures.objects, figures.put, figures.refused) == (2, 3, 1)
    assert reader.call("remove", name="n") == pb.Done()
    refused(pb.ERROR_NO_SUCH_BLOCK, reader, "get", name="n")
    refused(pb.ERROR_NO_SUCH_BLOCK, reader, "remove", name="n")


# ---- when memory is short ----

@case("[limits]\nmax_physical_bytes = 64M\n[queue]\ntrim_time = 5s\n")
def waiting(broker):
    """A request waits, is listed and explained; the holder is asked to trim; a request that waits can be cancelled."""
    holder, waiter = broker.session(name="holder"), broker.session(name="waiter")
    grant, _ = holder.acquire(40 * MIB)
    first = waiter.send("acquire", bytes=40 * MIB, wait_ms=30000)
    trim = holder.event("trim")
    assert trim.location == pb.LOCATION_RAM and 0 < trim.deadline_ms <= 5000
    assert holder.call("trimmed", bytes=0) == pb.Done()
    entry, = waiter.call("list", what=pb.List.LIST_QUEUE).queue
    assert (entry.request, entry.bytes, entry.place, entry.limit) == (first, 40 * MIB, 1, "max_physical_bytes")
    why, = waiter.call("why", session=waiter.welcome.session).entries
    assert why.waits and why.refusal.holders[0].name == "holder"
    assert waiter.call("cancel", request=first) == pb.Done()
    answered_with(pb.ERROR_CANCELLED, waiter, first)
    second = waiter.send("acquire", bytes=40 * MIB, wait_ms=30000)
    holder.call("release", lease=grant.lease)
    assert waiter.answer(second)[0].bytes == 40 * MIB


@case("[limits]\nmax_physical_bytes = 64M\n[queue]\nrevoke_for_priority = yes\nrevoke_grace = 3s\ntrim_time = 0\n"
      "[class high]\nclients = high\npriority = 9\n")
def revocation(broker):
    """A lease is to be taken for a higher priority: its holder is told, is spared, is told again, and loses it."""
    holder, high = broker.session(name="low"), broker.session(name="high")
    grant, _ = holder.acquire(40 * MIB)
    first = high.send("acquire", bytes=40 * MIB, wait_ms=30000)
    revoking = holder.event("revoking")
    assert revoking.lease == grant.lease and 0 < revoking.remaining_ms <= 3000
    high.call("cancel", request=first)
    assert holder.event("spared").lease == grant.lease and holder.pages.lives(grant)
    second = high.send("acquire", bytes=40 * MIB, wait_ms=30000)
    ended = holder.event("lease_ended")
    assert (ended.lease, ended.reason) == (grant.lease, pb.END_REVOKED)
    assert high.answer(second)[0].bytes == 40 * MIB


@case("[pressure]\npause_ram_at = some\n", MEMORY_PRESSURE_WATCH="a FIFO")
def pressure(broker):
    """The machine's memory pressure is an event, and stands in the control page."""
    connection = broker.session()
    assert connection.pages.pressure() == pb.PRESSURE_NONE
    with open(broker.directory + "/pressure", "wb") as fifo:
        fifo.write(b"x")
    assert connection.event("pressure").level == pb.PRESSURE_SOME
    assert connection.pages.pressure() == pb.PRESSURE_SOME


# ---- connections that break ----

@case()
def resuming(broker):
    """Repeat first, compare then: what was granted is that grant, what nobody knows is released."""
    connection = broker.session()
    known, _ = connection.acquire(MIB)
    lost = connection.send("acquire", bytes=2 * MIB)  # its answer is never read
    orphan = connection.send("acquire", bytes=3 * MIB)
    connection.call("ping")
    connection.close()
    again = broker.connect()
    welcome = again.hello(resume_session=connection.welcome.session, resume_token=connection.welcome.token)
    assert welcome.resumed and welcome.session == connection.welcome.session and again.pages.lives(known)
    repeated = again.send("acquire", bytes=2 * MIB, repeats=lost)
    mine = {entry.lease for entry in again.call("list", what=pb.List.LIST_OWN_LEASES).leases}
    grant, _ = again.answer(repeated)
    assert grant.bytes == 2 * MIB and len(mine) == 3 and {known.lease, grant.lease} < mine
    for lease in mine - {known.lease, grant.lease}:
        again.call("release", lease=lease)
    assert again.call("acquire", bytes=3 * MIB, repeats=orphan)[0].lease not in mine, "it had ended: another is granted"
    assert again.call("status").leases == 3


@case()
def sessions(broker):
    """A session moves to a newer connection, and belongs to the process that opened it."""
    connection = broker.session()
    connection.acquire(MIB)
    token = {"resume_session": connection.welcome.session, "resume_token": connection.welcome.token}
    again = broker.connect()
    again.hello(**token)
    ends(connection, pb.ERROR_REPLACED)
    child = os.fork()
    if child == 0:
        other = broker.connect()
        try:
            other.hello(**token)
            os._exit(1)
        except Refused as refusal:
            os._exit(0 if refusal.code == pb.ERROR_NO_SUCH_SESSION and other.hello().session else 2)
    assert os.waitpid(child, 0)[1] == 0, "another process resumed it, or could not say hello anew"
    again.call("ping")


@case()
def farewell(broker):
    """Bye ends the session at once, with its leases, and the connection."""
    connection = broker.session()
    grant, _ = connection.acquire(MIB)
    assert connection.call("bye") == pb.Done()
    try:
        connection.receive()
        raise AssertionError("the connection goes on")
    except Ended as end:
        assert end.error is None
    # once the connection has ended: the answer may come before the slot is written
    assert connection.pages.slot(grant.slot) == (grant.generation + 1, pb.END_RELEASED)
    assert broker.session(monitor=True).call("status").sessions == 0


@case()
def monitors(broker):
    """A monitor has no session, looks, and administers."""
    holder, monitor = broker.session(), broker.session(monitor=True)
    assert monitor.welcome.session == 0 and not monitor.pages.pages
    lease = holder.acquire(MIB)[0].lease
    refused(pb.ERROR_MONITOR, monitor, "acquire", bytes=MIB)
    status = monitor.call("status")
    assert (status.leases, status.used_physical_bytes, status.sessions) == (1, MIB, 1)
    assert [entry.lease for entry in monitor.call("list", what=pb.List.LIST_LEASES).leases] == [lease]
    report = monitor.call("audit")
    assert report.segments == 1 and report.kernel_physical_bytes == report.ledger_physical_bytes == MIB
    monitor.call("revoke", lease=lease)
    broker.configure("[limits]\nmax_physical_bytes = 48M\n")
    assert monitor.call("reload") == pb.Done()
    assert holder.event("limits_changed").host_limits.max_physical_bytes == 48 * MIB
    broker.configure("[limits]\nmax_physical_bytes = nonsense\n")
    assert "nonsense" in refused(pb.ERROR_INVALID, monitor, "reload").sentence


# ---- the daemon's end ----

@case()
def shutdown(broker):
    """A daemon that ends says so, and ends the leases in the control page."""
    connection = broker.session()
    grant, _ = connection.acquire(MIB)
    broker.kill(signal.SIGINT)
    connection.event("shutting_down")
    assert connection.pages.slot(grant.slot) == (grant.generation + 1, pb.END_SHUTDOWN)


@case()
def kill_9(broker):
    """Nobody changes the control page of a daemon that was killed: without leases_survive, no daemon means no lease."""
    connection = broker.session()
    grant, _ = connection.acquire(MIB)
    assert not connection.welcome.leases_survive
    broker.kill(signal.SIGKILL)
    time.sleep(0.1)
    assert connection.pages.lives(grant), "the generation alone can't tell"
    try:
        broker.connect()
        raise AssertionError("somebody listens")
    except (ConnectionRefusedError, FileNotFoundError):
        pass  # this is what tells that the lease has ended
