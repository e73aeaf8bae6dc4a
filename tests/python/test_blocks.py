# SPDX-License-Identifier: Apache-2.0
"""Published blocks: arrays and bytes that other processes read, and nobody changes."""

import array
import asyncio
import gc
import os
import pwd
import signal
import subprocess
import threading
import time

import membroker
import pytest
from conftest import BUILD, PERSIST

numpy = pytest.importorskip("numpy")
NUMPY = tuple(map(int, numpy.__version__.split(".")[:2]))

HEAD = PERSIST + """
import ctypes, gc, os, signal, sys, threading, time, numpy, membroker
broker = membroker.connect(name="reader")
lost = []
"""


def matrix():
    return numpy.arange(12.0).reshape(3, 4)


# ---- publishing and attaching ----


def test_another_process_reads(broker, run):
    """The same numbers, in memory that is there once."""
    broker.publish("weights", matrix())
    assert run(HEAD + """
weights = broker.attach("weights")
print(weights.tolist(), weights.dtype, weights.flags.writeable)
""") == f"{matrix().tolist()} float64 False\n"
    (block,) = broker.blocks()
    assert (block.name, block.type, block.views, block.uid) == ("weights", "array", 1, os.getuid())
    (lease,) = broker.leases()
    assert (lease.name, lease.block, lease.bytes) == ("weights", block.block, 0)
    other = broker.acquire(1)
    assert [lease.block for lease in broker.leases()] == [block.block, None] and other.id
    assert block.lifetime is membroker.Lifetime.SESSION and block.access is membroker.Access.USER


ARRAYS = [
    numpy.arange(24, dtype="i2").reshape(2, 3, 4),
    numpy.asfortranarray(matrix()),
    numpy.arange(24.0).reshape(4, 6)[::2, ::3],
    numpy.arange(5)[::-1],
    numpy.array([True, False]),
    numpy.array([1 + 2j], dtype="c8"),
    numpy.array([1, 2], dtype=">u4"),
    numpy.array([1.5], dtype="f2"),
    numpy.array(["ab", "c"]),
    numpy.array([b"ab", b"c"]),
    numpy.array(["2026-11-27"], dtype="M8[D]"),
    numpy.array(7.0),
    numpy.zeros((3, 0, 2)),
    numpy.zeros(0, dtype="i1"),
]


@pytest.mark.parametrize("given", ARRAYS, ids=[f"{a.dtype.str} {a.shape}" for a in ARRAYS])
def test_each_kind_of_array(broker, given):
    broker.publish("a", given)
    found = broker.attach("a")
    assert found.dtype == given.dtype and found.shape == given.shape and (found == given).all()
    assert found.flags.f_contiguous == (given.flags.f_contiguous or not found.size) or found.flags.c_contiguous
    assert found.flags.aligned and not found.flags.writeable


@pytest.mark.parametrize("given", [
    numpy.array([None]), numpy.zeros(2, dtype=[("x", "f4"), ("y", "i4")]), numpy.zeros(2, dtype="V4"),
    numpy.zeros(2, dtype=numpy.longdouble),
], ids=["objects", "fields", "raw", "long double"])
def test_elements_that_mean_nothing_elsewhere(broker, given):
    with pytest.raises(TypeError, match="its elements must be numbers"):
        broker.publish("a", given)
    with pytest.raises(TypeError, match="its elements must be numbers"):
        broker.create_block(2, given.dtype)
    assert broker.blocks() == [] and broker.uses == 0


class Table:
    """As pandas, pyarrow and Polars have them: NumPy makes an array of it, without the names of its columns."""

    def __dataframe__(self):
        raise AssertionError("nobody asks for it")

    def __array__(self, dtype=None, copy=None):
        return numpy.ones((3, 2))


@pytest.mark.parametrize("given, advice", [
    (Table(), "an Arrow IPC stream"), (numpy.ma.masked_array([1, 2], [True, False]), "its data and its mask"),
], ids=["a table", "a masked array"])
def test_nothing_is_left_out_silently(broker, given, advice):
    with pytest.raises(TypeError, match=advice):
        broker.publish("a", given)
    assert broker.blocks() == []


