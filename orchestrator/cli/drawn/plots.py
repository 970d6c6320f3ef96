"""Intervals and plots as SVG for a page, drawn by matplotlib; head-to-heads need no plot, they are tables with colours.

What matplotlib writes is made fit to stand in a page: texts stay texts in the page's own type, colours become the
page's (`var(--…)`), so that one drawing serves light and dark, marks get what they stand for as a title, and only
ids that something refers to are left, each of its own. The same figure gives the same bytes.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree import ElementTree

from orchestrator.cli import text
from orchestrator.cli.drawn import values
from orchestrator.cli.drawn.sheet import bounds
from orchestrator.report.section import Axis, Estimated, Intervals, Plot, Series, Unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.transforms import Bbox, Transform

HINT = "Plots are drawn by matplotlib, which is not installed: pip install 'duelist[report]'"

WIDTH = 440  # of every plot, in units of 1/72 inch, which the page shows as pixels at most
FONT = 12.0
ROW = 30  # height of one of several intervals
NAME = 26  # characters of a name beside an axis
FEW = 40  # points of a line that are marked one by one
LEGEND = 34  # characters of a name in a legend
LEGEND_BESIDE = 22  # characters up to which two names stand beside each other there
LABEL = 56  # characters beside an axis
SHIFT = 3.5  # points between intervals of several lines at one place
BARS = 12  # points of a line whose intervals are drawn one by one
AREA = (26.0, 150.0)  # of a mark, by what it rests on
AREA_OF_ONE = 0.1  # of that range, where all rest on the same

SERIES = 8  # colours; further series differ by mark and dash
MARKS = "osD^vPX*"
DASHES = (
    "-",
    (0, (5, 2)),
    (0, (1, 1.5)),
    (0, (6, 2, 1, 2)),
    (0, (10, 2)),
    (0, (3, 1)),
    (0, (6, 1.5, 1, 1.5, 1, 1.5)),
    (0, (2, 3)),
)

COLOURS = {f"#0000a{number}": f"var(--series-{number})" for number in range(SERIES)} | {
    "#0000b0": "var(--ink)",
    "#0000b1": "var(--muted)",
    "#0000b2": "var(--rule)",
    "#0000b3": "var(--wash)",
    "#0000b4": "var(--paper)",
}
"""What matplotlib is told for a colour, and what the page makes of it."""
INK, MUTED, RULE, WASH, PAPER = (f"#0000b{number}" for number in range(5))

SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a name may hold dollars
    "font.family": ["DejaVu Sans"],  # which comes with matplotlib and is wide: where it fits, others do
    "font.size": FONT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "grid.color": RULE,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.8,
    "path.simplify_threshold": 0.4,
}


def available() -> bool:
    return find_spec("matplotlib") is not None


def svg(figure: Intervals | Plot, name: str) -> str:
    """The drawing, an `svg` element to stand in a page; `name` begins every id in it."""
    from matplotlib import rc_context, rcdefaults, rcParams
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with rc_context(), warnings.catch_warnings():
        rcdefaults()  # no settings of whoever's machine it is
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        rcParams.update({**SETTINGS, "svg.hashsalt": name})
        height = _height(figure)
        drawn = Figure((WIDTH / 72, height / 72), layout=ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03))
        titles = _intervals(drawn, figure) if isinstance(figure, Intervals) else _plot(drawn, figure)
        out = io.StringIO()
        drawn.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return _fit(out.getvalue(), name, titles)


def _height(figure: Intervals | Plot) -> float:
    if isinstance(figure, Intervals):
        return 56 + ROW * len(figure.rows)
    named = [series.name for series in figure.series if series.name and series.points]
    return 300 + (18 * -(-len(named) // _abreast(named)) if len(named) > 1 else 0)


def _abreast(names: Sequence[str]) -> int:
    """How many names of a legend have room beside each other."""
    return 2 if all(len(text.one_line(name, LEGEND)) <= LEGEND_BESIDE for name in names) else 1


# ── intervals ────────────────────────────────────────────────────────────────────────────────────────


def _intervals(drawn: Figure, figure: Intervals) -> dict[str, list[str]]:
    """The first row on top, rows of one group on one ground; of the marks what they stand for."""
    axes = drawn.subplots()
    told = [value for _, value in figure.rows]
    places = range(len(told))
    _axis(axes, "x", figure.x, [value.value for value in told])
    for first, last in _stretches(figure.groups):
        if last > first:
            axes.axhspan(first - 0.42, last + 0.42, color=WASH, zorder=0, linewidth=0)
    if figure.x.unit in ("elo", "signed") and not figure.x.log:
        axes.axvline(0, color=MUTED, linewidth=0.8, linestyle=DASHES[1], zorder=1)
    for place, value in zip(places, told, strict=True):
        _bar(axes, value, place)
    marks = axes.scatter([value.value for value in told], list(places), s=42, color="#0000a0", zorder=3)
    marks.set_gid("marks")
    axes.set_yticks(list(places), [text.one_line(name, NAME) for name, _ in figure.rows])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(len(told) - 0.5, -0.5)
    axes.set_xlim(_ends(figure.x, axes.get_xlim()))
    axes.grid(axis="x", zorder=0)
    written = values.column(told, figure.x.unit)
    names = [text.one_line(name) for name, _ in figure.rows]
    return {"marks": [f"{name}: {value}" for name, value in zip(names, written, strict=True)]}


def _bar(axes: Axes, value: Estimated, place: float) -> None:
    """The interval, capped where it ends and an arrow where nobody knows; a known value has none."""
    if value.low == value.high and value.low in (None, value.value):
        return
    edges = axes.get_xlim()
    low, high = (
        edge if bound is None else bound for bound, edge in zip((value.low, value.high), edges, strict=True)
    )
    axes.plot([low, high], [place, place], color="#0000a0", linewidth=2, zorder=2, solid_capstyle="butt")
    for bound, end, arrow in ((value.low, low, "<"), (value.high, high, ">")):
        mark = arrow if bound is None else "|"
        axes.plot([end], [place], marker=mark, markersize=7, color="#0000a0", zorder=2, clip_on=False)


def _stretches(groups: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and last row of every run of rows of one group."""
    first = 0
    for place in range(1, len(groups) + 1):
        if place == len(groups) or groups[place] != groups[first]:
            yield first, place - 1
            first = place


