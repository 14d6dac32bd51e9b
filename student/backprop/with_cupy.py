"""Backprop in CuPy: your answers.

Write the body of each function below, then run: pytest -k backprop --track cupy

Asked of every function: inputs are left as they are and may have any memory
layout; results stay on their device and have their floating dtype; a
ValueError names the argument and its value.
"""

import cupy as cp


def linear_backward(grad_output, x, w):
    """Push a gradient back through a linear layer, to its input, weights and bias.

    y = x w + b:   dL/dx = g w^T,   dL/dw = x^T g,   dL/db = sum of g,   g = dL/dy

    Shapes tell you where the transposes go: dw must have the shape of w, and
    only x^T g has it. The weights are shared by every row of the batch, so dw
    and db are sums over all batch axes. Two matrix products back for one
    forward: this is why a training step costs three times a forward pass.

    Args:
        grad_output: Gradient g of the loss with respect to y, shape (..., n_out).
        x: The layer's input, shape (..., n_in), with any batch axes, also none.
        w: Weights, shape (n_in, n_out).

    Returns:
        (dx, dw, db) with the shapes of x, of w and (n_out,), in the dtype that
        the three arguments share (float16 is summed in float32 and rounded once;
        integers and booleans give float64). An empty batch gives a dw and a db
        of zeros.

    Raises:
        ValueError: w is no matrix with a row for each feature of x (the message
            names w and its shape), or grad_output has not the batch axes of x
            and a column for each of w (it names grad_output and its shape).

    Example:
        >>> import cupy as cp
        >>> x = cp.array([[1.0, 2.0], [3.0, 4.0]])
        >>> w = cp.array([[1.0], [-1.0]])
        >>> dx, dw, db = linear_backward(cp.array([[1.0], [10.0]]), x, w)
        >>> dx.tolist(), dw.tolist(), db.tolist()
        ([[1.0, -1.0], [10.0, -10.0]], [[31.0], [42.0]], [11.0])

    Source: Rumelhart, Hinton and Williams (1986), "Learning representations by
    back-propagating errors".
    """
    raise NotImplementedError


def two_layer_forward(x, w1, w2):
    """Run a network of two layers, and keep what its backward will need.

    hidden = relu(x w1),   y = hidden w2

    The backward pass needs numbers that only the forward has seen: x for dw1,
    the hidden layer for dw2, and where the ReLU was open. Kept, they cost
    memory; thrown away, they cost a second forward. That trade is most of what
    training memory is about (see checkpointed_backward).

    What the cache holds, and in which order, is yours to choose: it is handed
    back to your own two_layer_backward, and to nobody else's. ReLU is open
    where hidden > 0, so the hidden layer after the ReLU says enough: what was
    there before it need not be kept.

    Args:
        x: Inputs, shape (..., n_in), with any batch axes, also none.
        w1: Weights of the first layer, shape (n_in, n_hidden).
        w2: Weights of the second layer, shape (n_hidden, n_out).

    Returns:
        (y, cache): y of shape (..., n_out) in the dtype that the three arguments
        share (float16 is computed in float32 up to the end: a hidden number may
        be more than float16 holds; integers and booleans give float64), and
        cache, a tuple of arrays.

    Raises:
        ValueError: w1 is no matrix with a row for each feature of x, or w2 none
            with a row for each column of w1; the message names it and its shape.

    Example:
        >>> import cupy as cp
        >>> w1, w2 = cp.array([[1.0, -1.0]]), cp.array([[10.0], [100.0]])
        >>> y, cache = two_layer_forward(cp.array([[2.0], [-3.0]]), w1, w2)
        >>> y.tolist()
        [[20.0], [300.0]]

    Source: Rumelhart, Hinton and Williams (1986), "Learning representations by
    back-propagating errors"; ReLU from Nair and Hinton (2010).
    """
    raise NotImplementedError


