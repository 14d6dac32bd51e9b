"""Embeddings, from token ids to rows of a table and back: reference answers in NumPy."""

import numpy as np


def _as_float(x):
    """Integers and booleans become float64."""
    return x if x.dtype.kind == "f" else x.astype(np.float64)


def _widened(x):
    """float16 is summed in float32."""
    return x.astype(np.float32) if x.dtype == np.float16 else x


def _check_ids(token_ids):
    if token_ids.dtype.kind not in "iu":
        raise ValueError(f"token_ids must be integers, got token_ids of dtype {token_ids.dtype}")


def _check_range(token_ids, vocab_size):
    bad = (token_ids < 0) | (token_ids >= vocab_size)
    if bad.any():
        raise ValueError(
            f"token_ids must be in [0, {vocab_size - 1}], got token_ids with {token_ids[bad][0]}"
        )


def _check_vocab_size(vocab_size):
    if not vocab_size >= 1:
        raise ValueError(f"vocab_size must be at least 1, got vocab_size={vocab_size}")


def _check_table(table):
    if table.ndim != 2:
        raise ValueError(f"table must have the axes (vocab, d), got table of shape {table.shape}")


def _sums_of_each(token_ids, g):
    """Yield (ids, rows): what the rows of g add up to for each id, every id once."""
    ids = token_ids.reshape(-1)
    g = g.reshape(ids.size, g.shape[-1])
    order = np.argsort(ids, kind="stable")  # the same ids now stand side by side
    each, counts = np.unique(ids, return_counts=True)
    ends = np.cumsum(counts)
    alone = counts == 1
    yield each[alone], g[order[ends[alone] - 1]]
    for one, count, end in zip(each[~alone], counts[~alone], ends[~alone], strict=True):
        yield one, g[order[end - count : end]].sum(axis=0)


def one_hot(token_ids, vocab_size):
    """Write each token as a row of zeros with a single 1.

    one_hot(t)_v = 1 where v == t, else 0

    A token id is a name, not a number: token 7 is not more than token 3. As rows
    of zeros and a 1, all tokens are equally far from each other, and a model can
    multiply by them: one_hot(t) @ table picks row t of the table. Nobody does so
    in earnest, since 4096 tokens of a vocabulary of 50000 are 800 MB, nearly all
    of it zeros: see embedding_lookup.

    Args:
        token_ids: Token ids, integers of any width, any shape (...).
        vocab_size: How many tokens there are, at least 1.

    Returns:
        Array of shape (..., vocab_size), float32 whatever the dtype of token_ids
        (an integer has no float dtype to keep). No tokens give no rows.

    Raises:
        ValueError: token_ids are not integers (booleans are none), or vocab_size
            is below 1; on the CPU also, an id is outside [0, vocab_size), and
            -1 does not mean the last token. A GPU would have to stop for that,
            so there nobody looks. The message names the argument and the dtype,
            the value, or one such id.

    Example:
        >>> import numpy as np
        >>> one_hot(np.array([2, 0]), 3).tolist()
        [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]

    Source: Bengio et al. (2003), "A neural probabilistic language model"; the
    dtype is what a matrix product wants, where torch.nn.functional.one_hot
    gives integers.
    """
    _check_ids(token_ids)
    _check_vocab_size(vocab_size)
    # values are looked at on the CPU only
    _check_range(token_ids, vocab_size)
    ids = token_ids.reshape(-1)
    out = np.zeros((ids.size, vocab_size), np.float32)
    out[np.arange(ids.size), ids] = 1
    return out.reshape(*token_ids.shape, vocab_size)


def embedding_lookup(table, token_ids):
    """Turn token ids into vectors: row t of the table for token t.

    y_i = table[t_i]  (= one_hot(t_i) @ table)

    The first layer of every language model. Written with one_hot it is a matrix
    product, which is what makes it linear in the table and easy to
    differentiate; computed, it is a copy of rows. Copy, do not multiply: the
    product needs memory for tokens times vocabulary, rounds nothing but does
    vocabulary times the work, and 0 * inf is NaN, so that a bad number in one
    row would spoil the vectors of all other tokens.

    Args:
        table: One vector for each token, shape (vocab, d).
        token_ids: Token ids, integers of any width, any shape (...); a single
            id too, which gives a single vector.

    Returns:
        Vectors of shape (..., d) in the dtype of table (float16 stays float16;
        an integer or boolean table gives float64), bit for bit as they stand
        there: -0.0, inf and NaN too. Only the rows asked for are read, and
        memory grows with the result, not with tokens times vocabulary. No
        tokens give no vectors.

    Raises:
        ValueError: table does not have two axes, or token_ids are not integers
            (booleans are none); on the CPU also, an id is outside [0, vocab),
            and -1 does not mean the last row. A GPU would have to stop for
            that, so there nobody looks. The message names the argument and its
            shape, its dtype, or one such id.

    Example:
        >>> import numpy as np
        >>> table = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
        >>> embedding_lookup(table, np.array([2, 0, 2])).tolist()
        [[4.0, 5.0], [0.0, 1.0], [4.0, 5.0]]

    Source: Bengio et al. (2003), "A neural probabilistic language model"; ids
    out of range are an error as in torch.nn.functional.embedding.
    """
    _check_table(table)
    _check_ids(token_ids)
    # values are looked at on the CPU only
    _check_range(token_ids, table.shape[0])
    rows = _as_float(table[token_ids.reshape(-1)])
    return rows.reshape(*token_ids.shape, table.shape[1])


