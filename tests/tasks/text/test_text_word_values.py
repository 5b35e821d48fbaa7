"""What each word adds: closed forms, finite differences, loops, planted words, and no effect of padding."""

from functools import partial

import pytest
import torch
from torch import nn

from tasks.text.class_logit import class_logit, evaluating
from tasks.text.networks import (
    BagOfVectors,
    KMaxPooling,
    MaxPooling,
    MeanPooling,
    NaiveBayes,
    ResidualCNN,
    SentenceCNN,
    SerialCNN,
)
from tasks.text.tokeniser import Encoded
from tasks.text.word_values import (
    METHODS,
    UNSIGNED,
    absent,
    by_length,
    gap,
    gradient_norm,
    gradient_x_input,
    integrated,
    leave_one_out,
    smoothed_norm,
    word_values,
)
from tests.tasks.text.planted_words import PLANTED, trained
from zoo.attribution import gradient
from zoo.errors import InputError


class Sum(nn.Module):
    """Logits [0, w . sum of vectors]: every value is known."""

    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.tensor([[0.0, 0], [1, 1], [2, -1], [3, 5]], dtype=torch.float64))
        self.weight = torch.tensor([2.0, -1.0], dtype=torch.float64)

    def embed(self, tokens_BT):
        return self.table[tokens_BT]

    def classify(self, vectors_BTE, present_BT):
        one = ((vectors_BTE * present_BT[..., None]) @ self.weight).sum(1)
        return torch.stack([torch.zeros_like(one), one], 1)

    def forward(self, tokens_BT):
        return self.classify(self.embed(tokens_BT), tokens_BT != 0)


SENTENCES = torch.tensor([[2, 3, 1], [3, 0, 0]])
LABELS = torch.tensor([1, 1])


def small_net(**options) -> SentenceCNN:
    torch.manual_seed(3)
    return SentenceCNN(30, 3, 6, region_sizes=(1, 2, 4), feature_maps=7, **options).double().eval()


@pytest.mark.parametrize("method", [gradient_x_input, integrated, leave_one_out])
def test_of_a_linear_score_signed_values_are_its_terms(method):
    found = method(partial(class_logit, Sum()), (SENTENCES, LABELS))
    expected = torch.tensor([[5.0, 1, 1], [1, 0, 0]], dtype=torch.float64)
    if method is leave_one_out:
        expected[1, 0] = 1.0 - 1.0  # the only word becomes [UNK], which is worth 1
    torch.testing.assert_close(found, expected)


def test_of_a_linear_score_norms_are_its_weights():
    target = partial(class_logit, Sum())
    expected = torch.tensor([[5.0, 5, 5], [5, 0, 0]], dtype=torch.float64).sqrt()
    torch.testing.assert_close(gradient_norm(target, (SENTENCES, LABELS)), expected)
    torch.testing.assert_close(smoothed_norm(target, (SENTENCES, LABELS)), expected)


def test_integrated_gradients_start_at_the_baseline_that_is_named():
    target = partial(class_logit, Sum())
    found = integrated(target, (SENTENCES, LABELS), absence="unknown")
    torch.testing.assert_close(found, torch.tensor([[4.0, 0, 0], [0, 0, 0]], dtype=torch.float64))
    assert (absent(target, (SENTENCES, LABELS), "pad") == 0).all()
    with pytest.raises(InputError, match="expected pad or unknown"):
        integrated(target, (SENTENCES, LABELS), absence="mean")


@pytest.mark.parametrize("options", [{}, {"hidden_sizes": [4]}, {"activation": nn.Tanh}, {"pooling": KMaxPooling(2)}])
def test_the_score_and_its_derivative_are_those_of_the_net(options):
    net = small_net(**options)
    tokens, labels = torch.tensor([[4, 5, 6, 7, 8], [9, 4, 0, 0, 0]]), torch.tensor([2, 0])
    vectors, score = class_logit(net, (tokens, labels))
    leaf = vectors.clone().requires_grad_()
    held = leaf * (tokens != 0)[..., None]
    expected = net.classify(held, tokens != 0).gather(1, labels[:, None])[:, 0]
    torch.testing.assert_close(score(vectors), expected.detach(), atol=1e-12, rtol=0)
    torch.testing.assert_close(
        gradient(score, vectors), torch.autograd.grad(expected.sum(), leaf)[0], atol=1e-12, rtol=0
    )
    by_transform = torch.func.grad(lambda x: score(x).sum())(vectors)
    torch.testing.assert_close(by_transform, gradient(score, vectors), atol=1e-12, rtol=0)


