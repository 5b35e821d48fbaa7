"""What a Q-learner remembers, and what it draws from that."""

from tasks.rl.replay.replay import Replay
from tasks.rl.replay.transitions import Transitions

__all__ = ["Replay", "Transitions"]
