"""The catalogue's honesty: stubs, references, mistakes, unusual answers, derived texts."""

from __future__ import annotations

import ast
import importlib
from collections import Counter

import pytest

from llm_math_tests import course, derive, honesty, tracks
from llm_math_tests.answers.answer import parameters_of
from llm_math_tests.answers.in_process import InProcess
from llm_math_tests.answers.worker import Worker
from llm_math_tests.exercise import LEVELS, TRACKS
from llm_math_tests.exercises import TOPICS, UnknownName, exercise, exercises, matching, names
from llm_math_tests.run import Engine, Solution, run_exercise

REFERENCE = Solution("reference", course.folder("reference"))

EACH = pytest.mark.parametrize("name", names())
EACH_TRACK = pytest.mark.parametrize(
    ("name", "track"),
    [
        pytest.param(name, track, marks=[pytest.mark.torch] if track == "torch" else [])
        for name in names()
        for track in TRACKS
    ],
)
UNUSUAL = [
    pytest.param(
        entry.name, where, marks=[pytest.mark.torch] if track == "torch" else [],
        id=f"{entry.name}-{how}-{track}",
    )
    for entry in exercises()
    for how, track, where in honesty.unusual_answers(entry)
]  # fmt: skip


@pytest.mark.parametrize("topic", TOPICS)
def test_the_index_lists_what_the_topics_define(topic):
    module = importlib.import_module(f"llm_math_tests.exercises.{topic}")
    assert tuple(entry.name for entry in module.EXERCISES) == TOPICS[topic]
    assert {entry.topic for entry in module.EXERCISES} == {topic}


@EACH
def test_an_entry_is_whole(name):
    entry = exercise(name)
    assert 2 <= len(entry.hints) <= 3
    assert entry.bench is not None or entry.no_bench
    assert {check.level for check in entry.checks} == set(LEVELS)
    for group in (entry.checks, entry.mistakes, *(check.cases for check in entry.checks)):
        assert group
        assert max(Counter(one.name for one in group).values()) == 1
    for check in entry.checks:
        # A relation carries no points: one exercise's grade must not hang on another's.
        assert check.points >= (0 if check.needs else 1)
        assert not {*check.needs} - {*names()}
        assert set(check.tracks) <= set(TRACKS)


@EACH_TRACK
def test_the_signature_is_the_contracts(name, track):
    entry = exercise(name)
    path = course.folder("reference") / entry.topic / f"with_{track}.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    node = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name)
    assert parameters_of(f"{name}({ast.unparse(node.args)})") == parameters_of(
        entry.signature_in(track)
    )


@EACH_TRACK
def test_the_stub_is_not_started(name, track):
    engine = Engine(Solution("student", course.folder("student")), InProcess())
    outcomes = run_exercise(engine, exercise(name), track)
    assert outcomes
    assert {outcome.verdict for outcome in outcomes} == {"not_started"}


@EACH_TRACK
def test_the_reference_passes_in_both_rooms(name, track, room):
    engine = Engine(REFERENCE, room)
    bad = [o for o in run_exercise(engine, exercise(name), track) if o.verdict != "passed"]
    assert not bad, bad[0].message


def test_the_rooms_agree_on_a_wrong_answer_too():
    entry = exercise("softmax")
    found = []
    for made in (InProcess(), Worker()):
        from llm_math_tests import mistakes
        from llm_math_tests.answers.answer import Answer

        for mistake in entry.known_mistakes:
            if mistake.track != "numpy":
                continue
            engine = Engine(REFERENCE, made)
            where = mistakes.answer_with(entry, mistake).where
            engine.adopt(Answer(entry, where, made, "mistake"))
            found.append(
                [(o.check, o.case, o.verdict, o.mistake, o.message)
                 for o in run_exercise(engine, entry, "numpy")]
            )  # fmt: skip
        made.close()
    half = len(found) // 2
    assert found[:half] == found[half:]


@EACH
def test_known_mistakes_are_caught_and_every_check_catches_one(name):
    """One test an exercise: each of its mistakes is tried once, against all checks."""
    entry = exercise(name)
    tried = [
        honesty.try_mistake(entry, mistake)
        for mistake in entry.known_mistakes
        if not tracks.unavailable(mistake.track)
    ]
    assert [one.mistake for one in tried if not one.caught] == []
    assert {one.mistake: set(one.called) for one in tried if one.misnamed} == {}
    if not tracks.unavailable("torch"):
        biting = {check for one in tried for check in one.caught_by}
        assert {check.name for check in entry.checks} - biting == set()


@EACH
def test_there_are_enough_mistakes_and_unusual_answers(name):
    entry = exercise(name)
    unusual = [how for how, track, _ in honesty.unusual_answers(entry)]
    if not entry.fewer:
        assert len(entry.mistakes) >= 6
        assert len(unusual) >= 3 or tracks.unavailable("torch")


@pytest.mark.parametrize(("name", "where"), UNUSUAL)
def test_a_right_but_unusual_answer_passes(name, where):
    bad = [o for o in honesty.try_unusual(exercise(name), where) if o.verdict != "passed"]
    assert not bad, bad[0].message


def test_derived_texts_are_current():
    assert derive.check(course.CHECKOUT) == []


def test_names_are_matched_and_unknown_ones_get_an_offer():
    assert matching(["log*"]) == ("log_softmax", "logsumexp")
    assert set(matching(["attention"])) == set(TOPICS["attention"])
    assert matching(["softmax"]) == ("softmax",)
    with pytest.raises(UnknownName, match="did you mean cross_entropy"):
        matching(["crossentropy"])


def test_an_edit_that_no_longer_fits_is_an_error():
    from dataclasses import replace

    from llm_math_tests.mistakes import EditDoesNotFit, text_with

    entry = exercise("softmax")
    for text in ("no such text", "scores"):
        with pytest.raises(EditDoesNotFit, match="not once"):
            text_with(entry, replace(entry.mistakes[0], instead_of=text))
