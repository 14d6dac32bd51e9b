"""What students do wrong in numerical_jacobian."""

from __future__ import annotations

from llm_math_tests.exercise import Mistake

_UP = "up[j] += eps"
_DOWN = "down[j] -= eps"
_COPIES = "up, down = at.copy(), at.copy()"
_QUOTIENT = "(f(up) - f(down)) / (up[j] - down[j])"
_AT = "at = x.astype(np.float64)"

MISTAKES = (
    Mistake(
        "forward_difference",
        "moved one way only: the error then falls with eps, not with its square",
        _QUOTIENT,
        "(f(up) - f(at)) / eps",
    ),
    Mistake(
        "divided_by_eps",
        "divided by eps: the two points are 2 eps apart",
        _QUOTIENT,
        "(f(up) - f(down)) / eps",
    ),
    Mistake(
        "divided_by_two_eps",
        "divided by 2 eps: far from 0 the points are not quite that far apart",
        _QUOTIENT,
        "(f(up) - f(down)) / (2 * eps)",
    ),
    Mistake(
        "rows_and_columns_swapped",
        "stacked the columns as rows: a row belongs to an output, a column to an input",
        "np.stack(columns, axis=1)",
        "np.stack(columns, axis=0)",
    ),
    Mistake(
        "wrong_way_around",
        "subtracted the wrong way around, and so lost the sign",
        _QUOTIENT,
        "(f(down) - f(up)) / (up[j] - down[j])",
    ),
    Mistake(
        "all_coordinates_moved",
        "moved every coordinate at once, not one at a time",
        _UP,
        "up += eps",
        also=((_DOWN, "down -= eps"),),
    ),
    Mistake(
        "not_put_back",
        "moved one copy for all columns and did not put it back: each column is taken at "
        "another point",
        _COPIES,
        "up, down = at, at.copy()",
    ),
    Mistake(
        "moved_in_place",
        "moved the coordinates of the caller's x",
        _AT,
        "at = x if x.dtype == np.float64 else x.astype(np.float64)",
        also=((_COPIES, "up, down = at, at.copy()"),),
    ),
    Mistake(
        "eps_ignored",
        "always moved by 1e-6, whatever eps says",
        _COPIES,
        f"eps = 1e-6\n        {_COPIES}",
    ),
    Mistake(
        "half_a_step",
        "moved by half of eps each way",
        _UP,
        "up[j] += eps / 2",
        also=((_DOWN, "down[j] -= eps / 2"),),
    ),
    Mistake(
        "step_relative_to_x",
        "made the step as large as x: at 0 there is none",
        _UP,
        "up[j] += eps * abs(at[j])",
        also=((_DOWN, "down[j] -= eps * abs(at[j])"),),
    ),
    Mistake(
        "second_difference",
        "took the second difference, which gives the second derivative",
        _QUOTIENT,
        "(f(up) - 2 * f(at) + f(down)) / eps**2",
    ),
    Mistake(
        "dtype_kept",
        "moved x in its own dtype: adding 1e-6 to a float32 changes its last digit",
        _AT,
        "at = _as_float(x).copy()",
    ),
    Mistake(
        "integers_moved",
        "moved integers: adding eps leaves them where they are",
        _UP,
        "kind = at.dtype if x.dtype.kind == 'f' else x.dtype\n"
        "        up = up.astype(kind)\n        up[j] = up[j] + eps",
        also=((_DOWN, "down = down.astype(kind)\n        down[j] = down[j] - eps"),),
    ),
    Mistake(
        "result_in_the_dtype_of_x",
        "rounded the result to the dtype of x",
        "np.stack(columns, axis=1)",
        "np.stack(columns, axis=1).astype(_as_float(x).dtype)",
    ),
    Mistake(
        "one_call_for_each_entry",
        "called f anew for every output, though one call gives them all",
        f"columns.append({_QUOTIENT})",
        f"columns.append(np.stack([({_QUOTIENT})[i] for i in range(len(f(at)))]))",
    ),
    Mistake(
        "single_column_flattened",
        "squeezed the result: one input or output still has its axis",
        "np.stack(columns, axis=1)",
        "np.stack(columns, axis=1).squeeze()",
    ),
    Mistake(
        "steps_on_the_cpu",
        "made the unit vectors without device=x.device: they are on the CPU",
        "up, down = at.clone(), at.clone()",
        "step = torch.zeros(at.shape, dtype=at.dtype)\n            up, down = at + step, at - step",
        track="torch",
    ),
)
