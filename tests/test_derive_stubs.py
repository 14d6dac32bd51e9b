"""Stubs: what they keep, whether one is untouched, and one put back into a file."""

import ast
import subprocess
import sys
import warnings

import pytest
from derive_sample import NUMPY, TORCH, docstrings, functions

from llm_math_tests.derive import DeriveError, cupy_text, is_untouched, replace_function, stub_text
from llm_math_tests.derive.stubs import COMMON


class TestStub:
    def test_of_numpy_whole(self):
        text = stub_text(NUMPY, topic="softmax", track="numpy")
        assert text.startswith(
            '"""Softmax in NumPy: your answers.\n\n'
            "Write the body of each function below, then run: pytest -k softmax --track numpy\n\n"
            f'{COMMON}\n"""\n\n'
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
            "import sys; before = set(sys.modules); import llm_math_tests.derive.untouched;"
            "print(*sorted({m.partition('.')[0] for m in set(sys.modules) - before}))"
        )
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        heavy = {"argparse", "cupy", "dataclasses", "inspect", "numpy", "pytest", "torch"}
        assert not heavy & set(run.stdout.split())

    def test_loads_no_other_part_of_the_package(self):
        code = (
            "import sys; import llm_math_tests.derive.untouched;"
            "print(*(m for m in sys.modules if m.startswith('llm_math_tests.derive.')))"
        )
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        package = "llm_math_tests.derive."
        assert set(run.stdout.split()) == {f"{package}syntax", f"{package}untouched"}


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
