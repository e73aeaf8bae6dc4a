# SPDX-License-Identifier: Apache-2.0
"""Views of published blocks: how they end, and who else reads them."""

import ctypes
import gc
import os
import pickle
import signal
import threading
import weakref

import membroker
import pytest

numpy = pytest.importorskip("numpy")
from conftest import BUILD  # noqa: E402
from test_blocks import HEAD, NUMPY, matrix  # noqa: E402  # it needs NumPy


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def test_arrow(broker):
    """pyarrow writes a stream into a block, and reads it where it is."""
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table({"x": numpy.arange(100_000), "y": ["text"] * 100_000})
    size = pyarrow.MockOutputStream()
    with pyarrow.ipc.new_stream(size, table.schema) as writer:
        writer.write_table(table)
    block = broker.create_bytes(size.size(), "arrow-stream")
    with pyarrow.FixedSizeBufferWriter(pyarrow.py_buffer(block)) as sink:
        with pyarrow.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    del sink, writer
    block.publish("table")

    view = broker.view("table")
    start = view.array.ctypes.data
    memory = pyarrow.py_buffer(view)
    assert memory.address == start and memory.size == len(view) and not memory.is_mutable
    before = pyarrow.total_allocated_bytes()
    found = pyarrow.ipc.open_stream(memory).read_all()
    buffers = [buffer for column in found.columns for chunk in column.chunks for buffer in chunk.buffers() if buffer]
    assert len(buffers) >= 3 and all(start <= buffer.address < start + len(view) for buffer in buffers)
    assert pyarrow.total_allocated_bytes() - before < 4096 and found.equals(table)
    del view, memory, buffers
    gc.collect()
    assert found.column("x")[99_999].as_py() == 99_999 and broker.uses == 2
    del found
    gc.collect()
    assert broker.uses == 1


def test_the_librarys_arrays(daemon, broker, monkeypatch):
    """mb_view_arrow() and mb_view_dlpack(), as pyarrow and NumPy read what they make."""
    pyarrow = pytest.importorskip("pyarrow")
    library = ctypes.CDLL(str(BUILD / "libmembroker.so.0"))
    monkeypatch.setenv("MEMBROKER_SOCKET", daemon.socket)
    client, view = ctypes.c_void_p(), ctypes.c_void_p()
    assert library.mb_connect(None, ctypes.byref(client)) == 0
    broker.publish("a", numpy.arange(24, dtype="i4").reshape(2, 3, 4))
    for _ in range(2):
        assert library.mb_attach(client, b"a", 0, ctypes.byref(view)) == 0
        schema, made = ctypes.create_string_buffer(72), ctypes.create_string_buffer(80)
        assert library.mb_view_arrow(view, schema, made) == 0
        found = pyarrow.Array._import_from_c(ctypes.addressof(made), ctypes.addressof(schema))
        found.validate(full=True)
        assert found.to_pylist() == numpy.arange(24).reshape(2, 3, 4).tolist()
        numbers = found.flatten().flatten()
        del found
    assert numbers.to_numpy(zero_copy_only=True).tolist() == list(range(24))
    assert library.mb_attach(client, b"a", 0, ctypes.byref(view)) == 0
    tensor = ctypes.c_void_p()
    assert library.mb_view_dlpack(view, ctypes.byref(tensor)) == 0
    if NUMPY >= (2, 1):
        make = ctypes.pythonapi.PyCapsule_New
        make.restype, make.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]

        class Exporter:
            def __dlpack__(self, **keywords):
                return make(tensor, b"dltensor_versioned", None)

            def __dlpack_device__(self):
                return 1, 0

        array = numpy.from_dlpack(Exporter())
        assert array.tolist() == numpy.arange(24).reshape(2, 3, 4).tolist() and not array.flags.writeable
        del array
    del numbers
    gc.collect()
    library.mb_disconnect(client)


# ---- the end of a block ----


