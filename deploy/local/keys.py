"""The stack's passwords and API keys: made on the first start, kept beside the data."""

import secrets
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from deploy.local.layout import API_KEYS, SERVICES, Layout, write_private
from deploy.local.provision import Roles, new_roles
from shared import auth

SIGNING_KEYS = ("IDENTITY_KEY", "NOTIFY_UNSUBSCRIBE_KEY")


class Secrets(BaseModel):
    """Everything that must stay the same while the data does."""

    model_config = ConfigDict(frozen=True)
    postgres_password: str
    roles: Mapping[str, Roles]
    variables: Mapping[str, str]
    """API and signing keys by the name of their environment variable."""


def load(layout: Layout) -> Secrets:
    """Return the stack's secrets, making those that are missing."""
    kept = Secrets(postgres_password=secrets.token_urlsafe(24), roles={}, variables={})
    if layout.secrets.exists():
        kept = Secrets.model_validate_json(layout.secrets.read_text())
    whole = Secrets(
        postgres_password=kept.postgres_password,
        roles={name: new_roles(name) for name in SERVICES} | dict(kept.roles),
        variables={name: auth.new_key() for name in API_KEYS}
        | {name: secrets.token_hex(32) for name in SIGNING_KEYS}
        | dict(kept.variables),
    )
    if whole != kept:
        write_private(layout.secrets, whole.model_dump_json(indent=2) + "\n")
    return whole
