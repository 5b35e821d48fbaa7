"""Meaning and form apart: the grammar, what is drawn from it, losses by hand, shares, and the test that counts."""

from functools import partial
from random import Random

import pytest
import torch
from torch import nn

from tasks.text.disentangled.explain import (
    CONTENT,
    meaning_nearer_by_change,
    probes,
    words_nearer_by_change,
)
from tasks.text.disentangled.grammar import FORMS, NOUNS, PLACES, VERBS, Meaning, sentence
from tasks.text.disentangled.losses import linear_accuracy, nearer, reconstruction_loss
from tasks.text.disentangled.networks import Disentangled, reversed_gradient
from tasks.text.disentangled.paraphrases import CHANGES, LONGEST, NAMES, ParaphraseData, changed, drawn_meanings
from tasks.text.disentangled.shares import token_shares
from tasks.text.disentangled.task import Disentangling, awake
from zoo.errors import InputError


def test_every_form_says_every_part_of_the_meaning_and_no_two_sentences_are_equal():
    meanings = [Meaning(0, 1, 2, 3), Meaning(2, 1, 0, 3), Meaning(0, 1, 2, 4)]
    said = {(meaning, form): sentence(meaning, form) for meaning in meanings for form in FORMS}
    assert len(set(said.values())) == len(said) == 24
    for (meaning, _), text in said.items():
        words = {NOUNS[meaning.agent], VERBS[meaning.verb], NOUNS[meaning.patient], PLACES[meaning.place]}
        assert set(text.split()) & CONTENT == words


def test_test_meanings_are_new_and_every_item_is_what_it_says():
    data = ParaphraseData(meanings=200, held_out=100, each=3)
    data.setup()
    events = {name: {tuple(row[:3]) for row in data.tensors[name].meaning_B4.tolist()} for name in data.splits}
    assert not events["train"] & (events["test"] | events["validation"]) and not events["test"] & events["validation"]
    assert [len(data.splits[name]) for name in ("train", "validation", "test")] == [600, 100, 100]
    for item in data.splits["train"]:
        form = NAMES[item.form]
        others = [name for name in NAMES if sentence(item.meaning, name) == item.target]
        assert sentence(item.meaning, form) == item.source and others and others != [form]
        frame = [word for word in item.target.split() if word not in CONTENT]
        assert [word for word in item.giver.split() if word not in CONTENT] == frame
        before, after = item.source.split(), item.changed.split()
        different = sum(a != b for a, b in zip(before, after, strict=True))
        assert different == (2 if CHANGES[item.change] == "agent and patient exchanged" else 1)
        assert (sorted(before) == sorted(after)) == (item.change == 4)
    counts = torch.tensor([[item.form, item.change] for item in data.splits["train"]])
    assert counts[:, 0].bincount().tolist() == [75] * 8
    assert counts[:, 1].bincount().min() >= 112


def test_no_words_are_unknown_and_tokens_are_those_of_the_texts():
    data = ParaphraseData(meanings=40, held_out=5)
    data.setup()
    batch = data.tensors["train"]
    assert not (batch.source_BT == 1).any() and batch.source_BT.shape[1] == LONGEST
    words = data.tokeniser.words
    assert " ".join(words[i] for i in batch.giver_BT[3] if i) == data.splits["train"][3].giver


def test_a_change_never_makes_a_noun_its_own_patient():
    random = Random(0)
    for meaning in drawn_meanings(100, random):
        for what in (0, 2, 4):
            other = changed(meaning, what, random)
            assert other.agent != other.patient and other != meaning


def test_more_meanings_than_there_are_are_refused():
    with pytest.raises(InputError, match="held_out"):
        ParaphraseData(meanings=30_000, held_out=400)


def test_the_gradient_comes_back_reversed():
    x = torch.tensor([1.0, -2.0], requires_grad=True)
    reversed_gradient(x, 0.25).square().sum().backward()
    assert x.grad.tolist() == [-0.5, 1.0]


def small(**options) -> tuple[Disentangling, ParaphraseData]:
    torch.manual_seed(0)
    data = ParaphraseData(meanings=40, held_out=40, **options)
    net = Disentangled(len(data.tokeniser), positions=LONGEST, embedding_size=8, feature_maps=8, size=6, hidden=16)
    return Disentangling(net, partial(torch.optim.Adam, lr=5e-3), deception=0.3), data


def test_the_encoder_deceives_the_adversary_that_learns():
    task, data = small()
    data.setup()
    batch = data.tensors["test"]
    terms = task.loss(task.net, batch)
    encoder, adversary = task.net.meaning.output.weight, task.net.adversary[0].weight
    found = torch.autograd.grad(terms["adversary"], [encoder, adversary])
    guesses = task.net.adversary(task.net(batch.source_BT)[0])
    plain = torch.autograd.grad(nn.functional.cross_entropy(guesses, batch.form_B), [encoder, adversary])
    torch.testing.assert_close(found[0], -0.3 * plain[0])
    torch.testing.assert_close(found[1], plain[1])


def test_the_adversary_is_heard_from_the_quiet_share_on():
    assert [awake(done, 0.4) for done in (0.0, 0.4, 0.5, 0.6, 0.8, 1.0)] == pytest.approx([0, 0, 0.25, 0.5, 1, 1])
    assert awake(0.0, 0.0) == 1.0


@pytest.mark.parametrize("options", [{"deception": -1.0}, {"quiet": 0.6}, {"likeness": -0.1}])
def test_settings_without_meaning_are_refused(options):
    with pytest.raises(InputError, match="expected"):
        Disentangling(Disentangled(20), partial(torch.optim.Adam, lr=0.1), **options)


