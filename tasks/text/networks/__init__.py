"""Sentence networks in plain torch, one architecture a file: embed(tokens_BT), classify(vectors_BTE, present_BT)."""

from tasks.text.networks.embedding import WordEmbedding
from tasks.text.networks.pooling import DynamicPooling, KMaxPooling, MaxPooling, MeanPooling, Pooling
from tasks.text.networks.sentence_cnn import SentenceCNN

__all__ = ["DynamicPooling", "KMaxPooling", "MaxPooling", "MeanPooling", "Pooling", "SentenceCNN", "WordEmbedding"]
