"""Known mistakes as a student writes them who has never seen our reference.

Each function is ``<exercise>__<mistake>``: that one mistake, the rest right.
"""

# ruff: noqa: B007 (students use a loop's variable after the loop)

import numpy as np


def _real(a):
    return a if np.issubdtype(a.dtype, np.floating) else a.astype("float64")


def _room(a):
    """The same with room to sum in."""
    a = _real(a)
    return a.astype("float32") if a.dtype == np.float16 else a


def _need_axis(axis, a):
    if axis < -a.ndim or axis >= a.ndim:
        raise ValueError(f"there is no axis={axis} in logits of shape {a.shape}")


def _row_by_row(function, logits, axis):
    """``function`` of each row along the axis, in the dtype of the logits."""
    _need_axis(axis, logits)
    lines = np.moveaxis(_room(logits), axis, -1)
    result = np.empty(lines.shape, lines.dtype)
    for where in np.ndindex(lines.shape[:-1]):
        result[where] = function(lines[where])
    return np.moveaxis(result, -1, axis).astype(_real(logits).dtype)


def log_softmax__log_of_softmax(logits, axis=-1):
    def one(row):
        powers = np.exp(row - row.max())
        return np.log(powers / powers.sum())

    return _row_by_row(one, logits, axis)


def log_softmax__log_of_softmax_with_an_epsilon(logits, axis=-1):
    _need_axis(axis, logits)
    z = np.swapaxes(_room(logits), axis, -1)
    powers = np.exp(z - np.amax(z, axis=-1)[..., None])
    probs = powers / np.einsum("...k->...", powers)[..., None]
    return np.swapaxes(np.log(probs + 1e-12), axis, -1).astype(_real(logits).dtype)


def log_softmax__no_maximum_subtracted(logits, axis=-1):
    def one(row):
        total = row.dtype.type(0)
        for score in row:
            total += np.exp(score)
        return row - np.log(total)

    return _row_by_row(one, logits, axis)


def log_softmax__maximum_of_the_whole_array(logits, axis=-1):
    _need_axis(axis, logits)
    z = _room(logits)
    z = z - np.max(z)
    normalizer = np.log(np.sum(np.exp(z), axis=axis))
    return (z - np.expand_dims(normalizer, axis)).astype(_real(logits).dtype)


def log_softmax__nan_replaced(logits, axis=-1):
    def one(row):
        centred = row - np.max(row)
        return centred - np.log(np.exp(centred) @ np.ones_like(row))

    return np.nan_to_num(_row_by_row(one, logits, axis))


def log_softmax__maximum_added_back(logits, axis=-1):
    def one(row):
        biggest = row[0]
        for score in row[1:]:
            biggest = max(biggest, score)
        lse = biggest + np.log(np.add.reduce(np.exp(row - biggest)))
        return np.array([score - lse for score in row])

    return _row_by_row(one, logits, axis)


def log_softmax__over_the_whole_array(logits, axis=-1):
    _need_axis(axis, logits)
    z = _room(logits)
    if z.size == 0:
        return _real(logits).copy()
    z = z - z.max()
    return (z - np.log(np.exp(z).sum())).astype(_real(logits).dtype)


def log_softmax__axis_ignored(logits, axis=-1):
    _need_axis(axis, logits)
    z = _room(logits)
    z = z - np.expand_dims(np.max(z, axis=-1), -1)
    total = np.einsum("...i->...", np.exp(z))
    return (z - np.log(total)[..., np.newaxis]).astype(_real(logits).dtype)


def log_softmax__matrices_only(logits, axis=-1):
    _need_axis(axis, logits)
    z = _room(logits)
    if axis in (0, -2):
        z = z - z.max(axis=0)[None, :]
        result = z - np.log(np.exp(z).sum(axis=0))[None, :]
    else:
        z = z - z.max(axis=1)[:, None]
        result = z - np.log(np.exp(z).sum(axis=1))[:, None]
    return result.astype(_real(logits).dtype)


def log_softmax__axis_wrapped_around(logits, axis=-1):
    def one(row):
        centred = row - row.max()
        total = sum(np.exp(centred), row.dtype.type(0))
        return centred - np.log(total)

    return _row_by_row(one, logits, axis % logits.ndim)


