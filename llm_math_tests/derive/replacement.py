"""One function put in the place of another in a student's file."""

import re

from llm_math_tests.derive.syntax import FUNCTIONS, end_of, parse, start_of, unix_ends


def replace_function(source: str, function: str, new_text: str) -> str:
    """Put a new text in the place of one top-level function of a file.

    Everything else stays byte for byte, line ends included, if the file was read with
    ``newline=""``. Decorators and comments inside the function go with it. Where a name is
    defined twice the last one counts and is replaced; a function that is not there is appended.

    Args:
        source: the file's text.
        function: the function's name.
        new_text: the new function, such as `stub_of` gives.

    Returns:
        The file's new text.

    Raises:
        ValueError: the source has a syntax error, or `new_text` does not define the function.
    """
    new_lines = unix_ends(new_text).strip("\n")
    try:
        defined = {n.name for n in parse(new_lines).body if isinstance(n, FUNCTIONS)}
    except SyntaxError:
        defined = set()
    if function not in defined:
        raise ValueError(f"the new text does not define {function}")
    try:
        tree = parse(source)
    except SyntaxError as error:
        raise ValueError(
            f"cannot find {function}: line {error.lineno} is not Python ({error.msg}); "
            "mend that line, or put the whole file back"
        ) from error
    line_end = "\r\n" if "\r\n" in source else "\n"
    new_lines = new_lines.replace("\n", line_end)
    # Not str.splitlines, which also splits at form feeds and other marks that Python does not.
    lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", source)
    found = [n for n in tree.body if isinstance(n, FUNCTIONS) and n.name == function]
    if not found:
        body = source.rstrip("\r\n")
        bare = not body.removeprefix("\ufeff")
        tail = source[len(body) :]
        missing = 0 if bare else max(0, 3 - len(re.findall(r"\r\n|\r|\n", tail)))
        return source + line_end * missing + new_lines + line_end

    first, last = start_of(found[-1]), end_of(found[-1])
    for number in range(last + 1, len(lines) + 1):
        text = lines[number - 1]
        if text.strip() and not re.match(r"[ \t]+#", text):
            break
        if text.strip():  # an indented comment after the last statement is still the body's
            last = number
    old_end = re.search(r"[\r\n]*$", lines[last - 1])
    assert old_end is not None
    mark = "\ufeff" if first == 1 and source.startswith("\ufeff") else ""
    return "".join(
        [*lines[: first - 1], mark, new_lines, old_end.group(), *lines[last:]],
    )
