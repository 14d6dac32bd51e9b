"""Known mistakes as other students write them: ``exercise__mistake``, wrong in that one way."""

import numpy as np


def _integers(token_ids):
    if not np.issubdtype(token_ids.dtype, np.integer):
        raise ValueError(f"token_ids has dtype {token_ids.dtype}, which is no integer dtype")


def _vocabulary(vocab_size):
    if vocab_size < 1:
        raise ValueError(f"vocab_size={vocab_size} leaves no row")


def _fits(grad_output, token_ids):
    if grad_output.shape[: token_ids.ndim] != token_ids.shape or (
        grad_output.ndim != token_ids.ndim + 1
    ):
        raise ValueError(
            f"grad_output has shape {grad_output.shape}, token_ids has {token_ids.shape}"
        )


def _in_range(token_ids, vocab_size):
    for t in token_ids.ravel().tolist():
        if not 0 <= t < vocab_size:
            raise ValueError(f"token_ids holds {t}, and there are {vocab_size} rows")


def _checked(grad_output, token_ids, vocab_size):
    _integers(token_ids)
    _vocabulary(vocab_size)
    _fits(grad_output, token_ids)
    _in_range(token_ids, vocab_size)


def _kind(g):
    return g.dtype if g.dtype.kind == "f" else np.dtype("f8")


def _wide(g):
    return g.astype("f4" if g.dtype == "f2" else _kind(g))


def _lists(grad_output, token_ids):
    """The tokens in one list, as Python numbers, and their gradients."""
    return token_ids.ravel().tolist(), _wide(grad_output).reshape(-1, grad_output.shape[-1])


def _zeros(grad_output, vocab_size):
    g = _wide(grad_output[..., :0])
    return np.zeros((vocab_size, grad_output.shape[-1]), g.dtype)


# Repeated tokens


def embedding_backward__each_token_once(grad_output, token_ids, vocab_size):
    _checked(grad_output, token_ids, vocab_size)
    table = _zeros(grad_output, vocab_size)
    table[token_ids] += _wide(grad_output)
    return table.astype(_kind(grad_output))


def embedding_backward__first_gradient_kept(grad_output, token_ids, vocab_size):
    _checked(grad_output, token_ids, vocab_size)
    table = _zeros(grad_output, vocab_size)
    met = set()
    for t, row in zip(*_lists(grad_output, token_ids), strict=True):
        if t not in met:
            table[t] = row
            met.add(t)
    return table.astype(_kind(grad_output))


def embedding_backward__mean_of_repeated_tokens(grad_output, token_ids, vocab_size):
    _checked(grad_output, token_ids, vocab_size)
    table = _zeros(grad_output, vocab_size)
    np.add.at(table, token_ids, _wide(grad_output))
    times = np.bincount(token_ids.ravel().astype(int), minlength=vocab_size)
    table /= np.maximum(times, 1).astype(table.dtype)[:, np.newaxis]
    return table.astype(_kind(grad_output))


def embedding_backward__divided_by_the_tokens(grad_output, token_ids, vocab_size):
    _checked(grad_output, token_ids, vocab_size)
    table = _zeros(grad_output, vocab_size)
    tokens, rows = _lists(grad_output, token_ids)
    for t, row in zip(tokens, rows, strict=True):
        table[t] += row / len(tokens)
    return table.astype(_kind(grad_output))


# Which token, which row


def embedding_backward__counts_from_one(grad_output, token_ids, vocab_size):
    _checked(grad_output, token_ids, vocab_size)
    table = _zeros(grad_output, vocab_size)
    for t, row in zip(*_lists(grad_output, token_ids), strict=True):
        table[t - 1] += row
    return table.astype(_kind(grad_output))


def embedding_backward__only_the_first_sequence(grad_output, token_ids, vocab_size):
    _checked(grad_output, token_ids, vocab_size)
    table = _zeros(grad_output, vocab_size)
    tokens, rows = _lists(grad_output, token_ids)
    length = token_ids.shape[-1] if token_ids.ndim else 1
    for k in range(min(length, len(tokens))):
        table[tokens[k]] += rows[k]
    return table.astype(_kind(grad_output))


def embedding_backward__gradients_in_another_order(grad_output, token_ids, vocab_size):
    _checked(grad_output, token_ids, vocab_size)
    table = _zeros(grad_output, vocab_size)
    tokens, rows = _lists(grad_output, token_ids)
    for k, t in enumerate(sorted(tokens)):
        table[t] += rows[k]
    return table.astype(_kind(grad_output))


