"""Settings of the project's own tests: warnings are errors here, never in a student's run."""

from __future__ import annotations

import signal
import threading
from importlib.util import find_spec
from pathlib import Path

import numpy  # noqa: F401
import pytest

from llm_math_tests import stand_in

pytest_plugins = ["pytester"]

# pytester forgets what an inner run imports. NumPy loads only once a process, and the
# stand-in's array type must stay the same one, so both are imported before any run.
stand_in.modules()

# A script's background job ignores Ctrl-C, and whatever it starts does: some tests press it.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("error"), append=False)
            if item.get_closest_marker("torch") and not find_spec("torch"):
                item.add_marker(pytest.mark.skip(reason="PyTorch is not installed"))


@pytest.fixture(scope="module", params=["in process", "worker"])
def room(request):
    """Both rooms: whatever holds in one must hold in the other."""
    from llm_math_tests.answers.in_process import InProcess
    from llm_math_tests.answers.worker import Worker

    made = InProcess() if request.param == "in process" else Worker()
    yield made
    made.close()
