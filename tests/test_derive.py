"""The texts made from references: stubs, CuPy references, and the care for students' files."""

import ast
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from llm_math_tests import derive
from llm_math_tests.derive import (
    DeriveError,
    check,
    cupy_text,
    derived_files,
    is_untouched,
    main,
    replace_function,
    stub_of,
    stub_text,
    write,
)

NUMPY = '''"""Softmax in NumPy: reference answers."""

import math
from collections.abc import Iterator

import numpy as np
import scipy.special

_EPS = 1e-9  # only a comment's np.finfo knows why

# Half precision is widened.
_HALF = (np.float16,)


def _widened(x):
    """Help."""
    return x.astype(np.float32) if x.dtype in _HALF else x


# Looks at values.
def _check_probabilities(p):
    if (p < 0).any():
        raise ValueError(f"negative probability {p.min()}")


def softmax(logits, temperature=1.0, axis=-1):
    """Turn scores into probabilities, as NumPy users know them.

    Args:
        logits: scores ``(..., n)``, see np.exp and https://numpy.org/doc/np.exp.html.
        temperature: above 0.
        axis: the axis that sums to 1.

    Example:
        >>> import numpy as np
        >>> from reference.softmax.with_numpy import softmax
        >>> softmax(np.array([0.0, 0.0]))
        array([0.5, 0.5])
    """
    # np.max first: without it exp overflows
    if not temperature > 0:
        raise ValueError("temperature must be > 0, as np.exp asks: " f"{temperature}")

    # values are looked at on the CPU only
    if temperature > 1:
        # why
        if temperature > 2:
            _check_probabilities(logits)
    elif axis:
        _check_probabilities(
            logits,
        )

    z = _widened(logits) / temperature
    with np.errstate(invalid="ignore"):  # inf - inf
        z = z - np.max(z, axis=axis, keepdims=True)

        with np.errstate(
            divide="ignore",
        ):
            text = """np.array
    kept as np.it is
"""
            e = np.exp(z)
            # the end of the inner block
        # the end of the outer block

    return e / e.sum(axis=axis, keepdims=True)  # np.sum


def online_logsumexp(blocks: Iterator[np.ndarray], *, scale=math.inf) -> np.ndarray:
    """Sum in one pass."""
    out = np.zeros(3)
    np.add.at(out, [0, 0], 1.0)
    return scipy.special.logsumexp(out) + _EPS


def causal_mask(n):
    """Keep what is not ahead."""
    return np.tril(np.ones((n, n), dtype=bool))
'''

TORCH = '''"""Softmax in PyTorch: reference answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from scipy import special

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DEFAULT = -1
_OTHER = 3


@torch.no_grad()
def softmax(logits, temperature=1.0, axis: int = DEFAULT, f: "Callable | None" = None) -> Any:
    r"""Turn scores into probabilities: \\exp."""
    return F.softmax(logits, axis)


def _helper():
    return special.erf(_OTHER)


def long_signature(
    logits,
    temperature=1.0,  # a remark
    axis=-1,
):
    """Two lines

    here.
    """

    def inner():
        import math

        return math.pi

    return inner()
'''


def course(root: Path, *, torch: bool = True) -> Path:
    """Lay a small course below a folder."""
    folder = root / "reference" / "softmax"
    folder.mkdir(parents=True)
    (folder / "with_numpy.py").write_text(NUMPY, encoding="utf-8", newline="\n")
    if torch:
        (folder / "with_torch.py").write_text(TORCH, encoding="utf-8", newline="\n")
    return root


def reference(body: str, *, imports: str = "import numpy as np", doc: str = "Doc.") -> str:
    """Make a reference with one function f of a body indented by four."""
    return f'"""Sample."""\n\n{imports}\n\n\ndef f(x):\n    """{doc}"""\n{body}'


def made(body: str, **options: str) -> str:
    """Give the CuPy body of a function f."""
    return cupy_text(reference(body, **options)).partition('Doc."""\n')[2]


def docstrings(text: str) -> dict[str, str | None]:
    tree = ast.parse(text)
    return {n.name: ast.get_docstring(n, clean=False) for n in functions(tree)}


def functions(tree: ast.Module) -> list[ast.FunctionDef]:
    return [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name[0] != "_"]