def log_softmax__logarithm_to_base_2(logits, axis=-1):
    def one(row):
        centred = row - row.max()
        return centred - np.log2(np.exp(centred).sum())

    return _row_by_row(one, logits, axis)


def log_softmax__sign_turned(logits, axis=-1):
    _need_axis(axis, logits)
    z = np.swapaxes(_room(logits), axis, -1)
    below = np.max(z, axis=-1, keepdims=True) - z
    surprise = below + np.log(np.einsum("...i->...", np.exp(-below)))[..., None]
    return np.swapaxes(surprise, axis, -1).astype(_real(logits).dtype)


def log_softmax__half_precision_sum(logits, axis=-1):
    _need_axis(axis, logits)
    z = np.moveaxis(_real(logits), axis, 0)
    z = z - z.max(axis=0)
    total = np.zeros(z.shape[1:], z.dtype)
    for layer in np.exp(z):
        total = total + layer
    return np.moveaxis(z - np.log(total), 0, axis)


def log_softmax__always_float64(logits, axis=-1):
    _need_axis(axis, logits)
    z = logits.astype(float)
    z -= z.max(axis=axis, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=axis, keepdims=True))


def log_softmax__input_overwritten(logits, axis=-1):
    _need_axis(axis, logits)
    z = _room(logits)
    z -= z.max(axis=axis, keepdims=True)
    z -= np.log(np.exp(z).sum(axis=axis, keepdims=True))
    return z.astype(_real(logits).dtype)


def log_softmax__leading_axes_flattened(logits, axis=-1):
    _need_axis(axis, logits)
    lines = np.moveaxis(_room(logits), axis, -1)
    rows = []
    for row in lines.reshape(-1, lines.shape[-1]):
        centred = row - row.max()
        rows.append(centred - np.log(np.exp(centred).sum()))
    return np.array(rows, _real(logits).dtype).reshape(-1, lines.shape[-1])


def _need_rows(probs):
    if len(probs.shape) < 1:
        raise ValueError(f"probs of shape {probs.shape} has no row of probabilities")


def _pairs(function, probs):
    """``function(p, i, j)`` for each row p and each pair of places in it."""
    _need_rows(probs)
    p = _real(probs)
    size = p.shape[-1]
    table = np.zeros(p.shape + (size,), p.dtype)
    for where in np.ndindex(p.shape[:-1]):
        for i in range(size):
            for j in range(size):
                table[where][i, j] = function(p[where], i, j)
    return table


def softmax_jacobian__diagonal_only(probs):
    return _pairs(lambda p, i, j: p[i] * (1 - p[i]) if i == j else 0, probs)


def softmax_jacobian__diagonal_left_out(probs):
    _need_rows(probs)
    p = _real(probs)
    return -np.einsum("...i,...j->...ij", p, p)


def softmax_jacobian__diagonal_added_everywhere(probs):
    return _pairs(lambda p, i, j: p[i] - p[i] * p[j], probs)


def softmax_jacobian__one_instead_of_p(probs):
    _need_rows(probs)
    p = _real(probs)
    return np.identity(p.shape[-1], p.dtype) - np.einsum("...i,...j->...ij", p, p)


def softmax_jacobian__sign_turned(probs):
    return _pairs(lambda p, i, j: p[i] * (p[j] - (i == j)), probs)


def softmax_jacobian__sign_of_the_outer_product(probs):
    _need_rows(probs)
    p = _real(probs)[..., None]
    return p * np.identity(p.shape[-2], p.dtype) + np.matmul(p, np.swapaxes(p, -1, -2))


def softmax_jacobian__one_row_only(probs):
    _need_rows(probs)
    p = _real(probs)
    return np.diag(p) - np.outer(p, p)


def softmax_jacobian__rows_mixed(probs):
    _need_rows(probs)
    p = _real(probs)
    table = np.atleast_2d(p).reshape(-1, p.shape[-1])
    return p[..., None] * np.identity(p.shape[-1], p.dtype) - table.T @ table


