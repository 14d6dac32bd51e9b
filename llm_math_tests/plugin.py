"""The pytest plugin: options, markers, fixtures and hooks, a few lines each.

What is decided here is only what belongs to pytest; the work is done by
``session`` and ``run``, and the text is made by ``report``. Nothing heavy is
imported before an exercise of ours is collected.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from llm_math_tests import course
from llm_math_tests.exercise import LEVELS, TRACKS

if TYPE_CHECKING:
    from llm_math_tests.answers.answer import Answer
    from llm_math_tests.session import Choice, Session

SESSION = pytest.StashKey["Session"]()
RECORDS = pytest.StashKey[list[dict[str, Any]]]()
TROUBLE = pytest.StashKey[list[str]]()

_HYPOTHESIS = "hypothesispytest"


class PromiseBroken(Exception):
    """A check failed; its text is the whole report, without a traceback of ours."""


class PromiseNotRun(pytest.skip.Exception):  # type: ignore[name-defined, misc]
    """Not started, or not run: skipped to pytest, never green to us.

    Of pytest's own kind, so that neither ``--pdb`` nor an editor takes it for an error.
    """


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a whole number of 0 or more, got {text}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, got {text}")
    return seconds


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options, all in one group."""
    group = parser.getgroup("llm-math-tests", "the mathematics of language models")

    def add(name: str, **how: Any) -> None:
        try:
            # pytest 8.1 notices a clash later, and then not as a clear error.
            if name in _options_of(parser):
                raise ValueError(name)
            group.addoption(name, **how)
        except (ValueError, argparse.ArgumentError):
            text = (
                f"ERROR: llm-math-tests and another pytest plugin both define {name}. "
                "Switch the other one off with -p no:NAME, or ours with -p no:llm_math_tests."
            )
            print(text, file=sys.stderr)
            raise SystemExit(int(pytest.ExitCode.USAGE_ERROR)) from None

    add("--track", action="append", choices=TRACKS, metavar="TRACK", dest="llm_math_tracks",
        help="numpy, torch or cupy; may be repeated (default: all three)")  # fmt: skip
    add("--exercise", action="append", metavar="NAME", dest="llm_math_exercises",
        help="an exercise, a topic or a pattern such as 'softmax*'; may be repeated")  # fmt: skip
    add("--level", action="append", choices=LEVELS, metavar="LEVEL", dest="llm_math_levels",
        help="core, stable or contract; may be repeated (default: all)")  # fmt: skip
    add("--solution", default="student", metavar="WHOSE", dest="llm_math_solution",
        help="student (the default), reference, or a folder laid out like student/")  # fmt: skip
    add("--seed", type=_seed, default=0, metavar="N", dest="llm_math_seed",
        help="seed of the random inputs (default 0); every failure names it")  # fmt: skip
    add("--time-limit", type=_seconds, default=10.0, metavar="SECONDS", dest="llm_math_seconds",
        help="time an answer may take for one check (default 10)")  # fmt: skip
    add("--isolate", action="store_true", dest="llm_math_isolate",
        help="run answers in a worker process that never sees what is expected")  # fmt: skip
    add("--hint", action="store_true", dest="llm_math_hint",
        help="show the first hint below each failure")  # fmt: skip
    add("--results", type=Path, metavar="FILE", dest="llm_math_results",
        help="write every outcome to FILE as JSON")  # fmt: skip
    add("--require-gpu", action="store_true", dest="llm_math_require_gpu",
        help="fail where a GPU, PyTorch for it or CuPy is missing: no stand-ins")  # fmt: skip
    add("--benchmark", action="store_true", dest="llm_math_benchmark",
        help="also time what is right, and write a report to reports/")  # fmt: skip


def _options_of(parser: pytest.Parser) -> set[str]:
    """The option names that are registered, as far as this pytest lets itself be asked."""
    groups = [getattr(parser, "_anonymous", None), *getattr(parser, "_groups", [])]
    options = [option for group in groups for option in getattr(group, "options", [])]
    return {name for option in options for name in option.names()}


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | pytest.ExitCode | None:
    """Start again where pytest has mistaken an option's folder for its own root."""
    from llm_math_tests.command_line import joined

    args = joined(config.invocation_params.args, config.invocation_params.dir)
    if args is None or hasattr(config, "workerinput"):
        return None
    return pytest.main(args, plugins=list(config.invocation_params.plugins or ()))


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, and the benchmark's hooks where they are asked for."""
    config.addinivalue_line("markers", "exercise(name): the test of one exercise of the course")
    config.addinivalue_line(
        "markers", "claim(name): the measurement of one of the chapter's claims"
    )
    config.stash[TROUBLE] = []
    if _is_asked_for(config) and config.args_source is pytest.Config.ArgsSource.INVOCATION_DIR:
        # No file was named and no settings name the suite: it is what our options are for.
        config.args = [str(course.SUITE)]
    if config.option.llm_math_exercises or config.option.llm_math_solution != "student":
        session_of(config)
    if config.option.llm_math_require_gpu:
        from llm_math_tests.tracks.hardware import missing_for_gpu

        missing = missing_for_gpu()
        if missing:
            raise pytest.UsageError(f"--require-gpu: {'; '.join(missing)}")
    if config.option.llm_math_benchmark:
        if not config.pluginmanager.hasplugin("benchmark"):
            raise pytest.UsageError("--benchmark needs the plugin pytest-benchmark to be active")
        from llm_math_tests.benchmark_plugin import BenchmarkPlugin

        plugin = BenchmarkPlugin(config, session_of(config))
        config.pluginmanager.register(plugin, "llm_math_benchmark")