# ── plots ────────────────────────────────────────────────────────────────────────────────────────────


class Look(NamedTuple):
    """How a series is told from the others: by its mark or its dashes, and by its colour."""

    colour: str
    dash: Any  # as matplotlib takes it; '' without a line
    mark: str  # '' without marks
    shift: float  # to the side, in points, so that intervals at one place stand beside each other


def _plot(drawn: Figure, figure: Plot) -> dict[str, list[str]]:
    axes = drawn.subplots()
    points = [point for series in figure.series for point in series.points]
    _axis(axes, "x", figure.x, [bounds(point.x).value for point in points])
    _axis(axes, "y", figure.y, [bounds(point.y).value for point in points])
    axes.grid(zorder=0)
    looks = _looks(figure)
    weights = {point.weight for point in points}
    titles = {}
    for number, (series, look) in enumerate(zip(figure.series, looks, strict=True)):
        if series.points:
            _series(axes, series, look, max(weights) if len(weights) > 1 else 0.0, f"series{number}")
            titles[f"series{number}"] = list(_titles(figure, series))
    _limits(axes, figure)
    if figure.diagonal and not figure.x.log and not figure.y.log:
        axes.axline((0, 0), slope=1, color=MUTED, linewidth=0.9, linestyle=DASHES[1], zorder=1)
    _legend(drawn, figure, looks)
    _name_points(drawn, axes, figure)
    return titles


