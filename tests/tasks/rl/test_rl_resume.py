"""An agent's run that is killed and goes on gives the bits of the run that never stopped, in every kind of environment."""

from functools import partial

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.envs.classic_control.cartpole import CartPoleVectorEnv
from pytorch_lightning.callbacks import Callback

from tasks.rl.algorithms import PPO, Recurrent
from tasks.rl.data import Rollouts
from tasks.rl.environments.environment import Environment
from tasks.rl.environments.plain_values import plain, revived
from tasks.rl.networks import ActorCritic, RecurrentActorCritic
from tasks.rl.rollout import Collector
from tasks.rl.task import PolicyGradient
from tests.conftest import readings_of
from zoo.errors import InputError
from zoo.training.checkpoints import AtomicCheckpointIO, Checkpointer, read_checkpoint
from zoo.training.monitor import MonitorOptions
from zoo.training.record import Record


class Stop(Exception):
    """Stands for a kill."""


class Killer(Callback):
    """Dies at the beginning of a rollout."""

    def __init__(self, at):
        self.at = at

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.current_epoch * trainer.datamodule.per_epoch + batch_idx == self.at:
            raise Stop


def train(folder, quick, environment, kill_at=None, resume=False, every_n_steps=None, **options):
    folder.mkdir(exist_ok=True)
    torch.manual_seed(99 if resume else 5)  # a new process has another random state
    algorithm = options.pop("algorithm", PPO(epochs=2, minibatches=2))
    net = options.pop("net", partial(ActorCritic, hidden_sizes=[8], normalise_observations=True))
    adam = partial(torch.optim.Adam, lr=0.01)
    watching = MonitorOptions(sample_every=5, flush_every=3)
    options = {"rollout_steps": 24, "evaluation_episodes": 1, "monitor": watching, **options}
    task = PolicyGradient(environment, net, algorithm, adam, **options)
    task.write_readings_to(Record(folder / "record.sqlite"))
    callbacks = [Checkpointer(folder, *task.best_metric, every_n_steps=every_n_steps), Killer(kill_at)]
    trainer = quick(max_epochs=4, callbacks=callbacks, plugins=[AtomicCheckpointIO()])
    last = str(folder / "last.ckpt") if resume else None
    try:
        trainer.fit(task, datamodule=Rollouts(2), ckpt_path=last, weights_only=True)
    except Stop:
        pass
    return task, trainer


def refuse_differences(whole, part):
    (expected, trainer), (found, again) = whole, part
    assert again.global_step == trainer.global_step
    assert repr(found.state_dict()) == repr(expected.state_dict())
    for name, value in expected.net.state_dict().items():
        assert torch.equal(value, found.net.state_dict()[name]), name
    assert repr(trainer.optimizers[0].state_dict()) == repr(again.optimizers[0].state_dict())
    assert readings_of(expected.monitor.record) == readings_of(found.monitor.record)
    assert torch.equal(expected.collector.observations, found.collector.observations)


def box2d():
    pytest.importorskip("Box2D")
    return Environment("LunarLander-v3", count=3, time_limit=60)


def mujoco():
    pytest.importorskip("mujoco")
    return Environment("HalfCheetah-v5", count=2, time_limit=40)


def atari():
    pytest.importorskip("ale_py")
    return Environment("ALE/Freeway-v5", count=2, options={"obs_type": "ram"}, time_limit=30)


KINDS = {
    "CartPole, native": lambda: Environment("CartPole-v1", count=4, time_limit=30),
    "CartPole, one by one": lambda: Environment("CartPole-v1", count=4, vectorization="sync", time_limit=30),
    "Acrobot": lambda: Environment("Acrobot-v1", count=2, time_limit=40),
    "Pendulum": lambda: Environment("Pendulum-v1", count=2, time_limit=35),
    "FrozenLake": lambda: Environment("FrozenLake-v1", count=3),
    "LunarLander": box2d,
    "HalfCheetah": mujoco,
    "Freeway": atari,
}


def collected(environment, seed=3):
    return Collector(environment.vector(), environment.spaces, 0.99, seed, environment.id)


def random_actions(environment, seed):
    """Draws that do not depend on what was seen, from a generator of their own."""
    spaces, generator = environment.spaces, torch.Generator().manual_seed(seed)

    def act(obs_B):
        if spaces.kind == "box":
            return 2 * torch.rand(len(obs_B), *spaces.action_shape, generator=generator) - 1
        return torch.stack([torch.randint(n, (len(obs_B),), generator=generator) for n in spaces.action_sizes], -1)[
            :, 0
        ]

    return act


def test_a_checkpoint_of_another_count_of_environments_is_refused():
    state = collected(Environment("CartPole-v1", count=2)).state_dict()
    with pytest.raises(InputError, match="resume: expected a checkpoint of 3 environments, got one of 2"):
        collected(Environment("CartPole-v1", count=3)).load_state_dict(state)


