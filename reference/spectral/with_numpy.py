"""Covariance, principal components and singular values: reference answers in NumPy."""

import numpy as np


def _as_float(x):
    """Integers and booleans become float64."""
    return x if x.dtype.kind == "f" else x.astype(np.float64)


def _widened(x):
    """float16 is computed in float32."""
    return x.astype(np.float32) if x.dtype == np.float16 else x


def _check_rows(x, least):
    if x.ndim != 2 or x.shape[0] < least:
        raise ValueError(f"x must be a matrix of at least {least} rows, got x of shape {x.shape}")


def _check_matrices(w):
    if w.ndim < 2:
        raise ValueError(f"w must have at least two axes, got w of shape {w.shape}")


def _centred(x):
    """The rows minus their mean, divided by the largest number that leaves, and that number.

    Without the division the squares of 1e-30 would be 0 in float32.
    """
    rows = _widened(_as_float(x))
    rows = rows - rows.mean(axis=0)
    top = np.maximum(rows.max(), -rows.min())
    top = top + (top == 0)
    rows /= top
    return rows, top


def covariance(x):
    """Measure how the columns of a table vary together.

    C = (x - m)^T (x - m) / (n - 1),  m = the mean of the rows

    On the diagonal stand the variances of the columns, off it the covariance of
    each pair; C is symmetric. The divisor is n - 1, not n: the mean was taken
    from the same rows, and one degree of freedom went into it. Subtract the mean
    first: the difference of E[x x^T] and m m^T loses every digit when the mean
    is large. Covariances of hidden states show which directions a language
    model uses, and are what PCA takes apart.

    Args:
        x: Data, shape (n, d): n examples in rows, n at least 2, of d numbers.

    Returns:
        The covariance matrix, shape (d, d), symmetric (up to rounding), in the
        dtype of x (float16 is computed in float32; integers and booleans give
        float64). x is not changed.

    Raises:
        ValueError: x has not exactly two axes, or fewer than 2 rows; the message
            names x and its shape.

    Example:
        >>> import numpy as np
        >>> covariance(np.array([[1.0, 0.0], [3.0, 4.0]]))
        array([[2., 4.],
               [4., 8.]])

    Source: Bishop (2006), "Pattern Recognition and Machine Learning", 2.3.4 and
    12.1.
    """
    _check_rows(x, 2)
    rows = _widened(_as_float(x))
    rows = rows - rows.mean(axis=0)
    out = rows.T @ rows
    out /= len(rows) - 1
    with np.errstate(over="ignore"):
        return out.astype(_as_float(x).dtype, copy=False)


def pca(x, k):
    """Find the k directions along which the data varies most.

    C v_i = lambda_i v_i,  lambda_1 >= lambda_2 >= ...,  C = covariance(x)

    The components v_i are orthonormal, and lambda_i is the variance of the data
    along v_i. They are the eigenvectors of the covariance, and also the right
    singular vectors of the centred data x - m, where lambda_i =
    sigma_i^2 / (n - 1). The covariance is the cheaper way when there are many
    rows. With fewer rows than columns, (x - m) (x - m)^T is smaller and has the
    same eigenvalues; (x - m)^T u_i then points along v_i, but dividing it by
    sigma_i is not enough for right angles where sigma_i is small.
    Interpretability work looks at hidden states and at steering vectors this
    way.

    The sign of a component is free, and so is the basis where eigenvalues
    coincide: the answer is checked by its properties. |C v - lambda v| and the
    error of each lambda stay within a few roundings, times n, of lambda_1. Only
    the directions matter, so data of size 1e-30 must work as well (its variance
    may round to 0).

    Args:
        x: Data, shape (n, d).
        k: How many components, 1 <= k <= min(n - 1, d).

    Returns:
        A tuple (components, explained_variance): components of shape (k, d),
        orthonormal rows, and their variances, shape (k,), in descending order
        (divisor n - 1). Both in the dtype of x (float16 is computed in float32;
        integers and booleans give float64). Along directions in which the data
        does not vary, the variance is 0 up to rounding and the components are
        still orthonormal.

    Raises:
        ValueError: k is outside [1, min(n - 1, d)] (the message names k and its
            value), or x has not exactly two axes, or fewer than 2 rows (it names
            x and its shape).

    Example:
        >>> import numpy as np
        >>> x = np.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> components, variance = pca(x, 1)
        >>> np.abs(components) + 0.0
        array([[1., 0.]])
        >>> variance.round(4)
        array([2.6667])

    Source: Hotelling (1933), "Analysis of a complex of statistical variables
    into principal components".
    """
    _check_rows(x, 2)
    n, d = x.shape
    if not 1 <= k <= min(n - 1, d):
        raise ValueError(f"k must be in [1, min(n - 1, d)] = [1, {min(n - 1, d)}], got k={k}")
    dtype = _as_float(x).dtype
    rows, top = _centred(x)
    if n < d:
        # the rows of u are the data's coordinates, and QR has right angles where they are tiny
        variance, u = np.linalg.eigh(rows @ rows.T)
        components = np.linalg.qr(rows.T @ u[:, ::-1][:, :k])[0].T
    else:
        variance, vectors = np.linalg.eigh(rows.T @ rows)
        components = vectors.T[::-1][:k]
    # eigh is ascending: the last k, from the end
    variance = variance[::-1][:k] / (n - 1)
    variance *= top
    variance *= top
    with np.errstate(over="ignore"):
        return components.astype(dtype, order="C"), variance.astype(dtype, copy=False)


