"""Charts put known points at known places; the page is whole, escaped, self-contained; JSON has the same numbers."""

import base64
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from zoo.errors import InputError
from zoo.reports import (
    Figure,
    Section,
    Table,
    bar_chart,
    confusion_matrix,
    heat_map,
    image_grid,
    line_chart,
    overlay,
    run_sections,
    write_report,
)
from zoo.reports.axes import Axis, nice_step
from zoo.reports.colours import coloured
from zoo.reports.heat_map import binned_columns
from zoo.reports.line_chart import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, thinned
from zoo.reports.run_sections import learning_curves
from zoo.training.record import Record

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Balance(HTMLParser):
    """Every tag that opens closes, in order."""

    def __init__(self):
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def assert_well_formed(html: str) -> None:
    parser = Balance()
    parser.feed(html)
    assert parser.open == []


def small_record() -> Record:
    record = Record()
    rng = np.random.default_rng(0)
    for step in range(40):
        rows = [(step, "", "loss", 2.0 / (1 + step)), (step, "", "gradient_norm", 1 + rng.random())]
        rows += [(step, "", "clipped_gradient_norm", 1.0), (step, "", "clipped_fraction", 1.0)]
        rows += [(step, "", "learning_rate", 0.1), (step, "a.weight", "gradient_norm", rng.random())]
        if step % 10 == 0:
            rows += [(step, "a.weight", "update_norm", 0.01), (step, "a.weight", "weight_norm", 10.0)]
            rows += [(step, "a", "activation_norm", 3.0), (step, "a", "preactivation_gradient_norm", 0.1)]
            rows += [(step, "b", "zero_fraction", 0.5), (step, "", "gradient_cosine", 0.3)]
        record.write(rows)
    return record


def test_an_axis_maps_its_ends_and_its_middle():
    assert [Axis(0, 10, 100, 0).at(v) for v in (0, 5, 10)] == [100, 50, 0]
    assert [round(Axis(1e-3, 1e3, 0, 60, log=True).at(v), 6) for v in (1e-3, 1, 1e3)] == [0, 30, 60]
    ticks = Axis(0.13, 0.87, 0, 1).ticks()
    assert ticks == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert [nice_step(v) for v in (0.011, 0.02, 3.0)] == pytest.approx([0.02, 0.02, 5.0])


def test_a_line_goes_through_its_points():
    figure = line_chart({"a": (np.array([0, 10]), np.array([0.0, 1.0]))})
    path = re.search(r'd="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)"', figure.body)
    x0, y0, x1, y1 = map(float, path.groups())
    assert (x0, x1) == (LEFT, WIDTH - RIGHT)
    margin = 0.04 / 1.08 * (HEIGHT - BOTTOM - TOP)
    assert y0 == pytest.approx(HEIGHT - BOTTOM - margin, abs=0.1)
    assert y1 == pytest.approx(TOP + margin, abs=0.1)
    assert figure.table.rows == [[0, 0.0], [10, 1.0]]


def test_a_gap_breaks_the_line_and_no_finite_value_is_said():
    figure = line_chart({"a": (np.arange(4), np.array([1.0, np.nan, 2.0, 3.0]))})
    assert len(re.findall("M", re.search(r'd="([^"]*)"', figure.body).group(1))) == 2
    assert "No finite values" in line_chart({"a": (np.arange(2), np.array([np.nan, np.inf]))}).body


def test_thinning_keeps_every_spike():
    y = np.zeros(10_000)
    y[[1234, 8765]] = 5, -5
    _, kept = thinned(np.arange(10_000), y, 200)
    assert len(kept) <= 200 and kept.max() == 5 and kept.min() == -5


def test_colours_rise_and_grey_is_missing():
    brightness = coloured(np.linspace(0, 1, 50)) @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(brightness) > 0).all()
    assert coloured(np.array([np.nan])).tolist() == [[128, 128, 128]]


