"""A recipe, overlays and command-line overrides become one configuration, by plain rules.

Mappings merge, lists are replaced (`--key+ value` appends), and a changed class_path starts afresh: none of the
former class's init_args stay behind. jsonargparse alone would keep those that the new class accepts too.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from zoo.errors import InputError

Tree = dict[str, Any]


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads 5e-4 as a number, as YAML 1.2 does, and refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        """As SafeLoader, which would keep the last of two equal keys without a word."""
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag != "tag:yaml.org,2002:merge" and isinstance(key_node, yaml.ScalarNode):
                if key_node.value in seen:
                    problem = f"the key {key_node.value!r} stands here twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
                seen.add(key_node.value)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+0123456789.")
)


def read_yaml(path: str | Path) -> Tree:
    """A YAML file as a tree.

    Raises:
        InputError: the file is missing, or not a mapping in YAML.
    """
    try:
        tree = yaml.load(Path(path).read_text(encoding="utf8"), _Loader)
    except OSError as error:
        raise InputError(f"--config: expected a YAML file, got {path} ({error.strerror}); mend the path") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(f"{path}: expected YAML, got something else ({reason}); mend the file") from error
    if not isinstance(tree, dict):
        raise InputError(f"{path}: expected a mapping such as `trainer: ...`, got {type(tree).__name__}; mend the file")
    _refuse_other_keys(path, tree)
    return _without_dots(tree)


def _refuse_other_keys(path: str | Path, tree: Any) -> None:
    if isinstance(tree, list):
        for one in tree:
            _refuse_other_keys(path, one)
    if isinstance(tree, dict):
        for key, value in tree.items():
            if not isinstance(key, str):
                raise InputError(f"{path}: expected keys that are text, got {key!r}; put the key in quotes")
            _refuse_other_keys(path, value)


def _without_dots(tree: Tree) -> Tree:
    # `trainer.max_epochs: 3` at the top means the same as on the command line.
    nested: Tree = {}
    for key, value in tree.items():
        for part in reversed(key.split(".")[1:] if isinstance(key, str) else []):
            value = {part: value}
        nested = merged(nested, {key.split(".")[0] if isinstance(key, str) else key: value})
    return nested


def merged(base: Tree, overlay: Tree) -> Tree:
    """`overlay` laid over `base`; neither is changed.

    >>> merged({"a": {"class_path": "X", "init_args": {"p": 1}}}, {"a": {"class_path": "Y"}})
    {'a': {'class_path': 'Y'}}
    >>> merged({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}})
    {'a': {'x': 1, 'y': 3}}

    As on the command line, `init_args` may be left out.

    >>> merged({"a": {"class_path": "X", "init_args": {"p": 1}}}, {"a": {"p": 2}})
    {'a': {'class_path': 'X', 'init_args': {'p': 2}}}
    """
    if "class_path" in overlay:
        if not same_class(overlay["class_path"], base.get("class_path")):
            return overlay
        overlay = {**overlay, "class_path": base["class_path"]}
    elif "class_path" in base:
        ours = {key: value for key, value in overlay.items() if key in ("init_args", "dict_kwargs")}
        short = {key: value for key, value in overlay.items() if key not in ours}
        overlay = {**ours, "init_args": merged(ours.get("init_args") or {}, short)} if short else ours
    result = dict(base)
    for key, value in overlay.items():
        if isinstance(value, dict) and _is_class_path(base.get(key)):
            base = {**base, key: {"class_path": base[key]}}
        if key.endswith("+"):
            result[key[:-1]] = [*(base.get(key[:-1]) or []), *(value if isinstance(value, list) else [value])]
        elif isinstance(value, dict) and isinstance(base.get(key), dict):
            result[key] = merged(base[key], value)
        else:
            result[key] = value
    return result


def _mapping(key: str, text: str) -> Tree:
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise InputError(f"{key}: expected a mapping in YAML or JSON, got {text[:80]}; mend its braces") from error


def same_class(name: str, former: str | None) -> bool:
    """Whether a name, which may be short, is that of the former class.

    >>> same_class("SGD", "torch.optim.SGD"), same_class("a.SGD", "torch.optim.SGD")
    (True, False)
    """
    return former is not None and name in (former, former.rpartition(".")[2])


def _is_class_path(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", value) is not None


def pairs(arguments: list[str]) -> list[tuple[str, str]]:
    """`--key value` and `--key=value` as pairs.

    Raises:
        InputError: a key without a value, or a value without a key.

    >>> pairs(["--a.b", "1", "--c=2"])
    [('a.b', '1'), ('c', '2')]
    """
    found, rest = [], list(arguments)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            raise InputError(
                f"arguments: expected --key value, got {word!r}; put a key such as --trainer.max_epochs before"
            )
        key, equals, value = word[2:].partition("=")
        if not equals:
            if not rest or rest[0].startswith("--"):
                raise InputError(f"--{key}: expected a value, got none; write --{key} VALUE")
            value = rest.pop(0)
        found.append((key, value))
    return found


def with_new_classes(tree: Tree, overrides: list[tuple[str, str]]) -> tuple[Tree, list[tuple[str, str]]]:
    """Apply the overrides that name another class; the others are returned to be parsed by their types.

    >>> with_new_classes({"o": {"class_path": "Adam", "init_args": {"eps": 1}}}, [("o", "SGD"), ("o.lr", "0.1")])
    ({'o': {'class_path': 'SGD'}}, [('o.lr', '0.1')])
    """
    left = []
    for key, value in overrides:
        parts = key.removesuffix(".class_path").split(".")
        node = _node(tree, parts)
        if not (isinstance(node, dict) and "class_path" in node):
            left.append((key, value))
            continue
        new = {"class_path": value} if value not in ("null", "none") else None
        if value.startswith("{"):  # a whole mapping is laid over, as an overlay would
            new = merged(node, _mapping(key, value))
        if new is None or not same_class(new["class_path"], node["class_path"]) or len(new) > 1:
            tree = _replaced(tree, parts, new)
    return tree, left


def _step(node: Any, part: str) -> str | None:
    # `model.optimizer` means model.init_args.optimizer: init_args may be left out, as jsonargparse allows.
    if not isinstance(node, dict):
        return None
    if part in node:
        return part
    return "init_args" if "class_path" in node and part in (node.get("init_args") or {}) else None


def _node(tree: Any, parts: list[str]) -> Any:
    for part in parts:
        step = _step(tree, part)
        if step is None:
            return None
        tree = tree[step] if step == part else tree[step][part]
    return tree


def _replaced(tree: Tree, parts: list[str], value: Any) -> Tree:
    first, *rest = parts
    if _step(tree, first) == "init_args" and first != "init_args":
        return {**tree, "init_args": _replaced(tree["init_args"], parts, value)}
    return {**tree, first: _replaced(tree[first], rest, value) if rest else value}
