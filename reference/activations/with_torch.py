"""Activations, their derivatives and what depth makes of them: reference answers in PyTorch."""

import math

import torch


def _as_float(x):
    """Integers and booleans become the default float dtype."""
    return x if x.is_floating_point() else x.to(torch.get_default_dtype())


def _widened(x):
    """float16 and bfloat16 are computed in float32."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _narrowed(out, x):
    """Back to the dtype of x, where that was widened."""
    return out if out.dtype == x.dtype else out.to(x.dtype)


def _check_gradient(grad_output, x):
    if grad_output.shape != x.shape:
        raise ValueError(
            f"grad_output must have the shape of x {tuple(x.shape)}, "
            f"got grad_output of shape {tuple(grad_output.shape)}"
        )


def relu(x):
    """Cut off what is negative: the activation that made deep networks trainable.

    relu(x) = max(x, 0)

    It costs next to nothing and does not saturate on the positive side, where
    its derivative is exactly 1 however many layers are stacked. The price is
    on the other side: a unit that is negative for every input passes no
    gradient at all, and stays dead.

    It is built from differentiable torch operations, so that autograd can go
    back to x. At x = 0 autograd finds 0 as well: torch.clamp's gradient there
    is 1, and torch.maximum's a half.

    Args:
        x: Pre-activations, a tensor of any shape.

    Returns:
        The shape and dtype of x (integers and booleans give the default dtype),
        without any rounding. A NaN stays NaN, as in the libraries.

    Example:
        >>> import torch
        >>> relu(torch.tensor([-2.0, 0.0, 3.0]))
        tensor([0., 0., 3.])

    Source: Nair and Hinton (2010), "Rectified linear units improve restricted
    Boltzmann machines".
    """
    x = _as_float(x)
    # clamp and maximum would give the gradient 1, or 1/2, at exactly 0.
    return torch.threshold(x, 0.0, 0.0)


def relu_backward(grad_output, x):
    """Push a gradient back through relu: it passes, or it stops.

    dL/dx = g if x > 0 else 0,  g = dL/dy

    At exactly 0 relu has a kink and no derivative; every framework takes 0
    there, and so do we.

    It is built from differentiable torch operations, so that autograd can go
    back to grad_output.

    Args:
        grad_output: Gradient g of the loss with respect to relu(x).
        x: The pre-activations that relu was given, the same shape.

    Returns:
        Gradient with respect to x, of the shape and dtype of x (integers and
        booleans give the default dtype), without any rounding.

    Raises:
        ValueError: grad_output has another shape than x, which might broadcast;
            the message names grad_output and its shape.

    Example:
        >>> import torch
        >>> relu_backward(torch.tensor([5.0, 5.0, 5.0]), torch.tensor([-2.0, 0.0, 3.0]))
        tensor([0., 0., 5.])

    Source: Goodfellow, Bengio and Courville (2016), "Deep Learning", 6.3.1.
    """
    _check_gradient(grad_output, x)
    x = _as_float(x)
    return _narrowed(torch.where(x > 0, _as_float(grad_output), 0.0), x)


def tanh(x):
    """Squash any number into (-1, 1), evenly around 0.

    tanh(x) = (e^x - e^-x) / (e^x + e^-x)
            = t / (t + 2),  t = e^2x - 1

    The first line overflows for large x, where tanh is simply 1, and it loses
    all digits for tiny x, where tanh(x) is x: e^x - e^-x subtracts two numbers
    next to 1. For the second there is expm1(2x), which keeps the digits of t;
    only large x still need care. Write it from exp or expm1: the library's tanh
    is what you are building.

    It is built from differentiable torch operations, so that autograd can go
    back to x. Its gradient is right at x = 0, where that of torch.abs is 0, and
    for x of any size; inf / inf in the backward pass would make it NaN.

    Args:
        x: Pre-activations, a tensor of any shape.

    Returns:
        The shape and dtype of x (integers and booleans give the default dtype).
        For tiny x the error is a few roundings of the result itself; large x,
        also infinite ones, give exactly 1 or -1. NaN stays NaN.

    Example:
        >>> import torch
        >>> tanh(torch.tensor([-1000.0, 0.0, 0.5]))
        tensor([-1.0000,  0.0000,  0.4621])

    Source: LeCun, Bottou, Orr and Mueller (1998), "Efficient BackProp".
    """
    x = _as_float(x)
    # From 20 on it is 1 to the last digit, and e^40 is far from overflowing.
    t = (_widened(x).clamp(max=20) * 2).expm1_()
    return _narrowed(t / (t + 2), x)


def tanh_backward(grad_output, x):
    """Push a gradient back through tanh; where tanh is saturated, nothing passes.

    dL/dx = g (1 - tanh(x)^2) = g * 4 e^(-2|x|) / (1 + e^(-2|x|))^2

    The derivative is 1 at 0 and falls off on both sides: at |x| = 5 it is
    0.0002, so that a unit far out hardly learns.

    It is built from differentiable torch operations, so that autograd can go
    back to grad_output and to x.

    Args:
        grad_output: Gradient g of the loss with respect to tanh(x).
        x: The pre-activations that tanh was given (not what it returned), the
            same shape.

    Returns:
        Gradient with respect to x, of the shape and dtype of x (float16 is
        computed in float32; integers and booleans give the default dtype). The
        error is a few roundings of |g|; for large |x| it is 0, never NaN.

    Raises:
        ValueError: grad_output has another shape than x, which might broadcast;
            the message names grad_output and its shape.

    Example:
        >>> import torch
        >>> tanh_backward(torch.tensor([1.0, 1.0]), torch.tensor([0.0, 1000.0]))
        tensor([1., 0.])

    Source: LeCun, Bottou, Orr and Mueller (1998), "Efficient BackProp".
    """
    _check_gradient(grad_output, x)
    x = _as_float(x)
    g = _widened(_as_float(grad_output))
    y = torch.tanh(_widened(x))
    return _narrowed(torch.addcmul(g, g * y, y, value=-1), x)


def sigmoid(x):
    """Squash any number into (0, 1): the probability behind a score.

    sigmoid(x) = 1 / (1 + e^-x) = e^x / (1 + e^x)

    Both forms are right and each overflows on one side: e^1000 is more than
    float64 can hold. Exponentiate -|x| only, and use the first form where x is
    positive and the second where it is negative.

    It is built from differentiable torch operations, so that autograd can go
    back to x. Its gradient is right at x = 0, where that of torch.abs is 0, and
    for x of any size; where e^-x overflows, autograd would find 0 * inf = NaN.

    Args:
        x: Pre-activations, a tensor of any shape.

    Returns:
        The shape and dtype of x (integers and booleans give the default dtype):
        between 0 and 1, never falling where x rises, and off by at most 2 eps.
        Infinities give 0 and 1, NaN stays NaN. Nothing overflows on the way,
        whatever the size of x.

    Example:
        >>> import torch
        >>> sigmoid(torch.tensor([-1000.0, 0.0, 1000.0]))
        tensor([0.0000, 0.5000, 1.0000])

    Source: Goodfellow, Bengio and Courville (2016), "Deep Learning", 3.10.
    """
    x = _as_float(x)
    z = _widened(x)
    # Farther out e^-x overflows, and inf / inf would be the gradient's NaN.
    far = 87.0 if z.dtype == torch.float32 else 708.0
    return _narrowed(z.clamp(-far, far).neg_().exp().add(1).reciprocal(), x)


def sigmoid_backward(grad_output, x):
    """Push a gradient back through the sigmoid: at most a quarter of it passes.

    dL/dx = g s (1 - s),  s = sigmoid(x)
          = g e^-|x| / (1 + e^-|x|)^2

    The derivative is 0.25 at x = 0 and smaller everywhere else. Stacked layers
    multiply these quarters: that is the vanishing gradient.

    It is built from differentiable torch operations, so that autograd can go
    back to grad_output and to x.

    Args:
        grad_output: Gradient g of the loss with respect to sigmoid(x).
        x: The pre-activations that sigmoid was given (not what it returned),
            the same shape.

    Returns:
        Gradient with respect to x, of the shape and dtype of x (float16 is
        computed in float32; integers and booleans give the default dtype). The
        error is a few roundings of |g|; for large |x| it is 0, never NaN.

    Raises:
        ValueError: grad_output has another shape than x, which might broadcast;
            the message names grad_output and its shape.

    Example:
        >>> import torch
        >>> sigmoid_backward(torch.tensor([1.0, 1.0]), torch.tensor([0.0, 1000.0]))
        tensor([0.2500, 0.0000])

    Source: Goodfellow, Bengio and Courville (2016), "Deep Learning", 6.2.2.
    """
    _check_gradient(grad_output, x)
    x = _as_float(x)
    s = torch.sigmoid(_widened(x))
    through = _widened(_as_float(grad_output)) * s
    return _narrowed(torch.addcmul(through, through, s, value=-1), x)


def gelu(x):
    """Weigh each number with the probability that a standard normal one is below it.

    gelu(x) = x Phi(x),  Phi(x) = (1 + erf(x / sqrt 2)) / 2

    A relu whose corner is rounded: x far above 0 passes, x far below does not,
    and in between the gate opens smoothly. BERT and the GPT models are built
    with it. This is the exact function; gelu_tanh approximates it.

    torch.erf is elementary enough to use.

    It is built from differentiable torch operations, so that autograd can go
    back to x, whatever its size.

    Args:
        x: Pre-activations, a tensor of any shape.

    Returns:
        The shape and dtype of x (float16 and bfloat16 are computed in float32;
        integers and booleans give the default dtype). The error is a few
        roundings of |x|: for x = -10 the result is -7.6e-23, and 0 will do (1 +
        erf cancels there; erfc would keep the digits). NaN stays NaN.

    Example:
        >>> import torch
        >>> gelu(torch.tensor([-1.0, 0.0, 2.0]))
        tensor([-0.1587,  0.0000,  1.9545])

    Source: Hendrycks and Gimpel (2016), "Gaussian error linear units".
    """
    x = _as_float(x)
    half = _widened(x) * 0.5
    return _narrowed(torch.addcmul(half, half, (half * math.sqrt(2)).erf_()), x)


def gelu_backward(grad_output, x):
    """Push a gradient back through the exact gelu.

    dL/dx = g (Phi(x) + x phi(x)),  phi(x) = e^(-x^2 / 2) / sqrt(2 pi)

    Phi is the gate itself, x phi(x) what moving x does to the gate. Unlike
    relu's, the derivative is not 0 for small negative x, and around x = 1.4 it
    is even above 1.

    It is built from differentiable torch operations, so that autograd can go
    back to grad_output and to x.

    Args:
        grad_output: Gradient g of the loss with respect to gelu(x).
        x: The pre-activations that gelu was given, the same shape.

    Returns:
        Gradient with respect to x, of the shape and dtype of x (float16 is
        computed in float32; integers and booleans give the default dtype). The
        error is a few roundings of |g|; for large |x| the derivative is 0 or 1,
        never NaN.

    Raises:
        ValueError: grad_output has another shape than x, which might broadcast;
            the message names grad_output and its shape.

    Example:
        >>> import torch
        >>> gelu_backward(torch.tensor([1.0, 1.0]), torch.tensor([0.0, 1.0]))
        tensor([0.5000, 1.0833])

    Source: Hendrycks and Gimpel (2016), "Gaussian error linear units".
    """
    _check_gradient(grad_output, x)
    x = _as_float(x)
    z = _widened(x)
    below = (z * math.sqrt(0.5)).erf_().add_(1).mul_(0.5)
    density = (z.square() * -0.5).exp_() * (1 / math.sqrt(2 * math.pi))
    out = _widened(_as_float(grad_output)) * torch.addcmul(below, z, density)
    return _narrowed(out, x)


def gelu_tanh(x):
    """Approximate gelu by a tanh, as GPT-2 does.

    gelu_tanh(x) = 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))

    It stays within 0.0005 of the exact gelu. Weights that were trained with one
    are to be run with the other only by mistake, so libraries offer both.

    It is built from differentiable torch operations, so that autograd can go
    back to x, whatever its size.

    Args:
        x: Pre-activations, a tensor of any shape.

    Returns:
        The shape and dtype of x (float16 and bfloat16 are computed in float32,
        where the cube of 60000 is finite; integers and booleans give the
        default dtype). The error is a few roundings of |x|. NaN stays NaN.

    Example:
        >>> import torch
        >>> gelu_tanh(torch.tensor([-1.0, 0.0, 2.0]))
        tensor([-0.1588,  0.0000,  1.9546])

    Source: Hendrycks and Gimpel (2016), "Gaussian error linear units".
    """
    x = _as_float(x)
    z = _widened(x)
    half = z * 0.5
    inner = (z.square() * 0.044715).add_(1) * z
    gate = inner.mul_(math.sqrt(2 / math.pi)).tanh_()
    return _narrowed(torch.addcmul(half, half, gate), x)


def silu(x):
    """Weigh each number with its own sigmoid; also called swish.

    silu(x) = x sigmoid(x) = x / (1 + e^-x)

    Much like gelu, and cheaper. The gate of swiglu, in most of today's language
    models, is a silu.

    It is built from differentiable torch operations, so that autograd can go
    back to x, whatever its size.

    Args:
        x: Pre-activations, a tensor of any shape.

    Returns:
        The shape and dtype of x (float16 and bfloat16 are computed in float32;
        integers and booleans give the default dtype). The error is a few
        roundings of |x|; far below 0 the result is 0, never NaN. NaN itself
        stays NaN.

    Example:
        >>> import torch
        >>> silu(torch.tensor([-1.0, 0.0, 2.0]))
        tensor([-0.2689,  0.0000,  1.7616])

    Source: Elfwing, Uchibe and Doya (2018), "Sigmoid-weighted linear units for
    neural network function approximation in reinforcement learning".
    """
    x = _as_float(x)
    z = _widened(x)
    return _narrowed(z * torch.sigmoid(z), x)


def silu_backward(grad_output, x):
    """Push a gradient back through silu.

    dL/dx = g s (1 + x (1 - s)),  s = sigmoid(x)

    The product rule: s is the gate, x s (1 - s) what moving x does to the gate.

    It is built from differentiable torch operations, so that autograd can go
    back to grad_output and to x.

    Args:
        grad_output: Gradient g of the loss with respect to silu(x).
        x: The pre-activations that silu was given, the same shape.

    Returns:
        Gradient with respect to x, of the shape and dtype of x (float16 is
        computed in float32; integers and booleans give the default dtype). The
        error is a few roundings of |g| (1 + |x|), |x| counted up to 40; for
        large |x| the derivative is 0 or 1, never NaN.

    Raises:
        ValueError: grad_output has another shape than x, which might broadcast;
            the message names grad_output and its shape.

    Example:
        >>> import torch
        >>> silu_backward(torch.tensor([1.0, 1.0]), torch.tensor([0.0, 1.0]))
        tensor([0.5000, 0.9277])

    Source: Ramachandran, Zoph and Le (2017), "Searching for activation
    functions".
    """
    _check_gradient(grad_output, x)
    x = _as_float(x)
    z = _widened(x)
    gate = torch.sigmoid(z)
    value = gate * z
    slope = torch.addcmul(gate, value, 1 - gate)
    return _narrowed(_widened(_as_float(grad_output)) * slope, x)


def swiglu(x, w_gate, w_up, w_down):
    """Run the feed-forward block of today's language models: a gate, a product, a way back.

    swiglu(x) = (silu(x w_gate) * (x w_up)) w_down

    One projection decides how far each hidden unit opens, the other what it
    carries. The product of the two grows fast: it is the first place where
    float16 overflows in a large model.

    It is built from differentiable torch operations, so that autograd can go
    back to x and to the three weights.

    Args:
        x: Tokens, shape (..., d).
        w_gate: The gate's weights, shape (d, f).
        w_up: The carried weights, shape (d, f).
        w_down: The weights back, shape (f, d).

    Returns:
        Shape (..., d), in the dtype of x (float16 and bfloat16 are computed in
        float32 throughout, the products between included, and rounded once at
        the end; integers and booleans give the default dtype).

    Raises:
        ValueError: x has no axis, a weight is no matrix, or a shape does not
            fit those before it in the signature: w_gate has d rows, w_up the
            shape of w_gate, w_down that shape turned around. The message names
            the argument and its shape.

    Example:
        >>> import torch
        >>> one = torch.tensor([[1.0]])
        >>> swiglu(torch.tensor([2.0]), one, one, one)
        tensor([3.5232])

    Source: Shazeer (2020), "GLU variants improve transformer".
    """
    if x.ndim == 0:
        raise ValueError(f"x must have at least one axis, got x of shape {tuple(x.shape)}")
    if w_gate.ndim != 2 or w_gate.shape[0] != x.shape[-1]:
        raise ValueError(
            f"w_gate must have {x.shape[-1]} rows, one for each column of x, "
            f"got w_gate of shape {tuple(w_gate.shape)}"
        )
    if w_up.shape != w_gate.shape:
        raise ValueError(
            f"w_up must have shape {tuple(w_gate.shape)}, got w_up of shape {tuple(w_up.shape)}"
        )
    if w_down.shape != w_gate.shape[::-1]:
        raise ValueError(
            f"w_down must have shape {tuple(w_gate.shape[::-1])}, "
            f"got w_down of shape {tuple(w_down.shape)}"
        )
    x = _as_float(x)
    z = _widened(x)
    score = z @ _widened(_as_float(w_gate))
    hidden = score * torch.sigmoid(score) * (z @ _widened(_as_float(w_up)))
    return _narrowed(hidden @ _widened(_as_float(w_down)), x)


def gradient_through_depth(derivative, x, depth):
    """Multiply an activation's derivative over many layers: what is left of a gradient.

    result = derivative(x) * derivative(x) * ... * derivative(x),  depth factors

    Each layer that a gradient goes back through multiplies it by the derivative
    of its activation. A sigmoid's is at most 0.25, so that after fifty layers at
    most 0.25^50 = 8e-31 is left. With x = 0.5 in every layer it is 4e-32, still
    a number in float32; the 1e-38 that the chapter prints is far too small.
    With relu at a positive x it is 1, and with a derivative above 1 it explodes.

    It is built from differentiable torch operations, so that autograd can go
    back to x, through derivative.

    Args:
        derivative: A function of a tensor that gives the activation's
            derivative at each number, in the same shape and dtype. Where depth is
            above 0, it has to be called at least once and at most depth times.
        x: The pre-activation, the same in every layer; any shape. Hand it on as
            it is (integers and booleans as the default dtype).
        depth: How many layers, 0 or more. With 0 nothing is multiplied: ones.

    Returns:
        The product for each number of x, in its shape and dtype (float16 and
        bfloat16 are multiplied in float32; integers and booleans give the
        default dtype). A product too small for the dtype is 0, one too large
        inf.

    Raises:
        ValueError: depth is negative; the message names depth and its value.

    Example:
        >>> import torch
        >>> half = lambda x: torch.full_like(x, 0.5)
        >>> gradient_through_depth(half, torch.tensor([1.0, 2.0]), 3)
        tensor([0.1250, 0.1250])

    Source: Hochreiter (1991), "Untersuchungen zu dynamischen neuronalen
    Netzen"; Glorot and Bengio (2010), "Understanding the difficulty of training
    deep feedforward neural networks".
    """
    if depth < 0:
        raise ValueError(f"depth must not be negative, got depth={depth}")
    x = _as_float(x)
    if depth == 0:
        return torch.ones_like(x)
    return _narrowed(_widened(derivative(x)) ** depth, x)


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
        One number, a 0-d tensor in the dtype of pre_activations (integers and
        booleans give the default dtype; float16 cannot count beyond 2048 by
        ones, so do not count in it). Exactly 0 counts as not positive. Where
        there are no examples, no unit has fired and the share is 1.

    Raises:
        ValueError: pre_activations has no axis or no units; the message names
            pre_activations and its shape.

    Example:
        >>> import torch
        >>> x = torch.tensor([[-1.0, 2.0, 0.0, -3.0], [-1.0, -2.0, 0.0, 1.0]])
        >>> float(dead_fraction(x))
        0.5

    Source: Maas, Hannun and Ng (2013), "Rectifier nonlinearities improve neural
    network acoustic models"; Lu et al. (2020), "Dying ReLU and initialization".
    """
    if pre_activations.ndim == 0 or pre_activations.shape[-1] == 0:
        raise ValueError(
            "pre_activations must have at least one unit, "
            f"got pre_activations of shape {tuple(pre_activations.shape)}"
        )
    x = _as_float(pre_activations)
    rows = x.reshape(-1, x.shape[-1])
    # A unit has fired if its largest number is positive; without examples there is none.
    top = rows.amax(dim=0) if len(rows) else rows.new_zeros(rows.shape[-1])
    return (top <= 0).mean(dtype=torch.float64).to(x.dtype)
