"""One self-contained page: no network, no fonts, no scripts from elsewhere."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from llm_math_tests.report import charts, plots
from llm_math_tests.report.frame import COLUMNS
from llm_math_tests.report.markdown import flat
from llm_math_tests.report.quantities import error_text, number_text, ratio_text, time_text
from llm_math_tests.report.sentences import (
    STATUS_WORDS,
    claim_answers,
    claim_verdict,
    comparisons,
    counts,
    device_lines,
    noise,
    untimed,
    untimed_lines,
)

_HEADINGS = {
    "exercise": "exercise",
    "size": "size",
    "track": "track",
    "device": "device",
    "implementation": "implementation",
    "median_s": "median",
    "speedup_vs_numpy_cpu": "speed-up",
    "iqr_s": "spread (IQR)",
    "status": "status",
    "reason": "reason",
    "gbytes_per_s": "GB/s",
    "gflops_per_s": "GFLOP/s",
    "max_rel_error": "error",
    "samples": "samples",
    "dtype": "dtype",
}
_FILTERS = ("exercise", "track", "device", "implementation", "status")
_NUMBERS = ("median_s", "iqr_s", "speedup_vs_numpy_cpu", "gbytes_per_s", "gflops_per_s",
            "max_rel_error", "samples")  # fmt: skip
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def page(
    table: pd.DataFrame,
    environment: dict[str, Any],
    claims: Sequence[dict[str, Any]] = (),
    pictures: Sequence[dict[str, Any]] = (),
) -> str:
    """The whole page."""
    timed = table[table["status"] == "timed"]
    body = [
        _header(table, environment),
        "<main>",
        _in_short(table),
        _claims(claims),
        _pictures(pictures),
        _speed_ups(timed, environment),
        _times(table, timed, environment),
        _table(table),
        _missing(table),
        _environment(environment),
        "</main>",
        f"<footer>{escape(str(environment.get('written_by', '')))}</footer>",
    ]
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{escape(_title(environment))}</title>",
            f"<style>\n{_beside('page.css')}</style>",
            "</head>",
            "<body>",
            *body,
            f"<script>\n{_beside('page.js')}</script>",
            "</body>",
            "</html>",
            "",
        )
    )


def _title(environment: dict[str, Any]) -> str:
    day = str(environment.get("written_at", ""))[:10]
    return f"Timing report {day}".strip()


def _beside(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _header(table: pd.DataFrame, environment: dict[str, Any]) -> str:
    when = str(environment.get("written_at", ""))
    facts = [
        ("solution", str(environment.get("solution", ""))),
        ("made", when.replace("T", " ")),
        ("python", str(environment.get("python", ""))),
        *(("device", line) for line in device_lines(environment)[: len(_devices(environment))]),
    ]
    items = "".join(
        f"<li><span>{escape(name)}</span> {escape(value)}</li>" for name, value in facts if value
    )
    return f'<header><h1>Timing report</h1><ul class="facts">{items}</ul></header>'


def _in_short(table: pd.DataFrame) -> str:
    said = "".join(f"<li>{escape(_times_sign(line))}</li>" for line in comparisons(table))
    chips = "".join(
        f'<li class="chip {status}"><b>{int((table["status"] == status).sum())}</b> {word}</li>'
        for status, word in STATUS_WORDS.items()
        if (table["status"] == status).any()
    )
    return (
        f"<section><h2>In short</h2><p>{escape(counts(table))} {escape(noise(table))}</p>"
        f'<ul class="chips">{chips}</ul><ul class="said">{said}</ul></section>'
    )


def _claims(claims: Sequence[dict[str, Any]]) -> str:
    if not claims:
        return ""
    cards = []
    for says in dict.fromkeys(one["says"] for one in claims):
        rows = "".join(
            f'<li><span class="tag {_claim_class(one)}">{claim_verdict(one)}</span> '
            f"<b>{escape(one['track'])} on {escape(one['device'])}</b>: "
            f"{escape(one['measured'] or one['reason'])}"
            f"{_measured_on(one)}</li>"
            for one in claims
            if one["says"] == says
        )
        cards.append(f'<figure><h3>{escape(says)}</h3><ul class="said">{rows}</ul></figure>')
    return (
        "<section><h2>The chapter's claims, measured</h2><p>Times are medians of alternating "
        "pairs with their 95 % interval, memory is the most alive at once during a call.</p>"
        f'<div class="cards two">{"".join(cards)}</div></section>'
    )


def _claim_class(one: dict[str, Any]) -> str:
    if one["status"] != "measured":
        return str(one["status"])
    return "timed" if one["bears_out"] else "wrong"


def _measured_on(one: dict[str, Any]) -> str:
    return f" <small>{escape(claim_answers(one))}</small>" if one["answers"] else ""


_STABILITY = (
    "The largest error, relative to the values' own scale, as the input grows. A careful answer "
    "stays near its dtype's precision; a point at 100 is a result that is not finite where the "
    "truth is, and a line ends where the dtype cannot hold the truth."
)


def _pictures(pictures: Sequence[dict[str, Any]]) -> str:
    chapter = [one for one in pictures if one["group"] == "chapter"]
    stability = [one for one in pictures if one["group"] == "stability"]
    return _gallery("Pictures, from the answers' own numbers", "", chapter) + _gallery(
        "Stability, from the answers' own numbers", _STABILITY, stability
    )


def _gallery(title: str, text: str, pictures: Sequence[dict[str, Any]]) -> str:
    if not pictures:
        return ""
    cards = [
        f'<figure id="{escape(one["picture"])}"><h3>{_breaking(one["title"])} '
        f"<small>{escape(one['answer'])}, {escape(one['track'])}</small></h3>"
        f"{''.join(plots.panel(panel) for panel in one['panels'])}"
        f"{_caption(one['caption'])}</figure>"
        for one in pictures
        if one["status"] == "drawn"
    ]
    missing = "".join(
        f"<li>{escape(one['title'])}: {escape(one['reason'])}</li>"
        for one in pictures
        if one["status"] != "drawn"
    )
    left_out = f"<p>Not drawn:</p><ul>{missing}</ul>" if missing else ""
    said = f"<p>{escape(text)}</p>" if text else ""
    return (
        f"<section><h2>{escape(title)}</h2>{said}"
        f'<div class="cards">{"".join(cards)}</div>{left_out}</section>'
    )


def _caption(text: str) -> str:
    return f"<figcaption>{escape(text)}</figcaption>" if text else ""


def _speed_ups(timed: pd.DataFrame, environment: dict[str, Any]) -> str:
    shown = timed[timed["speedup_vs_numpy_cpu"].notna()]
    others = shown[~_baseline(shown)]
    if others.empty:
        return ""
    # The first size of an exercise is its smallest, the last its largest.
    sizes = others.drop_duplicates(["exercise", "size", "dtype"])
    rank = sizes.groupby("exercise", sort=False).cumcount()
    count = sizes.groupby("exercise", sort=False)["size"].transform("size")
    small = sizes[(rank == 0) & (count > 1)]
    large = sizes[rank == count - 1]
    figures = []
    for title, chosen in (("Smallest size", small), ("Largest size", large)):
        keys = chosen[["exercise", "size", "dtype"]]
        rows = others.merge(keys, on=["exercise", "size", "dtype"])
        if rows.empty:
            continue
        label = f"{title} of each exercise: speed-up over the NumPy reference on the CPU"
        figures.append(
            f"<figure><h3>{title}</h3>{charts.speed_ups(rows, label)}"
            f"<figcaption>Speed-up (times), logarithmic; right of 1\u00d7 is faster. "
            f"{escape(_named(environment))}</figcaption></figure>"
        )
    return (
        "<section><h2>Speed-up over the NumPy reference on the CPU</h2>"
        f'{charts.legend(others)}<div class="cards two">{"".join(figures)}</div></section>'
    )


def _times(table: pd.DataFrame, timed: pd.DataFrame, environment: dict[str, Any]) -> str:
    cards = []
    for key, rows in table.groupby(["exercise", "size", "dtype"], sort=False):
        exercise, size, dtype = (str(part) for part in key)
        measured = rows[rows["status"] == "timed"]
        what = f"{exercise}, {size}, {dtype}: median time of a call"
        chart = charts.times(measured, what) if len(measured) else "<p>Nothing was timed.</p>"
        missing = "".join(
            f'<li class="{rest["status"].iloc[0]}">{escape(_untimed_words(rest))}</li>'
            for _, rest in rows[rows["status"] != "timed"].groupby(["status", "reason"], sort=False)
        )
        cards.append(
            f"<figure><h3>{_breaking(exercise)} <small>{_size(size)} {escape(dtype)}</small></h3>"
            f'{chart}<ul class="missing">{missing}</ul></figure>'
        )
    if not cards:
        return ""
    return (
        "<section><h2>Time of a call</h2><p>Median time (shorter is better) and speed-up over the "
        "NumPy reference on the CPU; the line across a bar's end is the interquartile range. Each "
        f"chart has its own scale, from zero. {escape(_named(environment))}</p>"
        f'<div class="cards">{"".join(cards)}</div></section>'
    )


def _untimed_words(rest: pd.DataFrame) -> str:
    all_alike = rest["status"].iloc[0] == "not_run"
    places = (
        f"{r['track']} on {r['device']}" + ("" if all_alike else f", {r['implementation']}")
        for _, r in rest.iterrows()
    )
    who = ", ".join(dict.fromkeys(places))
    _, status, reason = untimed(rest)[0]
    return f"{who}: {status}" + (f" ({reason})" if reason and reason != status else "")


def _table(table: pd.DataFrame) -> str:
    heads = "".join(
        f'<th scope="col"{" class=number" if name in _NUMBERS else ""}>'
        f'<button type="button" title="{escape(COLUMNS[name])}">{escape(text)}</button></th>'
        for name, text in _HEADINGS.items()
    )
    body = "".join(_row(row) for _, row in table.iterrows())
    return (
        '<section id="all"><h2>All rows</h2>'
        f'<form class="filters" hidden>{"".join(_filter(table, n) for n in _FILTERS)}'
        '<label>find <input type="search" name="find" autocomplete="off"></label>'
        '<button type="reset">show all</button>'
        '<output aria-live="polite"></output></form>'
        '<div class="scroll" tabindex="0" role="region" aria-label="All rows, as a table">'
        "<table><caption>Choose a heading to sort by it.</caption>"
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div></section>"
    )


def _filter(table: pd.DataFrame, name: str) -> str:
    values = list(dict.fromkeys(str(value) for value in table[name]))
    words = [(value, STATUS_WORDS[value] if name == "status" else value) for value in values]
    options = "".join(f'<option value="{escape(v)}">{escape(w)}</option>' for v, w in words)
    return (
        f'<label>{name} <select name="{name}"><option value="">all</option>{options}'
        "</select></label>"
    )


def _row(row: Any) -> str:
    marks = " ".join(f'data-{name}="{escape(str(row[name]))}"' for name in _FILTERS)
    cells = []
    for name in _HEADINGS:
        value = row[name]
        if name in _NUMBERS:
            number = float(value)
            key = f"{number!r}" if math.isfinite(number) else ""
            cells.append(f'<td class="number" data-key="{key}">{_number(name, number)}</td>')
        elif name == "exercise":
            cells.append(f'<th scope="row">{_breaking(str(value))}</th>')
        elif name == "status":
            word = STATUS_WORDS[str(value)]
            cells.append(f'<td><span class="tag {escape(str(value))}">{word}</span></td>')
        else:
            text = _size(str(value)) if name == "size" else escape(str(value))
            cells.append(f"<td>{text}</td>")
    return f"<tr {marks}>{''.join(cells)}</tr>"


def _number(name: str, number: float) -> str:
    if name in ("median_s", "iqr_s"):
        return time_text(number, "\u00b5s")
    if name == "speedup_vs_numpy_cpu":
        return _times_sign(ratio_text(number))
    if name == "max_rel_error":
        return error_text(number)
    if name == "samples":
        return f"{number:.0f}" if number else ""
    return number_text(number)


def _missing(table: pd.DataFrame) -> str:
    lines = untimed_lines(table)
    text = "".join(f"<li>{escape(line)}</li>" for line in lines)
    held = f"<ul>{text}</ul>" if lines else "<p>Everything was timed.</p>"
    return f"<section><h2>Not timed</h2>{held}</section>"


def _environment(environment: dict[str, Any]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(key)}</th><td>{escape(value)}</td></tr>'
        for key, value in flat(environment)
    )
    columns = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(text)}</td></tr>'
        for name, text in COLUMNS.items()
    )
    return (
        '<section><h2>Environment</h2><div class="scroll" tabindex="0" role="region" '
        f'aria-label="Environment"><table class="pairs"><tbody>{rows}</tbody></table></div>'
        '<h2>Columns of timings.csv</h2><div class="scroll" tabindex="0" role="region" '
        f'aria-label="Columns"><table class="pairs"><tbody>{columns}</tbody></table></div>'
        "</section>"
    )


def _devices(environment: dict[str, Any]) -> dict[str, str]:
    devices: dict[str, str] = environment.get("devices", {})
    return devices


def _named(environment: dict[str, Any]) -> str:
    named = "; ".join(f"{device} is {name}" for device, name in _devices(environment).items())
    return f"Here {named}." if named else ""


def _baseline(rows: pd.DataFrame) -> Any:
    return (
        (rows["track"] == "numpy")
        & (rows["device"] == "cpu")
        & (rows["implementation"] == "reference")
    )


def _breaking(name: str) -> str:
    """A name that may be broken after an underscore."""
    return escape(name).replace("_", "_<wbr>")


def _size(text: str) -> str:
    return escape(text.replace(" x ", " \u00d7 "))


def _times_sign(text: str) -> str:
    """``2.1x`` and ``64 x 1024`` with the sign for times."""
    return re.sub(r"(?<=\d)x\b|(?<=\d )x(?= \d)", "\u00d7", text)
