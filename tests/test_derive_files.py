"""The files below a root: which there are, and the care for students' work."""

import subprocess
import sys
from pathlib import Path

import pytest
from derive_sample import NUMPY, course

from llm_math_tests import derive
from llm_math_tests.derive import DeriveError, check, derived_files, stub_of, write
from llm_math_tests.derive.__main__ import main
from llm_math_tests.derive.references import COMMAND


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
        assert all(line.endswith(f"is missing: {COMMAND}") for line in missing)
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
        assert line == f"{name} differs from its reference at line {number}: {COMMAND}"
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
                "line 14 is not the stub's",
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
        assert line.endswith(f"{COMMAND} --force")
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
        for path in Path(derive.__file__).parent.glob("*.py"):
            assert path.read_bytes().isascii()


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
