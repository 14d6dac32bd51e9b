"""Topic 1's truths in many digits, and its references against libraries that we did not write."""

import importlib.util

import mpmath
import numpy as np
import pytest
import scipy.special

from llm_math_tests import course
from llm_math_tests.answers.values import cast
from llm_math_tests.checks.truth import difference_vjp
from llm_math_tests.truths import softmax as truth

HARD = {
    "ordinary": np.random.default_rng(0).normal(0, 2, (4, 6)),
    "large": np.random.default_rng(1).uniform(-1e4, 1e4, (4, 6)),
    "far from zero": np.random.default_rng(2).normal(-1e4, 1, (4, 6)),
    "tiny": np.random.default_rng(3).uniform(-1e-30, 1e-30, (4, 6)),
    "one column": np.random.default_rng(4).normal(0, 2, (4, 1)),
    "masked": np.array([[0.5, -np.inf, 1.5], [-np.inf, -np.inf, 2.0], [-np.inf] * 3]),
}


def reference(track):
    """A fresh module of the track's reference."""
    path = course.folder("reference") / "softmax" / f"with_{track}.py"
    spec = importlib.util.spec_from_file_location(f"softmax_with_{track}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def close(got, want, rtol=1e-13, atol=1e-300):
    np.testing.assert_allclose(
        np.asarray(got, np.float64), np.asarray(want, np.float64), rtol=rtol, atol=atol
    )


@pytest.mark.parametrize("name", ["ordinary", "large", "far from zero"])
def test_against_mpmath(name):
    z = HARD[name]
    with mpmath.workdps(60):
        for row, got in zip(z, truth.softmax(z).value, strict=True):
            e = [mpmath.exp(mpmath.mpf(float(x))) for x in row]
            total = mpmath.fsum(e)
            reach = 1 + np.abs(row).max()
            for value, want in zip(got, e, strict=True):
                difference = abs(mpmath.mpf(str(value)) - want / total)
                assert difference <= 1e-14 * reach * want / total + mpmath.mpf(10) ** -4000
            got_log = mpmath.mpf(str(truth.logsumexp(row).value))
            assert abs(got_log - mpmath.log(total)) <= 1e-14 * (1 + abs(got_log))
            for value, x in zip(truth.log_softmax(row).value, row, strict=True):
                want = mpmath.mpf(float(x)) - mpmath.log(total)
                assert abs(mpmath.mpf(str(value)) - want) <= 1e-14 * (1 + abs(want))


def test_backward_agrees_with_differences():
    rng = np.random.default_rng(6)
    z, g = rng.normal(0, 2, (3, 5)), rng.normal(0, 1, (3, 5))
    p = scipy.special.softmax(z, 0)
    by_differences = difference_vjp(truth.softmax, {"logits": z, "axis": 0}, "logits", [g])
    close(truth.softmax_backward(g, p, 0).value, by_differences, rtol=1e-8, atol=1e-9)


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("z", HARD.values(), ids=HARD)
def test_torch_own_functions_are_within_the_allowance(z, dtype):
    torch = pytest.importorskip("torch")
    z = cast(z, dtype)
    wide = torch.from_numpy(z).float() if dtype == "float16" else torch.from_numpy(z)
    for got, want in (
        (torch.softmax(wide, -1), truth.softmax(z)),
        (torch.nn.functional.log_softmax(wide, -1), truth.log_softmax(z)),
        (torch.logsumexp(wide, -1), truth.logsumexp(z)),
    ):
        value = got.to(getattr(torch, dtype)).numpy().astype(np.longdouble)
        with np.errstate(invalid="ignore"):
            near = np.abs(value - want.value) <= want.allowance(dtype)
        near |= (value == want.value) | (np.isnan(value) & np.isnan(want.value))
        assert near.all()


def test_torch_reference_and_its_gradients():
    torch = pytest.importorskip("torch")
    ours = reference("torch")
    torch.manual_seed(0)
    z = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    for mine, theirs in (
        (lambda x: ours.softmax(x, 0.7, axis=0), lambda x: torch.softmax(x / 0.7, 0)),
        (ours.log_softmax, lambda x: torch.log_softmax(x, -1)),
        (ours.logsumexp, lambda x: torch.logsumexp(x, -1)),
        (lambda x: ours.online_logsumexp(iter(x.split(2, dim=-1))), lambda x: x.logsumexp(-1)),
    ):
        got, want = mine(z), theirs(z)
        torch.testing.assert_close(got, want)
        g = torch.randn_like(want)
        torch.testing.assert_close(
            torch.autograd.grad(got, z, g)[0], torch.autograd.grad(want, z, g)[0]
        )
        # Where no gradient is asked for, temporaries are written over: the same numbers.
        torch.testing.assert_close(mine(z.detach()), want.detach())


def test_torch_backward_functions():
    torch = pytest.importorskip("torch")
    ours = reference("torch")
    torch.manual_seed(1)
    z = torch.randn(5, dtype=torch.float64, requires_grad=True)
    p = torch.softmax(z, -1)
    g = torch.randn_like(p)
    torch.testing.assert_close(
        ours.softmax_backward(g, p.detach()), torch.autograd.grad(p, z, g)[0]
    )
    by_autograd = torch.autograd.functional.jacobian(lambda x: torch.softmax(x, -1), z.detach())
    torch.testing.assert_close(ours.softmax_jacobian(p.detach()), by_autograd)
    assert torch.autograd.gradcheck(
        ours.softmax_backward, (g.requires_grad_(), p.detach().requires_grad_())
    )
    assert torch.autograd.gradcheck(ours.softmax_jacobian, (p.detach().requires_grad_(),))


def test_second_derivatives_go_through_the_torch_reference():
    torch = pytest.importorskip("torch")
    ours = reference("torch")
    z = torch.linspace(-1, 1, 4, dtype=torch.float64, requires_grad=True)
    for function in (ours.softmax, ours.log_softmax, ours.logsumexp):
        assert torch.autograd.gradgradcheck(function, (z,))
