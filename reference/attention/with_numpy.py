"""Attention: reference answers in NumPy."""

import math

import numpy as np


def _as_float(x):
    """Integers and booleans become float64."""
    return x if x.dtype.kind == "f" else x.astype(np.float64)


def _widened(x):
    """float16 is computed in float32; integers and booleans become float64."""
    x = _as_float(x)
    return x.astype(np.float32) if x.dtype == np.float16 else x


def _transposed(x):
    """The last two axes swapped: a view."""
    return x.swapaxes(-1, -2)


def _fits(shape, whole):
    """Whether an array of a shape broadcasts to the whole shape, without enlarging it."""
    pairs = zip(shape[::-1], whole[::-1], strict=False)
    return len(shape) <= len(whole) and all(a in (1, b) for a, b in pairs)


def _check_same_width(q, k):
    if k.shape[-1] != q.shape[-1]:
        raise ValueError(f"k must have the width of q, {q.shape[-1]}, got k of shape {k.shape}")


def _check_same_length(k, v):
    if v.shape[-2] != k.shape[-2]:
        raise ValueError(
            f"v must have a row for each of the {k.shape[-2]} keys, got v of shape {v.shape}"
        )


def _check_mask(mask, shape):
    if mask is None:
        return
    if mask.dtype != bool:
        raise ValueError(f"mask must be boolean, True = keep, got mask of dtype {mask.dtype}")
    if not _fits(mask.shape, shape):
        raise ValueError(f"mask must broadcast to {shape}, got mask of shape {mask.shape}")


def _exponentials(scores, mask):
    """The kept scores' exp(s - max), written over them, and its row sums, 1 where nothing is."""
    if mask is not None:
        np.copyto(scores, -np.inf, where=~mask)
    top = scores.max(axis=-1, keepdims=True)
    top[top == -np.inf] = 0
    scores -= top
    np.exp(scores, out=scores)
    total = scores.sum(axis=-1, keepdims=True)
    total[total == 0] = 1
    return scores, total


def attention_scores(q, k):
    """Compare all queries with all keys: dot products, divided by sqrt(d).

    scores = q k^T / sqrt(d)

    The dot product of two random vectors of d numbers of variance 1 has
    variance d. Dividing by sqrt(d), not by d, brings the scores back to
    variance 1, where softmax still has a slope to learn from.

    Args:
        q: Queries, shape (..., n, d).
        k: Keys, shape (..., m, d), with the leading axes of q.

    Returns:
        Scores of shape (..., n, m), query i against key j at [..., i, j], in
        the dtype of q (float16 is computed in float32, division included, and
        rounded once; integers and booleans give float64). The inputs are not
        changed.

    Raises:
        ValueError: The last axes of q and k differ; the message names k and its
            shape.

    Example:
        >>> import numpy as np
        >>> q = np.array([[2.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0]])
        >>> k = np.array([[3.0, 0, 0, 0], [0, 5.0, 0, 0], [1.0, 1, 1, 1]])
        >>> attention_scores(q, k)
        array([[3., 0., 1.],
               [0., 5., 1.]])

    Source: Vaswani et al. (2017), "Attention is all you need", 3.2.1.
    """
    _check_same_width(q, k)
    scale = 1 / math.sqrt(q.shape[-1])
    scores = (_widened(q) * scale) @ _transposed(_widened(k))
    return scores.astype(_as_float(q).dtype, copy=False)


def causal_mask(n):
    """Say which tokens each token may look at: itself and those before it.

    mask_ij = (j <= i)

    A language model predicts the next token. Without this mask it would be
    shown the token that it is asked for, and would learn to copy.

    Args:
        n: Number of tokens, a whole number, 0 or more.

    Returns:
        Boolean array of shape (n, n): row i is the query, column j the key,
        True on and below the diagonal means keep. For n = 0 its shape is
        (0, 0).

    Raises:
        ValueError: n is negative or not a whole number (NaN and inf are none
            either); the message names n and its value.

    Example:
        >>> import numpy as np
        >>> causal_mask(3)
        array([[ True, False, False],
               [ True,  True, False],
               [ True,  True,  True]])

    Source: Vaswani et al. (2017), "Attention is all you need", 3.2.3.
    """
    if not (n >= 0 and n < math.inf and n == int(n)):
        raise ValueError(f"n must be a whole number, 0 or more, got n={n}")
    return np.tri(n, dtype=bool)


