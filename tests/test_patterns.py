"""What the numbers of a wrong answer show, in any exercise; of a right one, nothing."""

from __future__ import annotations

import numpy as np
import pytest

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.in_process import InProcess
from llm_math_tests.checks.compare import alike
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.diagnosis import known
from llm_math_tests.diagnosis.evidence import TooLong
from llm_math_tests.diagnosis.patterns import pattern_of
from llm_math_tests.diagnosis.patterns.exceptions import meaning_of
from llm_math_tests.exercises import exercise
from llm_math_tests.mistakes import reference_answer
from llm_math_tests.run import Engine, Solution

_AROUND = """
{text}

_right = {name}


def {name}(*args, **kwargs):
{body}
"""


def shown(tmp_path, name, body, track="numpy", check=None, whole=False):
    """The pattern of the first case that an answer made of ours and ``body`` fails."""
    entry = exercise(name)
    text = reference_answer(entry, track).where.path.read_text(encoding="utf-8")
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    wrong = body if whole else _AROUND.format(text=text, name=name, body=lines)
    path = tmp_path / entry.topic / f"with_{track}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(wrong, encoding="utf-8")
    room = InProcess()
    engine = Engine(Solution("student", tmp_path), room)
    answer = engine.answer(entry, track)
    for one in entry.checks_in(track):
        if check not in (None, one.name):
            continue
        for case in one.cases:
            if track not in case.tracks:
                continue
            answer.begin()
            answer.begin_case(case)
            try:
                one.run(answer, case.make(engine.rng(entry, one, case)))
            except Wrong:
                said = pattern_of(answer)
                room.close()
                return said
    raise AssertionError("nothing is wrong with it")


TRUE_OF = [
    ("softmax", "return 2 * _right(*args, **kwargs)", "every value is 2 times the right one"),
    ("layer_norm", "return -_right(*args, **kwargs)", "every value has the wrong sign"),
    ("gelu", "return _right(*args, **kwargs) + 1", "every value is 1 too large"),
    ("logsumexp", "return _right(*args, **kwargs) - 0.5", "every value is 0.5 too small"),
    (
        "covariance",
        "n = len(args[0]); return _right(*args) * (n - 1) / n",
        "(n - 1) / n with n = the length of x's first axis",
    ),
    (
        "low_rank_approximation",
        "return _right(*args) / args[0].shape[-1]",
        "1 / n with n = the length of w's last axis (a mean where a sum is due?)",
    ),
    ("entropy", "return _right(*args, **kwargs) / np.log(2)", "logarithms were to base 2"),
    ("kl_divergence", "return _right(args[1], args[0], **kwargs)", "p and q in each other's place"),
    ("covariance", "return np.tril(_right(*args))", "wrong only above the diagonal"),
    ("sigmoid", "return 1 - _right(*args)", "one minus the right one"),
    ("relu", "return args[0]", "the result is x itself, unchanged"),
    ("relu", "x = args[0]\nreturn np.where(x < 0, 0.01 * x, x)", "only where x is negative"),
    ("tanh", "return np.zeros_like(args[0])", "every value is 0"),
    ("silu", "return np.roll(_right(*args), 1, -1)", "one place later than they belong"),
    ("explained_variance_ratio", "return _right(*args)[::-1]", "in reverse order"),
    ("linear_backward", "x, w, b = _right(*args)\nreturn x, w, 2 * b", "in the third of the 3"),
    ("softmax", "return _right(args[0], axis=kwargs.get('axis', -1))", "temperature was not used"),
    ("softmax", "return _right(np.asarray(args[0]), **{**kwargs, 'axis': 0})", "first axis"),
    (
        "gelu",
        "return _right(*args).astype(np.float16).astype(args[0].dtype)",
        "float16",
    ),
    (
        "layer_norm",
        "y = _right(*args, **kwargs)\nreturn y + 1e-5 * y.std() * np.sin(1e5 * y)",
        "nearly right: to about",
    ),
    (
        "log_softmax",
        "y = _right(*args, **kwargs)\nreturn y + np.cos(y.sum(-1, keepdims=True))",
        "plus a constant of its own",
    ),
    (
        "softmax",
        "y = _right(*args, **kwargs)\nreturn y * (1 + y.max(-1, keepdims=True))",
        "times a factor of its own",
    ),
    ("low_rank_approximation", "return _right(args[0], args[1] + 1)", "the one for rank + 1"),
    ("entropy", "return _right(*args, **kwargs).sum()", "summed over"),
    (
        "entropy",
        "y = _right(*args, **kwargs)\nreturn y[..., None] + 0 * y[..., None, :]",
        "met an (n,) one",
    ),
    ("causal_mask", "return ~_right(*args)", "True and False have changed places"),
    ("one_hot", "return np.swapaxes(_right(*args), -1, -2)", "transposed"),
    (
        "pca_project",
        "y = _right(*args)\ny[-1] = 0\nreturn y",
        "the last place along the first axis",
    ),
]


