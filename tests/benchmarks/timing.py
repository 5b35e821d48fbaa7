"""CPU seconds of rivals measured in turn, so that whatever else the machine does meets all of them alike."""

import time
from collections.abc import Callable


def in_turn(rivals: dict[str, Callable[[], object]], repetitions: int) -> dict[str, float]:
    """Name -> the median of its CPU seconds; one run of each before the first measured one."""
    seconds: dict[str, list[float]] = {name: [] for name in rivals}
    for act in rivals.values():
        act()
    for _ in range(repetitions):
        for name, act in rivals.items():
            start = time.process_time()
            act()
            seconds[name].append(time.process_time() - start)
    return {name: sorted(found)[len(found) // 2] for name, found in seconds.items()}