def _is_asked_for(config: pytest.Config) -> bool:
    option = config.option
    return bool(
        option.llm_math_exercises or option.llm_math_tracks or option.llm_math_levels
        or option.llm_math_solution != "student" or option.llm_math_results
        or option.llm_math_benchmark
    )  # fmt: skip


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the worker processes."""
    if SESSION in config.stash:
        config.stash[SESSION].close()


def session_of(config: pytest.Config) -> Session:
    """The run's session, made when it is first needed."""
    if SESSION not in config.stash:
        from llm_math_tests.session import Session, UnusableChoice
        from llm_math_tests.wording import wrapped

        try:
            config.stash[SESSION] = Session(_choice(config))
        except UnusableChoice as unusable:
            said = wrapped(f"ERROR: {unusable}").removeprefix("ERROR: ")  # pytest's own word
            raise pytest.UsageError(said) from None
    return config.stash[SESSION]


def _choice(config: pytest.Config) -> Choice:
    from llm_math_tests.exercises import UnknownName, matching, names
    from llm_math_tests.session import Choice, UnusableChoice, solution_of

    option = config.option
    try:
        chosen = matching(option.llm_math_exercises or ()) or names()
    except UnknownName as unknown:
        raise UnusableChoice(f"--exercise: {unknown}") from None
    wanted = option.llm_math_tracks or TRACKS
    levels = option.llm_math_levels or LEVELS
    return Choice(
        solution_of(option.llm_math_solution, config.invocation_params.dir, config.rootpath),
        chosen,
        tuple(track for track in TRACKS if track in wanted),
        tuple(level for level in LEVELS if level in levels),
        option.llm_math_seed,
        option.llm_math_seconds,
        option.llm_math_isolate,
    )


# Collection


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the files of topics that were not chosen, before they are imported."""
    if collection_path.parent != course.SUITE or not config.option.llm_math_exercises:
        return None
    from llm_math_tests.exercises import TOPICS

    topic = collection_path.stem.removeprefix("test_").removeprefix("bench_")
    chosen = session_of(config).choice.names
    return True if topic in TOPICS and not set(TOPICS[topic]) & set(chosen) else None


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Collect the suite's ``bench_*.py`` files, with ``--benchmark`` only."""
    ours = file_path.parent == course.SUITE and file_path.name.startswith("bench_")
    if parent.session.isinitpath(file_path):
        return None  # named on the command line: pytest collects it itself
    if ours and parent.config.option.llm_math_benchmark and file_path.suffix == ".py":
        return pytest.Module.from_parent(parent, path=file_path)
    return None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each chosen track and check of the exercise that the marker names."""
    marker = metafunc.definition.get_closest_marker("exercise")
    if marker is None or "promise" not in metafunc.fixturenames:
        return
    from llm_math_tests.exercises import exercise

    pairs = []
    try:
        choice = session_of(metafunc.config).choice
        if marker.args[0] in choice.names:
            pairs = choice.chosen(exercise(marker.args[0]))
    except pytest.UsageError as unusable:
        # Raised here, it would come with a traceback of ours for each file: it is raised
        # again when all are collected. A worker of xdist's must not end so.
        if hasattr(metafunc.config, "workerinput"):
            raise pytest.Collector.CollectError(str(unusable)) from None
    params = [pytest.param((track, c.name), id=f"{track}-{c.name}") for track, c in pairs]
    metafunc.parametrize("promise", params or [pytest.param(None, id="not-chosen")], indirect=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Drop what was not chosen, and put the rest in teaching order: ``-x`` stops early."""
    left_out = {item for item in items if item.name.endswith("[not-chosen]")}
    if left_out:
        session_of(config)
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]
    places = [place for place, item in enumerate(items) if item.path.parent == course.SUITE]
    if places:
        from llm_math_tests.exercises import names

        order = {name: i for i, name in enumerate(names())}
        ours = sorted((items[place] for place in places), key=lambda item: _rank(item, order))
        for place, item in zip(places, ours, strict=True):
            items[place] = item


