"""Pictures are made of the answers' own numbers, and claims of measurements."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from llm_math_tests import course, pictures
from llm_math_tests.bench import claims
from llm_math_tests.bench.measure import Laboratory
from llm_math_tests.bench.sampling import Effort
from llm_math_tests.exercises import names
from llm_math_tests.pictures import stability
from llm_math_tests.pictures.picture import Lines, Series
from llm_math_tests.report import plots
from llm_math_tests.run import Solution
from llm_math_tests.session import Choice, Session
from llm_math_tests.tracks import track

REFERENCE = Solution("reference", course.folder("reference"))


@pytest.fixture(scope="module")
def drawn():
    """The reference's pictures, by name."""
    session = Session(Choice(REFERENCE, names()))
    return {record["picture"]: record for record in pictures.draw(session)}


def series_of(record, panel=0):
    return {s["label"]: np.array(s["y"], float) for s in record["panels"][panel]["series"]}


class TestPictures:
    """What each picture of the chapter shows."""

    def test_all_are_drawn_from_the_reference(self, drawn):
        assert [r["picture"] for r in drawn.values() if r["status"] != "drawn"] == []
        assert {"softmax_at_temperatures", "softmax_jacobian", "activations", "gradient_survival",
                "residual_paths", "spectrum", "embedding_rows"} < set(drawn)  # fmt: skip

    def test_they_are_plain_json(self, drawn):
        json.loads(json.dumps(list(drawn.values()), allow_nan=False))

    def test_a_low_temperature_is_sharp(self, drawn):
        lines = series_of(drawn["softmax_at_temperatures"])
        assert lines["T = 0.25"].max() > 0.9
        assert lines["T = 8"].max() < 0.3
        for line in lines.values():
            assert math.isclose(line.sum(), 1, rel_tol=1e-12)

    def test_fifty_sigmoid_layers_leave_nothing_and_relu_all(self, drawn):
        left = series_of(drawn["gradient_survival"])
        assert left["sigmoid"][-1] < 1e-29
        assert left["relu"][-1] == 1

    def test_residual_paths_keep_the_gradient(self, drawn):
        norms = series_of(drawn["residual_paths"])
        assert 0.1 < norms["with residual paths"][-1] < 1e6
        assert norms["without"][-1] < 1e-6 * norms["with residual paths"][-1]

    def test_three_directions_hold_the_variance(self, drawn):
        explained = series_of(drawn["spectrum"], 1)["explained"]
        assert explained[2] > 0.9
        assert math.isclose(explained[-1], 1, rel_tol=1e-9)

    def test_only_rows_of_the_batch_received_gradient(self, drawn):
        lines = series_of(drawn["embedding_rows"], 1)
        norm, count = lines["norm of the gradient"], lines["times in the batch"]
        assert ((norm > 0) == (count > 0)).all()
        assert 0 < (norm > 0).sum() < norm.size

    def test_every_exercise_that_scales_has_a_curve(self, drawn):
        curves = [picture.name for picture in stability.pictures()]
        assert len(curves) >= 46
        assert set(curves) <= set(drawn)

    @pytest.mark.parametrize("name", [picture.name for picture in stability.pictures()])
    def test_the_references_curves_stay_near_their_precision(self, drawn, name):
        limits = {"float64": 1e-12, "float32": 1e-4, "float16": 0.3, "bfloat16": 0.5}
        for label, errors in series_of(drawn[name]).items():
            assert np.nanmax(errors) <= limits[label], label

    def test_a_naive_softmax_breaks_in_its_curve(self, tmp_path):
        file = tmp_path / "student" / "softmax" / "with_numpy.py"
        file.parent.mkdir(parents=True)
        file.write_text(
            "import numpy as np\n\n\ndef softmax(logits, temperature=1.0, axis=-1):\n"
            "    e = np.exp(logits / temperature)\n    return e / e.sum(axis, keepdims=True)\n"
        )
        session = Session(Choice(Solution("student", tmp_path / "student"), ("softmax",)))
        found = {record["picture"]: record for record in pictures.draw(session)}
        assert series_of(found["stability_softmax"])["float32"][-1] == 100
        assert found["stability_softmax"]["answer"] == "student"

    def test_what_is_not_started_is_said_and_not_drawn(self, tmp_path):
        (tmp_path / "student").mkdir()
        session = Session(Choice(Solution("student", tmp_path / "student"), ("softmax",)))
        for record in pictures.draw(session):
            assert record["status"] == "not_run"
            assert record["reason"] == "needs softmax, which is not started"

    def test_a_wrong_answer_does_not_lose_the_report(self, tmp_path):
        file = tmp_path / "student" / "softmax" / "with_numpy.py"
        file.parent.mkdir(parents=True)
        file.write_text("def softmax(logits, temperature=1.0, axis=-1):\n    return 'nonsense'\n")
        session = Session(Choice(Solution("student", tmp_path / "student"), ("softmax",)))
        for record in pictures.draw(session):
            assert record["status"] == "not_run"
            assert "softmax" in record["reason"]


