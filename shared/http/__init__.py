"""What every HTTP surface shares: problems, limits, health, paging, idempotency, serving."""

from shared.http.context import get_context
from shared.http.models import Request, Text

__all__ = ["Request", "Text", "get_context"]
