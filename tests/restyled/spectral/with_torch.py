"""Known mistakes as a student writes them who has never seen our reference.

Each function is ``<exercise>__<mistake>``: that one mistake, the rest right.
"""

import torch


def covariance__rows_detached(x):
    if x.dim() != 2 or len(x) < 2:
        raise ValueError(f"x of shape {tuple(x.shape)} is no table of several rows")
    data = x.data if x.is_floating_point() else x.to(torch.get_default_dtype())
    data = data.to(torch.promote_types(data.dtype, torch.float32))
    centred = data - torch.einsum("nd->d", data) / data.size(0)
    result = torch.einsum("ni,nj->ij", centred, centred) / (data.size(0) - 1)
    return result.to(x.dtype if x.is_floating_point() else data.dtype)
