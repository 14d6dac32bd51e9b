"""Cross-entropy's truths and references against SciPy, mpmath and torch's own autograd."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest

from llm_math_tests.truths import cross_entropy as truth

mpmath = pytest.importorskip("mpmath")
REFERENCE = Path(__file__).resolve().parents[1] / "reference" / "cross_entropy"


def reference(track):
    spec = importlib.util.spec_from_file_location(
        f"cross_entropy_{track}", REFERENCE / f"with_{track}.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


NUMPY = reference("numpy")

ORDINARY = np.random.default_rng(3).normal(0, 2, (4, 6))
HARD = {
    "ordinary": (ORDINARY, [0, 5, 2, 2]),
    "large": (1e4 * np.sin(np.arange(12.0)).reshape(2, 6), [1, 4]),
    "shifted": (ORDINARY - 1e4, [3, 3, 0, 1]),
    "tiny": (1e-30 * ORDINARY, [0, 1, 2, 3]),
    "sure_and_right": (np.array([[40.0, 0.0, 1.0]]), [0]),
    "sure_and_wrong": (np.array([[0.0, 300.0, 1.0]]), [0]),
    "one_class": (np.array([[3.0], [-2.0]]), [0, 0]),
}


def exact_probabilities(row):
    """Softmax of one row in fifty digits."""
    exponentials = [mpmath.exp(mpmath.mpf(float(z))) for z in row]
    total = mpmath.fsum(exponentials)
    return [e / total for e in exponentials]


def exact_losses(z, targets):
    return [-mpmath.log(exact_probabilities(row)[t]) for row, t in zip(z, targets, strict=True)]


@pytest.fixture(params=list(HARD))
def case(request):
    z, targets = HARD[request.param]
    with mpmath.workdps(50):
        yield z, np.array(targets)


def assert_within(got, wanted):
    """Within what the truth itself allows a float64 answer."""
    error = np.abs(np.asarray(got, np.longdouble) - wanted.value)
    assert (error <= wanted.allowance("float64")).all(), (got, wanted.value)


def assert_is(wanted, exact):
    """The truth equals fifty-digit arithmetic, much closer than it asks where it can."""
    exact = np.array(
        [np.longdouble(mpmath.nstr(x, 30) if abs(x) > 1e-300 else 0) for x in np.ravel(exact)]
    )
    error = np.abs(wanted.value.ravel() - exact)
    closer = 100 if np.finfo(np.longdouble).eps < 1e-18 else 1
    assert (closer * error <= wanted.allowance("float64").ravel()).all()


def test_cross_entropy_in_fifty_digits(case):
    z, targets = case
    wanted = truth.cross_entropy(z, targets)
    losses = exact_losses(z, targets)
    assert_is(wanted, [mpmath.fsum(losses) / len(losses)])
    assert_within(NUMPY.cross_entropy(z, targets), wanted)


def test_cross_entropy_backward_in_fifty_digits(case):
    z, targets = case
    wanted = truth.cross_entropy_backward(z, targets)
    exact = [
        [(p - (i == t)) / len(z) for i, p in enumerate(exact_probabilities(row))]
        for row, t in zip(z, targets, strict=True)
    ]
    assert_is(wanted, exact)
    assert_within(NUMPY.cross_entropy_backward(z, targets), wanted)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5, 1.0])
def test_label_smoothing_in_fifty_digits(case, smoothing):
    z, targets = case
    s, classes = mpmath.mpf(smoothing), z.shape[-1]
    total = mpmath.mpf(0)
    for row, t in zip(z, targets, strict=True):
        for i, p in enumerate(exact_probabilities(row)):
            total -= ((1 - s) * (i == t) + s / classes) * mpmath.log(p)
    wanted = truth.label_smoothing_cross_entropy(z, targets, smoothing)
    assert_is(wanted, [total / len(z)])
    assert_within(NUMPY.label_smoothing_cross_entropy(z, targets, smoothing), wanted)


def test_perplexity_in_fifty_digits():
    for z, targets in (HARD[name] for name in ("ordinary", "shifted", "tiny", "sure_and_wrong")):
        with mpmath.workdps(50):
            losses = exact_losses(z, targets)
            exact = mpmath.exp(mpmath.fsum(losses) / len(losses))
        wanted = truth.perplexity(z, np.array(targets))
        assert_is(wanted, [exact])
        assert_within(NUMPY.perplexity(z, np.array(targets)), wanted)


def test_mse_backward_in_fifty_digits(case):
    z, targets = case
    exact = []
    for row, t in zip(z, targets, strict=True):
        p = exact_probabilities(row)
        d = [x - (i == t) for i, x in enumerate(p)]
        inner = mpmath.fsum(a * b for a, b in zip(d, p, strict=True))
        exact.append([2 / mpmath.mpf(z.size) * p[i] * (d[i] - inner) for i in range(len(p))])
    wanted = truth.mse_backward(z, targets)
    assert_is(wanted, exact)
    assert_within(NUMPY.mse_backward(z, targets), wanted)


def test_squared_error_fades_and_cross_entropy_does_not():
    z, targets = np.array([[0.0, 60.0, 0.0]]), np.array([0])
    pushed = truth.cross_entropy_backward(z, targets).value[0, 0]
    faded = truth.mse_backward(z, targets).value[0, 0]
    assert float(pushed) == pytest.approx(-1)
    assert float(faded) == pytest.approx(-4 / 3 * math.exp(-60), rel=1e-12)


def test_the_squared_error_is_torch_s():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(2)
    z, targets = rng.normal(0, 3, (20, 7)), rng.integers(0, 7, 20)
    hot = torch.nn.functional.one_hot(torch.tensor(targets), 7).double()
    loss = torch.nn.functional.mse_loss(torch.softmax(torch.tensor(z), -1), hot)
    assert loss.item() == pytest.approx(float(truth.mean_squared_error(z, targets).value))


@pytest.fixture(scope="module")
def torch_track():
    pytest.importorskip("torch")
    return reference("torch")


@pytest.mark.parametrize("target", [-1, 3])
@pytest.mark.parametrize("exercise", ["cross_entropy", "perplexity", "mse_backward"])
def test_a_target_that_is_no_class_is_named(torch_track, exercise, target):
    import torch

    z = np.zeros((2, 3))
    with pytest.raises(ValueError, match=rf"targets .*got targets with {target}"):
        getattr(NUMPY, exercise)(z, np.array([0, target]))
    with pytest.raises(ValueError, match=rf"targets .*got targets with {target}"):
        getattr(torch_track, exercise)(torch.tensor(z), torch.tensor([0, target]))