def pca_project(x, components):
    """Describe each row by its coordinates along the components.

    z = (x - m) V^T,  m = the mean of the rows of x,  V = components

    d numbers become k: a vector of a few hundred coordinates keeps most of what
    distinguishes the embeddings of a language model. Subtract the mean before
    projecting: a large mean would otherwise hide in the first coordinate.

    Args:
        x: Data, shape (..., n, d); the mean is taken over the n rows.
        components: V, shape (..., k, d), one component a row, with the leading
            axes of x, or shape (k, d) for all of them.

    Returns:
        Coordinates z of shape (..., n, k), in the dtype of x (float16 is
        computed in float32; integers and booleans give float64). The inputs are
        not changed.

    Raises:
        ValueError: x has fewer than two axes (the message names x and its
            shape), or components has, or its last axis is not d (it names
            components and its shape).

    Example:
        >>> import numpy as np
        >>> x = np.array([[1.0, 5.0], [3.0, 9.0]])
        >>> pca_project(x, np.array([[0.0, 1.0]]))
        array([[-2.],
               [ 2.]])

    Source: Bishop (2006), "Pattern Recognition and Machine Learning", 12.1.
    """
    if x.ndim < 2:
        raise ValueError(f"x must have at least two axes, got x of shape {x.shape}")
    if components.ndim < 2 or components.shape[-1] != x.shape[-1]:
        raise ValueError(
            f"components must be (..., k, {x.shape[-1]}) like the rows of x, "
            f"got components of shape {components.shape}"
        )
    rows = _widened(_as_float(x))
    rows = rows - rows.mean(axis=-2, keepdims=True)
    out = rows @ _widened(_as_float(components)).swapaxes(-1, -2)
    return out.astype(_as_float(x).dtype, copy=False)


def pca_reconstruct(z, components, mean):
    """Go back from coordinates along the components to the original space.

    x' = z V + m

    With all components this gives the data back. With k of them it is the
    closest table of that rank, and what is missing is the variance that the
    other components explain: the mean squared distance |x - x'|^2, with the
    divisor n - 1, is the sum of the lambda that were left out.

    Args:
        z: Coordinates, shape (..., n, k), as pca_project gives them.
        components: V, shape (..., k, d), with the leading axes of z, or (k, d).
        mean: m, shape (..., d), the mean that was subtracted, with the leading
            axes of z, or (d,).

    Returns:
        The reconstruction, shape (..., n, d), in the dtype of z (float16 is
        computed in float32; integers and booleans give float64). The inputs are
        not changed.

    Raises:
        ValueError: z has fewer than two axes (the message names z and its
            shape); components has, or it has not one row for each coordinate (it
            names components and its shape); mean has not d numbers, or neither
            the leading axes of z nor none (it names mean and its shape).

    Example:
        >>> import numpy as np
        >>> z = np.array([[-2.0], [2.0]])
        >>> pca_reconstruct(z, np.array([[0.0, 1.0]]), np.array([2.0, 7.0]))
        array([[2., 5.],
               [2., 9.]])

    Source: Bishop (2006), "Pattern Recognition and Machine Learning", 12.1.2.
    """
    if z.ndim < 2:
        raise ValueError(f"z must have at least two axes, got z of shape {z.shape}")
    if components.ndim < 2 or components.shape[-2] != z.shape[-1]:
        raise ValueError(
            f"components must be (..., {z.shape[-1]}, d), one row for each coordinate, "
            f"got components of shape {components.shape}"
        )
    if mean.shape not in (components.shape[-1:], (*z.shape[:-2], components.shape[-1])):
        raise ValueError(
            f"mean must hold the {components.shape[-1]} numbers that components have, "
            f"got mean of shape {mean.shape}"
        )
    out = _widened(_as_float(z)) @ _widened(_as_float(components))
    out += _widened(_as_float(mean))[..., None, :]
    return out.astype(_as_float(z).dtype, copy=False)


