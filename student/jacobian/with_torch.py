"""Jacobian in PyTorch: your answers.

Write the body of each function below, then run: pytest -k jacobian --track torch

Asked of every function: inputs are left as they are and may have any memory
layout; results stay on their device and have their floating dtype; a
ValueError names the argument and its value.
"""

import torch


def numerical_jacobian(f, x, eps=1e-6):
    """Estimate all derivatives of a vector function by central differences.

    J_ij = df_i / dx_j  ~  (f(x + eps e_j) - f(x - eps e_j))_i / (2 eps)

    where e_j is the unit vector along coordinate j. This is how every
    hand-written backward pass is checked, torch.autograd.gradcheck included: it
    needs nothing but f itself. Moving both ways cancels the second derivative,
    so that the error falls with eps^2; moving one way only, it falls with eps.
    But each f is rounded, and the rounding is divided by eps: 1e-6 is near the
    best of both in float64, and in float32 no step is good. So all of it
    happens in float64, whatever comes in.

    Far from 0, x + eps is rounded as well: at x = 10000 the distance between
    the two points differs from 2 eps by up to a millionth of it. Divide by the
    distance that was really moved, (x_j + eps) - (x_j - eps).

    Args:
        f: A function from a vector (n,) to a vector (m,), smooth everywhere. It
            takes one vector at a time and computes in the dtype it is handed.
        x: The point, a tensor of shape (n,), n at least 1.
        eps: How far to move, above 0: an absolute distance, the same for every
            coordinate and every size of x.

    Returns:
        The Jacobian, shape (m, n), on the device of x: a row for each output, a
        column for each input. Always float64: x is converted first, from
        float32 and integers too, and f is called with float64. f is called at
        most 2 n + 1 times. Autograd is not used, and the result need not be
        connected to it.

    Raises:
        ValueError: eps is not above 0, or x is not a vector; the message names
            the argument and its value (its shape, for x).

    Example:
        >>> import torch
        >>> def f(x):
        ...     return torch.stack([x[0] ** 2 * x[1], 5 * x[0] + torch.sin(x[1])])
        >>> numerical_jacobian(f, torch.tensor([3.0, 0.0])).round(decimals=6) + 0.0
        tensor([[0., 9.],
                [5., 1.]], dtype=torch.float64)

    Source: Nocedal and Wright (2006), "Numerical Optimization", section 8.1.
    """
    raise NotImplementedError


def jacobian(f, x):
    """All derivatives of a vector function, by autograd.

    J_ij = df_i / dx_j

    The Jacobian is the matrix of the best linear approximation:
    f(x + d) = f(x) + J d + terms of second order. A network's backward pass is
    a product of its layers' Jacobians, taken from the output's side.

    Autograd goes backwards: from f(x) weighted by u it gives u^T J. With u a
    unit vector that is one row of J, so m backward passes over one graph give
    all of it (retain_graph=True keeps the graph for the next). Forwards, each
    pass gives a column, which is cheaper where n is below m. There is no step
    to choose, and the result is right to the last digits.

    Args:
        f: A function from a vector (n,) to a vector (m,), differentiable. It
            takes one vector at a time: autograd goes through it backwards and
            forwards, once (backwards also a second time, for a jvp), and
            torch.func may map over it. Older batching, is_grads_batched=True or
            vectorize=True, does not go through.
        x: The point, a tensor of shape (n,), n at least 1.

    Returns:
        The Jacobian, shape (m, n), in the dtype and on the device of x
        (integers and booleans become the default dtype first). It need not be
        connected to autograd itself. f and its derivatives are asked at most
        4 (n + m) + 4 times.

    Raises:
        ValueError: x is not a vector; the message names x and its shape.

    Example:
        >>> import torch
        >>> def f(x):
        ...     return torch.stack([x[0] ** 2 * x[1], 5 * x[0] + torch.sin(x[1])])
        >>> jacobian(f, torch.tensor([3.0, 0.0]))
        tensor([[0., 9.],
                [5., 1.]])

    Source: Baydin et al. (2018), "Automatic differentiation in machine
    learning: a survey".
    """
    raise NotImplementedError


