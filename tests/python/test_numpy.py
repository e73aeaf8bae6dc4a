# SPDX-License-Identifier: Apache-2.0
"""NumPy's arrays in leased memory."""

import asyncio
import gc
import pickle
import threading

import membroker
import pytest

numpy = pytest.importorskip("numpy")


def test_block(broker):
    with broker.numpy():
        a = numpy.arange(1000.0)
        b = numpy.empty((1000, 1000))
        c = numpy.zeros(300000)
    outside = numpy.empty(1000000)
    assert broker.uses >= 3 and b.nbytes == 8000000 and not c.any() and a.sum() == 499500.0
    assert b.ctypes.data % 64 == 0 and outside.nbytes
    used = broker.uses
    del a, b, c
    assert broker.uses == used - 3


def test_arrays_outlive_the_block(daemon):
    with membroker.connect(daemon.socket) as broker, broker.numpy():
        a = numpy.full(1 << 20, 7.0)
        small = numpy.full(5, 3)
    view = a[::2]
    del a
    assert view.sum() == 7.0 * (1 << 19) and small.sum() == 15 and daemon.status().sessions == 1
    del view, small, broker
    assert daemon.status().sessions == 0


@pytest.mark.parametrize("bytes_", [1, 8, 47, 48, 49, 64, 112, 128, 1000, 4032, 4096, 32768, 32769, 1 << 20, (1 << 21) + 7])
@pytest.mark.parametrize("location", [membroker.RAM, membroker.MMAP])
def test_sizes(broker, bytes_, location):
    arrays = []
    with broker.numpy(location):
        for value in range(40 if bytes_ < 5000 else 3):
            arrays.append(numpy.full(bytes_, value, numpy.uint8))
            assert not numpy.zeros(bytes_, numpy.uint8).any()
    for value, array in enumerate(arrays):
        assert (array == value).all() and array.ctypes.data % 16 == 0
    assert broker.status().used_mapped_bytes > 0 or location is membroker.RAM


def test_zeros_after_use(broker):
    for _ in range(3):
        a = broker.zeros(1 << 20)
        assert not a.any()
        a[:] = 1
        del a


def test_resize(broker):
    with broker.numpy():
        a = numpy.arange(10)
        for size in (100, 10000, 1000000, 3000000, 5000, 7, 100000, 3):
            a.resize(size, refcheck=False)
            count = min(10, size, len(a))
            assert list(a[: min(count, 3)]) == [0, 1, 2]


def test_creation(broker):
    assert broker.full((2, 3), 4.0).tolist() == [[4.0] * 3] * 2 and broker.array([1, 2]).sum() == 3
    assert broker.ones(3).sum() == 3 and broker.empty(5, "i4").dtype == numpy.int32 and not broker.zeros(7).any()


def test_new_threads_after_install(run):
    assert run("""
import threading, numpy, membroker
before = numpy.ones(1000000)
broker = membroker.install_numpy()
made = []
thread = threading.Thread(target=lambda: made.append(numpy.full(1000000, 2.0)))
thread.start(); thread.join()
made.append(numpy.zeros(5))
assert broker.uses >= 2 and before.sum() + made[0].sum() == 3000000
del before
before = numpy.ones(10); before.resize(1000000, refcheck=False)
membroker.uninstall_numpy()
used = broker.uses
plain = numpy.ones(1000000)
assert broker.uses == used
made.clear(); del before
print(broker.uses)
""") == "1\n"


def test_block_is_of_one_context(broker):
    inside, outside = threading.Event(), threading.Event()

    def other():
        inside.wait()
        used = broker.uses
        numpy.empty(100)
        assert broker.uses == used
        outside.set()

    thread = threading.Thread(target=other)
    thread.start()
    with broker.numpy():
        inside.set()
        assert outside.wait(20)
    thread.join()


def test_blocks_that_overlap(broker):
    """A generator's block ends after its caller's began: neither takes the other's handler away."""

    def generate():
        with broker.numpy():
            yield 1

    with membroker.connect(broker._socket) as second:
        generator = generate()
        next(generator)
        with second.numpy():
            generator.close()
            used = second.uses
            array = numpy.empty(100)
            assert second.uses == used + 1 and array.size
        used = broker.uses, second.uses
        assert numpy.empty(100).size and (broker.uses, second.uses) == (used[0], used[1])


def test_memory_errors_have_the_sentence(start_daemon):
    daemon = start_daemon("[limits]\nmax_physical_bytes = 16M")
    with membroker.connect(daemon.socket, name="greedy") as broker:
        for make in (lambda: broker.empty(4 << 20), lambda: broker.array(numpy.ones(4 << 20))):
            with pytest.raises(membroker.LimitError, match="max_physical_bytes") as caught:
                make()
            assert caught.value.limit == "max_physical_bytes" and caught.value.allowed == 16 << 20
        with pytest.raises(membroker.LimitError, match="max_physical_bytes"), broker.numpy():
            numpy.ones(1 << 20) + numpy.ones(4 << 20)
        with broker.numpy():
            try:
                numpy.empty(4 << 20)
            except MemoryError as error:
                assert "max_physical_bytes" in str(error)
                # the arrays of before are gone, but the kernel may still be freeing their bytes
                assert {holder.name for holder in error.holders} <= {"greedy"}
            assert numpy.ones(1000).sum() == 1000
        with pytest.raises(MemoryError) as caught:
            numpy.empty(1 << 60, numpy.uint8)
        assert not isinstance(caught.value, membroker.LimitError)


