"""A report in all its forms, from made-up sections that hold every kind of part, and from runs that were played."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

from orchestrator.cli import main, text
from orchestrator.cli.drawn import page, plots, values
from orchestrator.cli.drawn.plain import csv_files, to_csv, to_json, to_markdown
from orchestrator.cli.drawn.sheet import Sheet, Unknown, as_table, narrowed, of_game, sheet_of
from orchestrator.cli.drawn.terminal import draw
from orchestrator.report.section import (
    Axis,
    Column,
    Estimated,
    Heatmap,
    Intervals,
    Plot,
    Point,
    Section,
    Series,
    Table,
    read,
)
from tests.cli import fake_report
from tests.orchestrator.duels import play, request

TAGS = {
    *("html", "head", "meta", "title", "style", "body", "main", "header", "nav", "section", "footer"),
    *("h1", "h2", "p", "a", "b", "small", "code", "div", "dl", "dt", "dd", "ul", "li"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "details", "summary"),
    *("svg", "g", "path", "use", "defs", "text", "clippath", "rect"),
}
PAGE = """
from orchestrator.cli.drawn.page import to_html
from orchestrator.cli.drawn.sheet import sheet_of
import sys
from tests.cli import fake_report
import orchestrator.cli.report, orchestrator.cli.drawn.plots
assert "matplotlib" not in sys.modules
sys.stdout.buffer.write(to_html(sheet_of([], fake_report.sections(), "orchestrator report --html")).encode())
"""


def fake(*sections: Section) -> Sheet:
    return sheet_of([], sections or fake_report.sections(), "orchestrator report --html")


class Read(HTMLParser):
    """What a browser would make of a page: its elements, and the text of each by id."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.inside: list[tuple[str, list[str]]] = []
        self.texts: dict[str, str] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.elements.append((tag, given))
        if tag != "meta":
            self.inside.append((given.get("id", ""), []))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        for _, told in self.inside:
            told.append(data)

    def handle_endtag(self, tag: str) -> None:
        name, told = self.inside.pop()
        if name:
            self.texts[name] = "".join(told).strip()

    def all(self, tag: str) -> list[dict[str, str]]:
        return [given for each, given in self.elements if each == tag]


@pytest.fixture(scope="module")
def html() -> str:
    return page.to_html(fake())


@pytest.fixture(scope="module")
def seen(html: str) -> Read:
    return Read(html)


# ── the page ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_page_asks_nothing_of_the_network_and_runs_nothing(html: str, seen: Read) -> None:
    links = [given[name] for _, given in seen.elements for name in ("href", "src", "srcset") if name in given]
    assert links and all(link.startswith("#") for link in links)
    assert not re.findall(r"https?:|//\w|@import|javascript:", html)
    assert all(where.startswith("#") for where in re.findall(r"url\(([^)]*)\)", html))
    assert not [name for _, given in seen.elements for name in given if name.startswith("on")]
    (policy,) = [
        given["content"] for given in seen.all("meta") if given.get("http-equiv") == "Content-Security-Policy"
    ]
    assert "default-src 'none'" in policy and "script" not in policy


def test_what_others_wrote_is_text_on_a_page(html: str, seen: Read) -> None:
    assert {tag for tag, _ in seen.elements} <= TAGS
    assert seen.texts["odd-title"] == text.clean(fake_report.HOSTILE)
    assert "\u202e" not in html
    drawn = re.findall(r"<text[^>]*>([^<]*)</text>", html)
    assert any("&lt;script&gt;" in label for label in drawn)
    assert any("$a_1$" in title for title in re.findall(r"<title>([^<]*)</title>", html))  # no mathematics


def test_every_id_is_given_once_and_whatever_is_referred_to_is_there(html: str, seen: Read) -> None:
    ids = [given["id"] for _, given in seen.elements if "id" in given]
    assert len(ids) == len(set(ids))
    referred = re.findall(r"url\(#([^)]*)\)", html)
    for _, given in seen.elements:
        referred += [given["href"].removeprefix("#")] if "href" in given else []
        referred += " ".join(given.get(name, "") for name in ("aria-labelledby", "aria-describedby")).split()
    assert set(referred) <= set(ids)