def scaled_dot_product_attention(q, k, v, mask=None):
    """Mix the values: for each query an average, weighted by its keys.

    attention(q, k, v) = softmax(q k^T / sqrt(d)) v

    softmax runs over the keys, so the weights of one query sum to 1. A key that
    the mask leaves out has weight 0, as if it were not there: its score becomes
    -inf before the softmax (a large negative number such as -1e9 would still
    share out the weight where every key is left out).

    Args:
        q: Queries, shape (..., n, d).
        k: Keys, shape (..., m, d), with the leading axes of q; m is at least 1.
        v: Values, shape (..., m, e), with the leading axes of q.
        mask: Boolean, True = keep, broadcast to (..., n, m); None keeps all.
            Such shapes are (n, m), (m,) or, to leave out padding,
            (batch, 1, m).

    Returns:
        Shape (..., n, e), in the dtype of q (float16 is computed in float32
        throughout and rounded once, so that scores above 65504 do no harm;
        integers and booleans give float64). A query with no key left, because
        the mask leaves out all or their scores are -inf, gives zeros, as in
        PyTorch since 2.5. Scores of any finite size never give NaN. The inputs
        are not changed.

    Raises:
        ValueError: The last axes of q and k differ (the message names k and its
            shape), k and v have different numbers of rows (v and its shape), or
            mask is not boolean (mask and its dtype) or does not broadcast to
            (..., n, m) (mask and its shape).

    Example:
        >>> import numpy as np
        >>> q = np.array([[0.0, 0.0], [1000.0, 0.0]])
        >>> k = np.array([[1.0, 0.0], [-1.0, 0.0]])
        >>> v = np.array([[10.0, 0.0], [20.0, 6.0]])
        >>> scaled_dot_product_attention(q, k, v)
        array([[15.,  3.],
               [10.,  0.]])
        >>> scaled_dot_product_attention(q, k, v, mask=np.array([False, True]))
        array([[20.,  6.],
               [20.,  6.]])

    Source: Vaswani et al. (2017), "Attention is all you need", 3.2.1.
    """
    _check_same_width(q, k)
    _check_same_length(k, v)
    _check_mask(mask, (*q.shape[:-1], k.shape[-2]))
    scale = 1 / math.sqrt(q.shape[-1])
    scores = (_widened(q) * scale) @ _transposed(_widened(k))
    weights, total = _exponentials(scores, mask)
    # Dividing the mixture by the sum is less work than dividing the weights.
    out = weights @ _widened(v)
    out /= total
    return out.astype(_as_float(q).dtype, copy=False)


def scaled_dot_product_attention_backward(grad_output, q, k, v, mask=None):
    """Push a gradient back through attention, to queries, keys and values.

    P  = softmax(q k^T / sqrt(d)),  g = dL/d(P v)
    dv = P^T g
    dP = g v^T
    dS = P * (dP - r),  r_i = sum_j P_ij dP_ij
    dq = dS k / sqrt(d),  dk = dS^T q / sqrt(d)

    The weights P are computed again from q and k: they are the largest array of
    all, and keeping them from the forward pass would cost more than this.

    Args:
        grad_output: Gradient g of the loss with respect to the output, shape
            (..., n, e).
        q: Queries, shape (..., n, d).
        k: Keys, shape (..., m, d), with the leading axes of q; m is at least 1.
        v: Values, shape (..., m, e), with the leading axes of q.
        mask: The mask of the forward pass: boolean, True = keep, broadcast to
            (..., n, m); None keeps all.

    Returns:
        The tuple (dq, dk, dv), each of the shape of its argument and in the
        dtype of q (float16 is computed in float32 throughout and rounded once;
        integers and booleans give float64). A query with no key left
        contributes zeros, and a key that no query may see gets zeros; scores of
        any finite size never give NaN. The inputs are not changed.

    Raises:
        ValueError: The last axes of q and k differ (the message names k and its
            shape), k and v have different numbers of rows (v and its shape),
            grad_output is not of shape (..., n, e) (grad_output and its shape),
            or mask is not boolean (mask and its dtype) or does not broadcast to
            (..., n, m) (mask and its shape).

    Example:
        >>> import numpy as np
        >>> q, k = np.zeros((1, 4)), np.eye(2, 4)
        >>> v = np.array([[1.0], [5.0]])
        >>> g = np.ones((1, 1))
        >>> dq, dk, dv = scaled_dot_product_attention_backward(g, q, k, v)
        >>> dv
        array([[0.5],
               [0.5]])
        >>> dq
        array([[-0.5,  0.5,  0. ,  0. ]])

    Source: Dao et al. (2022), "FlashAttention", appendix B.2.
    """
    _check_same_width(q, k)
    _check_same_length(k, v)
    _check_mask(mask, (*q.shape[:-1], k.shape[-2]))
    if grad_output.shape != (*q.shape[:-1], v.shape[-1]):
        raise ValueError(
            f"grad_output must have the shape of the output {(*q.shape[:-1], v.shape[-1])}, "
            f"got grad_output of shape {grad_output.shape}"
        )
    dtype = _as_float(q).dtype
    scale = 1 / math.sqrt(q.shape[-1])
    keys, values = _widened(k), _widened(v)
    queries = _widened(q) * scale
    scores = queries @ _transposed(keys)
    weights, total = _exponentials(scores, mask)
    # P = weights / total; dividing g, which is smaller, does the same.
    g = _widened(grad_output) / total
    dv = _transposed(weights) @ g
    ds = g @ _transposed(values)
    # r without an array for the products.
    r = np.einsum("...nm,...nm->...n", weights, ds)[..., None] / total
    ds -= r
    ds *= weights
    dq = ds @ keys
    dq *= scale
    dk = _transposed(ds) @ queries
    return tuple(x.astype(dtype, copy=False) for x in (dq, dk, dv))


