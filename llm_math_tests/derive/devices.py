"""Makers of arrays learn on which GPU to make them."""

import ast
import tokenize

from llm_math_tests.derive.layout import WIDTH
from llm_math_tests.derive.references import DeriveError
from llm_math_tests.derive.spellings import DEVICE_SENTENCE, MAKERS
from llm_math_tests.derive.syntax import docstring_of, end_of, parse
from llm_math_tests.derive.tokens import header_end, tokens_of


def with_devices(text: str) -> str:
    """Give each maker of arrays a ``device``."""
    for node in reversed(parse(text).body):  # from below, so that line numbers above stay true
        if isinstance(node, ast.FunctionDef) and node.name in MAKERS:
            arguments = node.args
            every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            if "device" not in {a.arg for a in every}:
                text = _with_device(text, node)
    return text


def _with_device(text: str, node: ast.FunctionDef) -> str:
    docstring = docstring_of(node)
    if docstring is None:
        raise DeriveError(f"{node.name} has no docstring: it is the exercise's text")
    arguments = node.args
    if arguments.kwarg is not None:
        raise DeriveError(f"{node.name} takes **{arguments.kwarg.arg}: give it plain arguments")
    given = [a.arg for a in [*arguments.posonlyargs, *arguments.args]]
    given += [f"*{arguments.vararg.arg}"] if arguments.vararg else []
    given += [f"{a.arg}={a.arg}" for a in arguments.kwonlyargs]
    guard = [
        "    if device is not None:",
        "        with cp.cuda.Device(device):",
        f"            return {node.name}({', '.join(given)})",
    ]
    lines = text.split("\n")
    colon, _ = header_end(tokens_of(text), node.lineno)
    header = _header_with_device(lines[node.lineno - 1 : colon], node)
    documented = _docstring_with_device(lines[docstring.lineno - 1 : end_of(docstring)])
    between = lines[colon : docstring.lineno - 1]
    return "\n".join(
        [
            *lines[: node.lineno - 1],
            *header,
            *between,
            *documented,
            *guard,
            *lines[end_of(docstring) :],
        ]
    )


def _header_with_device(header: list[str], node: ast.FunctionDef) -> list[str]:
    """Add the parameter as ruff would lay it out: one line, one indented line, or one a line."""
    text = "\n".join(header)
    tokens = [t for t in tokens_of(text + "\n    pass\n") if t.type != tokenize.NL]
    depth = 0
    opening = closing = 0
    for index, token in enumerate(tokens):
        if token.string in {"(", "[", "{"}:
            opening = opening or index
            depth += 1
        elif token.string in {")", "]", "}"}:
            depth -= 1
            if depth == 0:
                closing = index
                break
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    annotated = any(a.annotation is not None for a in every)
    new = "device: int | None = None" if annotated else "device=None"
    before = tokens[closing - 1]
    offset = sum(len(line) + 1 for line in header[: before.end[0] - 1]) + before.end[1]
    if len(header) > 1 and before.string == ",":  # one a line already, and asked to stay so
        return (text[:offset] + f"\n    {new}," + text[offset:]).split("\n")
    flat = text[:offset] + ("" if opening == closing - 1 else ", ") + new + text[offset:]
    pieces = [line.strip() for line in flat.split("\n")]
    line = "".join(pieces) if len(pieces) > 1 else flat
    if len(line) <= WIDTH:
        return [line]
    start, stop = line.index("(") + 1, line.rindex(")")
    inside = line[start:stop]
    if len(inside) + 4 <= WIDTH:
        return [line[:start], "    " + inside, line[stop:]]
    raise DeriveError(f"write the arguments of {node.name} one a line, a comma after the last")


def _docstring_with_device(lines: list[str]) -> list[str]:
    """Say what `device` is, in the Args section where there is one."""
    sections = [i for i, line in enumerate(lines) if line.strip() == "Args:"]
    if sections:
        last = sections[0] + 1
        while last < len(lines) and lines[last].strip() not in {"", '"""'}:
            last += 1
        entry = f"        device: {DEVICE_SENTENCE}"
        if sections[0] + 1 < last:
            first = lines[sections[0] + 1]
            entry = first[: len(first) - len(first.lstrip())] + entry.strip()
        return lines[:last] + [entry] + lines[last:]
    paragraph = ["", "    device: " + DEVICE_SENTENCE]
    if len(lines) == 1:
        body = lines[0].rstrip()
        return [body[: -len('"""')], *paragraph, '    """']
    blank = next((i for i, line in enumerate(lines) if not line.strip()), len(lines) - 1)
    return lines[:blank] + paragraph + lines[blank:]
