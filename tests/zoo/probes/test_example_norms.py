"""Per-example gradient norms against vmap(grad) of the whole net, or one backward an example where vmap cannot."""

import pytest
import torch
from torch import distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.func import functional_call, grad, vmap
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils.parametrizations import weight_norm

from zoo.errors import InputError
from zoo.probes import LocalGradients, example_gradient_norms, whole_norms
from zoo.probes.watched_layers import watched_layers

B = 6


class Pooled(nn.Module):
    """Tokens -> mean over positions of a body's outputs."""

    def __init__(self, *layers):
        super().__init__()
        self.body = nn.Sequential(*layers)

    def forward(self, x):
        return self.body(x).mean(1)


class Twice(nn.Module):
    """One linear layer and one table used twice, and a linear layer tied to the table."""

    def __init__(self):
        super().__init__()
        self.table, self.mixing, self.out = (
            nn.Embedding(9, 4, padding_idx=0),
            nn.Linear(4, 4),
            nn.Linear(4, 9, bias=False),
        )

    def forward(self, tokens):
        x = self.table(tokens) + self.table(tokens.flip(1))
        return self.out(self.mixing(torch.tanh(self.mixing(x))).mean(1))


class Tied(Twice):
    def __init__(self):
        super().__init__()
        self.out.weight = self.table.weight


class Own(nn.Module):
    """A parameter that no layer owns, beside a layer that does."""

    def __init__(self):
        super().__init__()
        self.scale, self.lists = nn.Parameter(torch.rand(5)), nn.ParameterList([torch.rand(5)])
        self.inside = nn.Linear(5, 5)

    def forward(self, x):
        return self.inside(torch.tanh(x * self.scale)) * self.lists[0]


class Attending(nn.Module):
    def __init__(self, batch_first=True):
        super().__init__()
        self.attention, self.out = nn.MultiheadAttention(4, 2, batch_first=batch_first), nn.Linear(4, 3)

    def forward(self, x):
        mask = torch.ones(x.shape[1], x.shape[1]).triu(1).bool()
        x = x if self.attention.batch_first else x.transpose(0, 1)
        mixed = self.attention(x, x, x, attn_mask=mask, need_weights=False)[0]
        return self.out(mixed.mean(1 if self.attention.batch_first else 0))


class Recurrent(nn.Module):
    def __init__(self, kind, **options):
        super().__init__()
        self.rnn = kind(4, 3, batch_first=True, **options)
        self.out = nn.Linear(options.get("proj_size", 3) * (2 if self.rnn.bidirectional else 1), 3)

    def forward(self, x):
        return self.out(self.rnn(x)[0][:, -1])


def images(*shape):
    return lambda: torch.randn(B, *shape, dtype=torch.float64)


def tokens(length):
    return lambda: torch.randint(0, 9, (B, length))


def conv(layer, *more):
    return lambda: nn.Sequential(layer(), *more, nn.Flatten(), nn.LazyLinear(3))