def test_buffers_and_dlpack(broker):
    """Plain bytes have their own type; other buffers and what has DLPack are arrays."""
    for name, given in (("bytes", b"hello"), ("bytearray", bytearray(b"hello")), ("view", memoryview(b"-hello-")[1:6])):
        block = broker.publish(name, given)
        assert block.type == "bytes" and bytes(broker.view(name)) == b"hello" and block.nbytes == 5
    broker.publish("stream", b"ARROW", type="arrow-stream")
    view = broker.view("stream")
    assert view.type == "arrow-stream" and view.metadata == b'{"bytes":5}' and view.array.tolist() == list(b"ARROW")
    broker.publish("numbers", array.array("d", [1, 2]))
    assert broker.attach("numbers").tolist() == [1.0, 2.0]
    broker.publish("list", [[1, 2], [3, 4]])
    assert broker.attach("list").tolist() == [[1, 2], [3, 4]]

    class Exporter:
        def __dlpack__(self, **keywords):
            return numpy.arange(3.0).__dlpack__()

        def __dlpack_device__(self):
            return 1, 0

    broker.publish("dlpack", Exporter())
    assert broker.attach("dlpack").tolist() == [0, 1, 2]
    with pytest.raises(TypeError, match="is made of bytes"):
        broker.publish("typed", matrix(), type="arrow-stream")


def test_members_that_are_there_twice(broker):
    """Readers would differ in which of them they take."""
    once = b'{"dtype":"<f8","shape":[1],"bytes":8}'
    assert membroker._blocks.of_block("array", once, 4096).nbytes == 8
    for twice in once[:-1] + b',"bytes":8}', b'{"x":{"a":1,"a":2},' + once[1:], once.replace(b"[1]", b"[01]"):
        with pytest.raises(ValueError, match="describes no array"):
            membroker._blocks.of_block("array", twice, 4096)


def test_without_a_copy(broker):
    block = broker.create_block((3, 4), order="F")
    filled = block.array
    filled[:] = matrix()
    assert block.array is filled and filled.flags.f_contiguous
    address = filled.ctypes.data
    block.publish("a")
    assert not filled.flags.writeable and block.array.ctypes.data == address and (filled == matrix()).all()
    assert block.name == "a" and (broker.attach("a") == matrix()).all()
    with pytest.raises(ValueError):
        filled[0, 0] = 1
    with pytest.raises(ValueError):
        block.array.flags.writeable = True
    with broker.create_bytes(10, "acme/log") as log:
        log.memory[:3] = b"abc"
        log.publish("log")
        assert bytes(broker.view("log")) == b"abc" + bytes(7) and broker.view("log").type == "acme/log"
    with pytest.raises(membroker.BlockEnded):
        broker.attach("log")


def test_a_block_that_is_not_published(broker):
    """It is given back by release(), or when its last array is gone."""
    block = broker.create_block(10)
    block.array[:] = 1
    block.release()
    assert block.released and broker.uses == 0
    with broker.create_block(10) as block:
        kept = block.array[2:]
    assert not block.released and kept.sum() == 0
    with pytest.raises(ValueError, match="released"):
        block.publish("a")
    del kept
    assert block.released and broker.uses == 0 and broker.blocks() == []


def test_a_slice_that_could_still_write(broker):
    """It would be a signal at its next use, so the block is not published."""
    block = broker.create_block(10)
    kept, row, view = block.array, block.array[2:4], memoryview(block)
    with pytest.raises(BufferError, match="2 other views"):
        block.publish("a")
    row[:] = 7
    view.release()
    with pytest.raises(BufferError, match="1 other view "):
        block.publish("a")
    kept[0] = 1
    del row
    block.publish("a")
    assert kept.tolist() == [1, 0, 7, 7] + [0] * 6 and broker.attach("a")[2] == 7


def test_writing_is_a_signal(broker, run):
    """NumPy refuses it; so does the kernel, for code that does not ask NumPy."""
    broker.publish("weights", matrix())
    run(HEAD + """
ctypes.memset(broker.attach("weights").ctypes.data, 1, 8)
""", expect=-signal.SIGSEGV)
    assert broker.attach("weights")[0, 0] == 0


def test_read_only(broker):
    broker.publish("a", matrix())
    found, view = broker.attach("a"), broker.view("a")
    with pytest.raises(ValueError, match="read-only"):
        found[0, 0] = 1
    with pytest.raises(ValueError):
        found.flags.writeable = True
    assert memoryview(view).readonly and len(view) == view.nbytes == 96
    with pytest.raises(TypeError):
        memoryview(view)[0] = 1
    with pytest.raises(BufferError):
        view.__dlpack__()
    if NUMPY >= (2, 1):
        exported = numpy.from_dlpack(view)
        assert (exported == matrix()).all() and not exported.flags.writeable
        del view, found
        gc.collect()
        assert exported[2, 3] == 11


# ---- names ----


def test_names(broker):
    broker.publish("a", matrix())
    with pytest.raises(membroker.NameTaken, match="replace"):
        broker.publish("a", matrix())
    for name in ("", "x" * 64, "ä" * 32, "line\n"):
        with pytest.raises(ValueError, match="can't be the name"):
            broker.publish(name, matrix())
        with pytest.raises(ValueError, match="can't be the name"):
            broker.attach(name)
    with pytest.raises(TypeError):
        broker.attach(b"a")
    assert len(broker.blocks()) == 1
    broker.publish("ä" * 31, b"")
    assert bytes(broker.view("ä" * 31)) == b""