class TestPlots:
    """The drawings are well-formed and hold what the records hold."""

    def test_every_picture_is_well_formed(self, drawn):
        for record in drawn.values():
            for panel in record["panels"]:
                root = ElementTree.fromstring(f"<div>{plots.panel(panel)}</div>")
                marks = root.findall(".//path") + root.findall(".//rect")
                assert marks, record["picture"]
                assert "nan" not in ElementTree.tostring(root, encoding="unicode").lower()

    def test_what_is_not_finite_leaves_a_gap(self):
        import dataclasses

        line = Series("a", (1.0, 2.0, 3.0, 4.0), (1.0, None, 3.0, 4.0))
        text = plots.panel(dataclasses.asdict(Lines("t", "x", "y", (line,))))
        path = text.split('class="line series0"')[1].split(' d="')[1].split('"')[0]
        assert path.count("M") == 2

    def test_nothing_finite_is_said(self):
        import dataclasses

        line = Series("a", (1.0,), (None,))
        assert "Nothing finite" in plots.panel(dataclasses.asdict(Lines("t", "x", "y", (line,))))


class TestClaims:
    """A claim is borne out by what was measured, and not by being said."""

    def bench(self, **functions):
        quick = Effort(seconds=0.02, fewest=7, fewest_when_slow=7)
        return claims.Workbench(track("numpy"), "cpu", functions.__getitem__, quick)

    def test_the_names_are_the_suites(self):
        text = (course.SUITE / "bench_claims.py").read_text(encoding="utf-8")
        for one in claims.CLAIMS:
            assert f'@pytest.mark.claim("{one.name}")' in text
            assert set(one.needs) <= set(names())

    def test_flash_attention_that_builds_the_matrix_is_found_out(self):
        def plain(q, k, v):
            return (q @ k.T) @ v

        found = claims.claim("flash_memory_grows_with_n").measure(
            self.bench(flash_attention=plain, scaled_dot_product_attention=plain)
        )
        assert not found.bears_out
        assert found.figures["power_flash"] > 1.7

    def test_keeping_every_activation_is_found_out(self):
        def keeps_all(layers, x, grad_output):
            kept = []
            for forward, _ in layers:
                kept.append(x)
                x = forward(x)
            for (_, backward), given in zip(reversed(layers), reversed(kept), strict=True):
                grad_output = backward(grad_output, given)
            return grad_output

        found = claims.claim("checkpointing_trades_time_for_memory").measure(
            self.bench(checkpointed_backward=keeps_all)
        )
        assert not found.bears_out

    def test_a_solution_behind_isolate_does_not_run_here(self, tmp_path):
        file = tmp_path / "student" / "softmax" / "with_numpy.py"
        file.parent.mkdir(parents=True)
        text = (course.folder("reference") / "softmax" / "with_numpy.py").read_text()
        file.write_text(text + "\nimport os\nTHERE = os.getpid()\n")
        student = Solution("student", tmp_path / "student")
        for isolate, whose in ((False, "student"), (True, "reference")):
            session = Session(Choice(student, ("softmax",), isolate=isolate))
            found, label = Laboratory(session).right_functions(["softmax"], "numpy")
            session.close()
            assert label == whose
            assert ("THERE" in found["softmax"].__globals__) is not isolate

    def test_memory_is_the_most_alive_at_once(self):
        bench = self.bench()
        eight = np.ones(1_000_000)
        assert 15e6 < bench.peak(lambda: (eight + 1) + (eight + 2)) < 26e6

    def test_a_ratio_comes_with_its_interval(self):
        ratio = claims.Ratio(2.0, 1.5, 2.5)
        assert str(ratio) == "2.00 times (1.50 to 2.50 at 95 %)"


def test_the_report_holds_both(pytester, tmp_path):
    """One benchmark run writes the pictures and the claims beside the timings."""
    pytester.makeini("[pytest]")
    result = pytester.runpytest(
        "--benchmark", "--solution=reference", "--track", "numpy",
        "--exercise", "two_layer_*", "--exercise", "softmax",
        "-k", "claim or backward_costs or bench_softmax", "--benchmark-max-time=0.02",
    )  # fmt: skip
    result.stdout.fnmatch_lines(["*claims, measured*", "The backward pass costs about twice*"])
    folder = next(path.parent for path in Path(pytester.path).glob("reports/*/report.html"))
    measured = json.loads((folder / "claims.json").read_text(encoding="utf-8"))
    assert [(m["claim"], m["status"]) for m in measured] == [
        ("backward_costs_twice_forward", "measured")
    ]
    assert measured[0]["answers"] == {
        "two_layer_forward": "reference", "two_layer_backward": "reference",
    }  # fmt: skip
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert measured[0]["says"] in page
    assert 'id="softmax_at_temperatures"' in page
    assert measured[0]["says"] in (folder / "summary.md").read_text(encoding="utf-8")
    assert json.loads((folder / "pictures.json").read_text(encoding="utf-8"))


def test_a_claim_never_mixes_one_persons_forward_with_anothers_backward(tmp_path):
    file = tmp_path / "backprop" / "with_numpy.py"
    file.parent.mkdir()
    text = (course.folder("reference") / "backprop" / "with_numpy.py").read_text(encoding="utf-8")
    broken = "\n\ndef two_layer_forward(x, w1, w2):\n    return x, ()\n"
    file.write_text(text + broken, encoding="utf-8")
    session = Session(Choice(Solution("student", tmp_path), tracks=("numpy",)))
    laboratory = Laboratory(session)
    found, whose = laboratory.right_functions(("two_layer_forward", "two_layer_backward"), "numpy")
    assert whose == "reference"
    assert {Path(one.__code__.co_filename).parent.parent.name for one in found.values()} == {
        "reference"
    }
    session.close()
