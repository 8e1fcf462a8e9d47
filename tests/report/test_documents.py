"""The three documents: they agree, they are self-contained, nothing breaks out of them, and unknown is never green."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from html.parser import HTMLParser

import pytest

from defib.drills.drilled import Drill
from defib.objectives import Verdict
from defib.report.as_html import as_html
from defib.report.as_json import as_json
from defib.report.as_markdown import as_markdown
from defib.report.drill_page import drill_page
from defib.report.drillfigures import drill_figures
from defib.report.figures import run_figures
from defib.report.page import Page, Tone
from defib.report.run_page import run_page
from defib.report.words import plain
from defib.timeline import Timeline
from tests.report import samples

VOID = {"meta", "br", "hr", "img", "input", "link", "base"}
PAGES: dict[str, Callable[[], Page]] = {
    **{name: partial(lambda make: run_page(make()), make) for name, make in samples.RUNS.items()},
    **{name: partial(lambda make: drill_page(make()), make) for name, make in samples.DRILLS.items()},
}
every_page = pytest.mark.parametrize("name", PAGES)


class Reader(HTMLParser):
    """What a browser makes of the file: tags, attributes, text, rows of tables and tiles."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[tuple[str, str]] = []
        self.text = ""
        self.rows: list[list[str]] = []
        self.tiles: list[tuple[str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        classes = dict(attrs).get("class") or ""
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append((tag, classes))
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
        if tag == "li" and classes.startswith("tile"):
            self.tiles.append((classes.split()[1], ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open[-1][0], f"</{tag}> closes <{self.open[-1][0]}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.text += data
        if any("sign" in classes.split() for _, classes in self.open):
            return
        if any(tag in {"td", "th"} for tag, _ in self.open):
            self.rows[-1][-1] += data
        if any(tag == "li" and classes.startswith("tile") for tag, classes in self.open):
            tone, text = self.tiles[-1]
            self.tiles[-1] = (tone, f"{text} {data}")


def markdown_rows(text: str) -> list[list[str]]:
    """The rows of all tables of a Markdown text as a reader sees them."""
    lines = [line for line in text.splitlines() if line.startswith("|") and not line.startswith("| ---")]
    return [[_shown(cell) for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def _shown(cell: str) -> str:
    bare = re.sub(r"^[✓✗?] \*\*(.*)\*\*$", r"\1", cell.strip())
    if re.fullmatch(r"`[^`]*`", bare):
        return " ".join(bare[1:-1].split())
    return " ".join(html.unescape(re.sub(r"\\([\\`*_\[\]|~])", r"\1", bare)).split())


@every_page
def test_html_and_markdown_have_the_same_rows(name: str) -> None:
    """Every table of the HTML stands in the Markdown with the same cells in the same order."""
    page = PAGES[name]()
    of_html = [[" ".join(cell.split()) for cell in row] for row in Reader(as_html(page)).rows]

    tiles = len(page.tiles) + 1
    assert of_html == markdown_rows(as_markdown(page))[tiles:]


@pytest.mark.parametrize("name", samples.RUNS)
def test_documents_agree_on_the_figures(name: str) -> None:
    """Status, verdicts, exit code and the time of each step are the same in JSON, HTML and Markdown."""
    run: Timeline = samples.RUNS[name]()
    found = json.loads(as_json(run_figures(run)))
    page = run_page(run)
    seen, text = Reader(as_html(page)), as_markdown(page)
    status = (found["status"] or "not finished").replace("-", " ")
    code = "no exit code yet" if found["exit_code"] is None else f"exit code {found['exit_code']}"

    for number, word in enumerate((status, found["rto"]["verdict"], found["rpo"]["verdict"])):
        assert f" {word} " in f"{seen.tiles[number][1]} "
        assert word in markdown_rows(text)[number + 1][1]
    assert code in seen.tiles[0][1]
    assert code in text
    taken = [row[4] for row in seen.rows if len(row) == 7 and row[5].endswith(("s", "min", "h", "d"))]
    assert [f"{s['took_s']:.3f} s" if s["took_s"] is not None else "unknown" for s in found["steps"]] == taken
    for digest in filter(None, (found["head"], found["plan_digest"])):
        assert digest in seen.text
        assert digest in text


@pytest.mark.parametrize("name", samples.DRILLS)
def test_drill_documents_agree(name: str) -> None:
    """Eyewitness and residue are the same in JSON, HTML and Markdown."""
    made: Drill = samples.DRILLS[name]()
    found = json.loads(as_json(drill_figures(made)))
    seen, text = Reader(as_html(drill_page(made))), as_markdown(drill_page(made))

    outage = found["eyewitness"]["outage_s"]
    assert ("saw no whole outage" if outage is None else f"saw {outage:g} s") in seen.tiles[3][1]
    assert ("saw no whole outage" if outage is None else f"saw {outage:g} s") in text
    for line in found["residue"] or ():
        assert line in seen.text
        assert line in text
    assert (found["residue"] is None) == ("not compared" in seen.tiles[4][1])


@every_page
def test_html_is_self_contained(name: str) -> None:
    """The file asks nothing of anybody: no script, no link, no picture, font or style from elsewhere."""
    text = as_html(PAGES[name]())
    seen = Reader(text)

    assert [] == seen.open
    assert set() == {"script", "link", "img", "iframe", "object", "embed", "form", "base", "image"} & set(seen.tags)
    asking = {"src", "href", "xlink:href", "srcset", "action", "data", "poster", "background"}
    assert [] == [found for found in seen.attributes if found[1] in asking or found[1].startswith("on")]
    style = text[text.index("<style>") : text.index("</style>")]
    assert "@import" not in style
    assert "url(" not in style
    assert {"url(#hatch)"} >= {value for _, _, value in seen.attributes if "url(" in value and "(#" in value}
    assert ("meta", "content", "default-src 'none'; style-src 'unsafe-inline'") in seen.attributes


def test_html_shows_hostile_text_as_text() -> None:
    """A page title, reason or name such as <script>alert(1)</script> shows as text, control characters made visible."""
    text = as_html(run_page(samples.hostile()))
    seen = Reader(text)

    assert "script" not in seen.tags
    assert text.count("<script") == 0
    assert plain(samples.HOSTILE) in seen.tiles[0][1]
    assert seen.text.count(plain(samples.HOSTILE)) > 10
    assert set() == {"\x1b", "\u202e"} & set(text)


def test_markdown_shows_hostile_text_as_text() -> None:
    """In Markdown too: no raw HTML, no link, no cell that ends early, no control character."""
    text = as_markdown(run_page(samples.hostile()))

    assert "<script" not in text
    assert re.search(r"(?<!\\)\]\(", text) is None
    assert set() == {"\x1b", "\u202e"} & set(text)
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    for table in tables:
        assert 1 == len({len(re.split(r"(?<!\\)\|", line)) for line in table.splitlines()})
    assert any(" ".join(plain(samples.HOSTILE).split()) in row for row in markdown_rows(text))


def test_gantt_cannot_be_broken_out_of() -> None:
    """A step's name cannot end the chart or add a statement to it."""
    text = as_markdown(run_page(samples.hostile()))
    chart = text[text.index("```mermaid") : text.index("```", text.index("```mermaid") + 3)]

    bars = [line for line in chart.splitlines() if "alert" in line and "title" not in line]
    assert 1 == len(bars)
    assert 1 == bars[0].count(":")
    assert set() == set("<>`;#|") & set(chart.removeprefix("```mermaid"))


def test_gantt_has_each_step_with_its_times() -> None:
    """The chart has every step from its start to its end in milliseconds; failed ones are critical."""
    text = as_markdown(run_page(samples.rolled_back()))

    start = 1_772_851_868_250
    assert f"    confirm-the-outage (100 ms) : done, {start}, {start + 100}" in text
    assert f"    watch-the-answers (10 s) : crit, {start + 300}, {start + 10_300}" in text


@pytest.mark.parametrize("make", [samples.rto_unknown, samples.rolled_back, samples.unfinished, samples.empty])
def test_unknown_objective_is_never_shown_as_met(make: Callable[[], Timeline]) -> None:
    """An unknown RTO is neither green nor called met in any document, draws no bar, and the whole page is not green."""
    run = make()
    page = run_page(run)
    tone, text = Reader(as_html(page)).tiles[1]
    row = markdown_rows(as_markdown(page))[2]

    assert Verdict.UNKNOWN is run_figures(run).rto.verdict
    assert "unknown" == tone
    assert " unknown " in text
    assert " met" not in text
    assert ["RTO", "unknown"] == row[:2]
    assert page.tone is not Tone.GOOD
    assert page.sections[0].scale is None


def test_unchecked_drill_is_never_green() -> None:
    """Unknown eyewitness and residue are shown as unknown, and the drill's page is not green."""
    page = drill_page(samples.drilled(None, None))
    tiles = Reader(as_html(page)).tiles

    assert ["good", "good", "good", "unknown", "unknown"] == [tone for tone, _ in tiles]
    assert Tone.UNKNOWN is page.tone


def test_only_a_page_that_is_all_well_is_green() -> None:
    """Green needs a recovery with every objective met; one missed figure makes the page red."""
    green = {name for name, page in PAGES.items() if page().tone is Tone.GOOD}

    assert {"recovered", "failback", "drill"} == green
    assert Tone.BAD is run_page(samples.late()).tone


@every_page
def test_colour_is_never_the_only_sign(name: str) -> None:
    """Every verdict has its word and its sign next to the colour."""
    page = PAGES[name]()
    text = as_html(page)

    for tile in page.tiles:
        sign = {Tone.GOOD: "✓", Tone.BAD: "✗", Tone.UNKNOWN: "?"}[tile.tone]
        marked = f'<span class="sign {tile.tone}" aria-hidden="true">{sign}</span>{html.escape(tile.word)}'
        assert marked in text


@every_page
def test_pictures_are_said_in_words(name: str) -> None:
    """Every picture has a title for readers who do not see it, and the ids that it refers to exist once."""
    seen = Reader(as_html(PAGES[name]()))
    ids = [value for _, attribute, value in seen.attributes if attribute == "id"]
    wanted = [value for _, attribute, value in seen.attributes if attribute == "aria-labelledby"]

    assert len(set(ids)) == len(ids)
    assert wanted
    assert set() == {part for value in wanted for part in value.split()} - set(ids)


def test_verdicts_come_first_and_evidence_last() -> None:
    """Both documents have the same order: verdicts, outage, looks, changes, errors and notes, evidence."""
    page = run_page(samples.recovered())
    order = ["The outage", "What observers saw", "Plan and changes", "Errors, notes and waits", "Evidence"]

    assert order == re.findall(r"<h2>(.*?)</h2>", as_html(page))
    assert order == re.findall(r"^## (.*)$", as_markdown(page), re.MULTILINE)
    assert as_html(page).index('class="tiles"') < as_html(page).index("<h2>")
    assert "defib verify 20260307T025108-cdn-failover-7f3a" in as_markdown(page)


@pytest.mark.parametrize("make", [samples.interrupted, samples.unfinished])
def test_stopped_run_says_what_to_do_next(make: Callable[[], Timeline]) -> None:
    """E3: where a run stopped with a change standing, the report says so and names resume and rollback at its top."""
    text = as_html(run_page(make()))

    assert text.index("1 change may stand") < text.index("defib resume 2026") < text.index('class="tiles"')
    assert "defib rollback 20260307T025108-cdn-failover-7f3a" in text


def test_refusal_says_that_nothing_stands() -> None:
    """A refused run says that no change stands, and why, in its first lines."""
    page = run_page(samples.refused())

    assert "Refused: a guard said no. No change stands. Users were not seen to be served for good." == page.lead
    assert "the standby's build is 3 h 12 min older than the origin's" == page.tiles[0].sentence


def test_resolver_that_kept_the_old_answer_is_named() -> None:
    """D7: resolvers that are still stale are named, with how many moved of how many asked."""
    text = as_markdown(run_page(samples.recovered()))

    assert "4 authoritative servers and 5 of 6 resolvers gave the new answer" in text
    assert "Still with the old answer: resolver-6." in text
    assert "No answer came from" not in text


def test_server_that_was_not_heard_is_named() -> None:
    """D6, D8: what a silent server holds nobody knows, and the report does not call it old or new."""
    timeline = samples.recovered()
    assert timeline.moved is not None
    silent = replace(timeline.moved, authoritative=3, silent=("ns-3 (no answer within 2 s)",))
    text = as_markdown(run_page(replace(timeline, moved=silent)))

    assert "3 authoritative servers" in text
    assert "No answer came from: ns-3 (no answer within 2 s)." in text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_is_enough(scheme: str) -> None:
    """Text has a contrast of at least 4.5 to its ground, and drawings of at least 3, in both colour schemes."""
    text = as_html(run_page(samples.recovered()))
    blocks = re.findall(r":root \{(.*?)\}", text, re.DOTALL)
    colours = {k: v for block in blocks[: 1 if scheme == "light" else 2] for k, v in re.findall(r"--(\w+): (#\w{6})", block)}

    for ground in ("paper", "card"):
        for ink in ("ink", "soft", "good", "bad"):
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
        for drawn in ("time", "hollow", "good", "bad"):
            assert contrast(colours[drawn], colours[ground]) >= 3, (drawn, ground)
    for drawn in ("time", "good", "bad"):
        assert contrast(colours[drawn], colours["band"]) >= 3, drawn
    for number in range(1, 6):
        assert contrast(colours[f"on{number}"], colours[f"p{number}"]) >= 4.5, number


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.1."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """The relative luminance of WCAG 2.1."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