def test_a_failed_publication_can_be_repeated(broker):
    broker.publish("a", matrix())
    block = broker.create_block(3)
    array = block.array
    array[:] = 5
    with pytest.raises(membroker.NameTaken):
        block.publish("a")
    assert not array.flags.writeable
    block.publish("b")
    assert broker.attach("b").tolist() == [5, 5, 5]


def test_nothing_is_published_after_closing(daemon, broker):
    with membroker.connect(daemon.socket, shared=False) as other:
        block = other.create_block(2)
    with pytest.raises(ValueError, match="the broker was closed"):
        block.publish("late")
    assert broker.blocks() == []
    block.array[:] = 1


def test_replacing(broker):
    broker.publish("a", matrix())
    old = broker.view("a")
    broker.publish("a", matrix() + 1, replace=True)
    new = broker.view("a")
    assert old.number != new.number and old.array[0, 0] == 0 and new.array[0, 0] == 1
    assert [block.name for block in broker.blocks() if not block.ended] == ["a"]
    old.close()
    broker.ping()
    assert len(broker.blocks()) == 1


def test_lifetimes(daemon, broker):
    """The session's end with close(); what is kept stays until it is unpublished, which any process of the user may do."""
    with membroker.connect(daemon.socket) as publisher:
        publisher.publish("session", matrix())
        publisher.publish("kept", matrix(), lifetime="keep")
        publisher.publish("cached", matrix(), lifetime="cache")
        with publisher.create_block(3, lifetime="keep", keep=3600) as block:
            block.publish("for an hour")
    infos = {block.name: block for block in broker.blocks()}
    assert sorted(infos) == ["cached", "for an hour", "kept"] and 0 < infos["for an hour"].keep_ms <= 3600_000
    assert infos["cached"].lifetime is membroker.Lifetime.CACHE and infos["kept"].publisher is None
    assert (broker.attach("kept") == matrix()).all()
    for name in infos:
        broker.unpublish(name)
    with pytest.raises(membroker.NoSuchBlock):
        broker.unpublish("kept")
    with pytest.raises(ValueError, match="keep"):
        broker.publish("a", matrix(), keep=5)
    with pytest.raises(ValueError, match="lifetime"):
        broker.publish("a", matrix(), lifetime="forever")


def test_what_the_broker_keeps(daemon, broker):
    """A name needs no variable, but it ends with its broker. A block that lost its name is not kept."""
    other = membroker.connect(daemon.socket, name="other")
    other.publish("a", matrix())
    other.publish("b", matrix())
    other.publish("b", matrix(), lifetime="keep", replace=True)
    gc.collect()
    other.ping()
    assert {block.name for block in broker.blocks()} == {"a", "b"} and other.uses == 1
    del other  # without the cycle collector
    for _ in range(2000):
        if daemon.status().sessions == 1:
            break
        time.sleep(0.01)
    assert [block.name for block in broker.blocks()] == ["b"]


def test_blocks_in_files(daemon, broker):
    """The same calls, counted as mapped; nobody else may have them."""
    broker.publish("file", matrix(), location=membroker.MMAP)
    assert (broker.attach("file") == matrix()).all()
    (block,) = broker.blocks()
    assert block.location is membroker.MMAP and daemon.status().used_mapped_bytes == block.bytes
    made = broker.create_block((2, 2), location=membroker.MMAP)
    made.array[:] = 5
    made.publish("made")
    assert (broker.attach("made") == 5).all()
    for access in "group", "all":
        with pytest.raises(membroker.Error, match="for processes of its own user only"):
            broker.publish("refused", matrix(), location=membroker.MMAP, access=access)
    with pytest.raises(ValueError, match="location is"):
        broker.publish("refused", matrix(), location=7)
    with pytest.raises(membroker.Error, match="huge pages"):
        broker.publish("refused", matrix(), location=membroker.MMAP, huge_pages=True)
    assert {block.name for block in broker.blocks()} == {"file", "made"}


def test_access(broker):
    """Everybody may, or a group; a name of another user is not this user's."""
    broker.publish("all", matrix(), access="all")
    broker.publish("group", matrix(), access="group", group=os.getgid())
    infos = {block.name: block for block in broker.blocks()}
    assert infos["all"].access is membroker.Access.ALL and infos["group"].gid == os.getgid()
    assert (broker.attach("all", user=os.getuid()) == matrix()).all()
    with pytest.raises(membroker.NoSuchBlock, match="12345"):
        broker.attach("all", user=12345)
    own = pwd.getpwuid(os.getuid()).pw_name
    assert (broker.attach("all", user=own) == matrix()).all()
    with pytest.raises(ValueError, match="no user 'nobody here'"):
        broker.attach("all", user="nobody here")
    with pytest.raises(ValueError, match="no group 'nobody here'"):
        broker.publish("a", matrix(), access="group", group="nobody here")
    with pytest.raises(ValueError, match="group"):
        broker.publish("a", matrix(), group=1)
    with pytest.raises(ValueError, match="access"):
        broker.publish("a", matrix(), access="me")


