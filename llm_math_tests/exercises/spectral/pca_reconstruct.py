"""pca_reconstruct: back from the coordinates to the original space."""

from __future__ import annotations

import numpy as np

from llm_math_tests import habits
from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import cast
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import expect_same, gradient_flows, relation, values
from llm_math_tests.checks.situations import Rng, misshapen, ordinary
from llm_math_tests.checks.truth import extended
from llm_math_tests.exercise import Case, Exercise, Inputs, Mistake
from llm_math_tests.exercises.spectral.promises import own, pair
from llm_math_tests.exercises.spectral.situations import (
    VARIANCES,
    bench,
    orthonormal,
    reduced,
    table,
)
from llm_math_tests.truths import spectral as truth


def _loses_what_was_left_out(answer: Answer, inputs: Inputs, pca: Answer, project: Answer) -> None:
    """The inputs are coordinates of a table of their own, whose mean and spectrum we know."""
    x = np.ascontiguousarray(inputs["z"] @ inputs["components"] + inputs["mean"])
    mean = x.mean(axis=0)
    everything, variance = pair(pca, own(pca, {"x": x, "k": x.shape[1]}), "components, variances")
    components = np.ascontiguousarray(everything[:2])
    z = own(project, {"x": x, "components": components})
    back = answer({"z": z, "components": components, "mean": mean})
    lost = (extended(x) - extended(back)) ** 2
    got = (lost.sum() / (len(x) - 1)).astype("float64")
    wanted = extended(variance)[2:].sum().astype("float64")
    expect_same(
        answer, np.asarray(got), np.asarray(wanted), float(extended(variance).sum()),
        "the total variance", terms=x.size,
    )  # fmt: skip


def _whole_table(rng: Rng) -> Inputs:
    x = table(rng, VARIANCES, 9, 4, (1.0, -2.0, 3.0, 0.5))
    # Any exact way to write the table: all its coordinates along the axes, around its mean.
    return {"z": x - x.mean(axis=0), "components": np.eye(4), "mean": x.mean(axis=0)}


def _sized(name: str, size: float, dtype: str) -> Case:
    def make(rng: Rng) -> Inputs:
        return {
            "z": cast(rng.uniform(-size, size, (5, 2)), dtype),
            "components": cast(orthonormal(rng, 4, 2).T, dtype),
            "mean": cast(rng.uniform(-size, size, 4), dtype),
        }

    return Case(name, make, f"numbers up to {size:g}")


def _shaped(name: str, note: str, n: int, k: int, d: int, dtype: str = "float64") -> Case:
    def make(rng: Rng) -> Inputs:
        return {
            "z": cast(rng.normal(0, 1, (n, k)), dtype),
            "components": cast(rng.normal(0, 1, (k, d)) / np.sqrt(k), dtype),
            "mean": cast(rng.normal(0, 1, d), dtype),
        }

    return Case(name, make, note)


def _cancelling(rng: Rng) -> Inputs:
    """Products, and sums of them, beyond float16, which others bring back into its range."""
    return {
        "z": cast(rng.uniform(3.9e4, 4.1e4, (4, 2)), "float16"),
        "components": cast([[2.0, 1.5, 1.0], [-1.0, 0.5, 1.0]], "float16"),
        "mean": cast([1e3, -4e4, -5e4], "float16"),
    }


