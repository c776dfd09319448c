"""Settings every service has; each service adds its own under its prefix.

Read from the environment: ``LOYALTY_DATABASE_URL`` and so on for what is the service's own,
unprefixed names for what all share (``KAFKA_BOOTSTRAP_SERVERS``).
"""

from typing import ClassVar, Literal, Self

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_DEMO_MARKS = ("insecure", b"insecure".hex())


class ServiceSettings(BaseSettings):
    """One frozen object per process. Subclasses set ``env_prefix`` and ``service_name``."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")
    service_name: ClassVar[str]

    database_url: str
    """Runtime role; no DDL. ``postgresql://user:password@host:port/database``."""
    migration_database_url: str | None = None
    """Owner role, for ``migrate`` only; the runtime role where it is not set."""
    kafka_bootstrap_servers: str = Field(
        default="127.0.0.1:9092", validation_alias=AliasChoices("KAFKA_BOOTSTRAP_SERVERS")
    )
    kafka_partitions: int = Field(
        default=12, ge=1, le=1000, validation_alias=AliasChoices("KAFKA_PARTITIONS")
    )
    kafka_replication_factor: int = Field(
        default=1, ge=1, le=9, validation_alias=AliasChoices("KAFKA_REPLICATION_FACTOR")
    )
    environment: Literal["development", "production"] = Field(
        default="development", validation_alias=AliasChoices("ENVIRONMENT")
    )
    log_level: str = Field(default="INFO", validation_alias=AliasChoices("LOG_LEVEL"))
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    health_port: int = Field(default=0, ge=0, le=65535)
    """Where consumer, relay and jobs answer health and metrics; 0 switches it off."""
    requests_max: int = Field(default=512, ge=1, le=10_000)
    """Requests in hand at once in one ``api`` process; above it the answer is 503, at once."""
    db_pool_size: int = Field(default=10, ge=1, le=200)
    db_statement_timeout_ms: int = Field(default=5_000, ge=100)
    consumer_batch_max: int = Field(default=1_000, ge=1, le=10_000)
    """Most events of one partition in one transaction."""
    consumer_concurrency: int = Field(default=4, ge=1, le=64)
    """Most partition batches in work at once in one process."""
    consumer_session_timeout_ms: int = Field(default=10_000, ge=6_000)
    consumer_stall_s: float = Field(default=60.0, gt=0)
    """The watchdog ends a consumer that has records waiting and made no progress for so long."""
    relay_batch_max: int = Field(default=2_000, ge=1, le=20_000)
    credentials_stale_s: float = Field(default=30.0, ge=1)
    """Keys of staff, marketers and admins are refused where what is known of keys is older."""
    credential_report_s: float = Field(default=30.0, gt=0)
    """How often a process tells which keys were used; ``last_used_at`` is as exact as this."""
    limit_terminal_per_s: int = Field(default=1_000, ge=1)
    """Requests a second of one key in one process; each 64 KiB of a body count as one more."""
    limit_app_per_s: int = Field(default=5_000, ge=1)
    limit_staff_per_s: int = Field(default=200, ge=1)
    limit_marketer_per_s: int = Field(default=200, ge=1)
    limit_admin_per_s: int = Field(default=5_000, ge=1)

    @field_validator("database_url", "migration_database_url")
    @classmethod
    def _use_asyncpg(cls, url: str | None) -> str | None:
        """Accept the plain form: SQLAlchemy's default Postgres driver is not asyncpg."""
        if url is None or "+" in url.partition("://")[0]:
            return url
        scheme, separator, rest = url.partition("://")
        if scheme not in {"postgres", "postgresql"} or not separator:
            message = "must start with postgresql://"
            raise ValueError(message)
        return f"postgresql+asyncpg://{rest}"

    @model_validator(mode="after")
    def _refuse_demo_secrets(self) -> Self:
        """Stop a production process that still has a secret of the demo.

        Those are public, so each is named (or spells in hex) ``insecure``.
        """
        if self.environment == "production":
            names = sorted(
                name for name in type(self).model_fields if _is_of_the_demo(getattr(self, name))
            )
            if names:
                message = f"insecure secrets of the demo in production: {', '.join(names)}"
                raise ValueError(message)
        return self


def _is_of_the_demo(value: object) -> bool:
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    return isinstance(text, str) and any(mark in text for mark in _DEMO_MARKS)
