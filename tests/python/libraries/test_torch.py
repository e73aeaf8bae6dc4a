# SPDX-License-Identifier: Apache-2.0
"""PyTorch's tensors in leased memory."""

import pytest
from conftest import PERSIST

INSTALLED = PERSIST + """
import gc, multiprocessing, os, sys, threading, numpy, torch
import membroker, membroker.torch
from membroker import _native
torch.manual_seed(1)
torch.set_num_threads(2)
broker = membroker.torch.install()
before = broker.uses

def leased(tensor):
    return _native.is_leased(tensor.data_ptr())
"""


def check(run, program, **options):
    assert run(INSTALLED + program + '\nprint("ok")\n', **options).endswith("ok\n")


def test_sizes_and_alignment(run):
    """Each tensor is a buffer of its own, given back with the tensor."""
    check(run, """
tensors = []
for size in [0, 1, 3, 4, 40, 48, 49, 64, 100, 1000, 4000, 4032, 4096, 32704, 32768, 32769, 100_000, 1 << 20, 50 << 20]:
    for _ in range(40 if size < 100_000 else 2):
        tensor = torch.full((size,), 7, dtype=torch.uint8)
        assert tensor.data_ptr() % 64 == 0 and (size == 0 or leased(tensor)), size
        tensors.append(tensor)
assert all((tensor == 7).all() for tensor in tensors)
live = sum(tensor.numel() > 0 for tensor in tensors)
assert broker.uses == before + live, (broker.uses, before, live)
held = sum(lease.bytes for lease in broker.leases())
assert held >= 100 << 20, held
tensor = None
tensors.clear()
assert broker.uses == before, broker.uses - before
""")


def test_resizing(run):
    check(run, """
tensor = torch.arange(10)
tensor.resize_(1_000_000)
assert leased(tensor) and tensor[:10].tolist() == list(range(10))
tensor.set_()
assert broker.uses == before
""")


def test_layers_and_gradients(run):
    """oneDNN's layers, autograd and the state of an optimizer; what they return in another way, too."""
    check(run, """
assert torch.backends.mkldnn.is_available()
network = torch.nn.Sequential(
    torch.nn.Conv2d(3, 16, 3, padding=1), torch.nn.BatchNorm2d(16), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
    torch.nn.Conv2d(16, 8, 3, padding=1), torch.nn.Flatten(), torch.nn.Linear(8 * 16 * 16, 64), torch.nn.GELU(),
    torch.nn.Linear(64, 10))
optimizer = torch.optim.Adam(network.parameters())
images, labels = torch.randn(32, 3, 32, 32), torch.randint(10, (32,))
for _ in range(3):
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(network(images), labels)
    loss.backward()
    optimizer.step()
state = [value for entry in optimizer.state.values() for value in entry.values() if torch.is_tensor(value)]
parts = [*network.parameters(), *(parameter.grad for parameter in network.parameters()), *state, images, labels, loss]
assert len(state) >= 24 and all(leased(part) for part in parts), [leased(part) for part in parts]
dense = images.to_mkldnn().to_dense()
assert leased(dense) and (dense == images).all()
recurrent = torch.nn.LSTM(16, 16, batch_first=True)
recurrent(torch.randn(4, 8, 16))[0].sum().backward()
scripted = torch.jit.trace(network.eval(), images)
assert torch.allclose(scripted(images), network(images))
del network, optimizer, images, labels, loss, state, parts, dense, recurrent, scripted, _
gc.collect()
assert broker.uses - before < 20, broker.uses - before  # what the libraries keep for themselves
""")


def test_before_and_after(run):
    """Memory of PyTorch's own allocator goes back to it, and ours to us, whichever is installed when it dies."""
    assert run("""
import torch
network = torch.nn.Conv2d(3, 16, 3)
def step():
    return network(torch.ones(8, 3, 64, 64)).sum().backward()
step()
early = torch.ones(1000)
import membroker.torch
broker = membroker.torch.install()
before = broker.uses
step()
late = torch.ones(1000)
membroker.torch.uninstall()
step()
own = torch.ones(1000)
leased = [membroker._native.is_leased(tensor.data_ptr()) for tensor in (early, late, own)]
del early, late, own, network
membroker.torch.install()
last = torch.ones(10)
print(leased, broker.uses - before < 20, membroker._native.is_leased(last.data_ptr()))
""") == "[False, True, False] True True\n"


