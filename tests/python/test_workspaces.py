# SPDX-License-Identifier: Apache-2.0
"""Workspaces: memory of cycles, whose arrays are never overwritten while they live."""

import gc
import threading

import membroker
import pytest

numpy = pytest.importorskip("numpy")


def workspace_leases(broker):
    return [lease for lease in broker.leases() if lease.name == "scratch"]


def test_size_is_learned(broker):
    for cycle in range(5):
        with broker.workspace("scratch") as ws:
            a, b = ws.zeros(100000), ws.empty((10, 10), "f4")
            b[:] = a[0]
            assert (ws.figures.spilled_count > 0) == (cycle == 0)
            del a, b
    assert ws.size == int((800000 + 448) * 1.3 + 63) // 64 * 64 and ws.cycles == 5
    (lease,) = workspace_leases(broker)
    assert lease.bytes == (ws.size + 4095) // 4096 * 4096 and ws.figures.kept_regions == 0


def test_arrays_that_outlive_their_cycle_stay(broker):
    kept = []
    for cycle in range(10):
        with broker.workspace("scratch", initial="1M") as ws:
            array = ws.full(1000, float(cycle))
            if cycle % 3 == 0:
                kept.append(array[10:20])
            del array
    assert [view[0] for view in kept] == [0.0, 3.0, 6.0, 9.0] and all((view == view[0]).all() for view in kept)
    assert len(workspace_leases(broker)) in (4, 5, 6)
    kept.clear()
    gc.collect()
    with broker.workspace("scratch", initial="1M") as ws:
        assert ws.figures.kept_regions == 0 and len(workspace_leases(broker)) <= 2


def test_no_messages_in_a_steady_state(broker):
    """Regions are used again: the number of leases that were granted does not grow."""
    last = None
    for cycle in range(30):
        with broker.workspace("scratch", initial="1M") as ws:
            array = ws.ones(1000)
            assert last is None or last.sum() == 1000  # the array of the cycle before is alive
            last = array
        if cycle == 5:
            granted = broker.status().counters.granted
    assert broker.status().counters.granted == granted


def test_all_arrays_of_a_block(broker):
    with broker.workspace("scratch", initial="8M") as ws, ws.numpy():
        a = numpy.arange(1000.0)
        b = (a * 2 + a).reshape(10, 100).T.copy()
        assert ws.figures.arrays == 2 and ws.figures.used_bytes >= 16000 and b.sum() == 3 * 499500
        assert ws.figures.spilled_count == 0
    outside = numpy.ones(10)
    assert b[5, 5] == a[505] * 3 and outside.sum() == 10


def test_temporaries_use_the_same_bytes(broker):
    with broker.workspace("scratch", initial="1M") as ws, ws.numpy():
        a = numpy.ones(10000)
        for _ in range(100):
            (a + a).sum()
        assert ws.figures.used_bytes < 400000 and ws.figures.spilled_count == 0


def test_a_full_workspace_has_no_figures_of_a_limit(start_daemon):
    """What it says is its own, and not what the broker refused before."""
    daemon = start_daemon("[limits]\nmax_physical_bytes = 16M")
    with membroker.connect(daemon.socket) as broker:
        with pytest.raises(MemoryError), broker.numpy():
            numpy.empty(4 << 20)
        with broker.workspace("scratch", initial="64K", spill="fail") as ws:
            with pytest.raises(membroker.LimitError, match="may not spill") as caught:
                ws.empty(1000000)
        assert caught.value.limit is None and caught.value.holders == []


def test_spills(broker):
    with broker.workspace("scratch", initial="64K", spill="fail") as ws:
        with pytest.raises(membroker.LimitError, match='workspace "scratch"'):
            ws.empty(1000000)
    with broker.workspace("growing", initial="64K", spill="grow") as ws:
        big = ws.full(1000000, 2.0)
        assert ws.figures.spilled_count == 1
    assert big.sum() == 2000000
    del big
    with ws:
        assert ws.full(1000000, 3.0).sum() == 3000000 and ws.figures.spilled_count == 0
    with broker.workspace("bounded", maximum="1M") as ws:
        ws.empty(1000000)
    assert ws.size == 1 << 20


def test_learning(broker):
    for count in (1000, 3000, 2000, 10):
        with broker.workspace("slow", learning="over_time", cycles=3, overallocate=0) as ws:
            ws.empty(count)
    assert ws.size == 24000
    with broker.workspace("never", learning="none") as ws:
        ws.empty(100)
    assert ws.size == 0


def test_resize_in_a_workspace(broker):
    with broker.workspace("scratch", initial="1M") as ws, ws.numpy():
        a = numpy.arange(100)
        for size in (1000, 10, 100000, 500000):
            a.resize(size, refcheck=False)
            assert list(a[:10]) == list(range(10))


def test_in_a_file(broker):
    with broker.workspace("scratch", initial="1M", location=membroker.MMAP) as ws:
        array = ws.full(1000, 4.0)
    assert array.sum() == 4000 and broker.status().used_mapped_bytes == 1 << 20


def test_misuse(broker):
    ws = broker.workspace("scratch")
    with pytest.raises(RuntimeError, match="not entered"):
        ws.empty(1)
    with pytest.raises(ValueError, match="other options"):
        broker.workspace("scratch", initial=5)
    for options in ({"learning": "x"}, {"spill": "x"}, {"overallocate": -1}, {"learning": "over_time"}):
        with pytest.raises(ValueError):
            broker.workspace("other", **options)
    errors = []

    def enter():
        try:
            with ws:
                pass
        except RuntimeError as error:
            errors.append(str(error))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert "another thread" in errors[0]
    with ws, pytest.raises(RuntimeError, match="open cycle"):
        ws.close()
    ws.close()


def test_arrays_outlive_the_thread(broker):
    made = []

    def work():
        with broker.workspace("scratch", initial="1M") as ws:
            made.append(ws.full(1000, 5.0))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    gc.collect()
    assert made[0].sum() == 5000 and len(workspace_leases(broker)) == 1
    made.clear()
    gc.collect()
    assert workspace_leases(broker) == []


def test_lost_workspace(daemon, broker):
    with pytest.raises(membroker.LeaseLost):
        with broker.workspace("scratch", initial="1M") as ws:
            array = ws.ones(1000)
            daemon.revoke(workspace_leases(broker)[0].lease)
            daemon.await_loss()
    del array
    with ws:
        assert ws.ones(1000).sum() == 1000


def test_an_array_of_a_lost_cycle(daemon, broker):
    """Its loss is told once, while it lives on; the cycles after that have memory of their own."""
    ws = broker.workspace("scratch", initial="1M")
    with ws:
        array = ws.ones(1000)
    with ws:
        pass
    lost = min(workspace_leases(broker), key=lambda lease: lease.lease)
    with pytest.raises(membroker.LeaseLost):
        daemon.revoke(lost.lease)
        daemon.await_loss()
    with pytest.raises(membroker.LeaseLost), ws:
        pass
    for _ in range(3):
        with ws:
            assert ws.ones(1000).sum() == 1000
    assert array.size == 1000 and ws.figures.kept_regions == 1
