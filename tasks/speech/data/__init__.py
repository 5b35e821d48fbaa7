"""Sets of utterances; a batch is (features_BTD, frames_B, labels_BU, lengths_B)."""

from tasks.speech.data.speech_data import Batch, SpeechData
from tasks.speech.data.utterances import Utterances

__all__ = ["Batch", "SpeechData", "Utterances"]