def jvp(f, x, v):
    """Jacobian times vector: how f changes when x moves along v.

    jvp(f, x, v) = J v = d/dt f(x + t v)  at t = 0

    One derivative along one direction, whatever the number of inputs: the
    Jacobian is never formed. This is forward-mode autograd: every number
    carries its derivative along v, a dual number x + t v with t^2 = 0, through
    the same operations as its value. One pass gives f(x) and J v together. (The
    older way goes backwards twice: u^T J is linear in u, and its own gradient
    with respect to u, weighted by v, is J v.)

    Args:
        f: A function from a vector (n,) to a vector (m,), differentiable. It
            takes one vector at a time: autograd goes through it backwards and
            forwards, once (backwards also a second time, for a jvp), and
            torch.func may map over it. Older batching, is_grads_batched=True or
            vectorize=True, does not go through.
        x: The point, a tensor of shape (n,), n at least 1.
        v: The direction, shape (n,), of any length, 0 included; taken in the
            dtype of x.

    Returns:
        J v, shape (m,), in the dtype and on the device of x (integers and
        booleans become the default dtype first). It need not be connected to
        autograd itself. f and its derivatives are asked at most 8 times,
        however many inputs and outputs there are.

    Raises:
        ValueError: x is not a vector, or v has not the shape of x; the message
            names the argument and its shape.

    Example:
        >>> import torch
        >>> def f(x):
        ...     return torch.stack([x[0] ** 2 * x[1], 5 * x[0] + torch.sin(x[1])])
        >>> jvp(f, torch.tensor([3.0, 0.0]), torch.tensor([1.0, 2.0]))
        tensor([18.,  7.])

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
    parameters can be trained. loss.backward() is this with u = 1.

    Args:
        f: A function from a vector (n,) to a vector (m,), differentiable. It
            takes one vector at a time: autograd goes through it backwards and
            forwards, once (backwards also a second time, for a jvp), and
            torch.func may map over it. Older batching, is_grads_batched=True or
            vectorize=True, does not go through.
        x: The point, a tensor of shape (n,), n at least 1.
        u: The weights of the outputs, shape (m,), of any size, 0 included;
            taken in the dtype of x.

    Returns:
        u^T J, shape (n,), in the dtype and on the device of x (integers and
        booleans become the default dtype first). It need not be connected to
        autograd itself. f and its derivatives are asked at most 8 times,
        however many inputs and outputs there are.

    Raises:
        ValueError: x is not a vector, or u has not the shape of f(x); the
            message names the argument and its shape.

    Example:
        >>> import torch
        >>> def f(x):
        ...     return torch.stack([x[0] ** 2 * x[1], 5 * x[0] + torch.sin(x[1])])
        >>> vjp(f, torch.tensor([3.0, 0.0]), torch.tensor([1.0, 2.0]))
        tensor([10., 11.])

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

    It is built from differentiable torch operations, torch.linalg.svdvals among
    them, so that autograd can go back to the matrix.

    Args:
        jacobian: Matrices, a tensor of shape (..., m, n), with no side of 0.
            There are min(m, n) singular values, in a single row one.

    Returns:
        The condition numbers, shape (...), in the dtype and on the device of
        jacobian (float16 and bfloat16 are computed in float32; integers and
        booleans give the default dtype). inf where the smallest singular value
        counts as 0, and for a matrix of zeros. The relative error is a few
        roundings times the condition number.

    Raises:
        ValueError: jacobian has fewer than 2 axes; the message names jacobian
            and its shape.

    Example:
        >>> import torch
        >>> round(float(condition_number(torch.tensor([[3.0, 0.0], [0.0, 0.5]]))), 4)
        6.0
        >>> condition_number(torch.tensor([[1.0, 2.0], [2.0, 4.0]]))
        tensor(inf)

    Source: Golub and Van Loan (2013), "Matrix Computations", section 2.6.
    """
    raise NotImplementedError
