"""Normalization and residual blocks: reference answers in PyTorch."""

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


def _mean_square(x):
    """The mean of x^2 over the last axis, which stays with size 1."""
    return torch.linalg.vector_norm(x, dim=-1, keepdim=True).square() / x.shape[-1]


def _mean_product(x, weight):
    """The mean of x times a vector over the last axis, which stays with size 1."""
    return (x @ weight)[..., None] / x.shape[-1]


def _times(x, factor):
    """The product; where autograd does not need x, it is written over."""
    return x * factor if x.requires_grad or factor.requires_grad else x.mul_(factor)


def _rows(x):
    """All leading axes as one; none gives one row."""
    return x.reshape(-1, x.shape[-1])


def _check_width(name, array, x):
    if array.shape != x.shape[-1:]:
        raise ValueError(
            f"{name} must be of shape {tuple(x.shape[-1:])}, the last axis of x, "
            f"got {name} of shape {tuple(array.shape)}"
        )


def _check_gradient(grad_output, x):
    if grad_output.shape != x.shape:
        raise ValueError(
            f"grad_output must have the shape of x {tuple(x.shape)}, "
            f"got grad_output of shape {tuple(grad_output.shape)}"
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

    It is built from differentiable torch operations, so that autograd can go
    back to x, weight and bias.

    Args:
        x: Numbers, shape (..., n); n is at least 1.
        weight: Scale of each column, shape (n,).
        bias: Shift of each column, shape (n,).
        eps: Added to the variance, 0 or more. With 0, a row must have a variance
            that its dtype can hold.

    Returns:
        The shape, dtype and device of x (float16 and bfloat16 are computed in float32
        and rounded once; integers and booleans give the default dtype). A row
        of equal numbers, and any row of one, gives bias. The error is a few
        roundings of |weight| (|z| + mean|x| / sqrt(v + eps)) + |bias|, a few
        times sqrt(n) where many are summed. The inputs are not changed.

    Raises:
        ValueError: weight or bias is not of shape (n,) (the message names it and
            its shape), or eps is negative (it names eps and its value).

    Example:
        >>> import torch
        >>> x = torch.tensor([[1.0, 3.0], [10.0, 50.0]])
        >>> layer_norm(x, torch.ones(2), torch.zeros(2)).round(decimals=3)
        tensor([[-1.,  1.],
                [-1.,  1.]])

    Source: Ba, Kiros and Hinton (2016), "Layer normalization"; eps as in PyTorch.
    """
    _check_width("weight", weight, x)
    _check_width("bias", bias, x)
    _check_eps(eps)
    x = _as_float(x)
    numbers = _widened(x)
    centred = numbers - numbers.mean(dim=-1, keepdim=True)
    scale = torch.rsqrt(_mean_square(centred) + eps)
    z = _times(centred, scale)
    return _narrowed(torch.addcmul(bias, z, weight), x)


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

    It is built from differentiable torch operations, as a second derivative
    needs.

    Args:
        grad_output: Gradient g of the loss with respect to the output, the shape
            of x.
        x: The input of layer_norm, shape (..., n); n is at least 1.
        weight: Its scale, shape (n,). (The bias has no part in any gradient.)
        eps: Its eps, 0 or more.

    Returns:
        (dx, dweight, dbias) of shapes (..., n), (n,) and (n,), in the dtype of
        x (float16 and bfloat16 are computed and summed in float32 and rounded
        once; integers and booleans give the default dtype). Without leading
        axes the sums have one term; with an empty batch they are 0. The inputs
        are not changed.

    Raises:
        ValueError: grad_output has another shape than x, or weight is not of
            shape (n,) (the message names it and its shape), or eps is negative
            (it names eps and its value).

    Example:
        >>> import torch
        >>> x = torch.tensor([[-1.0, 1.0, 0.0, 0.0]])
        >>> g = torch.tensor([[0.0, 0.0, 2.0, 4.0]])
        >>> dx, dweight, dbias = layer_norm_backward(g, x, torch.ones(4), eps=0.5)
        >>> dx
        tensor([[-1.5000, -1.5000,  0.5000,  2.5000]])
        >>> dbias
        tensor([0., 0., 2., 4.])

    Source: Ba, Kiros and Hinton (2016), "Layer normalization".
    """
    _check_gradient(grad_output, x)
    _check_width("weight", weight, x)
    _check_eps(eps)
    x = _as_float(x)
    numbers, g = _widened(x), _widened(_as_float(grad_output))
    centred = numbers - numbers.mean(dim=-1, keepdim=True)
    scale = torch.rsqrt(_mean_square(centred) + eps)
    z = _times(centred, scale)
    gz = g * z
    dbias = _rows(g).sum(dim=0)
    dweight = _rows(gz).sum(dim=0)
    # mean(h) and mean(h z) are products with the weight: h = g * weight.
    w = weight.to(g.dtype)
    mean, along = _mean_product(g, w), _mean_product(gz, w)
    dx = (g * w).sub_(mean).addcmul_(z, along, value=-1).mul_(scale)
    return tuple(_narrowed(out, x) for out in (dx, dweight, dbias))


def rms_norm(x, weight, eps=1e-6):
    """Divide every row by its root mean square, then apply a learned scale.

    y = x / sqrt(mean(x^2) + eps) * weight

    It is layer_norm without the mean and without the bias: one pass less over
    the row, and in practice just as good, which is why Llama and most models
    since use it.

    It is built from differentiable torch operations, so that autograd can go
    back to x and weight.

    Args:
        x: Numbers, shape (..., n); n is at least 1.
        weight: Scale of each column, shape (n,).
        eps: Added to the mean square inside the root, 0 or more. With 0, a row
            must have a mean square that its dtype can hold.

    Returns:
        The shape, dtype and device of x (float16 and bfloat16 are computed in float32,
        where the squares of numbers above 256 do not overflow; integers and
        booleans give the default dtype). A row of zeros gives zeros. The inputs
        are not changed.

    Raises:
        ValueError: weight is not of shape (n,) (the message names weight and its
            shape), or eps is negative (it names eps and its value).

    Example:
        >>> import torch
        >>> rms_norm(torch.tensor([1.0, 7.0]), torch.tensor([5.0, 10.0]), eps=0.0)
        tensor([ 1., 14.])

    Source: Zhang and Sennrich (2019), "Root mean square layer normalization";
    eps as in Llama.
    """
    _check_width("weight", weight, x)
    _check_eps(eps)
    x = _as_float(x)
    numbers = _widened(x)
    z = numbers * torch.rsqrt(_mean_square(numbers) + eps)
    return _narrowed(_times(z, weight), x)


def rms_norm_backward(grad_output, x, weight, eps=1e-6):
    """Push a gradient back through rms_norm, to the input and the weight.

    z  = x / r,  r = sqrt(mean(x^2) + eps),  as in rms_norm
    h  = g * weight,  g = dL/dy
    dx = (h - z * mean(h z)) / r
    dweight = sum of g * z over all rows

    Only what points along z is taken out of h: a longer row gives the same
    result, so no gradient points that way. (The mean stays: rms_norm sees it.)

    It is built from differentiable torch operations, as a second derivative
    needs.

    Args:
        grad_output: Gradient g of the loss with respect to the output, the shape
            of x.
        x: The input of rms_norm, shape (..., n); n is at least 1.
        weight: Its scale, shape (n,).
        eps: Its eps, 0 or more.

    Returns:
        (dx, dweight) of shapes (..., n) and (n,), in the dtype of x (float16
        and bfloat16 are computed and summed in float32 and rounded once;
        integers and booleans give the default dtype). Without leading axes the
        sum has one term; with an empty batch it is 0. The inputs are not
        changed.

    Raises:
        ValueError: grad_output has another shape than x, or weight is not of
            shape (n,) (the message names it and its shape), or eps is negative
            (it names eps and its value).

    Example:
        >>> import torch
        >>> x, g = torch.tensor([1.0, 7.0]), torch.tensor([50.0, 0.0])
        >>> dx, dweight = rms_norm_backward(g, x, torch.ones(2), eps=0.0)
        >>> dx.round(decimals=4)
        tensor([ 9.8000, -1.4000])
        >>> dweight
        tensor([10.,  0.])

    Source: Zhang and Sennrich (2019), "Root mean square layer normalization".
    """
    _check_gradient(grad_output, x)
    _check_width("weight", weight, x)
    _check_eps(eps)
    x = _as_float(x)
    numbers, g = _widened(x), _widened(_as_float(grad_output))
    scale = torch.rsqrt(_mean_square(numbers) + eps)
    z = numbers * scale
    gz = g * z
    dweight = _rows(gz).sum(dim=0)
    # mean(h z) is a product with the weight: h = g * weight.
    w = weight.to(g.dtype)
    dx = (g * w).addcmul_(z, _mean_product(gz, w), value=-1).mul_(scale)
    return _narrowed(dx, x), _narrowed(dweight, x)


def pre_norm_block(x, sublayer, weight, bias):
    """Add to x what a sublayer makes of the normalized x.

    y = x + sublayer(layer_norm(x, weight, bias))

    The sum is the residual path: x itself passes through untouched, from the
    first layer to the last, and the sublayer only adds to it. Its gradient is
    1 plus something, so it cannot vanish over many layers. The sublayer sees
    normalized numbers, however large the sum has grown. GPT-2 and nearly every
    large model since is built so.

    It is built from differentiable torch operations, so that autograd can go
    back to x, weight and bias, through the sublayer too.

    Args:
        x: Tokens, shape (..., n); n is at least 1.
        sublayer: A function of one tensor of the shape, dtype and device of x (the
            default dtype for integers), which gives another such tensor:
            attention, say, or a feed-forward network. It is called exactly
            once.
        weight: Scale of the normalization, shape (n,).
        bias: Shift of the normalization, shape (n,).

    Returns:
        The shape, dtype and device of x (for float16 and bfloat16 the normalization is
        computed in float32; integers and booleans give the default dtype). The
        eps of layer_norm is its default, 1e-5. The inputs are not changed.

    Raises:
        ValueError: weight or bias is not of shape (n,); the message names it and
            its shape.

    Example:
        >>> import torch
        >>> x = torch.tensor([1000.0, 3000.0])
        >>> y = pre_norm_block(x, lambda z: 10 * z, torch.ones(2), torch.zeros(2))
        >>> y.round(decimals=4)
        tensor([ 990., 3010.])

    Source: Xiong et al. (2020), "On layer normalization in the transformer
    architecture"; Radford et al. (2019).
    """
    normed = layer_norm(x, weight, bias)
    change = sublayer(normed)
    return (x + change).to(normed.dtype)


def pre_norm_block_backward(grad_output, x, sublayer_vjp, weight, bias):
    """Push a gradient back through pre_norm_block, to its input.

    y  = x + f(normed),  normed = layer_norm(x, weight, bias)
    dx = g + layer_norm'(f'(g)),  g = dL/dy

    Two paths lead from x to y, and their gradients add up. Through the sublayer,
    g becomes f'(g), the gradient with respect to normed, and layer_norm's
    backward takes that to x. Past the sublayer, g arrives as it is: this is the
    "1 +" that lets a gradient reach the first of a hundred layers.

    It is built from differentiable torch operations, as a second derivative
    needs.

    Args:
        grad_output: Gradient g of the loss with respect to the output, the shape
            of x.
        x: The input of the block, shape (..., n); n is at least 1.
        sublayer_vjp: A function of two tensors, sublayer_vjp(normed, g): the
            gradient with respect to the sublayer's input, of the same shape,
            where the sublayer was applied to normed and g is the gradient at
            its output. Both are of the shape, dtype and device of x (the default dtype
            for integers). It is called exactly once.
        weight: Scale of the normalization, shape (n,).
        bias: Shift of the normalization, shape (n,).

    Returns:
        dx, of the shape and dtype of x (float16 and bfloat16 are computed in
        float32; integers and booleans give the default dtype). Where the
        sublayer's gradient is 0, dx is exactly grad_output. The eps of
        layer_norm is its default, 1e-5. The inputs are not changed.

    Raises:
        ValueError: grad_output has another shape than x, or weight or bias is
            not of shape (n,); the message names it and its shape.

    Example:
        >>> import torch
        >>> x, g = torch.tensor([1.0, 2.0, 6.0]), torch.tensor([3.0, 0.0, 1.0])
        >>> one, zero = torch.ones(3), torch.zeros(3)
        >>> pre_norm_block_backward(g, x, lambda z, g: 0 * g, one, zero)
        tensor([3., 0., 1.])
        >>> dx = pre_norm_block_backward(g, x, lambda z, g: g, one, zero)
        >>> round(float(dx.sum()), 6)
        4.0

    Source: Xiong et al. (2020), "On layer normalization in the transformer
    architecture"; He et al. (2016), "Identity mappings in deep residual networks".
    """
    _check_gradient(grad_output, x)
    normed = layer_norm(x, weight, bias)
    at_normed = sublayer_vjp(normed, grad_output.to(normed.dtype))
    through, _, _ = layer_norm_backward(_widened(at_normed), _widened(_as_float(x)), weight)
    return (through + grad_output).to(normed.dtype)


def post_norm_block(x, sublayer, weight, bias):
    """Add a sublayer's result to x, then normalize the sum.

    y = layer_norm(x + sublayer(x), weight, bias)

    This is the order of the original transformer. Its output is normalized,
    whatever the sublayer does; but every layer's norm stands in the way of the
    gradient, which is why deep stacks of it need a warm-up of the learning rate
    and pre_norm_block took its place.

    It is built from differentiable torch operations, so that autograd can go
    back to x, weight and bias, through the sublayer too.

    Args:
        x: Tokens, shape (..., n); n is at least 1.
        sublayer: A function of one tensor of the shape, dtype and device of x (the
            default dtype for integers), which gives another such tensor. It is
            called exactly once, with x.
        weight: Scale of the normalization, shape (n,).
        bias: Shift of the normalization, shape (n,).

    Returns:
        The shape, dtype and device of x (float16 and bfloat16 are added and normalized
        in float32: the sum may be above 65504; integers and booleans give the
        default dtype). The eps of layer_norm is its default, 1e-5. The inputs
        are not changed.

    Raises:
        ValueError: weight or bias is not of shape (n,); the message names it and
            its shape.

    Example:
        >>> import torch
        >>> x = torch.tensor([1000.0, 3000.0])
        >>> y = post_norm_block(x, lambda x: 10 * x, torch.ones(2), torch.zeros(2))
        >>> y.round(decimals=4)
        tensor([-1.,  1.])

    Source: Vaswani et al. (2017), "Attention is all you need", 3.1.
    """
    _check_width("weight", weight, x)
    _check_width("bias", bias, x)
    x = _as_float(x)
    change = sublayer(x)
    total = _widened(x) + _widened(change)
    return _narrowed(layer_norm(total, weight, bias), x)


def _gelu(x):
    """Multiply by Phi(x) of the normal distribution."""
    return x * (0.5 + 0.5 * torch.erf(x * math.sqrt(0.5)))


def _attention(x, w_q, w_k, w_v, w_o, num_heads, mask):
    """Multi-head attention of x with itself; a query with no key left gives zeros."""
    width = x.shape[-1] // num_heads
    q, k, v = (
        (x @ w).reshape(*x.shape[:-1], num_heads, width).transpose(-2, -3) for w in (w_q, w_k, w_v)
    )
    scores = (q * (1 / math.sqrt(width))) @ k.mT
    if mask is not None:
        mask = mask[..., None, :, :] if mask.dim() > 2 else mask
        scores = scores.masked_fill(~mask, -math.inf)
    top = scores.detach().amax(dim=-1, keepdim=True)
    weights = (scores - top.masked_fill(top == -math.inf, 0)).exp()
    total = weights.sum(dim=-1, keepdim=True)
    heads = (weights @ v) / total.masked_fill(total == 0, 1)
    return heads.transpose(-2, -3).reshape(x.shape) @ w_o


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
                f"got {name} of shape {tuple(params[name].shape)}"
            )


