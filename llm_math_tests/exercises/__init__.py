"""The catalogue: every exercise as data, one module a topic.

This index is all that is imported to know the names; a topic's module is
imported when one of its exercises is used. The order is the teaching order.
"""

from __future__ import annotations

import difflib
import fnmatch
import importlib
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llm_math_tests.exercise import Exercise

TOPICS: dict[str, tuple[str, ...]] = {
    "softmax": (
        "softmax",
        "log_softmax",
        "logsumexp",
        "softmax_backward",
        "softmax_jacobian",
        "online_logsumexp",
    ),
    "attention": (
        "attention_scores",
        "causal_mask",
        "scaled_dot_product_attention",
        "scaled_dot_product_attention_backward",
        "multi_head_attention",
        "flash_attention",
    ),
    "cross_entropy": (
        "cross_entropy",
        "cross_entropy_backward",
        "label_smoothing_cross_entropy",
        "perplexity",
        "mse_backward",
    ),
    "divergence": (
        "entropy",
        "kl_divergence",
        "js_divergence",
        "distillation_loss",
        "gaussian_kl",
        "kl_penalized_reward",
    ),
    "embeddings": (
        "one_hot",
        "embedding_lookup",
        "embedding_backward",
        "embedding_sgd_step",
    ),
    "jacobian": (
        "numerical_jacobian",
        "jacobian",
        "jvp",
        "vjp",
        "condition_number",
    ),
    "backprop": (
        "linear_backward",
        "two_layer_forward",
        "two_layer_backward",
        "accumulate_gradients",
        "checkpointed_backward",
        "unscale_gradients",
        "update_loss_scale",
    ),
    "activations": (
        "relu",
        "relu_backward",
        "tanh",
        "tanh_backward",
        "sigmoid",
        "sigmoid_backward",
        "gelu",
        "gelu_backward",
        "gelu_tanh",
        "silu",
        "silu_backward",
        "swiglu",
        "gradient_through_depth",
        "dead_fraction",
    ),
    "normalization": (
        "layer_norm",
        "layer_norm_backward",
        "rms_norm",
        "rms_norm_backward",
        "pre_norm_block",
        "pre_norm_block_backward",
        "post_norm_block",
        "transformer_block",
    ),
    "spectral": (
        "covariance",
        "pca",
        "pca_project",
        "pca_reconstruct",
        "explained_variance_ratio",
        "low_rank_approximation",
        "power_iteration",
        "effective_rank",
    ),
}


class UnknownName(ValueError):
    """A name that is no exercise's; the message offers the closest ones."""


def names() -> tuple[str, ...]:
    """All exercises' names, in teaching order."""
    return tuple(name for topic in TOPICS.values() for name in topic)


def topic_of(name: str) -> str:
    """The topic that an exercise belongs to."""
    for topic, members in TOPICS.items():
        if name in members:
            return topic
    raise UnknownName(unknown(name))


@cache
def exercise(name: str) -> Exercise:
    """The exercise of that name."""
    topic = topic_of(name)
    module = importlib.import_module(f"llm_math_tests.exercises.{topic}")
    found: dict[str, Exercise] = {entry.name: entry for entry in module.EXERCISES}
    return found[name]


def exercises(of: Iterable[str] | None = None) -> Iterator[Exercise]:
    """The exercises of these names (all without any), in teaching order."""
    wanted = None if of is None else set(of)
    for name in names():
        if wanted is None or name in wanted:
            yield exercise(name)


def matching(patterns: Iterable[str]) -> tuple[str, ...]:
    """The names that match any of the patterns (``*`` and ``?`` as in a shell).

    A topic's name stands for all its exercises where no exercise is called so.
    """
    chosen: set[str] = set()
    for pattern in patterns:
        found = set(fnmatch.filter(names(), pattern))
        if not found:
            found = set(TOPICS.get(pattern, ()))
        if not found:
            raise UnknownName(unknown(pattern))
        chosen |= found
    return tuple(name for name in names() if name in chosen)


def unknown(name: str) -> str:
    """What to say about a name that is no exercise's."""
    known = dict.fromkeys((*names(), *TOPICS))
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    offer = f"did you mean {' or '.join(close)}?" if close else "llm-math list shows them all"
    return f"there is no exercise {name!r}: {offer}"