class TestStub:
    def test_of_numpy_whole(self):
        text = stub_text(NUMPY, topic="softmax", track="numpy")
        assert text.startswith(
            '"""Softmax in NumPy: your answers.\n\n'
            "Write the body of each function below, then run: pytest -k softmax --track numpy\n"
            '"""\n\n'
            "import math\nfrom collections.abc import Iterator\n\nimport numpy as np\n\n\n"
            "def softmax(logits, temperature=1.0, axis=-1):\n"
        )
        assert text.endswith(
            "\n\n\ndef causal_mask(n):\n"
            '    """Keep what is not ahead."""\n    raise NotImplementedError\n'
        )
        for gone in ("scipy", "_widened", "_EPS", "_HALF", "_check"):
            assert gone not in text

    def test_of_torch_keeps_what_signatures_need(self):
        text = stub_text(TORCH, topic="cross_entropy", track="torch")
        assert text.startswith('"""Cross entropy in PyTorch: your answers.\n')
        head = text.partition("def softmax")[0].partition('"""\n\n')[2]
        assert head == (
            "from __future__ import annotations\n\n"
            "from collections.abc import Callable\nfrom typing import Any\n\n"
            "import torch\nimport torch.nn.functional as F\n\n"
            "DEFAULT = -1\n\n\n"
        )
        assert "no_grad" not in text
        assert "temperature=1.0,  # a remark\n    axis=-1,\n):\n" in text

    @pytest.mark.parametrize(
        ("source", "track"), [(NUMPY, "numpy"), (TORCH, "torch"), (cupy_text(NUMPY), "cupy")]
    )
    def test_keeps_signatures_and_docstrings_and_is_untouched(self, source, track):
        text = stub_text(source, topic="softmax", track=track)
        assert docstrings(text) == docstrings(source)
        ours, theirs = functions(ast.parse(source)), functions(ast.parse(text))
        assert [ast.dump(n.args) for n in ours] == [ast.dump(n.args) for n in theirs]
        assert theirs
        assert all(is_untouched(text, n.name) is True for n in theirs)

    def test_runs_by_itself(self):
        namespace: dict[str, object] = {}
        exec(compile(stub_text(NUMPY, topic="softmax", track="numpy"), "stub", "exec"), namespace)
        with pytest.raises(NotImplementedError):
            namespace["softmax"](None)  # type: ignore[operator]

    def test_of_windows_line_ends_is_the_same(self):
        windows = stub_text(NUMPY.replace("\n", "\r\n"), topic="softmax", track="numpy")
        assert windows == stub_text(NUMPY, topic="softmax", track="numpy")

    def test_without_library_or_imports(self):
        text = stub_text('"""D."""\n\n\ndef f():\n    """E."""\n', topic="a", track="numpy")
        assert '"""\n\n\ndef f():\n' in text

    def test_long_import_is_broken_as_ruff_does(self):
        names = [f"a_rather_long_name_{i}" for i in range(6)]
        listed = "".join(f"    {n},\n" for n in names)
        source = f'"""D."""\n\nfrom torch import (\n{listed})\n\n\ndef f():\n    """E."""\n'
        assert f"from torch import (\n{listed})\n" in stub_text(source, topic="a", track="torch")

    @pytest.mark.parametrize(
        ("source", "message"),
        [
            ('"""D."""\n', "no public function"),
            ("def f():\n    pass\n", "line 1: f has no docstring"),
            ('def f(): "doc"\n', "on its own line"),
            ("def f(:\n", "line 1: not Python"),
        ],
    )
    def test_refuses(self, source, message):
        with pytest.raises(DeriveError, match=message):
            stub_text(source, topic="softmax", track="numpy")


