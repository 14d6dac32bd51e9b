"""vjp: what a backward pass does to one gradient."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import plain
from llm_math_tests.checks.promises import expect_same, relation
from llm_math_tests.checks.situations import Rng
from llm_math_tests.checks.truth import extended
from llm_math_tests.exercise import Case, Exercise, Inputs, Mistake
from llm_math_tests.exercises.jacobian.products import shared_checks, within
from llm_math_tests.exercises.jacobian.promises import F_IS_TIMED, differences_or
from llm_math_tests.exercises.jacobian.situations import everyday, weighted
from llm_math_tests.exercises.jacobian.slips import DIFFERENCES
from llm_math_tests.truths import jacobian as truth
from llm_math_tests.truths.softmax import probabilities


def _is_softmax_backward(answer: Answer, inputs: Inputs, softmax_backward: Answer) -> None:
    mine = answer(inputs)
    p = probabilities(extended(inputs["x"])).astype(np.float64)
    other = softmax_backward({"grad_output": inputs["u"], "probs": p})
    size = within(answer, truth.vjp(**inputs))
    expect_same(answer, mine, other, size, "what softmax_backward gives", terms=len(p))


def _is_the_adjoint(answer: Answer, inputs: Inputs, jvp: Answer) -> None:
    v = np.random.default_rng(len(inputs["x"])).normal(0, 1, len(inputs["x"]))
    back, forth = answer(inputs), jvp({"f": inputs["f"], "x": inputs["x"], "v": v})
    left = (extended(back) * extended(v)).sum()
    right = (extended(inputs["u"]) * extended(forth)).sum()
    size = within(answer, truth.vjp(**inputs)) * float(np.abs(v).sum())
    expect_same(answer, np.asarray(left.astype(np.float64)), np.asarray(right), size, "(u J) v",
                terms=len(v) * len(plain(inputs["u"])))  # fmt: skip


def _scores(rng: Rng) -> Inputs:
    return {
        "f": truth.given(truth.Softmax()),
        "x": rng.normal(0, 2, 6),
        "u": rng.normal(0, 1, 6),
    }


_AT = "at, weights = x.astype(np.float64), u.astype(np.float64)"
_PRODUCT = "(weights * _derivative_along(f, at, _basis(at, j))).sum()"
_RETURN = "return np.stack(found).astype(_as_float(x).dtype)"
_GRAD = "return torch.autograd.grad(y, at, u.detach().to(y.dtype))[0]"

EXERCISE = Exercise(
    name="vjp",
    topic="jacobian",
    signature="vjp(f, x, u)",
    checks=(
        *shared_checks(
            truth.vjp,
            weighted,
            "u",
            ("u^T J", "a row"),
            differences_or(lambda n, m: (8, "")),
            (
                "f is asked a few times (for each input, where there is no autograd)",
                "torch: one pass backwards with u is enough; without autograd, one refined "
                "difference gives a whole column of J",
            ),
        ),
        relation(
            "is_softmax_backward",
            "for f = softmax, vjp is what softmax_backward computes",
            ("softmax_backward",),
            _is_softmax_backward,
            (Case("six_scores", _scores, "f = softmax"),),
        ),
        relation(
            "is_the_adjoint_of_jvp",
            "(u^T J) v = u^T (J v), with your own jvp",
            ("jvp",),
            _is_the_adjoint,
            [case for case in everyday(weighted) if case.name in ("a_layer", "two_formulas")],
        ),
    ),
    hints=(
        "u^T J is the gradient of the single number u . f(x): weight the outputs first, then "
        "differentiate.",
        "torch: torch.autograd.grad takes u as grad_outputs, and one pass gives all n numbers. "
        "NumPy: a refined difference along each input, times u and summed.",
        "Compare the shape of u with that of f(x) before anything can broadcast; differences "
        "are taken in float64 whatever the dtype of x.",
    ),
    mistakes=(
        *DIFFERENCES,
        Mistake(
            "multiplied_from_the_right",
            "multiplied u into the columns: J u, not u^T J",
            _RETURN,
            "columns = [_derivative_along(f, at, _basis(at, j)) for j in range(at.shape[0])]\n"
            "    return (np.stack(columns, axis=1) @ weights).astype(_as_float(x).dtype)",
        ),
        Mistake(
            "u_ignored",
            "added the rows up without u: the gradient of the sum of the outputs",
            _AT,
            "at, weights = x.astype(np.float64), np.ones(u.shape)",
        ),
        Mistake(
            "mean_of_the_outputs",
            "took the mean over the outputs, not the sum",
            _PRODUCT,
            _PRODUCT.replace(".sum()", ".mean()"),
        ),
        Mistake(
            "weights_normalized",
            "made the weights sum to 1 first: they are what they are",
            _AT,
            f"{_AT}\n    weights = weights / (weights.sum() or 1)",
        ),
        Mistake(
            "weights_normalized_zeros_too",
            "made the weights sum to 1 first: they are what they are",
            _AT,
            f"{_AT}\n    weights = weights / weights.sum()",
        ),
        Mistake(
            "not_summed",
            "multiplied by u and did not sum over the outputs",
            _PRODUCT,
            _PRODUCT.replace(".sum()", ""),
        ),
        Mistake(
            "not_summed_outputs_first",
            "multiplied by u and did not sum over the outputs",
            _PRODUCT,
            _PRODUCT.replace(".sum()", ""),
            also=((_RETURN, _RETURN.replace("(found)", "(found, axis=1)")),),
        ),
        Mistake(
            "weights_after_rounding",
            "treated small weights as 0",
            _AT,
            f"{_AT}\n    weights = np.where(np.abs(weights) < 1e-12, 0, weights)",
        ),
        Mistake(
            "one_call_for_each_entry",
            "took each entry's difference by itself, though one call gives a whole column",
            _PRODUCT,
            "sum(weights[i] * _derivative_along(lambda t: f(t)[i], at, _basis(at, j))"
            " for i in range(len(weights)))",
        ),
        Mistake(
            "float32_throughout",
            "took differences in the dtype of x: float32 has no digits to lose",
            _AT,
            "at, weights = _as_float(x), _as_float(u)",
        ),
        Mistake(
            "shapes_not_compared",
            "did not compare the shape of u with that of f(x)",
            "if u.shape != shape:",
            "if u.size != shape[0]:",
        ),
        Mistake(
            "squeezed",
            "squeezed the result: one input still has its axis",
            _RETURN,
            "return np.stack(found).squeeze().astype(_as_float(x).dtype)",
        ),
        Mistake(
            "divided_by_the_weights",
            "divided by the sum of the weights and multiplied again: 0 / 0 where all are 0",
            _RETURN,
            "total = weights.sum()\n"
            "    return (np.stack(found) / total * total).astype(_as_float(x).dtype)",
        ),
        Mistake(
            "moved_in_place",
            "moved the caller's x, and back",
            _RETURN,
            "x[...] = at + 1\n    x[...] = at\n    " + _RETURN,
        ),
        Mistake(
            "jacobian_by_autograd",
            "formed the Jacobian row by row to multiply it by one vector",
            _GRAD,
            "return u.to(y.dtype) @ jacobian(f, x)",
            track="torch",
        ),
        Mistake(
            "sum_backwards",
            "called backward on the sum of f(x), and left u out",
            _GRAD,
            "return torch.autograd.grad(y.sum(), at)[0]",
            track="torch",
        ),
        Mistake(
            "weights_on_the_cpu",
            "copied u with .cpu(): the GPU waits for it",
            _GRAD,
            "return torch.autograd.grad(y, at, u.detach().cpu().to(y))[0]",
            track="torch",
        ),
    ),
    # A vector that is not contiguous has no other order to be read in, and view takes it too.
    not_broken_by=("memory_order", "viewed"),
    no_bench=F_IS_TIMED,
)
