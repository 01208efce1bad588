"""The one error that bad input raises."""


class InputError(ValueError):
    """Something that the user supplied cannot be used.

    The message is a single line that names the thing (file, row or field), its value and the remedy. The command line prints it
    and exits with status 2.

    Example:
        >>> raise InputError("trace.csv row 7: arrival_s = -1.0 is negative; times count from 0")
        Traceback (most recent call last):
        ...
        sageserve_env.errors.InputError: trace.csv row 7: arrival_s = -1.0 is negative; times count from 0
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))  # what the user gave may hold line ends
