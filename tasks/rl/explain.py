"""Pages on an agent: the film and the value map of the report, and what its actions and values rest on.

Legend: T = steps of an episode, D = numbers of an observation, K = numbers that describe an action.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tasks.rl.agent import Agent
from tasks.rl.environments.environment import Environment
from tasks.rl.evaluation import EXPLANATION_SEED
from tasks.rl.pages.calibration import calibration, obtained_returns, what_is_left_out
from tasks.rl.pages.drawing import drawn
from tasks.rl.pages.episode import Episode, episode
from tasks.rl.pages.film import Film, animation, filmed, strip
from tasks.rl.pages.observation_names import observation_names
from tasks.rl.pages.sensitivity import action_slopes, per_deviation, shares, value_slopes
from tasks.rl.pages.value_map import chosen_pair, value_map
from zoo.reports import Figure, Section, bar_chart, heat_map, image_grid, line_chart, overlay

FEW = 3  # episodes that say which states are visited


@dataclass(frozen=True)
class Seen:
    """An agent at work: one greedy episode with pictures, some as it behaves in training, all observations visited."""

    film: Film
    episodes: list[Episode]
    names: list[str]

    @property
    def visited(self) -> Tensor:
        """Observations of all episodes."""
        return torch.cat([one.obs_T for one in (self.film.episode, *self.episodes)])


def seen_of(agent: Agent, environment: Environment, count: int) -> Seen:
    """Film one greedy episode and play `count` as in training."""
    with torch.random.fork_rng([]):
        torch.manual_seed(EXPLANATION_SEED)
        with drawn(environment, None) as single:
            act = agent.sample or agent.act
            episodes = [episode(single, environment.spaces, act, EXPLANATION_SEED + 1 + i) for i in range(count)]
    names = observation_names(environment.id, environment.spaces.observation_size)
    return Seen(filmed(environment, agent, EXPLANATION_SEED), episodes, names)


def agent_sections(agent: Agent, environment: Environment) -> list[Section]:
    """For the report of a run: the film, and V over two observations."""
    seen = seen_of(agent, environment, 0 if environment.spaces.is_image or agent.value is None else FEW)
    lead = "The trained agent, its likeliest action at every step. zoo play RUN --record FILE.mp4 films more."
    sections = [Section("An episode", lead, [animation(seen.film, environment.id)])]
    return [*sections, *value_sections(agent, seen, environment.spaces.is_image, None)]


def explanation_sections(
    agent: Agent, environment: Environment, discount: float, choose: str | None = None, count: int = 10
) -> list[Section]:
    """For `zoo explain`.

    Args:
        agent: what is explained.
        environment: where it lives.
        discount: gamma of its value.
        choose: two observations for the map of V, with a comma between them.
        count: episodes whose returns the values are held against.
    """
    seen = seen_of(agent, environment, count)
    image = environment.spaces.is_image
    sections = [overlay_section(agent, seen)] if image else sensitivity_sections(agent, seen)
    if agent.value is not None:
        sections.append(calibration_section(agent, seen, discount))
    return [*sections, *value_sections(agent, seen, image, choose)]


def sensitivity_sections(agent: Agent, seen: Seen) -> list[Section]:
    """Observation x time of what moves the action, then of what moves the value."""
    one, visited_ND = seen.film.episode, seen.visited
    obs_TD = one.obs_T[:-1]
    slopes_TKD = per_deviation(action_slopes(agent.scores, obs_TD, one.actions_T), visited_ND)
    moves_TD = slopes_TKD[:, 0] if slopes_TKD.shape[1] == 1 else slopes_TKD.norm(dim=1)
    what = agent.score_names[0] if len(agent.score_names) == 1 else "the action (all dimensions together)"
    figures = _over_time(seen, moves_TD, signed=slopes_TKD.shape[1] == 1)
    if slopes_TKD.shape[1] > 1:
        grid_DK = slopes_TKD.abs().mean(0).t().numpy()
        figures.append(
            heat_map(grid_DK, seen.names, list(agent.score_names), False, "action", "Mean over the episode, by action.")
        )
    lead = _lead(what, moves_TD, seen.names)
    if agent.remembers:
        lead += " The net remembers: a step's change is that of its own action and of all later ones together."
    sections = [Section("What moves the action", lead, figures)]
    if agent.value is not None:
        moves_TD = per_deviation(value_slopes(agent.value, obs_TD), visited_ND)
        sections.append(
            Section("What moves the value", _lead("V", moves_TD, seen.names), _over_time(seen, moves_TD, signed=True))
        )
    return sections


def _lead(what: str, moves_TD: Tensor, names: list[str]) -> str:
    share_D = shares(moves_TD)
    top = share_D.argsort(descending=True)[:3].tolist()
    listed = ", ".join(f"{names[d]} ({100 * float(share_D[d]):.0f} %)" for d in top)
    return (
        f"Most sensitive to {listed}. The change of {what} for a rise of an observation by its standard deviation "
        "among the states visited, to first order, at every step of one greedy episode."
    )


def _over_time(seen: Seen, moves_TD: Tensor, signed: bool) -> list[Figure]:
    steps = list(range(len(moves_TD)))
    words = "Red: a rise raises it; blue: a rise lowers it." if signed else "Bright: moves it much."
    figure = heat_map(moves_TD.t().numpy(), seen.names, steps, False, "step", f"{words} Frames above.", signed)
    framed = Figure(strip(seen.film, seen.names) + figure.body, figure.caption, figure.table)
    share_D = shares(moves_TD)
    order = share_D.argsort(descending=True)[:12].tolist()
    bars = bar_chart({seen.names[d]: float(share_D[d]) for d in order}, caption="Share of the mean absolute change.")
    return [framed, bars]


def overlay_section(agent: Agent, seen: Seen, count: int = 8) -> Section:
    """Frames with the input gradients of the action's score and of V on them."""
    one = seen.film.episode
    chosen = torch.linspace(0, len(one) - 1, count).round().long()
    frames_TCHW = one.obs_T[chosen]
    maps = {"action": action_slopes(agent.scores, frames_TCHW, one.actions_T[chosen]).square().sum((1, 2)).sqrt()}
    if agent.value is not None:
        maps["value"] = value_slopes(agent.value, frames_TCHW).square().sum(1).sqrt()
    last = (frames_TCHW[:, -1:].float() / 255).numpy()
    rows = [
        [(overlay(last[i], found[i].numpy(), signed=False), f"{name}, step {int(chosen[i])}") for i in range(count)]
        for name, found in maps.items()
    ]
    lead = (
        "Where the newest frame and those stacked under it move the score of the action and the value: the norm of "
        "the input gradient at every pixel, on the newest frame. Dark to bright, each picture on its own scale."
    )
    return Section("What moves action and value", lead, [image_grid(rows, side=168)])


