"""Four kinds of error, one decision each.

``Refused``      the rules say no: the caller is told, nothing is written.
``Malformed``    can never succeed: 422 over HTTP, a dead letter in a consumer.
``Unavailable``  try later: 503 with Retry-After over HTTP, patience in a consumer.
anything else    is our bug: 500 over HTTP; a consumer rolls back and exits.
"""

from collections.abc import Mapping, Sequence


class PerennialError(Exception):
    """Base of the errors that we raise on purpose; ``code`` is stable and published."""

    def __init__(self, code: str, detail: str) -> None:
        """Keep the stable ``code`` and a sentence for people."""
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class Refused(PerennialError):
    """The rules say no. ``extra`` members are added to the problem document."""

    def __init__(self, code: str, detail: str, *, status: int = 409, **extra: object) -> None:
        """Answer with ``status`` (4xx)."""
        super().__init__(code, detail)
        self.status = status
        self.extra: Mapping[str, object] = extra


class Malformed(PerennialError):
    """Never acceptable in this form. ``errors`` name the fields: {"field", "message"}."""

    def __init__(
        self, code: str, detail: str, *, errors: Sequence[Mapping[str, object]] = ()
    ) -> None:
        """Answer 422, or set the event aside as a dead letter."""
        super().__init__(code, detail)
        self.errors = tuple(errors)


class Unavailable(PerennialError):
    """A dependency is away; the same call may succeed in ``retry_after_s`` seconds."""

    def __init__(self, code: str, detail: str, *, retry_after_s: float = 2.0) -> None:
        """Answer 503 with Retry-After."""
        super().__init__(code, detail)
        self.retry_after_s = retry_after_s
