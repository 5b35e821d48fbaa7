"""The one exception for what a user can mend."""


class InputError(ValueError):
    """Bad input, said in one line: what, expected, got, the mend. The `zoo` command prints it and exits with 2.

    >>> raise InputError("labels: expected integers in 0..9, got 12 at example 5; set num_classes to 13")
    Traceback (most recent call last):
    zoo.errors.InputError: labels: expected integers in 0..9, got 12 at example 5; set num_classes to 13
    """