@torch.no_grad()
def calibration_section(agent: Agent, seen: Seen, discount: float) -> Section:
    """V against the discounted return that was then obtained."""
    values_N, returns_N, known_N = (
        np.concatenate(column) for column in zip(*_judged(agent, seen, discount), strict=True)
    )
    how = "drawn as in training" if agent.sample else "greedy"
    lead = f"{len(seen.episodes)} episodes with actions {how}; discount {discount:g}. "
    known, steps = int(known_N.sum()), len(known_N)
    if known:
        values_N, returns_N = values_N[known_N], returns_N[known_N]
    bias, spread = float((values_N - returns_N).mean()), float(np.std(returns_N))
    sense = "above" if bias > 0 else "below"
    lead += f"V stands {abs(bias):.3g} {sense} the return obtained on average"
    if spread > 0 and np.std(values_N) > 0:
        lead += f", correlation {np.corrcoef(values_N, returns_N)[0, 1]:.2f}"
    lead += f". {what_is_left_out(known, steps)}"
    found = calibration(values_N, returns_N)
    ends = np.array([found["value"].min(), found["value"].max()])
    lines = {"obtained": (found["value"], found["return"]), "V was right": (ends, ends)}
    chart = line_chart(
        lines, "V", "discounted return", bands={"obtained": (found["low"], found["high"])},
        caption="Steps in groups of like V: mean and middle 80 % of what was obtained. On the diagonal V is right.",
    )  # fmt: skip
    return Section("Value against return", lead, [chart], {"bias": bias, "steps": len(values_N)})


def _judged(agent: Agent, seen: Seen, discount: float) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    found = []
    for one in seen.episodes:
        values_T = agent.value(one.obs_T).double().numpy()
        found.append((values_T[:-1], *obtained_returns(one.rewards_T, discount, one.terminated, values_T[-1])))
    return found


def value_sections(agent: Agent, seen: Seen, image: bool, choose: str | None) -> list[Section]:
    """V over two observations: those chosen, or the two that move it most; none for frames or memories."""
    if agent.value is None or agent.remembers or image or len(seen.names) < 2:
        return []
    visited_ND = seen.visited
    if choose is not None:
        pair = chosen_pair(choose, seen.names)
    elif len(seen.names) == 2:
        pair = (1, 0)
    else:
        move_D = per_deviation(value_slopes(agent.value, visited_ND), visited_ND).abs().mean(0)
        pair = tuple(move_D.argsort(descending=True)[:2].tolist())
    figure = value_map(agent.value, visited_ND, seen.film.episode.obs_T, seen.names, pair)
    lead = "The return that the critic expects, over the range of the states visited."
    return [Section("Value map", lead, [figure])]
