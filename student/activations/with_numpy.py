"""Activations in NumPy: your answers.

Write the body of each function below, then run: pytest -k activations --track numpy

Asked of every function: inputs are left as they are and may have any memory
layout; results stay on their device and have their floating dtype; a
ValueError names the argument and its value.
"""

import numpy as np


def relu(x):
    """Cut off what is negative: the activation that made deep networks trainable.

    relu(x) = max(x, 0)

    It costs next to nothing and does not saturate on the positive side, where
    its derivative is exactly 1 however many layers are stacked. The price is
    on the other side: a unit that is negative for every input passes no
    gradient at all, and stays dead.

    Args:
        x: Pre-activations, any shape.

    Returns:
        The shape and dtype of x (integers and booleans give float64), without
        any rounding. A NaN stays NaN, as in the libraries.

    Example:
        >>> import numpy as np
        >>> relu(np.array([-2.0, 0.0, 3.0]))
        array([0., 0., 3.])

    Source: Nair and Hinton (2010), "Rectified linear units improve restricted
    Boltzmann machines".
    """
    raise NotImplementedError


def relu_backward(grad_output, x):
    """Push a gradient back through relu: it passes, or it stops.

    dL/dx = g if x > 0 else 0,  g = dL/dy

    At exactly 0 relu has a kink and no derivative; every framework takes 0
    there, and so do we.

    Args:
        grad_output: Gradient g of the loss with respect to relu(x).
        x: The pre-activations that relu was given, the same shape.

    Returns:
        Gradient with respect to x, of the shape and dtype of x (integers and
        booleans give float64), without any rounding.

    Raises:
        ValueError: grad_output has another shape than x, which might broadcast;
            the message names grad_output and its shape.

    Example:
        >>> import numpy as np
        >>> relu_backward(np.array([5.0, 5.0, 5.0]), np.array([-2.0, 0.0, 3.0]))
        array([0., 0., 5.])

    Source: Goodfellow, Bengio and Courville (2016), "Deep Learning", 6.3.1.
    """
    raise NotImplementedError


def tanh(x):
    """Squash any number into (-1, 1), evenly around 0.

    tanh(x) = (e^x - e^-x) / (e^x + e^-x)
            = t / (t + 2),  t = e^2x - 1

    The first line overflows for large x, where tanh is simply 1, and it loses
    all digits for tiny x, where tanh(x) is x: e^x - e^-x subtracts two numbers
    next to 1. For the second there is expm1(2x), which keeps the digits of t;
    only large x still need care. Write it from exp or expm1: the library's tanh
    is what you are building.

    Args:
        x: Pre-activations, any shape.

    Returns:
        The shape and dtype of x (integers and booleans give float64). For tiny
        x the error is a few roundings of the result itself; large x, also
        infinite ones, give exactly 1 or -1. NaN stays NaN.

    Example:
        >>> import numpy as np
        >>> tanh(np.array([-1000.0, 0.0, 0.5])).round(4)
        array([-1.    ,  0.    ,  0.4621])

    Source: LeCun, Bottou, Orr and Mueller (1998), "Efficient BackProp".
    """
    raise NotImplementedError


def tanh_backward(grad_output, x):
    """Push a gradient back through tanh; where tanh is saturated, nothing passes.

    dL/dx = g (1 - tanh(x)^2) = g * 4 e^(-2|x|) / (1 + e^(-2|x|))^2

    The derivative is 1 at 0 and falls off on both sides: at |x| = 5 it is
    0.0002, so that a unit far out hardly learns.

    Args:
        grad_output: Gradient g of the loss with respect to tanh(x).
        x: The pre-activations that tanh was given (not what it returned), the
            same shape.

    Returns:
        Gradient with respect to x, of the shape and dtype of x (float16 is
        computed in float32; integers and booleans give float64). The error is
        a few roundings of |g|; for large |x| it is 0, never NaN.

    Raises:
        ValueError: grad_output has another shape than x, which might broadcast;
            the message names grad_output and its shape.

    Example:
        >>> import numpy as np
        >>> tanh_backward(np.array([1.0, 1.0]), np.array([0.0, 1000.0]))
        array([1., 0.])

    Source: LeCun, Bottou, Orr and Mueller (1998), "Efficient BackProp".
    """
    raise NotImplementedError


