"""From log-probabilities of frames to label sequences."""

from tasks.speech.decoding.greedy import collapsed, greedy
from tasks.speech.decoding.prefix_beam import Hypothesis, Scorer, prefix_beam

__all__ = ["Hypothesis", "Scorer", "collapsed", "greedy", "prefix_beam"]
