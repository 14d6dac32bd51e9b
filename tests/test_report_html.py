"""The page that people show each other: whole, offline, escaped, and alive in a browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from html import escape
from html.parser import HTMLParser

import pytest
import timing_rows

from llm_math_tests.report import charts, html
from llm_math_tests.report.frame import COLUMNS, frame

VOID = {"meta", "input", "wbr", "br"}
CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome")
     if (found := shutil.which(name))), None,
)  # fmt: skip


class Outline(HTMLParser):
    """Checks that elements are closed in order, and notes them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, tag):
        return [attrs for name, attrs in self.seen if name == tag]


@pytest.fixture(scope="module")
def page():
    return html.page(frame(timing_rows.many()), timing_rows.ENVIRONMENT)


def test_it_is_one_well_formed_file(page):
    outline = Outline(page)
    assert len(outline.all("h1")) == 1
    assert len(outline.all("th")) > 15
    assert all("scope" in attrs for attrs in outline.all("th"))


def test_it_asks_the_network_for_nothing(page):
    assert "http:" not in page
    assert "https:" not in page
    assert "default-src 'none'" in page
    outline = Outline(page)
    assert not outline.all("link") + outline.all("img") + outline.all("iframe")
    assert not any("src" in attrs or "href" in attrs for _, attrs in outline.seen)


def test_every_chart_has_a_unit_a_device_and_words(page):
    outline = Outline(page)
    pictures = [attrs for attrs in outline.all("svg") if "aria-hidden" not in attrs]
    assert len(pictures) == 8
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in pictures)
    assert page.count(timing_rows.MADE_UP) > 3
    assert re.search(r"[\d.]+ ms</tspan>", page)


def test_what_was_not_timed_is_there_with_its_reason(page):
    assert "16 rows not run: no CUDA device" in page
    assert "cupy on cuda, student: wrong (the check rows_sum_to_one does not pass)" in page


def test_everything_is_escaped():
    bad = "<script>alert(1)</script>\"'&"
    rows = [timing_rows.untimed("error", bad), timing_rows.record(implementation=bad, size=bad)]
    page = html.page(frame(rows), {"solution": bad, "devices": {"cpu": bad}, bad: bad})
    assert page.count("<script") == 1
    assert "alert(1)" in page
    Outline(page)


def test_an_empty_run_has_a_page():
    Outline(html.page(frame([]), {}))


def test_nothing_timed_has_a_page():
    page = html.page(frame([timing_rows.untimed("not_run", "no CUDA device")]), {})
    assert "Nothing was timed." in page


def test_columns_are_explained(page):
    for text in COLUMNS.values():
        assert escape(text) in page


@pytest.mark.parametrize(
    ("low", "high"), [(1.0, 1.0), (0.5, 0.9), (1.1, 3.0), (0.001, 0.002), (0.01, 900.0)]
)
def test_the_axis_holds_the_values_and_one(low, high):
    ticks = charts._ticks(low, high)
    assert ticks[0] <= low
    assert high <= ticks[-1]
    assert 1.0 in ticks
    assert 2 <= len(ticks) <= 10


PROBE = """
<script>
const say = {};
const rows = () => [...document.querySelectorAll("#all tbody tr")];
const shown = () => rows().filter((row) => !row.hidden);
const form = document.querySelector(".filters");
say.hidden = form.hidden;
const heads = [...document.querySelectorAll("#all thead th")];
const median = heads.findIndex((head) => head.textContent === "median");
const times = () => shown().map((row) => row.cells[median].dataset.key);
heads[median].querySelector("button").click();
say.up = times();
say.sort = heads[median].getAttribute("aria-sort");
heads[median].querySelector("button").click();
say.down = times();
form.elements.status.value = "timed";
form.elements.device.value = "cuda";
form.dispatchEvent(new Event("input"));
say.filtered = shown().length;
form.elements.find.value = "LIBRARY";
form.dispatchEvent(new Event("input"));
say.found = shown().length;
say.output = form.querySelector("output").value;
say.wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
const drawn = (bar) => bar.getBoundingClientRect().width > 0;
say.bars = [...document.querySelectorAll("rect.bar")].filter(drawn).length;
document.body.innerHTML = "<pre id=said>" + JSON.stringify(say) + "</pre>";
</script>
"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
@pytest.mark.parametrize("width", [500, 1200])
def test_it_sorts_and_filters_in_a_browser(page, tmp_path, width):
    import html as text
    import json

    file = tmp_path / "report.html"
    file.write_text(page.replace("</body>", PROBE + "</body>"), encoding="utf-8")
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
         f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},900", "--dump-dom",
         file.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    said = json.loads(text.unescape(re.search(r'<pre id="said">(.*?)</pre>', done.stdout, re.S)[1]))
    assert "CONSOLE" not in done.stderr
    assert said["hidden"] is False
    up = [float(key) for key in said["up"] if key]
    assert up == sorted(up)
    assert len(up) == 44
    assert said["up"][44:] == [""] * 22
    assert said["sort"] == "ascending"
    assert [key for key in said["down"] if key] == [f"{time!r}" for time in sorted(up)[::-1]]
    assert said["down"][44:] == [""] * 22
    assert (said["filtered"], said["found"]) == (8, 2)
    assert said["output"] == "2 of 66 rows"
    assert said["wide"] is False
    assert said["bars"] >= 44
