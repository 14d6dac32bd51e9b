"""The hooks that ``--benchmark`` adds: rows as tests, and a report at the end.

The numbers come from ``bench`` and the files from ``report``. pytest-benchmark
keeps its part (table, JSON, save, compare): every row's samples are replayed
through the ``timer`` of its marker, so that what it shows is what was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from llm_math_tests.bench.plan import Row, rows_of

if TYPE_CHECKING:
    from llm_math_tests.bench.measure import Laboratory, Timing
    from llm_math_tests.session import Session

MANY_PROCESSES = "timing needs one process: run pytest --benchmark without -n"
_DEFAULT_MAX_TIME = 1.0
_DEFAULT_MIN_ROUNDS = 5


class Replay:
    """A timer for pytest-benchmark that tells it the samples that were taken."""

    __name__ = "interleaved_sampler"

    def __init__(self) -> None:
        self._samples: list[float] = []
        self._now = 0.0

    def __call__(self) -> float:
        """The time, as pytest-benchmark reads it before and after a call."""
        return self._now

    def run(self, benchmark: Any, samples: tuple[float, ...]) -> None:
        """Let pytest-benchmark run a call a sample; its statistics are the samples'."""
        self._samples = list(reversed(samples))
        # From zero each time: the difference of two readings is then the sample exactly.
        benchmark.pedantic(self._advance, setup=self._reset, rounds=len(samples))

    def _reset(self) -> None:
        self._now = 0.0

    def _advance(self) -> None:
        # --benchmark-cprofile calls once more than there are samples.
        self._now = self._samples.pop() if self._samples else 0.0


class _NotTimed(Exception):
    """Tells pytest-benchmark that there is nothing to keep of a test."""


