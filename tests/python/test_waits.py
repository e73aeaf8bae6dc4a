# SPDX-License-Identifier: Apache-2.0
"""Waiting in the broker's queue: other threads run, signals and tasks end it, people see it."""

import asyncio
import concurrent.futures
import io
import os
import signal
import threading
import time

import membroker
import pytest
from membroker import _progress

SETTINGS = "[limits]\nmax_physical_bytes = 16M"


@pytest.fixture
def full(start_daemon):
    """A daemon without free memory, and its holder."""
    daemon = start_daemon(SETTINGS)
    with membroker.connect(daemon.socket, name="trainer-7") as holder:
        yield daemon, holder, holder.acquire("16M")


def wait_until_waiting(daemon, count=1):
    while daemon.status().waiting != count:
        time.sleep(0.005)


def release_when_waiting(daemon, lease):
    def release():
        wait_until_waiting(daemon)
        lease.release()

    thread = threading.Thread(target=release)
    thread.start()
    return thread


def test_other_threads_run(full):
    daemon, _, lease = full
    with membroker.connect(daemon.socket) as broker:
        thread = release_when_waiting(daemon, lease)  # it needs the interpreter's lock
        assert len(broker.acquire("1M", wait=60)) == 1 << 20
        thread.join()


def test_arrays_wait(full):
    numpy = pytest.importorskip("numpy")
    daemon, _, lease = full
    with membroker.connect(daemon.socket, wait=60) as broker, broker.numpy():
        thread = release_when_waiting(daemon, lease)
        assert numpy.ones(100000).sum() == 100000
        thread.join()


def test_the_wait_ends(full):
    daemon, _, _ = full
    with membroker.connect(daemon.socket) as broker:
        with pytest.raises(membroker.LimitError, match="max_physical_bytes"):
            broker.acquire("1M", wait=0.2)


def interrupt_when_waiting(daemon):
    def interrupt():
        wait_until_waiting(daemon)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    return thread


def test_signals_end_a_wait(full):
    daemon, _, _ = full
    with membroker.connect(daemon.socket) as broker:
        thread = interrupt_when_waiting(daemon)
        with pytest.raises(KeyboardInterrupt):
            broker.acquire("1M", wait=600)
        thread.join()
        wait_until_waiting(daemon, 0)


def test_signals_end_the_wait_of_an_array(full):
    numpy = pytest.importorskip("numpy")
    daemon, _, _ = full
    with membroker.connect(daemon.socket, wait=600) as broker:
        thread = interrupt_when_waiting(daemon)
        with pytest.raises(KeyboardInterrupt), broker.numpy():
            try:
                numpy.ones(100000)
            except MemoryError:
                for _ in range(100):
                    time.sleep(0.01)
        thread.join()
        wait_until_waiting(daemon, 0)


def test_coroutines_wait(full):
    daemon, _, lease = full

    async def main(broker):
        ticks = 0
        task = asyncio.ensure_future(broker.acquire_async("1M", wait=600, name="later"))
        while daemon.status().waiting == 0:
            await asyncio.sleep(0.01)
            ticks += 1
        other = asyncio.ensure_future(broker.acquire_async("2M"))
        while daemon.status().waiting == 1:
            await asyncio.sleep(0.01)
        other.cancel()
        with pytest.raises(asyncio.CancelledError):
            await other
        while daemon.status().waiting != 1:  # the other task goes on waiting
            await asyncio.sleep(0.01)
        lease.release()
        got = await task
        return ticks, len(got), got.name

    with membroker.connect(daemon.socket) as broker:
        ticks, bytes_, name = asyncio.run(main(broker))
        assert ticks > 0 and bytes_ == 1 << 20 and name == "later"
        while broker.leases():  # a thread may still give back what was granted to the cancelled one
            time.sleep(0.005)


def test_progress(full):
    daemon, _, lease = full
    lines = []

    def show(line):
        lines.append(line)
        lease.release()

    with membroker.connect(daemon.socket) as broker:
        broker.acquire("4M", wait=600, progress=show)
    assert lines == ["waiting for 4 MiB: 1st in the queue, trainer-7 holds 16 MiB", ""]


def test_progress_line():
    stream = io.StringIO()
    line = _progress.Line(stream)
    line("waiting for 4 GiB: 2nd in the queue")
    line("short")
    line("")
    assert stream.getvalue() == "\rwaiting for 4 GiB: 2nd in the queue\rshort" + " " * 30 + "\r     \r"
    assert [_progress._ordinal(number) for number in (1, 2, 3, 4, 11, 12, 21, 113)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "21st", "113th"]


def test_an_exception_of_progress_ends_the_wait(full):
    daemon, _, _ = full

    def show(line):
        raise RuntimeError("enough")

    with membroker.connect(daemon.socket) as broker:
        with pytest.raises(RuntimeError, match="enough"):
            broker.acquire("4M", wait=600, progress=show)
        wait_until_waiting(daemon, 0)


class Alarm(Exception):
    """What a signal's handler raises."""


@pytest.mark.parametrize("what", ["zeros", "block", "buffer", "workspace"])
def test_exceptions_of_signals_end_a_wait(full, what):
    """Not only Ctrl-C, and the exception of the handler arrives."""
    numpy = pytest.importorskip("numpy")
    daemon, _, _ = full

    def ring(number, frame):
        raise Alarm

    def interrupt():
        wait_until_waiting(daemon)
        os.kill(os.getpid(), signal.SIGALRM)

    before = signal.signal(signal.SIGALRM, ring)
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with membroker.connect(daemon.socket, wait=600) as broker, pytest.raises(Alarm):
            if what == "zeros":
                broker.zeros(1 << 20)
            elif what == "block":
                with broker.numpy():
                    numpy.ones(1 << 20)
            elif what == "buffer":
                broker.buffer("8M")
            else:
                with broker.workspace("own", initial="8M"):
                    pass
    finally:
        thread.join()
        signal.signal(signal.SIGALRM, before)
    assert daemon.status().waiting == 0


def test_a_buffer_waits(full):
    daemon, _, lease = full
    with membroker.connect(daemon.socket, wait=60) as broker:
        thread = release_when_waiting(daemon, lease)
        assert len(broker.buffer("1M")) == 1 << 20
        thread.join()


def test_coroutines_leave_the_executor_free(full):
    """Their waits have threads of their own, and the end of the broker's block ends them."""
    daemon, _, _ = full

    async def main():
        asyncio.get_running_loop().set_default_executor(concurrent.futures.ThreadPoolExecutor(1))
        with membroker.connect(daemon.socket) as broker:
            waits = [asyncio.ensure_future(broker.acquire_async("1M")) for _ in range(3)]
            while daemon.status().waiting != 3:
                await asyncio.sleep(0.01)
            assert await asyncio.get_running_loop().run_in_executor(None, lambda: 7) == 7
        return await asyncio.gather(*waits, return_exceptions=True)

    ends = asyncio.run(asyncio.wait_for(main(), 60))
    assert [(type(end), str(end)) for end in ends] == [(ValueError, "the broker was closed")] * 3


def test_the_program_ends_after_a_cancelled_wait(full):
    """Neither the end of the block nor the end of the loop waits for it."""
    daemon, _, _ = full

    async def main():
        with membroker.connect(daemon.socket) as broker:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(broker.acquire_async("1M"), 0.2)

    asyncio.run(main())
    wait_until_waiting(daemon, 0)
