"""Normalization and residual blocks: reference answers in CuPy.

Made from with_numpy.py by `python -m llm_math_tests.derive`; edit that file instead.
"""

import math

import cupy as cp


def _as_float(x):
    """Integers and booleans become float64."""
    return x if x.dtype.kind == "f" else x.astype(cp.float64)


def _widened(x):
    """float16 is computed in float32; integers and booleans become float64."""
    x = _as_float(x)
    return x.astype(cp.float32) if x.dtype == cp.float16 else x


def _mean_product(x, y):
    """The mean of x y over the last axis, which stays with size 1."""
    return cp.einsum("...i,...i->...", x, y)[..., None] / x.shape[-1]


def _rows(x):
    """All leading axes as one; none gives one row."""
    return x.reshape(-1, x.shape[-1])


def _check_width(name, array, x):
    if array.shape != x.shape[-1:]:
        raise ValueError(
            f"{name} must be of shape {x.shape[-1:]}, the last axis of x, "
            f"got {name} of shape {array.shape}"
        )


def _check_gradient(grad_output, x):
    if grad_output.shape != x.shape:
        raise ValueError(
            f"grad_output must have the shape of x {x.shape}, "
            f"got grad_output of shape {grad_output.shape}"
        )


def _check_eps(eps):
    if not eps >= 0:
        raise ValueError(f"eps must be 0 or more, got eps={eps}")


def layer_norm(x, weight, bias, eps=1e-5):
    """Give every row mean 0 and variance 1, then a learned scale and shift.

    z = (x - m) / sqrt(v + eps),  m = mean(x),  v = mean((x - m)^2)
    y = z * weight + bias

    A row is one token's vector, the last axis, and is normalized by itself: what
    else is in the batch changes nothing. In a deep network it keeps numbers
    from growing or dying out from layer to layer, whatever the layers do.

    The variance is the mean of squares (divided by n, not n - 1), of numbers
    from which the mean has been taken: mean(x^2) - m^2 is the same on paper,
    and loses every digit where m is much larger than the deviations. eps stands
    inside the root and keeps a row of equal numbers from 0 / 0.

    Args:
        x: Numbers, shape (..., n); n is at least 1.
        weight: Scale of each column, shape (n,).
        bias: Shift of each column, shape (n,).
        eps: Added to the variance, 0 or more. With 0, a row must have a variance
            that its dtype can hold.

    Returns:
        The shape and dtype of x (float16 is computed in float32 and rounded
        once; integers and booleans give float64). A row of equal numbers, and
        any row of one, gives bias. The error is a few roundings of
        |weight| (|z| + mean|x| / sqrt(v + eps)) + |bias|, a few times sqrt(n)
        where many are summed. The inputs are not changed.

    Raises:
        ValueError: weight or bias is not of shape (n,) (the message names it and
            its shape), or eps is negative (it names eps and its value).

    Example:
        >>> import cupy as cp
        >>> x = cp.array([[1.0, 3.0], [10.0, 50.0]])
        >>> layer_norm(x, cp.ones(2), cp.zeros(2)).round(3) + 0.0
        array([[-1.,  1.],
               [-1.,  1.]])

    Source: Ba, Kiros and Hinton (2016), "Layer normalization"; eps as in PyTorch.
    """
    _check_width("weight", weight, x)
    _check_width("bias", bias, x)
    _check_eps(eps)
    numbers = _widened(x)
    out = numbers - numbers.mean(axis=-1, keepdims=True)
    variance = _mean_product(out, out)
    out /= cp.sqrt(variance + eps)
    out *= weight
    out += bias
    return out.astype(_as_float(x).dtype, copy=False)