def test_terms_by_their_definition():
    task, data = small()
    data.setup()
    batch = data.tensors["test"]
    terms = task.loss(task.net, batch)
    meaning, again = task.net(batch.source_BT)[0], task.net(batch.target_BT)[0]
    said = task.net.decoder(meaning, task.net(batch.giver_BT)[1])
    torch.testing.assert_close(terms["reconstruction"], reconstruction_loss(said, batch.target_BT))
    angle = (meaning * again).sum(1) / meaning.norm(dim=1) / again.norm(dim=1)
    torch.testing.assert_close(terms["likeness"], 0.3 * (1 - angle.mean()))


def test_parts_do_not_depend_on_padding():
    net = Disentangled(20).double()
    tokens = torch.tensor([[3, 4, 5, 6], [7, 8, 0, 0]])
    wider = torch.cat([tokens, torch.zeros(2, 5, dtype=torch.int64)], 1)
    for one, other in zip(net(tokens), net(wider), strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=0)


def test_reconstruction_by_hand():
    logits = torch.tensor([[[0.0, 2.0], [1.0, 1.0], [9.0, 9.0]]])
    expected = (-2 + torch.tensor([0.0, 2.0]).exp().sum().log().item() + torch.tensor(2.0).log().item()) / 2
    assert reconstruction_loss(logits, torch.tensor([[1, 0]])).item() == pytest.approx(expected, rel=1e-6)


def test_nearer_is_by_angle():
    anchor = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    assert nearer(anchor, torch.tensor([[9.0, 1.0], [1.0, 1.0]]), torch.tensor([[1.0, 1.0], [9.0, 1.0]])).tolist() == [
        1.0,
        0.0,
    ]


def test_a_linear_reading_finds_what_is_there_and_nothing_else():
    labels = torch.randint(0, 4, (2000,))
    noise = torch.randn(2000, 6)
    told = noise + nn.functional.one_hot(labels, 6) * 8

    def read(x):
        return linear_accuracy((x[:1000], labels[:1000]), (x[1000:], labels[1000:]))

    assert read(told) > 0.99
    assert read(noise) < 0.25 + 4 * (0.25 * 0.75 / 1000) ** 0.5


def test_shares_are_norms_of_the_jacobian():
    net = Disentangled(20, size=5).double()
    tokens = torch.tensor([[3, 4, 5, 6], [7, 8, 0, 0]])
    vectors, present = net.embed(tokens), tokens != 0
    found = token_shares(net.meaning, vectors, present)
    for n, length in enumerate((4, 2)):

        def one(x):
            return net.meaning(x[None], torch.ones(1, len(x), dtype=torch.bool))[0]

        jacobian = torch.autograd.functional.jacobian(one, vectors[n, :length].detach())
        norms = jacobian.square().sum((0, 2)).sqrt()
        torch.testing.assert_close(found[n, :length], norms / norms.sum())
    assert not found[1, 2:].any()


def test_the_target_of_attributions_is_the_closeness_to_the_paraphrase():
    task, data = small()
    data.setup()
    batch = data.tensors["test"]
    vectors, score = task.attribution_target(batch)
    meanings = [task.net(tokens)[0] for tokens in (batch.source_BT, batch.target_BT)]
    expected = nn.functional.cosine_similarity(*meanings)
    torch.testing.assert_close(score(vectors), expected)
    torch.testing.assert_close(score(vectors.repeat(2, 1, 1)), expected.repeat(2))


def test_counts_of_words_cannot_tell_exchanged_roles():
    data = ParaphraseData(meanings=40, held_out=200)
    data.setup()
    assert words_nearer_by_change(data.tensors["test"], len(data.tokeniser))["agent and patient exchanged"] == 0


def test_the_page_lists_shares_that_sum_to_one_and_every_test():
    task, data = small()
    data.setup()
    nearness, told, shares = task.report_sections(data)
    assert [row[0] for row in nearness.figures[0].table.rows] == CHANGES
    assert all(name in told.figures[0].html() for name in ("form", *Meaning._fields))
    rows = shares.figures[0].table.rows
    for part in ("meaning", "form"):
        for n in range(1, 17):
            values = [row[3] for row in rows if row[:2] == [part, n]]
            assert len(values) >= 8 and sum(values) == pytest.approx(1, abs=1e-5)
    text = [row[2] for row in rows if row[:2] == ["form", 3]]
    assert " ".join(text) == sentence(Meaning(*data.tensors["test"].meaning_B4[0].tolist()), "passive")


@pytest.mark.slow
def test_swapping_syntax_leaves_the_meaning_nearer_than_swapping_words_does(quick):
    torch.manual_seed(0)
    data = ParaphraseData()
    net = Disentangled(len(data.tokeniser), positions=LONGEST)
    scheduler = partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=5e-3, total_steps=None)
    task = Disentangling(net, partial(torch.optim.Adam, lr=5e-3), scheduler=scheduler)
    trainer = quick(max_epochs=9, threads=1, enable_progress_bar=False)
    trainer.fit(task, datamodule=data)
    figures = trainer.test(task, datamodule=data, verbose=False)[0]
    assert figures["test/meaning_nearer"] >= 0.9
    assert figures["test/form_nearer"] >= 0.99
    assert meaning_nearer_by_change(net, data.tensors["test"])["agent and patient exchanged"] >= 0.5
    read = {probe.name: probe for probe in probes(net, data.tensors["train"], data.tensors["test"])}
    assert read["form"].from_form >= 0.99 and read["form"].from_meaning < 0.45
    assert read["verb"].from_meaning > read["verb"].from_form + 0.3
