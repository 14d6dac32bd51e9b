"""Cross-entropy and what is measured with it: reference answers in PyTorch."""

import torch


def _as_float(x):
    """Integers and booleans become the default float dtype."""
    return x if x.is_floating_point() else x.to(torch.get_default_dtype())


def _widened(x):
    """float16 and bfloat16 are summed in float32."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _check_targets(logits, targets):
    if logits.ndim == 0:
        raise ValueError(f"logits must have a last axis of classes, got shape {logits.shape}")
    if targets.is_floating_point() or targets.is_complex() or targets.dtype == torch.bool:
        raise ValueError(f"targets must be integers, got targets of dtype {targets.dtype}")
    if targets.shape != logits.shape[:-1]:
        raise ValueError(
            "targets must have the shape of logits without its last axis "
            f"{tuple(logits.shape[:-1])}, got targets of shape {tuple(targets.shape)}"
        )


def _check_range(targets, classes):
    bad = (targets < 0) | (targets >= classes)
    if bad.any():
        raise ValueError(
            f"targets must be in [0, {classes - 1}] (or ignore_index, where there is one), "
            f"got targets with {targets[bad][0]}"
        )


def cross_entropy(logits, targets, ignore_index=-100):
    """Score predictions by the surprise at what really came.

    L = mean over kept tokens of -log softmax(z)_t = log sum_j exp(z_j) - z_t

    where z are a token's logits and t is its target: the loss that language
    models learn from. A sure and right
    prediction costs nothing, a guess among V classes costs log V, a sure and
    wrong one costs as much as its logits differ, without bound. Take the
    logarithm before anything underflows: a probability of exp(-200) is 0 in
    float32, and log(p + 1e-12) says 27.6 where the truth is 200.

    It is built from differentiable torch operations, so that autograd can go
    back to the logits; targets are integers and have no gradient.

    Args:
        logits: Scores z, shape (..., V): any number of leading axes, or none.
        targets: The right class t of each token, integers of shape (...) and of
            any width (torch's own indexing wants int64).
        ignore_index: Tokens with this target are left out, of the sum and of
            the count (padding, say). It may be any integer, also one in [0, V).

    Returns:
        The mean loss, a 0-d tensor in the dtype of logits (float16 and bfloat16
        are summed in float32; integers and booleans give the default dtype) and
        on their device. A target whose logit is -inf gives +inf; a kept row of
        all -inf gives NaN. What stands in the rows left out, NaN or inf, does
        not change the loss (autograd may give NaN in such a row, as in torch's
        own). If no token is kept, or there is none, the mean is NaN, as in
        torch.nn.functional.cross_entropy.

    Raises:
        ValueError: targets are not integers, or do not have the shape of logits
            without its last axis; on the CPU also, a target is outside [0, V)
            and is not ignore_index (it must not count from the end: -2 is no
            class). A GPU would have to stop for that, so there nobody looks.
            The message names targets and their dtype, their shape, or one such
            target.

    Example:
        >>> import math
        >>> import torch
        >>> logits = torch.tensor([[0.0, math.log(3.0)], [5.0, 1.0]])
        >>> round(float(cross_entropy(logits, torch.tensor([1, -100]))), 4)
        0.2877

    Source: Goodfellow, Bengio and Courville (2016), "Deep Learning", 6.2.2.3;
    ignore_index as in torch.nn.functional.cross_entropy.
    """
    _check_targets(logits, targets)
    kept = targets != ignore_index
    chosen = targets.masked_fill(~kept, 0).long()
    # values are looked at on the CPU only
    if logits.device.type == "cpu":
        _check_range(chosen, logits.shape[-1])
    scores = _widened(_as_float(logits))
    top = scores.detach().amax(dim=-1, keepdim=True)
    picked = scores.gather(-1, chosen[..., None]) - top
    # exp_ may overwrite the difference: autograd needs only what exp gives.
    losses = (scores - top).exp_().sum(dim=-1).log() - picked[..., 0]
    mean = losses.masked_fill(~kept, 0).sum() / kept.sum()
    return mean.to(_as_float(logits).dtype)


def cross_entropy_backward(logits, targets, ignore_index=-100):
    """Differentiate the mean cross-entropy with respect to the logits.

    dL/dz_i = (softmax(z)_i - [i == t]) / kept,  kept = number of kept tokens

    The logarithm undoes the exponential, and what is left is predicted minus
    observed. However sure the model is of a wrong class, the right one is still
    pushed up with force 1 / kept: this loss does not go quiet (compare
    mse_backward).

    Write the formula out, in differentiable torch operations: the gradient must
    be connected to autograd itself, for second derivatives.

    Args:
        logits: Scores z, shape (..., V): any number of leading axes, or none.
        targets: The right class t of each token, integers of shape (...) and of
            any width (torch's own indexing wants int64).
        ignore_index: Tokens with this target are left out. It may be any
            integer, also one in [0, V).

    Returns:
        Gradient of the shape, dtype and device of logits (float16 and bfloat16
        are summed in float32; integers and booleans give the default dtype).
        Rows of tokens left out are 0, whatever their logits are, NaN or inf
        too; if no token is kept, all are. A logit of -inf has probability 0; a
        kept row of all -inf gives NaN.

    Raises:
        ValueError: targets are not integers, or do not have the shape of logits
            without its last axis; on the CPU also, a target is outside [0, V)
            and is not ignore_index. The message names targets and their dtype,
            their shape, or one such target.

    Example:
        >>> import torch
        >>> cross_entropy_backward(torch.zeros(1, 2), torch.tensor([0]))
        tensor([[-0.5000,  0.5000]])

    Source: Bridle (1990), "Probabilistic interpretation of feedforward
    classification network outputs".
    """
    _check_targets(logits, targets)
    kept = targets != ignore_index
    chosen = targets.masked_fill(~kept, 0).long()
    # values are looked at on the CPU only
    if logits.device.type == "cpu":
        _check_range(chosen, logits.shape[-1])
    scores = _widened(_as_float(logits))
    grad = (scores - scores.detach().amax(dim=-1, keepdim=True)).exp_()
    count = kept.sum().clamp(min=1)
    # softmax's division and the mean's in one pass: p / count
    total = grad.sum(dim=-1, keepdim=True) * count
    # Autograd needs what exp gave: it is written over only where nobody will ask for it.
    grad = grad / total if grad.requires_grad else grad.div_(total)
    grad.scatter_add_(-1, chosen[..., None], -torch.ones_like(total) / count)
    grad.masked_fill_(~kept[..., None], 0)
    return grad.to(_as_float(logits).dtype)


def label_smoothing_cross_entropy(logits, targets, smoothing=0.1):
    """Cross-entropy against a target that is not quite sure of itself.

    L = mean over tokens of -sum_i q_i log softmax(z)_i
    q_i = (1 - s) [i == t] + s / V

    The true class keeps 1 - s and every class, the true one too, gets s / V.
    The plain loss is only 0 with infinite logits and pushes towards them for
    ever; this one has its minimum at finite logits, so that the model stays
    less sure.

    It is built from differentiable torch operations, so that autograd can go
    back to the logits.

    Args:
        logits: Scores z, shape (..., V): any number of leading axes, or none.
        targets: The right class t of each token, integers of shape (...) and of
            any width (torch's own indexing wants int64). None is left
            out: -100 is no class here.
        smoothing: s, in [0, 1]; 0 is the plain cross-entropy, 1 forgets the
            targets.

    Returns:
        The mean loss, a 0-d tensor in the dtype of logits (float16 and bfloat16
        are summed in float32; integers and booleans give the default dtype) and
        on their device. Above s = 0 every class has some mass, so a logit of
        -inf, of whichever class, gives +inf. At s = 0 only the target's does,
        because 0 * inf counts as 0: the result is that of cross_entropy. A row
        of all -inf gives NaN, and so does an empty batch.

    Raises:
        ValueError: smoothing is not in [0, 1]; targets are not integers, or do
            not have the shape of logits without its last axis; on the CPU also,
            a target is outside [0, V). The message names smoothing and its
            value, or targets and their dtype, their shape, or one such target.

    Example:
        >>> import math
        >>> import torch
        >>> logits = torch.tensor([[0.0, math.log(3.0)]])
        >>> loss = label_smoothing_cross_entropy(logits, torch.tensor([1]))
        >>> round(float(loss), 4)
        0.3426

    Source: Szegedy et al. (2016), "Rethinking the Inception architecture for
    computer vision"; 0.1 as in Vaswani et al. (2017), "Attention is all you
    need".
    """
    if not 0 <= smoothing <= 1:
        raise ValueError(f"smoothing must be in [0, 1], got smoothing={smoothing}")
    _check_targets(logits, targets)
    # values are looked at on the CPU only
    if logits.device.type == "cpu":
        _check_range(targets, logits.shape[-1])
    scores = _widened(_as_float(logits))
    top = scores.detach().amax(dim=-1, keepdim=True)
    picked = scores.gather(-1, targets.long()[..., None]) - top
    shifted = scores - top
    average = shifted.mean(dim=-1)
    losses = shifted.exp_().sum(dim=-1).log()
    if smoothing < 1:
        losses = losses - (1 - smoothing) * picked[..., 0]
    if smoothing > 0:
        losses = losses - smoothing * average
    return losses.mean().to(_as_float(logits).dtype)


def perplexity(logits, targets):
    """Say how many equally likely classes the model hesitates between.

    PPL = exp(mean over tokens of -log softmax(z)_t)

    A model that guesses among V classes has perplexity V, a sure and right one
    has 1. It is the inverse of the geometric mean of the probabilities that the
    tokens got; their product underflows after a few hundred tokens, the mean of
    their logarithms does not.

    It is built from differentiable torch operations, so that autograd can go
    back to the logits.

    Args:
        logits: Scores z, shape (..., V): any number of leading axes, or none.
        targets: The right class t of each token, integers of shape (...) and of
            any width (torch's own indexing wants int64). None is left
            out: -100 is no class here.

    Returns:
        The perplexity, a 0-d tensor in the dtype of logits (float16 and
        bfloat16 are computed in float32; integers and booleans give the default
        dtype) and on their device. It is +inf only where the dtype holds no
        number that large, or where a target's logit is -inf; a row of all -inf
        gives NaN, and so does an empty batch.

    Raises:
        ValueError: targets are not integers, or do not have the shape of logits
            without its last axis; on the CPU also, a target is outside [0, V).
            The message names targets and their dtype, their shape, or one such
            target.

    Example:
        >>> import torch
        >>> hesitation = perplexity(torch.zeros(3, 8), torch.tensor([0, 5, 7]))
        >>> round(float(hesitation), 4)
        8.0

    Source: Jelinek, Mercer, Bahl and Baker (1977), "Perplexity: a measure of
    the difficulty of speech recognition tasks".
    """
    _check_targets(logits, targets)
    # values are looked at on the CPU only
    if logits.device.type == "cpu":
        _check_range(targets, logits.shape[-1])
    scores = _widened(_as_float(logits))
    top = scores.detach().amax(dim=-1, keepdim=True)
    picked = scores.gather(-1, targets.long()[..., None]) - top
    losses = (scores - top).exp_().sum(dim=-1).log() - picked[..., 0]
    return losses.mean().exp().to(_as_float(logits).dtype)


def mse_backward(logits, targets):
    """Differentiate a mean squared error after softmax: why nobody uses it.

    L = mean over all tokens and all V classes of (p_i - y_i)^2
    dL/dz_i = 2 / (tokens * V) * p_i * (d_i - sum_j d_j p_j),  d = p - y

    with p = softmax(z) and y_i = [i == t]. The mean is over every element, as
    in torch.nn.functional.mse_loss. The factor p_i is softmax's own derivative,
    and it is the trouble: where the model is sure of a wrong class the right
    one has p_t near 0, and its gradient is about p_t too. The worse the
    mistake, the smaller the correction; cross_entropy_backward gives
    (p_t - 1) / tokens there.

    Write the formula out, in differentiable torch operations: the gradient must
    be connected to autograd itself, for second derivatives.

    Args:
        logits: Scores z, shape (..., V): any number of leading axes, or none.
        targets: The right class t of each token, integers of shape (...) and of
            any width (torch's own indexing wants int64). None is left
            out: -100 is no class here.

    Returns:
        Gradient of the shape, dtype and device of logits (float16 and bfloat16
        are summed in float32; integers and booleans give the default dtype).
        Small gradients keep their digits: no probability is clipped. A logit of
        -inf has probability 0 and gradient 0; a row of all -inf gives NaN.

    Raises:
        ValueError: targets are not integers, or do not have the shape of logits
            without its last axis; on the CPU also, a target is outside [0, V).
            The message names targets and their dtype, their shape, or one such
            target.

    Example:
        >>> import torch
        >>> mse_backward(torch.zeros(1, 2), torch.tensor([0]))
        tensor([[-0.2500,  0.2500]])

    Source: Golik, Doetsch and Ney (2013), "Cross-entropy vs. squared error
    training: a theoretical and experimental comparison".
    """
    _check_targets(logits, targets)
    # values are looked at on the CPU only
    if logits.device.type == "cpu":
        _check_range(targets, logits.shape[-1])
    scores = _widened(_as_float(logits))
    probs = (scores - scores.detach().amax(dim=-1, keepdim=True)).exp_()
    probs = probs / probs.sum(dim=-1, keepdim=True)
    chosen = targets.long()[..., None]
    # the sum of d_j p_j is that of p_j^2 without p_t, and a norm needs no tensor for d p
    inner = torch.linalg.vector_norm(probs, dim=-1, keepdim=True).square()
    inner = inner - probs.gather(-1, chosen)
    error = probs - inner
    error.scatter_add_(-1, chosen, -torch.ones_like(inner))
    grad = (error * probs).mul_(2 / max(1, probs.numel()))
    return grad.to(_as_float(logits).dtype)