def two_layer_backward(grad_y, cache):
    """Push a gradient back through the two-layer network, with what its forward kept.

    dw2 = hidden^T g,   dh = g w2^T where hidden > 0, else 0
    dw1 = x^T dh,       dx = dh w1^T,                   g = dL/dy

    The chain rule, backwards: each layer takes the gradient of its output and
    turns it into one for its weights and one for its input, which is the output
    of the layer before. A ReLU that was shut lets nothing through; at exactly 0
    its derivative is 0, by convention.

    Args:
        grad_y: Gradient g of the loss with respect to y, the shape of y.
        cache: What your own two_layer_forward returned beside y; while that is
            not started, ours: (x, hidden, w1, w2), hidden after its ReLU and
            with one batch axis, all in float32 if they were float16. It is not
            changed: a second call with it gives the same.

    Returns:
        (dx, dw1, dw2) with the shapes of x, w1 and w2, in the dtype of grad_y,
        which is theirs (float16 is summed in float32 and rounded once; integers
        and booleans give float64). The weights' gradients are sums over all
        batch axes; of an empty batch they are zeros.

    Raises:
        ValueError: grad_y has another shape than y; the message names grad_y and
            its shape.

    Example:
        >>> import cupy as cp
        >>> w1, w2 = cp.array([[1.0, -1.0]]), cp.array([[10.0], [100.0]])
        >>> y, cache = two_layer_forward(cp.array([[2.0], [-3.0]]), w1, w2)
        >>> dx, dw1, dw2 = two_layer_backward(cp.ones((2, 1)), cache)
        >>> dx.tolist(), dw1.tolist(), dw2.tolist()
        ([[10.0], [-100.0]], [[20.0, -300.0]], [[2.0], [3.0]])

    Source: Rumelhart, Hinton and Williams (1986), "Learning representations by
    back-propagating errors".
    """
    raise NotImplementedError


def accumulate_gradients(grad_fn, batches):
    """The gradient of one large batch, computed in small ones that fit in memory.

    gradient = sum_b len(b) / N * grad_fn(b),   N = sum_b len(b)

    The loss is a mean over examples, so each batch's mean gradient counts by
    its number of examples. The plain mean of the batches' gradients is the same
    only where all batches are equally large; with a short last batch (or
    batches of unequally many tokens, a bug that training libraries had for
    years) it gives the examples of small batches more weight than the others.

    Args:
        grad_fn: A function: grad_fn(batch) gives the gradient of the mean loss
            over a batch's examples, an array of the same shape every time. It
            is called exactly once for each batch that has examples.
        batches: A list of arrays, each of len(batch) examples (their number may
            differ). One of 0 examples counts for nothing, and grad_fn is not
            called with it: the mean over nothing is NaN.

    Returns:
        Gradient of the mean loss over all examples, in the shape and dtype of
        what grad_fn gives, whatever the dtype of the batches (float16 is summed
        in float32 and rounded once). Only a running sum is kept: at no time
        more than 8 arrays of the gradient's size, however many batches.

    Raises:
        ValueError: there is no example, in no batch or in empty ones only; the
            message names batches.

    Example:
        >>> import cupy as cp
        >>> batches = [cp.array([1.0, 2.0, 3.0]), cp.array([10.0])]
        >>> float(accumulate_gradients(lambda batch: batch.mean(axis=0), batches))
        4.0

    Source: the gradient accumulation of PyTorch and Hugging Face training loops;
    Han and Han (2024), "Bugs in LLM training: gradient accumulation fix".
    """
    raise NotImplementedError


