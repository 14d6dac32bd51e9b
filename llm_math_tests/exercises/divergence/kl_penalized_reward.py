"""kl_penalized_reward: a reward, less what it cost to drift from the reference model."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.values import cast, plain
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import gradient_flows, values
from llm_math_tests.checks.situations import Rng, given, ordinary, refused
from llm_math_tests.exercise import Bench, Case, Exercise, Inputs, Mistake, Refusal, Size
from llm_math_tests.truths import divergence as truth


def answers(
    rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = (3,), tokens: int = 4
) -> Inputs:
    """Rewards of sampled answers, and the log-probabilities of their tokens."""
    return {
        "reward": cast(rng.normal(0, 1, batch), dtype),
        "policy_logprobs": cast(-rng.exponential(1.5, (*batch, tokens)), dtype),
        "reference_logprobs": cast(-rng.exponential(1.5, (*batch, tokens)), dtype),
        "beta": 0.25,
    }


def _shifted(name: str, level: float, by: float, dtype: str, tokens: int) -> Case:
    """Long answers whose log-probabilities are large beside their differences."""

    def make(rng: Rng) -> Inputs:
        inputs = answers(rng, dtype, (2,), tokens)
        policy = -rng.uniform(0.5 * level, 1.5 * level, (2, tokens))
        drift = rng.normal(0.25 * by, by, policy.shape)
        inputs["policy_logprobs"] = cast(policy, dtype)
        inputs["reference_logprobs"] = cast(policy - drift, dtype)
        inputs["reward"] = cast(rng.normal(0, by, 2), dtype)
        return inputs

    return Case(name, make, f"{tokens} tokens whose log-probabilities differ by about {by:g}")


def _steady_drift(rng: Rng) -> Inputs:
    inputs = answers(rng, "float16", (2,), 4096)
    reference = cast(-rng.uniform(1, 6, (2, 4096)), "float16")
    return {**inputs, "policy_logprobs": reference + 0.015625, "reference_logprobs": reference}


def _impossible(rng: Rng) -> Inputs:
    inputs = answers(rng)
    inputs["reference_logprobs"][1, 2] = -np.inf
    return inputs


def _same_models(rng: Rng) -> Inputs:
    inputs = answers(rng, "float32")
    return {**inputs, "reference_logprobs": inputs["policy_logprobs"].copy()}


def _size(n: int, m: int) -> Size:
    return Size(f"{n} x {m}", lambda rng, dtype: answers(rng, dtype, (n,), m))


def _logprobs(inputs: Inputs) -> np.ndarray:
    return plain(inputs["policy_logprobs"])


def _bad_shapes() -> tuple[Refusal, ...]:
    def column(rng: Rng) -> Inputs:
        inputs = answers(rng)
        return {**inputs, "reward": inputs["reward"][:, None]}

    def other_batch(rng: Rng) -> Inputs:
        inputs = answers(rng)
        return {**inputs, "policy_logprobs": inputs["policy_logprobs"][:1]}

    def summed_already(rng: Rng) -> Inputs:
        inputs = answers(rng)
        return {**inputs, "policy_logprobs": inputs["policy_logprobs"].sum(-1)}

    def fewer_tokens(rng: Rng) -> Inputs:
        inputs = answers(rng)
        return {**inputs, "reference_logprobs": inputs["reference_logprobs"][:, :1]}

    return (
        Refusal("reward_as_a_column", column, "policy_logprobs", "(3, 4)"),
        Refusal("another_batch", other_batch, "policy_logprobs", "(1, 4)"),
        Refusal("summed_already", summed_already, "policy_logprobs", "(3,)"),
        Refusal("fewer_reference_tokens", fewer_tokens, "reference_logprobs", "(3, 1)"),
    )


_DRIFT = "drift = (policy - _widened(_as_float(reference_logprobs))).sum(axis=-1)"
_OUT = "out = _widened(_as_float(reward)) - beta * drift"

EXERCISE = Exercise(
    name="kl_penalized_reward",
    topic="divergence",
    signature="kl_penalized_reward(reward, policy_logprobs, reference_logprobs, beta)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "the reward less beta times the sum of log pi - log pi_ref",
            truth.kl_penalized_reward,
            ordinary(answers, given(answers, "beta", 2.0), given(answers, "beta", 0.01)),
            points=2,
        ),
        values(
            "leaves_the_reward_without_drift",
            "core",
            "equal models, or a beta of 0, leave the reward as it is",
            truth.kl_penalized_reward,
            (
                Case("equal_models", _same_models, "two models that agree"),
                given(answers, "beta", 0.0),
            ),
        ),
        gradient_flows(
            truth.kl_penalized_reward,
            (*ordinary(answers), given(answers, "beta", 2.0)),
            through=["reward", "policy_logprobs", "reference_logprobs"],
        ),
        values(
            "keeps_the_digits_of_long_answers",
            "stable",
            "differences are taken token by token, before the sum",
            truth.kl_penalized_reward,
            (
                _shifted("float32_4096", 8.0, 1e-3, "float32", 4096),
                _shifted("float64_4096", 8.0, 1e-9, "float64", 4096),
                Case("float16_4096", _steady_drift, "4096 tokens, each with a drift of 1/64"),
                _shifted("float32_1e4", 1e4, 0.5, "float32", 64),
            ),
        ),
        values(
            "handles_impossible_tokens",
            "stable",
            "a token that the reference rules out costs everything",
            truth.kl_penalized_reward,
            (Case("reference", _impossible, "one log-probability of the reference -inf"),),
        ),
        values(
            "handles_single_tokens",
            "stable",
            "answers of one token, and a single answer",
            truth.kl_penalized_reward,
            (
                Case("one_token", lambda rng: answers(rng, tokens=1), "answers of one token"),
                Case("one_answer", lambda rng: answers(rng, batch=(1,)), "one answer"),
                Case(
                    "as_many_as_tokens",
                    lambda rng: answers(rng, batch=(4,)),
                    "as many answers as tokens",
                ),
            ),
        ),
        *contract(
            answers,
            truth.kl_penalized_reward,
            batched=False,
            refusals=(refused(answers, "beta", -0.5), *_bad_shapes()),
        ),
        values(
            "handles_an_empty_batch",
            "contract",
            "no answers, no rewards",
            truth.kl_penalized_reward,
            (Case("empty", lambda rng: answers(rng, batch=(0,)), "no answers"),),
        ),
    ),
    scaled=("policy_logprobs",),
    hints=(
        "Every token has one log-ratio. What shape is left when those of an answer are summed, "
        "and does it line up with the rewards?",
        "Two sums of 4096 log-probabilities are in the tens of thousands. What happens to a "
        "difference of 1 between them in float32, and what if each token is subtracted first?",
    ),
    mistakes=(
        Mistake(
            "half_precision_sum",
            "summed in float16, where adding to a large sum changes nothing",
            ".sum(axis=-1)",
            "\n    drift = np.cumsum(drift, axis=-1, dtype=_as_float(reward).dtype)[..., -1]",
        ),
        Mistake(
            "penalty_added",
            "added the penalty: drifting would pay",
            _OUT,
            "out = _widened(_as_float(reward)) + beta * drift",
        ),
        Mistake(
            "sums_subtracted",
            "summed both models first: the difference of two large sums has few digits left",
            _DRIFT,
            "drift = policy.sum(axis=-1) - _widened(_as_float(reference_logprobs)).sum(axis=-1)",
        ),
        Mistake(
            "averaged_over_tokens",
            "took the mean over the tokens, not their sum",
            _DRIFT,
            _DRIFT.replace(".sum(", ".mean("),
        ),
        Mistake(
            "averaged_over_the_batch",
            "averaged the penalty over the batch: every answer pays for the others",
            _OUT,
            "out = _widened(_as_float(reward)) - beta * (drift.mean() if drift.size else drift)",
        ),
        Mistake(
            "summed_over_the_batch",
            "summed over the batch, not over the tokens",
            _DRIFT,
            "drift = (policy - _widened(_as_float(reference_logprobs))).sum(axis=0)",
        ),
        Mistake("beta_ignored", "left beta out", "beta * drift", "drift"),
        Mistake(
            "divided_by_beta",
            "divided the penalty by beta",
            "beta * drift",
            "drift / beta",
        ),
        Mistake(
            "probabilities_subtracted",
            "subtracted the probabilities, not their logarithms",
            _DRIFT,
            "drift = (np.exp(policy) - np.exp(_widened(_as_float(reference_logprobs))))"
            ".sum(axis=-1)",
        ),
        Mistake(
            "weighted_by_the_policy",
            "weighted each log-ratio by its probability: the tokens were sampled with it already",
            _DRIFT,
            "drift = (policy - _widened(_as_float(reference_logprobs)))\n"
            "    drift = (np.exp(policy) * drift).sum(axis=-1)",
        ),
        Mistake(
            "never_a_bonus",
            "cut negative estimates off at 0",
            "beta * drift",
            "beta * np.maximum(drift, 0)",
        ),
        Mistake(
            "absolute_differences",
            "took the absolute value of every log-ratio",
            _DRIFT,
            "drift = np.abs(policy - _widened(_as_float(reference_logprobs))).sum(axis=-1)",
        ),
        Mistake(
            "last_token_only",
            "took the last token's log-ratio only",
            _DRIFT,
            "drift = (policy - _widened(_as_float(reference_logprobs)))[..., -1]",
        ),
        Mistake(
            "k3_estimator",
            "summed exp(-r) - 1 + r, another estimate of the KL, which is never negative",
            _DRIFT,
            "ratio = policy - _widened(_as_float(reference_logprobs))\n"
            "    drift = (np.exp(-ratio) - 1 + ratio).sum(axis=-1)",
        ),
        Mistake(
            "ratios_clipped",
            "clipped the log-ratios to [-20, 20]: an impossible token would cost next to nothing",
            _DRIFT,
            "drift = np.clip(policy - _widened(_as_float(reference_logprobs)), -20, 20)\n"
            "    drift = drift.sum(axis=-1)",
        ),
        Mistake(
            "answers_stacked",
            "went through the answers one by one and stacked them, which an empty batch has not",
            "return out.astype(_as_float(reward).dtype, copy=False)",
            "return np.stack([one.astype(_as_float(reward).dtype) for one in out])",
        ),
        Mistake(
            "squeezed",
            "squeezed the result: a single answer, or none, loses its axis",
            "return out.astype(_as_float(reward).dtype, copy=False)",
            "return out.astype(_as_float(reward).dtype, copy=False).squeeze()",
        ),
        Mistake(
            "shapes_not_compared",
            "let other shapes broadcast",
            "if policy_logprobs.ndim == 0 or policy_logprobs.shape[:-1] != reward.shape:",
            "if False:",
            also=(("if reference_logprobs.shape != policy_logprobs.shape:", "if False:"),),
        ),
        Mistake(
            "negative_beta_taken",
            "let a beta below 0 through",
            "if not beta >= 0:",
            "if False:",
        ),
        Mistake(
            "reference_detached",
            "detached the reference: whoever calls decides what learns",
            "_widened(_as_float(reference_logprobs))",
            "_widened(_as_float(reference_logprobs)).detach()",
            track="torch",
        ),
    ),
    bench=Bench(
        sizes=(_size(64, 1024), _size(4096, 4096)),
        moved_bytes=lambda inputs: 2 * _logprobs(inputs).nbytes,
        operations=lambda inputs: 2 * _logprobs(inputs).size,
    ),
)
