# SPDX-License-Identifier: Apache-2.0
"""Small objects: put, read without a round trip, replaced, removed."""

import array
import errno
import os
import pwd
import signal
import threading

import membroker
import pytest

HEAD = "import membroker, os, sys\nbroker = membroker.connect()\n"


def test_another_process_gets_the_bytes(broker, run):
    broker.put("step", bytes(range(256)))
    broker.put("empty", b"")
    assert run(HEAD + """
print(broker.get("step") == bytes(range(256)), broker.get("empty"), type(broker.get("step")).__name__)
""") == "True b'' bytes\n"


def test_a_look_up_asks_nobody(daemon, broker):
    """The daemon is stopped, and cannot answer."""
    broker.put("a", b"first")
    assert broker.get("a") == b"first"  # maps the board
    broker.put("a", b"second")
    os.kill(daemon.process.pid, signal.SIGSTOP)
    try:
        assert [broker.get("a") for _ in range(1000)] == [b"second"] * 1000
    finally:
        os.kill(daemon.process.pid, signal.SIGCONT)


@pytest.mark.parametrize(
    "data", [b"abc", bytearray(b"abc"), memoryview(b"a-b-c")[::2], array.array("b", b"abc")], ids=lambda data: type(data).__name__
)
def test_what_has_bytes(broker, data):
    broker.put("x", data)
    assert broker.get("x") == b"abc"


def test_an_array_of_numpy(broker):
    numpy = pytest.importorskip("numpy")
    numbers = numpy.arange(12.0).reshape(3, 4)
    broker.put("numbers", numbers)
    assert numpy.frombuffer(broker.get("numbers")).tolist() == numbers.reshape(-1).tolist()


def test_bytes_that_are_not_all_of_it(broker):
    """Neither addresses of this process nor an array without its mask reaches another process."""
    numpy = pytest.importorskip("numpy")
    objects = numpy.array([1, None], dtype=object)
    records = numpy.zeros(2, dtype=[("Offset", "f8"), ("value", object)])
    for data in (objects, memoryview(objects), records):
        with pytest.raises(TypeError, match="array of objects"):
            broker.put("a", data)
    with pytest.raises(TypeError, match="its data and its mask"):
        broker.put("a", numpy.ma.masked_array([1, 2], [True, False]))
    with pytest.raises(membroker.NoSuchBlock):
        broker.get("a")
    broker.put("a", numpy.zeros(2, dtype=[("Offset", "f8")]))
    assert broker.get("a") == bytes(16)


def test_the_largest(broker):
    broker.put("large", b"x" * 32768)
    assert broker.get("large") == b"x" * 32768
    with pytest.raises(ValueError, match="at most 32768 bytes, not 32769; publish"):
        broker.put("large", b"x" * 32769)


@pytest.mark.parametrize("name", ["", "x" * 64, "a\nb", "a\0b"])
def test_names(broker, name):
    for call in (lambda: broker.put(name, b""), lambda: broker.get(name), lambda: broker.remove(name)):
        with pytest.raises(ValueError, match="63 bytes"):
            call()


@pytest.mark.parametrize("name", [" ", "  ", " a", "a "])
def test_blanks_at_an_end_of_a_name(broker, name):
    for call in (lambda: broker.put(name, b""), lambda: broker.publish(name, b"x")):
        with pytest.raises(ValueError, match="begins or ends with a blank"):
            call()
    broker.put("a b", b"x")
    assert broker.get("a b") == b"x"


def test_wrong_arguments(broker):
    for wrong in ("text", 7, None):
        with pytest.raises(TypeError):
            broker.put("x", wrong)
    with pytest.raises(TypeError):
        broker.get(7)
    with pytest.raises(ValueError, match='"session" or "keep", not \'cache\''):
        broker.put("x", b"", lifetime="cache")
    with pytest.raises(ValueError, match="access is"):
        broker.put("x", b"", access="nobody")
    with pytest.raises(ValueError, match="group"):
        broker.put("x", b"", group=1)
    with pytest.raises(ValueError, match="no user"):
        broker.get("x", user="no-such-user-there")