def test_why_a_block_ended(start_daemon, run):
    daemon = start_daemon("[limits]\nmax_physical_bytes = 64M")
    with membroker.connect(daemon.socket) as broker:
        broker.publish("cached", bytes(40 << 20), lifetime="cache").release()
        broker.publish("unpublished", matrix())
        broker.unpublish("unpublished")
        broker.acquire("50M").release()  # for which the cached block goes
        died = run(HEAD + """
block = broker.publish("died", b"x")
os.kill(os.getpid(), signal.SIGKILL)
""", expect=-signal.SIGKILL, environment={"MEMBROKER_SOCKET": daemon.socket})
        assert died == ""
        reasons = {}
        for name in ("cached", "unpublished", "died"):
            with pytest.raises(membroker.BlockEnded) as caught:
                while True:  # the broker learns of a death by itself
                    broker.attach(name)
            reasons[name] = caught.value.reason.name
        assert reasons == {"cached": "EVICTED", "unpublished": "UNPUBLISHED", "died": "DIED"}
        with pytest.raises(membroker.NoSuchBlock) as caught:
            broker.attach("never")
        assert not isinstance(caught.value, membroker.BlockEnded)


def test_lost_view(run):
    """It raises as a lost array does. If it was the last one of an ended block, the bytes go, and it reads zeros."""
    assert run(HEAD + """
publisher = membroker.connect(name="publisher")
publisher.publish("a", numpy.ones(1 << 20))
view = broker.view("a")
array = view.array
publisher.unpublish("a")
def step():
    if not lost:
        broker.revoke(view.id)
        while True:
            assert array.sum() == 1 << 20, "silent zeros"
    while array.sum():
        time.sleep(0.01)
    try:
        view.check()
    except membroker.LeaseLost as error:
        told = f'lease {view.id}, the view of block "a", is lost: it was revoked'
        gone = "; the content of its arrays (8388608 bytes) is gone"
        end(f"{str(lost[0]) == told + gone} {str(error) == told} {array.sum()} {view.lost_because}")
persist(step, lost)
""", timeout=60) == "True True 0.0 it was revoked"


# ---- views as objects ----


def test_views_are_closed(daemon, broker):
    """By close(), by `with`, and when nothing refers to them; but not while an array lives."""
    broker.publish("a", matrix())
    uses = broker.uses
    with broker.view("a") as view:
        found = view.array
        view.close()
        view.close()
        assert not view.released and found[0, 1] == 1
        with pytest.raises(ValueError):
            view.check()
        dead = weakref.ref(view)
        del found, view
        gc.collect()
    assert broker.uses == uses
    found = broker.attach("a")
    part = found[1:, 1:]
    del found
    gc.collect()
    assert part[1, 1] == 10 and broker.uses == uses + 1
    del part
    gc.collect()
    assert broker.uses == uses and (dead() is None or dead().released)
    broker.ping()
    assert broker.blocks()[0].views == 1


def test_nothing_is_left(daemon, broker):
    """No descriptor, no lease, no use, after many of each."""
    def cycle():
        broker.publish("a", matrix(), replace=True)
        broker.attach("a").sum()
        with broker.view("a") as view:
            bytes(view)
        with pytest.raises(membroker.NoSuchBlock):
            broker.attach("b")

    cycle()
    before, uses = descriptors(), broker.uses
    for _ in range(300):
        cycle()
    gc.collect()
    broker.ping()
    assert descriptors() == before and broker.uses == uses and len(broker.blocks()) == 1
    broker.unpublish("a")
    broker.ping()
    assert broker.uses == 0 and daemon.leases() == [] and broker.blocks() == []


