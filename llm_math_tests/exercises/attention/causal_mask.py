"""causal_mask: who may look at whom when the future is hidden."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import plain, spelled
from llm_math_tests.checks.compare import expect_array, expect_shape
from llm_math_tests.checks.contract import contract, takes_a_device
from llm_math_tests.checks.promises import expect_truth, values
from llm_math_tests.checks.situations import Rng, case_name
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Bench, Case, Check, Exercise, Inputs, Mistake, Refusal, Size
from llm_math_tests.exercises.attention import yardsticks
from llm_math_tests.truths import attention as truth


def _tokens(n: int) -> Case:
    return Case(case_name("n", n), lambda rng: {"n": n})


def _sample(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    return {"n": 5}


def _is_boolean(answer: Answer, inputs: Inputs) -> None:
    got = expect_array(answer(inputs), answer.track)
    if plain(got).dtype != bool:
        raise Wrong(
            "a boolean array", spelled(got), note="True = keep: masks are asked, never added"
        )
    expect_truth(answer, got, truth.causal_mask(**inputs), "bool")


def _counted(answer: Answer, inputs: Inputs) -> None:
    """Row i keeps i + 1 keys, itself among them, however the mask is written down."""
    n = inputs["n"]
    mask = plain(expect_array(answer(inputs), answer.track))
    expect_shape(mask, (n, n))
    kept = (mask != 0) & np.isfinite(mask)
    for i in range(n):
        if not kept[i, i]:
            raise Wrong("every token to see itself", f"token {i} left out of its own row")
        if kept[i].sum() != i + 1:
            raise Wrong(f"{i + 1} keys for token {i}", f"{int(kept[i].sum())}")


EXERCISE = Exercise(
    name="causal_mask",
    topic="attention",
    signature="causal_mask(n)",
    makes_arrays=True,
    checks=(
        values(
            "is_true_up_to_the_diagonal",
            "core",
            "True on and below the diagonal, False above",
            truth.causal_mask,
            (_tokens(3), _tokens(8)),
            points=2,
        ),
        Check(
            "sees_itself_and_the_past",
            "core",
            "token i sees i + 1 tokens, itself among them",
            _counted,
            (_tokens(4), _tokens(7)),
        ),
        values(
            "handles_few_and_many_tokens",
            "stable",
            "no token, one token, hundreds of them",
            truth.causal_mask,
            (_tokens(0), _tokens(1), _tokens(2), _tokens(300)),
        ),
        Check("is_boolean", "contract", "the mask is boolean", _is_boolean, (_tokens(4),)),
        takes_a_device(_sample, truth.causal_mask),
        *(
            check
            for check in contract(
                _sample,
                truth.causal_mask,
                floating=False,
                halves=False,
                layout=False,
                batched=False,
                connected=False,
                refusals=tuple(
                    Refusal(case_name("n", n), lambda rng, n=n: {"n": n}, "n", str(n))  # type: ignore[misc]
                    for n in (-1, -7, 2.5, np.nan, np.inf)
                ),
            )
            # There is no input whose device could be kept: takes_a_device asks instead.
            if check.name != "stays_on_device"
        ),
    ),
    hints=(
        "Write down the row of the third token: which of five keys may it see? What do the row "
        "and the column number of a True have to do with each other?",
        "The positions 0 ... n - 1 as a column, compared with the same positions as a row, "
        "give all n * n answers at once.",
        "np.tri and tril do it as well; look at the dtype that comes out, and at which side of "
        "the diagonal stays.",
    ),
    mistakes=(
        Mistake(
            "diagonal_left_out",
            "left out the diagonal: a token sees itself",
            "np.tri(n, dtype=bool)",
            "np.tri(n, k=-1, dtype=bool)",
        ),
        Mistake(
            "looks_ahead",
            "kept the future and hid the past: rows are queries, columns are keys",
            "np.tri(n, dtype=bool)",
            "np.tri(n, dtype=bool).T",
        ),
        Mistake(
            "true_means_hidden",
            "marked what is hidden; here True means keep",
            "np.tri(n, dtype=bool)",
            "~np.tri(n, dtype=bool)",
        ),
        Mistake(
            "one_token_ahead",
            "let every token see the next one too",
            "np.tri(n, dtype=bool)",
            "np.tri(n, k=1, dtype=bool)",
        ),
        Mistake(
            "ones_and_zeros",
            "made the mask of 1.0 and 0.0, not of booleans",
            "np.tri(n, dtype=bool)",
            "np.tri(n)",
        ),
        Mistake(
            "zero_and_minus_infinity",
            "made the mask that is added to the scores, of 0 and -inf, not of booleans",
            "np.tri(n, dtype=bool)",
            "np.where(np.tri(n) == 1, 0.0, -np.inf)",
        ),
        Mistake(
            "only_itself",
            "kept the diagonal only: the past may be seen as well",
            "np.tri(n, dtype=bool)",
            "np.eye(n, dtype=bool)",
        ),
        Mistake(
            "one_row_short",
            "began to count at 1, so that the last token is missing",
            "np.tri(n, dtype=bool)",
            "np.tri(max(0, n - 1), dtype=bool)",
        ),
        Mistake(
            "nothing_for_one_token",
            "returned a scalar for a single token",
            "np.tri(n, dtype=bool)",
            "np.squeeze(np.tri(n, dtype=bool))",
        ),
        Mistake(
            "nan_not_checked",
            "compared n with int(n), which cannot be made of NaN or inf: the message is Python's",
            "if not (n >= 0 and n < math.inf and n == int(n)):",
            "if n != int(n) or n < 0:",
        ),
    ),
    bench=Bench(
        sizes=(Size("n = 1024", lambda rng, dtype: {"n": 1024}),),
        moved_bytes=lambda inputs: inputs["n"] ** 2,
        operations=lambda inputs: inputs["n"] ** 2,
        yardsticks=yardsticks.MASK,
    ),
)
