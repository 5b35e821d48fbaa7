"""Which modules of a net have a gradient of their own, so that every parameter is in one of them and in one only."""

from collections.abc import Iterator

from torch import nn


def watched_layers(net: nn.Module) -> list[tuple[str, nn.Module]]:
    """The modules whose gradients are read, none inside another; each owns its parameters alone.

    >>> [name for name, _ in watched_layers(nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.Tanh(), nn.LayerNorm(1))))]
    ['0', '1.1']
    """
    places: dict[int, list[str]] = {}
    for name, layer in net.named_modules():
        for parameter in layer.parameters(recurse=False):
            places.setdefault(id(parameter), []).append(name)
    shared = [owners for owners in places.values() if len(owners) > 1]
    return list(_watched("", net, shared))


def _watched(name: str, layer: nn.Module, shared: list[list[str]]) -> Iterator[tuple[str, nn.Module]]:
    if not any(parameter.requires_grad for parameter in layer.parameters()):
        return
    children = [(f"{name}.{child}" if name else child, module) for child, module in layer.named_children()]
    held = any(isinstance(module, (nn.ParameterList, nn.ParameterDict)) for _, module in children)
    owns = any(parameter.requires_grad for parameter in layer.parameters(recurse=False))
    if owns or held or _meet(name, [child for child, _ in children], shared):
        yield name, layer
        return
    for child, module in children:
        yield from _watched(child, module, shared)


def _meet(name: str, children: list[str], shared: list[list[str]]) -> bool:
    # Whether layers that share a parameter meet here: all of them inside, and not all in one child.
    def inside(owner: str, place: str) -> bool:
        return not place or owner == place or owner.startswith(f"{place}.")

    return any(
        all(inside(owner, name) for owner in owners)
        and not any(all(inside(owner, child) for owner in owners) for child in children)
        for owners in shared
    )
