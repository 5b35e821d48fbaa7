"""`zoo play`: the figures it prints are those of the episodes, the film is whole or absent, bad input is one line."""

import math
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from PIL import Image

import tasks.rl.play as play
from tasks.rl.agent import Agent
from tasks.rl.environments.environment import Environment
from tasks.rl.pages.drawing import drawn, frame_of
from tasks.rl.pages.episode import episode
from tasks.rl.pages.interval import t_interval
from tasks.rl.pages.video import Gif, refuse_path, video
from zoo.cli.main import main, usage
from zoo.errors import InputError


class Counting(gymnasium.Env):
    """Five steps, each pays its action; the frame's grey is the number of steps taken."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}
    observation_space, action_space = spaces.Box(-1, 1, (1,)), spaces.Discrete(2)

    def __init__(self, render_mode=None, steps=5):
        self.render_mode, self.steps = render_mode, steps

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        self.taken, self.start = 0, 0.1 * (seed or 0)
        return np.float32([self.start]), {}

    def step(self, action):
        self.taken += 1
        return np.float32([self.start]), float(action) + self.start, self.taken == self.steps, False, {}

    def render(self):
        return np.full((6, 8, 3), 40 * self.taken, np.uint8)


class Blind(Counting):
    """Cannot be drawn."""

    metadata = {"render_modes": []}


@pytest.fixture(autouse=True)
def registered():
    gymnasium.register("Counting-v0", Counting)
    gymnasium.register("Blind-v0", Blind)
    yield
    del gymnasium.registry["Counting-v0"], gymnasium.registry["Blind-v0"]


def agent(net_sees=lambda obs: None):
    def act(obs):
        net_sees(obs)
        return torch.ones(len(obs), dtype=torch.int64)

    return Agent(act, lambda obs, actions: obs, ("score",), sample=lambda obs: torch.zeros(len(obs), dtype=torch.int64))


@pytest.fixture
def run_of(monkeypatch):
    """A run without training: its task's agent always does 1, and draws 0."""

    class Task:
        environment = Environment("Counting-v0")

        def agent(self):
            return agent()

    class Parts:
        task = Task()

    monkeypatch.setattr("zoo.training.runs.read_run", lambda where, overrides, root: Parts)
    return Parts


# Figures


def test_interval_is_students():
    values = np.array([3.0, 5.0, 10.0, 6.0])
    half = 3.1824463 * values.std(ddof=1) / 2  # t quantile of a table, 3 degrees of freedom
    assert t_interval(values) == pytest.approx((values.mean() - half, values.mean() + half))


def test_interval_covers_in_95_of_100():
    draws = np.random.default_rng(0).normal(7.0, 3.0, (4000, 5))
    covered = np.mean([low <= 7.0 <= high for low, high in map(t_interval, draws)])
    assert abs(covered - 0.95) < 3 * math.sqrt(0.95 * 0.05 / 4000)


def test_one_episode_has_no_interval():
    assert all(math.isnan(end) for end in t_interval(np.array([1.0])))


def test_episode_is_what_happened():
    seen, watched = [], []
    with drawn(Environment("Counting-v0"), None) as single:
        one = episode(single, Environment("Counting-v0").spaces, agent(seen.append).act, 2, watched.append)
    assert (len(one), one.terminated) == (5, True)
    assert one.rewards_T.tolist() == pytest.approx([1.2] * 5)
    assert one.obs_T.flatten().tolist() == pytest.approx([0.2] * 6)
    assert watched == [0, 1, 2, 3, 4, 5]
    assert [obs.shape for obs in seen] == [(1, 1)] * 5


def test_time_limit_is_no_termination():
    limited = Environment("Counting-v0", time_limit=3)
    with drawn(limited, None) as single:
        one = episode(single, limited.spaces, agent().act, 0)
    assert (len(one), one.terminated) == (3, False)


def test_play_prints_the_episodes_figures(run_of, capsys):
    assert play.run(["rl/any", "--episodes", "3", "--seed", "4"]) == 0
    printed = capsys.readouterr().out
    returns = np.array([5 * (1 + 0.1 * seed) for seed in (4, 5, 6)])
    low, high = t_interval(returns)
    assert "3 episodes, greedy actions" in printed
    assert f"mean {returns.mean():.5g}, standard deviation {returns.std(ddof=1):.5g}" in printed
    assert f"{low:.5g} to {high:.5g}" in printed
    assert "length: mean 5, 5 to 5 steps" in printed


def test_sample_draws_actions(run_of, capsys):
    assert play.run(["rl/any", "--episodes", "1", "--sample"]) == 0
    printed = capsys.readouterr().out
    assert "1 episode, drawn actions" in printed and "mean 0\n" in printed


# Films


def greys(path: Path) -> list[int]:
    with Image.open(path) as film:
        frames = []
        for i in range(film.n_frames):
            film.seek(i)
            frames.append(film.convert("RGB").getpixel((3, 3))[0])
        return frames


def test_gif_holds_every_state_of_the_filmed_episodes(run_of, tmp_path):
    path = tmp_path / "film.gif"
    assert play.run(["rl/any", "--episodes", "3", "--filmed", "2", "--record", str(path)]) == 0
    assert greys(path) == [0, 40, 80, 120, 160, 200] * 2
    assert list(tmp_path.iterdir()) == [path]


