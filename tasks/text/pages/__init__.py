"""What the pages of sentences are made of, one idea a file."""
