"""Softmax in PyTorch: your answers.

Write the body of each function below, then run: pytest -k softmax --track torch

Asked of every function: inputs are left as they are and may have any memory
layout; results stay on their device and have their floating dtype; a
ValueError names the argument and its value.
"""

import torch


def softmax(logits, temperature=1.0, axis=-1):
    """Turn scores into probabilities: exponentiate, then divide by the sum.

    softmax(z)_i = exp(z_i / T) / sum_j exp(z_j / T)

    The result does not change when a constant is added to every score, which is
    what keeps exp from overflowing: exp(89) is more than float32 can hold.
    A low temperature T sharpens the distribution, a high one flattens it.

    It is built from differentiable torch operations, so that autograd can go
    back to the logits. (The maximum may be detached: it cancels.)

    Args:
        logits: Scores, a tensor of any shape.
        temperature: T, above 0.
        axis: The axis along which the probabilities sum to 1; may be negative.

    Returns:
        Probabilities of the shape, dtype and device of logits (float16 and
        bfloat16 are summed in float32; integers and booleans give the default
        dtype). A score of -inf gives exactly 0; a row of all -inf gives NaN, as
        torch.softmax does.

    Raises:
        ValueError: temperature is not above 0, or axis is out of range; the
            message names the argument and its value.

    Example:
        >>> import math
        >>> import torch
        >>> softmax(torch.tensor([0.0, math.log(3.0)]))
        tensor([0.2500, 0.7500])

    Source: Bridle (1990), "Probabilistic interpretation of feedforward
    classification network outputs"; temperature as in Hinton et al. (2015).
    """
    raise NotImplementedError


def log_softmax(logits, axis=-1):
    """Logarithm of softmax, without ever forming a probability.

    log_softmax(z)_i = z_i - log sum_j exp(z_j)

    A probability of 1e-50 is 0 in float32 and its logarithm is lost; computed
    from the scores it is simply -115.1. Subtract the largest score before the
    sum, and take that difference as z_i: it is small next to scores of 10000,
    where z_i - logsumexp(z) would round in the third decimal. The error stays
    a few roundings of 1 + |result|.

    It is built from differentiable torch operations, so that autograd can go
    back to the logits.

    Args:
        logits: Scores, a tensor of any shape.
        axis: The axis that softmax would run along; may be negative.

    Returns:
        Log-probabilities of the shape, dtype and device of logits (float16 and
        bfloat16 are summed in float32; integers and booleans give the default
        dtype). A score of -inf gives -inf; a row of all -inf gives NaN, as
        torch.log_softmax does.

    Raises:
        ValueError: axis is out of range; the message names axis and its value.

    Example:
        >>> import torch
        >>> log_softmax(torch.tensor([0.0, -200.0]))
        tensor([   0., -200.])

    Source: Blanchard, Higham and Higham (2021), "Accurately computing the
    log-sum-exp and softmax functions".
    """
    raise NotImplementedError


def logsumexp(x, axis=-1):
    """Logarithm of a sum of exponentials, for numbers of any size.

    logsumexp(x) = log sum_i exp(x_i)
                 = m + log sum_i exp(x_i - m),  m = max_i x_i

    It is a smooth maximum: never below the largest number, and above it by at
    most log n. Its gradient is softmax.

    It is built from differentiable torch operations, so that autograd can go
    back to x. (The maximum may be detached: what is subtracted is added again.)

    Args:
        x: Numbers, a tensor of any shape.
        axis: The axis that is summed and dropped; may be negative.

    Returns:
        The shape of x without axis, in the dtype and on the device of x
        (float16 and bfloat16 are summed in float32; integers and booleans give
        the default dtype). All -inf gives -inf, and any +inf gives +inf.

    Raises:
        ValueError: axis is out of range; the message names axis and its value.

    Example:
        >>> import torch
        >>> round(logsumexp(torch.tensor([1000.0, 1000.0])).item(), 3)
        1000.693

    Source: Blanchard, Higham and Higham (2021), "Accurately computing the
    log-sum-exp and softmax functions".
    """
    raise NotImplementedError