def _rank(item: pytest.Item, order: dict[str, int]) -> tuple[bool, int]:
    """Tests before benchmarks, each in the catalogue's order."""
    marker = item.get_closest_marker("exercise")
    name = marker.args[0] if marker is not None else ""
    return item.path.name.startswith("bench_"), order.get(name, len(order))


# Running


@pytest.fixture
def promise(request: pytest.FixtureRequest) -> Callable[[Answer], None]:
    """Check one promise: ``promise(answer)`` fails with a message for the student."""
    __tracebackhide__ = True

    def keep(answer: Answer) -> None:
        __tracebackhide__ = True
        from llm_math_tests.report.failure import failure_of, is_blocked, worst_verdict
        from llm_math_tests.wording import clean

        session = session_of(request.config)
        _, check = request.param
        outcomes = session.run(answer.exercise.name, answer.track, check)
        records = [outcome.record() for outcome in outcomes]
        request.node.stash[RECORDS] = records
        verdict = worst_verdict(records)
        for printed in dict.fromkeys(r.printed for _, _, r in answer.calls if r.printed):
            print(clean(printed))  # a worker's output, where pytest shows what a test printed
        if verdict == "passed":
            return
        text = failure_of(session, records, hint=request.config.option.llm_math_hint)
        if verdict in ("not_started", "not_run") or is_blocked(session, records):
            raise PromiseNotRun(text)
        trace = next((r.traceback for _, _, r in answer.calls if r.traceback is not None), None)
        raise PromiseBroken(text).with_traceback(trace)

    return keep


@pytest.fixture
def answer(request: pytest.FixtureRequest) -> Answer:
    """The chosen solution's answer to the exercise of this test, in its track."""
    marker = request.node.get_closest_marker("exercise")
    track = request.node.callspec.params["promise"][0]
    return session_of(request.config).answer(marker.args[0], track)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Give the report our text and our records; xdist carries both to the controller."""
    report = yield
    if call.when != "call" or RECORDS not in item.stash:
        return report
    report.llm_math = item.stash[RECORDS]  # type: ignore[attr-defined]
    error = call.excinfo.value if call.excinfo is not None else None
    if isinstance(error, PromiseBroken):
        report.longrepr = str(error)
    elif isinstance(error, PromiseNotRun):
        report.outcome = "skipped"
        line = item.location[1] or 0
        report.longrepr = (str(item.path), line + 1, str(error))
    return report


def pytest_report_teststatus(
    report: pytest.CollectReport | pytest.TestReport,
) -> tuple[str, str, str] | None:
    """Say "not started", "not run" and "blocked" where pytest would say "skipped"."""
    records = getattr(report, "llm_math", None)
    if not records or report.outcome != "skipped":
        return None
    from llm_math_tests.report.failure import worst_verdict

    verdict = worst_verdict(records)
    return {
        "not_started": ("not started", "-", "NOT STARTED"),
        "not_run": ("not run", "o", "NOT RUN"),
    }.get(verdict, ("blocked", "b", "BLOCKED"))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Gather records in the one process that reports, which under xdist runs no test."""
    config = session.config
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Gatherer(config), "llm_math_gatherer")


def _spare_hypothesis(plugins: pytest.PytestPluginManager) -> None:
    """Its plugin imports all of Hypothesis, half a second, to say that nothing used it."""
    if "hypothesis" not in sys.modules and plugins.hasplugin(_HYPOTHESIS):
        plugins.unregister(name=_HYPOTHESIS)


class _Gatherer:
    """Keeps what the reports carry, decides the exit code, writes results and board."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the records that a report carries."""
        records = getattr(report, "llm_math", None)
        if records:
            from llm_math_tests.console import readable

            readable()  # what pytest would escape, line ends and all
            session_of(self._config).keep(records)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Exit 0 only if everything chosen passed; write the results file."""
        if SESSION not in self._config.stash:
            return
        _spare_hypothesis(self._config.pluginmanager)
        ours = session_of(self._config)
        nothing = not ours.outcomes and not self._runs_no_checks()
        if session.exitstatus == pytest.ExitCode.OK and (nothing or not ours.all_passed):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        path = self._config.option.llm_math_results
        if path is not None:
            from llm_math_tests.session import write_results

            try:
                write_results(self._config.invocation_params.dir / path, ours)
            except OSError as error:
                self._config.stash[TROUBLE].append(f"--results {path}: not written ({error})")
                session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def _runs_no_checks(self) -> bool:
        """Whether the run may be only to list tests, or only to time them."""
        option = self._config.option
        return bool(option.collectonly or option.llm_math_benchmark)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the board."""
        if SESSION not in self._config.stash:
            return
        from llm_math_tests.report.board import board_lines

        for line in board_lines(session_of(self._config)):
            terminalreporter.write_line(line)
        for line in self._config.stash[TROUBLE]:
            terminalreporter.write_line(f"ERROR: {line}", red=True)