def _check_heads(num_heads, d):
    if num_heads < 1 or d % num_heads:
        raise ValueError(f"num_heads must divide the width {d}, got num_heads={num_heads}")


def _check_mask(mask, shape):
    if mask is None:
        return
    if mask.dtype != torch.bool:
        raise ValueError(f"mask must be boolean, True = keep, got mask of dtype {mask.dtype}")
    pairs = zip(mask.shape[::-1], shape[::-1], strict=False)
    if len(mask.shape) > len(shape) or not all(a in (1, b) for a, b in pairs):
        raise ValueError(f"mask must broadcast to {shape}, got mask of shape {tuple(mask.shape)}")


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

    It is built from differentiable torch operations, so that autograd can go
    back to x and to every tensor of params.

    Args:
        x: Tokens, shape (..., n, d); n is at least 1.
        params: A dict of tensors: norm1_weight, norm1_bias, norm2_weight and
            norm2_bias of shape (d,); w_q, w_k, w_v and w_o of shape (d, d),
            applied as z @ w; w1 (d, 4 d), b1 (4 d,), w2 (4 d, d) and b2 (d,).
            Other keys are not looked at.
        num_heads: H, 1 or more; it divides d. Head h owns the columns h d/H to
            (h + 1) d/H - 1 of the projected queries, keys and values, and
            divides its scores by sqrt(d/H).
        mask: Boolean, True = keep, broadcast to (..., n, n), the same for every
            head; None keeps all. To leave out padding it is (batch, 1, n).

    Returns:
        Shape (..., n, d), in the dtype of x (float16 and bfloat16 are computed
        in float32 throughout and rounded once; integers and booleans give the
        default dtype). A token with no key left gets zeros from attention. The
        eps of layer_norm is its default, 1e-5. Neither x nor params is changed.

    Raises:
        ValueError: A key of params is missing (the message names it), a tensor
            is of another shape (it names the key and the tensor's shape),
            num_heads is below 1 or does not divide d (num_heads and its value),
            or mask is not boolean (mask and its dtype) or does not broadcast to
            (..., n, n) (mask and its shape).

    Example:
        >>> import torch
        >>> d = 2
        >>> params = {name: torch.zeros((d, d)) for name in ("w_q", "w_k", "w_v", "w_o")}
        >>> params |= {name: torch.ones(d) for name in ("norm1_weight", "norm2_weight")}
        >>> params |= {name: torch.zeros(d) for name in ("norm1_bias", "norm2_bias")}
        >>> params |= {"w1": torch.zeros((d, 4 * d)), "b1": torch.zeros(4 * d)}
        >>> params |= {"w2": torch.zeros((4 * d, d)), "b2": torch.tensor([10.0, 20.0])}
        >>> transformer_block(torch.tensor([[1.0, 2.0], [3.0, 6.0]]), params, num_heads=1)
        tensor([[11., 22.],
                [13., 26.]])

    Source: Vaswani et al. (2017), "Attention is all you need"; in pre-norm order
    as in Xiong et al. (2020); Hendrycks and Gimpel (2016) for GELU.
    """
    d = x.shape[-1]
    _check_params(params, d)
    _check_heads(num_heads, d)
    _check_mask(mask, (*x.shape[:-1], x.shape[-2]))
    x = _as_float(x)
    tokens = _widened(x)
    p = {name: params[name].to(tokens.dtype) for name in _shapes(d)}
    normed = layer_norm(tokens, p["norm1_weight"], p["norm1_bias"])
    mixed = _attention(normed, p["w_q"], p["w_k"], p["w_v"], p["w_o"], num_heads, mask)
    mixed = mixed + tokens
    normed = layer_norm(mixed, p["norm2_weight"], p["norm2_bias"])
    hidden = normed @ p["w1"] + p["b1"]
    out = _gelu(hidden) @ p["w2"] + p["b2"]
    return _narrowed(out + mixed, x)