def embedding_backward(grad_output, token_ids, vocab_size):
    """Differentiate embedding_lookup: bring each token's gradient back to its row.

    dtable_v = sum over tokens i with t_i == v of grad_output_i

    A token that comes twice was read twice, so its row gets both gradients. And
    a token that did not come gets none: its row is exactly 0, which for a
    vocabulary of 50000 is nearly all of the table. It is one_hot^T @
    grad_output, but never written so: that takes tokens times vocabulary times
    d multiplications by 0 or 1.

    `grad[token_ids] += grad_output` is the famous slip: the right side is
    computed first, so that of the gradients of a repeated token only the last
    one arrives.

    Args:
        grad_output: Gradients of the vectors, shape (..., d).
        token_ids: The ids that were looked up, integers of any width, shape
            (...); a single id too.
        vocab_size: How many rows the table has, at least 1.

    Returns:
        Gradient of the table, dense, shape (vocab_size, d), in the dtype of
        grad_output (float16 is summed in float32; integers and booleans give
        float64). Rows of tokens that did not come are exactly 0; no tokens give
        all zeros. inf or NaN in a token's gradient (an overflow in mixed
        precision) reaches that token's row and no other. Memory grows with the
        result and the input, not with tokens times vocabulary.

    Raises:
        ValueError: token_ids are not integers (booleans are none), grad_output
            does not have their shape and one more axis, or vocab_size is below
            1; on the CPU also, an id is outside [0, vocab_size), and -1 does not
            mean the last row. The message names the argument and its shape, its
            dtype, its value, or one such id.

    Example:
        >>> import numpy as np
        >>> grad = np.array([[1.0, 2.0], [10.0, 20.0], [100.0, 200.0]])
        >>> embedding_backward(grad, np.array([2, 0, 2]), 3).tolist()
        [[10.0, 20.0], [0.0, 0.0], [101.0, 202.0]]

    Source: the adjoint of a lookup, as in torch.nn.functional.embedding (its
    dense gradient).
    """
    _check_ids(token_ids)
    _check_vocab_size(vocab_size)
    if grad_output.ndim == 0 or grad_output.shape[:-1] != token_ids.shape:
        raise ValueError(
            f"grad_output must have the shape of token_ids {token_ids.shape} and one more axis, "
            f"got grad_output of shape {grad_output.shape}"
        )
    # values are looked at on the CPU only
    _check_range(token_ids, vocab_size)
    grad_output = _as_float(grad_output)
    grad = np.zeros((vocab_size, grad_output.shape[-1]), grad_output.dtype)
    for ids, sums in _sums_of_each(token_ids, _widened(grad_output)):
        grad[ids] = sums
    return grad


def embedding_sgd_step(table, grad_output, token_ids, lr):
    """Take one step of gradient descent on an embedding table.

    table_v <- table_v - lr * sum over tokens i with t_i == v of grad_output_i

    Only the rows of the tokens in the batch move, and those of repeated tokens
    move by the sum of their gradients. All others have gradient 0 and stay
    exactly as they are, to the last bit, which is why large tables can be
    trained with sparse updates: rare words learn rarely. (An optimizer with
    momentum or weight decay moves every row at every step.)

    Args:
        table: One vector for each token, shape (vocab, d).
        grad_output: Gradients of the vectors that were looked up, shape (..., d).
        token_ids: The ids that were looked up, integers of any width, shape
            (...); a single id too.
        lr: The learning rate, at least 0.

    Returns:
        A new table of the shape and dtype of table (float16 is summed and
        subtracted in float32; integers and booleans give float64); the old one
        is left as it was. Rows of tokens that did not come keep their exact
        bits: -0.0, inf, NaN and the smallest numbers too, and so does the whole
        table where there are no tokens. inf or NaN in a token's gradient reaches
        that token's row and no other. Memory grows with the table and the
        gradients, not with tokens times vocabulary.

    Raises:
        ValueError: table does not have two axes, token_ids are not integers
            (booleans are none), grad_output does not have the shape (..., d) of
            token_ids and table, or lr is below 0 or NaN; on the CPU also, an id
            is outside [0, vocab), and -1 does not mean the last row. The message
            names the argument and its shape, its dtype, its value, or one such
            id.

    Example:
        >>> import numpy as np
        >>> table = np.array([[1.0], [2.0], [3.0]])
        >>> grad = np.array([[1.0], [1.0], [4.0]])
        >>> embedding_sgd_step(table, grad, np.array([2, 2, 0]), 0.5).tolist()
        [[-1.0], [2.0], [2.0]]

    Source: Mikolov et al. (2013), "Distributed representations of words and
    phrases and their compositionality", whose word vectors are trained so.
    """
    _check_table(table)
    _check_ids(token_ids)
    if grad_output.shape != (*token_ids.shape, table.shape[1]):
        raise ValueError(
            f"grad_output must have shape {(*token_ids.shape, table.shape[1])}, "
            f"got grad_output of shape {grad_output.shape}"
        )
    if not lr >= 0:
        raise ValueError(f"lr must be at least 0, got lr={lr}")
    # values are looked at on the CPU only
    _check_range(token_ids, table.shape[0])
    out = _as_float(table).copy()
    for ids, sums in _sums_of_each(token_ids, _widened(_as_float(grad_output))):
        out[ids] -= lr * sums
    return out
