"""Settings of ingest, read from ``INGEST_…``."""

from typing import Any, ClassVar, Literal

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from shared import identity
from shared.settings import ServiceSettings


def _unprefixed(name: str) -> Any:  # noqa: ANN401  as Field's
    return Field(default=None, validation_alias=AliasChoices(name))


class IngestSettings(ServiceSettings):
    """What an operator can turn."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix="INGEST_")
    service_name: ClassVar[str] = "ingest"

    port: int = Field(default=8001, ge=1, le=65535)
    identity_key: SecretStr = Field(validation_alias=AliasChoices("IDENTITY_KEY"))
    """Hex, 32 bytes or more; the same in loyalty. Hashes of identifiers are useless without it."""
    commit_workers: int = Field(default=2, ge=1, le=16)
    """Group commits under way at once in one process; each holds a database connection."""
    commit_live_workers: int = Field(default=1, ge=0, le=16)
    """As many more for single purchases alone: tills do not wait for files."""
    commit_rows_max: int = Field(default=250, ge=1, le=1_000)
    commit_wait_ms: float = Field(default=5.0, ge=0, le=50)
    """How long a commit gathers company while another one is under way; never when idle."""
    commit_deadline_s: float = Field(default=4.0, gt=0, le=30)
    """After this a till is told to try again: shorter than the five seconds it waits."""
    queue_live_max: int = Field(default=5_000, ge=1)
    """Single purchases waiting for a commit; above it the answer is 503."""
    queue_bulk_max: int = Field(default=10_000, ge=1)
    """Rows of batch uploads waiting for a commit; above it the answer is 503."""
    claim_window_days: int = Field(default=30, ge=0, le=3650)
    """How old a receipt may be to be moved to the member whose identifier it carried, or who
    shows its claim token."""
    review_after_days: int = Field(default=7, ge=1, le=36_500)
    """A sale that arrives later than this is published once staff has accepted it."""
    withheld_exception_h: int = Field(default=24, ge=0, le=8760)
    """After so many hours without its sale a return, void or amendment shows as an exception."""
    unlinked_returns: Literal["accept", "refuse"] = "accept"
    """Whether goods may come back without naming their sale; see ``GET /v1/exceptions``."""
    purchase_consumers: tuple[str, ...] = ("loyalty", "offers")
    """Consumer groups of ``purchases``; an event is processed once all are past it."""
    loyalty_url: str = Field(default="http://127.0.0.1:8002", pattern=r"^https?://[^\s]+$")
    """Where sign-ups by forms are enrolled."""
    loyalty_key: SecretStr | None = None
    """An API key of role ``app`` for that; ``APP_KEY`` where it is not set."""

    admin_key: SecretStr | None = _unprefixed("ADMIN_KEY")
    """Keys of the first start. They are stored (hashed) by ``migrate`` unless known already."""
    staff_key: SecretStr | None = _unprefixed("STAFF_KEY")
    marketer_key: SecretStr | None = _unprefixed("MARKETER_KEY")
    app_key: SecretStr | None = _unprefixed("APP_KEY")
    terminal_key: SecretStr | None = _unprefixed("TERMINAL_KEY")
    terminal_store_id: str | None = _unprefixed("TERMINAL_STORE_ID")
    terminal_id: str | None = _unprefixed("TERMINAL_ID")

    @field_validator("identity_key")
    @classmethod
    def _is_long_enough(cls, key: SecretStr) -> SecretStr:
        identity.read_key(key.get_secret_value())
        return key
