"""Zhang and Wallace's (2015) study of how sensitive a sentence CNN is to its settings."""
