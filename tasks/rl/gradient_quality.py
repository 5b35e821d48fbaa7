"""How good a rollout's policy gradient is: its signal against its noise, from the environments side by side.

Steps of one episode depend on each other, so a chunk of the batch is whole environments; chunks share only the critic
and, where advantages are normalised, two numbers. What is measured is the noise of the estimate: a bias, such as that
of a wrong critic under GAE, is the same in every chunk and does not show.

Legend: T = steps, B = environments, N = valid samples of the rollout, K = chunks, P = parameters.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tasks.rl.rollout import Rollout
from tasks.rl.samples import Samples
from zoo.errors import InputError
from zoo.probes.batch_gradients import GradientNoise, gradient_noise

CHUNKS = 8  # each costs a backward pass; noise in many directions is known well from few chunks
UNUSED = {"allow_unused": True, "materialize_grads": True}  # the critic has no part in the policy's term

Terms = Callable[[nn.Module, Samples], dict[str, Tensor]]


def refuse_few_environments(count: int) -> None:
    """The spread of two or three chunks says next to nothing.

    Raises:
        InputError: fewer than four environments.
    """
    if count < 4:
        raise InputError(
            f"model.gradient_quality_every: expected 0 with fewer than 4 environments, got {count}; "
            "set it to 0 or raise model.environment.count"
        )


def policy_gradient_noise(net: nn.Module, loss: Terms, rollout: Rollout, samples: Samples) -> GradientNoise:
    """Signal and noise of the "policy" term's gradient over the whole rollout, at the policy that collected it.

    Costs K = min(B, 8) forward and backward passes over N / K samples each. Nothing is touched.

    Args:
        net: the policy that collected the rollout.
        loss: (net, samples) -> terms, each a mean over the samples; one is named "policy".
        rollout: says which sample came from which environment.
        samples: its valid steps in order.
    """
    environment_N = environments_of(rollout)
    parts = [group.to(environment_N) for group in torch.arange(rollout.valid_TB.shape[1]).chunk(CHUNKS)]
    chosen = [torch.isin(environment_N, group).nonzero()[:, 0] for group in parts]
    chosen = [part for part in chosen if len(part)]
    gradients_KP = torch.stack([term_gradient(net, loss, samples.take(part)) for part in chosen])
    return gradient_noise(gradients_KP, torch.tensor([len(part) for part in chosen]))


def environments_of(rollout: Rollout) -> Tensor:
    """Number of the environment of each valid sample, [N]."""
    return torch.arange(rollout.valid_TB.shape[1]).expand_as(rollout.valid_TB)[rollout.valid_TB]


def term_gradient(net: nn.Module, loss: Terms, samples: Samples, term: str = "policy") -> Tensor:
    """d term / d theta, [P]; no parameter's .grad is touched."""
    trained = [parameter for parameter in net.parameters() if parameter.requires_grad]
    with torch.enable_grad():
        gradients = torch.autograd.grad(loss(net, samples)[term], trained, **UNUSED)
    return torch.cat([gradient.reshape(-1) for gradient in gradients])


def quality_readings(noise: GradientNoise) -> dict[str, Tensor]:
    """What is recorded of a rollout."""
    return {
        "policy_gradient/signal": noise.signal,
        "policy_gradient/noise": noise.noise,
        "policy_gradient/signal_to_noise": noise.ratio,
        "policy_gradient/cosine": noise.cosine(),
    }
