# SPDX-License-Identifier: Apache-2.0
"""A client of membrokerd in Python: what proto/PROTOCOL.md says, and no more. Copy from it.

It wants membroker_pb2.py, which `protoc --python_out=DIRECTORY --proto_path=proto membroker.proto` makes.
"""

import collections
import mmap
import os
import socket
import struct

import membroker_pb2 as pb

PROTOCOL = 2
PAYLOAD_MAX = 65536
CONTROL_MAGIC = 0x31454741504C544D


class Ended(Exception):
    """The daemon ended the connection; `error` is the Error that said why, or None."""

    def __init__(self, error):
        super().__init__(error.sentence if error else "hung up")
        self.error = error


class Refused(Exception):
    """The answer to a request is an Error."""

    def __init__(self, error):
        super().__init__(error.sentence)
        self.error = error
        self.code = error.code


def default_socket():
    """Where a client looks for the broker."""
    if os.environ.get("MEMBROKER_SOCKET"):
        return os.environ["MEMBROKER_SOCKET"]
    own = os.environ.get("XDG_RUNTIME_DIR", "/nowhere") + "/membroker/membroker.sock"
    return own if os.path.exists(own) else "/run/membroker/membroker.sock"


class ControlPages:
    """The control pages of a session: whether a lease lives is read here, without asking."""

    def __init__(self):
        self.pages = {}  # first slot -> (mapping, slots)

    def add(self, fd):
        memory = mmap.mmap(fd, os.fstat(fd).st_size, mmap.MAP_SHARED, mmap.PROT_READ)
        magic, version, slots, _, first = struct.unpack_from("<QIIII", memory)
        if magic != CONTROL_MAGIC or version != 1:
            raise ValueError("not a control page")
        self.pages[first] = (memory, slots)

    def slot(self, number):
        """A slot's generation and end reason."""
        for first, (memory, slots) in self.pages.items():
            if first <= number < first + slots:
                return struct.unpack_from("<QI", memory, 64 + 16 * (number - first))
        raise IndexError(number)

    def lives(self, grant):
        return self.slot(grant.slot)[0] == grant.generation

    def pressure(self):
        return struct.unpack_from("<I", self.pages[0][0], 16)[0]


class Connection:
    """A connection to the daemon. Answers are matched by id, events are kept until somebody wants them."""

    next_id = 1  # never used again, so that `repeats` names one request alone

    def __init__(self, path=None, on_message=None):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(20)
        self.socket.connect(path or default_socket())
        self.on_message = on_message
        self.answers = {}
        self.events = collections.deque()
        self.pages = ControlPages()
        self.readable = None
        self.welcome = None

    def close(self):
        self.socket.close()

    # ---- frames ----

    def send_packet(self, packet):
        self.socket.send(packet)

    def send(self, kind, request_id=None, **fields):
        """Sends a request; returns its id."""
        message = pb.ClientMessage()
        if request_id is None:
            request_id = Connection.next_id
            Connection.next_id += 1
        message.id = request_id
        body = getattr(message, kind)
        body.SetInParent()  # a request without a field is a request
        for name, value in fields.items():
            if isinstance(value, list):
                getattr(body, name).extend(value)
            else:
                setattr(body, name, value)
        payload = message.SerializeToString()
        self.send_packet(struct.pack("<I", len(payload)) + payload)
        return request_id

    def receive(self):
        """The next message and its descriptor, or None for it."""
        packet, descriptors, flags, _ = socket.recv_fds(self.socket, 4 + PAYLOAD_MAX, 2, socket.MSG_CMSG_CLOEXEC)
        if not packet:
            raise Ended(None)
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC) or struct.unpack_from("<I", packet)[0] != len(packet) - 4:
            raise ValueError("the frame is cut")
        message = pb.DaemonMessage.FromString(packet[4:])
        if message.descriptors != len(descriptors):
            raise ValueError(f"{len(descriptors)} descriptors came, {message.descriptors} were announced")
        fd = descriptors[0] if descriptors else None
        if len(descriptors) == 2:  # a segment that can be published, for reading alone
            self.readable = descriptors[1]
        if self.on_message:
            self.on_message(message, fd)
        return message, fd

    def take(self):
        """Receives one message: an answer is kept for its request, an event for event()."""
        message, fd = self.receive()
        kind = message.WhichOneof("body")
        if kind == "control_page":
            self.pages.add(fd)
            os.close(fd)
        if message.HasField("reply_to"):
            self.answers[message.reply_to] = (message, fd)
        elif kind == "error":
            raise Ended(message.error)
        else:
            self.events.append(message)

    # ---- requests ----

    def answer(self, request_id):
        """Waits for the answer to a request: its body, and a Grant's descriptor."""
        while request_id not in self.answers:
            self.take()
        message, fd = self.answers.pop(request_id)
        kind = message.WhichOneof("body")
        if kind == "error":
            raise Refused(message.error)
        body = getattr(message, kind)
        return (body, fd) if kind == "grant" or fd is not None else body

    def call(self, kind, **fields):
        return self.answer(self.send(kind, **fields))

    def event(self, kind):
        """Waits for an event of this kind; others are dropped."""
        while True:
            while self.events:
                message = self.events.popleft()
                if message.WhichOneof("body") == kind:
                    return getattr(message, kind)
            self.take()

    # ---- sessions ----

    def hello(self, **fields):
        welcome = self.call("hello", protocol_min=1, protocol_max=PROTOCOL, **fields)
        if isinstance(welcome, tuple):  # not a monitor's
            welcome, fd = welcome
            self.pages.add(fd)
            os.close(fd)
        self.welcome = welcome
        return welcome

    def acquire(self, size, **fields):
        """A lease: its grant, and the mapped memory."""
        grant, fd = self.call("acquire", bytes=size, **fields)
        return grant, map_segment(grant, fd)


def map_segment(grant, fd):
    """Maps a grant's segment; the descriptor is not needed any longer."""
    length = grant.file_bytes if grant.HasField("file_bytes") and grant.file_bytes else grant.bytes
    if os.fstat(fd).st_size != length:
        raise ValueError("the segment has another size than the grant says")
    memory = mmap.mmap(fd, length, mmap.MAP_SHARED)
    os.close(fd)
    return memory
