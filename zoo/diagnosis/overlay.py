"""Mends -> the overlay of a configuration that applies them."""

from collections.abc import Sequence
from typing import Any

from zoo.diagnosis.finding import Finding

Tree = dict[str, Any]


def overlay_of(findings: Sequence[Finding], config: Tree) -> tuple[Tree, list[str]]:
    """The overlay that mends the findings in a configuration, and a line for each thing that it cannot do.

    Findings come root causes first; a key that an earlier one changes is left to it.

    >>> from zoo.diagnosis.finding import Mend
    >>> mend = Mend("halve it", {"model.optimizer.init_args.lr": 0.5})
    >>> one = Finding("learning_rate_high", "", 0, "", {}, 0.9, mend)
    >>> overlay_of([one], {"model": {"optimizer": {"init_args": {"lr": 0.2}}}})[0]
    {'model': {'optimizer': {'init_args': {'lr': 0.1}}}}
    """
    tree: Tree = {}
    taken: set[str] = set()
    left: list[str] = []
    for finding in findings:
        changes = _changes(finding, config)
        changes = {key: value for key, value in changes.items() if not _touches(key, taken)}
        if not changes:
            left.append(f"{finding.title}: by hand: {finding.mend.text}")
        for key, value in changes.items():
            taken.add(key)
            _put(tree, key.split("."), value)
    return tree, left


def _changes(finding: Finding, config: Tree) -> Tree:
    changes = {_key_in(config, key): value for key, value in finding.mend.settings.items()}
    for key, factor in finding.mend.factors.items():
        key = _key_in(config, key)
        now = _get(config, key.split("."))
        if isinstance(now, (int, float)) and not isinstance(now, bool):
            changes[key] = max(1, round(now * factor)) if isinstance(now, int) else float(f"{now * factor:.4g}")
    return changes


def _key_in(config: Tree, key: str) -> str:
    # `model` is written with its class_path in a recipe: its keys are then those of init_args.
    head, *rest = key.split(".")
    inside = isinstance(config.get(head), dict) and "class_path" in config[head] and rest[:1] != ["init_args"]
    return ".".join([head, *(["init_args"] if inside else []), *rest])


def _touches(key: str, taken: set[str]) -> bool:
    return any(key == one or key.startswith(one + ".") or one.startswith(key + ".") for one in taken)


def _get(tree: Any, path: list[str]) -> Any:
    for name in path:
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree


def _put(tree: Tree, path: list[str], value: Any) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    tree[path[-1]] = value
