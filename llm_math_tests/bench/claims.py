"""What the chapter claims about cost, measured: a small experiment for each claim.

An experiment runs the solution's own answers where all that it needs are right, the
reference's otherwise, and says which. Times are taken in pairs, alternating, and compared by
the median of the pairs' ratios with its 95 % interval; memory is the most that was alive
at once during a call, as the track counts it.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from llm_math_tests import tracks
from llm_math_tests.bench.clock import clock_for
from llm_math_tests.bench.measure import Laboratory
from llm_math_tests.bench.plan import DEVICES, REFERENCE, Row
from llm_math_tests.bench.sampling import Contender, Effort, ratios
from llm_math_tests.bench.statistics import median, median_interval
from llm_math_tests.bench.threads import one_thread_each
from llm_math_tests.exercise import TRACKS
from llm_math_tests.tracks import Track


@dataclass(frozen=True)
class Ratio:
    """How many times as long one thing takes as another."""

    times: float
    low: float
    high: float

    def __str__(self) -> str:
        if not math.isfinite(self.low) or not math.isfinite(self.high):
            return f"{self.times:.2f} times"
        return f"{self.times:.2f} times ({self.low:.2f} to {self.high:.2f} at 95 %)"


@dataclass(frozen=True)
class Finding:
    """What an experiment found."""

    measured: str
    """The result as a sentence, to stand beside the claim."""
    figures: dict[str, float]
    """Its numbers by name."""
    bears_out: bool
    """Whether the result is what the claim says, within the claim's own bounds."""


@dataclass
class Workbench:
    """What an experiment works with: answers on one device, clocks and memory."""

    track: Track
    device: str
    function: Callable[[str], Callable[..., Any]]
    """The answer to an exercise, as its own function on the track's arrays."""
    effort: Effort = field(default_factory=Effort)

    def array(self, values: np.ndarray) -> Any:
        """An array of the track on the device."""
        made = self.track.hand(np.ascontiguousarray(values))
        return made if self.device == "cpu" else self.track.to_device(made)

    def ratio(self, first: Callable[[], Any], second: Callable[[], Any]) -> Ratio:
        """How many times as long ``second`` takes as ``first``, from alternating pairs."""
        clock = clock_for(self.track.name, self.device)
        one, two = (
            Contender(name, clock, lambda count, call=call: [call] * count)  # type: ignore[misc]
            for name, call in (("first", first), ("second", second))
        )
        found = ratios(one, two, self.effort)
        return Ratio(median(found), *median_interval(found))

    def peak(self, call: Callable[[], Any]) -> int:
        """The most bytes that were alive at once during a call, beyond what was before."""
        call()
        with self.track.peak_memory() as read:
            kept = call()
            found = read()
        del kept
        return found


@dataclass(frozen=True)
class Claim:
    """A claim of the chapter about cost."""

    name: str
    says: str
    needs: tuple[str, ...]
    """The exercises whose answers the experiment runs."""
    measure: Callable[[Workbench], Finding]


def _backward_and_forward(bench: Workbench) -> Finding:
    rng = np.random.default_rng(0)
    x = bench.array(rng.normal(0, 1, (256, 512)).astype("float32"))
    w1 = bench.array(rng.normal(0, 0.04, (512, 1024)).astype("float32"))
    w2 = bench.array(rng.normal(0, 0.03, (1024, 512)).astype("float32"))
    forward, backward = bench.function("two_layer_forward"), bench.function("two_layer_backward")
    y, cache = forward(x, w1, w2)
    ratio = bench.ratio(lambda: forward(x, w1, w2), lambda: backward(y, cache))
    return Finding(
        f"two_layer_backward takes {ratio} as long as two_layer_forward: two matrix products "
        "there, four here",
        {"ratio": ratio.times, "low": ratio.low, "high": ratio.high},
        1.4 <= ratio.times <= 2.8,
    )


_LAYERS = 36