def test_garbage_is_collected_before_a_refusal(start_daemon):
    daemon = start_daemon("[limits]\nmax_physical_bytes = 16M")
    with membroker.connect(daemon.socket) as broker:
        for _ in range(20):
            cycle = [broker.empty(1 << 20)]
            cycle.append(cycle)
        del cycle
        gc.collect()


def test_no_copy(broker):
    buffer = broker.buffer(80, zero=True)
    a = numpy.frombuffer(buffer, numpy.float64)
    b = numpy.asarray(buffer)
    a[0] = 1
    assert b[7] == 0x3F and buffer[7] == 0x3F and numpy.shares_memory(a, b)
    if hasattr(numpy, "from_dlpack"):
        assert numpy.from_dlpack(buffer)[7] == 0x3F
    lease = broker.acquire(4096)
    c = numpy.frombuffer(lease, numpy.int64)
    c[1] = 5
    assert lease[8] == 5


def test_no_broker(daemon):
    """What is no limit's refusal has its own exception, not NumPy's."""
    broker = membroker.connect(daemon.socket, timeout=5)
    daemon.kill()
    with pytest.raises(membroker.BrokerConnectionError) as caught, broker.numpy():
        numpy.ones(1 << 20)
    assert isinstance(caught.value, MemoryError)
    with pytest.raises(membroker.BrokerConnectionError):
        broker.zeros(1 << 20)
    broker.close()
    daemon.start()


def test_no_broker_for_the_process(run, daemon):
    """Also without a block, an array's error says why, and is the package's."""
    assert run("""
import os, signal, sys, numpy, membroker
broker = membroker.install_numpy(membroker.connect(timeout=5))
os.kill(int(sys.argv[1]), signal.SIGKILL)
try:
    numpy.ones(1 << 20)
except membroker.BrokerConnectionError as error:
    assert isinstance(error, MemoryError) and "1048576" in str(error) and str(error).count(": ") >= 1, error
    print("told", flush=True)
os._exit(0)
""", str(daemon.process.pid)) == "told\n"
    daemon.kill()
    daemon.start()


def test_errors_of_arrays_reach_other_processes(start_daemon):
    """A worker of a pool pickles its exception."""
    daemon = start_daemon("[limits]\nmax_physical_bytes = 16M")
    with membroker.connect(daemon.socket, name="greedy") as broker:
        with pytest.raises(membroker.LimitError) as caught:
            broker.empty(4 << 20)
    there = pickle.loads(pickle.dumps(caught.value))
    assert type(there) is membroker.LimitError and str(there) == str(caught.value)
    assert (there.limit, there.asked, there.errno) == ("max_physical_bytes", 32 << 20, caught.value.errno)


def test_a_refusal_explains_its_own_array_only(start_daemon):
    daemon = start_daemon("[limits]\nmax_physical_bytes = 16M")
    with membroker.connect(daemon.socket, name="greedy") as broker:
        handler = broker.numpy()
        with pytest.raises(membroker.LimitError, match="max_physical_bytes"), handler:
            numpy.ones(100000).resize(4 << 20, refcheck=False)
        with pytest.raises(MemoryError, match="my own") as caught, handler:
            with pytest.raises(MemoryError):
                numpy.ones(100000).resize(4 << 20, refcheck=False)
            raise MemoryError("my own")
        assert type(caught.value) is MemoryError
        with handler, pytest.raises(MemoryError):
            numpy.ones(100000).resize(4 << 20, refcheck=False)
        with pytest.raises(MemoryError) as caught:
            numpy.empty(1 << 60, numpy.uint8)
        assert not isinstance(caught.value, membroker.Error) and "max_physical" not in str(caught.value)


def test_the_figures_come_with_the_refusal(start_daemon):
    """No second question, whose answer may be about another request."""
    daemon = start_daemon("[limits]\nmax_physical_bytes = 16M")
    with membroker.connect(daemon.socket, name="greedy") as broker, broker.acquire("10M"):
        broker.why = None
        with pytest.raises(membroker.LimitError) as caught:
            broker.empty(1 << 20)
    error = caught.value
    assert (error.whose, error.asked, error.used) == ("host", 8 << 20, 10 << 20) and error.holders[0].name == "greedy"


def test_tasks_may_share_a_handler(broker):
    """Each task's block ends in its own context."""
    handler = broker.numpy()

    async def compute(begin, is_in, end, has_ended):
        await begin.wait()
        with handler:
            is_in.set()
            await end.wait()
            inside = broker.empty(1)
        has_ended.set()
        used = broker.uses
        array = numpy.empty(100000)
        return broker.uses - used, array.size + inside.size

    async def main():
        now, one, two, three, other = (asyncio.Event() for _ in range(5))
        now.set()
        return await asyncio.gather(compute(now, one, two, three), compute(one, two, three, other))

    assert asyncio.run(main()) == [(0, 100001)] * 2
