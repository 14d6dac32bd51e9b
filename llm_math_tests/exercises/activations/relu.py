"""relu: what is negative becomes 0."""

from __future__ import annotations

from llm_math_tests.exercise import Mistake
from llm_math_tests.exercises.activations import yardsticks
from llm_math_tests.exercises.activations.elementwise import GATED, autograd_gives, forward, wrote
from llm_math_tests.exercises.activations.situations import of
from llm_math_tests.truths import activations as truth

EXERCISE = forward(
    "relu",
    "x where x is positive, else 0",
    truth.relu,
    slope=None,
    mirror=GATED,
    tiny=truth.relu,
    infinite=True,
    more=(
        autograd_gives(
            "derivative_at_zero",
            "autograd's gradient at exactly 0 is 0",
            truth.relu,
            truth.relu_backward,
            (of("float32", "float32", [-1.0, 0.0, 2.0], "x of -1, 0 and 2"),),
        ),
    ),
    hints=(
        "Which of two numbers do you keep, x or 0? There is a function that keeps the larger one.",
        "It works on whole arrays. Keep the dtype: integers become floating numbers first.",
    ),
    mistakes=(
        wrote(
            "leaky",
            "let a hundredth of the negative numbers through, which is leaky relu",
            "np.where(x > 0, x, 0.01 * x)",
        ),
        wrote("size", "took the size of the negative numbers: they become 0", "np.abs(x)"),
        wrote("minimum", "kept the smaller of x and 0", "np.minimum(x, 0)"),
        wrote("step", "returned the derivative, 0 or 1", "np.sign(np.maximum(x, 0))"),
        wrote("ends_at_six", "cut off above 6 as well, which is relu6", "np.clip(x, 0, 6)"),
        wrote("softplus", "rounded the corner off, which is softplus", "np.logaddexp(0, x)"),
        wrote(
            "infinity_times_zero",
            "multiplied by x > 0: minus infinity times 0 is NaN",
            "x * (x > 0)",
        ),
        Mistake(
            "clamped",
            "used torch.clamp, whose gradient at exactly 0 is 1",
            "torch.threshold(x, 0.0, 0.0)",
            "x.clamp(min=0)",
            track="torch",
        ),
        Mistake(
            "maximum_of_a_tie",
            "used torch.maximum, which gives each side half the gradient where both are 0",
            "torch.threshold(x, 0.0, 0.0)",
            "torch.maximum(x, torch.zeros_like(x))",
            track="torch",
        ),
    ),
    operations=1,
    yardsticks=yardsticks.RELU,
)