class BenchmarkPlugin:
    """Registered where ``--benchmark`` is given."""

    def __init__(self, config: pytest.Config, session: Session) -> None:
        self._config = config
        self._session = session
        self._rows: dict[tuple[str, str], Row] = {}
        self._replays: dict[Row, Replay] = {}
        self._book: dict[Row, Timing] = {}
        self._measured: set[tuple[str, str, str]] = set()
        self._claims: list[dict[str, Any]] = []
        self._laboratory: Laboratory | None = None
        self._folder: Path | None = None
        self._written: Path | None = None
        self._trouble = ""
        self._summary: list[str] = []
        self._claimed: list[str] = []
        self._timing_is_off = bool(config.getoption("benchmark_disable"))
        if config.getoption("benchmark_enable"):
            self._timing_is_off = False
        self._is_worker = hasattr(config, "workerinput")
        self._many_processes = self._is_worker or config.getoption("dist", "no") != "no"
        # The suite's bench files hold functions named bench_...; nothing else is changed.
        patterns = config.getini("python_functions")
        self._leave_others_alone = not any(p.startswith("bench") for p in patterns)
        config.addinivalue_line("python_functions", "bench_*")

    # Collection

    def pytest_pycollect_makeitem(
        self, collector: pytest.Module, name: str, obj: object
    ) -> list[pytest.Item] | None:
        """Leave functions called bench_... alone that are not the course's."""
        if self._leave_others_alone and name.startswith("bench_") and callable(obj):
            marks = getattr(obj, "pytestmark", [])
            if not any(mark.name in ("exercise", "claim") for mark in marks):
                return []
        return None

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """A test for each row of the exercise, or each device of the claim, that is marked."""
        self._generate_claims(metafunc)
        marker = metafunc.definition.get_closest_marker("exercise")
        if marker is None or "timing" not in metafunc.fixturenames:
            return
        from llm_math_tests.exercises import exercise

        rows = []
        if marker.args[0] in self._session.choice.names:
            rows = rows_of(exercise(marker.args[0]), self._session.choice)
        params = [self._param(row) for row in rows]
        metafunc.parametrize("timing", params or [pytest.param("", id="not-chosen")], indirect=True)

    def _generate_claims(self, metafunc: pytest.Metafunc) -> None:
        marker = metafunc.definition.get_closest_marker("claim")
        if marker is None or "claim" not in metafunc.fixturenames:
            return
        from llm_math_tests.bench.claims import claim, places

        one, choice = claim(marker.args[0]), self._session.choice
        asked = places(choice.tracks) if set(one.needs) <= set(choice.names) else []
        params = [pytest.param((one.name, *place), id="-".join(place)) for place in asked]
        metafunc.parametrize(
            "claim", params or [pytest.param(None, id="not-chosen")], indirect=True
        )

    @pytest.fixture
    def claim(self, request: pytest.FixtureRequest) -> Callable[[], None]:
        """Measure a claim of the chapter on one device: ``claim()`` notes what was found."""
        __tracebackhide__ = True

        def measure() -> None:
            __tracebackhide__ = True
            if self._many_processes or self._timing_is_off:
                pytest.skip(MANY_PROCESSES if self._many_processes else "timing is off")
            from llm_math_tests.bench.claims import claim, examine

            name, track, device = request.param
            found = examine(claim(name), track, device, self._lab())
            self._claims.append(found)
            if found["status"] == "error":
                pytest.fail(f"not measured: {found['reason']}", pytrace=False)
            if found["status"] == "not_run":
                pytest.skip(found["reason"])

        return measure

    def _param(self, row: Row) -> Any:
        self._rows[row.exercise, row.name] = row
        replay = self._replays.setdefault(row, Replay())
        mark = pytest.mark.benchmark(timer=replay, group=" ".join(row.group))
        # A name and not the row: parameters go into pytest-benchmark's JSON.
        return pytest.param(row.name, id=row.name, marks=mark)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Open the book for the rows that were selected, and a folder for the report."""
        chosen = {self._row_of(item) for item in session.items}
        # In the catalogue's order, whoever has shuffled the tests.
        order = self._session.choice.names
        rows = [row for row in self._rows.values() if row in chosen]
        rows.sort(key=lambda row: order.index(row.exercise))
        measures = rows or any("claim" in getattr(i, "fixturenames", ()) for i in session.items)
        if not measures or self._many_processes or self._timing_is_off:
            return
        if self._config.getoption("collectonly") or self._config.getoption("benchmark_skip"):
            return
        from llm_math_tests.bench.measure import Timing
        from llm_math_tests.report.folder import Unwritable, new_folder

        self._book = {row: Timing(row) for row in rows}
        try:
            self._folder = new_folder(self._config.rootpath / "reports")
        except Unwritable as error:
            # Said now and not after minutes of measuring; the tests run on.
            self._trouble = f"no report will be written: {error}"
            self._say(f"ERROR: {self._trouble}")

    def _row_of(self, item: pytest.Item) -> Row | None:
        marker = item.get_closest_marker("exercise")
        callspec = getattr(item, "callspec", None)
        if marker is None or callspec is None or "timing" not in callspec.params:
            return None
        return self._rows.get((marker.args[0], callspec.params["timing"]))

    # Running

    @pytest.fixture
    def timing(self, request: pytest.FixtureRequest, benchmark: Any) -> Callable[[], None]:
        """Time one row: ``timing()`` measures its group and reports its samples."""
        __tracebackhide__ = True
        row = self._row_of(request.node)
        assert row is not None

        def run() -> None:
            __tracebackhide__ = True
            if self._many_processes:
                pytest.skip(MANY_PROCESSES)
            timing = self._measure(row)
            if timing.status == "timed":
                self._note(benchmark, timing)
                self._replays[row].run(benchmark, timing.samples)
            elif timing.raised:
                self._give_up(benchmark)
                pytest.fail(f"not timed: {timing.reason}", pytrace=False)
            else:
                pytest.skip(_in_words(timing.status, timing.reason))

        return run

    def _measure(self, row: Row) -> Timing:
        from llm_math_tests.bench.measure import Timing

        if row.group not in self._measured:
            group = [t for other, t in self._book.items() if other.group == row.group]
            if not group:
                # Timing is switched off: run this row once, as pytest-benchmark would.
                once = Timing(row)
                self._lab().measure([once])
                return once
            self._measured.add(row.group)
            self._lab().measure(group)
        return self._book[row]

    def _lab(self) -> Laboratory:
        if self._laboratory is None:
            from llm_math_tests.bench.measure import Laboratory
            from llm_math_tests.bench.sampling import Effort

            if self._timing_is_off:
                effort = Effort(0.0, fewest=1, fewest_when_slow=1, most=1)
            else:
                effort = _effort(
                    float(self._config.getoption("benchmark_max_time")),
                    int(self._config.getoption("benchmark_min_rounds")),
                )
            self._laboratory = Laboratory(self._session, effort)
        return self._laboratory

    def _note(self, benchmark: Any, timing: Timing) -> None:
        row = timing.row
        benchmark.extra_info.update(
            exercise=row.exercise, topic=row.topic, track=row.track, device=row.device,
            implementation=row.implementation, size=row.size, dtype=row.dtype,
            max_rel_error=timing.max_rel_error if timing.max_rel_error >= 0 else None,
            clock=self._lab().clocks.get(row.device, ""), stopped=timing.stopped,
        )  # fmt: skip

    @staticmethod
    def _give_up(benchmark: Any) -> None:
        def fail() -> None:
            raise _NotTimed

        with suppress(_NotTimed):
            benchmark.pedantic(fail)

    # The end

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the report, whatever ended the run; the exit code says what is missing."""
        if not self._measured and not self._claims:
            if self._folder is not None:
                self._folder.rmdir()
            return
        self._report()
        if session.exitstatus != pytest.ExitCode.OK:
            return
        unfit = ("wrong", "error", "not_started")
        if self._trouble or any(t.status in unfit for t in self._book.values()):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _report(self) -> None:
        from llm_math_tests.bench.records import records
        from llm_math_tests.report import environment, terminal, write
        from llm_math_tests.report.frame import frame

        laboratory = self._lab()
        table = frame(records(self._book.values()))
        facts = environment.facts(
            laboratory, ["pytest", *map(str, self._config.invocation_params.args)]
        )
        self._summary = terminal.lines(table) if len(table) else []
        self._claimed = terminal.claim_lines(self._claims)
        if self._folder is not None:
            from llm_math_tests import pictures

            drawn = pictures.draw(self._session)
            try:
                self._written = write.report(self._folder, table, facts, self._claims, drawn)
            except OSError as error:
                self._trouble = f"no report was written: {error}"

    @pytest.hookimpl(wrapper=True)
    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> Generator[None, None, None]:
        """A short table below pytest-benchmark's wide one, also where that one raises."""
        try:
            return (yield)
        finally:
            self._summarize(terminalreporter)

    def _summarize(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._many_processes and not self._is_worker:
            terminalreporter.write_line(f"benchmark: {MANY_PROCESSES}; no report was written")
        elif self._timing_is_off:
            terminalreporter.write_line("benchmark: timing is off, no report was written")
        for title, said in (("timing", self._summary), ("claims, measured", self._claimed)):
            if said:
                terminalreporter.section(title)
            for line in said:
                terminalreporter.write_line(line)

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """The report's path is the last thing said."""
        if self._trouble:
            self._say(f"ERROR: {self._trouble}")
        if self._written is not None:
            self._say(f"report: {_below(self._written, self._config.invocation_params.dir)}")

    def _say(self, line: str) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.ensure_newline()
            reporter.write_line(line)


def _effort(max_time: float, min_rounds: int) -> Any:
    """The default effort, or what pytest-benchmark's own options ask for."""
    from llm_math_tests.bench.sampling import Effort

    default = Effort()
    return Effort(
        seconds=default.seconds if max_time == _DEFAULT_MAX_TIME else max_time,
        fewest=default.fewest if min_rounds == _DEFAULT_MIN_ROUNDS else min_rounds,
        fewest_when_slow=(
            default.fewest_when_slow if min_rounds == _DEFAULT_MIN_ROUNDS else min_rounds
        ),
    )


def _in_words(status: str, reason: str) -> str:
    if status == "not_run" or reason.replace(" ", "_") == status:
        return reason
    return f"not timed: {reason}"


def _below(path: Path, start: Path) -> str:
    try:
        return path.relative_to(start).as_posix()
    except ValueError:
        return str(path)
