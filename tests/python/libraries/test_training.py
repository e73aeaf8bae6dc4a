# SPDX-License-Identifier: Apache-2.0
"""A training with PyTorch, unchanged but for two lines: the same losses to the last bit, and all of it in leased memory."""

TRAINING = """
import torch
from sklearn.datasets import load_digits

torch.manual_seed(1)
torch.set_num_threads(2)
pixels, digits = load_digits(return_X_y=True)
images = torch.tensor(pixels, dtype=torch.float32).reshape(-1, 1, 8, 8) / 16
data = torch.utils.data.TensorDataset(images, torch.tensor(digits))
train, test = torch.utils.data.random_split(data, [1500, 297])
network = torch.nn.Sequential(
    torch.nn.Conv2d(1, 16, 3, padding=1), torch.nn.BatchNorm2d(16), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
    torch.nn.Conv2d(16, 32, 3, padding=1), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Dropout(0.2),
    torch.nn.Linear(32 * 16, 10))
optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)
for epoch in range(4):
    network.train()
    for batch, labels in torch.utils.data.DataLoader(train, batch_size=50, shuffle=True, num_workers=2):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(batch), labels)
        loss.backward()
        optimizer.step()
    schedule.step()
    print("loss", epoch, loss.item().hex())
network.eval()
with torch.no_grad():
    right = sum(int((network(batch).argmax(1) == labels).sum())
                for batch, labels in torch.utils.data.DataLoader(test, batch_size=100))
print("right", right)
"""

TWO_LINES = "import membroker.torch\nbroker = membroker.torch.install()\n"

HELD = """
from membroker import _native
state = [value for entry in optimizer.state.values() for value in entry.values() if torch.is_tensor(value)]
parameters = list(network.parameters())
tensors = [images, *parameters, *(parameter.grad for parameter in parameters), *state]
assert len(tensors) >= 33 and all(_native.is_leased(tensor.data_ptr()) for tensor in tensors)
bytes_of = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
held = sum(lease.bytes for lease in broker.leases() if lease.session == broker.session)
assert broker.uses >= len(tensors) and held >= bytes_of, (broker.uses, held, bytes_of)
"""


def test_same_losses(run):
    plain = run(TRAINING)
    leased = run(TWO_LINES + TRAINING + HELD)
    assert int(plain.split()[-1]) > 250
    assert leased == plain