def _checkpointing(bench: Workbench) -> Finding:
    rng = np.random.default_rng(0)
    width = 256
    # Orthogonal, so that nothing grows or shrinks on the way through many layers.
    weights = [
        bench.array(np.linalg.qr(rng.normal(0, 1, (width, width)))[0].astype("float32"))
        for _ in range(_LAYERS)
    ]
    x = bench.array(rng.normal(0, 1, (width, width)).astype("float32"))
    g = bench.array(rng.normal(0, 1, (width, width)).astype("float32"))

    def layer(w: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
        def forward(given: Any) -> Any:
            return given @ w

        def backward(grad: Any, given: Any) -> Any:
            given.T @ grad  # the weights' gradient: a step of training computes it, too
            return grad @ w.T

        return forward, backward

    layers = [layer(w) for w in weights]

    def plain() -> Any:
        kept, at = [], x
        for forward, _ in layers:
            kept.append(at)
            at = forward(at)
        grad = g
        for _, backward in reversed(layers):
            grad = backward(grad, kept.pop())
        return grad

    checkpointed = functools.partial(bench.function("checkpointed_backward"), layers, x, g)
    ratio = bench.ratio(plain, checkpointed)
    most, least = bench.peak(plain), bench.peak(checkpointed)
    saved = most / max(least, 1)
    return Finding(
        f"through {_LAYERS} layers checkpointed_backward takes {ratio} as long as keeping every "
        f"layer's input, and {least / 1e6:.1f} MB at its peak instead of {most / 1e6:.1f} MB",
        {"ratio": ratio.times, "low": ratio.low, "high": ratio.high, "peak_mb": least / 1e6,
         "peak_mb_keeping_all": most / 1e6},
        1.05 <= ratio.times <= 1.7 and saved >= 1.5,
    )  # fmt: skip


_LENGTHS = (512, 1024, 2048)


def _flash_memory(bench: Workbench) -> Finding:
    rng = np.random.default_rng(0)
    peaks: dict[str, list[int]] = {}
    for name in ("flash_attention", "scaled_dot_product_attention"):
        attend = bench.function(name)
        for n in _LENGTHS:
            q, k, v = (bench.array(rng.normal(0, 1, (n, 64)).astype("float32")) for _ in range(3))
            peaks.setdefault(name, []).append(bench.peak(functools.partial(attend, q, k, v)))
    powers = {name: _power(_LENGTHS, found) for name, found in peaks.items()}
    flash, plain = powers["flash_attention"], powers["scaled_dot_product_attention"]
    last = [found[-1] / 1e6 for found in peaks.values()]
    return Finding(
        f"from n = {_LENGTHS[0]} to {_LENGTHS[-1]} the peak memory of flash_attention grows like "
        f"n^{flash:.2f} (to {last[0]:.1f} MB), that of scaled_dot_product_attention like "
        f"n^{plain:.2f} (to {last[1]:.1f} MB)",
        {"power_flash": flash, "power_plain": plain, "peak_mb_flash": last[0],
         "peak_mb_plain": last[1]},
        flash <= 1.3 and plain >= 1.7,
    )  # fmt: skip


def _power(sizes: Sequence[int], peaks: Sequence[int]) -> float:
    """The exponent of a power law through the points, by least squares of the logarithms."""
    x = np.log(np.asarray(sizes, float))
    y = np.log(np.maximum(np.asarray(peaks, float), 1.0))
    return float(np.polyfit(x, y, 1)[0])


def _sparse_update(bench: Workbench) -> Finding:
    rng = np.random.default_rng(0)
    vocab, d, tokens = 50_000, 64, 512
    table = bench.array(rng.normal(0, 1, (vocab, d)).astype("float32"))
    grad = bench.array(rng.normal(0, 1, (tokens, d)).astype("float32"))
    ids = bench.array(rng.integers(0, vocab, tokens))
    step, backward = bench.function("embedding_sgd_step"), bench.function("embedding_backward")
    ratio = bench.ratio(
        lambda: step(table, grad, ids, 0.1),
        lambda: table - 0.1 * backward(grad, ids, vocab),
    )
    return Finding(
        f"of {vocab} rows {tokens} tokens touch at most {tokens}: subtracting the dense gradient "
        f"of embedding_backward takes {ratio} as long as embedding_sgd_step (most of which is "
        "copying the table)",
        {"ratio": ratio.times, "low": ratio.low, "high": ratio.high},
        ratio.times > 1.2,
    )


CLAIMS = (
    Claim(
        "backward_costs_twice_forward",
        "The backward pass costs about twice the forward pass.",
        ("two_layer_forward", "two_layer_backward"),
        _backward_and_forward,
    ),
    Claim(
        "checkpointing_trades_time_for_memory",
        "Checkpointing costs about a third more time and saves most of the activations' memory.",
        ("checkpointed_backward",),
        _checkpointing,
    ),
    Claim(
        "flash_memory_grows_with_n",
        "Flash attention's memory grows with n, the plain form's with n squared.",
        ("flash_attention", "scaled_dot_product_attention"),
        _flash_memory,
    ),
    Claim(
        "sparse_update_beats_dense",
        "An embedding's update only touches the rows of the batch: a dense one is wasteful.",
        ("embedding_sgd_step", "embedding_backward"),
        _sparse_update,
    ),
)


def claim(name: str) -> Claim:
    """The claim of that name."""
    return next(one for one in CLAIMS if one.name == name)


def places(chosen: tuple[str, ...]) -> list[tuple[str, str]]:
    """The (track, device) pairs of the chosen tracks that a claim is measured on."""
    return [(track, device) for track in TRACKS if track in chosen for device in DEVICES[track]]


def examine(one: Claim, track: str, device: str, laboratory: Laboratory) -> dict[str, Any]:
    """Measure a claim and give the record of it: what was found, or why nothing was."""
    record: dict[str, Any] = {
        "claim": one.name, "says": one.says, "track": track, "device": device, "answers": {},
        "status": "not_run", "reason": "", "measured": "", "figures": {}, "bears_out": None,
    }  # fmt: skip
    row = Row(one.name, "claims", "", "float32", track, device, REFERENCE)
    reason = laboratory.why_not(row)
    if reason is not None:
        return {**record, "reason": reason}
    found, whose = laboratory.right_functions(one.needs, track)
    record["answers"] = dict.fromkeys(one.needs, whose)
    bench = Workbench(tracks.track(track), device, found.__getitem__, laboratory.effort)
    try:
        with one_thread_each(torch_too=track == "torch") as threads, warnings.catch_warnings():
            laboratory.threads.update(threads)
            warnings.simplefilter("ignore")
            finding = one.measure(bench)
    except Exception as error:
        return {**record, "status": "error", "reason": f"{type(error).__name__}: {error}"}
    return {
        **record, "status": "measured", "measured": finding.measured,
        "figures": finding.figures, "bears_out": finding.bears_out,
    }  # fmt: skip
