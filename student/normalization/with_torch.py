"""Normalization in PyTorch: your answers.

Write the body of each function below, then run: pytest -k normalization --track torch

Asked of every function: inputs are left as they are and may have any memory
layout; results stay on their device and have their floating dtype; a
ValueError names the argument and its value.
"""

import torch


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
    raise NotImplementedError


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
    raise NotImplementedError


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
    raise NotImplementedError


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
    raise NotImplementedError


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
    raise NotImplementedError


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
    raise NotImplementedError


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
    raise NotImplementedError


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
    raise NotImplementedError
