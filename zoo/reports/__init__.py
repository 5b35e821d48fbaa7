"""Records and explanations as one self-contained page, with the same numbers as JSON. Numpy only."""

from zoo.reports.bar_chart import bar_chart
from zoo.reports.confusion_matrix import confusion_matrix
from zoo.reports.figure import Figure, Section, Table
from zoo.reports.heat_map import heat_map
from zoo.reports.images import image_grid, overlay
from zoo.reports.interval_chart import Span, interval_chart
from zoo.reports.line_chart import line_chart
from zoo.reports.page import page
from zoo.reports.run_sections import run_sections
from zoo.reports.write import write_report

__all__ = [
    "Figure",
    "Section",
    "Span",
    "Table",
    "bar_chart",
    "confusion_matrix",
    "heat_map",
    "image_grid",
    "interval_chart",
    "line_chart",
    "overlay",
    "page",
    "run_sections",
    "write_report",
]