def checkpointed_backward(layers, x, grad_output):
    """Backpropagate through many layers in the memory of a few: keep some, recompute the rest.

    x_0 = x,   x_(i+1) = forward_i(x_i),   g_L = grad_output,   g_i = backward_i(g_(i+1), x_i)

    Every backward asks for its layer's input, and keeping all L of them is what
    fills a GPU. Keep only about sqrt(L), at the start of each segment of
    sqrt(L) layers. On the way back, run a segment forward once more from its
    checkpoint, go back through it, and let go of its inputs: one more forward
    pass (a third more time) buys memory that grows with sqrt(L) instead of L.

    Args:
        layers: A list of L pairs of functions (forward, backward): forward(x)
            gives the layer's output, which is the next layer's input, and
            backward(grad, layer_input) turns the gradient of the output into
            that of the input. L may be 0, 1, or no square; the arrays between
            the layers may have different shapes.
        x: Input of the first layer.
        grad_output: Gradient of the loss with respect to the last layer's output.

    Returns:
        Gradient with respect to x, as the first layer's backward gives it: the
        layers' functions do all arithmetic, and nothing is rounded in between.
        Without layers it is grad_output.

        Each backward is called exactly once, from the last layer to the first,
        and each forward at most twice. Of the layers' inputs, x among them, at
        most 2 ceil(sqrt(L)) + 2 are kept at a time.

    Example:
        >>> import cupy as cp
        >>> square = (lambda x: x * x, lambda grad, x: grad * 2 * x)
        >>> checkpointed_backward([square] * 3, cp.array([2.0]), cp.array([1.0]))
        array([1024.])

    Source: Chen, Xu, Zhang and Guestrin (2016), "Training deep nets with
    sublinear memory cost"; Griewank and Walther (2000).
    """
    raise NotImplementedError


def unscale_gradients(grads, scale):
    """Divide gradients by the loss scale, and see whether any of them overflowed.

    grad = scaled_grad / scale,   found_inf = any number is inf or NaN

    In float16 many gradients are below the smallest number (6e-8) and vanish.
    So the loss is multiplied by a large scale before the backward pass, and the
    gradients divided by it afterwards, in float32, where a small number fits.
    Where the scale was too large, some became inf or NaN, and the step must be
    skipped (see update_loss_scale).

    Args:
        grads: A list of gradients of a scaled loss: floating arrays of any
            shapes, 0-d, empty and of different dtypes among them.
        scale: The loss scale, a Python number above 0.

    Returns:
        (grads, found_inf): a list of the gradients divided by scale, in the
        order and shapes of grads, all float32 whatever came in (float16 is
        converted before the division, float64 after it); and a 0-d boolean
        array, True where any number that comes back is inf or NaN, False for
        none and for no gradients. The numbers are never asked for on the host.

    Raises:
        ValueError: scale is not above 0; the message names scale and its value.

    Example:
        >>> import cupy as cp
        >>> grads, found_inf = unscale_gradients([cp.array([512.0, -2.0], cp.float16)], 1024.0)
        >>> grads[0].tolist(), str(grads[0].dtype), bool(found_inf)
        ([0.5, -0.001953125], 'float32', False)

    Source: Micikevicius et al. (2018), "Mixed precision training"; as
    torch.amp.GradScaler.unscale_ does.
    """
    raise NotImplementedError


def update_loss_scale(scale, found_inf, good_steps, growth_interval=2000):
    """Choose the loss scale of the next step: as large as it can be without overflow.

    overflow:                         scale / 2, 0
    growth_interval good steps:       scale * 2, 0
    otherwise:                        scale, good_steps + 1

    No scale is right for a whole training: gradients shrink as it goes on. So
    the scale is doubled every so often to see whether it still holds, and
    halved as soon as it does not. Halving and doubling are exact: the scale
    stays a power of two if it was one, and costs the gradients no digit.

    Args:
        scale: The loss scale of this step, a Python float above 0.
        found_inf: Whether this step's gradients overflowed, a Python bool or a
            0-d boolean array, as unscale_gradients returns.
        good_steps: Steps without overflow since the scale last changed, this
            step not counted.
        growth_interval: So many good steps in a row, this one counted, double
            the scale.

    Returns:
        (scale, good_steps) for the next step, a Python float and an int.
        good_steps is 0 after an overflow and after a growth. The scale may fall
        below 1.

    Raises:
        ValueError: scale is not above 0, good_steps is below 0, or
            growth_interval is below 1; the message names the argument and its
            value.

    Example:
        >>> update_loss_scale(65536.0, False, 7)
        (65536.0, 8)
        >>> update_loss_scale(65536.0, False, 1999)
        (131072.0, 0)
        >>> update_loss_scale(65536.0, True, 1999)
        (32768.0, 0)

    Source: Micikevicius et al. (2018), "Mixed precision training"; as
    torch.amp.GradScaler.update does.
    """
    raise NotImplementedError