def multi_head_attention(x, w_q, w_k, w_v, w_o, num_heads, mask=None):
    """Attend several times at once, each head on its own slice of the width.

    head_h = attention(x w_q[:, s], x w_k[:, s], x w_v[:, s])
    s = h d/H ... (h + 1) d/H - 1,  h = 0 ... H - 1
    y = [head_0 ... head_(H-1)] w_o

    One softmax can only look at one thing at a time. H heads of width d/H look
    at H things for the price of one of width d, and w_o mixes what they found.
    Each head divides its scores by the root of its own width, sqrt(d/H).

    Args:
        x: Tokens, shape (..., n, d); n is at least 1.
        w_q: Weights of the queries, shape (d, d), applied as x @ w_q.
        w_k: Weights of the keys, shape (d, d).
        w_v: Weights of the values, shape (d, d).
        w_o: Weights of the output, shape (d, d).
        num_heads: H, 1 or more; it divides d. Head h owns the columns h d/H to
            (h + 1) d/H - 1 of the projected queries, keys and values.
        mask: Boolean, True = keep, broadcast to (..., n, n), the same for every
            head; None keeps all. To leave out padding it is (batch, 1, n).

    Returns:
        Shape (..., n, d), in the dtype of x (float16 is computed in float32
        throughout and rounded once; integers and booleans give float64). A
        token with no key left gives zeros. Scores of any finite size never give
        NaN. The inputs are not changed.

    Raises:
        ValueError: A weight is not of shape (d, d), num_heads is below 1 or
            does not divide d, or mask is not boolean or does not broadcast to
            (..., n, n). The message names the weight and its shape, num_heads
            and its value, or mask and its dtype or shape.

    Example:
        >>> import numpy as np
        >>> x = np.array([[1.0, 2.0], [3.0, 6.0]])
        >>> zero, one = np.zeros((2, 2)), np.eye(2)
        >>> multi_head_attention(x, zero, zero, one, one, num_heads=2)
        array([[2., 4.],
               [2., 4.]])

    Source: Vaswani et al. (2017), "Attention is all you need", 3.2.2.
    """
    n, d = x.shape[-2:]
    for name, w in (("w_q", w_q), ("w_k", w_k), ("w_v", w_v), ("w_o", w_o)):
        if w.shape != (d, d):
            raise ValueError(f"{name} must be of shape {(d, d)}, got {name} of shape {w.shape}")
    if num_heads < 1 or d % num_heads:
        raise ValueError(f"num_heads must divide the width {d}, got num_heads={num_heads}")
    _check_mask(mask, (*x.shape[:-1], n))
    dtype = _as_float(x).dtype
    tokens = _widened(x)
    width = d // num_heads
    q, k, v = (
        (tokens @ _widened(w)).reshape(*x.shape[:-1], num_heads, width).swapaxes(-2, -3)
        for w in (w_q, w_k, w_v)
    )
    if mask is not None and mask.ndim > 2:
        mask = mask[..., None, :, :]
    heads = scaled_dot_product_attention(q, k, v, mask)
    merged = heads.swapaxes(-2, -3).reshape(x.shape)
    return (merged @ _widened(w_o)).astype(dtype, copy=False)


