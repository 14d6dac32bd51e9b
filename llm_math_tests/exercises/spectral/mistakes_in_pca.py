"""Known mistakes in pca."""

from __future__ import annotations

from llm_math_tests.exercise import Mistake

_EIGH = "variance, vectors = np.linalg.eigh(rows.T @ rows)"
_VECTORS = "components = vectors.T[::-1][:k]"
_WIDE = "components = np.linalg.qr(rows.T @ u[:, ::-1][:, :k])[0].T"
_CENTRED = "rows, top = _centred(x)"
_DIVIDED = "variance = variance[::-1][:k] / (n - 1)"

MISTAKES = (
    Mistake(
        "smallest_first",
        "took the first k of eigh, which are the smallest: its eigenvalues ascend",
        _VECTORS,
        "components, variance = vectors.T[:k], variance[::-1]",
    ),
    Mistake(
        "ascending",
        "took the k largest but left them in ascending order",
        _VECTORS,
        "components, variance = vectors.T[-k:], variance[-k:][::-1]",
    ),
    Mistake(
        "rows_of_the_eigenvectors",
        "took rows of the matrix that eigh returns; its columns are the eigenvectors",
        _VECTORS,
        "components = vectors[::-1][:k]",
    ),
    Mistake(
        "components_in_columns",
        "returned the components as columns, shape (d, k)",
        'return components.astype(dtype, order="C"), variance.astype(dtype, copy=False)',
        "return components.T.astype(dtype), variance.astype(dtype)",
    ),
    Mistake(
        "divided_by_n", "divided by n, not by n - 1", _DIVIDED, "variance = variance[::-1][:k] / n"
    ),
    Mistake(
        "not_divided",
        "did not divide the variances by n - 1",
        _DIVIDED,
        "variance = variance[::-1][:k].copy()",
    ),
    Mistake(
        "singular_values_returned",
        "returned standard deviations: the variances are their squares",
        "variance *= top\n    variance *= top",
        "variance = np.sqrt(np.maximum(variance, 0)) * top",
    ),
    Mistake(
        "not_centred",
        "did not subtract the mean: the first component then points at it",
        _CENTRED,
        "rows, top = _widened(_as_float(x)), _centred(x)[1]\n    rows = rows / top",
    ),
    Mistake(
        "centred_each_row",
        "subtracted from each row its own mean, not from each column",
        _CENTRED,
        "rows, top = _widened(_as_float(x)), 1\n    rows = rows - rows.mean(axis=1, keepdims=True)",
    ),
    Mistake(
        "standardized",
        "divided each column by its standard deviation as well",
        _CENTRED,
        "rows, top = _centred(x)\n"
        "    rows = rows / (rows.std(axis=0) + (rows.std(axis=0) == 0))\n"
        "    top = top ** 0",
    ),
    Mistake(
        "ratio_returned",
        "returned shares of the total variance, not the variances",
        _DIVIDED,
        "variance = variance[::-1][:k] / (variance.sum() * top * top)",
    ),
    Mistake(
        "rows_space_returned",
        "with fewer rows than columns, returned vectors in the space of the rows",
        _WIDE,
        "components = u.T[::-1][:k]",
    ),
    Mistake(
        "divided_by_the_singular_value",
        "went from the small Gram matrix back through 1 / sigma: small components lose "
        "their right angles",
        _WIDE,
        "sigma = np.sqrt(np.maximum(variance[::-1][:k], np.finfo(rows.dtype).tiny))\n"
        "        components = u[:, ::-1][:, :k].T @ rows / sigma[:, None]",
    ),
    Mistake(
        "not_made_orthonormal",
        "with fewer rows than columns, did not bring the components to length 1",
        _WIDE,
        "components = u[:, ::-1][:, :k].T @ rows",
    ),
    Mistake(
        "means_of_products",
        "subtracted m m^T from the mean product: with a large mean the digits cancel",
        _EIGH,
        "low, m = _widened(_as_float(x)), _widened(_as_float(x)).mean(axis=0)\n"
        "        variance, vectors = np.linalg.eigh(\n"
        "            (low.T @ low - n * m[:, None] * m) / top / top\n"
        "        )",
    ),
    Mistake(
        "squared_before_scaling",
        "squared numbers of size 1e-30 in float32, where the squares are 0",
        _CENTRED,
        "rows, top = _widened(_as_float(x)), 1\n    rows = rows - rows.mean(axis=0)",
    ),
    Mistake(
        "started_from_one_vector",
        "found each component by deflating and multiplying: equal variances never converge "
        "to right angles",
        _EIGH,
        "left = rows.T @ rows\n"
        "        found, variance = [], np.zeros(d, rows.dtype)\n"
        "        for i in range(d):\n"
        "            v = np.ones(d, rows.dtype)\n"
        "            for _ in range(20):\n"
        "                v = left @ v\n"
        "                v = v / (np.sqrt(v @ v) + np.finfo(v.dtype).tiny)\n"
        "            variance[d - 1 - i] = v @ left @ v\n"
        "            left = left - variance[d - 1 - i] * v[:, None] * v\n"
        "            found.append(v)\n"
        "        vectors = np.array(found[::-1]).T",
    ),
    Mistake(
        "every_component",
        "returned all components, not k of them",
        _VECTORS,
        "components = vectors.T[::-1]",
    ),
    Mistake(
        "more_than_n_minus_1_allowed",
        "allowed k = n: after centring, n rows leave n - 1 directions",
        "if not 1 <= k <= min(n - 1, d):",
        "if not 1 <= k <= min(n, d):",
    ),
    Mistake(
        "general_eigenvalues",
        "used eig, for matrices of any kind: it does not sort",
        _EIGH,
        "variance, vectors = np.linalg.eig(rows.T @ rows)\n"
        "        variance, vectors = variance.real.copy(), vectors.real.copy()",
    ),
    Mistake(
        "variances_cut_from_the_graph",
        "detached the eigenvalues from autograd",
        "variance[-k:].flip(0) / (n - 1)",
        "variance[-k:].detach().flip(0) / (n - 1)",
        track="torch",
    ),
    Mistake(
        "gone_through_numpy",
        "went through NumPy: it is on the host, and autograd does not follow",
        "variance, vectors = torch.linalg.eigh(rows.T @ rows)",
        "import numpy\n"
        "        variance, vectors = map(\n"
        "            torch.from_numpy, numpy.linalg.eigh((rows.T @ rows).detach().numpy())\n"
        "        )",
        track="torch",
    ),
)
