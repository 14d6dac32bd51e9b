"""Jacobian in CuPy: your answers.

Write the body of each function below, then run: pytest -k jacobian --track cupy

Asked of every function: inputs are left as they are and may have any memory
layout; results stay on their device and have their floating dtype; a
ValueError names the argument and its value.
"""

import cupy as cp


def numerical_jacobian(f, x, eps=1e-6):
    """Estimate all derivatives of a vector function by central differences.

    J_ij = df_i / dx_j  ~  (f(x + eps e_j) - f(x - eps e_j))_i / (2 eps)

    where e_j is the unit vector along coordinate j. This is how every
    hand-written backward pass is checked: it needs nothing but f itself. Moving
    both ways cancels the second derivative, so that the error falls with eps^2;
    moving one way only, it falls with eps. But each f is rounded, and the
    rounding is divided by eps: 1e-6 is near the best of both in float64, and in
    float32 no step is good. So all of it happens in float64, whatever comes in.

    Far from 0, x + eps is rounded as well: at x = 10000 the distance between
    the two points differs from 2 eps by up to a millionth of it. Divide by the
    distance that was really moved, (x_j + eps) - (x_j - eps).

    Args:
        f: A function from a vector (n,) to a vector (m,), smooth everywhere. It
            takes one vector at a time and computes in the dtype it is handed.
        x: The point, shape (n,), n at least 1.
        eps: How far to move, above 0: an absolute distance, the same for every
            coordinate and every size of x.

    Returns:
        The Jacobian, shape (m, n): a row for each output, a column for each
        input. Always float64: x is converted first, from float32 and integers
        too, and f is called with float64. f is called at most 2 n + 1 times.

    Raises:
        ValueError: eps is not above 0, or x is not a vector; the message names
            the argument and its value (its shape, for x).

    Example:
        >>> import cupy as cp
        >>> def f(x):
        ...     return cp.stack([x[0] ** 2 * x[1], 5 * x[0] + cp.sin(x[1])])
        >>> numerical_jacobian(f, cp.array([3.0, 0.0])).round(6) + 0.0
        array([[0., 9.],
               [5., 1.]])

    Source: Nocedal and Wright (2006), "Numerical Optimization", section 8.1.
    """
    raise NotImplementedError


def jacobian(f, x):
    """All derivatives of a vector function, to many digits.

    J_ij = df_i / dx_j

    The Jacobian is the matrix of the best linear approximation:
    f(x + d) = f(x) + J d + terms of second order. A network's backward pass is
    a product of its layers' Jacobians, taken from the output's side.

    CuPy has no autograd, so differences have to do, but refined ones. With
    D(h) = (f(x + h e_j) - f(x - h e_j)) / (2 h), the error of D is
    c2 h^2 + c4 h^4 + ..., and Richardson's (4 D(h/2) - D(h)) / 3 has no h^2
    left; repeated with 16 and 15, no h^4, and so on. So h can stay large, and
    dividing by it harms little: that matters where f is large and its
    derivatives are not. h = 0.0625, halved three times, is a good choice.

    Args:
        f: A function from a vector (n,) to a vector (m,), smooth everywhere: it
            changes over distances of about 1, wherever x is, and its values are
            at most 10000 times as large as its derivatives. It takes one
            vector at a time and computes in the dtype it is handed.
        x: The point, shape (n,), n at least 1; any size up to 10000.

    Returns:
        The Jacobian, shape (m, n), in the dtype of x. x is converted to float64
        before f is called, and the result is rounded to the dtype of x at the
        end (integers and booleans give float64). The error is at most 1e-7
        times the largest derivative; where f is constant the result is exactly
        0. f is called at most 24 n + 2 times.

    Raises:
        ValueError: x is not a vector; the message names x and its shape.

    Example:
        >>> import cupy as cp
        >>> def f(x):
        ...     return cp.stack([x[0] ** 2 * x[1], 5 * x[0] + cp.sin(x[1])])
        >>> jacobian(f, cp.array([3.0, 0.0])).round(9) + 0.0
        array([[0., 9.],
               [5., 1.]])

    Source: Ridders (1982), "Accurate computation of F'(x) and F'(x)F''(x)".
    """
    raise NotImplementedError


