"""Make `pytest` run the course in a checkout, installed or not."""

from importlib.metadata import entry_points

# An installed package brings its plugin itself; loading it twice would be an error.
if not any(point.value == "llm_math_tests.plugin" for point in entry_points(group="pytest11")):
    pytest_plugins = ["llm_math_tests.plugin"]