def layer_norm_backward(grad_output, x, weight, eps=1e-5):
    """Push a gradient back through layer_norm, to the input, weight and bias.

    z  = (x - m) / s,  s = sqrt(v + eps),  as in layer_norm
    h  = g * weight,  g = dL/dy
    dx = (h - mean(h) - z * mean(h z)) / s
    dweight = sum of g * z over all rows
    dbias   = sum of g over all rows

    m and v depend on every number of the row, and what flows back through them
    takes two things out of h: its mean, and what points along z. So dx sums to
    0, and no step along it can shift or scale a row, which would change nothing.

    weight and bias are the same for every row, so their gradients add up over
    all of them, in all leading axes.

    Args:
        grad_output: Gradient g of the loss with respect to the output, the shape
            of x.
        x: The input of layer_norm, shape (..., n); n is at least 1.
        weight: Its scale, shape (n,). (The bias has no part in any gradient.)
        eps: Its eps, 0 or more.

    Returns:
        (dx, dweight, dbias) of shapes (..., n), (n,) and (n,), in the dtype of x
        (float16 is computed and summed in float32 and rounded once; integers
        and booleans give float64). Without leading axes the sums have one term;
        with an empty batch they are 0. The inputs are not changed.

    Raises:
        ValueError: grad_output has another shape than x, or weight is not of
            shape (n,) (the message names it and its shape), or eps is negative
            (it names eps and its value).

    Example:
        >>> import cupy as cp
        >>> x = cp.array([[-1.0, 1.0, 0.0, 0.0]])
        >>> g = cp.array([[0.0, 0.0, 2.0, 4.0]])
        >>> dx, dweight, dbias = layer_norm_backward(g, x, cp.ones(4), eps=0.5)
        >>> dx
        array([[-1.5, -1.5,  0.5,  2.5]])
        >>> dbias
        array([0., 0., 2., 4.])

    Source: Ba, Kiros and Hinton (2016), "Layer normalization".
    """
    _check_gradient(grad_output, x)
    _check_width("weight", weight, x)
    _check_eps(eps)
    dtype = _as_float(x).dtype
    numbers, g = _widened(x), _widened(grad_output)
    z = numbers - numbers.mean(axis=-1, keepdims=True)
    deviation = cp.sqrt(_mean_product(z, z) + eps)
    z /= deviation
    dbias = _rows(g).sum(axis=0)
    dweight = cp.einsum("ri,ri->i", _rows(g), _rows(z))
    dx = g * _widened(weight)
    along = _mean_product(dx, z)
    dx -= dx.mean(axis=-1, keepdims=True)
    z *= along
    dx -= z
    dx /= deviation
    return tuple(out.astype(dtype, copy=False) for out in (dx, dweight, dbias))


def rms_norm(x, weight, eps=1e-6):
    """Divide every row by its root mean square, then apply a learned scale.

    y = x / sqrt(mean(x^2) + eps) * weight

    It is layer_norm without the mean and without the bias: one pass less over
    the row, and in practice just as good, which is why Llama and most models
    since use it.

    Args:
        x: Numbers, shape (..., n); n is at least 1.
        weight: Scale of each column, shape (n,).
        eps: Added to the mean square inside the root, 0 or more. With 0, a row
            must have a mean square that its dtype can hold.

    Returns:
        The shape and dtype of x (float16 is computed in float32, where the
        squares of numbers above 256 do not overflow; integers and booleans give
        float64). A row of zeros gives zeros. The inputs are not changed.

    Raises:
        ValueError: weight is not of shape (n,) (the message names weight and its
            shape), or eps is negative (it names eps and its value).

    Example:
        >>> import cupy as cp
        >>> rms_norm(cp.array([1.0, 7.0]), cp.array([5.0, 10.0]), eps=0.0)
        array([ 1., 14.])

    Source: Zhang and Sennrich (2019), "Root mean square layer normalization";
    eps as in Llama.
    """
    _check_width("weight", weight, x)
    _check_eps(eps)
    numbers = _widened(x)
    mean_square = _mean_product(numbers, numbers)
    out = numbers / cp.sqrt(mean_square + eps)
    out *= weight
    return out.astype(_as_float(x).dtype, copy=False)


