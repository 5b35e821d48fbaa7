"""What the terminal that is written to can show."""

import os
from typing import TextIO


def takes_colours(stream: TextIO) -> bool:
    """Whether a stream is a terminal and colours are wanted: NO_COLOR (https://no-color.org) is empty or not set."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