def every_net() -> dict[str, nn.Module]:
    """One of each architecture, on a vocabulary of 30."""
    torch.manual_seed(3)
    options = {"vocabulary_size": 30, "num_classes": 3}
    nets = {
        "sentence_cnn": SentenceCNN(embedding_size=6, feature_maps=7, **options),
        "residual_cnn": ResidualCNN(embedding_size=6, feature_maps=7, **options),
        "serial_cnn": SerialCNN(embedding_size=6, feature_maps=7, hidden_sizes=[5], **options),
        "bag_of_vectors": BagOfVectors(embedding_size=6, buckets=11, **options),
        "naive_bayes": NaiveBayes(pairs=4, **options),
    }
    return {name: net.double().eval() for name, net in nets.items()}


@pytest.mark.parametrize("net", every_net().values(), ids=list(every_net()))
def test_every_net_is_explained_and_integrated_gradients_add_up(net):
    tokens, labels = torch.tensor([[4, 5, 6, 7, 8], [9, 4, 0, 0, 0]]), torch.tensor([2, 0])
    target = partial(class_logit, net)
    for method in METHODS.values():
        found = method(target, (tokens, labels))
        assert found.shape == tokens.shape and found.isfinite().all() and (found[1, 2:] == 0).all()
    vectors, score = target((tokens, labels))
    change = score(vectors) - score(torch.zeros_like(vectors))
    torch.testing.assert_close(
        integrated(target, (tokens, labels), steps=400).sum(1), change.detach(), atol=1e-2, rtol=0.02
    )


@pytest.mark.parametrize("pooling", [MaxPooling(), KMaxPooling(2), MeanPooling()])
@pytest.mark.parametrize("variant", ["tuned", "multichannel"])
def test_gradients_through_the_embedding_are_finite_differences(pooling, variant):
    net = small_net(activation=nn.Tanh, pooling=pooling, variant=variant)
    tokens, labels = torch.tensor([[4, 5, 6, 7, 8], [9, 4, 0, 0, 0]]), torch.tensor([2, 0])
    vectors, score = class_logit(net, (tokens, labels))
    found = gradient(score, vectors)
    differences, step = torch.zeros_like(vectors), 1e-6
    for place in range(vectors[0].numel()):
        moved = torch.zeros_like(vectors[0]).flatten()
        moved[place] = step
        moved = moved.view_as(vectors[0])
        differences.flatten(1)[:, place] = (score(vectors + moved) - score(vectors - moved)) / (2 * step)
    assert (found - differences).abs().max() < 1e-6
    assert found[0].abs().min(1).values.gt(0).all()
    assert (found[1, 2:] == 0).all()  # behind the end nothing counts


def test_values_are_what_the_chain_rule_gives_at_the_table():
    net = small_net()
    tokens, labels = torch.tensor([[4, 5, 6, 5]]), torch.tensor([1])
    net(tokens)[0, 1].backward()
    at_table = (net.embedding.tuned.grad * net.embedding.tuned).sum(1)
    values = gradient_x_input(partial(class_logit, net), (tokens, labels))[0]
    torch.testing.assert_close(values[[0, 2]], at_table[[4, 6]])
    torch.testing.assert_close(values[1] + values[3], at_table[5])  # a word that stands there twice


@pytest.mark.parametrize("how", ["deleted", "unknown"])
def test_leaving_words_out_is_a_loop_over_sentences_without_them(how):
    net = small_net()
    sentences = [[4, 5, 6, 7], [8], [9, 4]]
    tokens = torch.tensor([s + [0] * (4 - len(s)) for s in sentences])
    labels = torch.tensor([0, 1, 2])
    found = leave_one_out(partial(class_logit, net), (tokens, labels), how)
    for n, words in enumerate(sentences):
        for t in range(len(words)):
            left = [*words[:t], *([1] if how == "unknown" else []), *words[t + 1 :]] or [1]
            lost = (net(torch.tensor([words])) - net(torch.tensor([left])))[0, labels[n]]
            assert found[n, t] == pytest.approx(lost.item(), abs=1e-12)
    assert (found[tokens == 0] == 0).all()
    with pytest.raises(InputError, match="expected deleted or unknown"):
        leave_one_out(partial(class_logit, net), (tokens, labels), "masked")