def test_whoever_cannot_see_a_figure_is_told_what_it_shows(seen: Read) -> None:
    figures = [given["id"] for given in seen.all("figure")]
    assert len(figures) == 9
    for name in figures:
        assert seen.texts[f"{name}-title"] and len(seen.texts[f"{name}-says"]) > 10
    for given in seen.all("svg"):
        assert given["role"] == "img" and given["aria-labelledby"] and given["aria-describedby"]
    assert seen.all("svg") and all(given.get("scope") in ("row", "col") for given in seen.all("th"))
    assert len(seen.all("table")) == len(seen.all("caption"))
    assert all(given.get("tabindex") == "0" for given in seen.all("div") if given.get("class") == "scroll")


def test_one_drawing_serves_light_and_dark(html: str) -> None:
    for drawing in re.findall(r"<svg.*?</svg>", html, re.DOTALL):
        assert not re.findall(r"#[0-9a-fA-F]{6}\b|font-family", drawing)
        used = set(re.findall(r"var\((--[\w-]+)\)", drawing))
        assert used <= set(
            re.findall(r"(--[\w-]+):", html.partition("@media (prefers-color-scheme: dark)")[2])
        )
        assert "var(--series-0)" in drawing
    assert "@media print" in html


def test_marks_say_what_they_stand_for(html: str) -> None:
    titles = re.findall(r"<title>([^<]*)</title>", html)
    assert "claude-opus-5: +261 [+212, +313]" in titles
    assert "players, bot:greedy: Elo +12 [-31, +44], dollars a match $0.0003" in titles


