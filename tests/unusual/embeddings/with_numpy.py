"""Right answers that look different: every one must pass all checks."""

import numpy as np
import scipy.sparse


def _floating(x):
    return x if np.issubdtype(x.dtype, np.floating) else x.astype("float64")


def _wide(x):
    x = _floating(x)
    return x.astype("float32") if x.dtype == np.float16 else x


def _ids(token_ids, vocab_size):
    if vocab_size < 1:
        raise ValueError(f"there are no tokens with vocab_size={vocab_size}")
    if not np.issubdtype(token_ids.dtype, np.integer):
        raise ValueError(f"token_ids of dtype {token_ids.dtype} are no integers")
    flat = [int(t) for t in token_ids.ravel()]
    for t in flat:
        if not 0 <= t < vocab_size:
            raise ValueError(f"token_ids: {t} is not one of {vocab_size} tokens")
    return flat


def _table(table):
    if len(table.shape) != 2:
        raise ValueError(f"table of shape {table.shape} has no rows and columns")


def _shape(grad_output, wanted):
    have = grad_output.shape
    if len(have) != len(wanted) or any(w not in (None, h) for h, w in zip(have, wanted)):  # noqa: B905
        raise ValueError(f"grad_output has shape {have}, not {wanted}")


def one_hot__compared(token_ids, vocab_size):
    _ids(token_ids, vocab_size)
    return (token_ids[..., None] == np.arange(vocab_size)).astype("float32")


def one_hot__rows_of_the_identity(token_ids, vocab_size):
    _ids(token_ids, vocab_size)
    if vocab_size > 10_000:
        return one_hot__compared(token_ids, vocab_size)
    return np.eye(vocab_size, dtype="float32")[token_ids]


def one_hot__put_along_axis(token_ids, vocab_size):
    _ids(token_ids, vocab_size)
    out = np.zeros((*token_ids.shape, vocab_size), "float32")
    np.put_along_axis(out, token_ids[..., None].astype("int64"), 1, axis=-1)
    return out


def one_hot__lists(token_ids, vocab_size):
    flat = _ids(token_ids, vocab_size)
    rows = [[float(v == t) for v in range(vocab_size)] for t in flat]
    return np.array(rows, "float32").reshape(*token_ids.shape, vocab_size)


def embedding_lookup__taken(table, token_ids):
    _table(table)
    _ids(token_ids, len(table))
    return np.take(_floating(table), token_ids, axis=0)


def embedding_lookup__one_by_one(table, token_ids):
    _table(table)
    out = np.empty((*token_ids.shape, table.shape[1]), _floating(table).dtype)
    flat = out.reshape(token_ids.size, table.shape[1])
    for i, t in enumerate(_ids(token_ids, len(table))):
        flat[i] = table[t]
    return out


def embedding_lookup__columns_side_by_side(table, token_ids):
    _table(table)
    _ids(token_ids, len(table))
    return np.stack([_floating(column)[token_ids] for column in table.T], axis=-1)


def embedding_backward__added_at(grad_output, token_ids, vocab_size):
    _ids(token_ids, vocab_size)
    _shape(grad_output, (*token_ids.shape, None))
    grad = np.zeros((vocab_size, grad_output.shape[-1]), _wide(grad_output).dtype)
    np.add.at(grad, token_ids, _wide(grad_output))
    return grad.astype(_floating(grad_output).dtype)


def embedding_backward__counted_by_column(grad_output, token_ids, vocab_size):
    ids = np.array(_ids(token_ids, vocab_size), "int64")
    _shape(grad_output, (*token_ids.shape, None))
    g = _floating(grad_output)
    flat = g.reshape(ids.size, g.shape[-1])
    columns = [np.bincount(ids, flat[:, j], vocab_size) for j in range(g.shape[-1])]
    with np.errstate(over="ignore"):
        return np.stack(columns, axis=-1).astype(g.dtype)


def embedding_backward__reduced_in_segments(grad_output, token_ids, vocab_size):
    ids = np.array(_ids(token_ids, vocab_size), "int64")
    _shape(grad_output, (*token_ids.shape, None))
    g = _wide(grad_output).reshape(ids.size, grad_output.shape[-1])
    grad = np.zeros((vocab_size, g.shape[-1]), _floating(grad_output).dtype)
    if ids.size:
        order = np.argsort(ids)
        rows, starts = np.unique(ids[order], return_index=True)
        grad[rows] = np.add.reduceat(g[order], starts, axis=0)
    return grad


def embedding_backward__sparse_product(grad_output, token_ids, vocab_size):
    ids = _ids(token_ids, vocab_size)
    _shape(grad_output, (*token_ids.shape, None))
    g = _wide(grad_output).reshape(len(ids), grad_output.shape[-1])
    if not ids:
        return np.zeros((vocab_size, g.shape[-1]), _floating(grad_output).dtype)
    picked = scipy.sparse.coo_array(
        (np.ones(len(ids), g.dtype), (ids, range(len(ids)))), shape=(vocab_size, len(ids))
    )
    return (picked @ g).astype(_floating(grad_output).dtype)


def embedding_backward__one_by_one(grad_output, token_ids, vocab_size):
    ids = _ids(token_ids, vocab_size)
    _shape(grad_output, (*token_ids.shape, None))
    g = _wide(grad_output).reshape(len(ids), grad_output.shape[-1])
    grad = np.zeros((vocab_size, g.shape[-1]), g.dtype)
    for t, row in zip(ids, g, strict=True):
        grad[t] += row
    return grad.astype(_floating(grad_output).dtype)


def _rate(lr):
    if lr < 0 or lr != lr:
        raise ValueError(f"lr={lr} goes nowhere")


def embedding_sgd_step__dense(table, grad_output, token_ids, lr):
    _table(table)
    _rate(lr)
    _shape(grad_output, (*token_ids.shape, table.shape[1]))
    grad = embedding_backward__added_at(_wide(grad_output), token_ids, len(table))
    return (_wide(table) - _wide(table).dtype.type(lr) * grad).astype(_floating(table).dtype)


def embedding_sgd_step__token_by_token(table, grad_output, token_ids, lr):
    _table(table)
    _rate(lr)
    _shape(grad_output, (*token_ids.shape, table.shape[1]))
    out = _wide(table).astype(_wide(table).dtype, copy=True)
    ids = _ids(token_ids, len(table))
    steps = lr * _wide(grad_output).reshape(len(ids), table.shape[1])
    for t, step in zip(ids, steps, strict=True):
        out[t] -= step
    return out.astype(_floating(table).dtype)


def embedding_sgd_step__rows_of_a_dictionary(table, grad_output, token_ids, lr):
    _table(table)
    _rate(lr)
    _shape(grad_output, (*token_ids.shape, table.shape[1]))
    places = {}
    for i, t in enumerate(_ids(token_ids, len(table))):
        places.setdefault(t, []).append(i)
    g = _wide(grad_output).reshape(token_ids.size, table.shape[1])
    rows = [
        row - lr * g[places[t]].sum(axis=0) if t in places else row
        for t, row in enumerate(_floating(table))
    ]
    return np.stack([np.asarray(row, _floating(table).dtype) for row in rows])


def embedding_sgd_step__in_float64(table, grad_output, token_ids, lr):
    _table(table)
    _rate(lr)
    _shape(grad_output, (*token_ids.shape, table.shape[1]))
    _ids(token_ids, len(table))
    out = table.astype("float64")
    np.subtract.at(out, token_ids, lr * grad_output.astype("float64"))
    return out.astype(_floating(table).dtype)
