"""What the numbers of an observation mean, where gymnasium's own pages say it."""

NAMES: dict[str, tuple[str, ...]] = {
    "CartPole": ("cart position", "cart velocity", "pole angle", "pole angular velocity"),
    "MountainCar": ("position", "velocity"),
    "MountainCarContinuous": ("position", "velocity"),
    "Acrobot": ("cos θ1", "sin θ1", "cos θ2", "sin θ2", "angular velocity 1", "angular velocity 2"),
    "Pendulum": ("cos θ", "sin θ", "angular velocity"),
    "LunarLander": (
        "x", "y", "velocity x", "velocity y", "angle", "angular velocity", "left leg down", "right leg down",
    ),
    "Hopper": (
        "height", "pitch", "thigh", "leg", "foot",
        "velocity x", "velocity z", "pitch rate", "thigh rate", "leg rate", "foot rate",
    ),
    "HalfCheetah": (
        "height", "pitch", "back thigh", "back shin", "back foot", "front thigh", "front shin", "front foot",
        "velocity x", "velocity z", "pitch rate", "back thigh rate", "back shin rate", "back foot rate",
        "front thigh rate", "front shin rate", "front foot rate",
    ),
}  # fmt: skip


def observation_names(environment_id: str, size: int) -> list[str]:
    """Names of an observation's numbers; o0, o1 ... where they are not known.

    >>> observation_names("CartPole-v1", 4)[2], observation_names("Mine-v0", 2)
    ('pole angle', ['o0', 'o1'])
    """
    known = NAMES.get(environment_id.rpartition("-v")[0].rpartition("/")[2], ())
    return list(known) if len(known) == size else [f"o{i}" for i in range(size)]
