"""What students do wrong in condition_number."""

from __future__ import annotations

from llm_math_tests.exercise import Mistake

_SIGMA = "sigma = np.linalg.svd(matrices, compute_uv=False)"
_ENDS = "largest, smallest = sigma[..., 0], sigma[..., -1]"
_LOST = "lost = smallest <= max(jacobian.shape[-2:]) * np.finfo(sigma.dtype).eps * largest"
_RATIO = "ratio = largest / np.where(lost, np.ones_like(smallest), smallest)"
_RETURN = "return np.where(lost, np.inf, ratio).astype(_as_float(jacobian).dtype)"

MISTAKES = (
    Mistake(
        "roots_of_eigenvalues",
        "took roots of the eigenvalues of J^T J, which lose half of the digits",
        _SIGMA,
        "gram = matrices @ np.swapaxes(matrices, -1, -2)\n"
        "    if matrices.shape[-2] > matrices.shape[-1]:\n"
        "        gram = np.swapaxes(matrices, -1, -2) @ matrices\n"
        "    sigma = np.sqrt(np.abs(np.linalg.eigvalsh(gram)))[..., ::-1]",
    ),
    Mistake(
        "not_rooted",
        "forgot the root: the eigenvalues of J^T J are squares of the singular values",
        _SIGMA,
        "sigma = np.linalg.svd(matrices, compute_uv=False) ** 2",
    ),
    Mistake(
        "upside_down",
        "divided the smallest by the largest",
        _RATIO,
        "ratio = smallest / np.where(lost, np.ones_like(largest), largest)",
    ),
    Mistake(
        "no_threshold",
        "divided by a smallest singular value that is only rounding",
        _LOST,
        "lost = smallest == 0",
    ),
    Mistake(
        "epsilon_of_float64",
        "compared with the eps of float64, whatever the dtype",
        _LOST,
        _LOST.replace("np.finfo(sigma.dtype).eps", "np.finfo(np.float64).eps"),
    ),
    Mistake(
        "fixed_threshold",
        "took everything below 1e-10 for 0: the size of the matrix decides",
        _LOST,
        "lost = smallest <= 1e-10",
    ),
    Mistake(
        "generous_threshold",
        "took a smallest singular value below 3e-7 of the largest for 0",
        _LOST,
        "lost = smallest <= 3e-7 * largest",
    ),
    Mistake(
        "strictly_below",
        "left the matrix of zeros out: 0 is not below 0",
        _LOST,
        _LOST.replace("<=", "<"),
    ),
    Mistake(
        "smallest_that_is_not_zero",
        "left singular values of 0 out and took the smallest of the others",
        _ENDS,
        "largest = sigma[..., 0]\n"
        "    kept = sigma > max(jacobian.shape[-2:]) * np.finfo(sigma.dtype).eps "
        "* largest[..., None]\n"
        "    smallest = np.where(kept, sigma, largest[..., None]).min(axis=-1)",
    ),
    Mistake(
        "epsilon_added",
        "added an epsilon to the smallest singular value, so that nothing is ever inf",
        _RETURN,
        "return (largest / (smallest + 1e-8)).astype(_as_float(jacobian).dtype)",
    ),
    Mistake(
        "eigenvalues",
        "took eigenvalues, which are not singular values (and need a square matrix)",
        _SIGMA,
        "sigma = -np.sort(-np.abs(np.linalg.eigvals(matrices)), axis=-1)\n"
        "    sigma = sigma.astype(matrices.dtype)",
    ),
    Mistake(
        "entries_compared",
        "compared the largest entry with the smallest, not the singular values",
        _SIGMA,
        "sigma = -np.sort(-np.abs(matrices).reshape(*matrices.shape[:-2], "
        "matrices.shape[-2] * matrices.shape[-1]))",
    ),
    Mistake(
        "frobenius_norm",
        "divided the Frobenius norm by the smallest: that sums up all singular values",
        _ENDS,
        "largest = np.sqrt((sigma**2).sum(axis=-1))\n    smallest = sigma[..., -1]",
    ),
    Mistake(
        "first_matrix_only",
        "took the singular values of the first matrix for all",
        _ENDS,
        "sigma = np.broadcast_to(sigma.reshape(-1, sigma.shape[-1])[:1], sigma.shape)\n"
        f"    {_ENDS}",
    ),
    Mistake(
        "worst_of_all",
        "gave one number for a whole batch of matrices",
        _ENDS,
        "largest, smallest = sigma.max(initial=0), sigma.min(initial=np.inf)",
    ),
    Mistake(
        "returned_in_float32",
        "returned float32 whatever came in",
        _RETURN,
        "return np.where(lost, np.inf, ratio).astype(np.float32)",
    ),
    Mistake(
        "logarithm_returned",
        "returned the digits that are lost, log10 of the condition number",
        _RETURN,
        "return np.log10(np.where(lost, np.inf, ratio)).astype(_as_float(jacobian).dtype)",
    ),
    Mistake(
        "graph_cut_by_data",
        "went through .data, which autograd does not see",
        "sigma = torch.linalg.svdvals(matrices)",
        "sigma = torch.linalg.svdvals(matrices.data)",
        track="torch",
    ),
    Mistake(
        "asked_on_the_host_for_rank",
        "asked in an if whether the rank is lost: the GPU has to stop, and a batch has no one "
        "answer",
        'return ratio.masked_fill(lost, float("inf")).to(jacobian.dtype)',
        'if lost.any():\n        ratio = ratio.masked_fill(lost, float("inf"))\n'
        "    return ratio.to(jacobian.dtype)",
        track="torch",
    ),
    Mistake(
        "ones_on_the_cpu",
        "made a tensor without device=jacobian.device: it is on the CPU",
        "smallest.masked_fill(lost, 1.0)",
        "torch.where(lost, torch.ones(smallest.shape, dtype=smallest.dtype), smallest)",
        track="torch",
    ),
)