def test_gif_skips_frames_above_its_rate():
    film = Gif(rate=60, most_rate=20)
    for grey in range(0, 240, 20):
        film.add(np.full((4, 4, 3), grey, np.uint8))
    assert (film.every, film.duration) == (3, 50)
    assert len(film._frames) == 4


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the reader leaves its pipes open
def test_mp4_holds_every_state(run_of, tmp_path):
    imageio = pytest.importorskip("imageio_ffmpeg")
    path = tmp_path / "film.mp4"
    with video(path, 10) as film:
        for grey in (0, 100, 200):
            film.add(np.full((33, 47, 3), grey, np.uint8))
    frames = imageio.read_frames(str(path))
    size = next(frames)["size"]
    assert size == (46, 32)  # H.264 wants even sides
    assert [round(np.frombuffer(frame, np.uint8).mean() / 100) for frame in frames] == [0, 1, 2]


@pytest.mark.parametrize("suffix", ["gif", "mp4"])
def test_interruption_leaves_nothing(run_of, tmp_path, monkeypatch, suffix):
    if suffix == "mp4":
        pytest.importorskip("imageio_ffmpeg")

    def interrupted(self, action):
        if self.taken == 3:
            raise KeyboardInterrupt
        self.taken += 1
        return np.float32([0]), 0.0, False, False, {}

    monkeypatch.setattr(Counting, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        play.run(["rl/any", "--record", str(tmp_path / f"film.{suffix}")])
    assert list(tmp_path.iterdir()) == []


def test_an_older_film_survives_an_error(tmp_path):
    path = tmp_path / "film.gif"
    path.write_bytes(b"older")
    with pytest.raises(RuntimeError), video(path, 10) as film:
        film.add(np.zeros((4, 4, 3), np.uint8))
        raise RuntimeError
    assert path.read_bytes() == b"older"


@pytest.mark.filterwarnings("ignore")  # gymnasium's own check says so too
def test_frames_of_another_shape_are_refused(monkeypatch):
    monkeypatch.setattr(Counting, "render", lambda self: np.zeros((4, 4, 4), np.uint8))
    with drawn(Environment("Counting-v0"), "rgb_array") as single:
        single.reset()
        with pytest.raises(InputError, match=r"expected frames \[H, W, 3\], got \[4, 4, 4\]"):
            frame_of(single)


# Bad input

BAD = {
    "suffix": (["--record", "film.avi"], r"\*.mp4 or \*.gif"),
    "folder": (["--record", "/nowhere/film.gif"], "folder that can be written"),
    "id": (["--env", "CartPole-v9x"], "near ones: CartPole"),
    "observations": (["--env", "Pendulum-v1"], r"observation space of Counting-v0, Box\(\[1\]\), got Box\(\[3\]\)"),
    "frames": (["--env", "Blind-v0", "--record", "film.gif"], "render mode rgb_array, got Blind-v0 with none"),
    "display": (["--render", "human"], "expected a display"),
    "episodes": (["--episodes", "0"], "--episodes: expected 1 or more"),
    "number": (["--episodes", "many"], "invalid int value"),
    "filmed": (["--filmed", "3"], "--filmed: expected --record"),
}


@pytest.mark.parametrize("words, said", BAD.values(), ids=BAD)
def test_bad_input_is_one_line(run_of, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match=said) as caught:
        play.run(["rl/any", *words])
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_other_actions_are_refused(monkeypatch):
    ours, theirs = Environment("Counting-v0"), Environment("Blind-v0")
    monkeypatch.setattr(Blind, "action_space", spaces.Discrete(3))
    with pytest.raises(InputError, match=r"action space of Counting-v0, Discrete\(2\), got Discrete\(3\)"):
        play.refuse_other_spaces(ours, theirs)


def test_a_greedy_agent_draws_nothing(run_of, monkeypatch):
    greedy = Agent(agent().act, agent().scores, ("score",))
    monkeypatch.setattr(run_of.task, "agent", lambda: greedy, raising=False)
    with pytest.raises(InputError, match="--sample: expected an agent with a distribution"):
        play.run(["rl/any", "--sample"])


def test_a_run_without_an_agent_is_refused(monkeypatch):
    class Parts:
        task = torch.nn.Linear(1, 1)

    monkeypatch.setattr("zoo.training.runs.read_run", lambda where, overrides, root: Parts)
    with pytest.raises(InputError, match="run of an agent, got one of Linear"):
        play.run(["vision/digits"])


def test_mp4_needs_ffmpeg(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "imageio_ffmpeg", None)
    with pytest.raises(InputError, match=r"gradient-zoo\[video\]"):
        refuse_path(tmp_path / "film.mp4")


# The command finds verbs of other packages


@pytest.fixture
def plugin(monkeypatch):
    from importlib.metadata import EntryPoint

    point = EntryPoint("play", "tasks.rl.play:run", "zoo.verbs")
    broken = EntryPoint("gone", "nowhere.at_all:run", "zoo.verbs")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [point, broken])


def test_help_lists_plugin_verbs_without_importing_them(plugin):
    page = usage()
    assert "zoo play      watch an agent in its environment" in page
    assert "zoo gone      from nowhere.at_all, which cannot be read" in page


def test_command_runs_a_plugin_verb(plugin, run_of, capsys):
    assert main(["play", "rl/any", "--episodes", "2"]) == 0
    assert "2 episodes" in capsys.readouterr().out
    assert main(["play", "rl/any", "--record", "film.avi"]) == 2
    assert main(["plya"]) == 2
    assert "did you mean `zoo play`?" in capsys.readouterr().err