@pytest.mark.parametrize(("name", "body", "said"), TRUE_OF)
def test_a_wrong_answer_shows_what_is_wrong(tmp_path, name, body, said):
    assert said in shown(tmp_path, name, body)


def test_the_dtype_alone(tmp_path):
    body = "return _right(*args, **kwargs).astype(np.float64)"
    said = shown(tmp_path, "rms_norm", body, check="keeps_dtype")
    assert said == "the values are right: only the dtype is not"


def test_what_was_written_to(tmp_path):
    body = "y = _right(*args).copy()\nargs[0][...] = 0\nreturn y"
    said = shown(tmp_path, "tanh", body, check="leaves_inputs_alone")
    assert said == "the values are right, but x was written to"


def test_axes_kept_too_many(tmp_path):
    body = "return _right(*args, **kwargs)[..., None]"
    assert "axis of length 1 more" in shown(tmp_path, "logsumexp", body)


def test_nan_in_the_rows_that_are_masked(tmp_path):
    body = """
y = _right(*args, **kwargs)
mask = kwargs.get("mask")
if mask is not None:
    y = np.where(np.broadcast_to(mask.any(-1, keepdims=True), y.shape), y, np.nan)
return y
"""
    said = shown(
        tmp_path, "scaled_dot_product_attention", body, check="gives_zeros_where_no_key_is_left"
    )
    assert "rows where mask has no True" in said


def test_right_for_two_axes_only(tmp_path):
    body = "y = _right(*args, **kwargs)\nreturn y if y.ndim == 2 else np.sin(9 * y) + y.mean()"
    assert "right where x has two axes" in shown(
        tmp_path, "rms_norm", body, check="keeps_leading_axes"
    )


def test_right_for_square_ones_only(tmp_path):
    body = """
x, w = args[1], args[2]
if x.shape[-1] == x.shape[-2]:
    return _right(*args, **kwargs)
return tuple(np.sin(9 * one) + x.mean() for one in _right(*args, **kwargs))
"""
    said = shown(tmp_path, "linear_backward", body)
    assert "right where x is square" in said


def test_wrong_for_float16_only(tmp_path):
    body = """
y = _right(*args, **kwargs)
return y + np.sin(9 * y) if args[0].dtype == np.float16 else y
"""
    said = shown(tmp_path, "tanh", body)
    assert said.startswith("wrong only where x is float16 (all")


def test_a_factor_of_the_gradient(tmp_path):
    torch = pytest.importorskip("torch")
    body = """
class Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        return 2 * grad

return Twice.apply(_right(*args, **kwargs))
"""
    assert torch
    said = shown(tmp_path, "gelu", body, "torch", "gradient_flows")
    assert "2 times the right one" in said


@pytest.mark.parametrize(
    ("problem", "meaning"),
    [
        (
            "ValueError: operands could not be broadcast together with shapes (3,5) (3,)",
            "shapes (3,5) (3,) differ by the last axis only",
        ),
        (
            "ValueError: matmul: Input operand 1 has a mismatch in its core dimension 0, with ...",
            "is a transpose missing?",
        ),
        (
            "TypeError: unsupported operand type(s) for -: 'Tensor' and 'torch.return_types.max'",
            ".values",
        ),
        ("TypeError: only length-1 arrays can be converted to Python scalars", "a whole array"),
        ("ValueError: operands could not be broadcast together with shapes (3,5) (4,)", ""),
        ("KeyError: 'x'", ""),
    ],
)
def test_what_an_exception_means(problem, meaning):
    said = meaning_of(problem)
    assert meaning in said
    assert bool(said) == bool(meaning)


@pytest.mark.parametrize("name", ["softmax", "layer_norm", "pca", "embedding_lookup"])
def test_nothing_is_said_of_a_right_answer(name):
    entry = exercise(name)
    answer: Answer = reference_answer(entry)
    for case in entry.checks[0].cases:
        answer.begin_case(case)
        engine = Engine(Solution("reference", answer.where.root), answer.room)
        entry.checks[0].run(answer, case.make(engine.rng(entry, entry.checks[0], case)))
        assert pattern_of(answer) == ""


def test_an_answer_that_took_too_long_twice_is_not_tried_again(monkeypatch):
    asked = []

    def endless(*anything):
        asked.append(1)
        raise TooLong

    monkeypatch.setattr(known, "_explanations", endless)
    answer = reference_answer(exercise("softmax"))
    check = answer.exercise.checks[0]
    for case in check.cases:
        assert known.what_they_did(answer, check, case, dict, None) == ()
    assert len(check.cases) > 2
    assert len(asked) == 2


def test_a_tenth_is_no_rounding_of_float16():
    have, want = np.array([1.1, 2.0], np.longdouble), np.array([1.0, 2.0], np.longdouble)
    assert alike(have, want, "float16").tolist() == [False, True]
    assert alike(want * np.nan, want * np.nan, "float16").all()