def softmax_jacobian__softmax_once_more(probs):
    _need_rows(probs)
    z = _real(probs)
    table = np.zeros((*z.shape, z.shape[-1]), z.dtype)
    for where in np.ndindex(*z.shape[:-1]):
        powers = np.exp(z[where] - z[where].max())
        p = powers / powers.sum()
        table[where] = np.diag(p) - np.outer(p, p)
    return table


def softmax_jacobian__small_probabilities_cut(probs):
    _need_rows(probs)
    p = np.clip(_real(probs), 1e-8, None)
    table = -np.einsum("...i,...j->...ij", p, p)
    np.einsum("...ii->...i", table)[...] += p
    return table


def softmax_jacobian__two_axes_only(probs):
    _need_rows(probs)
    p = _real(probs)
    outer = np.einsum("bi,bj->bij", p, p)
    return np.einsum("bi,ij->bij", p, np.identity(p.shape[1], p.dtype)) - outer


def softmax_jacobian__always_float64(probs):
    _need_rows(probs)
    n = probs.shape[-1]
    table = np.zeros(probs.shape + (n,))
    for where in np.ndindex(probs.shape[:-1]):
        p = probs[where].astype(float)
        for i in range(n):
            table[where][i] = -p[i] * p
            table[where][i, i] = p[i] - p[i] ** 2
    return table


def softmax_jacobian__input_overwritten(probs):
    _need_rows(probs)
    p = _real(probs)
    table = -np.einsum("...i,...j->...ij", p, p)
    p *= 1 - p
    np.einsum("...ii->...i", table)[...] = p
    return table


def softmax_jacobian__refusals_forgotten(probs):
    p = np.atleast_1d(_real(probs))
    eye = np.identity(p.shape[-1], p.dtype)
    return p[..., None] * (eye - p[..., None, :])


def _pieces(blocks):
    """Each block with room to sum in, and the dtype that the result is to have."""
    before = None
    for block in blocks:
        if before is None:
            before = block.shape[:-1]
        elif block.shape[:-1] != before:
            raise ValueError(f"blocks of shape {block.shape} after blocks of shape {before} + (b,)")
        yield _room(block), _real(block).dtype
    if before is None:
        raise ValueError("blocks has no block at all")


def _subtractable(m):
    return np.where(np.isfinite(m), m, 0).astype(m.dtype)


def _summed(piece, m):
    """The sum of each row's exponentials, with m subtracted."""
    with np.errstate(over="ignore"):
        return np.einsum("...b->...", np.exp(piece - m[..., None]))


def _log_plus(s, m, dtype):
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(s) + m).astype(dtype)[()]


def online_logsumexp__sum_not_rescaled(blocks):
    m, s = -np.inf, 0
    for piece, dtype in _pieces(blocks):
        m = np.maximum(m, piece.max(axis=-1)).astype(piece.dtype)
        s = s + _summed(piece, _subtractable(m))
    return _log_plus(s, _subtractable(m), dtype)


def online_logsumexp__rescaled_the_wrong_way(blocks):
    m = None
    for piece, dtype in _pieces(blocks):
        high = piece.max(axis=-1)
        if m is None:
            m, s = high, _summed(piece, _subtractable(high))
            continue
        risen = np.maximum(m, high)
        shift = _subtractable(risen)
        with np.errstate(over="ignore", invalid="ignore"):
            s = s * np.exp(shift - m) + _summed(piece, shift)
        m = risen
    return _log_plus(s, _subtractable(m), dtype)


def online_logsumexp__block_not_shifted_by_the_new_maximum(blocks):
    state = {}
    for piece, dtype in _pieces(blocks):
        for where in np.ndindex(piece.shape[:-1]):
            row = piece[where]
            m, s = state.get(where, (row.dtype.type(-np.inf), row.dtype.type(0)))
            own = row.max()
            higher = max(m, own)
            if np.isfinite(higher):
                s = s * np.exp(m - higher)
            shift = own if np.isfinite(own) else row.dtype.type(0)
            state[where] = higher, s + np.exp(row - shift).sum()
        shape = piece.shape[:-1]
    m = np.array([state[where][0] for where in np.ndindex(shape)], piece.dtype).reshape(shape)
    s = np.array([state[where][1] for where in np.ndindex(shape)], piece.dtype).reshape(shape)
    return _log_plus(s, _subtractable(m), dtype)


