"""Speech recognition: CTC, its decoding, and what in a spectrogram each letter rests on."""