def test_ends(broker, run):
    """With its process, or when it is removed."""
    assert run(HEAD + 'broker.put("session", b"1")\nbroker.put("kept", b"2", lifetime="keep")\nprint(broker.get("session"))\n') == "b'1'\n"
    assert broker.get("kept") == b"2"
    for call in (broker.get, broker.remove):
        with pytest.raises(membroker.NoSuchBlock, match='no object "session"') as caught:
            call("session")
        assert not isinstance(caught.value, membroker.BlockEnded)
    broker.remove("kept")
    with pytest.raises(LookupError):
        broker.get("kept")


def test_names_of_their_own(broker):
    """A block and an object may have the same one."""
    broker.publish("x", b"block")
    with pytest.raises(membroker.NoSuchBlock):
        broker.get("x")
    broker.put("x", b"object")
    broker.unpublish("x")
    assert broker.get("x") == b"object"


def test_limits(start_daemon):
    daemon = start_daemon("[sharing]\nmax_objects = 2")
    with membroker.connect(daemon.socket) as broker:
        broker.put("a", b"")
        broker.put("b", b"")
        with pytest.raises(membroker.TooMany, match="max_objects") as caught:
            broker.put("c", b"")
        refused = caught.value
        assert isinstance(refused, membroker.SystemFailure) and refused.errno == errno.EMFILE
        assert (refused.limit, refused.unit, refused.allowed, refused.used, refused.free) == ("max_objects", "objects", 2, 2, 0)
        assert refused.whose.startswith("user ")
        why = broker.why()[0]
        assert why.location is None
        assert (why.refusal.limit, why.refusal.limit_bytes, why.refusal.unit) == ("max_objects", 2, "objects")
        broker.put("a", b"another")
        assert broker.get("a") == b"another"
    daemon = start_daemon("[limits]\nmax_physical_bytes = 8K")
    with membroker.connect(daemon.socket) as broker, pytest.raises(membroker.LimitError):
        broker.put("a", b"")


def test_a_restart_of_the_daemon(daemon, broker):
    """All objects end with it, and can be put again."""
    broker.put("kept", b"1", lifetime="keep")
    assert broker.get("kept") == b"1"
    daemon.kill()
    with pytest.raises(membroker.BrokerConnectionError):
        broker.ping()  # so that the client knows
    daemon.start()
    broker.wait_connected()
    with pytest.raises(membroker.NoSuchBlock):
        broker.get("kept")
    broker.put("kept", b"2")
    assert broker.get("kept") == b"2"


def test_access(broker):
    """Everybody may, or a group; a name of another user is not this user's."""
    own = pwd.getpwuid(os.getuid()).pw_name
    broker.put("all", b"1", access="all")
    broker.put("group", b"2", access="group", group=os.getgid())
    assert broker.get("all", user=os.getuid()) == b"1" and broker.get("group", user=own) == b"2"
    with pytest.raises(membroker.NoSuchBlock, match="12345"):
        broker.get("all", user=12345)


def test_a_closed_broker(daemon):
    broker = membroker.connect(daemon.socket)
    broker.close()
    for call in (lambda: broker.put("x", b""), lambda: broker.get("x"), lambda: broker.remove("x")):
        with pytest.raises((membroker.Error, ValueError), match="closed"):
            call()


def test_threads(broker):
    """No reader gets bytes of two puts."""
    torn, rounds = [], 300
    broker.put("x", bytes(1000))

    def read():
        while broker.get("x")[0] < 200:
            value = broker.get("x")
            if len(set(value)) != 1 or len(value) != 1000 + value[0]:
                torn.append(value)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for i in range(rounds):
        broker.put("x", bytes([i * 200 // rounds]) * (1000 + i * 200 // rounds))
    broker.put("x", bytes([200]) * 1200)
    for reader in readers:
        reader.join()
    assert not torn