def online_logsumexp__no_maximum_subtracted(blocks):
    total = 0
    with np.errstate(over="ignore"):
        for piece, dtype in _pieces(blocks):
            for column in np.moveaxis(piece, -1, 0):
                total = total + np.exp(column)
    return _log_plus(total, piece.dtype.type(0), dtype)


def online_logsumexp__maximum_of_the_first_block(blocks):
    m = None
    for piece, dtype in _pieces(blocks):
        if m is None:
            m, s = _subtractable(np.amax(piece, axis=-1)), 0
        s = s + _summed(piece, m)
    return _log_plus(s, m, dtype)


def online_logsumexp__maximum_starts_at_zero(blocks):
    m = s = None
    for piece, dtype in _pieces(blocks):
        if m is None:
            m, s = np.zeros(piece.shape[:-1], piece.dtype), np.zeros(piece.shape[:-1], piece.dtype)
        higher = m.copy()
        for column in np.moveaxis(piece, -1, 0):
            higher = np.maximum(higher, column)
        shift = _subtractable(higher)
        s = s * np.exp(m - shift) + _summed(piece, shift)
        m = higher
    return _log_plus(s, _subtractable(m), dtype)


def online_logsumexp__two_passes(blocks):
    m = None
    for piece, dtype in _pieces(blocks):
        high = piece.max(axis=-1)
        m = high if m is None else np.maximum(m, high)
    m = _subtractable(m)
    s = np.zeros_like(m)
    for block in blocks:
        s = s + _summed(_room(block), m)
    return _log_plus(s, m, dtype)


def online_logsumexp__first_block_skipped(blocks):
    pieces = _pieces(blocks)
    first, dtype = next(pieces)
    m = first.max(axis=-1)
    s = np.zeros_like(m)
    for piece, _ in pieces:
        higher = np.maximum(m, piece.max(axis=-1))
        s *= np.exp(m - _subtractable(higher))
        s += _summed(piece, _subtractable(higher))
        m = higher
    return _log_plus(s, _subtractable(m), dtype)


def online_logsumexp__only_the_last_block(blocks):
    m = -np.inf
    for piece, dtype in _pieces(blocks):
        m = np.maximum(m, piece.max(axis=-1)).astype(piece.dtype)
        s = _summed(piece, _subtractable(m))
    return _log_plus(s, _subtractable(m), dtype)


def online_logsumexp__mean_of_the_blocks(blocks):
    state = None
    for piece, dtype in _pieces(blocks):
        shape, width = piece.shape[:-1], piece.shape[-1]
        rows = piece.reshape(-1, width)
        if state is None:
            state = [(row.dtype.type(-np.inf), row.dtype.type(0)) for row in rows]
        for number, row in enumerate(rows):
            m, s = state[number]
            higher = max(m, row.max())
            shift = higher if np.isfinite(higher) else row.dtype.type(0)
            with np.errstate(over="ignore"):
                s = s * np.exp(m - shift) + np.mean(np.exp(row - shift))
            state[number] = higher, s
    m = np.array([m for m, _ in state], piece.dtype).reshape(shape)
    s = np.array([s for _, s in state], piece.dtype).reshape(shape)
    return _log_plus(s, _subtractable(m), dtype)


def online_logsumexp__stopped_at_a_short_block(blocks):
    width = None
    for piece, dtype in _pieces(blocks):
        high = piece.max(axis=-1)
        if width is None:
            width = piece.shape[-1]
            m, s = high, _summed(piece, _subtractable(high))
        else:
            higher = np.maximum(m, high)
            shift = _subtractable(higher)
            s = s * np.exp(m - shift) + _summed(piece, shift)
            m = higher
        if piece.shape[-1] < width:
            break
    return _log_plus(s, _subtractable(m), dtype)


def online_logsumexp__every_block_kept(blocks):
    pieces = list(_pieces(blocks))
    whole = np.concatenate([piece for piece, _ in pieces], axis=-1)
    m = _subtractable(whole.max(axis=-1))
    return _log_plus(_summed(whole, m), m, pieces[0][1])