def rms_norm_backward(grad_output, x, weight, eps=1e-6):
    """Push a gradient back through rms_norm, to the input and the weight.

    z  = x / r,  r = sqrt(mean(x^2) + eps),  as in rms_norm
    h  = g * weight,  g = dL/dy
    dx = (h - z * mean(h z)) / r
    dweight = sum of g * z over all rows

    Only what points along z is taken out of h: a longer row gives the same
    result, so no gradient points that way. (The mean stays: rms_norm sees it.)

    Args:
        grad_output: Gradient g of the loss with respect to the output, the shape
            of x.
        x: The input of rms_norm, shape (..., n); n is at least 1.
        weight: Its scale, shape (n,).
        eps: Its eps, 0 or more.

    Returns:
        (dx, dweight) of shapes (..., n) and (n,), in the dtype of x (float16 is
        computed and summed in float32 and rounded once; integers and booleans
        give float64). Without leading axes the sum has one term; with an empty
        batch it is 0. The inputs are not changed.

    Raises:
        ValueError: grad_output has another shape than x, or weight is not of
            shape (n,) (the message names it and its shape), or eps is negative
            (it names eps and its value).

    Example:
        >>> import cupy as cp
        >>> x, g = cp.array([1.0, 7.0]), cp.array([50.0, 0.0])
        >>> dx, dweight = rms_norm_backward(g, x, cp.ones(2), eps=0.0)
        >>> dx.round(6)
        array([ 9.8, -1.4])
        >>> dweight
        array([10.,  0.])

    Source: Zhang and Sennrich (2019), "Root mean square layer normalization".
    """
    _check_gradient(grad_output, x)
    _check_width("weight", weight, x)
    _check_eps(eps)
    dtype = _as_float(x).dtype
    numbers, g = _widened(x), _widened(grad_output)
    root = cp.sqrt(_mean_product(numbers, numbers) + eps)
    z = numbers / root
    dweight = cp.einsum("ri,ri->i", _rows(g), _rows(z))
    dx = g * _widened(weight)
    z *= _mean_product(dx, z)
    dx -= z
    dx /= root
    return dx.astype(dtype, copy=False), dweight.astype(dtype, copy=False)


def pre_norm_block(x, sublayer, weight, bias):
    """Add to x what a sublayer makes of the normalized x.

    y = x + sublayer(layer_norm(x, weight, bias))

    The sum is the residual path: x itself passes through untouched, from the
    first layer to the last, and the sublayer only adds to it. Its gradient is
    1 plus something, so it cannot vanish over many layers. The sublayer sees
    normalized numbers, however large the sum has grown. GPT-2 and nearly every
    large model since is built so.

    Args:
        x: Tokens, shape (..., n); n is at least 1.
        sublayer: A function of one array of the shape and dtype of x (float64
            for integers), which gives another such array: attention, say, or a
            feed-forward network. It is called exactly once.
        weight: Scale of the normalization, shape (n,).
        bias: Shift of the normalization, shape (n,).

    Returns:
        The shape and dtype of x (for float16 the normalization is computed in
        float32; integers and booleans give float64). The eps of layer_norm is
        its default, 1e-5. The inputs are not changed.

    Raises:
        ValueError: weight or bias is not of shape (n,); the message names it and
            its shape.

    Example:
        >>> import cupy as cp
        >>> x = cp.array([1000.0, 3000.0])
        >>> y = pre_norm_block(x, lambda z: 10 * z, cp.ones(2), cp.zeros(2))
        >>> y.round(4)
        array([ 990., 3010.])

    Source: Xiong et al. (2020), "On layer normalization in the transformer
    architecture"; Radford et al. (2019).
    """
    normed = layer_norm(x, weight, bias)
    change = sublayer(normed)
    return (_as_float(x) + change).astype(_as_float(x).dtype, copy=False)


