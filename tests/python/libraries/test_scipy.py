# SPDX-License-Identifier: Apache-2.0
"""Programs of SciPy and scikit-learn, unchanged but for two lines: the same results, in leased memory."""

import pytest

PIPELINE = """
import numpy
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

images, digits = load_digits(return_X_y=True)
train, test, train_digits, test_digits = train_test_split(images, digits, random_state=1)
model = make_pipeline(StandardScaler(), PCA(30, random_state=1), LogisticRegression(max_iter=500, random_state=1))
model.fit(train, train_digits)
print("score", model.score(test, test_digits).hex())
print("crossed", [score.hex() for score in cross_val_score(model, train, train_digits, cv=3, n_jobs=2)])
print("weights", float(abs(model[-1].coef_).sum()).hex())
kept = train
"""

SIGNALS = """
import numpy
from scipy import fft, linalg, optimize, signal, sparse
from scipy.sparse.linalg import spsolve

random = numpy.random.default_rng(1)
noise = random.standard_normal(1 << 20)
smooth = signal.sosfiltfilt(signal.butter(4, 0.1, output="sos"), noise)
spectrum = fft.rfft(smooth)
print("spectrum", float(abs(spectrum).sum()).hex())
matrix = random.standard_normal((300, 300))
values, vectors = linalg.eigh(matrix @ matrix.T)
print("values", float(values.sum()).hex(), float(abs(vectors[:, -1]).sum()).hex())
grid = sparse.diags([-1, 2.5, -1], [-1, 0, 1], shape=(10_000, 10_000), format="csc")
print("solved", float(spsolve(grid, noise[:10_000]).sum()).hex())
found = optimize.minimize(optimize.rosen, numpy.zeros(8), method="BFGS", jac=optimize.rosen_der)
print("found", [value.hex() for value in map(float, found.x)])
kept = smooth
"""

TWO_LINES = "import membroker\nbroker = membroker.install_numpy()\n"

HELD = """
import membroker
from membroker import _native
held = sum(lease.bytes for lease in broker.leases() if lease.session == broker.session)
assert _native.is_leased(kept.ctypes.data), "the array is elsewhere"
assert broker.uses > 1 and held >= kept.nbytes, (broker.uses, held)
"""


@pytest.mark.parametrize("program", [PIPELINE, SIGNALS], ids=["scikit-learn", "SciPy"])
def test_same_results(run, program):
    plain = run(program)
    leased = run(TWO_LINES + program + HELD)
    assert plain.count("\n") >= 3
    assert leased == plain
