"""The factors of Zhang and Wallace (2015) and their levels, as overlays on the baseline."""

from collections.abc import Mapping
from typing import Any

from zoo.studies import Factor, Level

NET = "tasks.text.networks.SentenceCNN"
POOLING = "tasks.text.networks"
BASELINE = {
    "trainer": {"threads": 1},
    "model": {
        "class_path": "tasks.text.task.SentenceClassification",
        "init_args": {
            "vectors": None,
            "net": {
                "class_path": NET,
                "init_args": {
                    "variant": "tuned",
                    "region_sizes": [3, 4, 5],
                    "feature_maps": 100,
                    "activation": {"class_path": "torch.nn.ReLU", "init_args": {"inplace": False}},
                    "pooling": {"class_path": f"{POOLING}.MaxPooling"},
                    "hidden_sizes": [],
                    "dropout": 0.5,
                    "embedding_dropout": 0.0,
                    "word_dropout": 0.0,
                    "places": None,
                },
            },
            "constraints": [
                {"class_path": "zoo.optim.MaxNorm", "init_args": {"max_norm": 3.0, "parameters": "output.weight"}}
            ],
        },
    },
}


def in_net(**settings: Any) -> dict[str, Any]:
    """An overlay on the net's arguments."""
    return {"model": {"init_args": {"net": {"init_args": settings}}}}


def in_task(**settings: Any) -> dict[str, Any]:
    """An overlay on the task's arguments."""
    return {"model": {"init_args": settings}}


def factors(size: int, given: Mapping[str, Any] | None = None, given_size: int = 0, note: str = "") -> tuple:
    """All factors.

    Args:
        size: of the baseline's vectors.
        given: class path and arguments of vectors that were trained elsewhere.
        given_size: their size.
        note: for the page, on the vectors.
    """
    return (
        Factor("vectors", "Word vectors", vector_levels(size, given, given_size), note),
        Factor("region", "One region size", (Level("3, 4, 5"), *(_regions([h], float(h)) for h in SINGLE))),
        Factor("regions", "Several region sizes", (Level("3, 4, 5"), *(_regions(sizes) for sizes in SEVERAL))),
        Factor("maps", "Feature maps of a region size", _numbers("feature_maps", (10, 50, 100, 200, 400, 600), 100)),
        Factor("activation", "Activation function", activation_levels()),
        Factor("pooling", "Pooling", pooling_levels()),
        Factor("dropout", "Dropout", _numbers("dropout", (0.0, 0.1, 0.3, 0.5, 0.7, 0.9), 0.5)),
        Factor("norm", "Norm constraint on the output layer", norm_levels()),
    )


SINGLE = (1, 3, 5, 7, 10, 15)
SEVERAL = ((3,), (5,), (7,), (3, 3, 3), (7, 7, 7), (2, 3, 4, 5), (4, 5, 6), (7, 8, 9))


def vector_levels(size: int, given: Mapping[str, Any] | None, given_size: int) -> tuple[Level, ...]:
    """Random, from the training sentences, and given vectors in Kim's (2014) variants."""
    corpus = {"class_path": "tasks.text.vectors.CorpusVectors", "init_args": {"size": size}}
    levels = [
        Level("random, tuned"),
        Level("random, static", in_net(variant="static")),
        Level("corpus, tuned", in_task(vectors=corpus)),
        Level("corpus, static", in_task(vectors=corpus, net={"init_args": {"variant": "static"}})),
    ]
    if given:
        if given_size != size:
            levels.append(Level(f"random, {given_size} d, tuned", in_net(embedding_size=given_size)))
        for variant in ("tuned", "static", "multichannel"):
            net = {"init_args": {"variant": variant, "embedding_size": given_size}}
            levels.append(Level(f"given, {variant}", in_task(vectors=dict(given), net=net)))
    return tuple(levels)


def _regions(sizes: list[int] | tuple[int, ...], place: float | None = None) -> Level:
    return Level(", ".join(map(str, sizes)), in_net(region_sizes=list(sizes)), place)


def _numbers(key: str, values: tuple[float, ...], baseline: float) -> tuple[Level, ...]:
    return tuple(Level(f"{v:g}", {} if v == baseline else in_net(**{key: v}), float(v)) for v in values)


def activation_levels() -> tuple[Level, ...]:
    """The functions that the paper compares; its cubes are left out."""
    others = {"tanh": "Tanh", "none": "Identity", "softplus": "Softplus", "sigmoid": "Sigmoid"}
    return (
        Level("ReLU"),
        *(Level(name, in_net(activation={"class_path": f"torch.nn.{path}"})) for name, path in others.items()),
    )


def pooling_levels() -> tuple[Level, ...]:
    """1-max, k-max, the mean, and the maximum in each of three parts of the sentence."""
    others = {
        "5-max": {"class_path": f"{POOLING}.KMaxPooling", "init_args": {"k": 5}},
        "10-max": {"class_path": f"{POOLING}.KMaxPooling", "init_args": {"k": 10}},
        "average": {"class_path": f"{POOLING}.MeanPooling"},
        "dynamic, 3 parts": {"class_path": f"{POOLING}.DynamicPooling", "init_args": {"parts": 3}},
    }
    return Level("1-max"), *(Level(name, in_net(pooling=pooling)) for name, pooling in others.items())


def norm_levels() -> tuple[Level, ...]:
    """No constraint, and l2 norms of a row of the output layer; "none" has no place on the axis."""

    def at(norm: float) -> dict[str, Any]:
        arguments = {"max_norm": norm, "parameters": "output.weight"}
        return in_task(constraints=[{"class_path": "zoo.optim.MaxNorm", "init_args": arguments}])

    numbers = (Level(f"{v:g}", {} if v == 3 else at(v), v) for v in (0.1, 0.5, 1.0, 3.0, 5.0, 10.0))
    return (Level("none", in_task(constraints=None)), *numbers)