def test_the_same_records_give_the_same_bytes(html: str) -> None:
    """In another process, with other hashes; matplotlib is imported where a plot is drawn, and not before."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PAGE],
        env=os.environ | {"PYTHONHASHSEED": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode() == html == page.to_html(fake())


def test_without_the_extra_a_page_has_all_its_numbers(monkeypatch: pytest.MonkeyPatch, html: str) -> None:
    monkeypatch.setattr(plots, "find_spec", lambda _name: None)
    bare = page.to_html(fake())
    assert "<svg" not in bare and "pip install &#39;duelist[report]&#39;" in bare
    assert bare.count("<table") == html.count("<table")
    assert bare.count("<details open") == html.count("<details")


def test_who_cannot_be_told_apart_stands_together(html: str) -> None:
    table = html.partition('id="ratings.elo-caption"')[2].partition("</table>")[0]
    assert table.count('<tbody class="tied">') == 3
    drawing = plots.svg(
        Intervals(
            "x", "x", Axis("Elo", "elo"), list(zip("abc", fake_report.ELO[:3], strict=True)), (1, 1, 2)
        ),
        "x",
    )
    assert drawing.count("var(--wash)") == 1  # the ground of the two


def test_intervals_stand_on_the_axis_that_they_ask_for() -> None:
    rows = [("a", Estimated(0.2, 0.3, 0.4))]
    whole = plots.svg(Intervals("x", "x", Axis("share", "share", low=0.0, high=1.0), rows), "x")
    assert ">0 %</text>" in whole and ">100 %</text>" in whole


def test_axes_hold_what_is_drawn_over_them() -> None:
    """Lines that stand beside each other, a band along a line of many, and what has no logarithm."""
    up = [Point(k, Estimated(0.1 * k, 0.2 * k, 0.3 * k)) for k in range(1, 10)]
    beside = plots.svg(
        Plot("x", "x", Axis("x"), Axis("y"), [Series("a", up, "line"), Series("b", up, "line")]), "x"
    )
    assert ">8</text>" in beside and ">2.5</text>" in beside
    band = plots.svg(fake_report.quality().figures[0], "x")  # type: ignore[arg-type]
    assert ">15</text>" in band and ">0.15</text>" in band and "fill-opacity" in band
    free = [Point(0.0, 0.0, "free"), Point(0.01, 1.0, "cheap"), Point(1.0, 2.0, "dear")]
    priced = plots.svg(Plot("x", "x", Axis("$", "usd", log=True), Axis("y"), [Series("", free)]), "x")
    places = [float(x) for x in re.findall(r'<path d="M ([\d.]+) [^>]*><title>', priced)]
    assert len(places) == 3 and places == sorted(places) and places[0] > 20
    assert all(f">{tick}</text>" in priced for tick in ("$0", "$0.01", "$0.1", "$1"))


def test_a_legend_of_long_names_stays_in_the_drawing() -> None:
    lines = [
        Series(f"anthropic:claude-{k}?effort=medium", [Point(0, k), Point(1, k)], "line") for k in (1, 2)
    ]
    drawing = plots.svg(Plot("x", "x", Axis("x"), Axis("y"), lines), "x")
    found = re.findall(r'<text[^>]*?x="([\d.]+)" y="([\d.]+)"[^>]*>anthropic[^<]*</text>', drawing)
    assert len({x for x, _ in found}) == 1 and len({y for _, y in found}) == 2, "below each other"


def test_no_name_of_a_point_covers_another() -> None:
    points = [Point(k // 2, k % 2 / 50, f"player {k}") for k in range(6)]
    drawing = plots.svg(Plot("x", "x", Axis("x"), Axis("y"), [Series("", points)]), "x")
    found = re.findall(r'<text[^>]*?x="([\d.]+)" y="([\d.]+)"[^>]*>player \d</text>', drawing)
    assert len(found) == len(set(found)) == 6


@pytest.mark.parametrize("drawn", ["points", "line", "steps"])
def test_what_no_plot_is_made_for_is_drawn_all_the_same(drawn: str) -> None:
    one = Series("日本語 $x$", [Point(1.0, 1.0)], drawn)  # type: ignore[arg-type]
    assert "日本語" in plots.svg(Plot("x", "x", Axis("x"), Axis("y"), [one, Series("b", []), one]), "x")
    same = Intervals("x", "x", Axis("x", "share"), [("a", Estimated(None, 0.5, None))])
    assert "<svg" in plots.svg(same, "x")


# ── other forms ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("width", [80, 110, 200])
def test_nothing_is_left_out_of_a_terminal(width: int) -> None:
    stream = io.StringIO()
    draw(
        fake(fake_report.results(), fake_report.ratings(), fake_report.money()),
        text.console(stream, width=width),
    )
    told = stream.getvalue()
    assert max(map(cell_len, told.splitlines())) <= width
    joined = " ".join(told.split())
    for expected in (
        "+261 [+212, +313]",
        "61.7",
        "12.3",
        "1 min 01 s",
        "$0.0002",
        "Draws count half.",
        "53.0 %",
    ):
        assert expected in joined
    assert "├" in told and "▁" in told


def test_whoever_is_told_of_in_a_row_is_named_in_every_block() -> None:
    """A column of the run alone, or of the player, would not tell the rows of a block further down apart."""
    columns = [Column("run"), Column("player"), *(Column(f"a long number {k}", "count") for k in range(8))]
    rows = [["one", name, *range(8)] for name in ("adam", "berta")]
    stream = io.StringIO()
    draw(fake(Section("k", "k", tables=[Table("t", "t", columns, rows)])), text.console(stream, width=80))
    told = stream.getvalue()
    assert told.count("one") == 2 * told.count("run") and told.count("run") > 1
    assert told.count("adam") == told.count("berta") == told.count("run")


def test_hostile_text_cannot_move_a_cursor() -> None:
    stream = io.StringIO()
    evil = Section("x", "\x1b[2J", ["\x1b]0;x\x07"], [Table("t", "\x1b", [Column("\x1b")], [["\x1b[31m"]])])
    draw(fake(evil), text.console(stream, width=80))
    assert "\x1b" not in stream.getvalue()


def test_json_has_all_there_is() -> None:
    told = json.loads(json.dumps(to_json(fake()), allow_nan=False))
    sections = {each["key"]: each for each in told["sections"]}
    table = sections["ratings"]["tables"][0]
    assert table["columns"][2] == {"name": "Elo", "unit": "elo"}
    assert table["rows"][0][2] == {"low": 212.0, "value": 261.4, "high": 313.0}
    assert [figure["kind"] for figure in sections["ratings"]["figures"]] == ["intervals", "plot"]
    assert sections["results"]["figures"][0]["values"][0][5] is None


def test_csv_has_plain_numbers_and_no_formulas() -> None:
    files = csv_files(fake().sections)
    assert {"ratings.elo.csv", "money.frontier.csv", "odd.odd.csv", "results.head-to-head.csv"} <= set(files)
    first = next(csv.DictReader(io.StringIO(files["ratings.elo.csv"])))
    assert (first["Elo_low"], first["Elo"], first["Elo_high"]) == ("212.0", "261.4", "313.0")
    odd = list(csv.reader(io.StringIO(files["odd.odd.csv"])))
    assert odd[2][:2] == ["'=1+1", "'-"]
    names = ["=1+1", "\x1b[31mb\n"]
    head, *_ = csv.reader(io.StringIO(to_csv(as_table(Heatmap("h", "h", names, names, [[None] * 2] * 2)))))
    assert head == ["", "'=1+1", "␛[31mb"]
    for what in files.values():
        assert len({len(row) for row in csv.reader(io.StringIO(what))}) == 1


def test_markdown_tables_keep_their_columns() -> None:
    told = to_markdown(fake())
    block: list[int] = []
    for line in [*told.splitlines(), ""]:
        if line.startswith("|"):
            block.append(len(re.findall(r"(?<!\\)\|", line)))
        else:
            assert len(set(block)) < 2
            block = []
    assert "| claude-opus-5 |" in told and "+261 [+212, +313]" in told
    assert "<script>" not in told and "\n## \\<script" in told


def test_parts_of_one_name_are_told_apart_and_empty_ones_left_out() -> None:
    rows = Table("a b/c", "one", [Column("x")], [["1"]])
    empty = Table("empty", "none", [Column("x")], [])
    told = fake(Section("k", "K", [], [rows, rows, empty]), Section("k", "K", [], [rows]))
    assert [(each.key, [table.name for table in each.tables]) for each in told.sections[:2]] == [
        ("k", ["a-b-c", "a-b-c-2"]),
        ("k-2", ["a-b-c"]),
    ]
    kept = narrowed(told, ["k.a-b-c-2"])
    assert [[table.name for table in each.tables] for each in kept.sections] == [["a-b-c-2"]]
    with pytest.raises(Unknown, match="expected one of k, "):
        narrowed(told, ["nothing"])


@pytest.mark.parametrize(
    ("unit", "given", "expected"),
    [
        ("elo", [Estimated(-3, 35.4, 84), 0.0, None], ["+35 [-3, +84]", "0", "–"]),
        ("elo", [Estimated(0, 0, 0), Estimated(None, 12, None)], ["0", "+12"]),
        ("share", [0.5, Estimated(0.4, 0.4321, 0.9999), 1.3], ["50.0 %", "43.2 % [40.0, >99.9]", "130.0 %"]),
        ("usd", [0.0, 0.00442, 12.3, 1e-9], ["$0", "$0.0044", "$12.30", "<$0.0001"]),
        ("usd", [-0.5, Estimated(-1e-9, 0, 2)], ["-$0.5000", "$0 [>-$0.0001, $2.00]"]),
        ("seconds", [0.34, 200, -90], ["340 ms", "3 min 20 s", "-1 min 30 s"]),
        ("count", [1234, 272_000, 1.5], ["1,234", "272k", "1.5"]),
        ("number", [1.0, 2.0], ["1", "2"]),
        ("number", [0.031, 0.2, 1e-9, -1e-9], ["0.031", "0.200", "<0.001", ">-0.001"]),
        ("number", [123.4, 0.2], ["123", "<1"]),
        ("signed", [0.5, -0.25, 0.0], ["+0.500", "-0.250", "0.000"]),
        ("", ["a\nb", 3], ["a b", "3"]),
    ],
)  # fmt: skip
def test_values_are_written_by_their_unit(unit: str, given: list[object], expected: list[str]) -> None:
    assert [str(told) for told in values.column(given, unit)] == expected  # type: ignore[arg-type]


def test_a_share_reads_alike_however_it_was_counted() -> None:
    assert text.percent(24.5, 40) == text.percent(0.6125, 1)


def test_what_a_figure_draws_is_a_table_too() -> None:
    (frontier,) = fake_report.money().figures
    table = as_table(frontier)
    assert [column.name for column in table.columns] == [
        "series",
        "point",
        "dollars a match",
        "Elo",
        "weight",
    ]
    assert len(table.rows) == 12 and to_csv(table).startswith(
        "series,point,dollars a match,Elo,Elo_low,Elo_high"
    )


# ── the commands ─────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of one game and one of another."""
    place = tmp_path_factory.mktemp("house")
    play(place / "runs" / "a", request("sim:greedy?illegal=0.2", "bot:random", pairs=6))
    play(place / "runs" / "b", request("bot:greedy", "bot:random", pairs=5, seed=2))
    play(place / "runs" / "c", request("bot:greedy", "bot:random", game="connect4", pairs=2, seed=3))
    return place


