"""What differs between NumPy and CuPy: every rule, with its reason."""

# Names in code: (NumPy, CuPy, why). The longest match wins; `x.np` is nobody's import.
SPELLINGS = (
    ("np", "cp", "CuPy follows NumPy name by name; cp is its customary alias"),
    ("numpy", "cupy", "the same, in import lines"),
    ("npt", "cpt", "cupy.typing holds the same names as numpy.typing"),
    ("scipy", "cupyx.scipy", "CuPy's SciPy lives in its extension package"),
    ("np.add.at", "cupyx.scatter_add", "CuPy's own name for adding at repeated indices"),
)

# Text in docstrings: (pattern, CuPy, why).
DOCSTRING_SPELLINGS = (
    (r"(?<![\w./])np\.(?=\w)", "cp.", "examples and prose name the function that the code calls"),
    (r"\bimport numpy as np\b", "import cupy as cp", "the first line of an example"),
    (r"(?<![\w./])numpy\.(?!org\b)(?=\w)", "cupy.", "full names, but not the address numpy.org"),
    (r"\bNumPy\b", "CuPy", "prose"),
    (r"\bwith_numpy\b", "with_cupy", "an example that imports the file it stands in"),
)

# `with np.errstate(...)` and the decorator go, and the body moves left.
ERRSTATE = ("np.errstate", "a GPU kernel raises no floating-point warnings: nothing to silence")

# Looking at values waits for the GPU, so the statement below this comment is left out.
CPU_ONLY = "# values are looked at on the CPU only"

# A function that the course does not ask of CuPy is left out: this comment above it, then why.
NOT_IN_CUPY = "# not in CuPy:"

# Makers of arrays have no input to take the device from, so in CuPy they can be told.
MAKERS = frozenset(
    {
        "alibi_bias",
        "causal_mask",
        "padding_mask",
        "sinusoidal_positional_encoding",
        "sliding_window_mask",
    }
)
DEVICE_SENTENCE = "The GPU that makes the array, by number; None is the current one."

# Names a NumPy reference might use that no CuPy has, whether or not CuPy is installed here.
LACKING = frozenset(
    {
        "False_",
        "True_",
        "block",
        "clongdouble",
        "complex256",
        "einsum_path",
        "emath",
        "errstate",
        "float128",
        "frompyfunc",
        "geomspace",
        "histogram_bin_edges",
        "insert",
        "longdouble",
        "nanpercentile",
        "nanquantile",
        "ndenumerate",
        "nditer",
        "seterr",
        "spacing",
    }
)
# ufunc.reduce and its like exist on every CuPy ufunc, and raise on all but these.
UFUNC_METHODS = frozenset({"reduce", "accumulate", "reduceat"})
WORKING_UFUNC_METHODS = frozenset(
    {"add.reduce", "add.accumulate", "add.reduceat", "multiply.reduce", "multiply.accumulate"}
)
SUBMODULES = frozenset({"fft", "lib", "linalg", "random", "typing"})