def _looks(figure: Plot) -> list[Look]:
    lines = [series for series in figure.series if series.drawn == "line"]
    few = all(len(series.points) <= FEW for series in lines)
    beside = [k for k, each in enumerate(figure.series) if each.drawn == "line" and _barred(each)]
    return [
        Look(
            f"#0000a{number % SERIES}",
            DASHES[(number + number // SERIES) % len(DASHES)] if series.drawn != "points" else "",
            MARKS[(number + number // SERIES) % len(MARKS)]
            if series.drawn == "points" or (series.drawn == "line" and few)
            else "",
            SHIFT * (beside.index(number) - (len(beside) - 1) / 2) if number in beside else 0.0,
        )
        for number, series in enumerate(figure.series)
    ]


def _barred(series: Series) -> bool:
    """Whether its intervals are drawn one by one."""
    known = [
        y for y in (bounds(point.y) for point in series.points) if y.low is not None and y.high is not None
    ]
    return bool(known) and not _banded(series)


def _banded(series: Series) -> bool:
    """Whether its intervals are drawn as a band: along a line of many, where all are known."""
    known = [
        y for y in (bounds(point.y) for point in series.points) if y.low is not None and y.high is not None
    ]
    return series.drawn == "line" and BARS < len(known) == len(series.points)


def _legend(drawn: Figure, figure: Plot, looks: Sequence[Look]) -> None:
    """Below the axes, where there is more than one to tell apart."""
    from matplotlib.lines import Line2D

    named = [
        (series, look)
        for series, look in zip(figure.series, looks, strict=True)
        if series.name and series.points
    ]
    if len(named) < 2:
        return
    handles = [
        Line2D(
            [],
            [],
            color=look.colour,
            linestyle=look.dash,
            marker=look.mark,
            markersize=6,
            markeredgewidth=0,
            label=text.one_line(series.name, LEGEND),
        )
        for series, look in named
    ]
    drawn.legend(
        handles=handles,
        loc="outside lower left",
        ncols=_abreast([series.name for series, _ in named]),
        fontsize=FONT - 1,
        handlelength=2.8,
        columnspacing=1.4,
    )


def _series(axes: Axes, series: Series, look: Look, most: float, gid: str) -> None:
    """Draws one; `most` is the greatest weight of all, 0 where all are alike."""
    xs = [bounds(point.x).value for point in series.points]
    ys = [bounds(point.y) for point in series.points]
    middles = [y.value for y in ys]
    if series.drawn != "points":
        style = "steps-post" if series.drawn == "steps" else "default"
        line = axes.plot(xs, middles, color=look.colour, linestyle=look.dash, drawstyle=style, zorder=2)
        _move(axes, look, line)
    if _banded(series):
        lows, highs = [y.low or 0.0 for y in ys], [y.high or 0.0 for y in ys]
        axes.fill_between(xs, lows, highs, color=look.colour, alpha=0.16, linewidth=0, zorder=1)
    else:
        _bars(axes, series, look)
    if look.mark:
        rests_on = [point.weight / most if most else AREA_OF_ONE for point in series.points]
        areas = [AREA[0] + (AREA[1] - AREA[0]) * share for share in rests_on]
        marks = axes.scatter(
            xs, middles, s=areas, marker=look.mark, color=look.colour, zorder=3, linewidths=0
        )
        marks.set_gid(gid)
        if look.shift:
            marks.set_offset_transform(_place(axes, look))


def _bars(axes: Axes, series: Series, look: Look) -> None:
    """Intervals of the points, thin, behind their marks."""
    for point in series.points:
        x, y = bounds(point.x), bounds(point.y)
        for across, up in (((x.value, x.value), (y.low, y.high)), ((x.low, x.high), (y.value, y.value))):
            ends = [end for end in (*across, *up) if end is not None]
            if len(ends) == 4:
                bar = axes.plot(ends[:2], ends[2:], color=look.colour, linewidth=1.1, alpha=0.7, zorder=2)
                _move(axes, look, bar)


def _move(axes: Axes, look: Look, lines: Sequence[Line2D]) -> None:
    """To the side, after the axes have taken their limits from where they are."""
    for line in lines if look.shift else ():
        line.set_transform(_place(axes, look))


def _place(axes: Axes, look: Look) -> Transform:
    from matplotlib.transforms import ScaledTranslation

    return axes.transData + ScaledTranslation(look.shift / 72, 0, axes.get_figure(root=True).dpi_scale_trans)  # type: ignore[union-attr]


def _titles(figure: Plot, series: Series) -> Iterator[str]:
    xs = values.column([point.x for point in series.points], figure.x.unit)
    ys = values.column([point.y for point in series.points], figure.y.unit)
    for point, x, y in zip(series.points, xs, ys, strict=True):
        name = ", ".join(dict.fromkeys(text.one_line(each) for each in (series.name, point.label) if each))
        at = f"{text.one_line(figure.y.label)} {y}, {text.one_line(figure.x.label)} {x}"
        yield f"{name}: {at}" if name else at


def _limits(axes: Axes, figure: Plot) -> None:
    """The ends that the axes ask for, with a little room so that no mark is cut."""
    axes.set_xlim(_ends(figure.x, axes.get_xlim()))
    axes.set_ylim(_ends(figure.y, axes.get_ylim()))


def _ends(axis: Axis, found: tuple[float, float]) -> tuple[float, float]:
    low, high = found[0] if axis.low is None else axis.low, found[1] if axis.high is None else axis.high
    if axis.log and low > 0:
        room = (high / low) ** 0.03
        return low / (room if axis.low is not None else 1), high * (room if axis.high is not None else 1)
    room = 0.03 * (high - low)
    return low - (room if axis.low is not None else 0), high + (room if axis.high is not None else 0)


def _axis(axes: Axes, which: str, axis: Axis, numbers: Sequence[float]) -> None:
    """Label, scale and ticks; what has no logarithm stands at 0, left of where the logarithms begin."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    drawn = axes.xaxis if which == "x" else axes.yaxis
    scale = axes.set_xscale if which == "x" else axes.set_yscale
    drawn.set_label_text(text.one_line(axis.label, LABEL))
    least = min((number for number in numbers if number > 0), default=1.0)
    if axis.log and min(numbers, default=1.0) <= 0:
        scale("symlog", linthresh=least, linscale=0.4)
        powers = range(math.ceil(math.log10(least)), math.ceil(math.log10(max([least, *numbers]))) + 1)
        drawn.set_major_locator(FixedLocator([0.0, *(10.0**power for power in powers)]))
    elif axis.log:
        scale("log")
        drawn.set_major_locator(LogLocator(base=10, subs=(1.0, 3.0), numticks=9))
        drawn.set_minor_formatter(NullFormatter())
    else:
        drawn.set_major_locator(MaxNLocator(6, integer=axis.unit == "count", steps=[1, 2, 2.5, 5, 10]))
    drawn.set_major_formatter(FuncFormatter(_ticks(axis.unit)))
    drawn.set_tick_params(which="both", length=0 if which == "y" else 3)


def _ticks(unit: Unit) -> Callable[[float, int | None], str]:
    return lambda number, _place: values.tick(number, unit).replace("-", "−")


# ── names of points ──────────────────────────────────────────────────────────────────────────────────

SPOTS = (
    ((9, 0), "left", "center"),
    ((-9, 0), "right", "center"),
    ((6, 6), "left", "bottom"),
    ((-6, 6), "right", "bottom"),
    ((6, -6), "left", "top"),
    ((-6, -6), "right", "top"),
    ((0, 10), "center", "bottom"),
    ((0, -10), "center", "top"),
)
"""Where a label may stand about its point, the best first."""


def _name_points(drawn: Figure, axes: Axes, figure: Plot) -> None:
    """Each label where it covers the least of other labels, marks and lines."""
    points = [point for series in figure.series for point in series.points if point.label]
    if not points:
        return
    drawn.draw_without_rendering()
    edge = axes.get_window_extent()
    taken: list[Bbox] = []
    marks = [spot for series in figure.series for spot in _spots(axes, series)]
    for point in points:
        found = []
        for offset, across, up in SPOTS:
            label = axes.annotate(
                text.one_line(point.label, NAME), (bounds(point.x).value, bounds(point.y).value), offset,
                textcoords="offset points", ha=across, va=up, fontsize=FONT - 1, color=INK, zorder=4,
            )  # fmt: skip
            label.set_in_layout(False)
            found.append((label, label.get_window_extent()))
        costs = [_covers(box, taken, marks, edge) for _, box in found]
        best = costs.index(min(costs))
        taken.append(found[best][1])
        for label, _ in found[:best] + found[best + 1 :]:
            label.remove()


def _spots(axes: Axes, series: Series) -> Iterator[tuple[float, float, float]]:
    """Places on the drawing that a label had better not cover, and how much better: marks, and along a line."""
    corners: list[tuple[float, float]] = []
    for point in series.points:
        x, y = bounds(point.x).value, bounds(point.y).value
        if series.drawn == "steps" and corners:
            corners.append((x, corners[-1][1]))
        corners.append((x, y))
    found = [(float(x), float(y)) for x, y in axes.transData.transform(corners)]
    yield from ((x, y, 1.0) for x, y in found)
    if series.drawn != "points":
        for (x0, y0), (x1, y1) in pairwise(found):
            yield from ((x0 + (x1 - x0) * k / 24, y0 + (y1 - y0) * k / 24, 0.1) for k in range(24))


def _covers(
    box: Bbox, taken: Sequence[Bbox], spots: Sequence[tuple[float, float, float]], edge: Bbox
) -> float:
    """How much a label would cover: other labels, marks and lines, and what lies outside."""
    labels = sum(1.0 for other in taken if box.overlaps(other))
    marks = sum(w for x, y, w in spots if box.x0 - 2 < x < box.x1 + 2 and box.y0 - 2 < y < box.y1 + 2)
    out = [edge.x0 - box.x0, box.x1 - edge.x1, edge.y0 - box.y0, box.y1 - edge.y1]
    cost: float = 3 * labels + marks + 0.1 * sum(max(0.0, far) for far in out)
    return cost


# ── fit for a page ───────────────────────────────────────────────────────────────────────────────────

SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"


def _fit(drawn: str, name: str, titles: Mapping[str, Sequence[str]]) -> str:
    """The drawing with the page's colours and type, marks titled, and ids that are told apart from all others."""
    root = ElementTree.fromstring(drawn)
    for child in list(root):
        if child.tag == f"{SVG}metadata":
            root.remove(child)
    for group, told in titles.items():
        _title(root, group, told)
    referred = set(re.findall(r"#([\w.-]+)", drawn))
    for element in root.iter():
        _fit_element(element, name, referred)
    _, _, width, height = root.attrib["viewBox"].split()
    root.attrib = {
        "viewBox": f"0 0 {width} {height}",
        "role": "img",
        "aria-labelledby": f"{name}-title",
        "aria-describedby": f"{name}-says",
    }
    ElementTree.register_namespace("", SVG.strip("{}"))
    told = ElementTree.tostring(root, "unicode")
    return re.sub(r' xmlns(:\w+)?="[^"]*"', "", told)


def _title(root: ElementTree.Element, group: str, told: Sequence[str]) -> None:
    """What the marks of a group stand for, shown where one points at them."""
    marks = next((each for each in root.iter() if each.get("id") == group), None)
    if marks is None:
        return
    found = [each for each in marks.iter() if each.tag in (f"{SVG}use", f"{SVG}path")]
    within = {part for defs in marks.iter(f"{SVG}defs") for part in defs.iter()}
    for mark, says in zip((each for each in found if each not in within), told, strict=False):
        ElementTree.SubElement(mark, f"{SVG}title").text = says


def _fit_element(element: ElementTree.Element, name: str, referred: set[str]) -> None:
    own = element.attrib.pop("id", None)
    if own in referred:
        element.set("id", f"{name}-{own}")
    link = element.attrib.pop(LINK, None)
    if link:
        element.set("href", f"#{name}-{link.removeprefix('#')}")
    clip = element.get("clip-path")
    if clip:
        element.set("clip-path", clip.replace("#", f"#{name}-"))
    for key in ("d", "x", "y", "transform", "width", "height"):
        if key in element.attrib:
            element.set(key, _rounded(element.attrib[key]))
    if "style" in element.attrib:
        element.set("style", _style(element.attrib["style"]))
    if element.tag != f"{SVG}text" and element.tag != f"{SVG}title" and element.tag != f"{SVG}style":
        element.text = None
    element.tail = None


def _rounded(numbers: str) -> str:
    told = re.sub(r"-?\d+\.\d+", lambda found: f"{float(found[0]):.1f}".removesuffix(".0"), numbers)
    return " ".join(told.split())


def _style(style: str) -> str:
    """The same without the type's name, which is the page's, and with the page's colours."""
    parts = dict(part.split(":", 1) for part in style.split(";") if ":" in part)
    told = {key.strip(): value.strip() for key, value in parts.items()}
    told.pop("font-family", None)
    return "; ".join(f"{key}: {COLOURS.get(value, value)}" for key, value in told.items())
