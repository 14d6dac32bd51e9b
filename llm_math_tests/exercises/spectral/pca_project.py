"""pca_project: coordinates along the components."""

from __future__ import annotations

import numpy as np

from llm_math_tests import habits
from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import cast
from llm_math_tests.checks.compare import expect_array, expect_shape
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import gradient_flows, result_dtype, values
from llm_math_tests.checks.situations import Rng, misshapen, ordinary
from llm_math_tests.checks.truth import extended
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Case, Check, Exercise, Inputs, Mistake
from llm_math_tests.exercises.spectral.situations import bench, coordinates, orthonormal
from llm_math_tests.truths import spectral as truth


def _has_mean_zero(answer: Answer, inputs: Inputs) -> None:
    z = expect_array(answer(inputs), answer.track)
    wanted = truth.pca_project(**inputs)
    expect_shape(z, wanted.value.shape)
    mean = extended(z).mean(axis=-2)
    allowed = wanted.allowance(result_dtype(inputs, answer.track)).mean(axis=-2)
    if not (np.abs(mean) <= allowed).all():
        worst = int(np.argmax(np.abs(mean) / allowed))
        raise Wrong(
            "coordinates whose mean over the rows is 0",
            f"a mean of {float(mean.flat[worst]):.9g}",
            allowed=f"{float(allowed.flat[worst]):.1e}",
        )


has_mean_zero = Check(
    "has_mean_zero",
    "core",
    "the coordinates have mean 0 over the rows",
    _has_mean_zero,
    ordinary(coordinates),
)


def _sized(name: str, size: float, dtype: str, mean: float = 0.0) -> Case:
    def make(rng: Rng) -> Inputs:
        x = rng.uniform(-size, size, (7, 4)) + mean
        return {"x": cast(x, dtype), "components": cast(orthonormal(rng, 4, 2).T, dtype)}

    note = f"numbers up to {size:g}" + (f" around {mean:g}" if mean else "")
    return Case(name, make, note)


def _shaped(name: str, note: str, n: int, d: int, k: int, dtype: str = "float64") -> Case:
    def make(rng: Rng) -> Inputs:
        x = rng.normal(3, 1, (n, d))
        return {"x": cast(x, dtype), "components": cast(orthonormal(rng, d, k).T, dtype)}

    return Case(name, make, note)


def _shared(rng: Rng) -> Inputs:
    """One set of components for several tables."""
    return {**coordinates(rng, "float64", (3,)), "components": orthonormal(rng, 4, 2).T}


def _any_rows(rng: Rng) -> Inputs:
    """Components that are not orthonormal: the formula is the same."""
    return {**coordinates(rng), "components": rng.normal(0, 2, (3, 4))}


def _large(rng: Rng, dtype: str, n: int, d: int) -> Inputs:
    x = rng.standard_normal((n, d), "float32")
    return {"x": x.astype(dtype), "components": orthonormal(rng, d, 16).T.astype(dtype)}


_CENTRED = "rows = rows - rows.mean(axis=-2, keepdims=True)"
_PRODUCT = "out = rows @ _widened(_as_float(components)).swapaxes(-1, -2)"

