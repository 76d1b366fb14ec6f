"""The one kind of error that a user is meant to read."""


class DatamallError(Exception):
    """Something a user can mend.

    The message is one clear sentence: what is wrong, where, and what to do. The command line
    prints it without a traceback and exits with 1.
    """
