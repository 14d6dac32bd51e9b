"""The room for students: this process, with their traceback, debugger and print."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from llm_math_tests.answers.door import Loaded, Reply, Request, Room, Where
from llm_math_tests.answers.load import LoadedModule, load
from llm_math_tests.answers.perform import perform
from llm_math_tests.exercises import TOPICS
from llm_math_tests.tracks import track

if TYPE_CHECKING:
    from llm_math_tests.answers.worker import Worker

FAKE_SECONDS = 60.0
"""Time on top for the first call there, which starts a process and imports torch."""
LOAD_SECONDS = 30.0
"""Time limit for a file's own top level, which may import a large library."""


class InProcess:
    """Runs answers here. Fast, and trusts them: grading takes the worker."""

    name: Room = "in process"

    def __init__(self) -> None:
        self._modules: dict[Where, LoadedModule] = {}
        self._aside: Worker | None = None

    def _module(self, where: Where) -> LoadedModule:
        if where not in self._modules:
            self._modules[where] = load(where, track(where.track), LOAD_SECONDS, TOPICS)
        return self._modules[where]

    def load(self, where: Where) -> Loaded:
        """Load the file once and say what it defines."""
        return self._module(where).listing()

    def function(self, where: Where, name: str) -> Callable[..., Any]:
        """A function as it is, called without the door: only ours is lent so."""
        found: Callable[..., Any] = self._module(where).function(name)
        return found

    def call(self, where: Where, request: Request, seconds: float) -> Reply:
        """Make one call, within a time limit."""
        if request.on_accelerator and where.track == "torch" and track("torch").device() is None:
            # The fake accelerator changes torch for the whole process, so it gets its own.
            if self._aside is None:
                from llm_math_tests.answers.worker import Worker

                self._aside = Worker(trusting=True)
            return self._aside.call(where, request, seconds + FAKE_SECONDS)
        module = self._module(where)
        function = module.function(request.function)
        if function is None:
            return module.failed or Reply("refused", problem=f"no function {request.function}")
        return perform(function, request, track(where.track), seconds, str(where.path))

    def close(self) -> None:
        """Forget the loaded files and end the process for fakes."""
        if self._aside is not None:
            self._aside.close()
            self._aside = None
        self._modules.clear()
