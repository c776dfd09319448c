"""Path parameters beside verbs and names: ``/{code}`` that does not take ``x:publish`` for a code.

Without it, ``PUT /v1/campaigns/x:publish`` would put a campaign called ``x:publish``, where 405 is
the answer. The OpenAPI document shows the parameter's name alone.
"""

from starlette.convertors import StringConvertor, register_url_convertor


class BareName(StringConvertor):
    """A path segment without a colon."""

    regex = "[^/:]+"


register_url_convertor("bare", BareName())


def bare(parameter: str) -> str:
    """Return the parameter as a path has it: a segment without a colon."""
    return f"{{{parameter}:bare}}"


def uuid(parameter: str) -> str:
    """Return the parameter as a path has it: a UUID and nothing else, so 404 for what is none."""
    return f"{{{parameter}:uuid}}"
