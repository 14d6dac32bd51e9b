"""The trusted side of lending: which of our functions an answer may lean on, and calling them.

While an exercise is being asked, the functions of the course that come before it are ours
where the same person has not started theirs. One that comes later stays a stub: otherwise
softmax could be the exponential of our log_softmax. One that is started is never replaced,
right or wrong.

In this process the answer calls ours as it is. A worker sends the arguments here; what the
answer's own functions return, where ours is handed some, it sends with the next request, and
ours is run again up to the call that is still open.
"""

from __future__ import annotations

import builtins
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from llm_math_tests import course
from llm_math_tests.answers.borrowed import DEVICE, FUNCTION, HANDED, LEAF
from llm_math_tests.answers.door import Where
from llm_math_tests.answers.errstate import usual_errstate
from llm_math_tests.answers.leaning import NotLent
from llm_math_tests.answers.perform import Table
from llm_math_tests.answers.source import started, started_in, text_of
from llm_math_tests.answers.time_limit import TimeLimit, TimeLimitReached
from llm_math_tests.answers.values import MOST_GIVEN, Blocks, Given, Odd, Value, arrays_in, plain
from llm_math_tests.exercises import TOPICS, names
from llm_math_tests.tracks import track as track_called

if TYPE_CHECKING:
    from llm_math_tests.answers.in_process import InProcess

_MOST_BYTES = 2 << 30
"""Memory that ours may take for one call from a worker."""
_DECOMPOSES = ("spectral", "jacobian")
"""The topics whose functions decompose a matrix: in LAPACK no time limit reaches them."""
_MOST_WORK = 1 << 24
"""The most numbers in a matrix there, times its shorter side: a fraction of a second."""


@dataclass(frozen=True)
class Shelf:
    """The texts of a folder's files in one track, as they were before any of them ran."""

    texts: dict[str, str | None]

    @classmethod
    def of(cls, root: Path, track: str) -> Shelf:
        """Read them all."""
        paths = {topic: root / topic / f"with_{track}.py" for topic in TOPICS}
        return cls({t: text_of(path) if path.exists() else "" for t, path in paths.items()})

    def started(self, topic: str, name: str) -> bool | None:
        """Whether a function was somebody's own; None if its file could not be read."""
        text = self.texts[topic]
        return None if text is None else started_in(text, name)


@dataclass(frozen=True)
class Lender:
    """Lends to one answer."""

    exercise: str
    where: Where

    def refusal(self, track: str, name: str, shelf: Shelf | None = None) -> str | None:
        """Why ours of that name is not lent, or None."""
        order = names()
        if name not in order or self.exercise not in order:
            return f"{name} is not started"
        if track != self.where.track:
            return f"{name} is not started in {track}, and this is {self.where.track}"
        if name == self.exercise:
            return f"{name} must not lean on itself"
        if order.index(name) > order.index(self.exercise):
            return f"{self.exercise} must not lean on {name}, a later exercise"
        if self._started(name, shelf) is not False:
            return f"{name} cannot be lent: there is one in your file already"
        return None

    def _started(self, name: str, shelf: Shelf | None) -> bool | None:
        topic = _topic(name)
        if topic == self.where.topic and self.where.text is not None:
            return started(self.where, name)
        if shelf is not None:
            return shelf.started(topic, name)
        path = self.where.root / topic / f"with_{self.where.track}.py"
        return started(replace(self.where, topic=topic, path=path, text=None), name)

    def lend(self, track: str, name: str, table: Any) -> Callable[..., Any]:
        """Ours, to be called in this process."""
        refusal = self.refusal(track, name)
        if refusal is not None:
            raise NotLent(refusal)
        ours = _ours(name, track)

        def called(*args: Any, **kwargs: Any) -> Any:
            try:
                return ours(*args, **kwargs)
            except Exception as error:
                if _only_through(ours, error.__traceback__):
                    # Nobody's debugger needs to stop in ours: that would be the solution.
                    raise error.with_traceback(None) from None
                raise

        return called


def _topic(name: str) -> str:
    return next(topic for topic, members in TOPICS.items() if name in members)


def _work(args: Value) -> int:
    """What decomposing the largest matrix costs: its numbers, times its shorter side."""
    matrices = [plain(array) for array in arrays_in(args) if plain(array).ndim > 1]
    return max((matrix.size * min(matrix.shape[-2:]) for matrix in matrices), default=0)


@cache
def _room() -> InProcess:
    from llm_math_tests.answers.in_process import InProcess

    return InProcess()


def _ours(name: str, track: str) -> Callable[..., Any]:
    topic = _topic(name)
    root = course.folder("reference")
    where = Where(topic, track, root / topic / f"with_{track}.py", root)
    return _room().function(where, name)


def _only_through(ours: Callable[..., Any], trace: TracebackType | None) -> bool:
    """Whether a traceback meets no file of answers but ours."""
    while trace is not None:
        space = trace.tb_frame.f_globals
        mine = space is ours.__globals__
        if str(space.get("__name__")).startswith("_answers_") and not mine:
            return False
        trace = trace.tb_next
    return True