def test_many_threads(broker):
    broker.publish("a", numpy.arange(1000))
    sums = []

    def work():
        for _ in range(50):
            sums.append(int(broker.attach("a").sum()))

    threads = [threading.Thread(target=work) for _ in range(20)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    gc.collect()
    assert set(sums) == {499500} and len(sums) == 1000 and broker.uses == 1


def test_pickling(broker):
    """By name, not as an object; an array is copied, as NumPy does."""
    block = broker.publish("a", matrix())
    for thing in (block, broker.view("a")):
        with pytest.raises(TypeError, match="send the name"):
            pickle.dumps(thing)
    with pytest.raises(TypeError, match="connect\\(\\) in the other one"):
        pickle.dumps(broker)
    assert (pickle.loads(pickle.dumps(broker.attach("a"))) == matrix()).all()


def test_exit_with_live_views(run, broker):
    broker.publish("a", matrix())
    assert run(HEAD + """
kept = broker.view("a"), broker.attach("a"), broker.publish("b", b"x"), broker.create_block(5).array
class Late:
    def __del__(self): assert kept[1][2, 3] == 11
sys.keep = Late()
print("ok")
""") == "ok\n"


METADATA = [
    b"", b"{", b"[1]", b'{"dtype":"<f8","shape":[3,4],"order":"C"}', b'{"dtype":"O","shape":[3],"order":"C","bytes":24}',
    b'{"dtype":"f8,i4","shape":[2],"order":"C","bytes":24}', b'{"dtype":"<f8","shape":[-1],"order":"C","bytes":8}',
    b'{"dtype":"<f8","shape":[true],"order":"C","bytes":8}', b'{"dtype":"<f8","shape":[3],"order":"A","bytes":24}',
    b'{"dtype":"<f8","shape":[513],"order":"C","bytes":4104}', b'{"dtype":"<f8","shape":[3],"order":"C","bytes":25}',
    b'{"dtype":"<f8","shape":[1e3],"order":"C","bytes":8000}', b"[" * 4000,
    b'{"dtype":"<f8","shape":[4611686018427387904,4],"order":"C","bytes":0}',
]


@pytest.mark.parametrize("metadata", METADATA, ids=range(len(METADATA)))
def test_metadata_that_describes_no_array(broker, metadata):
    """From another program: it is refused, and the view is closed."""
    block = membroker._native.Block(broker._client, 4096, 0, 0, 0, 0, False, "array", metadata, 0, 3, 1, None)
    block._publish("a")
    with pytest.raises(ValueError, match="describes no array"):
        broker.attach("a")
    assert broker.uses == 1


def test_blocks_of_other_programs(broker):
    """Without metadata, a block is the bytes of its pages. Members that are not known are ignored."""
    for type_, metadata, expected in (("", b"", 4096), ("acme/x", b"\xff", 4096), ("bytes", b'{"bytes":9999}', 4096),
                                      ("bytes", b'{"bytes":3,"more":1}', 3)):
        block = membroker._native.Block(broker._client, 4096, 0, 0, 0, 0, True, type_, metadata, 0, 3, 1, None)
        block._publish("a")
        assert len(broker.view("a")) == expected and broker.view("a").type == type_


# ---- forks ----


def test_a_child_that_was_forked_before(run):
    """It has a mapping of the memory that the kernel could make writable."""
    assert run(HEAD + """
block = broker.create_block(1000)
block.array[:] = 1
go, pid = os.pipe(), os.fork()
if pid == 0:
    os.close(go[1])
    os.read(go[0], 1)
    os._exit(0)
try:
    block.publish("a")
except membroker.StillWritable as error:
    print("child" in str(error))
os.close(go[1])
os.waitpid(pid, 0)
block.publish("a")
print(broker.attach("a").sum())
""") == "True\n1000.0\n"


def test_a_forked_child_reads(run, broker):
    """What the parent attached and published, also when nothing in the parent refers to it any more."""
    broker.publish("a", numpy.ones(1 << 18))
    assert run(HEAD + """
view, own = broker.attach("a"), broker.publish("b", numpy.full(1 << 18, 2.0), lifetime="keep")
published = own.array
go = os.pipe()
pid = os.fork()
if pid == 0:
    code = 1
    try:
        os.read(go[0], 1)
        assert view.sum() == 1 << 18 and published.sum() == 2 << 18
        try:
            broker.attach("a")
        except membroker.BrokerPermissionError:
            code = 0
    finally:
        os._exit(code)
uses = broker.uses
del view, published, own
broker.unpublish("b")
os.write(go[1], b"x")
print(os.waitpid(pid, 0)[1])
membroker._native.blocks_that_wait()
print(broker.uses)
""") == "0\n0\n"


def test_a_forked_child_learns_of_a_loss(run):
    """The bytes of an ended block go with its last view, which is the parent's."""
    assert run(HEAD + """
publisher = membroker.connect(name="publisher")
publisher.publish("a", numpy.ones(1 << 18))
view = broker.view("a")
array = view.array
go = os.pipe()
pid = os.fork()
if pid == 0:
    code = 1
    try:
        os.read(go[0], 1)
        while True:
            assert array.sum() == 1 << 18
    except membroker.LeaseLost as error:
        code = 0 if "parent" in str(error) else 2
    finally:
        os._exit(code)
def step():
    if not lost:
        publisher.unpublish("a")
        broker.revoke(view.id)
    while not lost:
        time.sleep(0.01)
    os.write(go[1], b"x")
    end(str(os.waitpid(pid, 0)[1]))
persist(step, lost)
""", timeout=60) == "0"
