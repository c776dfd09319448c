"""Settings of the notify service, prefix ``NOTIFY_``."""

from email.headerregistry import Address
from email.utils import parseaddr
from typing import ClassVar, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from services.notify.domain import mail
from shared.settings import ServiceSettings

KEY_BYTES_MIN = 32


class NotifySettings(ServiceSettings):
    """One frozen object per process."""

    model_config = SettingsConfigDict(env_prefix="NOTIFY_", frozen=True, extra="ignore")
    service_name: ClassVar[str] = "notify"

    port: int = Field(default=8004, ge=1, le=65535)
    public_url: str = Field(default="http://127.0.0.1:8004", pattern=r"^https?://[^\s?#]+$")
    """Where members reach ``/u/{token}``; https in production."""
    programme_name: str = Field(default="Perennial", min_length=1, max_length=80)
    mail_from: str = "Perennial <hello@perennial.example>"
    unsubscribe_key: SecretStr
    """Hex, at least 32 bytes. Several, separated by commas: the first signs, all still verify."""

    smtp_host: str = ""
    """Empty: nothing is sent, only logged."""
    smtp_port: int = Field(default=25, ge=1, le=65535)
    smtp_security: Literal["none", "starttls", "tls"] = "none"
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_deadline_s: float = Field(default=10.0, gt=0, le=60)
    """For connecting, and for each mail."""
    smtp_connections: int = Field(default=2, ge=1, le=32)
    """Mails under way at once."""

    inbox_batch_max: int = Field(default=500, ge=1, le=5_000)
    """Inbox messages decided in one transaction."""
    mail_batch_max: int = Field(default=100, ge=1, le=1_000)
    """Mails claimed at once; they should all have left before ``lease_s`` is over."""
    lease_s: float = Field(default=120.0, ge=1)
    """How long a claimed message belongs to its process; longer than ``smtp_deadline_s``."""
    trigger_ttl_s: float = Field(default=86_400.0, gt=0)
    """An event older than this sends nothing."""
    wait_s: float = Field(default=3_600.0, ge=0)
    """How long a message waits for a member or an address that is not known yet."""
    consent_grace_s: float = Field(default=15.0, ge=0)
    """How long after a member became known a first consent may still be on its way."""
    collect_s: float = Field(default=5.0, ge=0)
    """How long a digest stays open for more offers of the same issue."""

    @field_validator("unsubscribe_key")
    @classmethod
    def _strong_key(cls, value: SecretStr) -> SecretStr:
        for part in value.get_secret_value().split(","):
            if len(bytes.fromhex(part)) < KEY_BYTES_MIN:
                message = f"needs at least {KEY_BYTES_MIN} bytes ({2 * KEY_BYTES_MIN} hex digits)"
                raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self.sender()
        if self.lease_s <= self.smtp_deadline_s:
            raise ValueError("lease_s must be longer than smtp_deadline_s")
        if self.environment == "production" and not self.public_url.startswith("https://"):
            # RFC 8058 wants https, and so do mailbox providers.
            raise ValueError("public_url must be https in production")
        return self

    def unsubscribe_keys(self) -> tuple[bytes, ...]:
        return tuple(bytes.fromhex(k) for k in self.unsubscribe_key.get_secret_value().split(","))

    def sender(self) -> Address:
        name, spec = parseaddr(self.mail_from)
        return mail.address(spec, name)
