"""What jsonargparse says in twenty lines about one mistake, in one: where, expected, got, the nearest right name."""

import difflib
import importlib
import re

from jsonargparse import ArgumentParser

# Where a short class name may have been meant to point; full paths are looked up in their own module.
COMMON = ("torch.optim", "torch.optim.lr_scheduler", "torch.nn", "zoo.optim")


def in_one_line(message: str, parser: ArgumentParser) -> str:
    """jsonargparse's many lines about one mistake -> where, expected, got, the nearest right name.

    Args:
        message: text of the error.
        parser: the parser that raised it, which knows the keys.
    """
    for pattern, say in RULES:
        if found := re.search(pattern, message):
            return say(found, _where(message[: found.start()]), parser)
    reason = re.search(r"^\s*- (?!Does not validate|Expected|Not a valid|a class|a dict)(.+)$", message, re.MULTILINE)
    said = " ".join((reason.group(1) if reason else message).split())[:300].rstrip(".")
    return f"{_where(message) or 'configuration'}: expected settings that fit, got: {said}; mend it"


def _where(text: str) -> str:
    return ".".join(re.findall(r'Parser key "([^"]+)"', text))


def _unaccepted(found: re.Match, where: str, parser: ArgumentParser) -> str:
    # A callable's class is said behind the option, a class's own before it.
    name = found.group(1)
    behind = re.search(r"Namespace\(class_path='([^']+)'", found.group(2))
    before = re.findall(r"given class_path '([^']+)'", found.string[: found.start()])
    if behind or before:
        return _unknown_argument(name, where, behind.group(1) if behind else before[-1])
    group = re.search(r"Group '([^']+)'", found.string)
    return _unknown_key(f"{group.group(1)}.{name}" if group else name, parser)


def _unrecognised(found: re.Match, where: str, parser: ArgumentParser) -> str:
    name = found.group(1).lstrip("-").partition("=")[0]
    before = re.findall(r"given class_path '([^']+)'", found.string[: found.start()])
    return _unknown_argument(name, where, before[-1]) if before else _unknown_key(name, parser)


def _unknown_argument(name: str, where: str, class_path: str) -> str:
    place = f"{where} ({class_path.rpartition('.')[2]})"
    return f"{place}: expected one of its arguments, got {name!r}; {nearest(name, _arguments_of(class_path))}"


def _unknown_key(full: str, parser: ArgumentParser) -> str:
    known = [action.dest for action in parser._actions if action.dest not in ("help", "print_config", "config")]
    first = full.partition(".")[0]
    hint = nearest(full, known) if "." in full and first in ("trainer", "model", "data") else ""
    return f"configuration: expected a known key, got {full!r}; {hint or nearest(first, SECTIONS)}"


def _missing_name(found: re.Match, where: str, parser: ArgumentParser) -> str:
    module, name = found.groups()
    return f"{where}: expected a class, got {module}.{name}; {nearest(name, dir(importlib.import_module(module)))}"


def _missing_module(found: re.Match, where: str, parser: ArgumentParser) -> str:
    return f"{where}: expected a class of an installed module, got one of {found.group(1)!r}; mend the path"


def _other_class(found: re.Match, where: str, parser: ArgumentParser) -> str:
    return f"{where}: expected a {found.group(2)}, got {found.group(1)}; name another class"


def _types(found: re.Match, where: str, parser: ArgumentParser) -> str:
    # A union names each of its types: all "Expected a ..." lines that belong to this key.
    rest = found.string[found.start() :]
    block = re.split(r"Got value: |Given value type: ", rest)[0]
    names = [_type_name(text) for text in re.findall(r"Expected an? ([^\n]+?)\.?\s*(?=\n|$)", block)]
    names = sorted((name for name in names if "import path" not in name), key=lambda name: name == "null")
    got = re.search(r"(?:Got value: |Given value: )(\S+)", rest)
    value = got.group(1).rstrip(".") if got else "something else"
    return f"{where}: expected {' or '.join(dict.fromkeys(names))}, got {value}; mend the value"


def _type_name(text: str) -> str:
    text = re.sub(r"^<class '(.*)'>$", r"\1", text)
    return "null" if text == "NoneType" else re.sub(r"^typing\.Literal\[(.*)\]$", r"one of \1", text)


def _short_name(found: re.Match, where: str, parser: ArgumentParser) -> str:
    name = found.group(1)
    known = {public: f"{module}.{public}" for module in COMMON for public in dir(importlib.import_module(module))}
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    hint = f"did you mean '{known[close[0]]}'?" if close else "write it as module.Class"
    return f"{where}: expected a class, got {name!r}; {hint}"


def _required(found: re.Match, where: str, parser: ArgumentParser) -> str:
    missing = f"{where}.{found.group(1)}" if where else found.group(1)
    return f"{missing}: expected a value, got none; give one in the recipe or as --{missing} VALUE"


def _abstract(found: re.Match, where: str, parser: ArgumentParser) -> str:
    module, _, name = found.group(1).rpartition(".")
    missing = ", ".join(sorted(getattr(importlib.import_module(module), name).__abstractmethods__))
    return f"{where}: expected a class with {missing}, got {found.group(1)} without; write what is missing"


def _raised(found: re.Match, where: str, parser: ArgumentParser) -> str:
    name = found.group(1).rpartition(".")[2]
    return f"{where or 'configuration'} ({name}): expected settings that fit, got: {found.group(2).strip()}; mend it"


def _arguments_of(class_path: str) -> list[str]:
    module, _, name = class_path.rpartition(".")
    parser = ArgumentParser(exit_on_error=False)
    target = getattr(importlib.import_module(module), name)
    add = parser.add_class_arguments if isinstance(target, type) else parser.add_function_arguments
    add(target, "it", fail_untyped=False)
    names = [action.dest for action in parser._actions if action.dest.startswith("it.")]
    return sorted({name.removeprefix("it.") for name in names if not name.endswith(".help")})


def nearest(name: str, known: list[str] | tuple[str, ...]) -> str:
    """The hint that names what was probably meant.

    >>> nearest("widht", ["depth", "width"])
    "did you mean 'width'?"
    """
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(list(known)[:12])}"


SECTIONS = ("trainer", "model", "data", "seed_everything")
# In this order: the first that is found in the message says what went wrong.
RULES = (
    (r"Option '([^']+)' is not accepted([^\n]*)", _unaccepted),
    (r"does not accept option '([^']+)'([^\n]*)", _unaccepted),
    (r"[Uu]nrecognized arguments: (\S+)", _unrecognised),
    (r"module '([^']+)' has no attribute '([^']+)'", _missing_name),
    (r"No module named '([^']+)'", _missing_module),
    (r"Import path (\S+) does not correspond to a subclass of (\S+)", _other_class),
    (r"Expected an? (?!<class 'NoneType'>)(<class|typing)", _types),
    (r"Expected a dot import path string: (\S+)", _short_name),
    (r'Key "([^"]+)" is required but not included', _required),
    (r"arguments are required: (\S+)", _required),
    (r"Expected an instantiatable class, but (\S+) is abstract", _abstract),
    (r"Problem with given class_path '([^']+)':\n\s+(?!Parser key|Does not validate|Problem with)([^\n]+)", _raised),
)