CASES = {
    "mlp": (lambda: nn.Sequential(nn.Linear(5, 7), nn.ReLU(inplace=True), nn.Linear(7, 3, bias=False)), images(5)),
    "linear over positions": (lambda: Pooled(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)), images(4, 5)),
    "linear over many positions": (lambda: Pooled(nn.Linear(5, 3)), images(9, 5)),
    "conv1d": (conv(lambda: nn.Conv1d(4, 6, 3, stride=2, padding=1, dilation=2, groups=2)), images(4, 9)),
    "conv2d": (conv(lambda: nn.Conv2d(2, 4, (3, 2), stride=(1, 2), padding=(1, 0)), nn.Tanh()), images(2, 5, 6)),
    "conv2d same": (conv(lambda: nn.Conv2d(2, 4, 2, padding="same", padding_mode="reflect", bias=False)), images(2, 5, 6)),
    "conv2d at few places": (conv(lambda: nn.Conv2d(4, 8, 3)), images(4, 4, 3)),
    "conv3d": (conv(lambda: nn.Conv3d(2, 4, 2, groups=2)), images(2, 3, 4, 3)),
    "transposed": (conv(lambda: nn.ConvTranspose2d(2, 4, 2)), images(2, 3, 3)),
    "group norm": (conv(lambda: nn.Conv1d(2, 4, 2), nn.GroupNorm(2, 4)), images(2, 6)),
    "instance norm": (conv(lambda: nn.Conv1d(2, 4, 2), nn.InstanceNorm1d(4, affine=True)), images(2, 6)),
    "batch norm in eval mode": (lambda: conv(lambda: nn.Conv1d(2, 4, 2), nn.BatchNorm1d(4))().eval(), images(2, 6)),
    "layer and rms norm": (lambda: Pooled(nn.Linear(5, 4), nn.LayerNorm([4]), nn.RMSNorm(4), nn.Linear(4, 3)), images(4, 5)),
    "weight norm": (lambda: nn.Sequential(weight_norm(nn.Linear(5, 4)), nn.Tanh(), nn.Linear(4, 3)), images(5)),
    "embedding": (lambda: Pooled(nn.Embedding(9, 5, padding_idx=0), nn.Linear(5, 3)), tokens(7)),
    "called twice": (Twice, tokens(5)),
    "tied": (Tied, tokens(5)),
    "own parameter": (Own, images(5)),
    "attention": (Attending, images(B, 4)),
    "attention, time first": (lambda: Attending(batch_first=False), images(5, 4)),
    "lstm": (lambda: Recurrent(nn.LSTM, num_layers=2, bidirectional=True), images(5, 4)),
    "gru": (lambda: Recurrent(nn.GRU), images(5, 4)),
    "rnn": (lambda: Recurrent(nn.RNN, bias=False), images(5, 4)),
    "projected": (lambda: Recurrent(nn.LSTM, proj_size=2), images(5, 4)),
    "frozen": (lambda: nn.Sequential(nn.Linear(5, 4).requires_grad_(False), nn.Tanh(), nn.Linear(4, 3)), images(5)),
}  # fmt: skip


def made(case) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    make, draw = CASES[case]
    inputs, labels = draw(), torch.randint(0, 3, (B,))
    net = make()
    net = net.double() if inputs.is_floating_point() or case in ("embedding", "called twice", "tied") else net
    net(inputs)  # lazy layers
    return net, inputs, labels


def norms_one_by_one(net, inputs, labels) -> dict[str, torch.Tensor]:
    """vmap(grad) of the whole net; one backward an example for what vmap does not know."""
    trained = {name: p for name, p in net.named_parameters() if p.requires_grad}

    def loss(named, x, y):
        return functional.cross_entropy(functional_call(net, named, (x[None],)), y[None])

    if any(isinstance(m, nn.RNNBase) for m in net.modules()):
        rows = [
            torch.autograd.grad(loss({}, x, y), list(trained.values())) for x, y in zip(inputs, labels, strict=True)
        ]
        stacked = dict(zip(trained, (torch.stack(one) for one in zip(*rows, strict=True)), strict=True))
    else:
        named = {name: p.detach() for name, p in trained.items()}
        with sdpa_kernel(SDPBackend.MATH):
            stacked = vmap(grad(loss), in_dims=(None, 0, 0))(named, inputs, labels)
    return {name: g.flatten(1).norm(dim=1) for name, g in stacked.items()}


@pytest.mark.parametrize("case", CASES)
def test_norms_are_those_of_vmap_grad(case):
    net, inputs, labels = made(case)
    norms, gradient = example_gradient_norms(
        net, lambda: functional.cross_entropy(net(inputs), labels, reduction="none")
    )
    expected = norms_one_by_one(net, inputs, labels)
    assert norms.keys() == expected.keys()
    for name, norm in norms.items():
        torch.testing.assert_close(norm, expected[name], rtol=1e-9, atol=1e-12, msg=lambda m, n=name: f"{n}: {m}")
    mean = functional.cross_entropy(net(inputs), labels)
    plain = torch.autograd.grad(mean, [p for p in net.parameters() if p.requires_grad])
    for found, wanted in zip(gradient.values(), plain, strict=True):
        torch.testing.assert_close(found, wanted)
    whole = torch.stack(list(expected.values())).square().sum(0).sqrt()
    torch.testing.assert_close(whole_norms(norms), whole)