def test_a_limit_on_blocks(start_daemon):
    daemon = start_daemon("[sharing]\nmax_blocks = 1")
    with membroker.connect(daemon.socket) as broker:
        broker.publish("one", b"1")
        with pytest.raises(membroker.TooMany, match="max_blocks") as caught:
            broker.publish("two", b"2")
        refused = caught.value
        assert (refused.limit, refused.unit, refused.allowed, refused.used) == ("max_blocks", "blocks", 1, 1)
        broker.unpublish("one")
        broker.publish("two", b"2")


# ---- waiting ----


def test_waiting_for_a_name(daemon, broker):
    found = []
    thread = threading.Thread(target=lambda: found.append(broker.attach("late", wait=600)))
    thread.start()
    with membroker.connect(daemon.socket) as publisher:
        publisher.publish("late", matrix())
        thread.join(60)
        assert (found[0] == matrix()).all()


def test_a_wait_has_an_end(broker):
    with pytest.raises(membroker.NoSuchBlock, match='"never"'):
        broker.attach("never", wait=0.01)


def test_interrupting_a_wait(run):
    assert run(HEAD + """
signal.signal(signal.SIGALRM, signal.default_int_handler)
try:
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    broker.attach("never", wait=3600)
except KeyboardInterrupt:
    print("interrupted", broker.uses)
""", timeout=60) == "interrupted 0\n"


def test_coroutines_attach(broker):
    """The loop goes on, and a task that is cancelled ends its wait and keeps no view."""

    async def main():
        later = asyncio.ensure_future(broker.attach_async("later"))
        never = asyncio.ensure_future(broker.view_async("never"))
        while sum(thread.name == "membroker-wait" for thread in threading.enumerate()) < 2:
            await asyncio.sleep(0.005)
        never.cancel()
        with pytest.raises(asyncio.CancelledError):
            await never
        assert not later.done()
        broker.publish("later", matrix())
        assert (await later == matrix()).all()
        late = asyncio.ensure_future(broker.view_async("later"))
        await asyncio.sleep(0)
        late.cancel()
        with pytest.raises(asyncio.CancelledError):
            await late
        with pytest.raises(membroker.NoSuchBlock, match='"never"'):
            await broker.attach_async("never", wait=0.01)

    asyncio.run(main())
    for thread in threading.enumerate():
        if thread.name == "membroker-wait":
            thread.join(60)
            assert not thread.is_alive()
    gc.collect()  # the loop may have ended before it gave back what came for a cancelled task
    assert [block.views for block in broker.blocks()] == [1], "the publisher's"


def test_closing_ends_a_wait(daemon):
    broker, caught = membroker.connect(daemon.socket, name="waits"), []

    def wait():
        try:
            broker.attach("never", wait=3600)
        except ValueError as error:
            caught.append(str(error))

    thread = threading.Thread(target=wait)
    thread.start()
    broker.close()
    thread.join(60)
    assert caught == ["the broker was closed"]


def test_the_command_lists_them(daemon, broker):
    """It is the same block for other programs."""
    broker.publish("weights", matrix(), access="all")
    printed = subprocess.run([BUILD / "membrokerctl", "--socket", daemon.socket, "blocks"], check=True,
                             capture_output=True, text=True).stdout
    assert "weights" in printed and "array" in printed and "all" in printed


def test_blocks_are_listed_by_the_own_client(daemon, monkeypatch):
    """Without another connection, and with all that the broker says of them."""
    monkeypatch.delattr(membroker._monitor, "Monitor")
    with membroker.connect(daemon.socket) as broker:
        assert broker.blocks() == []
        broker.publish("kept", b"x" * 5000, lifetime="keep", keep=60, access="all", type="acme/x")
        block = broker.publish("own", b"y")
        kept, own = broker.blocks()
        assert (kept.name, kept.type, kept.bytes, kept.uid, kept.access.name) == ("kept", "acme/x", 8192, os.getuid(), "ALL")
        assert kept.lifetime is membroker.Lifetime.KEEP and 0 < kept.keep_ms <= 60000
        assert (own.name, own.keep_ms, own.location, own.ended) == ("own", None, membroker.RAM, membroker.EndReason.NONE)
        assert own.block > kept.block and own.publisher == broker.session
        block.release()
        broker.unpublish("kept")
    with pytest.raises(ValueError):
        broker.blocks()
