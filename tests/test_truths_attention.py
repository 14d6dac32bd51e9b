"""The truth of topic 2 and its references, against libraries and numbers worked out elsewhere."""

import numpy as np
import pytest

from llm_math_tests import course
from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.door import Where
from llm_math_tests.answers.in_process import InProcess
from llm_math_tests.exercises import exercise
from llm_math_tests.truths import attention as truth

TRACKS = ("numpy", "torch")


def arrays(seed, *shapes, dtype="float64", spread=1.0):
    rng = np.random.default_rng(seed)
    return [rng.normal(0, spread, shape).astype(dtype) for shape in shapes]


def reference(name, track, inputs):
    if track == "torch":
        pytest.importorskip("torch")
    found = exercise(name)
    root = course.folder("reference")
    where = Where(found.topic, track, root / found.topic / f"with_{track}.py", root)
    return Answer(found, where, InProcess(), "reference")(inputs)


def as_tuple(value):
    return value if isinstance(value, tuple) else (value,)


def agree(name, inputs, wanted, rtol=1e-12, atol=1e-13):
    """The truth and both references give numbers that came from elsewhere."""
    truths = as_tuple(getattr(truth, name)(**inputs))
    for one, want in zip(truths, as_tuple(wanted), strict=True):
        np.testing.assert_allclose(one.value.astype(float), want, rtol=rtol, atol=atol)
    for track in TRACKS:
        for one, want in zip(
            as_tuple(reference(name, track, inputs)), as_tuple(wanted), strict=True
        ):
            np.testing.assert_allclose(one, want, rtol=100 * rtol, atol=100 * atol)


def test_attention_in_many_digits():
    mpmath = pytest.importorskip("mpmath")
    q, k, v = arrays(3, (2, 3), (6, 3), (6, 2), spread=4.0)
    with mpmath.workdps(60):
        wanted = np.zeros((2, 2))
        for i in range(2):
            scores = [mpmath.fdot(map(float, q[i]), map(float, key)) / mpmath.sqrt(3) for key in k]
            weights = [mpmath.exp(s) for s in scores]
            for c in range(2):
                mixed = mpmath.fdot(weights, map(float, v[:, c])) / mpmath.fsum(weights)
                wanted[i, c] = float(mixed)
    inputs = {"q": q, "k": k, "v": v}
    agree("scaled_dot_product_attention", inputs, wanted)
    agree("flash_attention", {**inputs, "block_size": 4}, wanted)


def test_large_scores_pick_the_best_key():
    q = np.array([[200.0, 0.0], [0.0, -200.0]])
    k = np.array([[100.0, 0.0], [0.0, 100.0], [-100.0, 0.0], [0.0, -100.0]])
    v = np.arange(8.0).reshape(4, 2)
    agree("scaled_dot_product_attention", {"q": q, "k": k, "v": v}, v[[0, 3]])
    agree("flash_attention", {"q": q, "k": k, "v": v, "block_size": 1}, v[[0, 3]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("spread", [0.1, 1.0, 10.0, 100.0])
def test_the_library_is_within_the_allowance(dtype, spread):
    """A careful library in the same dtype passes, at every size of the scores."""
    torch = pytest.importorskip("torch")
    q, k, v = arrays(6, (8, 16, 32), (8, 24, 32), (8, 24, 16), dtype=dtype, spread=spread)
    tensors = [torch.tensor(x, requires_grad=True) for x in (q, k, v)]
    out = torch.nn.functional.scaled_dot_product_attention(*tensors)
    wanted = truth.scaled_dot_product_attention(q, k, v)
    error = np.abs(out.detach().numpy() - wanted.value)
    assert (error <= wanted.allowance(dtype)).all()
    g = arrays(7, (8, 16, 16), dtype=dtype)[0]
    grads = torch.autograd.grad(out, tensors, torch.tensor(g))
    for grad, want in zip(
        grads, truth.scaled_dot_product_attention_backward(g, q, k, v), strict=True
    ):
        assert (np.abs(grad.numpy() - want.value) <= want.allowance(dtype)).all()


def test_the_allowance_is_tight():
    """Scores computed in a coarser dtype do not pass."""
    q, k, v = arrays(8, (3, 32), (24, 32), (24, 16))
    wanted = truth.scaled_dot_product_attention(q, k, v)
    single = reference(
        "scaled_dot_product_attention", "numpy", {x: y.astype("float32") for x, y in
        {"q": q, "k": k, "v": v}.items()},
    )  # fmt: skip
    assert (np.abs(single - wanted.value) > wanted.allowance("float64")).mean() > 0.9