def test_from_dlpack(run):
    """A buffer, a tensor and an array on the same memory, without a copy."""
    check(run, """
buffer = broker.buffer(4096, zero=True)
used = broker.uses
tensor = torch.from_dlpack(buffer).view(torch.float32)
array = numpy.asarray(buffer).view(numpy.float32)
tensor[5] = 3
assert broker.uses == used and array[5] == 3 and tensor.data_ptr() == array.ctypes.data and tensor.numel() == 1024
del buffer, array
gc.collect()
assert broker.uses == used and tensor[5] == 3
view = tensor.numpy()
del tensor
assert broker.uses == used and view[5] == 3
del view
assert broker.uses == before
lease = broker.acquire(1 << 20)
over_lease = torch.frombuffer(lease, dtype=torch.int64)
over_lease[1] = 2
assert lease[8] == 2
with broker.numpy():
    array = numpy.ones(100_000)
same = torch.from_numpy(array)
same += 1
assert (array == 2).all() and leased(same)
""")


LOADER = """
class Squares(torch.utils.data.Dataset):
    def __init__(self):
        self.numbers = torch.arange(64.0)

    def __len__(self):
        return len(self.numbers)

    def __getitem__(self, index):
        self.numbers[index] += 0  # a write to what the worker inherited
        return self.numbers[index] ** 2 + torch.zeros(1000).sum()

def main(start):
    data = Squares()
    loader = torch.utils.data.DataLoader(data, batch_size=8, num_workers=2, multiprocessing_context=start)
    for _ in range(2):
        batches = list(loader)
        assert torch.cat(batches).tolist() == [number ** 2 for number in map(float, range(64))]
    assert data.numbers.tolist() == list(map(float, range(64)))
    print(start, "ok")

if __name__ == "__main__":
    main(sys.argv[1])
"""


@pytest.mark.parametrize("start", ["fork", "spawn", "forkserver"])
def test_workers_of_a_loader(run, tmp_path, start):
    """A forked worker has PyTorch's own memory; a spawned one imports the program and connects by itself."""
    program = tmp_path / "program.py"
    program.write_text(INSTALLED + LOADER)
    code = "import runpy, sys; sys.argv[:] = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    if start == "fork":
        assert run(code, str(program), start) == "fork ok\n"
    else:
        assert run("import subprocess, sys; sys.exit(subprocess.call([sys.executable, *sys.argv[1:]]))", str(program),
                   start) == f"{start} ok\n"


def test_forked_children(run):
    """A child reads its parent's tensors, writes to copies, frees them, and may install the allocator for itself."""
    check(run, """
weights = torch.ones(500, 500, requires_grad=True)
small = torch.ones(3)
pid = os.fork()
if pid == 0:
    torch.set_num_threads(1)
    code = 1
    try:
        (weights * 2).sum().backward()
        with torch.no_grad():
            weights -= weights.grad
        small += 1
        assert weights[0, 0] == -1 and small[0] == 2 and not leased(torch.ones(1000))
        small.resize_(10)
        own = membroker.torch.install()
        other = torch.ones(1000)
        assert own is not broker and leased(other) and own.uses > 0
        used = own.uses
        del other, small
        assert own.uses == used - 1
        code = 0
    finally:
        os._exit(code)
assert os.waitpid(pid, 0)[1] == 0
assert weights[0, 0] == 1 and weights.grad is None and small[0] == 1
del weights, small
gc.collect()
_native.blocks_that_wait()
assert broker.uses == before
""")


def test_threads(run):
    """PyTorch's own threads and the program's allocate and free at the same time."""
    check(run, """
def work(seed):
    generator = torch.Generator().manual_seed(seed)
    kept = []
    for turn in range(200):
        kept.append(torch.randn(int(torch.randint(1, 20_000, (1,), generator=generator)), requires_grad=True))
        (kept[-1] ** 2).sum().backward()
        if len(kept) > 10:
            del kept[turn % 10]
threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
del threads
gc.collect()
assert broker.uses - before < 20, broker.uses - before
""")


