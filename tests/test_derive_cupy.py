"""CuPy references made from NumPy references, rule by rule."""

import ast

import pytest
from derive_sample import NUMPY, docstrings, functions, made, reference

from llm_math_tests.derive import DeriveError, cupy_text, installed_cupy, stub_text
from llm_math_tests.derive.spellings import (
    CPU_ONLY,
    DEVICE_SENTENCE,
    DOCSTRING_SPELLINGS,
    LACKING,
    SPELLINGS,
)


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
            sentence = f"        device: {DEVICE_SENTENCE}\n"
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
        mark = CPU_ONLY
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
            cupy_text(reference(body.replace("{m}", CPU_ONLY)))

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
        known = installed_cupy()
        if known is None:
            pytest.skip("CuPy is not installed: its names cannot be looked up")
        assert [name for name in sorted(LACKING) if known(name)] == []
        assert not known("errstate")
        assert known("linalg.svd")
        import cupyx

        assert hasattr(cupyx, "scatter_add")

    def test_every_rule_has_a_reason(self):
        for _, _, reason in (*SPELLINGS, *DOCSTRING_SPELLINGS):
            assert reason
