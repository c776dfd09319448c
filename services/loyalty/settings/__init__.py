"""Settings of loyalty, read from ``LOYALTY_…``, and the programme's document."""

from pathlib import Path
from typing import ClassVar

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from shared import identity
from shared.settings import ServiceSettings


class LoyaltySettings(ServiceSettings):
    """What an operator can turn."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix="LOYALTY_")
    service_name: ClassVar[str] = "loyalty"

    port: int = Field(default=8002, ge=1, le=65535)
    identity_key: SecretStr = Field(validation_alias=AliasChoices("IDENTITY_KEY"))
    """Hex, 32 bytes or more; the same in ingest. Hashes of identifiers are useless without it."""
    programme_file: Path = Path("deploy/programme/demo.yaml")

    @field_validator("identity_key")
    @classmethod
    def _is_long_enough(cls, key: SecretStr) -> SecretStr:
        identity.read_key(key.get_secret_value())
        return key