def pre_norm_block_backward(grad_output, x, sublayer_vjp, weight, bias):
    """Push a gradient back through pre_norm_block, to its input.

    y  = x + f(normed),  normed = layer_norm(x, weight, bias)
    dx = g + layer_norm'(f'(g)),  g = dL/dy

    Two paths lead from x to y, and their gradients add up. Through the sublayer,
    g becomes f'(g), the gradient with respect to normed, and layer_norm's
    backward takes that to x. Past the sublayer, g arrives as it is: this is the
    "1 +" that lets a gradient reach the first of a hundred layers.

    Args:
        grad_output: Gradient g of the loss with respect to the output, the shape
            of x.
        x: The input of the block, shape (..., n); n is at least 1.
        sublayer_vjp: A function of two arrays, sublayer_vjp(normed, g): the
            gradient with respect to the sublayer's input, of the same shape,
            where the sublayer was applied to normed and g is the gradient at
            its output. Both are of the shape and dtype of x (float64 for
            integers). It is called exactly once.
        weight: Scale of the normalization, shape (n,).
        bias: Shift of the normalization, shape (n,).

    Returns:
        dx, of the shape and dtype of x (float16 is computed in float32;
        integers and booleans give float64). Where the sublayer's gradient is 0,
        dx is exactly grad_output. The eps of layer_norm is its default, 1e-5.
        The inputs are not changed.

    Raises:
        ValueError: grad_output has another shape than x, or weight or bias is
            not of shape (n,); the message names it and its shape.

    Example:
        >>> import cupy as cp
        >>> x, g = cp.array([1.0, 2.0, 6.0]), cp.array([3.0, 0.0, 1.0])
        >>> one, zero = cp.ones(3), cp.zeros(3)
        >>> pre_norm_block_backward(g, x, lambda z, g: 0 * g, one, zero)
        array([3., 0., 1.])
        >>> dx = pre_norm_block_backward(g, x, lambda z, g: g, one, zero)
        >>> round(float(dx.sum()), 6)
        4.0

    Source: Xiong et al. (2020), "On layer normalization in the transformer
    architecture"; He et al. (2016), "Identity mappings in deep residual networks".
    """
    _check_gradient(grad_output, x)
    dtype = _as_float(x).dtype
    normed = layer_norm(x, weight, bias)
    at_normed = sublayer_vjp(normed, grad_output.astype(dtype, copy=False))
    through, _, _ = layer_norm_backward(_widened(at_normed), _widened(x), weight)
    return (through + grad_output).astype(dtype, copy=False)


def post_norm_block(x, sublayer, weight, bias):
    """Add a sublayer's result to x, then normalize the sum.

    y = layer_norm(x + sublayer(x), weight, bias)

    This is the order of the original transformer. Its output is normalized,
    whatever the sublayer does; but every layer's norm stands in the way of the
    gradient, which is why deep stacks of it need a warm-up of the learning rate
    and pre_norm_block took its place.

    Args:
        x: Tokens, shape (..., n); n is at least 1.
        sublayer: A function of one array of the shape and dtype of x (float64
            for integers), which gives another such array. It is called exactly
            once, with x.
        weight: Scale of the normalization, shape (n,).
        bias: Shift of the normalization, shape (n,).

    Returns:
        The shape and dtype of x (float16 is added and normalized in float32:
        the sum may be above 65504; integers and booleans give float64). The eps
        of layer_norm is its default, 1e-5. The inputs are not changed.

    Raises:
        ValueError: weight or bias is not of shape (n,); the message names it and
            its shape.

    Example:
        >>> import cupy as cp
        >>> x = cp.array([1000.0, 3000.0])
        >>> y = post_norm_block(x, lambda x: 10 * x, cp.ones(2), cp.zeros(2))
        >>> y.round(4)
        array([-1.,  1.])

    Source: Vaswani et al. (2017), "Attention is all you need", 3.1.
    """
    _check_width("weight", weight, x)
    _check_width("bias", bias, x)
    change = sublayer(_as_float(x))
    total = _widened(x) + _widened(change)
    return layer_norm(total, weight, bias).astype(_as_float(x).dtype, copy=False)


def _polynomial(coefficients, x):
    """Highest power first."""
    out = coefficients[0] * x
    for c in coefficients[1:-1]:
        out += c
        out *= x
    out += coefficients[-1]
    return out


