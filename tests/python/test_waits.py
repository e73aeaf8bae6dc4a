# SPDX-License-Identifier: Apache-2.0
"""Waiting in the broker's queue: other threads run, signals and tasks end it, people see it."""

import asyncio
import concurrent.futures
import fcntl
import io
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
import time

import membroker
import pytest
from conftest import BUILD
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


def test_a_signal_ends_one_wait_alone(full):
    """Another one of the client keeps its place in the queue, in front of a third."""
    daemon, _, lease = full

    def queued():
        """In MiB, in their order; not those that only look whether there is room, which may wait for a moment, too."""
        done = subprocess.run([BUILD / "membrokerctl", "--socket", daemon.socket, "queue", "--json"],
                              capture_output=True, text=True, check=True)
        queue = sorted(json.loads(done.stdout)["queue"], key=lambda entry: entry["place"])
        return [entry["bytes"] >> 20 for entry in queue if entry["remaining_ms"] > 60000]

    def wait_until_queued(sizes):
        while queued() != sizes:
            time.sleep(0.005)

    def interrupt():
        wait_until_queued([2, 3, 1])
        os.kill(os.getpid(), signal.SIGINT)

    with membroker.connect(daemon.socket) as broker, membroker.connect(daemon.socket) as third:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            two = pool.submit(broker.acquire, "2M", wait=600)
            wait_until_queued([2])
            three = pool.submit(third.acquire, "3M", wait=600)
            wait_until_queued([2, 3])
            thread = threading.Thread(target=interrupt)
            thread.start()
            with pytest.raises(KeyboardInterrupt):
                broker.acquire("1M", wait=600)
            thread.join()
            wait_until_waiting(daemon, 2)
            assert queued() == [2, 3]
            lease.release()
            assert len(two.result()) >> 20 == 2 and len(three.result()) >> 20 == 3


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


MAKERS = {
    "lease": lambda broker: broker.acquire("4M", wait=60),
    "buffer": lambda broker: broker.buffer("4M"),
    "zeros": lambda broker: broker.zeros(1 << 19),
    "block": lambda broker: ones_in(broker.numpy(), 1 << 19),
    "workspace": lambda broker: ones_in(broker.workspace("own", initial="4M"), 10),
}


def ones_in(block, count):
    import numpy
    with block:
        return numpy.ones(count)


def start_wait(broker, size):
    """In a thread, whose request has its place when this returns; before, it is asked once without waiting."""
    lines = []
    thread = threading.Thread(target=lambda: broker.acquire(size, wait=60, progress=lines.append).release())
    thread.start()
    while not lines:
        time.sleep(0.005)
    return thread, lines


@pytest.mark.parametrize("what", MAKERS)
def test_progress_of_all_that_waits(full, what):
    """connect() says once what all waits show: the place in the queue and the largest holder."""
    pytest.importorskip("numpy")
    daemon, _, lease = full
    lines = []

    def show(line):
        lines.append(line)
        lease.release()

    with membroker.connect(daemon.socket) as first, membroker.connect(daemon.socket, wait=60, progress=show) as broker:
        thread, _ = start_wait(first, "1M")
        MAKERS[what](broker)
        thread.join()
    assert lines == ["waiting for 4 MiB: 2nd in the queue, trainer-7 holds 16 MiB", ""]


def test_progress_outlives_the_brokers_object(full):
    """The session lives as long as its handler."""
    pytest.importorskip("numpy")
    daemon, _, lease = full
    lines = []

    def show(line):
        lines.append(line)
        lease.release()

    handler = membroker.connect(daemon.socket, wait=60, progress=show).numpy()
    assert ones_in(handler, 1000).sum() == 1000
    assert len(lines) == 2


def test_progress_that_makes_arrays(full):
    """Its own wait shows nothing, instead of calling it again and again."""
    numpy = pytest.importorskip("numpy")
    daemon, _, lease = full
    lines = []

    def show(line):
        lines.append(line)
        if line:
            numpy.ones(1 << 18)

    def release():
        wait_until_waiting(daemon, 2)
        time.sleep(1)  # more than until a line is shown
        lease.release()

    thread = threading.Thread(target=release)
    thread.start()
    with membroker.connect(daemon.socket, wait=60, progress=show) as broker, broker.numpy():
        assert numpy.ones(1 << 19).sum() == 1 << 19
    thread.join()
    assert len(lines) == 2


