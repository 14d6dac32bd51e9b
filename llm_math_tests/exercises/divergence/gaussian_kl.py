"""gaussian_kl: how far a Gaussian posterior has moved from the standard normal."""

from __future__ import annotations

import numpy as np

from llm_math_tests import habits
from llm_math_tests.answers.values import cast
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import gradient_flows, values
from llm_math_tests.checks.situations import Rng, ordinary
from llm_math_tests.exercise import Case, Exercise, Inputs, Mistake, Refusal
from llm_math_tests.exercises.benches import matrix_bench
from llm_math_tests.exercises.divergence import yardsticks
from llm_math_tests.exercises.divergence.situations import fixed
from llm_math_tests.truths import divergence as truth


def posterior(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Ordinary means and log variances of four coordinates."""
    return {
        "mean": cast(rng.normal(0, 1.5, (*batch, 4)), dtype),
        "log_var": cast(rng.normal(0, 1, (*batch, 4)), dtype),
    }


def _sized(name: str, mean: float, log_var: float, dtype: str, shape: tuple[int, ...]) -> Case:
    def make(rng: Rng) -> Inputs:
        return {
            "mean": cast(rng.uniform(-mean, mean, shape), dtype),
            "log_var": cast(rng.uniform(-log_var, log_var, shape), dtype),
        }

    return Case(name, make, f"means up to {mean:g}, log variances up to {log_var:g}")


NEAR_THE_PRIOR = (
    _sized("float32", 1e-3, 1e-3, "float32", (3, 4)),
    _sized("float64", 1e-8, 1e-8, "float64", (3, 4)),
    _sized("float16", 1e-1, 5e-2, "float16", (3, 4)),
    _sized("variance_alone", 0.0, 1e-4, "float32", (3, 1)),
    # Below 1e-19 the square of a mean is less than float32 holds.
    _sized("float32_1e_15", 1e-15, 1e-18, "float32", (3, 4)),
)

LARGE = (
    _sized("means_of_1e4", 1e4, 1.0, "float32", (3, 4)),
    _sized("log_variances_of_80", 1.0, 80.0, "float32", (3, 4)),
    _sized("log_variances_of_700", 1.0, 700.0, "float64", (3, 4)),
    fixed(
        "log_variance_of_minus_1e4", "log variances of -1e4", "float32",
        mean=[[1.0, 2.0], [0.0, 0.5]], log_var=[[-1e4, 0.0], [-1e4, -9e3]],
    ),
    fixed(
        "float16", "squares beyond float16", "float16",
        mean=[[300.0, 1.0], [-300.0, 0.0]], log_var=[[0.0, 1.0], [-2.0, 7.0]],
    ),
)  # fmt: skip

NO_VARIANCE = fixed(
    "no_variance", "one variance of 0", mean=[[0.0, 1.0], [0.5, 2.0]],
    log_var=[[-np.inf, 0.0], [1.0, -1.0]],
)  # fmt: skip


def _one_mean(rng: Rng) -> Inputs:
    inputs = posterior(rng, "float64", (3,))
    return {**inputs, "log_var": inputs["log_var"][:1]}


def _one_variance_a_row(rng: Rng) -> Inputs:
    inputs = posterior(rng, "float64", (3,))
    return {**inputs, "log_var": inputs["log_var"][:, :1]}


def _no_axis(rng: Rng) -> Inputs:
    return {"mean": np.array(1.0), "log_var": np.array(0.0)}


def _rows(rng: Rng, dtype: str, n: int, m: int) -> Inputs:
    return {
        name: cast(rng.standard_normal((n, m), "float32"), dtype) for name in ("mean", "log_var")
    }


_EXPM1 = "terms = np.expm1(log_variance)"
_SQUARE = "terms += center * center"
_SUM = "terms.sum(axis=-1)"
_LESS = "terms -= log_variance"

EXERCISE = Exercise(
    name="gaussian_kl",
    topic="divergence",
    signature="gaussian_kl(mean, log_var)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "half the sum of mean^2 + exp(log_var) - 1 - log_var",
            truth.gaussian_kl,
            ordinary(
                posterior,
                fixed("by_hand", "1 and 2 apart", mean=[1.0, 0.0], log_var=[0.0, np.log(4.0)]),
            ),
            points=2,
        ),
        values(
            "is_zero_at_the_prior",
            "core",
            "0 for mean 0 and variance 1, above 0 for anything else",
            truth.gaussian_kl,
            (
                fixed(
                    "prior",
                    "the standard normal, and one beside it",
                    mean=[[0.0] * 3, [0.0, 0.5, 0.0]],
                    log_var=[[0.0] * 3, [0.0, 0.0, -0.5]],
                ),
            ),
        ),
        gradient_flows(
            truth.gaussian_kl,
            (*ordinary(posterior), Case("one_row", posterior)),
            through=["mean", "log_var"],
        ),
        values(
            "keeps_digits_near_the_prior",
            "stable",
            "a collapsed coordinate costs next to nothing, and its digits stay",
            truth.gaussian_kl,
            NEAR_THE_PRIOR,
        ),
        values(
            "survives_large_numbers",
            "stable",
            "large means and variances, and tiny variances, do not overflow",
            truth.gaussian_kl,
            LARGE,
        ),
        values(
            "is_infinite_without_variance",
            "stable",
            "a variance of 0 gives +inf",
            truth.gaussian_kl,
            (NO_VARIANCE,),
        ),
        values(
            "handles_long_rows",
            "stable",
            "any number of coordinates, one included",
            truth.gaussian_kl,
            (
                _sized("float32_20000", 1.0, 1.0, "float32", (2, 20_000)),
                _sized("float16_4000", 1.0, 1.0, "float16", (2, 4000)),
                _sized("one_coordinate", 1.0, 1.0, "float64", (3, 1)),
            ),
        ),
        *contract(
            posterior,
            truth.gaussian_kl,
            refusals=(
                Refusal("one_mean_for_all", _one_mean, "log_var", "(1, 4)"),
                Refusal("one_variance_a_row", _one_variance_a_row, "log_var", "(3, 1)"),
                Refusal("no_axis", _no_axis, "mean", "()"),
            ),
        ),
    ),
    scaled=("mean",),
    hints=(
        "What is the divergence of a single coordinate, and what do you do with those of "
        "independent ones?",
        "exp(v) - 1 loses every digit for small v. Which function of the library gives the "
        "difference as a whole? Subtract v from that.",
        "float16 ends at 65504, the square of 256: convert before squaring, and back at the end.",
    ),
    mistakes=(
        habits.SUMMED_IN_HALF,
        habits.ADDED_UP_IN_HALF,
        Mistake(
            "exp_minus_1",
            "subtracted 1 from exp(log_var): near the prior their digits cancel; expm1 keeps them",
            _EXPM1,
            "terms = np.exp(log_variance) - 1",
        ),
        Mistake(
            "standard_deviation_for_variance",
            "took log_var for the logarithm of the standard deviation",
            _EXPM1,
            "terms = np.expm1(2 * log_variance)",
            also=((_LESS, "terms -= 2 * log_variance"),),
        ),
        Mistake(
            "halved_log_var",
            "took exp(log_var / 2), the standard deviation, where the variance stands",
            _EXPM1,
            "terms = np.expm1(0.5 * log_variance)",
        ),
        Mistake(
            "variance_expected",
            "took log_var for the variance itself",
            _EXPM1,
            "with np.errstate(divide='ignore', invalid='ignore'):\n"
            "            terms = log_variance - 1 - np.log(log_variance) + log_variance",
        ),
        Mistake("not_halved", "forgot the factor 1/2", "0.5 * ", ""),
        Mistake(
            "mean_not_squared",
            "added |mean|, not its square",
            _SQUARE,
            "terms += np.abs(center)",
        ),
        Mistake("mean_left_out", "left the means out", _SQUARE, ""),
        Mistake(
            "one_left_out",
            "left out the -1: at the prior every coordinate would cost 1/2",
            _EXPM1,
            "terms = np.exp(log_variance)",
        ),
        Mistake(
            "log_var_added",
            "added log_var instead of subtracting it",
            _LESS,
            "terms += log_variance",
        ),
        Mistake(
            "sign_turned",
            "forgot the minus of -1/2 (1 + log_var - mean^2 - exp(log_var))",
            _SUM,
            f"-{_SUM}",
        ),
        Mistake(
            "averaged_over_coordinates",
            "took the mean over the coordinates, not their sum",
            _SUM,
            "terms.mean(axis=-1)",
        ),
        Mistake(
            "over_the_whole_array",
            "summed the whole array to one number",
            _SUM,
            "terms.sum()",
        ),
        Mistake(
            "averaged_over_the_batch",
            "took the mean over the batch as well",
            _SUM,
            "(terms.sum(axis=-1).mean() if terms.size else terms.sum(axis=-1))",
        ),
        Mistake(
            "not_summed",
            "returned a number for each coordinate, not their sum",
            _SUM,
            "terms",
        ),
        Mistake(
            "the_other_way_round",
            "computed KL(prior || posterior)",
            _EXPM1,
            "terms = np.expm1(-log_variance) + 2 * log_variance",
            also=((_SQUARE, "terms += center * center * np.exp(-log_variance)"),),
        ),
        Mistake(
            "log_var_clipped",
            "clipped log_var to [-30, 20]",
            "log_variance = _widened(_as_float(log_var))",
            "log_variance = np.clip(_widened(_as_float(log_var)), -30, 20)",
        ),
        Mistake(
            "number_for_infinity",
            "put a million for infinity with nan_to_num",
            _SUM,
            f"np.nan_to_num({_SUM}, posinf=1e6)",
        ),
        Mistake(
            "shapes_not_compared",
            "let a log_var of another shape broadcast",
            "if log_var.shape != mean.shape:",
            "if False:",
        ),
        Mistake(
            "mean_detached",
            "detached the mean: it learns as well",
            "center = _widened(mean)",
            "center = _widened(mean).detach()",
            track="torch",
        ),
        Mistake(
            "exp_overwritten",
            "wrote over expm1 in place, which autograd needs for its gradient",
            "log_variance.expm1() - log_variance",
            "log_variance.expm1().sub_(log_variance)",
            track="torch",
        ),
    ),
    bench=matrix_bench(_rows, 2, 6, yardsticks.GAUSSIAN_KL),
)
