# SPDX-License-Identifier: Apache-2.0
"""Connecting, leases, buffers, errors, and what the broker says."""

import gc
import weakref

import membroker
import pytest


def test_lease_is_bytes(broker):
    with broker.acquire("1M", name="rows") as lease:
        assert len(lease) == 1 << 20 and lease[0] == 0 and lease.location is membroker.RAM
        lease[:4] = b"abcd"
        view = memoryview(lease)
        assert bytes(view[:5]) == b"abcd\0" and lease[1:3] == b"bc" and not view.readonly
        assert [found.name for found in broker.leases()] == ["rows"]
        view.release()
    assert lease.released and broker.leases() == []
    with pytest.raises(ValueError):
        memoryview(lease)


def test_lease_in_a_file(broker):
    with broker.acquire(4096, location=membroker.MMAP) as lease:
        assert lease.location is membroker.MMAP and broker.status().used_mapped_bytes == 4096


def test_views_outlive_release(broker):
    with broker.acquire(4096) as lease:
        view = memoryview(lease)
        view[0] = 7
    assert not lease.released and view[0] == 7
    with pytest.raises(ValueError):
        lease.memory
    view.release()
    assert lease.released


def test_buffer(broker):
    buffer = broker.buffer(1000, zero=True, name="rows")
    assert len(buffer) == 1000 and bytes(buffer) == bytes(1000)
    buffer[3] = 9
    assert memoryview(buffer)[3] == 9 and buffer.__dlpack_device__() == (1, 0)
    dead = weakref.ref(buffer)
    view = memoryview(buffer)
    del buffer
    assert dead() is not None and view[3] == 9
    del view
    gc.collect()
    assert dead() is None and broker.uses == 0
    assert broker.buffer(100, alignment=1 << 20).__array_interface__["data"][0] % (1 << 20) == 0


def test_memory_outlives_the_broker(daemon):
    broker = membroker.connect(daemon.socket)
    buffer, lease = broker.buffer(1 << 20), broker.acquire(4096)
    broker.close()
    buffer[0] = lease[0] = 5
    assert daemon.status().sessions == 1 and buffer[0] == lease[0] == 5
    with pytest.raises(ValueError):
        broker.acquire(1)
    del buffer, lease
    assert daemon.status().sessions == 0


def test_limit_error(start_daemon):
    daemon = start_daemon("[limits]\nmax_physical_bytes = 16M")
    with membroker.connect(daemon.socket, name="greedy") as broker, broker.acquire("10M"):
        with pytest.raises(membroker.LimitError, match="max_physical_bytes") as caught:
            broker.acquire("8M")
        error = caught.value
        assert isinstance(error, MemoryError) and error.limit == "max_physical_bytes" and error.whose == "host"
        assert (error.allowed, error.asked, error.used, error.free) == (16 << 20, 8 << 20, 10 << 20, 6 << 20)
        assert [(holder.name, holder.bytes) for holder in error.holders] == [("greedy", 10 << 20)] and error.may_fit_later
        with pytest.raises(membroker.LimitError, match="max_physical_bytes"):
            broker.buffer("8M")
        why = broker.why()[0]
        assert why.location is membroker.RAM and why.refusal.asked_bytes >= 8 << 20 and why.refusal.unit == "bytes"


def test_a_number_is_no_size(start_daemon):
    daemon = start_daemon("[user *]\nmax_leases = 1")
    with membroker.connect(daemon.socket) as broker, broker.acquire(1):
        with pytest.raises(membroker.SystemFailure, match="max_leases"):
            broker.acquire(1)
        assert broker.why()[0].refusal.unit == "leases"


def test_the_figures_come_with_the_refusal(start_daemon, monkeypatch):
    """An exception needs no connection of its own to the broker."""
    daemon = start_daemon("[limits]\nmax_physical_bytes = 16M")
    with membroker.connect(daemon.socket) as broker:
        monkeypatch.setattr(membroker._monitor, "Monitor", None)
        with pytest.raises(membroker.LimitError) as caught:
            broker.acquire("20M")
        assert (caught.value.limit, caught.value.asked) == ("max_physical_bytes", 20 << 20)
        assert not caught.value.may_fit_later