def test_an_exception_of_progress_ends_the_wait_of_an_array(full):
    daemon, _, _ = full
    numpy = pytest.importorskip("numpy")

    def show(line):
        raise RuntimeError("enough")

    with membroker.connect(daemon.socket, wait=60, progress=show) as broker:
        with pytest.raises(RuntimeError, match="enough"), broker.numpy():
            numpy.ones(1 << 19)
            time.sleep(10)
    wait_until_waiting(daemon, 0)


def test_each_wait_shows_its_own_place(full):
    """Two threads of one session wait."""
    daemon, _, lease = full
    with membroker.connect(daemon.socket) as broker:
        (one, large), (two, small) = start_wait(broker, "4M"), start_wait(broker, "2M")
        lease.release()
        one.join()
        two.join()
    assert large[0].startswith("waiting for 4 MiB: 1st") and small[0].startswith("waiting for 2 MiB: 2nd")


WAITS = """
import numpy, membroker
membroker.install_numpy(membroker.connect(wait=60))
print(int(numpy.ones(1 << 19).sum()))
"""


def start_waiting(daemon, errors):
    variables = dict(os.environ, MEMBROKER_SOCKET=daemon.socket, PYTHONPATH=str(BUILD / "python"))
    program = subprocess.Popen([sys.executable, "-c", WAITS], env=variables, stdout=subprocess.PIPE, stderr=errors, text=True)
    wait_until_waiting(daemon)
    return program


@pytest.mark.parametrize("columns", [80, 30])
def test_one_line_on_a_terminal(full, columns):
    """An array's wait shows it, too; in a narrow window it is cut, since a line that wraps can't be rewritten."""
    pytest.importorskip("numpy")
    daemon, _, lease = full
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    program = start_waiting(daemon, theirs)
    os.close(theirs)
    shown = os.read(ours, 1000)
    lease.release()
    assert program.communicate(timeout=60)[0] == f"{1 << 19}\n"
    try:
        while True:
            shown += os.read(ours, 1000)
    except OSError:
        pass  # the end of a terminal
    os.close(ours)
    full_line = "waiting for 4 MiB: 1st in the queue, trainer-7 holds 16 MiB"
    line = full_line if columns == 80 else full_line[:26] + "..."
    parts = set(shown.decode().split("\r"))
    assert parts == {"", line, " " * len(line)} and shown.endswith(b" \r")


def test_nothing_is_shown_to_a_file(full):
    pytest.importorskip("numpy")
    daemon, _, lease = full
    program = start_waiting(daemon, subprocess.PIPE)
    time.sleep(1.5)
    lease.release()
    assert program.communicate(timeout=60) == (f"{1 << 19}\n", "") and program.returncode == 0


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


def test_more_coroutines_than_may_wait(start_daemon):
    """Those that the queue has no room for learn why; the others wait on."""
    daemon = start_daemon(SETTINGS + "\n[queue]\nmax_waiting_per_session = 2")

    async def main(broker, lease):
        waits = [asyncio.ensure_future(broker.acquire_async("4M")) for _ in range(2)]
        while daemon.status().waiting != 2:
            await asyncio.sleep(0.01)
        with pytest.raises(membroker.SystemFailure, match="max_waiting_per_session"):
            await broker.acquire_async("4M")
        lease.release()
        for granted in await asyncio.gather(*waits):
            assert len(granted) == 4 << 20
            granted.release()

    with membroker.connect(daemon.socket) as broker, broker.acquire("16M") as lease:
        asyncio.run(main(broker, lease))


def test_the_program_ends_after_a_cancelled_wait(full):
    """Neither the end of the block nor the end of the loop waits for it."""
    daemon, _, _ = full

    async def main():
        with membroker.connect(daemon.socket) as broker:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(broker.acquire_async("1M"), 0.2)

    asyncio.run(main())
    wait_until_waiting(daemon, 0)
