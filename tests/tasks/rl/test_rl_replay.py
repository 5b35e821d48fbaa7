"""Replay memory: what is drawn, how often, and what n steps of it are worth."""

import numpy as np
import pytest
import torch

from tasks.rl.q_losses import n_step_returns
from tasks.rl.replay.priorities import Prioritised
from tasks.rl.replay.replay import Replay
from tasks.rl.replay.sum_tree import SumTree
from tasks.rl.rollout import Rollout
from zoo.errors import InputError


def history(steps: int, count: int = 2, stack: int = 1, frames: bool = False, seed: int = 0) -> Rollout:
    """Steps of `count` environments whose observation is (episode, step in it), as NEXT_STEP autoreset gives them.

    Environment b's episodes last 4 + b steps; even ones terminate, odd ones are truncated. The reward is the
    observation's number, the action the step.
    """
    rng = np.random.default_rng(seed)
    obs = np.zeros((steps + 1, count, 2), np.float32)
    rewards, discount = np.zeros((steps, count), np.float32), np.full((steps, count), 0.9, np.float32)
    continues, valid = np.ones((steps, count), bool), np.ones((steps, count), bool)
    for b in range(count):
        episode, step = 0, 0
        for t in range(steps):
            obs[t, b] = episode, step
            if step == 4 + b:  # the ignored step
                valid[t, b] = False
                continues[t, b] = True
                episode, step = episode + 1, 0
                continue
            rewards[t, b] = rng.normal()
            step += 1
            if step == 4 + b:
                continues[t, b] = False
                discount[t, b] = 0.0 if episode % 2 == 0 else 0.9
        obs[steps, b] = episode, step
    if frames:
        obs = np.broadcast_to((10 * obs[..., 0] + obs[..., 1] + 1)[..., None, None], (*obs.shape[:2], 2, 3))
        obs = stacked(obs.astype(np.uint8), valid, stack)
    actions = np.broadcast_to(np.arange(steps)[:, None], (steps, count)).copy()
    tensors = (torch.from_numpy(np.ascontiguousarray(a)) for a in (obs, actions, rewards, discount))
    return Rollout(*tensors, torch.from_numpy(continues).float(), torch.from_numpy(valid))


def stacked(frames_TB: np.ndarray, valid_TB: np.ndarray, stack: int) -> np.ndarray:
    """Frames as gymnasium stacks them: the first one of an episode repeated in front."""
    out = np.zeros((*frames_TB.shape[:2], stack, *frames_TB.shape[2:]), frames_TB.dtype)
    for b in range(frames_TB.shape[1]):
        queue: list[np.ndarray] = []
        for t in range(len(frames_TB)):
            begins = t == 0 or not valid_TB[t - 1, b]
            queue = [frames_TB[t, b]] * stack if begins else [*queue[1:], frames_TB[t, b]]
            out[t, b] = np.stack(queue)
    return out


def part(rollout: Rollout, first: int, end: int) -> Rollout:
    """Steps [first, end) of a rollout."""
    rest = (getattr(rollout, f"{n}_TB")[first:end] for n in ("actions", "rewards", "discount", "continues", "valid"))
    return Rollout(rollout.obs_TB[first : end + 1], *rest)


def filled(rollout: Rollout, length: int = 7, **options) -> Replay:
    """A memory that took the rollout in parts."""
    replay = Replay(**options)
    for first in range(0, len(rollout.rewards_TB), length):
        replay.add(part(rollout, first, min(first + length, len(rollout.rewards_TB))))
    return replay


def twin(rollout: Rollout, t: int, b: int, n: int) -> tuple[float, float, int]:
    """(n-step reward, discount, step of the bootstrap) by walking along the episode."""
    total, product = 0.0, 1.0
    for k in range(n):
        total += product * float(rollout.rewards_TB[t + k, b])
        product *= float(rollout.discount_TB[t + k, b])
        if not rollout.continues_TB[t + k, b]:
            break
    return total, product, t + k + 1


