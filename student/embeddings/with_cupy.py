"""Embeddings in CuPy: your answers.

Write the body of each function below, then run: pytest -k embeddings --track cupy

Asked of every function: inputs are left as they are and may have any memory
layout; results stay on their device and have their floating dtype; a
ValueError names the argument and its value.
"""

import cupy as cp


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
        >>> import cupy as cp
        >>> one_hot(cp.array([2, 0]), 3).tolist()
        [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]

    Source: Bengio et al. (2003), "A neural probabilistic language model"; the
    dtype is what a matrix product wants, where torch.nn.functional.one_hot
    gives integers.
    """
    raise NotImplementedError


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
        >>> import cupy as cp
        >>> table = cp.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
        >>> embedding_lookup(table, cp.array([2, 0, 2])).tolist()
        [[4.0, 5.0], [0.0, 1.0], [4.0, 5.0]]

    Source: Bengio et al. (2003), "A neural probabilistic language model"; ids
    out of range are an error as in torch.nn.functional.embedding.
    """
    raise NotImplementedError


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
        >>> import cupy as cp
        >>> grad = cp.array([[1.0, 2.0], [10.0, 20.0], [100.0, 200.0]])
        >>> embedding_backward(grad, cp.array([2, 0, 2]), 3).tolist()
        [[10.0, 20.0], [0.0, 0.0], [101.0, 202.0]]

    Source: the adjoint of a lookup, as in torch.nn.functional.embedding (its
    dense gradient).
    """
    raise NotImplementedError


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
        >>> import cupy as cp
        >>> table = cp.array([[1.0], [2.0], [3.0]])
        >>> grad = cp.array([[1.0], [1.0], [4.0]])
        >>> embedding_sgd_step(table, grad, cp.array([2, 2, 0]), 0.5).tolist()
        [[-1.0], [2.0], [2.0]]

    Source: Mikolov et al. (2013), "Distributed representations of words and
    phrases and their compositionality", whose word vectors are trained so.
    """
    raise NotImplementedError