def test_own_limit(daemon):
    with membroker.connect(daemon.socket, max_bytes="1M") as broker:
        with pytest.raises(membroker.LimitError) as caught:
            broker.acquire("2M")
        assert caught.value.whose == "client"


def test_lost_lease_at_next_use(daemon, broker):
    lease, buffer = broker.acquire(8192), broker.buffer("4M")
    view = memoryview(lease)
    with pytest.raises(membroker.LeaseLost, match="revoked"):
        daemon.revoke(lease.id)
        daemon.await_loss()
    with pytest.raises(membroker.LeaseLost):
        lease.check()
    with pytest.raises(membroker.LeaseLost):
        lease[0]
    with pytest.raises(membroker.LeaseLost):
        daemon.revoke(daemon.leases()[0].lease)
        daemon.await_loss()
    with pytest.raises(membroker.LeaseLost):
        memoryview(buffer)
    with pytest.raises(membroker.LeaseLost):
        buffer.check()
    assert lease.lost_because and "revoked" in lease.lost_because
    del view


def test_connection_errors(tmp_path):
    with pytest.raises(membroker.BrokerConnectionError) as caught:
        membroker.connect(str(tmp_path / "nobody"))
    assert isinstance(caught.value, ConnectionError) and "nobody" in str(caught.value)


def test_arguments(broker):
    for call in (lambda: broker.acquire(0), lambda: broker.acquire("3 apples"), lambda: broker.acquire(-1),
                 lambda: broker.buffer(0), lambda: broker.buffer(8, alignment=3), lambda: broker.acquire(8, wait=-1)):
        with pytest.raises(ValueError):
            call()


def test_what_the_broker_says(daemon, broker):
    lease = broker.acquire("1M", name="rows", ttl=30)
    status = broker.status()
    assert status.used_bytes == 1 << 20 and status.limits.max_physical_bytes == 2 << 30 and status.pid == daemon.process.pid
    (session,) = [found for found in broker.sessions() if found.session == broker.session]
    assert session.name == "test" and session.physical_bytes == 1 << 20 and session.connected
    (info,) = broker.leases()
    assert (info.lease, info.name, info.bytes, info.ttl_ms, info.client) == (lease.id, "rows", 1 << 20, 30000, "test")
    assert broker.why() == [] and broker.pressure is membroker.Pressure.NONE
    broker.ping()


def test_restarted_daemon(daemon, broker):
    lease = broker.acquire(4096)
    with pytest.raises(membroker.LeaseLost):  # when it cannot be reached, or when it knows nothing of the lease
        daemon.kill()
        daemon.await_loss(2)
        daemon.start()
        daemon.await_loss()
    if daemon.process.poll() is not None:
        daemon.start()
    broker.wait_connected(20)
    assert lease.lost_because and broker.acquire(4096)[0] == 0


def test_shared_session(run):
    assert run("""
import membroker
a, b = membroker.connect(), membroker.connect()
assert a.session == b.session == membroker.shared().session
c, d = membroker.connect(name="other"), membroker.connect(shared=False)
assert len({a.session, c.session, d.session}) == 3
e = membroker.connect(shared=True)
assert e.session == a.session
e.close()
try:
    membroker.connect(name="another", shared=True)
except membroker.Error as error:
    assert "name" in str(error), error
else:
    raise AssertionError("an option was ignored")
a.close()
lease = b.acquire(4096)
b.close()
assert len(membroker.shared().leases()) == 1 and not membroker.shared().closed
print("ok")
""") == "ok\n"


IDIOM = """
import gc, sys, numpy, membroker
broker = membroker.connect(name="test")
location = getattr(membroker, sys.argv[1])
def make(size):
    lease = broker.acquire(size, location=location)
    return lease, numpy.ndarray((size // 8,), buffer=lease if sys.argv[2] == "lease" else lease.memory)
def mappings():
    return len(open("/proc/self/maps").readlines())
"""


