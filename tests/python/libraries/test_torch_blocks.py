# SPDX-License-Identifier: Apache-2.0
"""Published tensors. What attaches them needs no allocator, so no compiler."""

import signal

HEAD = """
import gc, numpy, torch, warnings, membroker, membroker.torch
warnings.simplefilter("error")
broker = membroker.connect(name="test")
"""


def test_each_kind_of_tensor(run):
    """The same numbers and shape, without a copy, a warning or a view that stays."""
    assert run(HEAD + """
numbers = torch.arange(12.0).reshape(3, 4)
for given in (numbers, numbers.t(), numbers[::2, ::3], numbers.half(), numbers.bfloat16(), numbers.bfloat16().t(),
              numbers > 3, numbers.to(torch.complex64), numbers.long(), torch.zeros(0, 3), torch.tensor(7, dtype=torch.uint8),
              torch.ones(3, requires_grad=True)):
    broker.publish("a", given, replace=True)
    uses = broker.uses
    found = membroker.torch.attach("a", broker=broker)
    assert found.dtype == given.dtype and found.shape == given.shape and (found == given).all(), (given, found)
    assert not found.requires_grad and found.is_contiguous() or found.t().is_contiguous()
    same = membroker.torch.attach("a", broker=broker)
    view = broker.view("a")
    assert view.type == "array" and len(view) == given.numel() * given.element_size()
    part = found.detach()
    del found, same, view
    gc.collect()
    assert broker.uses == uses + 1
    del part
    gc.collect()
    assert broker.uses == uses
print("ok")
""") == "ok\n"


def test_with_numpy(run):
    """An array for the one is a tensor for the other, if both know the elements."""
    assert run(HEAD + """
broker.publish("tensor", torch.arange(6).reshape(2, 3))
assert broker.attach("tensor").tolist() == [[0, 1, 2], [3, 4, 5]]
broker.publish("array", numpy.arange(6.0).reshape(2, 3))
tensor = membroker.torch.attach("array", broker=broker)
assert tensor.tolist() == [[0, 1, 2], [3, 4, 5]] and tensor.data_ptr() % 4096 == 0
broker.publish("bytes", b"abc")
assert membroker.torch.attach("bytes", broker=broker).tolist() == [97, 98, 99]
broker.publish("bfloat16", torch.ones(3, dtype=torch.bfloat16))
assert broker.view("bfloat16").metadata == b'{"dtype":"bfloat16","shape":[3],"order":"C","bytes":6}'
for name, given, attach, kind in (
        ("bfloat16", None, broker.attach, TypeError),
        ("texts", numpy.array(["a"]), lambda name: membroker.torch.attach(name, broker=broker), BufferError),
        ("unsigned", numpy.ones(1, "u4"), lambda name: membroker.torch.attach(name, broker=broker), BufferError),
        ("big endian", numpy.ones(1, ">f4"), lambda name: membroker.torch.attach(name, broker=broker), BufferError)):
    if given is not None:
        broker.publish(name, given)
    try:
        attach(name)
        print(name)
    except kind:
        pass
gc.collect()
print("ok")
""") == "ok\n"


def test_another_process_reads(run):
    """Its own broker is the process's, which is connected at the first use."""
    assert run(HEAD + """
import subprocess, sys
broker.publish("weights", torch.arange(1000.0))
reader = "import membroker.torch; print(membroker.torch.attach('weights', wait=5).sum().item())"
print(subprocess.check_output([sys.executable, "-c", reader], text=True), end="")
""") == "499500.0\n"


def test_a_write_is_a_signal(run):
    run(HEAD + """
broker.publish("weights", torch.ones(1000))
weights = membroker.torch.attach("weights", broker=broker)
copy = weights.clone()
copy += 1
weights += 1
""", expect=-signal.SIGSEGV)