def jvp(f, x, v):
    """Jacobian times vector: how f changes when x moves along v.

    jvp(f, x, v) = J v = d/dt f(x + t v)  at t = 0

    One derivative along one direction, whatever the number of inputs: the
    Jacobian is never formed. It is what forward-mode autograd computes, and one
    column of J when v is a unit vector. Here it is a difference along v,
    refined as in jacobian. Make v a unit vector first and multiply by its
    length at the end: the step then stays right for a v of any length.

    Args:
        f: A function from a vector (n,) to a vector (m,), smooth everywhere: it
            changes over distances of about 1, wherever x is, and its values are
            at most 10000 times as large as its derivatives. It takes one
            vector at a time and computes in the dtype it is handed.
        x: The point, shape (n,), n at least 1; any size up to 10000.
        v: The direction, shape (n,), of any length, 0 included.

    Returns:
        J v, shape (m,), in the dtype of x. x and v are converted to float64
        before f is called, and the result is rounded to the dtype of x at the
        end (integers and booleans give float64). The error is at most 1e-7
        times the largest derivative times sum |v_j|; v = 0 gives exactly 0. f
        is called at most 16 times, however many inputs there are.

    Raises:
        ValueError: x is not a vector, or v has not the shape of x; the message
            names the argument and its shape.

    Example:
        >>> import cupy as cp
        >>> def f(x):
        ...     return cp.stack([x[0] ** 2 * x[1], 5 * x[0] + cp.sin(x[1])])
        >>> jvp(f, cp.array([3.0, 0.0]), cp.array([1.0, 2.0])).round(9)
        array([18.,  7.])

    Source: Baydin et al. (2018), "Automatic differentiation in machine
    learning: a survey", section 3.1.
    """
    raise NotImplementedError


def vjp(f, x, u):
    """Vector times Jacobian: how u . f(x) changes with each input.

    vjp(f, x, u) = u^T J,   (u^T J)_j = sum_i u_i df_i / dx_j

    This is what a backward pass does: the gradient u that arrives at a layer's
    output becomes the gradient at its input. Reverse-mode autograd computes it
    at the price of about one call of f, which is why a loss of a billion
    parameters can be trained. Without autograd it takes a difference along each
    input; refine them as in jacobian. J itself need not be kept: each column
    goes into one number.

    Args:
        f: A function from a vector (n,) to a vector (m,), smooth everywhere: it
            changes over distances of about 1, wherever x is, and its values are
            at most 10000 times as large as its derivatives. It takes one
            vector at a time and computes in the dtype it is handed.
        x: The point, shape (n,), n at least 1; any size up to 10000.
        u: The weights of the outputs, shape (m,), of any size, 0 included.

    Returns:
        u^T J, shape (n,), in the dtype of x. x and u are converted to float64
        before f is called, and the result is rounded to the dtype of x at the
        end (integers and booleans give float64). The error is at most 1e-7
        times the largest derivative times sum |u_i|; u = 0 gives exactly 0. f
        is called at most 24 n + 2 times.

    Raises:
        ValueError: x is not a vector, or u has not the shape of f(x); the
            message names the argument and its shape.

    Example:
        >>> import cupy as cp
        >>> def f(x):
        ...     return cp.stack([x[0] ** 2 * x[1], 5 * x[0] + cp.sin(x[1])])
        >>> vjp(f, cp.array([3.0, 0.0]), cp.array([1.0, 2.0])).round(9)
        array([10., 11.])

    Source: Baydin et al. (2018), "Automatic differentiation in machine
    learning: a survey", section 3.2.
    """
    raise NotImplementedError


def condition_number(jacobian):
    """How unevenly a matrix stretches: its largest singular value by its smallest.

    cond(J) = sigma_max / sigma_min

    A ball that goes through J becomes an ellipsoid, and this is the ratio of its
    longest to its shortest axis. At 1 every direction is treated alike; at 10^6
    gradients explode in one direction and vanish in another, gradient descent
    crawls, and six digits are lost when J is inverted.

    J^T J has the squares of the singular values: taking roots of its eigenvalues
    loses every condition number above 1 / sqrt(eps), about 3000 in float32. Take
    the singular values of J itself. A smallest one that is only rounding counts
    as 0: one at or below max(m, n) eps sigma_max, where eps belongs to the dtype
    that is computed in.

    Args:
        jacobian: Matrices, shape (..., m, n), with no side of 0. There are
            min(m, n) singular values, in a single row one.

    Returns:
        The condition numbers, shape (...), in the dtype of jacobian (float16 is
        computed in float32; integers and booleans give float64). inf where the
        smallest singular value counts as 0, and for a matrix of zeros. The
        relative error is a few roundings times the condition number.

    Raises:
        ValueError: jacobian has fewer than 2 axes; the message names jacobian
            and its shape.

    Example:
        >>> import cupy as cp
        >>> round(float(condition_number(cp.array([[3.0, 0.0], [0.0, 0.5]]))), 6)
        6.0
        >>> float(condition_number(cp.array([[1.0, 2.0], [2.0, 4.0]])))
        inf

    Source: Golub and Van Loan (2013), "Matrix Computations", section 2.6.
    """
    raise NotImplementedError