class TestUntouched:
    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ("raise NotImplementedError", True),
            ("raise NotImplementedError()", True),
            ("raise NotImplementedError('todo')", True),
            ("'''Doc.'''\n    raise NotImplementedError", True),
            ("'''Doc.'''\n    # a thought\n    raise NotImplementedError  # later", True),
            ("'''Doc.'''", False),
            ("pass", False),
            ("...", False),
            ("return x", False),
            ("raise ValueError", False),
            ("raise NotImplementedError from None", False),
            ("raise", False),
            ("y = x\n    raise NotImplementedError", False),
            ("if x:\n        raise NotImplementedError", False),
            ("'''Doc.'''\n    'more'\n    raise NotImplementedError", False),
        ],
    )
    def test_by_body(self, body, expected):
        assert is_untouched(f"def f(x):\n    {body}\n", "f") is expected

    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            ("", None),
            ("def g():\n    pass\n", None),
            ("class A:\n    def f(self):\n        pass\n", None),
            ("def g():\n    def f():\n        pass\n", None),
            ("f: int\n", None),
            ("g.f = 1\n", None),
            ("f = abs\n", False),
            ("a, (f, b) = 1, (2, 3)\n", False),
            ("from mine import f\n", False),
            ("from mine import g as f\n", False),
            ("import f.g\n", False),
            ("from mine import *\n", False),
            ("class f:\n    pass\n", False),
            ("async def f():\n    raise NotImplementedError\n", True),
            ("@cache\ndef f():\n    raise NotImplementedError\n", True),
            ("if 1:\n    def f():\n        return 1\n", False),
            ("try:\n    import a\nexcept E:\n    def f():\n        return 1\n", False),
            ("def f():\n    raise NotImplementedError\nf.calls = 0\n", True),
            ("def f():\n    raise NotImplementedError\ndef f():\n    return 1\n", False),
            ("def f():\n    return 1\ndef f():\n    raise NotImplementedError\n", True),
            ("def f():\n    raise NotImplementedError\nf = abs\n", False),
        ],
    )
    def test_by_how_it_is_bound(self, source, expected):
        assert is_untouched(source, "f") is expected

    def test_never_runs_the_source(self):
        assert is_untouched("raise SystemExit\ndef f():\n    return 1\n", "f") is False

    @pytest.mark.parametrize("source", ["def f(:\n", "def f():\nreturn\n", "x = '\0'\n", "\0"])
    def test_syntax_errors_come_out(self, source):
        with pytest.raises(SyntaxError):
            is_untouched(source, "f")

    def test_nesting_beyond_the_parser_is_a_syntax_error(self):
        with pytest.raises(SyntaxError):
            is_untouched("(" * 5000 + ")" * 5000, "f")

    def test_byte_order_mark_and_windows_line_ends(self):
        assert is_untouched("\ufeffdef f():\r\n    raise NotImplementedError\r\n", "f") is True

    def test_strict_warnings_do_not_stop_it(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert is_untouched('def f():\n    return "\\d"\n', "f") is False

    def test_imports_nothing_heavy(self):
        code = (
            "import sys; before = set(sys.modules); import llm_math_tests.derive;"
            "print(*sorted({m.partition('.')[0] for m in set(sys.modules) - before}))"
        )
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        heavy = {"argparse", "cupy", "dataclasses", "inspect", "numpy", "pytest", "torch"}
        assert not heavy & set(run.stdout.split())


class TestCupy:
    def test_whole(self):
        text = cupy_text(NUMPY)
        assert text.startswith(
            '"""Softmax in CuPy: reference answers.\n\n'
            "Made from with_numpy.py by `python -m llm_math_tests.derive`; "
            'edit that file instead.\n"""\n\n'
            "import math\nfrom collections.abc import Iterator\n\n"
            "import cupy as cp\nimport cupyx.scipy.special\n\n"
            "_EPS = 1e-9  # only a comment's cp.finfo knows why\n\n"
            "# Half precision is widened.\n_HALF = (cp.float16,)\n\n\ndef _widened(x):\n"
        )
        softmax = text[text.index("    # cp.max first") : text.index("\n\n\ndef online")]
        assert softmax == (
            "    # cp.max first: without it exp overflows\n"
            "    if not temperature > 0:\n"
            '        raise ValueError("temperature must be > 0, as np.exp asks: " '
            'f"{temperature}")\n\n'
            "    z = _widened(logits) / temperature\n"
            "    # inf - inf\n"
            "    z = z - cp.max(z, axis=axis, keepdims=True)\n\n"
            '    text = """np.array\n    kept as np.it is\n"""\n'
            "    e = cp.exp(z)\n"
            "    # the end of the inner block\n"
            "    # the end of the outer block\n\n"
            "    return e / e.sum(axis=axis, keepdims=True)  # cp.sum"
        )
        assert "_check_probabilities" not in text
        assert "Looks at values" not in text
        assert "    cupyx.scatter_add(out, [0, 0], 1.0)\n" in text
        assert "return cupyx.scipy.special.logsumexp(out) + _EPS\n" in text
        ast.parse(text)

    def test_docstring(self):
        text = docstrings(cupy_text(NUMPY))["softmax"]
        assert text is not None
        assert "as CuPy users know them" in text
        assert "see cp.exp and https://numpy.org/doc/np.exp.html." in text
        assert ">>> import cupy as cp\n        >>> from reference.softmax.with_cupy import" in text
        assert "softmax(cp.array([0.0, 0.0]))\n        array([0.5, 0.5])" in text

    def test_same_result_again_and_from_windows(self):
        assert cupy_text(NUMPY) == cupy_text(NUMPY)
        assert cupy_text(NUMPY.replace("\n", "\r\n")) == cupy_text(NUMPY)

    def test_maker_learns_device(self):
        text = cupy_text(NUMPY)
        assert text.endswith(
            "def causal_mask(n, device=None):\n"
            '    """Keep what is not ahead.\n\n'
            "    device: The GPU that makes the array, by number; None is the current one.\n"
            '    """\n'
            "    if device is not None:\n"
            "        with cp.cuda.Device(device):\n"
            "            return causal_mask(n)\n"
            "    return cp.tril(cp.ones((n, n), dtype=bool))\n"
        )
        stub = stub_text(text, topic="attention", track="cupy")
        assert "def causal_mask(n, device=None):\n" in stub

    @pytest.mark.parametrize(
        ("header", "expected", "call"),
        [
            ("n: int) -> np.ndarray", "n: int, device: int | None = None) -> cp.ndarray", "n"),
            ("n, *, window=3", "n, *, window=3, device=None)", "n, window=window"),
            ("\n    n,\n    d,\n)", "\n    n,\n    d,\n    device=None,\n)", "n, d"),
            ("n, device=None)", "n, device=None)", None),
            (f"n, d={'1' * 75})", f"\n    n, d={'1' * 75}, device=None\n):", "n, d"),
        ],
    )
    def test_maker_headers(self, header, expected, call):
        header += "" if ")" in header else ")"
        source = (
            '"""D."""\n\nimport numpy as np\n\n\n'
            f'def causal_mask({header}:\n    """Doc.\n\n    Args:\n        n: rows,\n'
            '            and columns.\n    """\n    return np.ones(n)\n'
        )
        text = cupy_text(source)
        assert f"def causal_mask({expected}" in text
        assert (call is None) == ("Device(device)" not in text)
        if call is not None:
            assert f"return causal_mask({call})\n" in text
            sentence = f"        device: {derive.DEVICE_SENTENCE}\n"
            assert f'            and columns.\n{sentence}    """\n' in text

    def test_maker_works_with_a_stand_in(self):
        entered = []

        class Device:
            def __init__(self, number):
                self.number = number

            def __enter__(self):
                entered.append(self.number)

            def __exit__(self, *error):
                entered.append("out")

        class Cp:
            ndarray = float16 = bool
            tril = staticmethod(lambda x: x)
            ones = staticmethod(lambda shape, dtype: (shape, dtype))
            cuda = type("cuda", (), {"Device": Device})

        function = functions(ast.parse(cupy_text(NUMPY)))[-1]
        namespace: dict[str, object] = {"cp": Cp}
        exec(compile(ast.Module([function], []), "made", "exec"), namespace)
        mask = namespace["causal_mask"]
        assert mask(2) == ((2, 2), bool)  # type: ignore[operator]
        assert entered == []
        assert mask(2, device=1) == ((2, 2), bool)  # type: ignore[operator]
        assert entered == [1, "out"]

    @pytest.mark.parametrize(
        "text",
        ['"np.exp"', "'np.'", 'b"np.x"', '"""np.a"""', 'f"np.exp {x}"', 'r"np.\\d"', '"NumPy"'],
    )
    def test_strings_stay(self, text):
        assert made(f"    return np.where(x, {text}, x.np)\n").endswith(f"x, {text}, x.np)\n")

    @pytest.mark.parametrize(
        ("numpy", "cupy"),
        [
            ("    np.add.at(x, 0, 1)\n", "    cupyx.scatter_add(x, 0, 1)\n"),
            ("    return np.add(x, np.pi)  # np.pi\n", "    return cp.add(x, cp.pi)  # cp.pi\n"),
            ("    return x.np.y + snp.z\n", "    return x.np.y + snp.z\n"),
            ("    # NumPy's own\n    return x\n", "    # NumPy's own\n    return x\n"),
            (
                "    import scipy.special\n\n    return scipy.special.erf(np.abs(x))\n",
                "    import cupyx.scipy.special\n\n    return cupyx.scipy.special.erf(cp.abs(x))\n",
            ),
            (
                "    é = np.abs(x)\n    return é + np.exp(é)\n",
                "    é = cp.abs(x)\n    return é + cp.exp(é)\n",
            ),
        ],
    )
    def test_names(self, numpy, cupy):
        assert made(numpy) == cupy

    def test_imports_are_sorted_and_unused_ones_dropped(self):
        imports = (
            "import math\nimport warnings\n\nimport numpy as np\nimport numpy.typing as npt\n"
            "from scipy.special import (\n    erf,\n    gammaln,\n)"
        )
        text = cupy_text(
            reference(
                "    # values are looked at on the CPU only\n    if x:\n        warnings.warn(x)\n"
                "    y: npt.NDArray = erf(np.abs(x))\n    np.add.at(y, 0, math.pi)\n    return y\n",
                imports=imports,
            )
        )
        assert '"""\n\nimport math\n\nimport cupy as cp\nimport cupy.typing as cpt\nimport cupyx\n'
        assert text.partition('"""\n\n')[2].startswith(
            "import math\n\nimport cupy as cp\nimport cupy.typing as cpt\nimport cupyx\n"
            "from cupyx.scipy.special import erf\n\n\ndef f(x):"
        )

    @pytest.mark.parametrize(
        ("numpy", "cupy"),
        [
            # what fits after the move is joined, as ruff would
            (
                "    with np.errstate(all='ignore'):\n        return np.where(\n"
                f"            {'a' * 38}, {'b' * 38}\n        )\n",
                f"    return cp.where({'a' * 38}, {'b' * 38})\n",
            ),
            (
                "    with np.errstate(all='ignore'):\n        y = (\n"
                f"            {'a' * 42}\n            + {'b' * 42}\n        )\n",
                f"    y = {'a' * 42} + {'b' * 42}\n",
            ),
            # brackets that carry the meaning stay
            (
                "    with np.errstate(all='ignore'):\n        y = not (\n"
                f"            {'a' * 38}\n            and {'b' * 38}\n        )\n",
                f"    y = not ({'a' * 38} and {'b' * 38})\n",
            ),
            # a comma at the end asks for one a line
            (
                "    with np.errstate(all='ignore'):\n        y = g(\n            a,\n        )\n",
                "    y = g(\n        a,\n    )\n",
            ),
            (
                "    with np.errstate(all='ignore'):\n        y = [\n            a,  # why\n"
                "            b,\n        ]\n",
                "    y = [\n        a,  # why\n        b,\n    ]\n",
            ),
            # two at once, and inside other blocks
            (
                "    for y in x:\n        if y:\n"
                "            with np.errstate(all='ignore'), np.errstate(over='raise'):\n"
                "                y += 1\n        else:\n            y -= 1\n    return x\n",
                "    for y in x:\n        if y:\n            y += 1\n        else:\n"
                "            y -= 1\n    return x\n",
            ),
        ],
    )
    def test_errstate(self, numpy, cupy):
        assert made(numpy) == cupy

    def test_errstate_decorator(self):
        source = reference("    return np.abs(x)\n").replace(
            "def f", "@np.errstate(all='ignore')\ndef f"
        )
        assert "\n\n\ndef f(x):\n" in cupy_text(source)

    @pytest.mark.parametrize(
        ("numpy", "cupy"),
        [
            ("    {m}\n    if x:\n        raise E\n    return x\n", "    return x\n"),
            ("    y = x\n\n    {m}\n    if x:\n        raise E\n\n    return x\n", None),
            (
                "    {m}: why\n    # more\n    if x:\n        raise E\n    return x\n",
                "    return x\n",
            ),
            (
                "    if x:\n        {m}\n        if y:\n            raise E\n\n        y = 2\n",
                "    if x:\n        y = 2\n",
            ),
            ("    {m}\n    for y in x:\n        g(y)\n    return x\n", "    return x\n"),
            (
                "    y = '''\n    {m}\n    if x: np.\n'''\n",
                "    y = '''\n    {m}\n    if x: np.\n'''\n",
            ),
        ],
    )
    def test_looks_at_values(self, numpy, cupy):
        mark = derive.CPU_ONLY
        expected = "    y = x\n\n    return x\n" if cupy is None else cupy.format(m=mark)
        assert made(numpy.format(m=mark)) == expected

    def test_functions_not_in_cupy(self):
        source = (
            '"""D."""\n\nimport re\n\nimport numpy as np\n\n_WORD = re.compile("a")\n\n\n'
            "def _split(text):\n    return _WORD.split(text)\n\n\n"
            "# not in CuPy: plain Python\n@np.cache\ndef train(text):\n"
            '    """T."""\n    return _split(text)\n\n\n'
            'def f(x):\n    """F."""\n    return np.abs(x)\n'
        )
        text = cupy_text(source)
        assert text.partition('"""\n\n')[2] == (
            'import cupy as cp\n\n\ndef f(x):\n    """F."""\n    return cp.abs(x)\n'
        )
        assert cupy_text(source[: source.index("def f(x)")]) == ""

    def test_helper_unused_from_the_start_is_not_our_business(self):
        source = reference("    return x\n").replace("def f", "def _g():\n    pass\n\n\ndef f")
        assert "def _g" in cupy_text(source)

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ("    return np.longdouble(x)\n", r"line 8: CuPy has no np\.longdouble: write with_cu"),
            ("    return np.maximum.reduce(x)\n", r"line 8: CuPy has no np\.maximum\.reduce"),
            ("    q = np.errstate(all='raise')\n", r"CuPy has no np\.errstate"),
            ('    return f"{np.abs(x)}"\n', "line 8: np is used inside an f-string"),
            (
                "    with np.errstate(over='raise'), open(x):\n        pass\n",
                r"line 8: give np\.errstate a `with` of its own",
            ),
            ("    with np.errstate(over='raise'): x = 1\n", "put its body on a line of its own"),
            (
                "    if x:\n        {m}\n        if x:\n            raise E\n",
                "line 10: nothing would",
            ),
            ("    y = 1\n    {m}\n", "line 9: .* below it there is none"),
            ("    if x:\n        y = 1\n    {m}\n    elif y:\n        y = 2\n", "there is none"),
            (f"    {'a' * 60} = 1\n    np.add.at({'a' * 60}, {'b' * 20}, 1)\n", "has 1.. columns"),
        ],
    )
    def test_refuses(self, body, message):
        with pytest.raises(DeriveError, match=message):
            cupy_text(reference(body.replace("{m}", derive.CPU_ONLY)))

    def test_refuses_a_scalar_in_an_example(self):
        doc = "Doc.\n\n    >>> f(1)\n    np.float64(1.0)\n    "
        with pytest.raises(DeriveError, match=r"line 10: .* wrap the example in float\(\)"):
            cupy_text(reference("    return x\n", doc=doc))

    def test_refuses_a_number_made_with_numpy_in_an_example(self):
        doc = "Doc, as np.log(2).\n\n    >>> f([0.0, np.log(3.0)])\n    0\n    "
        with pytest.raises(DeriveError, match=r"line 9: .* use math in the example"):
            cupy_text(reference("    return x\n", doc=doc))

    def test_asks_a_list_of_names(self):
        known = {"abs", "linalg", "linalg.svd"}.__contains__
        source = reference("    return np.abs(np.linalg.svd(x)[0].real)\n")
        assert "cp.linalg.svd" in cupy_text(source, known=known)
        with pytest.raises(DeriveError, match=r"CuPy has no np\.linalg\.multi_dot"):
            cupy_text(source.replace("svd", "multi_dot"), known=known)
        with pytest.raises(DeriveError, match=r"CuPy has no np\.frexp2"):
            cupy_text(source.replace("abs", "frexp2"), known=known)
        with pytest.raises(DeriveError, match=r"CuPy has no np\.frexp2"):
            cupy_text(reference("    return x\n", imports="from numpy import frexp2"), known=known)

    def test_tables_agree_with_the_installed_cupy(self):
        known = derive.installed_cupy()
        if known is None:
            pytest.skip("CuPy is not installed: its names cannot be looked up")
        assert [name for name in sorted(derive.LACKING) if known(name)] == []
        assert not known("errstate")
        assert known("linalg.svd")
        import cupyx

        assert hasattr(cupyx, "scatter_add")

    def test_every_rule_has_a_reason(self):
        for _, _, reason in (*derive.SPELLINGS, *derive.DOCSTRING_SPELLINGS):
            assert reason


