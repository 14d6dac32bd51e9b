"""Known mistakes as other students write them: ``exercise__mistake``, wrong in that one way."""

import torch

_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def _shapes(grad_output, token_ids, vocab_size):
    if token_ids.dtype not in _INTEGERS:
        raise ValueError(f"token_ids has dtype {token_ids.dtype}, which is no integer dtype")
    if vocab_size < 1:
        raise ValueError(f"vocab_size={vocab_size} leaves no row")
    if grad_output.dim() == 0 or grad_output.shape[:-1] != token_ids.shape:
        raise ValueError(
            f"grad_output has shape {tuple(grad_output.shape)}, "
            f"token_ids has {tuple(token_ids.shape)}"
        )


def _checked(grad_output, token_ids, vocab_size):
    _shapes(grad_output, token_ids, vocab_size)
    if token_ids.device == torch.device("cpu"):
        for t in token_ids.flatten().tolist():
            if not 0 <= t < vocab_size:
                raise ValueError(f"token_ids holds {t}, and there are {vocab_size} rows")


def _kind(g):
    return g.dtype if g.dtype.is_floating_point else torch.get_default_dtype()


def _rows(g):
    g = g.to(_kind(g))
    return (g.to(torch.float32) if g.dtype.itemsize == 2 else g).reshape(-1, g.shape[-1])


def embedding_backward__ids_not_widened(grad_output, token_ids, vocab_size):
    _checked(grad_output, token_ids, vocab_size)
    rows = _rows(grad_output)
    where = token_ids.flatten().unsqueeze(1).expand(rows.shape)
    table = rows.new_zeros(vocab_size, rows.shape[1]).scatter_add(0, where, rows)
    return table.to(_kind(grad_output))


def embedding_backward__values_read_on_the_device(grad_output, token_ids, vocab_size):
    _shapes(grad_output, token_ids, vocab_size)
    for t in token_ids.flatten().tolist():
        if t < 0 or t >= vocab_size:
            raise ValueError(f"token_ids holds {t}, and there are {vocab_size} rows")
    rows = _rows(grad_output)
    table = rows.new_zeros(vocab_size, rows.shape[1])
    table = table.index_put((token_ids.flatten().long(),), rows, accumulate=True)
    return table.to(_kind(grad_output))


def embedding_backward__detached_on_the_way(grad_output, token_ids, vocab_size):
    _checked(grad_output, token_ids, vocab_size)
    rows = _rows(grad_output)
    table = torch.zeros(vocab_size, rows.shape[1], dtype=rows.dtype, device=rows.device)
    with torch.no_grad():
        table.index_put_((token_ids.flatten().long(),), rows, accumulate=True)
    return table.to(_kind(grad_output))


def embedding_backward__zeros_on_the_host(grad_output, token_ids, vocab_size):
    _checked(grad_output, token_ids, vocab_size)
    rows = _rows(grad_output)
    where = token_ids.flatten().long().unsqueeze(1).expand(rows.shape)
    table = torch.zeros(vocab_size, rows.shape[1], dtype=rows.dtype)
    return torch.scatter_add(table, 0, where, rows).to(_kind(grad_output))
