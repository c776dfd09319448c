"""The one error of the local stack: a sentence for a person."""


class LocalStackError(Exception):
    """A part cannot run here; the message says why and what to do, in one or two sentences."""