def sigmoid(x):
    """Squash any number into (0, 1): the probability behind a score.

    sigmoid(x) = 1 / (1 + e^-x) = e^x / (1 + e^x)

    Both forms are right and each overflows on one side: e^1000 is more than
    float64 can hold. Exponentiate -|x| only, and use the first form where x is
    positive and the second where it is negative.

    Args:
        x: Pre-activations, any shape.

    Returns:
        The shape and dtype of x (integers and booleans give float64): between 0
        and 1, never falling where x rises, and off by at most 2 eps. Infinities
        give 0 and 1, NaN stays NaN. Nothing overflows on the way, whatever the
        size of x: no RuntimeWarning.

    Example:
        >>> import numpy as np
        >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
        array([0. , 0.5, 1. ])

    Source: Goodfellow, Bengio and Courville (2016), "Deep Learning", 3.10.
    """
    raise NotImplementedError


def sigmoid_backward(grad_output, x):
    """Push a gradient back through the sigmoid: at most a quarter of it passes.

    dL/dx = g s (1 - s),  s = sigmoid(x)
          = g e^-|x| / (1 + e^-|x|)^2

    The derivative is 0.25 at x = 0 and smaller everywhere else. Stacked layers
    multiply these quarters: that is the vanishing gradient.

    Args:
        grad_output: Gradient g of the loss with respect to sigmoid(x).
        x: The pre-activations that sigmoid was given (not what it returned),
            the same shape.

    Returns:
        Gradient with respect to x, of the shape and dtype of x (float16 is
        computed in float32; integers and booleans give float64). The error is
        a few roundings of |g|; for large |x| it is 0, never NaN.

    Raises:
        ValueError: grad_output has another shape than x, which might broadcast;
            the message names grad_output and its shape.

    Example:
        >>> import numpy as np
        >>> sigmoid_backward(np.array([1.0, 1.0]), np.array([0.0, 1000.0]))
        array([0.25, 0.  ])

    Source: Goodfellow, Bengio and Courville (2016), "Deep Learning", 6.2.2.
    """
    raise NotImplementedError


def gelu(x):
    """Weigh each number with the probability that a standard normal one is below it.

    gelu(x) = x Phi(x),  Phi(x) = (1 + erf(x / sqrt 2)) / 2

    A relu whose corner is rounded: x far above 0 passes, x far below does not,
    and in between the gate opens smoothly. BERT and the GPT models are built
    with it. This is the exact function; gelu_tanh approximates it.

    NumPy has no erf. math.erf takes one number at a time (np.vectorize applies
    it to each), scipy.special.erf takes arrays where SciPy is installed.

    Args:
        x: Pre-activations, any shape.

    Returns:
        The shape and dtype of x (float16 is computed in float32; integers and
        booleans give float64). The error is a few roundings of |x|: for x = -10
        the result is -7.6e-23, and 0 will do (1 + erf cancels there; erfc would
        keep the digits). NaN stays NaN.

    Example:
        >>> import numpy as np
        >>> gelu(np.array([-1.0, 0.0, 2.0])).round(4)
        array([-0.1587,  0.    ,  1.9545])

    Source: Hendrycks and Gimpel (2016), "Gaussian error linear units"; the
    approximation of the tail is our own fit, of the form of Cody (1969),
    "Rational Chebyshev approximations for the error function".
    """
    raise NotImplementedError