@pytest.mark.parametrize("location", ["RAM", "MMAP"])
@pytest.mark.parametrize("what", ["lease", "memory"])
def test_arrays_without_a_view(run, location, what):
    """numpy.ndarray(buffer=lease) has the address only: after release() it reads zeros, never another lease."""
    assert run(IDIOM + """
lease, array = make(1 << 20)
array[:] = 7
lease.release()
assert lease.released and not broker.leases()
others = [make(1 << 20) for _ in range(20)]
for _, other in others: other[:] = 5
assert array.sum() == 0
array[:] = 3
assert array.sum() == 3 << 17 and all((other == 5).all() for _, other in others)
del others, other
print("ok")
""", location, what) == "ok\n"


def test_the_addresses_of_released_leases_are_free_again(run):
    assert run(IDIOM + """
def cycle():
    lease, array = make(1 << 20)
    lease.release()
    del array
    broker.acquire(4096)
cycle()
before = mappings()
for _ in range(50): cycle()
gc.collect()
assert mappings() <= before + 5, (before, mappings())
print("ok")
""", "RAM", "lease") == "ok\n"


@pytest.mark.parametrize("size", [2**63, 2**64 + 4096, 2**65 + 1, "9999999999999T", -1, 1.9, "1.5G", None])
def test_sizes_that_are_none(daemon, broker, size):
    """None wraps around to a smaller one."""
    for call in (lambda: broker.acquire(size), lambda: broker.buffer(size)):
        with pytest.raises((TypeError, ValueError), match="size|address"):
            call()
    if size is not None:
        for name in ("max_bytes", "max_physical", "heap"):
            with pytest.raises((TypeError, ValueError), match="size|address"):
                membroker.connect(daemon.socket, **{name: size})
    assert not daemon.leases()


WRONG = {
    "huge_pages": (ValueError, dict(huge_pages="always")), "location": (ValueError, dict(location="RAM")),
    "duration": (TypeError, dict(wait="1")), "numa_node": (ValueError, dict(numa_node=-5)),
    "progress": (TypeError, dict(wait=1, progress=5)),
}


@pytest.mark.parametrize("what", WRONG)
def test_options_that_are_wrong(broker, what):
    kind, options = WRONG[what]
    with pytest.raises(kind, match=what):
        broker.acquire(4096, **options)


def test_other_arguments_that_are_wrong(daemon, broker):
    with pytest.raises(TypeError, match="progress"):
        membroker.connect(daemon.socket, progress=5)
    for wrong in (-1, 0, 2**64, 2**70, "x"):
        with pytest.raises(ValueError, match="is no lease"):
            broker.revoke(wrong)
    with pytest.raises(membroker.Error):
        broker.revoke(1 << 40)
    for wrong in (float("inf"), float("nan"), -1):
        with pytest.raises(ValueError, match="overallocate"):
            broker.workspace("wrong", overallocate=wrong)
    for wrong in ("a", -1):
        with pytest.raises(ValueError, match="cycles"):
            broker.workspace("wrong", cycles=wrong)
    for call in (lambda: broker.numpy("MMAP"), lambda: broker.install_numpy("MMAP"), lambda: broker.buffer(1, location="MMAP"),
                 lambda: broker.workspace("wrong", location="MMAP")):
        with pytest.raises(ValueError, match="location is membroker.RAM, MMAP or AUTO, not 'MMAP'"):
            call()
    with pytest.raises(TypeError, match="broker"):
        membroker.install_numpy("MMAP")
    with membroker.connect(daemon.socket.encode()) as other:
        other.ping()


def test_what_a_lease_says_while_a_view_keeps_it(broker):
    lease = broker.acquire(4096)
    with lease.memory:
        lease.release()
        assert "last view" in repr(lease) and not lease.released
    assert "released" in repr(lease) and lease.released