EXERCISE = Exercise(
    name="pca_project",
    topic="spectral",
    signature="pca_project(x, components)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "(x - m) V^T",
            truth.pca_project,
            ordinary(
                coordinates,
                Case("shared_components", _shared, "the same components for three tables"),
                Case("any_components", _any_rows, "components that are not orthonormal"),
                _shaped("one_component", "one component", 5, 3, 1),
                _shaped("all_components", "as many components as columns", 5, 3, 3),
            ),
            points=2,
        ),
        has_mean_zero,
        gradient_flows(truth.pca_project, ordinary(coordinates), ["x", "components"]),
        values(
            "survives_a_large_mean",
            "stable",
            "the mean goes before the product, and the digits stay",
            truth.pca_project,
            (
                _sized("float32_1e4", 1.0, "float32", 1e4),
                _sized("float64_1e8", 1.0, "float64", 1e8),
                _sized("float16_1000", 4.0, "float16", 1000.0),
            ),
        ),
        values(
            "survives_any_size",
            "stable",
            "large and tiny numbers keep their digits",
            truth.pca_project,
            (
                _sized("float32_1e4", 1e4, "float32"),
                _sized("float16_6e4", 6e4, "float16"),
                _sized("float32_1e_minus_30", 1e-30, "float32"),
            ),
        ),
        values(
            "handles_long_and_single_axes",
            "stable",
            "many rows, many columns, one row and one column work",
            truth.pca_project,
            (
                _shaped("float32_3000_rows", "3000 rows", 3000, 2, 1, "float32"),
                _shaped("float16_4000_columns", "4000 columns", 3, 4000, 2, "float16"),
                _shaped("one_row", "one row, which is its own mean", 1, 3, 2),
                _shaped("one_column", "one column", 4, 1, 1),
            ),
        ),
        *contract(
            coordinates,
            truth.pca_project,
            refusals=(
                misshapen(coordinates, "components", (2, 5)),
                misshapen(coordinates, "components", (4, 2)),
                misshapen(coordinates, "components", (4,)),
                misshapen(coordinates, "x", (4,)),
            ),
        ),
    ),
    scaled=("x",),
    hints=(
        "A coordinate along v is a dot product with v. What has to be subtracted first, so that "
        "the coordinates tell how a row differs from the others?",
        "One component is one row of V: transpose it (its last two axes, where there are more) "
        "and multiply once. The mean runs over the rows, axis -2.",
    ),
    mistakes=(
        Mistake(
            "not_centred", "did not subtract the mean of the rows", _CENTRED, "rows = rows + 0"
        ),
        Mistake(
            "mean_of_each_row",
            "subtracted from each row its own mean, not the mean of the rows",
            _CENTRED,
            "rows = rows - rows.mean(axis=-1, keepdims=True)",
        ),
        Mistake(
            "one_mean_for_all",
            "subtracted one mean of all the numbers, not one for each column",
            _CENTRED,
            "rows = rows - (rows.mean() if rows.size else 0)",
        ),
        Mistake(
            "mean_over_the_batch",
            "took the mean along axis 0, which is the rows only where there are no leading axes",
            _CENTRED,
            "rows = rows - (rows.mean(axis=0) if rows.size else 0)",
        ),
        Mistake(
            "standardized",
            "divided each column by its standard deviation as well",
            _CENTRED,
            "rows = rows - rows.mean(axis=-2, keepdims=True)\n"
            "    spread = rows.std(axis=-2, keepdims=True)\n"
            "    rows = rows / (spread + (spread == 0))",
        ),
        Mistake(
            "projected_back",
            "multiplied by V as well: that is the reconstruction, less the mean",
            "return out.astype(_as_float(x).dtype, copy=False)",
            "out = out @ _widened(_as_float(components))\n"
            "    return out.astype(_as_float(x).dtype, copy=False)",
        ),
        Mistake(
            "scaled_by_the_norm",
            "divided by the components' squared lengths: the formula takes them as they are",
            _PRODUCT,
            "v = _widened(_as_float(components))\n"
            "    out = rows @ (v / (v * v).sum(axis=-1, keepdims=True)).swapaxes(-1, -2)",
        ),
        Mistake(
            "every_axis_reversed",
            "transposed with .T, which reverses the leading axes too",
            _PRODUCT,
            "out = rows @ _widened(_as_float(components)).T",
        ),
        Mistake(
            "centred_in_float16",
            "took the mean and the differences in float16, whose numbers are 32 apart at 6e4",
            _CENTRED,
            "rows = _as_float(x)\n"
            "    rows = rows - rows.mean(axis=-2, keepdims=True)\n"
            "    rows = _widened(rows)",
        ),
        Mistake(
            "centred_after_the_product",
            "projected first, in float16, and subtracted the mean from the result",
            _PRODUCT,
            "v = _as_float(components).swapaxes(-1, -2)\n"
            "    out = _as_float(x) @ v\n"
            "    out = out - out.mean(axis=-2, keepdims=True)",
        ),
        Mistake(
            "small_differences_cut",
            "treated small differences from the mean as 0",
            _CENTRED,
            "rows = rows - rows.mean(axis=-2, keepdims=True)\n"
            "    rows = np.where(np.abs(rows) < 1e-12, 0 * rows, rows)",
        ),
        Mistake(
            "shapes_not_compared",
            "took a (d, k) matrix where the components are rows",
            "components.ndim < 2 or components.shape[-1] != x.shape[-1]",
            "components.ndim < 2",
            also=(
                (
                    _PRODUCT,
                    "v = _widened(_as_float(components))\n"
                    "    out = rows @ (v if v.shape[-1] != x.shape[-1] else v.swapaxes(-1, -2))",
                ),
            ),
        ),
        habits.SUMMED_IN_HALF,
        Mistake(
            "components_detached",
            "detached the components from autograd",
            "_widened(_as_float(components)).mT",
            "_widened(_as_float(components)).detach().mT",
            track="torch",
        ),
    ),
    bench=bench(
        _large,
        ((1024, 256), (8192, 1024)),
        lambda n, d: n * d + 16 * (n + d),
        lambda n, d: 2 * n * d + 2 * n * d * 16,
        {},
    ),
)
