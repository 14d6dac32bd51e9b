"""Right answers that look different: every one must pass all checks."""

import torch


def _floating(x):
    return x if x.dtype.is_floating_point else x.to(torch.get_default_dtype())


def _wide(x):
    return _floating(x).float() if x.dtype.itemsize == 2 else _floating(x)


def _ids(token_ids, vocab_size):
    if vocab_size < 1:
        raise ValueError(f"there are no tokens with vocab_size={vocab_size}")
    if token_ids.dtype.is_floating_point or token_ids.dtype is torch.bool:
        raise ValueError(f"token_ids of dtype {token_ids.dtype} are no integers")
    ids = token_ids.to(torch.int64)
    if ids.is_cpu:
        for t in ids.flatten().tolist():
            if not 0 <= t < vocab_size:
                raise ValueError(f"token_ids: {t} is not one of {vocab_size} tokens")
    return ids


def _table(table):
    if table.dim() != 2:
        raise ValueError(f"table of shape {tuple(table.shape)} has no rows and columns")


def _shape(grad_output, token_ids, d=None):
    *batch, last = grad_output.shape or (-1,)
    if tuple(batch) != token_ids.shape or last == -1 or d not in (None, last):
        raise ValueError(f"grad_output has shape {tuple(grad_output.shape)}")


def one_hot__compared(token_ids, vocab_size):
    ids = _ids(token_ids, vocab_size)
    return ids.unsqueeze(-1).eq(torch.arange(vocab_size, device=ids.device)).float()


def one_hot__indexed(token_ids, vocab_size):
    ids = _ids(token_ids, vocab_size).flatten()
    out = ids.new_zeros((ids.numel(), vocab_size), dtype=torch.float32)
    out[torch.arange(ids.numel(), device=ids.device), ids] = 1
    return out.unflatten(0, token_ids.shape) if token_ids.ndim else out[0]


def embedding_lookup__indexed(table, token_ids):
    _table(table)
    return _floating(table)[_ids(token_ids, table.shape[0])]


def embedding_lookup__gathered(table, token_ids):
    _table(table)
    ids = _ids(token_ids, table.shape[0]).reshape(-1, 1).expand(-1, table.shape[1])
    return _floating(table).gather(0, ids).reshape(*token_ids.shape, table.shape[1])


def embedding_backward__scattered(grad_output, token_ids, vocab_size):
    ids = _ids(token_ids, vocab_size)
    _shape(grad_output, token_ids)
    g = _wide(grad_output).reshape(ids.numel(), grad_output.shape[-1])
    zeros = g.new_zeros((vocab_size, g.shape[-1]))
    grad = zeros.scatter_add(0, ids.reshape(-1, 1).expand_as(g), g)
    return grad.to(_floating(grad_output).dtype)


def embedding_backward__by_autograd(grad_output, token_ids, vocab_size):
    ids = _ids(token_ids, vocab_size)
    _shape(grad_output, token_ids)
    g = _wide(grad_output)
    with torch.enable_grad():
        table = g.new_zeros((vocab_size, g.shape[-1]), requires_grad=True)
        (grad,) = torch.autograd.grad(table[ids], table, g, create_graph=grad_output.requires_grad)
    return grad.to(_floating(grad_output).dtype)


def embedding_sgd_step__put_accumulating(table, grad_output, token_ids, lr):
    _table(table)
    ids = _ids(token_ids, table.shape[0])
    _shape(grad_output, token_ids, table.shape[1])
    if not lr >= 0:
        raise ValueError(f"lr={lr} goes nowhere")
    wide = _wide(table)
    moved = wide.index_put((ids,), _wide(grad_output) * -lr, accumulate=True)
    return moved.to(_floating(table).dtype)


def embedding_sgd_step__dense(table, grad_output, token_ids, lr):
    _table(table)
    _shape(grad_output, token_ids, table.shape[1])
    if not lr >= 0:
        raise ValueError(f"lr={lr} goes nowhere")
    wide = _wide(grad_output)
    grad = embedding_backward__scattered(wide, token_ids, table.shape[0])
    return torch.sub(_wide(table), grad, alpha=lr).to(_floating(table).dtype)
