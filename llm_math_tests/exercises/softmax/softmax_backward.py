"""softmax_backward: a gradient pushed back through softmax."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import Value, plain
from llm_math_tests.checks.compare import expect_array, expect_shape
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import (
    expect_truth,
    gradient_flows,
    gradient_matches,
    result_dtype,
    values,
)
from llm_math_tests.checks.situations import changed, ordinary, refused
from llm_math_tests.checks.truth import extended
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Case, Check, Exercise, Inputs, Mistake, Refusal
from llm_math_tests.exercises.benches import matrix_bench
from llm_math_tests.exercises.softmax import yardsticks
from llm_math_tests.exercises.softmax.gradients import (
    certain_rows,
    long_gradients,
    opposite,
    other_shape,
    scaled,
    wide,
)
from llm_math_tests.exercises.softmax.situations import backward_rows, both_along, upstream
from llm_math_tests.exercises.softmax.slips import of_every_axis
from llm_math_tests.truths import softmax as truth

AXES = tuple(both_along(axis) for axis in (0, 1, -2, -3))


def _forward_at(inputs: Inputs) -> tuple[Inputs, Value]:
    """Scores that give these probabilities: their logarithms."""
    point: Inputs = {"logits": np.log(extended(inputs["probs"]))}
    if "axis" in inputs:
        point["axis"] = inputs["axis"]
    return point, inputs["grad_output"]


def _sums_to_zero(answer: Answer, inputs: Inputs) -> None:
    got = expect_array(answer(inputs), answer.track)
    wanted = truth.softmax_backward(**inputs)
    expect_shape(got, wanted.value.shape)
    axis = inputs.get("axis", -1)
    dtype = result_dtype(inputs, answer.track)
    total = extended(got).sum(axis=axis)
    # What is left of the sum is there because the probabilities' own sum was rounded.
    allowed = wanted.allowance(dtype).sum(axis=axis) + np.abs(wanted.value.sum(axis=axis))
    if not (np.abs(total) <= allowed).all():
        worst = int(np.argmax(np.where(np.isnan(total), np.inf, np.abs(total))))
        raise Wrong(
            "a gradient that sums to 0",
            f"a sum of {float(total.flat[worst]):.3g}",
            allowed=f"{float(allowed.flat[worst]):.1e}: {wanted.why(dtype)}, summed",
        )


def _ignores_a_constant(answer: Answer, inputs: Inputs) -> None:
    expect_truth(answer, answer(inputs), truth.softmax_backward(**inputs), "float64")
    raised = {**inputs, "grad_output": inputs["grad_output"] + 64.0}
    expect_truth(answer, answer(raised), truth.softmax_backward(**raised), "float64")
    level = {**inputs, "grad_output": np.full_like(inputs["grad_output"], 3.0)}
    expect_truth(answer, answer(level), truth.softmax_backward(**level), "float64")


def _builds_no_jacobian(answer: Answer, inputs: Inputs) -> None:
    n = plain(inputs["probs"]).shape[-1]
    answer(inputs)  # what a library sets up on its first call is not the answer's
    reply = answer.ask(inputs, measure_memory=True)
    expect_truth(
        answer, reply.value, truth.softmax_backward(**inputs), result_dtype(inputs, answer.track)
    )
    allowed = n * n * 8 // 4
    if reply.peak_bytes is not None and reply.peak_bytes > allowed:
        raise Wrong(
            f"memory for a few rows of {n} (at most {allowed / 1e6:.0f} MB, "
            "a quarter of the Jacobian)",
            f"{reply.peak_bytes / 1e6:.0f} MB at the peak",
            note="the product of the Jacobian and g needs one sum, not the Jacobian",
        )


sums_to_zero = Check(
    "sums_to_zero",
    "core",
    "the gradient sums to 0 along the axis",
    _sums_to_zero,
    ordinary(upstream, both_along(0)),
)

ignores_a_constant_gradient = Check(
    "ignores_a_constant_gradient",
    "core",
    "a constant added to the incoming gradient changes nothing",
    _ignores_a_constant,
    (Case("plus_64", lambda rng: upstream(rng, "float64", (3,))),),
)

builds_no_jacobian = Check(
    "builds_no_jacobian",
    "contract",
    "memory grows with n, not with n squared",
    _builds_no_jacobian,
    (Case("a_row_of_2000", lambda rng: wide(rng, 1, 2000, "float64"), "one row of 2000"),),
)


_MEAN = "mean = out.sum(axis=axis, keepdims=True)"
_RETURN = "return out.astype(dtype, copy=False)"

EXERCISE = Exercise(
    name="softmax_backward",
    topic="softmax",
    signature="softmax_backward(grad_output, probs, axis=-1)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "p times (g minus the mean of g under p)",
            truth.softmax_backward,
            ordinary(upstream, *AXES),
            points=2,
        ),
        gradient_matches(truth.softmax, _forward_at, ["logits"], ordinary(upstream, both_along(0))),
        sums_to_zero,
        ignores_a_constant_gradient,
        gradient_flows(
            truth.softmax_backward,
            (*ordinary(upstream), both_along(0)),
            through=["grad_output", "probs"],
        ),
        values(
            "survives_large_gradients",
            "stable",
            "large gradients keep their digits",
            truth.softmax_backward,
            (
                scaled("float32", 1e4, "float32", "gradients up to 1e4"),
                Case("float16", opposite, "gradients of 6e4 and -6e4"),
                Case(
                    "nearly_equal",
                    lambda rng: changed(
                        upstream, grad_output=1e4 + rng.uniform(-1e-3, 1e-3, (3, 5))
                    )(rng),
                    "gradients of 1e4 that differ by 1e-3",
                ),
            ),
        ),
        values(
            "survives_tiny_gradients",
            "stable",
            "tiny gradients are not lost",
            truth.softmax_backward,
            (scaled("float32", 1e-30, "float32", "gradients up to 1e-30"),),
        ),
        values(
            "handles_certain_rows",
            "stable",
            "a probability of 0 gets gradient 0, and so does one of 1",
            truth.softmax_backward,
            certain_rows(),
        ),
        values(
            "handles_long_rows",
            "stable",
            "rows of any length work",
            truth.softmax_backward,
            long_gradients(),
        ),
        *contract(
            upstream,
            truth.softmax_backward,
            refusals=(
                refused(upstream, "axis", 2),
                refused(upstream, "axis", -3),
                Refusal("other_shape", other_shape, "grad_output", "(1, 5)"),
            ),
        ),
        builds_no_jacobian,
    ),
    scaled=("grad_output",),
    hints=(
        "Each score moves every probability of its row. Write the Jacobian diag(p) - p p^T "
        "times g as two products: what does each of them cost?",
        "p p^T g is p times a single number: the mean of g under p. It needs one sum along "
        "the axis (keepdims=True).",
        "Sum float16 in float32 and convert back at the end; compare the two shapes before "
        "anything can broadcast.",
    ),
    mistakes=(
        Mistake(
            "diagonal_only",
            "used only the diagonal p (1 - p), as if each probability depended on its own "
            "score alone",
            "np.subtract(g, mean, out=out)",
            "out = g * (1 - p)",
        ),
        Mistake(
            "mean_left_out",
            "multiplied by p and left out the sum",
            "np.subtract(g, mean, out=out)",
            "out = g + 0",
        ),
        Mistake(
            "mean_added",
            "added the sum instead of subtracting it",
            "np.subtract(g, mean, out=out)",
            "np.add(g, mean, out=out)",
        ),
        Mistake(
            "plain_mean_of_the_gradient",
            "subtracted the plain mean of g, not the mean under p",
            _MEAN,
            "mean = g.mean(axis=axis, keepdims=True)",
        ),
        Mistake(
            "plain_sum_of_the_gradient",
            "summed g without multiplying by p",
            _MEAN,
            "mean = g.sum(axis=axis, keepdims=True)",
        ),
        Mistake("not_times_p", "left out the factor p in front", "out *= p", "out *= 1"),
        Mistake(
            "over_the_whole_array",
            "summed over the whole array, not along the axis",
            _MEAN,
            "mean = out.sum()",
        ),
        *of_every_axis("probs"),
        Mistake(
            "logits_expected",
            "took softmax once more: the second argument already holds probabilities",
            "p = _widened(_as_float(probs))",
            "p = np.exp(_widened(_as_float(probs)))\n    p /= p.sum(axis=axis, keepdims=True)",
        ),
        Mistake(
            "jacobian_built",
            "built the n x n Jacobian to multiply by it",
            _RETURN,
            "q = np.moveaxis(p, axis, -1)\n"
            "    eye = np.eye(q.shape[-1], dtype=q.dtype)\n"
            "    jacobian = q[..., :, None] * eye - q[..., :, None] * q[..., None, :]\n"
            "    out = np.matmul(jacobian, np.moveaxis(g, axis, -1)[..., None])[..., 0]\n"
            "    return np.moveaxis(out, -1, axis).astype(dtype, copy=False)",
            also=(("out *= p", ""),),
        ),
        Mistake(
            "half_precision_sum",
            "summed in float16, where adding to a large sum changes nothing",
            _MEAN,
            "low = out.astype(dtype)\n"
            "    mean = np.add.accumulate(low, axis=axis, dtype=dtype).take([-1], axis=axis)",
        ),
        Mistake(
            "product_in_float16",
            "multiplied and subtracted in float16, where 6e4 + 6e4 is inf",
            "g = _widened(_as_float(grad_output))",
            "g = _as_float(grad_output)",
            also=(("p = _widened(_as_float(probs))", "p = _as_float(probs)"),),
        ),
        Mistake(
            "small_gradients_cut",
            "treated small gradients as 0",
            _MEAN,
            "none = np.abs(g) < 1e-12\n"
            "    g, out[none] = np.where(none, 0 * g, g), 0\n"
            f"    {_MEAN}",
        ),
        Mistake(
            "divided_by_p",
            "went through the logarithm: 0 / 0 where a probability is 0",
            "out *= p",
            "out *= p * p / p",
        ),
        Mistake(
            "probabilities_detached",
            "detached the probabilities from autograd",
            "_widened(probs)",
            "_widened(probs).detach()",
            track="torch",
        ),
    ),
    bench=matrix_bench(backward_rows, 3, 4, yardsticks.SOFTMAX_BACKWARD),
)