@pytest.mark.parametrize("priorities", [None, Prioritised()], ids=["uniform", "prioritised"])
@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("frames", [False, True])
def test_samples_are_what_happened(n, frames, priorities):
    rollout = history(100, stack=3 if frames else 1, frames=frames)
    replay = filled(rollout, capacity=60, n_step=n, stack=3 if frames else 1, priorities=priorities)
    seen = set()
    for _ in range(20):
        batch = replay.sample(64)
        for i, name in enumerate(batch.index_N.tolist()):
            t, b = int(batch.actions_N[i]), name % 2
            assert rollout.valid_TB[t, b]
            total, product, after = twin(rollout, t, b, n)
            assert torch.equal(batch.obs_N[i], rollout.obs_TB[t, b])
            assert float(batch.rewards_N[i]) == pytest.approx(total, abs=1e-6)
            assert float(batch.discount_N[i]) == pytest.approx(product, abs=1e-6)
            assert torch.equal(batch.next_obs_N[i], rollout.obs_TB[after, b])
            seen.add((t, b))
    newest = 100 - n + 1
    expected = {(t, b) for t in range(newest - 30, newest) for b in range(2) if rollout.valid_TB[t, b]}
    assert seen == expected  # the newest 60 whose n steps are over, and no other


def test_hand_numbers_of_three_steps():
    rewards, discount = np.array([[1.0, 2.0, 4.0]]), np.array([[0.5, 0.5, 0.5]])
    go, stop = [[True, True, True]], [[True, False, True]]
    assert [float(x[0]) for x in n_step_returns(rewards, discount, np.array(go))] == [3.0, 0.125, 3]
    assert [float(x[0]) for x in n_step_returns(rewards, discount, np.array(stop))] == [2.0, 0.25, 2]  # truncated
    ended = np.array([[0.5, 0.0, 0.5]])
    assert [float(x[0]) for x in n_step_returns(rewards, ended, np.array(stop))] == [2.0, 0.0, 2]  # terminated


def test_uniform_draws_are_uniform():
    rollout = history(40)
    replay = filled(rollout, capacity=1000)
    draws = np.bincount(replay.sample(70_000).index_N.numpy(), minlength=80)[:80]
    valid = rollout.valid_TB.numpy().ravel()
    assert not draws[~valid].any()
    expected = 70_000 / valid.sum()
    assert np.abs(draws[valid] - expected).max() < 5 * expected**0.5


def test_priorities_and_importance_weights():
    replay = Replay(8, priorities=Prioritised(alpha=0.5, beta=0.25, anneal_steps=20))
    rollout = history(4, count=1)
    replay.add(rollout)
    errors = torch.tensor([1.0, 4.0, 9.0, 16.0]) - 1e-6
    replay.reweigh(torch.arange(4), errors)
    batch = replay.sample(40_000)  # P = 1, 2, 3, 4 of 10, since alpha = 1/2
    draws = np.bincount(batch.index_N.numpy(), minlength=4)
    assert np.abs(draws - [4000, 8000, 12000, 16000]).max() <= 1  # one of each equal part of the mass
    weights = dict(zip(batch.index_N.tolist(), batch.weights_N.tolist(), strict=True))
    for i, share in enumerate([0.1, 0.2, 0.3, 0.4]):
        assert weights[i] == pytest.approx(
            (4 * share) ** -0.4 / (4 * 0.1) ** -0.4, rel=1e-6
        )  # beta = 0.25 + 0.75 * 4/20
    replay.priorities.settings = Prioritised(alpha=0.5, anneal_steps=4)
    at_end = replay.sample(1000)
    assert float(at_end.weights_N.min()) == pytest.approx(0.25)  # beta = 1: weights undo the preference
    undone = float((at_end.weights_N * at_end.index_N).mean() / at_end.weights_N.mean())
    assert undone == pytest.approx(1.5, abs=5e-3)


