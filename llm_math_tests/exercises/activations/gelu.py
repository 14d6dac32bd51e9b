"""gelu: each number times a normal probability."""

from __future__ import annotations

from llm_math_tests.exercise import Mistake
from llm_math_tests.exercises.activations import yardsticks
from llm_math_tests.exercises.activations.elementwise import GATED, forward, wrote
from llm_math_tests.truths import activations as truth

EXERCISE = forward(
    "gelu",
    "x (1 + erf(x / sqrt 2)) / 2",
    truth.gelu,
    slope=truth.gelu_backward,
    mirror=GATED,
    tiny=truth.gelu,
    compositions=yardsticks.GELU_COMPOSED,
    hints=(
        "Phi(x) is the share of a standard normal distribution below x. Which argument does "
        "erf need to give it?",
        "Phi(x) = (1 + erf(x / sqrt 2)) / 2, times x. In NumPy, np.vectorize(math.erf) will "
        "do; compute float16 in float32.",
    ),
    mistakes=(
        wrote(
            "tanh_approximation",
            "used the tanh approximation: it is off by up to 0.0005",
            "0.5 * x * (1 + np.tanh(root * (x + 0.044715 * x**3)))",
        ),
        wrote(
            "sigmoid_approximation",
            "used the approximation x sigmoid(1.702 x): it is off by up to 0.02",
            "x * _sigmoid(1.702 * x)",
        ),
        wrote(
            "seven_digits",
            "used the five-term approximation of erf: it has seven digits, float64 has sixteen",
            "x * (0.5 + np.sign(x) * (0.5 - 0.5 * (t := 1 / (1 + 0.3275911 * abs(x) / 2**0.5)) * ("
            "0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027"
            " + t * 1.061405429)))) * np.exp(-x * x / 2)))",
        ),
        wrote(
            "root_left_out",
            "gave erf x, not x / sqrt 2",
            "x * np.where(x > 0, 1 - _upper_tail(2**0.5 * x), _upper_tail(2**0.5 * x))",
        ),
        wrote("half_left_out", "left out the factor 1/2", "2 * wanted"),
        wrote("gate_alone", "returned the gate and left out x", "below"),
        wrote("one_left_out", "left out the 1 that is added to erf", "x * (below - 0.5)"),
        wrote("silu_returned", "weighed with the sigmoid, which is silu", "x * s"),
        wrote("relu_returned", "cut off at 0, which is relu", "np.maximum(x, 0)"),
        Mistake(
            "gate_held_constant",
            "detached the gate: autograd has to go through Phi as well",
            "(half * math.sqrt(2)).erf_()",
            "(half * math.sqrt(2)).erf_().detach()",
            track="torch",
        ),
    ),
    operations=30,
    yardsticks=yardsticks.GELU,
)