def report(place: Path, *arguments: str, command: str = "report") -> Result:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        return CliRunner(env={"COLUMNS": "100"}).invoke(main, [command, *arguments])


def test_a_report_says_who_played_what(house: Path) -> None:
    told = json.loads(report(house, "--json").stdout)
    assert [Path(run["path"]).name for run in told["runs"]] == ["a", "b", "c"]
    assert told["facts"]["Matches"] == "26" and told["facts"]["Pairs"] == "13"
    assert told["warnings"] == [
        "A stand-in answered for sim:greedy: no model was asked, and its prices are made up."
    ]
    assert told["sections"][-1]["key"] == "runs"
    drawn = report(house)
    assert drawn.exit_code == 0 and "bot:greedy" in drawn.stdout


def test_a_run_that_is_not_over_is_reported_as_it_stands(house: Path) -> None:
    (run,) = read([house / "runs" / "a"])
    run.result.run.status, run.result.run.finished = "running", None
    told = sheet_of([run], [], "again")
    assert told.warnings[0] == "Not finished: a. What is said here is of the matches so far."


def test_a_page_of_real_runs_is_sound(house: Path) -> None:
    done = report(house, "--html", "--to", "pages/report.html")
    assert done.exit_code == 0 and "written: pages/report.html" in done.stderr
    seen = Read((house / "pages" / "report.html").read_text("utf-8"))
    ids = [given["id"] for _, given in seen.elements if "id" in given]
    assert len(ids) == len(set(ids)) and {tag for tag, _ in seen.elements} <= TAGS
    assert [*(house / "pages").iterdir()] == [house / "pages" / "report.html"]
    assert report(house, "--html").stdout == report(house, "--html").stdout