def _erf(x):
    """The error function, to a few roundings: rational functions on two pieces.

    Coefficients: Cody (1969), "Rational Chebyshev approximations for the error
    function", as in his CALERF.
    """
    size = cp.abs(x)
    # Near 0, erf(x) = x p(x^2) / q(x^2).
    square = cp.minimum(size, 0.5)
    square *= square
    near = _polynomial(_ERF_P, square)
    near /= _polynomial(_ERF_Q, square)
    near *= x
    # Farther out, 1 - erf(x) = exp(-x^2) p(x) / q(x). From 6 on, erf is 1.
    out = cp.clip(size, 0.46875, 6.0)
    far = _polynomial(_ERFC_P, out)
    far /= _polynomial(_ERFC_Q, out)
    out *= out
    far *= cp.exp(-out)
    far = cp.copysign(1 - far, x)
    return cp.where(size <= 0.46875, near, far)


_ERF_P = (
    1.85777706184603153e-1, 3.16112374387056560e0, 1.13864154151050156e2,
    3.77485237685302021e2, 3.20937758913846947e3,
)  # fmt: skip
_ERF_Q = (
    1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3,
    2.84423683343917062e3,
)  # fmt: skip
_ERFC_P = (
    2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0,
    6.61191906371416295e1, 2.98635138197400131e2, 8.81952221241769090e2,
    1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3,
)  # fmt: skip
_ERFC_Q = (
    1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2,
    1.62138957456669019e3, 3.29079923573345963e3, 4.36261909014324716e3,
    3.43936767414372164e3, 1.23033935480374942e3,
)  # fmt: skip


def _gelu(x):
    """Multiply by Phi(x) of the normal distribution, written over x."""
    out = _erf(x * math.sqrt(0.5))
    out += 1
    out *= 0.5
    x *= out
    return x


def _attention(x, w_q, w_k, w_v, w_o, num_heads, mask):
    """Multi-head attention of x with itself; a query with no key left gives zeros."""
    width = x.shape[-1] // num_heads
    q, k, v = (
        (x @ w).reshape(*x.shape[:-1], num_heads, width).swapaxes(-2, -3) for w in (w_q, w_k, w_v)
    )
    scores = (q * (1 / math.sqrt(width))) @ k.swapaxes(-1, -2)
    if mask is not None:
        mask = mask[..., None, :, :] if mask.ndim > 2 else mask
        cp.copyto(scores, -cp.inf, where=~mask)
    top = scores.max(axis=-1, keepdims=True)
    top[top == -cp.inf] = 0
    scores -= top
    cp.exp(scores, out=scores)
    total = scores.sum(axis=-1, keepdims=True)
    total[total == 0] = 1
    heads = scores @ v
    heads /= total
    return heads.swapaxes(-2, -3).reshape(x.shape) @ w_o


def _shapes(d):
    """What transformer_block's params must hold, and of which shape."""
    return {
        "norm1_weight": (d,), "norm1_bias": (d,),
        "w_q": (d, d), "w_k": (d, d), "w_v": (d, d), "w_o": (d, d),
        "norm2_weight": (d,), "norm2_bias": (d,),
        "w1": (d, 4 * d), "b1": (4 * d,), "w2": (4 * d, d), "b2": (d,),
    }  # fmt: skip


def _check_params(params, d):
    for name, shape in _shapes(d).items():
        if name not in params:
            raise ValueError(f"params must hold {name}, got params with {', '.join(params)}")
        if params[name].shape != shape:
            raise ValueError(
                f"params[{name!r}] must be of shape {shape}, "
                f"got {name} of shape {params[name].shape}"
            )


def _check_heads(num_heads, d):
    if num_heads < 1 or d % num_heads:
        raise ValueError(f"num_heads must divide the width {d}, got num_heads={num_heads}")


def _check_mask(mask, shape):
    if mask is None:
        return
    if mask.dtype != bool:
        raise ValueError(f"mask must be boolean, True = keep, got mask of dtype {mask.dtype}")
    pairs = zip(mask.shape[::-1], shape[::-1], strict=False)
    if len(mask.shape) > len(shape) or not all(a in (1, b) for a, b in pairs):
        raise ValueError(f"mask must broadcast to {shape}, got mask of shape {mask.shape}")