def _one_mean(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Ordinary coordinates around one mean, so that ``z V + m`` is right as it stands."""
    return {**reduced(rng, dtype, batch), "mean": cast(rng.normal(0, 3, 4), dtype)}


def _shared(rng: Rng) -> Inputs:
    """One set of components, and one mean, for several tables."""
    return {
        "z": rng.normal(0, 2, (3, 7, 2)),
        "components": orthonormal(rng, 4, 2).T,
        "mean": rng.normal(0, 3, 4),
    }


def _square(rng: Rng) -> Inputs:
    """As many coordinates as rows and columns: nothing complains about a wrong axis."""
    return {
        "z": rng.normal(0, 2, (4, 4)),
        "components": orthonormal(rng, 4, 4).T,
        "mean": rng.normal(0, 3, 4),
    }


def _large(rng: Rng, dtype: str, n: int, d: int) -> Inputs:
    return {
        "z": rng.standard_normal((n, 16), "float32").astype(dtype),
        "components": orthonormal(rng, d, 16).T.astype(dtype),
        "mean": rng.standard_normal(d, "float32").astype(dtype),
    }


def _columns(n: int) -> int:
    """How many columns the benchmark of n rows has."""
    return dict(_SIZES)[n]


_SIZES = ((1024, 256), (8192, 1024))

_PRODUCT = "out = _widened(_as_float(z)) @ _widened(_as_float(components))"
_ADDED = "out += _widened(_as_float(mean))[..., None, :]"

EXERCISE = Exercise(
    name="pca_reconstruct",
    topic="spectral",
    signature="pca_reconstruct(z, components, mean)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "z V + m",
            truth.pca_reconstruct,
            ordinary(
                _one_mean,
                Case("shared", _shared, "the same components and mean for three tables"),
                Case("square", _square, "as many coordinates as rows and columns"),
                _shaped("one_component", "one component", 5, 1, 3),
            ),
            points=2,
        ),
        gradient_flows(truth.pca_reconstruct, ordinary(_one_mean), ["z", "components", "mean"]),
        relation(
            "loses_what_was_left_out",
            "what projecting and reconstructing loses is the variance that was left out",
            ("pca", "pca_project"),
            _loses_what_was_left_out,
            (Case("two_of_four", _whole_table, "two components of four"),),
        ),
        values(
            "survives_any_size",
            "stable",
            "large, tiny and cancelling numbers keep their digits",
            truth.pca_reconstruct,
            (
                _sized("float32_1e4", 1e4, "float32"),
                _sized("float32_1e_minus_30", 1e-30, "float32"),
                _sized("float16_2e4", 2e4, "float16"),
                Case("float16_cancelling", _cancelling, "products of 8e4 that cancel"),
            ),
        ),
        values(
            "handles_many_and_single_coordinates",
            "stable",
            "sums of any length work, of one coordinate too",
            truth.pca_reconstruct,
            (
                _shaped("float32_5000", "5000 coordinates", 2, 5000, 3, "float32"),
                _shaped("float16_4000", "4000 coordinates", 2, 4000, 3, "float16"),
                _shaped("one_of_everything", "one row, coordinate and column", 1, 1, 1),
            ),
        ),
        *contract(
            reduced,
            truth.pca_reconstruct,
            refusals=(
                misshapen(reduced, "components", (3, 4)),
                misshapen(reduced, "components", (4, 2)),
                misshapen(reduced, "components", (2,)),
                misshapen(reduced, "mean", (1,)),
                misshapen(reduced, "mean", (2,)),
                misshapen(reduced, "mean", (7, 4)),
                misshapen(reduced, "z", (2,)),
            ),
        ),
    ),
    hints=(
        "A row is its coordinates times the components, summed up. One matrix product does it "
        "for all rows; nothing has to be transposed.",
        "Add at the end what pca_project subtracted. With leading axes, one mean belongs to all "
        "rows of its table: put an axis in its place.",
    ),
    mistakes=(
        Mistake("mean_forgotten", "did not add the mean back", _ADDED, "pass"),
        Mistake(
            "mean_subtracted",
            "subtracted the mean once more instead of adding it",
            _ADDED,
            "out -= _widened(_as_float(mean))[..., None, :]",
        ),
        Mistake(
            "mean_along_the_rows",
            "added one number of the mean to each row, not to each column",
            _ADDED,
            "m = _widened(_as_float(mean))[..., None, :]\n    out = out + m.swapaxes(-1, -2)",
        ),
        Mistake(
            "mean_of_the_coordinates_removed",
            "subtracted the mean of z first: it is not 0 for new rows",
            _PRODUCT,
            "low = _widened(_as_float(z))\n"
            "    out = (low - low.mean(axis=-2, keepdims=True)) @ _widened(_as_float(components))",
        ),
        Mistake(
            "mean_projected",
            "added the mean's own projection, not the mean",
            _ADDED,
            "v = _widened(_as_float(components))\n"
            "    m = _widened(_as_float(mean))[..., None, :]\n"
            "    out += m @ v.swapaxes(-1, -2) @ v",
        ),
        Mistake(
            "components_transposed",
            "transposed the components where nothing has to be",
            _PRODUCT,
            "v = _widened(_as_float(components))\n"
            "    out = _widened(_as_float(z)) @ v.swapaxes(-1, -2)",
        ),
        Mistake(
            "first_component_only",
            "used one component, whatever z holds",
            _PRODUCT,
            "out = _widened(_as_float(z))[..., :1] @ _widened(_as_float(components))[..., :1, :]",
        ),
        Mistake(
            "leading_axes_of_the_mean",
            "added the mean without an axis for the rows",
            _ADDED,
            "out += _widened(_as_float(mean))",
        ),
        Mistake(
            "multiplied_in_float16",
            "multiplied in float16, where products above 65504 are inf",
            _PRODUCT,
            "low = _as_float(z)[..., :, None] * _as_float(components)[..., None, :, :]\n"
            "    out = low.sum(axis=-2, dtype=_widened(low).dtype)",
        ),
        Mistake(
            "small_numbers_cut",
            "treated small coordinates as 0",
            _PRODUCT,
            "low = _widened(_as_float(z))\n"
            "    low = np.where(np.abs(low) < 1e-12, 0 * low, low)\n"
            "    out = low @ _widened(_as_float(components))",
        ),
        Mistake(
            "any_mean_that_broadcasts",
            "let a mean of another shape broadcast",
            "if mean.shape not in (components.shape[-1:], (*z.shape[:-2], components.shape[-1])):",
            "if False:",
            also=(
                (
                    _ADDED,
                    "m = _widened(_as_float(mean))\n"
                    "    out = out + (m if m.shape == out.shape else m[..., None, :])",
                ),
            ),
        ),
        habits.SUMMED_IN_HALF,
        Mistake(
            "mean_detached",
            "detached the mean from autograd",
            "_widened(_as_float(mean))",
            "_widened(_as_float(mean)).detach()",
            track="torch",
        ),
    ),
    bench=bench(
        _large,
        _SIZES,
        lambda n, k: n * k + (k + 1) * _columns(n) + n * _columns(n),
        lambda n, k: (2 * k + 1) * n * _columns(n),
        {},
    ),
)