def flash_attention(q, k, v, block_size=64, causal=False):
    """Attend without ever holding the score matrix, one block at a time.

    Keep for each query a running maximum t, a running sum l of exp(s - t), and
    the mixture o of values with those weights. For each block of keys and
    values, with s = q k_block^T / sqrt(d):

    t' = max(t, max(s)),  l' = l exp(t - t') + sum exp(s - t')
    o' = o exp(t - t') + exp(s - t') v_block

    and at the end o / l. Ordinary attention writes and reads n m scores, and
    for long texts that memory, not the arithmetic, is what limits it.

    Args:
        q: Queries, shape (..., n, d).
        k: Keys, shape (..., m, d), with the leading axes of q; m is at least 1.
        v: Values, shape (..., m, e), with the leading axes of q.
        block_size: Keys in a block, 1 or more; it need not divide m, and may be
            above m.
        causal: Whether query i sees only the keys j <= i, counted from the top
            left also where n and m differ.

    Returns:
        What scaled_dot_product_attention returns, for every block size: shape
        (..., n, e), in the dtype of q (float16 is computed in float32
        throughout and rounded once; integers and booleans give float64). A
        query with no key left, because all scores are -inf, gives zeros. The
        inputs are not changed. Beside the inputs and the result it holds at
        most 4 (n + m) (d + block_size) numbers at a time (with e = d and no
        leading axes), never an array of n m numbers or booleans.

    Raises:
        ValueError: The last axes of q and k differ (the message names k and its
            shape), k and v have different numbers of rows (v and its shape), or
            block_size is below 1 (block_size and its value).

    Example:
        >>> import numpy as np
        >>> q, k = np.zeros((3, 2)), np.zeros((3, 2))
        >>> v = np.array([[2.0], [4.0], [9.0]])
        >>> flash_attention(q, k, v, block_size=2)
        array([[5.],
               [5.],
               [5.]])
        >>> flash_attention(q, k, v, block_size=2, causal=True)
        array([[2.],
               [3.],
               [5.]])

    Source: Dao et al. (2022), "FlashAttention: fast and memory-efficient exact
    attention with IO-awareness"; Rabe and Staats (2021).
    """
    _check_same_width(q, k)
    _check_same_length(k, v)
    if block_size < 1:
        raise ValueError(f"block_size must be 1 or more, got block_size={block_size}")
    n, m = q.shape[-2], k.shape[-2]
    queries = _widened(q) * (1 / math.sqrt(q.shape[-1]))
    top = np.full((*q.shape[:-1], 1), -np.inf, queries.dtype)
    total = np.zeros_like(top)
    out = np.zeros((*q.shape[:-1], v.shape[-1]), queries.dtype)
    # Room for one block's scores and its mixture, used again by every block.
    room = np.empty((*q.shape[:-1], min(block_size, m)), queries.dtype)
    mixed = np.empty_like(out)
    # With causal, nobody sees the keys from n on.
    for start in range(0, min(n, m) if causal else m, block_size):
        stop = min(start + block_size, m)
        # With causal, the queries before a block see none of its keys.
        rows = slice(start if causal else 0, n)
        keys = _transposed(_widened(k[..., start:stop, :]))
        scores = room[..., rows, : stop - start]
        np.matmul(queries[..., rows, :], keys, out=scores)
        if causal:
            ahead = np.arange(start, stop) > np.arange(start, n)[:, None]
            np.copyto(scores, -np.inf, where=ahead)
        old_top = top[..., rows, :]
        new_top = np.maximum(old_top, scores.max(axis=-1, keepdims=True))
        safe = np.where(new_top == -np.inf, np.zeros_like(new_top), new_top)
        scores -= safe
        np.exp(scores, out=scores)
        shrink = np.exp(old_top - safe)
        row_total, row_out = total[..., rows, :], out[..., rows, :]
        row_total *= shrink
        row_total += scores.sum(axis=-1, keepdims=True)
        row_out *= shrink
        values = _widened(v[..., start:stop, :])
        row_out += np.matmul(scores, values, out=mixed[..., rows, :])
        top[..., rows, :] = new_top
    total[total == 0] = 1
    out /= total
    return out.astype(_as_float(q).dtype, copy=False)
