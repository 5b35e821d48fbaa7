"""Replay memory: a ring of steps that keeps every observation, and every frame of a stack, once.

Legend: N = sampled transitions, T = steps of a rollout, B = environments, S = slots of the ring, C = frames of a stack,
K = steps of an n-step return. A transition is named by slot * B + environment.

The observation that follows the one in slot s stands in slot s + 1, also at the end of an episode: the step after it
(`valid` = False) is the ignored one of gymnasium's NEXT_STEP autoreset, and its slot holds the last observation.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tasks.rl.q_losses import n_step_returns
from tasks.rl.replay.priorities import Priorities, Prioritised
from tasks.rl.replay.transitions import Transitions
from tasks.rl.rollout import Rollout
from zoo.errors import InputError


class Replay:
    """The newest `capacity` transitions.

    Args:
        capacity: transitions that are kept.
        n_step: steps of reward before the value of what follows.
        stack: frames [B, C, H, W] that an observation stacks, newest last; only the newest is stored. 1 stores
            observations as they come.
        priorities: draw in proportion to the error; uniformly without.
        folder: keep observations in a file there instead of in memory.

    Raises:
        InputError: a number below 1.
    """

    def __init__(
        self,
        capacity: int = 50_000,
        n_step: int = 1,
        stack: int = 1,
        priorities: Prioritised | None = None,
        folder: Path | None = None,
    ):
        if min(capacity, n_step, stack) < 1:
            raise InputError(
                f"replay: expected capacity, n_step and stack of 1 or more, got {capacity}, {n_step} and {stack}; "
                "mend the recipe"
            )
        self.capacity, self.n_step, self.stack, self.folder = capacity, n_step, stack, folder
        self.settings = priorities
        self.total = 0  # steps of the vector environment so far; the next is number `total`
        self.obs: np.ndarray | None = None
        self.priorities: Priorities | None = None

    # Writing

    def add(self, rollout: Rollout) -> None:
        """Take up a rollout; it begins where the one before ended, or the step between is dropped."""
        obs_TB = self._newest_frames(rollout.obs_TB.numpy())
        steps, count = rollout.rewards_TB.shape
        if self.obs is None:
            self._allocate(count, obs_TB.shape[2:], obs_TB.dtype, rollout.actions_TB)
        self._refuse_unfit(steps, count)
        self._cut_where_broken(obs_TB[0])
        slots_T = np.arange(self.total, self.total + steps + 1) % self.slots
        self.obs[slots_T] = obs_TB
        for name in ("actions", "rewards", "discount", "continues", "valid"):
            getattr(self, name)[slots_T[:-1]] = getattr(rollout, f"{name}_TB").numpy()
        self.valid[slots_T[-1]] = False  # its step is not over
        self.total += steps
        if self.priorities:
            self._weigh_new(steps)

    def _newest_frames(self, obs_TB: np.ndarray) -> np.ndarray:
        if self.stack == 1:
            return obs_TB
        if obs_TB.ndim != 5 or obs_TB.shape[2] != self.stack:
            raise InputError(
                f"replay.stack: expected observations of {self.stack} frames [{self.stack}, H, W], "
                f"got {list(obs_TB.shape[2:])}; set it to the frames that the environment stacks"
            )
        return obs_TB[:, :, -1]

    def _allocate(self, count: int, shape: tuple[int, ...], dtype: np.dtype, actions_TB: Tensor) -> None:
        self.count = count
        self.slots = -(-self.capacity // count) + self.n_step + self.stack - 1
        size = (self.slots, count)
        if self.folder is None:
            self.obs = np.zeros((*size, *shape), dtype)
        else:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.obs = np.memmap(self.folder / "replay.bin", dtype, "w+", shape=(*size, *shape))
        self.actions = np.zeros((*size, *actions_TB.shape[2:]), actions_TB.numpy().dtype)
        self.rewards, self.discount = np.zeros(size, np.float32), np.zeros(size, np.float32)
        self.continues, self.valid = np.zeros(size, bool), np.zeros(size, bool)
        self.priorities = Priorities(self.settings, self.slots * count) if self.settings else None

    def _refuse_unfit(self, steps: int, count: int) -> None:
        if count != self.count:
            raise InputError(f"replay: expected rollouts of {self.count} environments, got {count}; begin a new run")
        if steps >= self.slots:
            raise InputError(
                f"replay.capacity: expected room for a rollout of {steps} steps, got {self.capacity} transitions; "
                "enlarge it"
            )

    def _cut_where_broken(self, obs_B: np.ndarray) -> None:
        # Environments that began anew, after a resume that could not restore them: what came between was not seen.
        if self.total == 0:
            return
        head, last = self.total % self.slots, (self.total - 1) % self.slots
        broken_B = (self.obs[head] != obs_B).reshape(self.count, -1).any(1)
        self.valid[last, broken_B] = False
        self.continues[(last - 1) % self.slots, broken_B] = False
        if self.priorities:
            self.priorities.tree.set(self._names(np.array([last]))[0, broken_B], 0.0)

    def _weigh_new(self, steps: int) -> None:
        first, end = self._range()
        ripe_T = np.arange(max(first, end - steps), end) % self.slots
        gone_T = np.arange(end, end + self.slots - (end - first)) % self.slots
        new_TB, valid_TB = self._names(ripe_T), self.valid[ripe_T]
        self.priorities.begin(new_TB[valid_TB], np.append(self._names(gone_T).ravel(), new_TB[~valid_TB]))

    def _names(self, slots_T: np.ndarray) -> np.ndarray:
        return slots_T[:, None] * self.count + np.arange(self.count)

    # Reading

    def _range(self) -> tuple[int, int]:
        """Numbers of the steps [first, end) that can be drawn: their stack and their n steps are there."""
        end = max(self.total - self.n_step + 1, 0)
        return max(self.total - self.slots + self.stack, 0), end

    @property
    def drawable(self) -> int:
        """Steps that can be drawn, ignored ones included."""
        first, end = self._range()
        return (end - first) * self.count if self.obs is not None else 0

    def sample(self, size: int) -> Transitions:
        """`size` transitions, drawn with replacement from torch's global generator.

        Raises:
            InputError: nothing to draw from.
        """
        if self.obs is None or not self.valid.any() or not self.drawable:
            raise InputError("replay: expected transitions to draw from, got none; enlarge model.warmup")
        step = self.total * self.count
        index_N, weights_N = self.priorities.draw(size, step) if self.priorities else self._drawn(size)
        rewards_N, discount_N, after_N = self._returns(index_N)
        arrays = (self._obs_at(index_N), self._flat(self.actions)[index_N], rewards_N, discount_N)
        return Transitions(*(torch.from_numpy(one) for one in (*arrays, self._obs_at(after_N), weights_N, index_N)))

    def _drawn(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        first, steps, valid = self._range()[0], self.drawable, self._flat(self.valid)

        def draw(count: int) -> np.ndarray:
            return (torch.randint(steps, (count,)).numpy() + first * self.count) % valid.size

        index_N = draw(size)
        while (ignored := np.flatnonzero(~valid[index_N])).size:
            index_N[ignored] = draw(ignored.size)
        return index_N, np.ones(size, np.float32)

    def _returns(self, index_N: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rewards, discount, continues = (self._flat(a) for a in (self.rewards, self.discount, self.continues))
        index_NK = (index_N[:, None] + self.count * np.arange(self.n_step)) % rewards.size
        rewards_N, discount_N, steps_N = n_step_returns(rewards[index_NK], discount[index_NK], continues[index_NK])
        return rewards_N, discount_N, (index_N + self.count * steps_N) % rewards.size

    def _obs_at(self, index_N: np.ndarray) -> np.ndarray:
        obs = self._flat(self.obs)
        return obs[index_N] if self.stack == 1 else obs[self._stacked(index_N)]

    def _stacked(self, index_N: np.ndarray) -> np.ndarray:
        """[N, C], oldest first; before an episode's first frame stands that frame, as gymnasium stacks them."""
        valid = self._flat(self.valid)
        index_NC = np.empty((len(index_N), self.stack), np.int64)
        index_NC[:, -1] = index_N
        same_N = np.ones(len(index_N), bool)
        for c in range(self.stack - 2, -1, -1):
            before_N = (index_N - self.count * (self.stack - 1 - c)) % valid.size
            same_N &= valid[before_N]
            index_NC[:, c] = np.where(same_N, before_N, index_NC[:, c + 1])
        return index_NC

    def _flat(self, array: np.ndarray) -> np.ndarray:
        return array.reshape(-1, *array.shape[2:])

    def reweigh(self, index_N: Tensor, errors_N: Tensor) -> None:
        """New priorities from the errors that the update found; nothing to do when drawing uniformly."""
        if self.priorities:
            self.priorities.reweigh(index_N.cpu().numpy(), errors_N.double().cpu().numpy())

    # Checkpoints

    ARRAYS = ("obs", "actions", "rewards", "discount", "continues", "valid")

    def state_dict(self) -> dict:
        """Everything, as tensors that share the memory's storage; empty slots are left out."""
        if self.obs is None:
            return {}
        used = min(self.total + 1, self.slots)
        state = {name: torch.from_numpy(getattr(self, name)[:used]) for name in self.ARRAYS}
        state |= {"total": self.total, "slots": self.slots}
        return state | ({"priorities": self.priorities.state_dict()} if self.priorities else {})

    def load_state_dict(self, state: dict) -> None:
        """Take up what `state_dict` returned.

        Raises:
            InputError: of a memory with other settings.
        """
        if not state:
            return
        obs, actions = state["obs"], state["actions"]
        self._allocate(obs.shape[1], tuple(obs.shape[2:]), obs.numpy().dtype, actions)
        if state["slots"] != self.slots or ("priorities" in state) != (self.priorities is not None):
            raise InputError("replay: expected the settings of the checkpoint's memory, got others; keep model.replay")
        for name in self.ARRAYS:
            getattr(self, name)[: len(obs)] = state[name].numpy()
        self.total = state["total"]
        if self.priorities:
            self.priorities.load_state_dict(state["priorities"])