def test_binning_is_the_mean_of_what_is_finite():
    values = np.array([[1.0, 3.0, np.nan, 5.0]])
    assert binned_columns(values, 2).tolist() == [[2.0, 5.0]]


def test_each_validation_figure_has_an_axis_of_its_own():
    record = Record()
    record.write([(step, "", "loss", 1.0 / (step + 1)) for step in range(3)])
    for name, value in (("val/return", 400.0), ("val/length", 9.0)):
        record.write([(step, "", name, value) for step in range(3)])
    figures = learning_curves(record).figures[1:]
    assert [figure.table.columns[1:] for figure in figures] == [["val/length"], ["val/return"]]


def test_heat_map_and_confusion_matrix_keep_the_numbers():
    values = np.array([[1.0, 10.0], [0.0, 1e-3]])
    assert heat_map(values, ["a", "b"], [0, 1]).table.rows == [[0, 1.0, 0.0], [1, 10.0, 1e-3]]
    figure = confusion_matrix(np.array([[5, 1], [0, 4]]), ["cat", "a dog"])
    assert "cat taken for a dog: 1" in figure.body and ">5<" in figure.body
    assert figure.table.rows == [["cat", 5, 1], ["a dog", 0, 4]]


def test_bars_have_the_length_of_their_values():
    figure = bar_chart({"a": 1.0, "b": 0.5}, {"a": (0.8, 1.2)})
    widths = [float(w) for w in re.findall(r'class="bar"[^>]* width="([\d.]+)"', figure.body)]
    assert widths[1] == pytest.approx(widths[0] / 2, abs=0.1)


def test_overlay_is_red_for_and_blue_against():
    image, signed = np.full((1, 2, 2), 0.5), np.array([[1.0, -1.0], [0.0, 0.0]])
    pixels = overlay(image, signed)
    assert pixels[0, 0, 0] > pixels[0, 0, 2] and pixels[0, 1, 2] > pixels[0, 1, 0]
    assert pixels[1, 0].tolist() == [128, 128, 128]


def test_sections_say_what_the_record_holds():
    sections = {section.title: section for section in run_sections(small_record())}
    assert list(sections)[:2] == ["Learning curves", "Gradient flow"]
    assert "100.0 %" in sections["Total gradient and clipping"].lead
    ratio = sections["Update-to-weight ratio"].figures[0].table.rows
    assert [row[1] for row in ratio] == pytest.approx([1e-3] * 4)
    assert run_sections(Record()) == []


def test_the_page_is_whole_and_needs_no_network(tmp_path):
    picture = image_grid([[(np.zeros((4, 4, 3), np.uint8), "<b>zero</b>")]])
    sections = [*run_sections(small_record()), Section("<script>alert(1)</script>", "a & b", [picture])]
    path = write_report(tmp_path, "run <1>", "sub", {"accuracy": 0.5}, sections, "key: <value>")
    html = path.read_text()
    assert_well_formed(html)
    assert "<script" not in html and "<b>zero" not in html and "&lt;script&gt;" in html
    assert not re.search(r'(src|href)="(?!data:)', html)
    assert "http" not in re.sub(r"data:[^\"]*", "", html)
    assert "prefers-color-scheme:dark" in html and "@media print" in html


def test_json_has_the_same_numbers_and_is_strict(tmp_path):
    table = Table(["x"], [[1.0], [float("nan")], [np.float32(0.5)]])
    write_report(
        tmp_path, "t", "s", {"n": np.int64(3)}, [Section("a", "b", [Figure("", "c", table)], {"k": np.ones(2)})]
    )
    data = json.loads((tmp_path / "report.json").read_text(), parse_constant=pytest.fail)
    assert data["sections"][0]["figures"][0]["rows"] == [[1.0], [None], [0.5]]
    assert data["sections"][0]["data"] == {"k": [1.0, 1.0]} and data["facts"] == {"n": 3}


