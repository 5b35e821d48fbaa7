"""Sentence networks in plain torch, one architecture a file: embed(tokens_BT), classify(vectors_BTE, present_BT)."""

from tasks.text.networks.bag_of_vectors import BagOfVectors
from tasks.text.networks.committee import Committee
from tasks.text.networks.embedding import WordEmbedding
from tasks.text.networks.naive_bayes import NaiveBayes
from tasks.text.networks.pooling import DynamicPooling, KMaxPooling, MaxPooling, MeanPooling, Pooling
from tasks.text.networks.residual_cnn import ResidualCNN
from tasks.text.networks.sentence_cnn import SentenceCNN
from tasks.text.networks.serial_cnn import SerialCNN

__all__ = [
    "BagOfVectors",
    "Committee",
    "DynamicPooling",
    "KMaxPooling",
    "MaxPooling",
    "MeanPooling",
    "NaiveBayes",
    "Pooling",
    "ResidualCNN",
    "SentenceCNN",
    "SerialCNN",
    "WordEmbedding",
]