def gelu_backward(grad_output, x):
    """Push a gradient back through the exact gelu.

    dL/dx = g (Phi(x) + x phi(x)),  phi(x) = e^(-x^2 / 2) / sqrt(2 pi)

    Phi is the gate itself, x phi(x) what moving x does to the gate. Unlike
    relu's, the derivative is not 0 for small negative x, and around x = 1.4 it
    is even above 1.

    Args:
        grad_output: Gradient g of the loss with respect to gelu(x).
        x: The pre-activations that gelu was given, the same shape.

    Returns:
        Gradient with respect to x, of the shape and dtype of x (float16 is
        computed in float32; integers and booleans give float64). The error is
        a few roundings of |g|; for large |x| the derivative is 0 or 1, never
        NaN.

    Raises:
        ValueError: grad_output has another shape than x, which might broadcast;
            the message names grad_output and its shape.

    Example:
        >>> import numpy as np
        >>> gelu_backward(np.array([1.0, 1.0]), np.array([0.0, 1.0])).round(4)
        array([0.5   , 1.0833])

    Source: Hendrycks and Gimpel (2016), "Gaussian error linear units".
    """
    raise NotImplementedError


def gelu_tanh(x):
    """Approximate gelu by a tanh, as GPT-2 does.

    gelu_tanh(x) = 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))

    It stays within 0.0005 of the exact gelu. Weights that were trained with one
    are to be run with the other only by mistake, so libraries offer both.

    Args:
        x: Pre-activations, any shape.

    Returns:
        The shape and dtype of x (float16 is computed in float32, where the cube
        of 60000 is finite; integers and booleans give float64). The error is a
        few roundings of |x|. NaN stays NaN.

    Example:
        >>> import numpy as np
        >>> gelu_tanh(np.array([-1.0, 0.0, 2.0])).round(4)
        array([-0.1588,  0.    ,  1.9546])

    Source: Hendrycks and Gimpel (2016), "Gaussian error linear units".
    """
    raise NotImplementedError


def silu(x):
    """Weigh each number with its own sigmoid; also called swish.

    silu(x) = x sigmoid(x) = x / (1 + e^-x)

    Much like gelu, and cheaper. The gate of swiglu, in most of today's language
    models, is a silu.

    Args:
        x: Pre-activations, any shape.

    Returns:
        The shape and dtype of x (float16 is computed in float32; integers and
        booleans give float64). The error is a few roundings of |x|; far below 0
        the result is 0, never NaN. NaN itself stays NaN.

    Example:
        >>> import numpy as np
        >>> silu(np.array([-1.0, 0.0, 2.0])).round(4)
        array([-0.2689,  0.    ,  1.7616])

    Source: Elfwing, Uchibe and Doya (2018), "Sigmoid-weighted linear units for
    neural network function approximation in reinforcement learning".
    """
    raise NotImplementedError


def silu_backward(grad_output, x):
    """Push a gradient back through silu.

    dL/dx = g s (1 + x (1 - s)),  s = sigmoid(x)

    The product rule: s is the gate, x s (1 - s) what moving x does to the gate.

    Args:
        grad_output: Gradient g of the loss with respect to silu(x).
        x: The pre-activations that silu was given, the same shape.

    Returns:
        Gradient with respect to x, of the shape and dtype of x (float16 is
        computed in float32; integers and booleans give float64). The error is
        a few roundings of |g| (1 + |x|), |x| counted up to 40; for large |x|
        the derivative is 0 or 1, never NaN.

    Raises:
        ValueError: grad_output has another shape than x, which might broadcast;
            the message names grad_output and its shape.

    Example:
        >>> import numpy as np
        >>> silu_backward(np.array([1.0, 1.0]), np.array([0.0, 1.0])).round(4)
        array([0.5   , 0.9277])

    Source: Ramachandran, Zoph and Le (2017), "Searching for activation
    functions".
    """
    raise NotImplementedError


