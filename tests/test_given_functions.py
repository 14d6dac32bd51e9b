"""Functions that an answer is handed: autograd goes through them, and all calls are counted."""

from __future__ import annotations

import numpy as np
import pytest
from test_door import answer

from llm_math_tests.answers.values import Bfloat16, Given, cast, plain

A = np.random.default_rng(0).normal(size=(3, 4))
X = np.array([0.1, 0.2, -0.3, 0.4])
V = np.array([1.0, 2.0, 3.0, 4.0])


def jacobian_at(x):
    return (1 - np.tanh(A @ x) ** 2)[:, None] * A


def smooth() -> Given:
    return Given.differentiable(
        "f",
        lambda x: np.tanh(A @ x),
        lambda g, x: g @ jacobian_at(x),
        lambda x, v: jacobian_at(x) @ v,
    )


WAYS_TO_A_JACOBIAN = {
    "functional.jacobian": "return xp.autograd.functional.jacobian(f, x)",
    "func.jacrev": "return xp.func.jacrev(f)(x)",
    "func.jacfwd": "return xp.func.jacfwd(f)(x)",
    "rows": """
x = x.detach().requires_grad_()
y = f(x)
rows = [xp.autograd.grad(y[i], x, retain_graph=True)[0] for i in range(len(y))]
return xp.stack(rows)
""",
}
WAYS_FORWARD = {
    "func.jvp": "return xp.func.jvp(f, (x,), (v,))[1]",
    "functional.jvp": "return xp.autograd.functional.jvp(f, x, v)[1]",
    "forward_ad": """
import torch.autograd.forward_ad as forward
with forward.dual_level():
    return forward.unpack_dual(f(forward.make_dual(x, v))).tangent
""",
}


@pytest.mark.torch
class TestAutograd:
    """Whatever way torch has of differentiating, it works through the door."""

    @pytest.mark.parametrize("way", WAYS_TO_A_JACOBIAN)
    @pytest.mark.parametrize("device", [False, True])
    def test_a_jacobian(self, room, way, device):
        f = smooth()
        asked = answer("jacobian(f, x)", WAYS_TO_A_JACOBIAN[way], "torch", room)
        reply = asked.try_to_ask({"f": f, "x": X}, on_accelerator=device)
        assert reply.ended == "returned", reply.problem
        assert f.calls == 1
        assert f.all_calls <= 5
        if not device:
            np.testing.assert_allclose(reply.value, jacobian_at(X), rtol=1e-14)

    @pytest.mark.parametrize("way", WAYS_FORWARD)
    @pytest.mark.parametrize("device", [False, True])
    def test_a_directional_derivative(self, room, way, device):
        f = smooth()
        asked = answer("jvp(f, x, v)", WAYS_FORWARD[way], "torch", room)
        reply = asked.try_to_ask({"f": f, "x": X, "v": V}, on_accelerator=device)
        assert reply.ended == "returned", reply.problem
        assert f.all_calls <= 3
        if not device:
            np.testing.assert_allclose(reply.value, jacobian_at(X) @ V, rtol=1e-14)

    def test_a_gradient_through_the_answer(self, room):
        f = smooth()
        residual = answer("block(x, f)", "return x[:3] + f(x)", "torch", room)
        _, grads = residual.vjp({"x": X, "f": f}, [np.ones(3)])
        expected = jacobian_at(X).sum(0) + np.array([1.0, 1.0, 1.0, 0.0])
        np.testing.assert_allclose(grads["x"], expected, rtol=1e-14)
        assert f.vjp.calls == 1

    def test_bfloat16_crosses_both_ways(self, room):
        double = Given.differentiable(
            "f",
            lambda x: cast(2 * plain(x), "bfloat16"),
            lambda g, x: cast(2 * plain(g), "bfloat16"),
        )
        same = answer("block(x, f)", "return f(x)", "torch", room)
        x = Bfloat16.of(np.ones(3))
        got, grads = same.vjp({"x": x, "f": double}, [Bfloat16.of(np.ones(3))])
        np.testing.assert_array_equal(plain(got), np.full(3, 2.0))
        np.testing.assert_array_equal(plain(grads["x"]), np.full(3, 2.0))

    def test_a_function_without_a_derivative_cuts_the_graph(self, room):
        plainly = Given("f", lambda x: 2 * x)
        _, grads = answer("block(x, f)", "return f(x)", "torch", room).vjp(
            {"x": np.ones(2), "f": plainly}, [np.ones(2)]
        )
        assert grads["x"] is None


@pytest.mark.parametrize("track", ["numpy", pytest.param("torch", marks=pytest.mark.torch), "cupy"])
class TestMemory:
    """What a function returned counts as the answer's as long as it is kept."""

    KEEPING = "kept = []\nfor f in layers:\n    kept.append(x)\n    x = f(x)\nreturn x"
    PASSING = "for f in layers:\n    x = f(x)\nreturn x"

    def peak(self, body, track, room):
        layers = [Given("layer", lambda x: x + 1) for _ in range(32)]
        x = np.ones(200_000)
        asked = answer("run(layers, x)", body, track, room)
        return asked.ask({"layers": layers, "x": x}, measure_memory=True).peak_bytes / x.nbytes

    def test_what_is_kept_is_counted(self, room, track):
        assert self.peak(self.KEEPING, track, room) >= 30

    def test_what_is_passed_on_is_not(self, room, track):
        assert self.peak(self.PASSING, track, room) <= 10


class TestLeavingTheDevice:
    """The stand-in tells of every way to the host, and the answer's line."""

    @pytest.mark.parametrize(
        ("body", "how"),
        [
            ("return x * float(x.max())", "float()"),
            ("return x * x.max().item()", ".item()"),
            ("return xp.asarray(xp.asnumpy(x))", ".get()"),
            ("return xp.asarray(x.tolist())", ".tolist()"),
            ("if x.max() > 0:\n    return x\nreturn -x", "bool()"),
        ],
    )
    def test_it_is_said_with_the_line(self, room, body, how):
        reply = answer("f(x)", body, "cupy", room).try_to_ask(
            {"x": np.ones(3)}, on_accelerator=True
        )
        assert reply.ended == "raised"
        assert how in reply.problem
        assert reply.line == 5
        assert reply.exception == ""

    def test_a_check_that_does_not_ask_lets_it_pass(self, room):
        asked = answer("f(x)", "return x * float(x.max())", "cupy", room)
        np.testing.assert_array_equal(asked({"x": np.ones(3)}), np.ones(3))

    def test_staying_is_fine(self, room):
        reply = answer("f(x)", "return x - x.max()", "cupy", room).try_to_ask(
            {"x": np.ones(3)}, on_accelerator=True
        )
        assert reply.ended == "returned"
