"""Topics, channels and frequencies, and what holds for a member who chose nothing."""

from typing import Literal, get_args

Topic = Literal["points", "offers", "tiers", "content", "events", "service"]
Channel = Literal["email", "sms", "push", "inbox", "webhook"]
Frequency = Literal["at_once", "never"]
Purpose = Literal["marketing", "personalisation", "service"]

TOPICS: tuple[Topic, ...] = get_args(Topic)
CHANNELS: tuple[Channel, ...] = get_args(Channel)

MARKETING: frozenset[Topic] = frozenset({"offers", "content", "events"})
"""Topics that advertise. The others inform about the member's own account."""

_ON_BY_DEFAULT: frozenset[tuple[Topic, Channel]] = frozenset(
    {
        ("offers", "email"),
        ("content", "email"),
        ("events", "email"),
        ("tiers", "email"),
        ("service", "email"),
        # A push or a text message interrupts, so those wait until they are asked for.
        *((topic, "inbox") for topic in TOPICS),
    }
)


def purpose_of(topic: Topic) -> Purpose:
    """Return the purpose whose consent a message about ``topic`` needs."""
    return "marketing" if topic in MARKETING else "service"


def default_frequency(topic: Topic, channel: Channel) -> Frequency:
    """Return the frequency for a member who said nothing; mail about points is on request."""
    return "at_once" if (topic, channel) in _ON_BY_DEFAULT else "never"
