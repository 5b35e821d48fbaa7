"""Small healthy nets of seven architectures with data that they learn from in a hundred steps."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from tests.benchmarks.diagnosis.loop import Run, Terms

CLASSES = 5


def cross_entropy(net: nn.Module, batch: tuple[Tensor, Tensor]) -> Terms:
    """One term."""
    return {"loss": nn.functional.cross_entropy(net(batch[0]).float(), batch[1])}


def labelled(x: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Inputs and the classes that a random linear teacher gives them."""
    generator = torch.Generator().manual_seed(seed + 999)
    teacher = torch.randn(x[0].numel(), CLASSES, generator=generator)
    return x, (x.reshape(len(x), -1) @ teacher).argmax(1)


def he(net: nn.Module, gain: float = 2**0.5) -> nn.Module:
    """He's scale and zero biases for linear and convolution layers."""
    for module in net.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
            with torch.no_grad():
                module.weight.mul_(gain)
            nn.init.zeros_(module.bias) if module.bias is not None else None
    return net


def mlp_net(depth: int = 4, width: int = 48, activation=nn.ReLU, inputs: int = 20, outputs: int = CLASSES) -> nn.Module:
    """depth linear layers."""
    sizes = [inputs, *[width] * (depth - 1)]
    layers = [one for a, b in pairwise(sizes) for one in (nn.Linear(a, b), activation())]
    net = nn.Sequential(*layers, nn.Linear(sizes[-1], outputs))
    return he(net, 2**0.5 if activation is nn.ReLU else 1.0)


def mlp(seed: int, **options) -> Run:
    """Linear teacher on Gaussian inputs."""
    torch.manual_seed(seed)
    return Run("mlp", seed, mlp_net(**options), labelled(torch.randn(1024, 20), seed), cross_entropy)


def images(seed: int, count: int = 512) -> tuple[Tensor, Tensor]:
    """One of five 8x8 patterns in noise."""
    patterns = torch.randn(CLASSES, 1, 8, 8, generator=torch.Generator().manual_seed(seed + 5))
    labels = torch.randint(CLASSES, (count,))
    return patterns[labels] + 0.7 * torch.randn(count, 1, 8, 8), labels


def cnn(seed: int, activation=nn.ReLU, norm: bool = False) -> Run:
    """Three convolutions, pooling, a linear head."""
    torch.manual_seed(seed)

    def block(a, b):
        return [nn.Conv2d(a, b, 3, padding=1), *([nn.BatchNorm2d(b)] if norm else []), activation()]

    net = nn.Sequential(
        *block(1, 8), *block(8, 12), nn.MaxPool2d(2), *block(12, 12), nn.Flatten(), nn.Linear(192, CLASSES)
    )
    return Run("cnn", seed, he(net), images(seed), cross_entropy)


class Block(nn.Module):
    """x + conv(relu(norm(conv(x))))."""

    def __init__(self, width: int):
        super().__init__()
        self.conv1, self.norm1, self.relu1 = nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()
        self.conv2, self.norm2, self.relu2 = nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()

    def forward(self, x):
        return self.relu2(x + self.norm2(self.conv2(self.relu1(self.norm1(self.conv1(x))))))


def resnet(seed: int) -> Run:
    """A stem and two residual blocks with batch norm."""
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), Block(8), nn.AvgPool2d(2), Block(8),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, CLASSES),
    )  # fmt: skip
    return Run("resnet", seed, he(net), images(seed), cross_entropy)


class Recurrent(nn.Module):
    """Embedding, LSTM, hidden layer and head on the last state."""

    def __init__(self, width: int = 24, sparse: bool = False):
        super().__init__()
        self.embed = nn.Embedding(30, 12, sparse=sparse)
        self.lstm = nn.LSTM(12, width, batch_first=True)
        self.hidden, self.act, self.head = nn.Linear(width, 24), nn.ReLU(), nn.Linear(24, CLASSES)

    def forward(self, tokens):
        return self.head(self.act(self.hidden(self.lstm(self.embed(tokens))[0][:, -1])))


def words(seed: int, count: int = 1024, length: int = 8) -> tuple[Tensor, Tensor]:
    """Token sequences whose class is that of their last tokens' votes."""
    tokens = torch.randint(30, (count, length))
    return tokens, tokens[:, -1] % CLASSES


def lstm(seed: int, **options) -> Run:
    """Classes of the last token."""
    torch.manual_seed(seed)
    return Run("lstm", seed, Recurrent(**options), words(seed), cross_entropy)


