"""Losses over whole answers: graphs of paths, and MMI, MPE, sMBR and minimum word error rate on them."""

from tasks.speech.sequence.graphs import Graphs, ctc_graph, expectation, log_total, stacked, union
from tasks.speech.sequence.losses import expected_errors, mmi, smbr

__all__ = ["Graphs", "ctc_graph", "expectation", "expected_errors", "log_total", "mmi", "smbr", "stacked", "union"]