def test_few_examples_at_a_time_give_the_same(monkeypatch):
    for case in ("conv2d", "attention", "embedding"):
        net, inputs, labels = made(case)
        found = []
        for at_once in (2**22, 1):
            monkeypatch.setattr("zoo.probes.ghost.AT_ONCE", at_once)
            monkeypatch.setattr("zoo.probes.layer_copies.AT_ONCE", at_once)

            def losses(net=net, x=inputs, y=labels):
                return functional.cross_entropy(net(x), y, reduction="none")

            found.append(whole_norms(example_gradient_norms(net, losses)[0]))
        torch.testing.assert_close(*found)


def test_dropout_between_layers_draws_what_the_forward_drew():
    """One backward an example through the very same graph."""
    net = nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.5), nn.Linear(8, 3)).double()
    inputs, kept = torch.randn(B, 5, dtype=torch.float64), []

    def losses():
        kept.append(net(inputs).square().sum(1))
        return kept[-1]

    norms, _ = example_gradient_norms(net, losses, check=False)
    torch.testing.assert_close(norms["0.bias"].shape, torch.Size([B]))
    torch.manual_seed(0)
    state = torch.get_rng_state()
    norms, _ = example_gradient_norms(net, losses)
    torch.set_rng_state(state)
    again = net(inputs).square().sum(1)
    for n in range(B):
        g = torch.autograd.grad(again[n], net[0].weight, retain_graph=True)[0]
        torch.testing.assert_close(norms["0.weight"][n], g.norm())


class Centred(nn.Module):
    def forward(self, x):
        return x - x.mean(0)


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 3)

    def forward(self, x):
        return functional.linear(x, self.layer.weight)


class Flattened(nn.Module):
    """Positions taken for examples."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 3)

    def forward(self, x):
        return self.layer(x.reshape(-1, 5)).reshape(len(x), -1, 3).mean(1)


class TimeFirst(Flattened):
    """As many time steps as examples: no shape can tell."""

    def forward(self, x):
        return self.layer(x.transpose(0, 1)).transpose(0, 1).mean(1)


@pytest.mark.parametrize(
    "net, shape, words",
    [
        (nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3)), (5,), "BatchNorm1d with statistics of the batch"),
        (nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3, track_running_stats=False)).eval(), (5,), "BatchNorm1d"),
        (nn.Sequential(nn.Linear(5, 3), Centred(), nn.Tanh()), (5,), "mixes the examples"),
        (Functional(), (5,), "layer.weight used"),
        (Flattened(), (4, 5), "along the first dimension"),
        (TimeFirst(), (B, 5), "do not lie along the first"),
        (nn.Sequential(nn.Embedding(9, 3, scale_grad_by_freq=True), nn.Flatten()), None, "scale_grad_by_freq"),
    ],
    ids=["batch norm", "no statistics", "mixing", "functional", "flattened", "time first", "frequency"],
)  # fmt: skip
def test_what_would_be_wrong_is_refused(net, shape, words):
    inputs = torch.randint(0, 9, (B, 4)) if shape is None else torch.randn(B, *shape)
    with pytest.raises(InputError, match=words):
        example_gradient_norms(net, lambda: net(inputs).square().sum(1))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())


def test_random_numbers_inside_a_layer_are_refused():
    net = nn.MultiheadAttention(4, 2, dropout=0.5, batch_first=True)
    x = torch.randn(B, 3, 4)
    with pytest.raises(InputError, match="MultiheadAttention: expected a layer that vmap"):
        example_gradient_norms(net, lambda: net(x, x, x)[0].square().sum((1, 2)))


def test_shards_are_refused(tmp_path):
    """As torch's own fully_shard leaves them, on a group of one process."""
    net = nn.Sequential(nn.Linear(5, 3), nn.Tanh())
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        fully_shard(net, mesh=init_device_mesh("cpu", (1,)))
        for reading in (
            lambda: example_gradient_norms(net, lambda: net(torch.randn(B, 5)).square().sum(1)),
            lambda: LocalGradients(dict(net.named_parameters())),
        ):
            with pytest.raises(InputError, match=r"a shard of 0.weight \(FSDP\)"):
                reading()
    finally:
        distributed.destroy_process_group()


def test_every_parameter_is_in_one_watched_layer():
    for case in CASES:
        net, *_ = made(case)
        names = [
            f"{name}.{p}" if name else p for name, layer in watched_layers(net) for p, _ in layer.named_parameters()
        ]
        assert len(names) == len(set(names))
        assert {n for n, p in net.named_parameters() if p.requires_grad} <= set(names)
