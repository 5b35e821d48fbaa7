"""Sentence classification: CNNs whose every answer shows the words it rests on."""