def embedding_backward__zero_is_padding(grad_output, token_ids, vocab_size):
    _checked(grad_output, token_ids, vocab_size)
    table = _zeros(grad_output, vocab_size)
    np.add.at(table, token_ids, _wide(grad_output))
    table[0] = 0
    return table.astype(_kind(grad_output))


def embedding_backward__looked_up_instead(grad_output, token_ids, vocab_size):
    _checked(grad_output, token_ids, vocab_size)
    table = _zeros(grad_output, vocab_size)
    tokens, rows = _lists(grad_output, token_ids)
    for t in tokens:
        if t < len(rows):
            table[t] = rows[t]
    return table.astype(_kind(grad_output))


def embedding_backward__one_row_for_each_token(grad_output, token_ids, vocab_size):
    _checked(grad_output, token_ids, vocab_size)
    of = {}
    for t, row in zip(*_lists(grad_output, token_ids), strict=True):
        of[t] = of.get(t, 0) + row
    table = np.zeros((len(of), grad_output.shape[-1]))
    for k, t in enumerate(sorted(of)):
        table[k] = of[t]
    return table.astype(_kind(grad_output))


def embedding_backward__transposed(grad_output, token_ids, vocab_size):
    _checked(grad_output, token_ids, vocab_size)
    tokens, rows = _lists(grad_output, token_ids)
    table = np.zeros((grad_output.shape[-1], vocab_size), rows.dtype)
    for t, row in zip(tokens, rows, strict=True):
        table[:, t] += row
    return table.astype(_kind(grad_output))


def embedding_backward__as_long_as_the_largest_id(grad_output, token_ids, vocab_size):
    _checked(grad_output, token_ids, vocab_size)
    tokens, rows = _lists(grad_output, token_ids)
    table = np.zeros((max(tokens, default=0) + 1, rows.shape[1]), rows.dtype)
    np.add.at(table, tokens, rows) if tokens else None
    return table.astype(_kind(grad_output))


# What is added


def embedding_backward__small_gradients_cut(grad_output, token_ids, vocab_size):
    _checked(grad_output, token_ids, vocab_size)
    table = _zeros(grad_output, vocab_size)
    g = _wide(grad_output)
    g[np.abs(g) < 1e-9] = 0
    np.add.at(table, token_ids, g)
    return table.astype(_kind(grad_output))