class TestReplace:
    def test_put_back_what_was_written(self):
        stub = stub_text(NUMPY, topic="softmax", track="numpy")
        one = "def softmax(logits):\n    return 1\n"
        written = replace_function(stub, "softmax", one)
        assert is_untouched(written, "softmax") is False
        whole = stub[stub.index("def softmax") : stub.index("\n\n\ndef online")]
        assert replace_function(written, "softmax", whole) == stub

    def test_decorators_and_comments_inside_go_with_it(self):
        source = (
            "import a\n# above stays\n@a.b(\n    1\n)\n@c\ndef f(x):\n    return 1\n\n"
            "    # return 2\n\n# below stays\nx = 1\n"
        )
        new = "def f(x):\n    raise NotImplementedError\n"
        assert replace_function(source, "f", new) == (
            "import a\n# above stays\ndef f(x):\n    raise NotImplementedError\n\n"
            "# below stays\nx = 1\n"
        )

    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    @pytest.mark.parametrize("last", [True, False])
    @pytest.mark.parametrize("mark", ["", "\ufeff"])
    def test_everything_else_byte_for_byte(self, end, last, mark):
        before = mark + 'é = "\x0c \u2028"  \n\n\n'.replace("\n", end)
        after = "" if last else "\n\ny = '''a\n  b'''\t\n".replace("\n", end)
        old = f"def f(x):{end}    return '\x0c'" + ("" if last else end)
        new = "def f(x):\n    return 2\n"
        out = replace_function(before + old + after, "f", new)
        text = f"def f(x):{end}    return 2" + ("" if last else end)
        assert out == before + text + after

    def test_mark_survives_when_the_function_comes_first(self):
        assert replace_function("\ufeffdef f():\n    pass\n", "f", "def f():\n    g\n") == (
            "\ufeffdef f():\n    g\n"
        )

    def test_mixed_line_ends(self):
        out = replace_function("a = 1\r\ndef f(): pass\nb = 2\r\n", "f", "def f():\n    g\n")
        assert out == "a = 1\r\ndef f():\r\n    g\nb = 2\r\n"

    def test_the_last_definition_counts(self):
        out = replace_function("def f(): 1\ndef f(): 2\n", "f", "def f(): 3\n")
        assert out == "def f(): 1\ndef f(): 3\n"

    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            ("", "NEW"),
            ("x = 1", "x = 1\n\n\nNEW"),
            ("x = 1\n", "x = 1\n\n\nNEW"),
            ("x = 1\n\n\n", "x = 1\n\n\nNEW"),
            ("x = 1\r\n", "x = 1\r\n\r\n\r\nNEW"),
        ],
    )
    def test_appends(self, source, expected):
        end = "\r\n" if "\r" in source else "\n"
        expected = expected.replace("NEW", f"def f():{end}    pass{end}")
        assert replace_function(source, "f", "def f():\n    pass\n") == expected

    def test_refuses_what_is_not_python(self):
        with pytest.raises(ValueError, match="cannot find f: line 2 is not Python"):
            replace_function("x = 1\ndef f(:\n", "f", "def f(): 1\n")
        for new in ("def g(): 1\n", "def f(:\n"):
            with pytest.raises(ValueError, match="new text does not define f"):
                replace_function("", "f", new)