def softmax_backward(grad_output, probs, axis=-1):
    """Push a gradient back through softmax, from its output to its input.

    dL/dz_i = p_i * (g_i - sum_j g_j p_j),  g = dL/dp

    This is the Jacobian diag(p) - p p^T times g, without building the Jacobian:
    n numbers in, n numbers out.

    It is built from differentiable torch operations itself: autograd can go
    through it once more, for second derivatives.

    Args:
        grad_output: Gradient g of the loss with respect to the probabilities.
        probs: The probabilities p that softmax returned, the same shape.
        axis: The axis that softmax ran along; may be negative.

    Returns:
        Gradient with respect to the logits, of the shape, dtype and device of
        probs (float16 and bfloat16 are summed in float32; integers and booleans
        give the default dtype). It is 0 where the probability is 0. Memory
        beyond a few arrays of that shape is not needed, and not allowed: no
        Jacobian.

    Raises:
        ValueError: grad_output has another shape than probs (the message names
            grad_output and its shape), or axis is out of range (it names axis
            and its value).

    Example:
        >>> import torch
        >>> softmax_backward(torch.tensor([1.0, 0.0]), torch.tensor([0.5, 0.5]))
        tensor([ 0.2500, -0.2500])

    Source: Goodfellow, Bengio and Courville (2016), "Deep Learning", 6.2.2.
    """
    raise NotImplementedError


def softmax_jacobian(probs):
    """All derivatives of softmax: how each probability moves with each score.

    J_ij = dp_i / dz_j = p_i * (1 if i == j else 0) - p_i p_j
    J = diag(p) - p p^T

    J is symmetric and every row sums to 0: what one probability gains, the
    others lose.

    It is built from differentiable torch operations, so that autograd can go
    back to the probabilities.

    Args:
        probs: Probabilities p, shape (..., n); every row of n has its own
            Jacobian.

    Returns:
        Jacobians, shape (..., n, n), in the dtype and on the device of probs
        (integers and booleans give the default dtype).

    Raises:
        ValueError: probs has no axis; the message names probs and its shape,
            ().

    Example:
        >>> import torch
        >>> softmax_jacobian(torch.tensor([0.5, 0.5]))
        tensor([[ 0.2500, -0.2500],
                [-0.2500,  0.2500]])

    Source: Goodfellow, Bengio and Courville (2016), "Deep Learning", 6.2.2.
    """
    raise NotImplementedError


def online_logsumexp(blocks):
    """Take the logsumexp of a sequence too long to hold, block by block.

    Keep a running maximum m and a running sum s of exp(x - m). For each block:

    m' = max(m, max(block)),  s' = s * exp(m - m') + sum exp(block - m')

    and at the end log s + m. This is the idea that lets attention run without
    its score matrix.

    From differentiable torch operations autograd can go back to the blocks too;
    that is not checked here.

    Args:
        blocks: An iterator of tensors (..., b_i), b_i at least 1, all of one
            leading shape, dtype and device. It can be gone through only once.
            Keep no block: memory for a few of them at a time is all there is
            (autograd keeps its own).

    Returns:
        logsumexp over the last axis of all blocks together, shape (...), in the
        dtype and on the device of the blocks (float16 and bfloat16 are summed
        in float32; integers and booleans give the default dtype). All -inf
        gives -inf, and any +inf gives +inf.

    Raises:
        ValueError: blocks yields nothing (the message names blocks), or a block
            whose leading shape is not the first one's, which might broadcast
            (it names blocks and the shape of that block).

    Example:
        >>> import torch
        >>> halves = iter([torch.zeros(2), torch.zeros(2)])
        >>> round(online_logsumexp(halves).item(), 4)
        1.3863

    Source: Milakov and Gimelshein (2018), "Online normalizer calculation for
    softmax".
    """
    raise NotImplementedError