def test_integrated_gradients_miss_little_and_less_with_more_steps():
    task, data = trained()
    split = data.splits["test"]
    batch = (split.encoded.padded(torch.arange(40)), split.labels_N[:40])
    missed = {s: float(gap(partial(class_logit, task.net), batch, steps=s).abs().mean()) for s in (2, 10, 50)}
    assert missed[50] < missed[10] < missed[2]
    vectors, score = class_logit(task.net, batch)
    assert missed[50] < 0.01 * (score(vectors) - score(torch.zeros_like(vectors))).abs().mean().item()


@pytest.mark.parametrize("name", [n for n in METHODS if n != "smoothgrad"])
def test_padding_changes_no_value(name):
    net = small_net()
    sentences = [[4, 5, 6, 7, 8], [9], [7, 7]]
    alone = [METHODS[name](partial(class_logit, net), (torch.tensor([s]), torch.tensor([1])))[0] for s in sentences]
    wide = torch.tensor([s + [0] * (9 - len(s)) for s in sentences])
    together = METHODS[name](partial(class_logit, net), (wide, torch.ones(3, dtype=torch.int64)))
    for n, one in enumerate(alone):
        torch.testing.assert_close(together[n, : len(one)], one, atol=1e-12, rtol=0)
        assert (together[n, len(one) :] == 0).all()


def test_noise_behind_the_end_of_a_sentence_changes_nothing():
    net = small_net()
    tokens = torch.tensor([[4, 5, 0, 0]])
    vectors, score = class_logit(net, (tokens, torch.tensor([0])))
    noisy = vectors.clone()
    noisy[:, 2:] = 100.0
    assert torch.equal(score(noisy), score(vectors))


def test_a_whole_split_has_the_values_of_its_sentences_and_the_net_is_left_as_it_was():
    task, data = trained()
    encoded = data.splits["test"].encoded.take(torch.arange(60))
    classes = torch.arange(60) % 2
    task.train()
    before = {name: p.grad for name, p in task.net.named_parameters()}
    whole = word_values(gradient_x_input, task.net, encoded, classes)
    assert all(module.training for module in task.net.modules())
    assert all(p.grad is before[name] for name, p in task.net.named_parameters())
    task.eval()
    for n in (0, 17, 59):
        one = gradient_x_input(partial(class_logit, task.net), (encoded.tokens_of(n)[None], classes[n : n + 1]))[0]
        torch.testing.assert_close(whole[encoded.starts[n] : encoded.starts[n + 1]], one)


def test_batches_of_like_length_hold_every_sentence_once_and_few_tokens():
    lengths = torch.randint(1, 40, (500,), generator=torch.Generator().manual_seed(0))
    lengths[7] = 1000
    batches = list(by_length(lengths, tokens=256))
    assert torch.cat(batches).sort().values.tolist() == list(range(500))
    assert all(len(b) * int(lengths[b].max()) <= 256 for b in batches if len(b) > 1)
    assert len(batches) < 1.2 * float(lengths[lengths < 1000].sum()) / 256 + 2


def test_a_module_of_its_own_mode_keeps_it():
    net = small_net()
    net.dropout.train()
    assert not evaluating(net, lambda: torch.tensor(net.dropout.training))
    assert net.dropout.training and not net.training


# The planted word: of a net that rests on it alone (leaving words out says so), what share of |values| is on it?


def masses(name: str) -> torch.Tensor:
    """Share of |values| on the planted word of each of 100 test sentences."""
    task, data = trained()
    split = data.splits["test"]
    encoded = split.encoded.take(torch.arange(100))
    planted = [data.tokeniser.words.index(word) for word in PLANTED]
    sizes = word_values(METHODS[name], task.net, encoded, split.labels_N[:100]).abs()
    on = sizes * torch.isin(encoded.tokens_M, torch.tensor(planted))
    return torch.stack([part.sum() for part in by_sentence(on, encoded)]) / torch.stack(
        [part.sum() for part in by_sentence(sizes, encoded)]
    )


def by_sentence(values_M: torch.Tensor, encoded: Encoded):
    return values_M.split(encoded.lengths_N.tolist())


@pytest.mark.parametrize("name", [n for n in METHODS if n not in UNSIGNED])
def test_every_signed_method_puts_95_percent_on_the_planted_word_of_every_sentence(name):
    assert float(masses(name).min()) >= 0.95


@pytest.mark.parametrize("name", UNSIGNED)
def test_norms_point_at_the_planted_word_but_spread(name):
    # They say how far the answer would move with a vector, not what the word now adds: neighbours in a winning
    # window have a gradient too.
    found = masses(name)
    assert 0.3 < float(found.mean()) < 0.95
