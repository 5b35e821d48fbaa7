"""An episode as pictures on a page: an animated GIF, and a strip of frames above a map over time.

Legend: T = steps of the episode, F = frames kept.
"""

import base64
from dataclasses import dataclass

import numpy as np
from PIL import Image

from tasks.rl.agent import Agent
from tasks.rl.environments.environment import Environment
from tasks.rl.pages.drawing import drawn, frame_of
from tasks.rl.pages.episode import Episode, episode
from tasks.rl.pages.video import Gif, smaller
from zoo.errors import InputError
from zoo.reports import Figure
from zoo.reports.heat_map import WIDTH, plot_box
from zoo.reports.images import png_data

FRAMES, FRAME_WIDTH, FRAMES_A_SECOND = 80, 300, 15


@dataclass(frozen=True)
class Film:
    """An episode, the steps at which it was drawn [F] and the frames; or why it cannot be drawn."""

    episode: Episode
    steps: list[int]
    frames: list[np.ndarray]
    why_not: str = ""
    speed: float = 1.0


def filmed(environment: Environment, agent: Agent, seed: int, frames: int = FRAMES) -> Film:
    """Play an episode, and play it again with at most `frames` pictures: drawing costs more than playing.

    Args:
        environment: where.
        agent: its greedy actions, so that both times are the same.
        seed: of the reset.
        frames: pictures kept.
    """
    with drawn(environment, None) as single:
        first = episode(single, environment.spaces, agent.act, seed)
    wanted = np.unique(np.linspace(0, len(first), frames).round().astype(int)).tolist()
    seen: list[np.ndarray] = []
    try:
        with drawn(environment, "rgb_array") as single:
            rate = single.metadata.get("render_fps") or 30
            keep = set(wanted)

            def watch(step: int) -> None:
                if step in keep:
                    seen.append(np.asarray(smaller(Image.fromarray(frame_of(single)), FRAME_WIDTH)))

            episode(single, environment.spaces, agent.act, seed, watch)
    except InputError as error:
        return Film(first, [], [], str(error))
    every = max(1.0, len(first) / max(len(wanted) - 1, 1))
    return Film(first, wanted, seen, speed=max(1.0, FRAMES_A_SECOND * every / rate))


def animation(film: Film, name: str) -> Figure:
    """The film as a GIF inside the page; a sentence where there are no frames."""
    found = film.episode
    how = f"A greedy episode of {name}: return {found.rewards_T.sum():.5g} in {len(found)} steps."
    if not film.frames:
        return Figure("<p>No pictures.</p>", f"{how} {film.why_not}")
    gif = Gif(FRAMES_A_SECOND, FRAME_WIDTH, FRAMES_A_SECOND)
    for frame in film.frames:
        gif.add(frame)
    data = base64.b64encode(gif.bytes()).decode()
    pace = f" Shown {film.speed:.1f} times as fast as it happens." if film.speed > 1.05 else ""
    image = f'<img src="data:image/gif;base64,{data}" width="{film.frames[0].shape[1]}" alt="episode">'
    return Figure(image, how + pace)


def strip(film: Film, rows: list[str], count: int = 6) -> str:
    """Frames at equal distances over the columns of the heat map with these rows, as SVG; "" without frames."""
    if not film.frames:
        return ""
    left, _, width, _ = plot_box(rows)
    side = width / count
    height, body = 0.0, []
    for i in range(count):
        step = (i + 0.5) / count * len(film.episode)
        nearest = int(np.argmin(np.abs(np.array(film.steps) - step)))
        frame = film.frames[min(nearest, len(film.frames) - 1)]
        height = side * frame.shape[0] / frame.shape[1]
        body.append(
            f'<image href="{png_data(frame)}" x="{left + i * side + 1:.1f}" y="0" width="{side - 2:.1f}" '
            f'height="{height:.1f}"><title>step {film.steps[nearest]}</title></image>'
        )
    return f'<svg viewBox="0 0 {WIDTH} {height + 4:.0f}" role="img" aria-label="frames">{"".join(body)}</svg>'