def test_new_transitions_have_the_largest_priority_and_old_ones_none():
    replay = filled(history(30), capacity=20, priorities=Prioritised(alpha=1.0))
    replay.reweigh(torch.tensor([int(replay.sample(1).index_N)]), torch.tensor([7.0]))
    rollout = history(33)
    replay.add(part(rollout, 30, 33))
    weights = replay.priorities.tree.weights.reshape(-1)[: replay.slots * 2].reshape(-1, 2)
    new = np.arange(30, 33) % replay.slots
    np.testing.assert_allclose(weights[new], 7.000001 * rollout.valid_TB[30:33].numpy())
    assert (weights[33 % replay.slots] == 0).all()
    assert ((weights > 0) == replay.valid).all()


def test_sum_tree_against_a_plain_cumulative_sum():
    rng = np.random.default_rng(0)
    tree = SumTree(5000)
    weights = np.zeros(5000)
    for _ in range(50):
        index = rng.integers(5000, size=64)
        values = rng.random(64) * (rng.random(64) > 0.2)
        tree.set(index, values)
        weights[index] = values
    mass = rng.random(1000) * weights.sum()
    assert tree.total == pytest.approx(weights.sum(), rel=1e-12)
    assert (tree.find(mass) == np.searchsorted(weights.cumsum(), mass, side="right")).all()
    ends = tree.find(np.array([0.0, tree.total, 2 * tree.total]))
    assert (weights[ends] > 0).all()


def test_frames_are_stored_once():
    rollout = history(50, stack=4, frames=True)
    replay = filled(rollout, capacity=1000, stack=4)
    frame = rollout.obs_TB[0, 0, 0].numel()
    assert replay.obs.dtype == np.uint8
    assert replay.obs.nbytes <= 1010 * frame


def test_a_file_holds_what_memory_holds(tmp_path):
    rollout = history(100, stack=3, frames=True)
    memory = filled(rollout, capacity=60, stack=3)
    mapped = filled(rollout, capacity=60, stack=3, folder=tmp_path / "replay")
    assert isinstance(mapped.obs, np.memmap)
    torch.manual_seed(5)
    expected = memory.sample(64)
    torch.manual_seed(5)
    assert all(torch.equal(a, b) for a, b in zip(mapped.sample(64), expected, strict=True))


@pytest.mark.parametrize("steps", [9, 100])
@pytest.mark.parametrize("priorities", [None, Prioritised()])
def test_goes_on_from_a_checkpoint_bit_by_bit(tmp_path, steps, priorities):
    options = {"capacity": 60, "n_step": 2, "priorities": priorities}
    rollout = history(steps + 20)
    replay = filled(part(rollout, 0, steps), **options)
    if priorities:
        replay.reweigh(replay.sample(8).index_N, torch.rand(8))
    torch.save(replay.state_dict(), tmp_path / "state")
    again = Replay(**options)
    again.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    for one in (replay, again):
        one.add(part(rollout, steps, steps + 20))
    torch.manual_seed(1)
    expected = replay.sample(64)
    torch.manual_seed(1)
    assert all(torch.equal(a, b) for a, b in zip(again.sample(64), expected, strict=True))


def test_environments_that_began_anew_are_not_joined():
    replay = Replay(100, n_step=3)
    rollout = history(3)
    replay.add(rollout)
    replay.add(history(20, seed=1))  # begins with another observation than the one that ended the first
    batch = replay.sample(500)
    early = batch.index_N < 6
    assert batch.index_N[early].max() < 4  # the third step's end was not seen
    for i in early.nonzero()[:, 0].tolist():
        t, b = int(batch.actions_N[i]), int(batch.index_N[i]) % 2
        product = 0.9 ** (2 - t)
        assert float(batch.discount_N[i]) == pytest.approx(product)
        assert torch.equal(batch.next_obs_N[i], rollout.obs_TB[2, b])


@pytest.mark.parametrize(
    ("act", "text"),
    [
        (lambda: Replay(0), "capacity"),
        (lambda: Replay().sample(3), "got none"),
        (lambda: filled(history(9), stack=4), "4 frames"),
        (lambda: Replay(4).add(history(50)), "capacity"),
        (lambda: Prioritised(alpha=0.0), "alpha"),
    ],
)
def test_refuses_what_it_cannot_do(act, text):
    with pytest.raises(InputError, match=text):
        act()