def online_logsumexp__infinite_maximum_subtracted(blocks):
    m = None
    with np.errstate(invalid="ignore"):
        for piece, dtype in _pieces(blocks):
            if m is None:
                m = np.full(piece.shape[:-1], -np.inf, piece.dtype)
                s = np.zeros_like(m)
            higher = np.maximum(m, piece.max(axis=-1))
            s = s * np.exp(m - higher) + _summed(piece, higher)
            m = higher
    return _log_plus(s, m, dtype)


def online_logsumexp__sum_over_all_axes(blocks):
    m, s = -np.inf, 0
    for piece, dtype in _pieces(blocks):
        higher = np.maximum(m, piece.max(axis=-1)).astype(piece.dtype)
        shift = _subtractable(higher)
        with np.errstate(over="ignore"):
            s = s * np.exp(m - shift) + np.sum(np.exp(piece - shift[..., None]))
        m = higher
    return _log_plus(s, _subtractable(m), dtype)


def online_logsumexp__matrices_only(blocks):
    m, s = None, 0
    for piece, dtype in _pieces(blocks):
        high = piece.max(axis=1)
        higher = high if m is None else np.maximum(m, high)
        shift = _subtractable(higher)
        with np.errstate(over="ignore"):
            added = np.exp(piece - shift[:, None]).sum(axis=1)
        s = added if m is None else s * np.exp(m - shift) + added
        m = higher
    return _log_plus(s, _subtractable(m), dtype)


def online_logsumexp__half_precision_sum(blocks):
    m = None
    for piece, dtype in _pieces(blocks):
        block = piece.astype(dtype)
        if m is None:
            m = np.full(block.shape[:-1], -np.inf, dtype)
            s = np.zeros(block.shape[:-1], dtype)
        higher = np.maximum(m, block.max(axis=-1))
        shift = _subtractable(higher)
        s = s * np.exp(m - shift)
        with np.errstate(over="ignore"):
            for column in np.moveaxis(block, -1, 0):
                s = s + np.exp(column - shift)
        m = higher
    return _log_plus(s, _subtractable(m), dtype)


def online_logsumexp__blocks_overwritten(blocks):
    m, s = None, 0
    for piece, dtype in _pieces(blocks):
        high = piece.max(axis=-1)
        higher = high if m is None else np.maximum(m, high)
        shift = _subtractable(higher)
        piece -= shift[..., None]
        with np.errstate(over="ignore"):
            added = np.exp(piece, out=piece).sum(axis=-1)
        s = added if m is None else s * np.exp(m - shift) + added
        m = higher
    return _log_plus(s, _subtractable(m), dtype)


def online_logsumexp__nothing_gives_minus_infinity(blocks):
    result = np.float64(-np.inf)
    before = None
    for block in blocks:
        if before not in (None, block.shape[:-1]):
            raise ValueError(f"blocks of shape {block.shape} after one of {before} + (b,)")
        before = block.shape[:-1]
        piece = _room(block)
        own = _subtractable(piece.max(axis=-1))
        lse = _log_plus(_summed(piece, own), own, piece.dtype)
        result = np.logaddexp(result, lse).astype(piece.dtype)
    return result if before is None else result.astype(_real(block).dtype)


def online_logsumexp__always_float64(blocks):
    m, s = -np.inf, 0.0
    for piece, _ in _pieces(blocks):
        piece = piece.astype(float)
        higher = np.maximum(m, piece.max(axis=-1))
        shift = _subtractable(higher)
        s = s * np.exp(m - shift) + _summed(piece, shift)
        m = higher
    return _log_plus(s, _subtractable(m), float)


def online_logsumexp__half_returned_wide(blocks):
    result = None
    for piece, _ in _pieces(blocks):
        own = _subtractable(piece.max(axis=-1))
        lse = _log_plus(_summed(piece, own), own, piece.dtype)
        result = lse if result is None else np.logaddexp(result, lse)
    return result


def online_logsumexp__refusals_forgotten(blocks):
    m = s = None
    for block in blocks:
        piece = _room(block)
        high = np.amax(piece, axis=-1)
        higher = high if m is None else np.maximum(m, high)
        shift = _subtractable(higher)
        added = _summed(piece, shift)
        s = added if s is None else added + s * np.exp(m - shift)
        m = higher
    return _log_plus(s, _subtractable(m), _real(block).dtype)
