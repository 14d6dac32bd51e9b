"""jacobian: every derivative, by autograd or by refined differences."""

from __future__ import annotations

from llm_math_tests.answers.answer import Answer
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import expect_same, relation
from llm_math_tests.exercise import Exercise, Inputs, Mistake
from llm_math_tests.exercises.jacobian.promises import (
    F_IS_TIMED,
    asks_little,
    differences_or,
    differentiates,
)
from llm_math_tests.exercises.jacobian.situations import (
    bent,
    everyday,
    far,
    flat,
    forty,
    high_up,
    matrices,
    near_zero,
    no_aim,
    not_a_vector,
    sampled,
    single,
)
from llm_math_tests.exercises.jacobian.slips import DIFFERENCES
from llm_math_tests.truths import jacobian as truth

SAMPLE = sampled(no_aim)


def _agrees_with_plain_differences(answer: Answer, inputs: Inputs, numerical: Answer) -> None:
    mine, plain = answer(inputs), numerical(inputs)
    size = truth.jacobian(**inputs).scale
    # 32 roundings are what expect_same allows; a millionth is what plain differences are off by.
    expect_same(answer, mine, plain, float(size) * 1e-6 / (32 * 2.0**-52), "a millionth of J")


_COLUMNS = "columns = [_derivative_along(f, at, _basis(at, j)) for j in range(at.shape[0])]"
_RETURN = "return np.stack(columns, axis=1).astype(_as_float(x).dtype)"
_AT = "at = x.astype(np.float64)"
_GRAD = "rows.append(torch.autograd.grad(y, at, u, retain_graph=True)[0])"

EXERCISE = Exercise(
    name="jacobian",
    topic="jacobian",
    signature="jacobian(f, x)",
    checks=(
        differentiates(
            "matches_the_derivatives",
            "core",
            "a row for each output, a column for each input",
            truth.jacobian,
            everyday(no_aim),
            points=2,
        ),
        differentiates(
            "gives_a_matrix_back",
            "core",
            "the Jacobian of x -> A x is A",
            truth.jacobian,
            matrices(no_aim),
        ),
        relation(
            "agrees_with_numerical_jacobian",
            "jacobian and numerical_jacobian agree to a millionth",
            ("numerical_jacobian",),
            _agrees_with_plain_differences,
            [case for case in everyday(no_aim) if case.name in ("a_layer", "softmax")],
        ),
        differentiates(
            "survives_large_values",
            "stable",
            "values 10000 times as large as the derivatives cost no digits",
            truth.jacobian,
            high_up(no_aim),
        ),
        differentiates(
            "survives_points_far_from_zero",
            "stable",
            "x up to 10000 is as good as any",
            truth.jacobian,
            far(no_aim),
        ),
        differentiates(
            "survives_points_near_zero",
            "stable",
            "x = 0 and next to it are as good as any",
            truth.jacobian,
            near_zero(no_aim),
        ),
        differentiates(
            "survives_steep_functions",
            "stable",
            "large higher derivatives cost no digits",
            truth.jacobian,
            bent(no_aim),
        ),
        differentiates(
            "handles_constants_and_single_numbers",
            "stable",
            "a constant has derivative 0; one input or output still gives a matrix",
            truth.jacobian,
            (*flat(no_aim), *single(no_aim)),
        ),
        *contract(
            SAMPLE,
            truth.jacobian,
            batched=False,
            connected=False,
            refusals=(not_a_vector(no_aim),),
        ),
        asks_little(
            truth.jacobian,
            differences_or(lambda n, m: (4 * (n + m) + 4, "4 (n + m) + 4")),
            "f is asked a few times for each input (in torch, or output), not for each entry",
            (forty(no_aim),),
            "one call (or pass) gives a whole column (or row) of derivatives",
        ),
    ),
    hints=(
        "A row of J is the gradient of one output, a column says how all outputs move with one "
        "input. Which of the two does autograd give, and which a difference?",
        "torch: torch.autograd.grad with a unit vector, and retain_graph=True keeps the graph "
        "for the next row. NumPy: the error of a central difference is c h^2 and more; which "
        "mixture of two steps has no h^2 left?",
        "NumPy: (4 D(h/2) - D(h)) / 3, and once more with 16 and 15; in float64 from a step of "
        "about 0.1, whatever the dtype of x.",
    ),
    mistakes=(
        *DIFFERENCES,
        Mistake(
            "rows_and_columns_swapped",
            "stacked the columns as rows: a row belongs to an output, a column to an input",
            _RETURN,
            _RETURN.replace("axis=1", "axis=0"),
        ),
        Mistake(
            "sum_of_the_outputs",
            "differentiated the sum of the outputs, which adds up the rows",
            _RETURN,
            "return np.stack(columns, axis=1).sum(axis=0).astype(_as_float(x).dtype)",
        ),
        Mistake(
            "first_output_only",
            "differentiated the first output only",
            _RETURN,
            "return np.stack(columns, axis=1)[:1].astype(_as_float(x).dtype)",
        ),
        Mistake(
            "float32_throughout",
            "took differences in the dtype of x: float32 has no digits to lose",
            _AT,
            "at = _as_float(x)",
        ),
        Mistake(
            "squeezed",
            "squeezed the result: one input or output still has its axis",
            _RETURN,
            "return np.stack(columns, axis=1).squeeze().astype(_as_float(x).dtype)",
        ),
        Mistake(
            "one_call_for_each_entry",
            "took each entry's difference by itself, though one call gives a whole column",
            _COLUMNS,
            "columns = [\n"
            "        np.stack([_derivative_along(lambda t: f(t)[i], at, _basis(at, j))\n"
            "                  for i in range(f(at).shape[0])])\n"
            "        for j in range(at.shape[0])\n"
            "    ]",
        ),
        Mistake(
            "moved_in_place",
            "moved the coordinates of the caller's x",
            _AT,
            "at = x.astype(np.float64, copy=False)",
            also=(
                (
                    _COLUMNS,
                    "def moved(j, h):\n"
                    "        at[j] += h\n"
                    "        y = f(at)\n"
                    "        at[j] -= h\n"
                    "        return y\n"
                    "    columns = [\n"
                    "        _derivative_along(lambda t: moved(j, t[0]), np.zeros(1), np.ones(1))\n"
                    "        for j in range(at.shape[0])\n"
                    "    ]",
                ),
            ),
        ),
        Mistake(
            "graph_freed",
            "let the graph go after the first row: retain_graph=True keeps it",
            _GRAD,
            _GRAD.replace(", retain_graph=True", ""),
            track="torch",
        ),
        Mistake(
            "differences_in_torch",
            "took differences where autograd gives the derivative itself",
            "at, y = _traced(f, x)",
            "return numerical_jacobian(f, x).to(_as_float(x).dtype)",
            track="torch",
        ),
        Mistake(
            "made_on_the_cpu",
            "made the matrix without device=x.device: it is on the CPU",
            "return torch.stack(rows)",
            "found = torch.zeros((len(rows), len(at)), dtype=at.dtype)\n"
            "    for i, row in enumerate(rows):\n"
            "        found[i] = row\n"
            "    return found",
            track="torch",
        ),
    ),
    # A vector that is not contiguous has no other order to be read in, and view takes it too.
    not_broken_by=("memory_order", "viewed"),
    no_bench=F_IS_TIMED,
)