class Attention(nn.Module):
    """Embedding, two pre-norm transformer blocks written out, mean, head."""

    def __init__(self, width: int = 16):
        super().__init__()
        self.embed = nn.Embedding(30, width)
        self.places = nn.Parameter(0.02 * torch.randn(8, width))
        self.blocks = nn.ModuleList([Mixer(width) for _ in range(2)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, CLASSES)

    def forward(self, tokens):
        x = self.embed(tokens) + self.places
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, -1])


class Mixer(nn.Module):
    """Attention and a two-layer net, each behind a layer norm, each added."""

    def __init__(self, width: int):
        super().__init__()
        self.norm1, self.attend = nn.LayerNorm(width), nn.MultiheadAttention(width, 2, batch_first=True)
        self.norm2, self.up, self.act, self.down = (
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Linear(2 * width, width),
        )

    def forward(self, x):
        y = self.norm1(x)
        x = x + self.attend(y, y, y, need_weights=False)[0]
        return x + self.down(self.act(self.up(self.norm2(x))))


def transformer(seed: int) -> Run:
    """Classes of the last token."""
    torch.manual_seed(seed)
    return Run("transformer", seed, Attention(), words(seed), cross_entropy)


class ActorCritic(nn.Module):
    """A trunk of two tanh layers, a policy and a value head."""

    def __init__(self, activation=nn.Tanh):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(8, 32), activation(), nn.Linear(32, 32), activation())
        self.policy, self.value = nn.Linear(32, 4), nn.Linear(32, 1)
        for module in self.trunk:
            if isinstance(module, nn.Linear):
                nn.init.orthogonal_(module.weight, 2**0.5)
        nn.init.orthogonal_(self.policy.weight, 0.01)

    def forward(self, x):
        h = self.trunk(x)
        return self.policy(h), self.value(h).squeeze(-1)


def policy_terms(net: nn.Module, batch: tuple[Tensor, ...]) -> Terms:
    """PPO's clipped policy gradient with given advantages, value regression, entropy bonus."""
    observations, actions, advantages, returns = batch
    logits, value = net(observations)
    log_p = logits.float().log_softmax(-1)
    entropy = -(log_p.exp() * log_p).sum(-1).mean()
    ratio = 4 * log_p.gather(1, actions[:, None])[:, 0].exp()  # the old policy is uniform
    clipped = ratio.clamp(0.8, 1.2)
    return {
        "policy": -torch.minimum(ratio * advantages, clipped * advantages).mean(),
        "value": 0.5 * (value.float() - returns).square().mean(),
        "entropy": -0.01 * entropy,
    }


def actor_critic(seed: int, **options) -> Run:
    """Bandit-like data: the advantage of an action is linear in the observation."""
    torch.manual_seed(seed)
    x = torch.randn(1024, 8)
    best = x @ torch.randn(8, 4)
    actions = torch.randint(4, (1024,))
    gains = best.gather(1, actions[:, None])[:, 0] + torch.randn(1024)
    advantages = (gains - gains.mean()) / gains.std()
    data = (x, actions, advantages, 0.5 * x[:, 0] + torch.tanh(x[:, 1]) + 0.1 * torch.randn(1024))
    return Run("actor_critic", seed, ActorCritic(**options), data, policy_terms)


def poisson_terms(net: nn.Module, batch: tuple[Tensor, ...]) -> Terms:
    """-u'' = pi^2 sin(pi x) on (-1, 1) with u = 0 at the ends."""
    (points,) = batch
    x = points.requires_grad_(True)
    u = net(x)
    du = torch.autograd.grad(u.sum(), x, create_graph=True)[0]
    ddu = torch.autograd.grad(du.sum(), x, create_graph=True)[0]
    ends = torch.tensor([[-1.0], [1.0]])
    source = torch.pi**2 * torch.sin(torch.pi * x)
    return {"residual": 0.01 * (ddu + source).square().mean(), "boundary": net(ends).square().mean()}


def pde(seed: int, depth: int = 4) -> Run:
    """A tanh net with Glorot's scale."""
    torch.manual_seed(seed)
    net = mlp_net(depth, 24, nn.Tanh, 1, 1)
    for module in net:
        if isinstance(module, nn.Linear):
            nn.init.xavier_normal_(module.weight)
    return Run("pde", seed, net, (2 * torch.rand(512, 1) - 1,), poisson_terms, batch=64)


ARCHITECTURES = {
    "mlp": mlp, "cnn": cnn, "resnet": resnet, "lstm": lstm, "transformer": transformer, "actor_critic": actor_critic,
    "pde": pde,
}  # fmt: skip