def test_csv_is_one_table_or_a_directory_of_them(house: Path) -> None:
    refused = report(house, "--csv")
    assert refused.exit_code == 2 and "--to DIR; there is" in refused.stderr
    one = report(house, "--csv", "--only", "runs.runs")
    assert one.stdout.startswith("run,id,kind,status") and len(one.stdout.splitlines()) == 4
    assert report(house, "--csv", "--to", "tables").exit_code == 0
    assert (house / "tables" / "runs.runs.csv").read_text("utf-8") == one.stdout
    report(house, "--csv", "--only", "runs", "--to", "one.csv")
    assert (house / "one.csv").read_text("utf-8") == one.stdout


def test_what_cannot_be_is_refused(house: Path, tmp_path: Path) -> None:
    assert "expected one of" in report(house, "--only", "nothing").stderr
    assert "--to asks for a form" in report(house, "--to", "x").stderr
    (house / "file").touch()
    lost = report(house, "--json", "--to", "file/x.json")
    assert lost.exit_code == 1 and "cannot be written" in lost.stderr
    assert report(tmp_path).exit_code == 2


def test_exit_status_tells_what_could_not_be_read(house: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "record.db").write_text("no database")
    some = report(house, str(broken), "runs/a", "--json")
    assert some.exit_code == 1 and "left out" in some.stderr and len(json.loads(some.stdout)["runs"]) == 1
    assert report(house, str(broken)).exit_code == 2


def test_a_leaderboard_has_the_same_page(house: Path) -> None:
    done = report(house, "--html", "--game", "connect4", "--anchor", "bot:random=100", command="leaderboard")
    seen = Read(done.stdout)
    assert done.exit_code == 0 and {tag for tag, _ in seen.elements} <= TAGS
    assert {given["id"] for given in seen.all("section")} == {"ratings", "runs"}
    assert "orchestrator leaderboard --game connect4 --anchor bot:random=100 --html" in done.stdout
    assert report(house, "--markdown", "--to", "x.md", command="leaderboard").stdout == ""
    assert (house / "x.md").read_text("utf-8") == report(house, "--markdown", command="leaderboard").stdout


def test_one_game_of_many_is_told_of_alone(house: Path) -> None:
    runs = read([house / "runs" / name for name in "abc"])
    kept = sheet_of(of_game(runs, "connect4"), [], "again")
    assert dict(kept.facts)["Matches"] == "4" and kept.title == "bot:greedy vs bot:random at connect4"