def embedding_backward__half_precision_sum(grad_output, token_ids, vocab_size):
    _checked(grad_output, token_ids, vocab_size)
    g = grad_output.astype(_kind(grad_output))
    table = np.zeros((vocab_size, g.shape[-1]), g.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        np.add.at(table, token_ids, g)
    return table


def embedding_backward__sign_turned(grad_output, token_ids, vocab_size):
    _checked(grad_output, token_ids, vocab_size)
    table = _zeros(grad_output, vocab_size)
    np.subtract.at(table, token_ids, _wide(grad_output))
    return table.astype(_kind(grad_output))


def embedding_backward__started_from_a_small_number(grad_output, token_ids, vocab_size):
    _checked(grad_output, token_ids, vocab_size)
    table = np.full((vocab_size, grad_output.shape[-1]), 1e-8, _wide(grad_output).dtype)
    for t, row in zip(*_lists(grad_output, token_ids), strict=True):
        table[t] += row
    return table.astype(_kind(grad_output))


def embedding_backward__differences_of_running_sums(grad_output, token_ids, vocab_size):
    _checked(grad_output, token_ids, vocab_size)
    tokens, rows = _lists(grad_output, token_ids)
    order = sorted(range(len(tokens)), key=tokens.__getitem__)
    table = _zeros(grad_output, vocab_size)
    so_far = np.zeros(rows.shape[1], rows.dtype)
    before = so_far
    with np.errstate(invalid="ignore"):
        for here, k in enumerate(order):
            so_far = so_far + rows[k]
            if here + 1 == len(order) or tokens[order[here + 1]] != tokens[k]:
                table[tokens[k]] = so_far - before
                before = so_far
    return table.astype(_kind(grad_output))


# Memory


def embedding_backward__multiplied_by_one_hot(grad_output, token_ids, vocab_size):
    _checked(grad_output, token_ids, vocab_size)
    tokens, rows = _lists(grad_output, token_ids)
    picks = np.equal.outer(np.array(tokens, int), np.arange(vocab_size)).astype(rows.dtype)
    with np.errstate(invalid="ignore"):
        return np.einsum("nv,nd->vd", picks, rows).astype(_kind(grad_output))


def embedding_backward__one_hot_built(grad_output, token_ids, vocab_size):
    _checked(grad_output, token_ids, vocab_size)
    tokens, rows = _lists(grad_output, token_ids)
    one_hot = np.zeros((len(tokens), vocab_size))
    for k, t in enumerate(tokens):
        one_hot[k, t] = 1
    table = _zeros(grad_output, vocab_size)
    for k, t in zip(*np.nonzero(one_hot), strict=True):
        table[t] += rows[k]
    return table.astype(_kind(grad_output))


# What is refused


def embedding_backward__counted_from_the_end(grad_output, token_ids, vocab_size):
    _integers(token_ids)
    _vocabulary(vocab_size)
    _fits(grad_output, token_ids)
    for t in token_ids.ravel():
        if t >= vocab_size:
            raise ValueError(f"token_ids holds {t}, and there are {vocab_size} rows")
    table = _zeros(grad_output, vocab_size)
    np.add.at(table, token_ids, _wide(grad_output))
    return table.astype(_kind(grad_output))


def embedding_backward__floats_for_ids(grad_output, token_ids, vocab_size):
    _vocabulary(vocab_size)
    _fits(grad_output, token_ids)
    _in_range(token_ids, vocab_size)
    table = _zeros(grad_output, vocab_size)
    tokens, rows = _lists(grad_output, token_ids)
    for k in range(len(tokens)):
        table[int(tokens[k])] += rows[k]
    return table.astype(_kind(grad_output))


def embedding_backward__asked_for_the_largest_of_none(grad_output, token_ids, vocab_size):
    _integers(token_ids)
    _vocabulary(vocab_size)
    _fits(grad_output, token_ids)
    least, most = token_ids.min(), token_ids.max()
    if least < 0 or most >= vocab_size:
        raise ValueError(
            f"token_ids must lie in [0, {vocab_size}), and goes from {least} to {most}"
        )
    table = _zeros(grad_output, vocab_size)
    np.add.at(table, token_ids, _wide(grad_output))
    return table.astype(_kind(grad_output))


def embedding_backward__int64_only(grad_output, token_ids, vocab_size):
    if token_ids.dtype != np.int64:
        raise ValueError(f"token_ids has dtype {token_ids.dtype}, which is not int64")
    _vocabulary(vocab_size)
    _fits(grad_output, token_ids)
    _in_range(token_ids, vocab_size)
    table = _zeros(grad_output, vocab_size)
    for t, row in zip(*_lists(grad_output, token_ids), strict=True):
        table[t] += row
    return table.astype(_kind(grad_output))


def embedding_backward__shapes_not_compared(grad_output, token_ids, vocab_size):
    _integers(token_ids)
    _vocabulary(vocab_size)
    _in_range(token_ids, vocab_size)
    table = _zeros(grad_output, vocab_size)
    for t, row in zip(*_lists(grad_output, token_ids), strict=False):
        table[t] += row
    return table.astype(_kind(grad_output))


# What the common checks look for


def embedding_backward__always_float64(grad_output, token_ids, vocab_size):
    _checked(grad_output, token_ids, vocab_size)
    table = np.zeros((vocab_size, grad_output.shape[-1]))
    np.add.at(table, token_ids, grad_output)
    return table


def embedding_backward__input_overwritten(grad_output, token_ids, vocab_size):
    _checked(grad_output, token_ids, vocab_size)
    table = np.zeros((vocab_size, grad_output.shape[-1]), _kind(grad_output))
    # one list to add to, the rows of repeated tokens in the first one's place
    tokens = token_ids.ravel().tolist()
    g = grad_output if grad_output.dtype in ("f4", "f8") else _wide(grad_output)
    rows = g.reshape(-1, g.shape[-1])
    place = {}
    for k, t in enumerate(tokens):
        if t in place:
            rows[place[t]] += rows[k]
        else:
            place[t] = k
    for t, k in place.items():
        table[t] = rows[k]
    return table


def embedding_backward__value_not_said(grad_output, token_ids, vocab_size):
    if not np.issubdtype(token_ids.dtype, np.integer):
        raise ValueError("ids must be whole numbers")
    if vocab_size < 1:
        raise ValueError("empty vocabulary")
    if grad_output.ndim != token_ids.ndim + 1 or grad_output.shape[:-1] != token_ids.shape:
        raise ValueError("shapes do not match")
    if ((token_ids < 0) | (token_ids >= vocab_size)).any():
        raise ValueError("id out of range")
    table = _zeros(grad_output, vocab_size)
    np.add.at(table, token_ids, _wide(grad_output))
    return table.astype(_kind(grad_output))