def swiglu(x, w_gate, w_up, w_down):
    """Run the feed-forward block of today's language models: a gate, a product, a way back.

    swiglu(x) = (silu(x w_gate) * (x w_up)) w_down

    One projection decides how far each hidden unit opens, the other what it
    carries. The product of the two grows fast: it is the first place where
    float16 overflows in a large model.

    Args:
        x: Tokens, shape (..., d).
        w_gate: The gate's weights, shape (d, f).
        w_up: The carried weights, shape (d, f).
        w_down: The weights back, shape (f, d).

    Returns:
        Shape (..., d), in the dtype of x (float16 is computed in float32
        throughout, the products between included, and rounded once at the end;
        integers and booleans give float64).

    Raises:
        ValueError: x has no axis, a weight is no matrix, or a shape does not
            fit those before it in the signature: w_gate has d rows, w_up the
            shape of w_gate, w_down that shape turned around. The message names
            the argument and its shape.

    Example:
        >>> import numpy as np
        >>> one = np.array([[1.0]])
        >>> swiglu(np.array([2.0]), one, one, one).round(4)
        array([3.5232])

    Source: Shazeer (2020), "GLU variants improve transformer".
    """
    raise NotImplementedError


def gradient_through_depth(derivative, x, depth):
    """Multiply an activation's derivative over many layers: what is left of a gradient.

    result = derivative(x) * derivative(x) * ... * derivative(x),  depth factors

    Each layer that a gradient goes back through multiplies it by the derivative
    of its activation. A sigmoid's is at most 0.25, so that after fifty layers at
    most 0.25^50 = 8e-31 is left. With x = 0.5 in every layer it is 4e-32, still
    a number in float32; the 1e-38 that the chapter prints is far too small.
    With relu at a positive x it is 1, and with a derivative above 1 it explodes.

    Args:
        derivative: A function of an array that gives the activation's
            derivative at each number, in the same shape and dtype. Where depth is
            above 0, it has to be called at least once and at most depth times.
        x: The pre-activation, the same in every layer; any shape. Hand it on as
            it is (integers and booleans as float64).
        depth: How many layers, 0 or more. With 0 nothing is multiplied: ones.

    Returns:
        The product for each number of x, in its shape and dtype (float16
        is multiplied in float32; integers and booleans give float64). A product
        too small for the dtype is 0, one too large inf.

    Raises:
        ValueError: depth is negative; the message names depth and its value.

    Example:
        >>> import numpy as np
        >>> half = lambda x: np.full_like(x, 0.5)
        >>> gradient_through_depth(half, np.array([1.0, 2.0]), 3)
        array([0.125, 0.125])

    Source: Hochreiter (1991), "Untersuchungen zu dynamischen neuronalen
    Netzen"; Glorot and Bengio (2010), "Understanding the difficulty of training
    deep feedforward neural networks".
    """
    raise NotImplementedError


def dead_fraction(pre_activations):
    """Count the relu units that never fire: the share of them that is dead.

    dead_fraction = (units with x <= 0 for every example) / (all units)

    A relu that is negative for every input gives 0, and passes 0 back: nothing
    can ever bring it back to life. A large learning rate or a bad start kills
    units by the hundred, and the loss does not say so. Note that it is not the
    share of zeros: a unit that fires once in a thousand examples is alive.

    Args:
        pre_activations: What goes into the relu, shape (..., units): the last
            axis holds the units, all others the examples.

    Returns:
        One number, a 0-d array or NumPy scalar in the dtype of pre_activations
        (integers and booleans give float64; float16 cannot count beyond 2048 by
        ones, so do not count in it). Exactly 0 counts as not positive. Where
        there are no examples, no unit has fired and the share is 1.

    Raises:
        ValueError: pre_activations has no axis or no units; the message names
            pre_activations and its shape.

    Example:
        >>> import numpy as np
        >>> x = np.array([[-1.0, 2.0, 0.0, -3.0], [-1.0, -2.0, 0.0, 1.0]])
        >>> float(dead_fraction(x))
        0.5

    Source: Maas, Hannun and Ng (2013), "Rectifier nonlinearities improve neural
    network acoustic models"; Lu et al. (2020), "Dying ReLU and initialization".
    """
    raise NotImplementedError
