"""Path parameters beside verbs: ``/{code}`` that does not take ``x:publish`` for a code.

Without it, ``PUT /v1/campaigns/x:publish`` would put a campaign called ``x:publish``, where 405 is
the answer.
"""

from starlette.convertors import StringConvertor, register_url_convertor


class BareName(StringConvertor):
    """A path segment without a colon."""

    regex = "[^/:]+"


register_url_convertor("bare", BareName())


def bare(parameter: str) -> str:
    """Return the parameter as a path has it; the OpenAPI document shows its name alone."""
    return f"{{{parameter}:bare}}"