def test_limit(start_daemon, run):
    """The exception has the broker's sentence and its figures; the program goes on."""
    small = start_daemon("[limits]\nmax_physical_bytes = 64M\nmax_mapped_bytes = 64M")
    check(run, """
kept = torch.ones(1 << 20)
for kind in (membroker.LimitError, MemoryError, RuntimeError):
    try:
        torch.ones(100 << 20)
    except kind as error:
        assert "max_physical_bytes" in str(error) and error.limit and error.asked >= 400 << 20, (str(error), vars(error))
        assert isinstance(error, membroker.LimitError) and not error.__cause__
    else:
        raise AssertionError("it was granted")
weights = torch.ones(1000, requires_grad=True)
try:
    (weights.expand(30_000, 1000) ** 2).sum().backward()
except membroker.LimitError as error:
    assert "max_physical_bytes" in str(error)
else:
    raise AssertionError("it was granted")
mapped = membroker.torch.install(broker, membroker.MMAP)
assert leased(torch.ones(4 << 20)) and mapped is broker
assert any(lease.location == membroker.MMAP for lease in broker.leases())
""", environment={"MEMBROKER_SOCKET": small.socket})


def test_waits(start_daemon, run):
    """A tensor waits in the queue, the wait is shown, and Ctrl-C ends it."""
    small = start_daemon("[limits]\nmax_physical_bytes = 64M")
    check(run, """
import signal, time
lines = []
holder = membroker.connect(os.environ["MEMBROKER_SOCKET"], name="trainer-7")
lease = holder.acquire("60M")
patient = membroker.connect(os.environ["MEMBROKER_SOCKET"], wait=60, progress=lines.append)
membroker.torch.install(patient)
def when_shown(act):
    def wait():
        while not lines:
            time.sleep(0.01)
        act()
    threading.Thread(target=wait).start()
when_shown(lambda: os.kill(os.getpid(), signal.SIGINT))
try:
    try:
        torch.ones(8 << 20)
    except membroker.Error:  # the allocator can't raise it itself: it comes at one of the next instructions
        for _ in range(6000):
            time.sleep(0.01)
except KeyboardInterrupt:
    assert lines[0] == "waiting for 32 MiB: 1st in the queue, trainer-7 holds 60 MiB" and lines[-1] == "", lines
else:
    raise AssertionError("it was not interrupted")
lines.clear()
when_shown(lease.release)
assert leased(torch.ones(8 << 20)) and lines[-1] == ""
""", environment={"MEMBROKER_SOCKET": small.socket})


def test_broker_that_is_stopped(daemon, run):
    """What is there stays usable; what is new is an error that says so, and works when the broker does."""
    check(run, """
import signal
patient = membroker.connect(os.environ["MEMBROKER_SOCKET"], timeout=3)
assert membroker.torch.install(patient) is patient
kept = torch.ones(10)
os.kill(int(sys.argv[1]), signal.SIGSTOP)
try:
    torch.ones(1 << 20)
except RuntimeError as error:
    assert isinstance(error, membroker.Error) and "did not answer" in str(error), error
    kept += 1
else:
    raise AssertionError("it was granted")
finally:
    os.kill(int(sys.argv[1]), signal.SIGCONT)
patient.wait_connected(60)
assert leased(torch.ones(1 << 20)) and kept.sum() == 20
""".replace("sys.argv[1]", str(daemon.process.pid)))


def test_lost_lease(run):
    """The touch and the broker's word may each raise; after that new tensors are whole."""
    check(run, """
tensor, lost = torch.ones(1 << 20), []
def step():
    global tensor
    if not lost:
        broker.revoke(max(broker.leases(), key=lambda lease: lease.bytes).lease)
        while True:
            tensor.sum()
    assert "lost" in str(lost[0])
    tensor = None
    assert (torch.ones(1 << 20) == 1).all()
    end("ok\\n")
persist(step, lost)
""")


def test_no_compiler(run, tmp_path):
    printed = run("""
import membroker.torch
try:
    membroker.torch.install()
except ImportError as error:
    print(error)
""", environment={"CXX": "/nonexistent/c++", "XDG_CACHE_HOME": str(tmp_path)})
    assert "needs a C++ compiler" in printed and "/nonexistent/c++" in printed
