# SPDX-License-Identifier: Apache-2.0
"""
A training step of PyTorch, as a row of bench.py: a network of two convolutions and two layers, a batch of 64, Adam. Each
kind has a network and an optimizer of its own, all of whose memory is of that kind.
"""

import contextlib

import membroker.torch
import torch
from membroker import _native


class Training:
    """A network, its optimizer and one batch."""

    def __init__(self):
        torch.manual_seed(1)
        self.images, self.labels = torch.rand(64, 1, 28, 28), torch.randint(10, (64,))
        self.network = torch.nn.Sequential(
            torch.nn.Conv2d(1, 16, 3), torch.nn.ReLU(), torch.nn.Conv2d(16, 32, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
            torch.nn.Flatten(), torch.nn.Linear(32 * 12 * 12, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
        self.optimizer = torch.optim.Adam(self.network.parameters())
        self.outputs = None

    def step(self):
        self.optimizer.zero_grad()
        self.outputs = self.network(self.images)
        loss = torch.nn.functional.cross_entropy(self.outputs, self.labels)
        loss.backward()
        self.optimizer.step()

    def tensors(self):
        parameters = list(self.network.parameters())
        state = [value for entry in self.optimizer.state.values() for value in entry.values() if torch.is_tensor(value)]
        return [self.images, self.outputs, *parameters, *(parameter.grad for parameter in parameters), *state]

    def check(self, leased):
        """Of a step that was measured: the batch, the outputs, weights, gradients and the optimizer's state."""
        tensors = self.tensors()
        assert len(tensors) > 30, "the optimizer has no state"
        assert {_native.is_leased(tensor.data_ptr()) for tensor in tensors} == {leased}, f"not all tensors are leased={leased}"


class Installed(contextlib.AbstractContextManager):
    """PyTorch's tensors in leased memory, in a block."""

    def __init__(self, broker):
        self.broker = broker

    def __enter__(self):
        membroker.torch.install(self.broker)

    def __exit__(self, *error):
        membroker.torch.uninstall()


def kind(make, handler, leased):
    with handler:
        training = Training()
    return make(training.step, handler, lambda: training.check(leased))


def training_kinds(broker, make):
    torch.set_num_threads(1)
    return {"leased": kind(make, Installed(broker), True), "own": kind(make, contextlib.nullcontext(), False)}
