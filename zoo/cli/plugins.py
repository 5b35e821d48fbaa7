"""Verbs that other packages add: entry points of the group `zoo.verbs`, each a function arguments -> exit code."""

import ast
from importlib import metadata
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path

GROUP = "zoo.verbs"


def plugin_verbs() -> dict[str, EntryPoint]:
    """Verb -> where its function is."""
    return entry_points_of(GROUP)


def entry_points_of(group: str) -> dict[str, EntryPoint]:
    """Name -> entry point, of everything that is installed."""
    return {point.name: point for point in metadata.entry_points(group=group)}


def described(point: EntryPoint) -> str:
    """The first line of the docstring of a module, which is read and not imported: it may need seconds."""
    try:
        spec = find_spec(point.module)
        text = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf8"))) or ""
    except (ImportError, AttributeError, TypeError, OSError, SyntaxError):  # a package that is broken or gone
        return f"from {point.module}, which cannot be read"
    line = text.partition("\n")[0]
    _, colon, rest = line.partition(": ")
    return (rest if colon and line.startswith("`zoo ") else line).rstrip(".")