def explained_variance_ratio(x):
    """Say which share of the total variance each component explains.

    r_i = lambda_i / sum_j lambda_j

    The lambda are the eigenvalues of the covariance: a few large shares mean
    that the data lies near a plane of few dimensions. The shares do not change
    when x is multiplied by a number, so data of size 1e-30 has them too; a
    covariance in float32 would be 0 there. The eigenvalues of the smaller of
    (x - m)^T (x - m) and (x - m) (x - m)^T are enough.

    Args:
        x: Data, shape (n, d), n at least 2.

    Returns:
        The shares, shape (min(n, d),), in descending order, summing to 1, in the
        dtype of x (float16 is computed in float32; integers and booleans give
        float64). Shares of directions without variance are 0 up to rounding.

    Raises:
        ValueError: x has not exactly two axes, or fewer than 2 rows (the message
            names x and its shape), or all its rows are the same, so that there
            is no variance to share (it names x). That last one is a matter of
            values, looked at on the CPU only.

    Example:
        >>> import numpy as np
        >>> x = np.array([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> explained_variance_ratio(x)
        array([0.9, 0.1])

    Source: Jolliffe (2002), "Principal Component Analysis", 6.1.1.
    """
    _check_rows(x, 2)
    # values are looked at on the CPU only
    if (x == x[0]).all():
        raise ValueError("x must vary, got x with all rows the same: a total variance of 0")
    rows, _ = _centred(x)
    gram = rows @ rows.T if rows.shape[0] < rows.shape[1] else rows.T @ rows
    share = np.maximum(np.linalg.eigvalsh(gram)[::-1], 0)
    share /= share.sum()
    return share.astype(_as_float(x).dtype, copy=False)


def low_rank_approximation(w, rank):
    """Replace a matrix by the closest one of a given rank.

    w = U diag(sigma) V^T,  w_r = sum_{i <= r} sigma_i u_i v_i^T

    No matrix of rank r is closer in the Frobenius norm: the error is
    sqrt(sigma_{r+1}^2 + sigma_{r+2}^2 + ...). An (m, n) weight kept as two
    factors of rank r holds r (m + n) numbers instead of m n; this is how weights
    are compressed, and why LoRA gets by with small ranks. Take the singular
    values of w itself: the eigenvalues of w^T w are their squares, and lose half
    of the digits of the small ones.

    Args:
        w: Matrices, shape (..., m, n).
        rank: r, 1 <= rank <= min(m, n).

    Returns:
        The approximation, shape (..., m, n), in the dtype of w (float16 is
        computed in float32; integers and booleans give float64). Where sigma_r
        equals sigma_{r+1} there are several, all equally close: any is right.

    Raises:
        ValueError: rank is outside [1, min(m, n)] (the message names rank and
            its value), or w has fewer than two axes (it names w and its shape).

    Example:
        >>> import numpy as np
        >>> low_rank_approximation(np.array([[3.0, 0.0], [0.0, 1.0]]), 1).round(4) + 0.0
        array([[3., 0.],
               [0., 0.]])

    Source: Eckart and Young (1936), "The approximation of one matrix by another
    of lower rank".
    """
    _check_matrices(w)
    most = min(w.shape[-2:])
    if not 1 <= rank <= most:
        raise ValueError(f"rank must be in [1, min(m, n)] = [1, {most}], got rank={rank}")
    u, sigma, vt = np.linalg.svd(_widened(_as_float(w)), full_matrices=False)
    out = (u[..., :rank] * sigma[..., None, :rank]) @ vt[..., :rank, :]
    return out.astype(_as_float(w).dtype, copy=False)