def transformer_block(x, params, num_heads, mask=None):
    """One layer of a transformer: tokens look at each other, then each thinks.

    h = x + attention(layer_norm(x, norm1_weight, norm1_bias))
    y = h + feed_forward(layer_norm(h, norm2_weight, norm2_bias))

    attention(z) is multi_head_attention(z, w_q, w_k, w_v, w_o, num_heads, mask)
    feed_forward(z) = gelu(z w1 + b1) w2 + b2
    gelu(u) = u Phi(u) = u (1 + erf(u / sqrt(2))) / 2

    Two pre_norm_blocks, one after the other; a model is an embedding, a few
    dozen of these, and a final norm. Attention moves information between
    tokens, the feed-forward network works on each token alone, and the residual
    path carries both. GELU is the exact one, with erf, as in BERT (GPT-2 took
    the approximation with tanh, which is off by up to 5e-4).

    Args:
        x: Tokens, shape (..., n, d); n is at least 1.
        params: A dict of arrays: norm1_weight, norm1_bias, norm2_weight and
            norm2_bias of shape (d,); w_q, w_k, w_v and w_o of shape (d, d),
            applied as z @ w; w1 (d, 4 d), b1 (4 d,), w2 (4 d, d) and b2 (d,).
            Other keys are not looked at.
        num_heads: H, 1 or more; it divides d. Head h owns the columns h d/H to
            (h + 1) d/H - 1 of the projected queries, keys and values, and
            divides its scores by sqrt(d/H).
        mask: Boolean, True = keep, broadcast to (..., n, n), the same for every
            head; None keeps all. To leave out padding it is (batch, 1, n).

    Returns:
        Shape (..., n, d), in the dtype of x (float16 is computed in float32
        throughout and rounded once; integers and booleans give float64). A
        token with no key left gets zeros from attention. The eps of layer_norm
        is its default, 1e-5. Neither x nor params is changed.

    Raises:
        ValueError: A key of params is missing (the message names it), an array
            is of another shape (it names the key and the array's shape),
            num_heads is below 1 or does not divide d (num_heads and its value),
            or mask is not boolean (mask and its dtype) or does not broadcast to
            (..., n, n) (mask and its shape).

    Example:
        >>> import cupy as cp
        >>> d = 2
        >>> params = {name: cp.zeros((d, d)) for name in ("w_q", "w_k", "w_v", "w_o")}
        >>> params |= {name: cp.ones(d) for name in ("norm1_weight", "norm2_weight")}
        >>> params |= {name: cp.zeros(d) for name in ("norm1_bias", "norm2_bias")}
        >>> params |= {"w1": cp.zeros((d, 4 * d)), "b1": cp.zeros(4 * d)}
        >>> params |= {"w2": cp.zeros((4 * d, d)), "b2": cp.array([10.0, 20.0])}
        >>> transformer_block(cp.array([[1.0, 2.0], [3.0, 6.0]]), params, num_heads=1)
        array([[11., 22.],
               [13., 26.]])

    Source: Vaswani et al. (2017), "Attention is all you need"; in pre-norm order
    as in Xiong et al. (2020); Hendrycks and Gimpel (2016) for GELU.
    """
    d = x.shape[-1]
    _check_params(params, d)
    _check_heads(num_heads, d)
    _check_mask(mask, (*x.shape[:-1], x.shape[-2]))
    dtype = _as_float(x).dtype
    tokens = _widened(x)
    p = {name: _widened(params[name]) for name in _shapes(d)}
    normed = layer_norm(tokens, p["norm1_weight"], p["norm1_bias"])
    mixed = _attention(normed, p["w_q"], p["w_k"], p["w_v"], p["w_o"], num_heads, mask)
    mixed += tokens
    normed = layer_norm(mixed, p["norm2_weight"], p["norm2_bias"])
    hidden = normed @ p["w1"]
    hidden += p["b1"]
    out = _gelu(hidden) @ p["w2"]
    out += p["b2"]
    out += mixed
    return out.astype(dtype, copy=False)
