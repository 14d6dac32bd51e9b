"""jvp: the derivative along one direction, without the Jacobian."""

from __future__ import annotations

from llm_math_tests.exercise import Exercise, Mistake
from llm_math_tests.exercises.jacobian.products import shared_checks
from llm_math_tests.exercises.jacobian.promises import F_IS_TIMED
from llm_math_tests.exercises.jacobian.situations import along
from llm_math_tests.exercises.jacobian.slips import DIFFERENCES
from llm_math_tests.truths import jacobian as truth


def _calls(track: str, n: int, m: int) -> tuple[int, str]:
    return (8 if track == "torch" else 16), ""


_AT = "at, along = x.astype(np.float64), v.astype(np.float64)"
_LENGTH = "length = np.sqrt((along * along).sum())"
_UNIT = "unit = along / np.where(length > 0, length, 1.0)"
_RETURN = "return (_derivative_along(f, at, unit) * length).astype(_as_float(x).dtype)"
_ALL = "np.stack([_derivative_along(f, at, _basis(at, j)) for j in range(len(at))], axis=1)"

EXERCISE = Exercise(
    name="jvp",
    topic="jacobian",
    signature="jvp(f, x, v)",
    checks=shared_checks(
        truth.jvp,
        along,
        "v",
        ("J v", "a column"),
        _calls,
        (
            "f is asked a fixed number of times, however many inputs there are",
            "one derivative along v is enough: the Jacobian is not needed",
        ),
    ),
    hints=(
        "J v is the derivative of f(x + t v) with respect to the single number t, at t = 0: "
        "what can autograd, or a difference, do with that?",
        "torch: torch.autograd.forward_ad makes a dual number of x and v. NumPy: "
        "(f(x + h v) - f(x - h v)) / (2 h), refined as in jacobian.",
        "NumPy: how far x moves is h times the length of v. Divide v by its length first, "
        "multiply at the end, and think of a v of zeros.",
    ),
    mistakes=(
        *DIFFERENCES,
        Mistake(
            "jacobian_formed",
            "formed the whole Jacobian to multiply it by one vector",
            _RETURN,
            f"return ({_ALL} @ along).astype(_as_float(x).dtype)",
        ),
        Mistake(
            "length_left_out",
            "gave the derivative along the unit vector, and did not multiply by the length of v",
            _RETURN,
            _RETURN.replace(
                "(_derivative_along(f, at, unit) * length)", "_derivative_along(f, at, unit)"
            ),
        ),
        Mistake(
            "v_not_made_a_unit_vector",
            "stepped along v as it is: a long v goes too far, a short one nowhere",
            _UNIT,
            "unit, length = along, 1.0",
        ),
        Mistake(
            "divided_by_no_length",
            "divided v by its length, which is 0 for a v of zeros",
            _UNIT,
            "unit = along / length",
        ),
        Mistake(
            "length_squared",
            "forgot the root: v divided by the square of its length, and multiplied by it",
            _LENGTH,
            "length = (along * along).sum()",
        ),
        Mistake(
            "multiplied_from_the_left",
            "multiplied v into the rows: v^T J, not J v",
            _RETURN,
            f"return (along @ {_ALL}).astype(_as_float(x).dtype)",
        ),
        Mistake(
            "v_ignored",
            "moved along (1, ..., 1), whatever v says",
            _LENGTH,
            "along = np.ones_like(along)\n    length = np.sqrt((along * along).sum())",
        ),
        Mistake(
            "float32_throughout",
            "took differences in the dtype of x: float32 has no digits to lose",
            _AT,
            "at, along = _as_float(x), _as_float(v)",
        ),
        Mistake(
            "shapes_not_compared",
            "did not compare the shape of v with that of x",
            "if v.shape != x.shape:",
            "if v.size != x.size:",
        ),
        Mistake(
            "squeezed",
            "squeezed the result: one output still has its axis",
            _RETURN,
            _RETURN.replace("* length)", "* length).squeeze()"),
        ),
        Mistake(
            "moved_in_place",
            "moved the caller's x along v, and back",
            _RETURN,
            "x[...] = at + unit\n    x[...] = at\n    " + _RETURN,
        ),
        Mistake(
            "backwards",
            "went backwards with v: that is v^T J",
            "with forward_ad.dual_level():",
            "at, y = _traced(f, x)\n"
            "    return torch.autograd.grad(y, at, v.to(y.dtype))[0]\n"
            "    with forward_ad.dual_level():",
            track="torch",
        ),
        Mistake(
            "jacobian_by_autograd",
            "formed the Jacobian row by row to multiply it by one vector",
            "with forward_ad.dual_level():",
            "return jacobian(f, x) @ v.to(at.dtype)\n    with forward_ad.dual_level():",
            track="torch",
        ),
        Mistake(
            "differences_in_torch",
            "took a difference where autograd gives the derivative itself",
            "with forward_ad.dual_level():",
            "return (f(at + 1e-4 * v) - f(at - 1e-4 * v)) / 2e-4\n"
            "    with forward_ad.dual_level():",
            track="torch",
        ),
    ),
    # A vector that is not contiguous has no other order to be read in, and view takes it too.
    not_broken_by=("memory_order", "viewed"),
    no_bench=F_IS_TIMED,
)