def power_iteration(a, start, steps=100):
    """Find the largest eigenvalue of a symmetric matrix by multiplying again and again.

    v <- a v / |a v|, steps times;  lambda = v^T a v

    Each product stretches the part of v along the dominant eigenvector (the one
    whose eigenvalue is largest in magnitude) the most, so the rest fades: after
    s steps the error of v is at most |lambda_2 / lambda_1|^s times its start,
    and that of lambda the square of it. Only products with the matrix are
    needed, which is how the sharpness of a loss is measured (the largest
    eigenvalue of a Hessian that nobody could store) and how spectral
    normalization works. The eigenvalue is the Rayleigh quotient v^T a v, not the
    norm |a v|: a dominant eigenvalue may be negative. Divide by the norm at
    every step, or the numbers overflow; with a of size 1e-30, bring it to size 1
    before squares are taken.

    Args:
        a: A symmetric matrix, shape (n, n). Its dominant eigenvalue is asked for
            with |lambda_2 / lambda_1| <= 0.8.
        start: The vector to begin with, shape (n,), of any length above 0 and
            not orthogonal to the dominant eigenvector.
        steps: How many products, at least 1.

    Returns:
        A tuple (eigenvalue, eigenvector): a scalar of shape () and a unit vector
        of shape (n,), its sign free, in the dtype of a (float16 is computed in
        float32; integers and booleans give float64). The inputs are not changed.

    Raises:
        ValueError: a is not a square matrix (the message names a and its shape),
            start has not the shape (n,) (it names start and its shape), steps is
            below 1 (it names steps and its value), or start is all zeros (it
            names start; a matter of values, looked at on the CPU only).

    Example:
        >>> import numpy as np
        >>> a = np.array([[-3.0, 0.0], [0.0, 1.0]])
        >>> value, vector = power_iteration(a, np.array([1.0, 1.0]))
        >>> round(float(value), 4)
        -3.0
        >>> np.abs(vector).round(4)
        array([1., 0.])

    Source: von Mises and Pollaczek-Geiringer (1929), "Praktische Verfahren der
    Gleichungsaufloesung"; Golub and Van Loan, "Matrix Computations", 8.2.1.
    """
    if a.ndim != 2 or a.shape[0] != a.shape[1]:
        raise ValueError(f"a must be a square matrix, got a of shape {a.shape}")
    if start.shape != a.shape[:1]:
        raise ValueError(f"start must be {a.shape[:1]}, got start of shape {start.shape}")
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got steps={steps}")
    # values are looked at on the CPU only
    if not start.any():
        raise ValueError("start must not be zero, got start of all zeros")
    dtype = _as_float(a).dtype
    matrix = _widened(_as_float(a))
    v = _widened(_as_float(start)).astype(matrix.dtype, copy=False)
    top = np.maximum(matrix.max(), -matrix.min())
    matrix = matrix / top
    v = v / np.abs(v).max()
    for _ in range(steps):
        v = matrix @ v
        v /= np.sqrt(v @ v)
    value = (v @ (matrix @ v)) * top
    return value.astype(dtype, copy=False), v.astype(dtype, copy=False)


def effective_rank(w):
    """Say how many dimensions a matrix really uses.

    p_i = sigma_i / sum_j sigma_j,  effective rank = exp(-sum_i p_i log p_i)

    The singular values, divided by their sum, are a distribution; the
    exponential of its entropy counts how many of them matter. Equal singular
    values give their number, one that dwarfs the rest gives 1, and unlike the
    rank it moves smoothly: small noise does not make a matrix full. Collapsing
    representations and the rank of learned updates are watched with it. The
    singular values themselves are taken, not their squares.

    Args:
        w: Matrices, shape (..., m, n), m and n at least 1.

    Returns:
        The effective ranks, shape (...), between 1 and min(m, n), in the dtype
        of w (float16 is computed in float32; integers and booleans give
        float64). Singular values of 0 add nothing (0 log 0 = 0). The zero matrix
        has no distribution; it gets 0, which is its rank.

    Raises:
        ValueError: w has fewer than two axes; the message names w and its shape.

    Example:
        >>> import numpy as np
        >>> round(float(effective_rank(np.eye(3))), 4)
        3.0
        >>> round(float(effective_rank(np.ones((2, 5)))), 4)
        1.0

    Source: Roy and Vetterli (2007), "The effective rank: a measure of effective
    dimensionality".
    """
    _check_matrices(w)
    sigma = np.linalg.svd(_widened(_as_float(w)), compute_uv=False)
    total = sigma.sum(axis=-1, keepdims=True)
    p = sigma / (total + (total == 0))
    # where p is 0, so is the product with log 1
    entropy = -(p * np.log(p + (p == 0))).sum(axis=-1)
    out = np.exp(entropy) * (total[..., 0] > 0)
    return out.astype(_as_float(w).dtype, copy=False)
