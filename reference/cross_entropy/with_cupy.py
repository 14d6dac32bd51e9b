"""Cross-entropy and what is measured with it: reference answers in CuPy.

Made from with_numpy.py by `python -m llm_math_tests.derive`; edit that file instead.
"""

import cupy as cp


def _as_float(x):
    """Integers and booleans become float64."""
    return x if x.dtype.kind == "f" else x.astype(cp.float64)


def _widened(x):
    """float16 is summed in float32."""
    return x.astype(cp.float32) if x.dtype == cp.float16 else x


def _check_targets(logits, targets):
    if logits.ndim == 0:
        raise ValueError(f"logits must have a last axis of classes, got shape {logits.shape}")
    if targets.dtype.kind not in "iu":
        raise ValueError(f"targets must be integers, got targets of dtype {targets.dtype}")
    if targets.shape != logits.shape[:-1]:
        raise ValueError(
            f"targets must have the shape of logits without its last axis {logits.shape[:-1]}, "
            f"got targets of shape {targets.shape}"
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

    Args:
        logits: Scores z, shape (..., V): any number of leading axes, or none.
        targets: The right class t of each token, integers of shape (...) and of
            any width.
        ignore_index: Tokens with this target are left out, of the sum and of
            the count (padding, say). It may be any integer, also one in [0, V).

    Returns:
        The mean loss, a scalar or 0-d array of the dtype of logits (float16 is
        summed in float32; integers and booleans give float64). A target whose
        logit is -inf gives +inf; a kept row of all -inf gives NaN. What stands
        in the rows left out, NaN or inf, changes nothing. If no token is kept,
        or there is none, the mean is NaN, as in PyTorch.

    Raises:
        ValueError: targets are not integers, or do not have the shape of logits
            without its last axis; on the CPU also, a target is outside [0, V)
            and is not ignore_index (it must not count from the end: -2 is no
            class). A GPU would have to stop for that, so there nobody looks.
            The message names targets and their dtype, their shape, or one such
            target.

    Example:
        >>> import math
        >>> import cupy as cp
        >>> logits = cp.array([[0.0, math.log(3.0)], [5.0, 1.0]])
        >>> round(float(cross_entropy(logits, cp.array([1, -100]))), 4)
        0.2877

    Source: Goodfellow, Bengio and Courville (2016), "Deep Learning", 6.2.2.3;
    ignore_index as in torch.nn.functional.cross_entropy.
    """
    _check_targets(logits, targets)
    kept = targets != ignore_index
    chosen = cp.where(kept, targets, 0)
    scores = _widened(_as_float(logits))
    shifted = scores - scores.max(axis=-1, keepdims=True)
    picked = cp.take_along_axis(shifted, chosen[..., None], axis=-1)[..., 0]
    cp.exp(shifted, out=shifted)
    losses = cp.log(shifted.sum(axis=-1)) - picked
    mean = cp.where(kept, losses, 0).sum() / kept.sum()
    return mean.astype(_as_float(logits).dtype)


def cross_entropy_backward(logits, targets, ignore_index=-100):
    """Differentiate the mean cross-entropy with respect to the logits.

    dL/dz_i = (softmax(z)_i - [i == t]) / kept,  kept = number of kept tokens

    The logarithm undoes the exponential, and what is left is predicted minus
    observed. However sure the model is of a wrong class, the right one is still
    pushed up with force 1 / kept: this loss does not go quiet (compare
    mse_backward).

    Args:
        logits: Scores z, shape (..., V): any number of leading axes, or none.
        targets: The right class t of each token, integers of shape (...) and of
            any width.
        ignore_index: Tokens with this target are left out. It may be any
            integer, also one in [0, V).

    Returns:
        Gradient of the shape and dtype of logits (float16 is summed in float32;
        integers and booleans give float64). Rows of tokens left out are 0,
        whatever their logits are, NaN or inf too; if no token is kept, all are.
        A logit of -inf has probability 0; a kept row of all -inf gives NaN.

    Raises:
        ValueError: targets are not integers, or do not have the shape of logits
            without its last axis; on the CPU also, a target is outside [0, V)
            and is not ignore_index. The message names targets and their dtype,
            their shape, or one such target.

    Example:
        >>> import cupy as cp
        >>> cross_entropy_backward(cp.zeros((1, 2)), cp.array([0]))
        array([[-0.5,  0.5]])

    Source: Bridle (1990), "Probabilistic interpretation of feedforward
    classification network outputs".
    """
    _check_targets(logits, targets)
    kept = targets != ignore_index
    chosen = cp.where(kept, targets, 0)
    scores = _widened(_as_float(logits))
    grad = scores - scores.max(axis=-1, keepdims=True)
    cp.exp(grad, out=grad)
    count = cp.maximum(kept.sum(), 1).astype(grad.dtype)
    # softmax's division and the mean's in one pass: p / count
    grad /= grad.sum(axis=-1, keepdims=True) * count
    grad = cp.ascontiguousarray(grad)  # of another order, reshape would make a copy
    rows = grad.reshape(-1, grad.shape[-1])
    rows[cp.arange(len(rows)), chosen.reshape(-1)] -= 1 / count
    grad[~kept] = 0
    return grad.astype(_as_float(logits).dtype, copy=False)


def label_smoothing_cross_entropy(logits, targets, smoothing=0.1):
    """Cross-entropy against a target that is not quite sure of itself.

    L = mean over tokens of -sum_i q_i log softmax(z)_i
    q_i = (1 - s) [i == t] + s / V

    The true class keeps 1 - s and every class, the true one too, gets s / V.
    The plain loss is only 0 with infinite logits and pushes towards them for
    ever; this one has its minimum at finite logits, so that the model stays
    less sure.

    Args:
        logits: Scores z, shape (..., V): any number of leading axes, or none.
        targets: The right class t of each token, integers of shape (...) and of
            any width. None is left out: -100 is no class here.
        smoothing: s, in [0, 1]; 0 is the plain cross-entropy, 1 forgets the
            targets.

    Returns:
        The mean loss, a scalar or 0-d array of the dtype of logits (float16 is
        summed in float32; integers and booleans give float64). Above s = 0
        every class has some mass, so a logit of -inf, of whichever class, gives
        +inf. At s = 0 only the target's does, because 0 * inf counts as 0: the
        result is that of cross_entropy. A row of all -inf gives NaN, and so
        does an empty batch.

    Raises:
        ValueError: smoothing is not in [0, 1]; targets are not integers, or do
            not have the shape of logits without its last axis; on the CPU also,
            a target is outside [0, V). The message names smoothing and its
            value, or targets and their dtype, their shape, or one such target.

    Example:
        >>> import math
        >>> import cupy as cp
        >>> logits = cp.array([[0.0, math.log(3.0)]])
        >>> loss = label_smoothing_cross_entropy(logits, cp.array([1]))
        >>> round(float(loss), 4)
        0.3426

    Source: Szegedy et al. (2016), "Rethinking the Inception architecture for
    computer vision"; 0.1 as in Vaswani et al. (2017), "Attention is all you
    need".
    """
    if not 0 <= smoothing <= 1:
        raise ValueError(f"smoothing must be in [0, 1], got smoothing={smoothing}")
    _check_targets(logits, targets)
    scores = _widened(_as_float(logits))
    shifted = scores - scores.max(axis=-1, keepdims=True)
    picked = cp.take_along_axis(shifted, targets[..., None], axis=-1)[..., 0]
    average = shifted.mean(axis=-1)
    cp.exp(shifted, out=shifted)
    losses = cp.log(shifted.sum(axis=-1))
    if smoothing < 1:
        losses = losses - (1 - smoothing) * picked
    if smoothing > 0:
        losses = losses - smoothing * average
    mean = losses.sum() / losses.size
    return mean.astype(_as_float(logits).dtype)


def perplexity(logits, targets):
    """Say how many equally likely classes the model hesitates between.

    PPL = exp(mean over tokens of -log softmax(z)_t)

    A model that guesses among V classes has perplexity V, a sure and right one
    has 1. It is the inverse of the geometric mean of the probabilities that the
    tokens got; their product underflows after a few hundred tokens, the mean of
    their logarithms does not.

    Args:
        logits: Scores z, shape (..., V): any number of leading axes, or none.
        targets: The right class t of each token, integers of shape (...) and of
            any width. None is left out: -100 is no class here.

    Returns:
        The perplexity, a scalar or 0-d array of the dtype of logits (float16 is
        summed in float32; integers and booleans give float64). It is +inf only
        where the dtype holds no number that large, or where a target's logit is
        -inf; a row of all -inf gives NaN, and so does an empty batch.

    Raises:
        ValueError: targets are not integers, or do not have the shape of logits
            without its last axis; on the CPU also, a target is outside [0, V).
            The message names targets and their dtype, their shape, or one such
            target.

    Example:
        >>> import cupy as cp
        >>> round(float(perplexity(cp.zeros((3, 8)), cp.array([0, 5, 7]))), 4)
        8.0

    Source: Jelinek, Mercer, Bahl and Baker (1977), "Perplexity: a measure of
    the difficulty of speech recognition tasks".
    """
    _check_targets(logits, targets)
    scores = _widened(_as_float(logits))
    shifted = scores - scores.max(axis=-1, keepdims=True)
    picked = cp.take_along_axis(shifted, targets[..., None], axis=-1)[..., 0]
    cp.exp(shifted, out=shifted)
    losses = cp.log(shifted.sum(axis=-1)) - picked
    mean = losses.sum() / losses.size
    return cp.exp(mean).astype(_as_float(logits).dtype)


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

    Args:
        logits: Scores z, shape (..., V): any number of leading axes, or none.
        targets: The right class t of each token, integers of shape (...) and of
            any width. None is left out: -100 is no class here.

    Returns:
        Gradient of the shape and dtype of logits (float16 is summed in float32;
        integers and booleans give float64). Small gradients keep their digits:
        no probability is clipped. A logit of -inf has probability 0 and
        gradient 0; a row of all -inf gives NaN.

    Raises:
        ValueError: targets are not integers, or do not have the shape of logits
            without its last axis; on the CPU also, a target is outside [0, V).
            The message names targets and their dtype, their shape, or one such
            target.

    Example:
        >>> import cupy as cp
        >>> mse_backward(cp.zeros((1, 2)), cp.array([0]))
        array([[-0.25,  0.25]])

    Source: Golik, Doetsch and Ney (2013), "Cross-entropy vs. squared error
    training: a theoretical and experimental comparison".
    """
    _check_targets(logits, targets)
    scores = _widened(_as_float(logits))
    probs = scores - scores.max(axis=-1, keepdims=True)
    cp.exp(probs, out=probs)
    probs /= probs.sum(axis=-1, keepdims=True)
    # the sum of d_j p_j is that of p_j^2 without p_t, and needs no array for d p
    inner = cp.einsum("...i,...i->...", probs, probs)[..., None]
    inner = inner - cp.take_along_axis(probs, targets[..., None], axis=-1)
    grad = probs - inner
    grad = cp.ascontiguousarray(grad)  # of another order, reshape would make a copy
    rows = grad.reshape(-1, grad.shape[-1])
    rows[cp.arange(len(rows)), targets.reshape(-1)] -= 1
    grad *= probs
    grad *= 2 / max(1, grad.size)
    return grad.astype(_as_float(logits).dtype, copy=False)