class Desk:
    """Serves one call from a worker: what it used is counted here."""

    def __init__(
        self, lender: Lender, shelf: Shelf, asked: set[str], live: list[Blocks | Given]
    ) -> None:
        self._lender = lender
        self._shelf = shelf
        self._asked = asked
        self._live = live
        self.used: dict[str, None] = {}

    def serve(self, track: Any, name: Any, args: tuple[Value, ...], seconds: float) -> Value:
        """Call ours as the worker asks, see :mod:`llm_math_tests.answers.borrowed`."""
        if type(track) is not str or type(name) is not str:
            raise TypeError("names that are none")
        refusal = self._lender.refusal(track, name, self._shelf)
        if refusal is None and name in self._asked:
            refusal = f"{name} cannot be lent: yours was called"
        if refusal is not None:
            raise NotLent(refusal)
        self.used[name] = None
        order, many, template, results, leaves = args
        size = sum(plain(array).size for array in arrays_in(args))
        if size > MOST_GIVEN:
            raise ValueError(f"arrays of {size} numbers are more than our {name} takes")
        if _topic(name) in _DECOMPOSES and _work(args) > _MOST_WORK:
            raise ValueError(f"matrices of that size are more than our {name} takes")
        own = track_called(track)
        replay = Replay(_ours(name, track), Table(own, True), self._live, template, results)
        try:
            with _bounded(), _quiet(), own.loading(), TimeLimit(seconds):
                if not own.differentiates:
                    called, value = replay.run(())
                    return called, replay.table.take(value, []), ()
                from llm_math_tests.tracks.given_in_torch import carried_out

                return carried_out(replay, order, many, leaves)
        except TimeLimitReached:
            raise RuntimeError(f"our {name} takes too long with these arguments") from None
        except Exception as error:
            raise _builtin(error) from None


class _Called(BaseException):
    """Ours calls a function of the answer's, whose result is not there yet."""

    def __init__(self, number: int, given: tuple[Any, ...]) -> None:
        super().__init__(number)
        self.number = number
        self.given = given


class Replay:
    """Runs ours from its beginning, with the results of the answer's functions so far."""

    def __init__(
        self,
        ours: Callable[..., Any],
        table: Table,
        live: list[Blocks | Given],
        template: Value,
        results: Value,
    ) -> None:
        self._ours = ours
        self.table = table
        self._live = live
        self._template = template
        self._results = results
        self.leaves = sum(1 for odd in _odds_in((template, results)) if odd.type_name == LEAF)
        """How many arrays autograd follows."""

    def run(self, leaves: Sequence[Any]) -> tuple[int | None, Any]:
        """None and the result, or the number of the function that ours calls, and the arguments."""
        self._calls = 0
        args, kwargs = self._native(self._template, leaves)
        try:
            return None, self._ours(*args, **kwargs)
        except _Called as called:
            return called.number, called.given

    def _native(self, value: Value, leaves: Sequence[Any]) -> Any:
        if isinstance(value, (tuple, list)):
            return type(value)(self._native(item, leaves) for item in value)
        if isinstance(value, dict):
            return {key: self._native(item, leaves) for key, item in value.items()}
        if not isinstance(value, Odd):
            return self.table.hand(value, "")
        if value.type_name == DEVICE:
            return None
        number = int(value.looks)
        if value.type_name == LEAF:
            return leaves[number]
        if value.type_name == HANDED:
            handed = self._live[number]
            if not isinstance(handed, Given):
                raise TypeError("no function was handed over there")
            return self.table.hand(handed, "")
        if value.type_name != FUNCTION:
            raise TypeError(f"{value.looks} is no argument of ours")

        def function(*given: Any) -> Any:
            self._calls += 1
            if self._calls > len(self._results):
                raise _Called(number, given)
            return self._native(self._results[self._calls - 1], leaves)

        return function


def _odds_in(value: Value) -> Iterator[Odd]:
    if isinstance(value, Odd):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _odds_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _odds_in(item)


def _builtin(error: Exception) -> Exception:
    """The error as the nearest builtin kind: no other crosses to a worker."""
    if isinstance(error, NotLent):
        return error
    for kind in type(error).__mro__:
        if getattr(builtins, kind.__name__, None) is kind:
            return kind(str(error))  # type: ignore[no-any-return]
    return RuntimeError(str(error))


@contextmanager
def _quiet() -> Iterator[None]:
    """What NumPy or torch have to say of ours is no business of the answer's."""
    with warnings.catch_warnings(), usual_errstate():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _bounded() -> Iterator[None]:
    """Arguments that make ours ask for all memory must not end the trusted side."""
    before = _limit_memory()
    try:
        yield
    finally:
        if before is not None:
            import resource

            resource.setrlimit(resource.RLIMIT_AS, before)


def _limit_memory() -> tuple[int, int] | None:
    """Set the limit; the one before, or None on a system that has none."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = pages * resource.getpagesize() + _MOST_BYTES
        if soft == resource.RLIM_INFINITY or most < soft:
            resource.setrlimit(resource.RLIMIT_AS, (most, hard))
        return soft, hard
    except (ImportError, OSError, ValueError):
        return None