class TestFiles:
    def test_which_files(self, tmp_path):
        files = derived_files(course(tmp_path))
        assert {p.relative_to(tmp_path).as_posix() for p in files} == {
            "reference/softmax/with_cupy.py",
            "student/softmax/with_cupy.py",
            "student/softmax/with_numpy.py",
            "student/softmax/with_torch.py",
        }

    def test_by_hand(self, tmp_path):
        path = course(tmp_path, torch=False) / "reference/softmax/with_cupy.py"
        text = '"""Softmax in CuPy.\n\nBy hand: it is fused.\n"""\n\n\ndef f():\n    """F."""\n'
        path.write_text(text, encoding="utf-8")
        files = derived_files(tmp_path)
        assert path not in files
        assert "def f()" in files[tmp_path / "student/softmax/with_cupy.py"]
        write(tmp_path)
        assert path.read_text(encoding="utf-8") == text
        assert check(tmp_path) == []
        path.write_text(text.replace("it is fused.", ""), encoding="utf-8")
        assert path in derived_files(tmp_path)

    def test_write_then_check(self, tmp_path):
        course(tmp_path)
        missing = check(tmp_path)
        assert len(missing) == 4
        assert all(line.endswith(f"is missing: {derive.COMMAND}") for line in missing)
        lines = write(tmp_path)
        assert [line.partition(" ")[0] for line in lines] == ["wrote"] * 4
        assert check(tmp_path) == []
        assert write(tmp_path) == []
        made = derived_files(tmp_path)
        assert all(path.read_bytes() == text.encode() for path, text in made.items())

    def test_check_forgives_windows_line_ends_only(self, tmp_path):
        write(course(tmp_path))
        path = tmp_path / "student/softmax/with_numpy.py"
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
        assert check(tmp_path) == []

    @pytest.mark.parametrize(
        "name", ["student/softmax/with_torch.py", "reference/softmax/with_cupy.py"]
    )
    def test_check_sees_one_character(self, tmp_path, name):
        write(course(tmp_path))
        path = tmp_path / name
        text = path.read_text(encoding="utf-8")
        place = text.index("logits")
        path.write_text(text[:place] + "L" + text[place + 1 :], encoding="utf-8", newline="\n")
        number = text[:place].count("\n") + 1
        (line,) = check(tmp_path)
        assert line == f"{name} differs from its reference at line {number}: {derive.COMMAND}"
        assert write(tmp_path) == [f"wrote {name}"]
        assert check(tmp_path) == []
        path.write_text(text + "\n", encoding="utf-8", newline="\n")
        assert len(check(tmp_path)) == 1

    def test_check_sees_strays(self, tmp_path):
        write(course(tmp_path))
        for name in ("student/softmax/with_jax.py", "student/gone/with_numpy.py"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text("", encoding="utf-8")
        assert check(tmp_path) == [
            f"{name} has no reference it could be made from: git rm {name}"
            for name in ("student/gone/with_numpy.py", "student/softmax/with_jax.py")
        ]

    def test_check_of_nothing_is_no_pass(self, tmp_path):
        assert len(check(tmp_path)) == 1
        with pytest.raises(DeriveError, match="no reference"):
            write(tmp_path)

    def test_numpy_is_always_there(self, tmp_path):
        write(course(tmp_path))
        (tmp_path / "reference/softmax/with_numpy.py").unlink()
        assert "reference/softmax/with_numpy.py is missing: write it by hand" in check(tmp_path)

    def test_problems_name_the_file_and_write_nothing(self, tmp_path):
        course(tmp_path)
        path = tmp_path / "reference/softmax/with_numpy.py"
        path.write_text(NUMPY.replace("np.tril", "np.insert"), encoding="utf-8")
        (line, *_) = check(tmp_path)
        number = NUMPY[: NUMPY.index("np.tril")].count("\n") + 1
        assert line.startswith(
            f"reference/softmax/with_numpy.py: line {number}: CuPy has no np.insert: "
        )
        with pytest.raises(DeriveError):
            write(tmp_path)
        assert not (tmp_path / "student").exists()

    def test_broken_cupy_file_is_not_overwritten(self, tmp_path):
        path = course(tmp_path) / "reference/softmax/with_cupy.py"
        path.write_text("def f(:\n", encoding="utf-8")
        assert check(tmp_path)[0] == (
            "reference/softmax/with_cupy.py: line 1: not Python: mend it or delete it"
        )
        with pytest.raises(DeriveError):
            write(tmp_path)

    def test_python_only_topic_has_no_cupy_track(self, tmp_path):
        folder = tmp_path / "reference/tokenization"
        folder.mkdir(parents=True)
        (folder / "with_numpy.py").write_text(
            '"""T."""\n\n\n# not in CuPy: plain Python\ndef f():\n    """F."""\n', encoding="utf-8"
        )
        assert list(derived_files(tmp_path)) == [tmp_path / "student/tokenization/with_numpy.py"]

    @pytest.mark.parametrize(
        ("old", "new", "reason"),
        [
            ("    raise NotImplementedError\n", "    return logits\n", "softmax is written"),
            (
                "import numpy as np\n",
                "import numpy as np\nimport re\n",
                "line 10 is not the stub's",
            ),
            ("import numpy as np\n", "import numpy as np  # mine\n", "it holds comments"),
            ("def softmax(", "def _mine():\n    return 1\n\n\ndef softmax(", "_mine is written"),
            ("def softmax(", "def softmax(:", "it is not Python"),
        ],
    )
    def test_students_work_is_kept(self, tmp_path, old, new, reason):
        write(course(tmp_path))
        path = tmp_path / "student/softmax/with_numpy.py"
        text = path.read_text(encoding="utf-8").replace(old, new, 1)
        path.write_text(text, encoding="utf-8", newline="\r\n")
        before = path.read_bytes()
        name = "student/softmax/with_numpy.py"
        assert write(tmp_path) == [f"kept {name}: {reason}; --force replaces it"]
        assert write(tmp_path, only_missing=True) == []
        assert path.read_bytes() == before
        (line,) = check(tmp_path)
        assert line.endswith(f"{derive.COMMAND} --force")
        assert write(tmp_path, only_missing=True, force=True) == []
        assert write(tmp_path, stubs=False, force=True) == []
        assert path.read_bytes() == before
        assert write(tmp_path, force=True) == [f"wrote {name}"]
        assert check(tmp_path) == []

    def test_an_old_stub_is_renewed(self, tmp_path):
        write(course(tmp_path))
        path = tmp_path / "reference/softmax/with_numpy.py"
        path.write_text(NUMPY.replace("Sum in one", "Add up in one"), encoding="utf-8")
        assert len(write(tmp_path)) == 3  # the CuPy reference and two stubs
        assert "Add up" in (tmp_path / "student/softmax/with_cupy.py").read_text(encoding="utf-8")

    def test_stub_of(self, tmp_path):
        write(course(tmp_path))
        folder = tmp_path / "reference"
        for track in ("numpy", "torch", "cupy"):
            text = stub_of(folder, "softmax", track, "softmax")
            stub = tmp_path / f"student/softmax/with_{track}.py"
            assert text.startswith("def softmax(")
            assert text.endswith("    raise NotImplementedError\n")
            assert text in stub.read_text(encoding="utf-8")
        with pytest.raises(DeriveError, match="it has: softmax, online_logsumexp, causal_mask"):
            stub_of(folder, "softmax", "numpy", "relu")
        with pytest.raises(DeriveError, match="softmax has no jax track"):
            stub_of(folder, "softmax", "jax", "softmax")


class TestCommand:
    def test_writes_checks_and_says_so(self, tmp_path, capsys):
        course(tmp_path)
        root = ["--root", str(tmp_path)]
        assert main([*root, "--check"]) == 1
        assert capsys.readouterr().out.count(" is missing: ") == 4
        assert main([*root, "--no-stubs"]) == 0
        assert capsys.readouterr().out == "wrote reference/softmax/with_cupy.py\n"
        assert main(root) == 0
        assert capsys.readouterr().out.count("wrote student/softmax/with_") == 3
        assert main(root) == 0
        assert capsys.readouterr().out == "nothing to write\n"
        assert main([*root, "--check"]) == 0
        assert capsys.readouterr().out == "every derived file is as its reference makes it\n"

    def test_fails_on_nothing(self, tmp_path, capsys):
        assert main(["--root", str(tmp_path)]) == 1
        assert main(["--root", str(tmp_path), "--check"]) == 1
        assert capsys.readouterr().out.count("no reference/<topic>/with_numpy.py") == 2

    def test_messages_are_ascii(self):
        assert Path(derive.__file__).read_bytes().isascii()


def test_texts_are_as_ruff_formats_and_lints_them(tmp_path):
    have = subprocess.run([sys.executable, "-m", "ruff", "--version"], capture_output=True)
    if have.returncode:
        pytest.skip("ruff is not installed: the made texts' format cannot be compared")
    course(tmp_path)
    # ruff joins strings written side by side, so that the sample is not quite in its format
    path = tmp_path / "reference/softmax/with_numpy.py"
    path.write_text(NUMPY.replace('asks: " f"', "asks: "), encoding="utf-8")
    write(tmp_path)
    settings = Path(__file__).parents[1] / "pyproject.toml"
    commands = (
        ["format", "--diff", tmp_path],
        # F841 and SIM102 come from the sample itself, the others from its PyTorch file
        ["check", "--ignore", "D,F841,SIM102", tmp_path / "reference/softmax/with_cupy.py"],
        ["check", "--ignore", "D,F401,N812,UP037", tmp_path / "student"],
    )
    for command, *arguments in commands:
        ruff = [sys.executable, "-m", "ruff", command, "--no-cache", "--config", settings]
        run = subprocess.run([*ruff, *arguments], capture_output=True, text=True)
        assert run.returncode == 0, run.stdout + run.stderr