@pytest.mark.parametrize("game", ["ALE/Pong-v5", "ALE/Breakout-v5"])
def test_atari_frames_come_back_to_the_bit_with_their_stack(tmp_path, game):
    pytest.importorskip("ale_py"), pytest.importorskip("cv2")
    # Sticky actions: the emulator's own generator matters at every step.
    environment = Environment(
        game, 2, preprocessing="atari", time_limit=70, options={"repeat_action_probability": 0.25}
    )
    one = collected(environment)
    one.collect(random_actions(environment, 1), 90)
    AtomicCheckpointIO().save_checkpoint(
        {"state_dict": {}, "global_step": 1, "at": one.state_dict()}, tmp_path / "a.ckpt"
    )
    expected, episodes = one.collect(random_actions(environment, 2), 60)
    two = collected(environment, seed=8)
    two.load_state_dict(read_checkpoint(tmp_path / "a.ckpt")["at"])
    found, same_episodes = two.collect(random_actions(environment, 2), 60)
    assert torch.equal(expected.obs_TB, found.obs_TB) and torch.equal(expected.rewards_TB, found.rewards_TB)
    assert not expected.valid_TB.all() and torch.equal(expected.valid_TB, found.valid_TB)
    assert episodes == same_episodes and episodes.lengths


class Restless(gymnasium.Wrapper):
    """Noise from a generator that nobody can know of."""

    def step(self, action):
        observation, *rest = self.env.step(action)
        return observation + 1e-3 * np.random.default_rng().normal(size=4).astype(np.float32), *rest


def restless(**options):
    return Restless(gymnasium.make("CartPole-v1"))


def test_replay_that_goes_elsewhere_is_told_and_begins_anew(capsys):
    gymnasium.register("Restless-v0", entry_point=restless)
    try:
        environment = Environment("Restless-v0", count=2)
        one = collected(environment)
        one.collect(random_actions(environment, 1), 3)
        two = collected(environment, seed=8)
        two.load_state_dict(one.state_dict())
        said = capsys.readouterr().err
        assert said.startswith("note: Restless-v0: replay does not give the observations of the checkpoint in environ")
        assert "environment 0, 1" in said and said.count("\n") == 1
        assert not two.lengths_B.any() and two.observations.abs().max() < 0.05  # a first observation of CartPole
        two.collect(random_actions(environment, 1), 30)
    finally:
        del gymnasium.registry["Restless-v0"]


class Opaque(CartPoleVectorEnv):
    """A native vector with an attribute that is no number."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.simulator = object()


def test_what_cannot_be_kept_is_told_once_and_begins_anew(capsys):
    spaces = Environment("CartPole-v1").spaces
    one = Collector(Opaque(2), spaces, 0.99, 1, "Opaque-v0")
    state = one.state_dict()
    one.state_dict()
    said = capsys.readouterr().err
    assert said == "note: a resumed run of Opaque-v0 will start new episodes (object cannot be kept in a checkpoint)\n"
    two = Collector(Opaque(2), spaces, 0.99, 2, "Opaque-v0")
    two.load_state_dict(state)
    assert capsys.readouterr().err == (
        "note: new episodes of Opaque-v0 start here: the checkpoint could not keep the former ones\n"
    )


@pytest.mark.parametrize(
    "value", [1.5, "x", None, True, b"ab", 2**100, (1, [2.5]), {3: "y"}, np.float32(0.1), np.int64(3)]
)
def test_plain_values_come_back_as_they_were(value):
    back = revived(plain(value))
    assert back == value and type(back) is type(value)


@pytest.mark.parametrize("bits", [np.random.PCG64, np.random.MT19937, np.random.Philox])
def test_generators_come_back_in_the_middle_of_their_draws(tmp_path, bits):
    generator = np.random.Generator(bits(3))
    generator.integers(5, dtype=np.int32, size=3)  # half of a 64-bit draw is left over
    torch.save(plain(generator), tmp_path / "generator.pt")
    back = revived(torch.load(tmp_path / "generator.pt", weights_only=True))
    assert (generator.integers(1000, dtype=np.int32, size=9) == back.integers(1000, dtype=np.int32, size=9)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_killed_and_resumed_is_the_same_bits(tmp_path, quick, kind):
    environment = KINDS[kind]()
    whole = train(tmp_path / "whole", quick, environment)
    train(tmp_path / "part", quick, environment, kill_at=5)
    part = train(tmp_path / "part", quick, environment, resume=True)
    refuse_differences(whole, part)


@pytest.mark.parametrize("kill_at", [3, 4, 7])
def test_killed_within_an_epoch_and_resumed_is_the_same_bits(tmp_path, quick, kill_at):
    environment = Environment("Pendulum-v1", count=3, time_limit=31)
    options = {"every_n_steps": 1, "scale_rewards": True}  # a checkpoint after every rollout
    whole = train(tmp_path / "whole", quick, environment, **options)
    train(tmp_path / "part", quick, environment, kill_at=kill_at, **options)
    part = train(tmp_path / "part", quick, environment, resume=True, **options)
    refuse_differences(whole, part)


def test_what_a_net_remembers_goes_on_too(tmp_path, quick):
    environment = Environment("Pendulum-v1", count=4, time_limit=29)
    options = {
        "net": partial(RecurrentActorCritic, hidden_size=4),
        "algorithm": Recurrent(PPO(epochs=2, minibatches=2)),
    }
    whole = train(tmp_path / "whole", quick, environment, **options)
    train(tmp_path / "part", quick, environment, kill_at=5, **options)
    part = train(tmp_path / "part", quick, environment, resume=True, **options)
    refuse_differences(whole, part)
    assert whole[0].memory.state_2BH.any() and torch.equal(whole[0].memory.state_2BH, part[0].memory.state_2BH)