def test_a_failed_write_leaves_the_old_page(tmp_path, monkeypatch):
    write_report(tmp_path, "old", "", {}, [])
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(InputError, match="No space left"):
        write_report(tmp_path, "new", "", {}, [])
    assert "old" in (tmp_path / "report.html").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json"]


def test_band_lies_at_its_points():
    x, y = np.array([0.0, 1.0]), np.array([1.0, 2.0])
    figure = line_chart({"a": (x, y)}, bands={"a": (y - 1, y + 1)})
    points = re.search(r'<polygon class="band-1" points="([^"]+)"', figure.body).group(1)
    x_axis = Axis(0, 1, LEFT, WIDTH - RIGHT)
    y_axis = Axis(0 - 0.12, 3 + 0.12, HEIGHT - BOTTOM, TOP)  # 4 % of margin
    corners = [(0, 2), (1, 3), (1, 1), (0, 0)]
    assert points == " ".join(f"{x_axis.at(a):.1f},{y_axis.at(b):.1f}" for a, b in corners)
    assert figure.table.columns == ["step", "a", "a, low", "a, high"]
    assert figure.table.rows == [[0.0, 1.0, 0.0, 2.0], [1.0, 2.0, 1.0, 3.0]]


def test_signed_map_has_zero_in_the_middle():
    figure = heat_map(np.array([[-1.0, 0.0, 4.0]]), ["a"], [0, 1, 2], log=False, signed=True)
    assert ">-4<" in figure.body and ">4<" in figure.body and ">0<" in figure.body
    with pytest.raises(InputError, match="log or signed"):
        heat_map(np.ones((1, 1)), ["a"], [0], signed=True)


def test_ticks_of_a_narrow_range_differ():
    body = line_chart({"a": (np.array([0.0, 1.0]), np.array([50.001, 50.004]))}).body
    labels = re.findall(r'text-anchor="end">([\d.]+)</text>', body)
    assert len(set(labels)) == len(labels) > 2


def ticks_below(figure):
    """(x, label) of what stands under a heat map's columns."""
    found = re.findall(r'<text class="tick" x="([\d.]+)" y="[\d.]+" text-anchor="middle">([^<]*)</text>', figure.body)
    return [(float(x), label) for x, label in found[:-1]]  # the last is the scale's


@pytest.mark.parametrize(
    ("columns", "labels"), [(4, "abcd"), (2, "ab"), (1, "a"), (9, "acegi")], ids=["four", "two", "one", "nine"]
)
def test_columns_of_a_heat_map_are_named_once_and_under_their_middles(columns, labels):
    ticks = ticks_below(heat_map(np.ones((1, columns)), ["r"], list("abcdefghi"[:columns]), log=False))
    left = 14 + 6.4
    middles = [left + ("abcdefghi".index(one) + 0.5) / columns * (720 - left - 8) for one in labels]
    assert [label for _, label in ticks] == list(labels)
    assert [x for x, _ in ticks] == pytest.approx(middles, abs=0.06)


def test_columns_that_round_to_one_label_are_named_once():
    ticks = ticks_below(heat_map(np.ones((1, 9)), ["r"], [f"{v:.1f}" for v in np.linspace(0, 0.2, 9)], log=False))
    assert [label for _, label in ticks] == ["0.0", "0.1", "0.2"]


@pytest.mark.parametrize("log", [True, False])
def test_what_is_no_part_of_a_map_is_left_out(log):
    figure = heat_map(np.array([[1.0, np.nan, 0.0, 5.0]]), ["r"], [0, 1, 2, 3], log=log, blank=True)
    with Image.open(io.BytesIO(base64.b64decode(re.search(r"base64,([^\"]+)", figure.body).group(1)))) as image:
        pixels = np.asarray(image.convert("RGBA"))[0]
    assert pixels[:, 3].tolist() == [255, 0, 255, 255]
    assert (pixels[2, :3].tolist() == [128, 128, 128]) == log
