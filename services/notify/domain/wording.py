"""Numbers and dates in words; one language for now, the member's own zone already."""

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_WITHOUT_MINOR_UNIT = frozenset(
    ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV",
     "XAF", "XOF", "XPF")
)  # fmt: skip
_THREE_DIGITS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})


def money(amount_minor: int, currency: str) -> str:
    """Return ``5.00 USD`` for 500; the decimals are ISO 4217's."""
    digits = 0 if currency in _WITHOUT_MINOR_UNIT else 3 if currency in _THREE_DIGITS else 2
    sign, units = ("-" if amount_minor < 0 else ""), abs(amount_minor)
    if not digits:
        return f"{sign}{units:,} {currency}"
    whole, rest = divmod(units, 10**digits)
    return f"{sign}{whole:,}.{rest:0{digits}} {currency}"


def discount(percent: int | None, amount_minor: int | None, currency: str) -> str:
    """Return ``20% off`` or ``1.50 USD off``."""
    if percent is not None:
        return f"{percent}% off"
    return f"{money(amount_minor or 0, currency)} off"


def day(at: datetime, zone: str | None) -> str:
    """Return ``29 November 2026`` as it is where the member lives; UTC for an unknown zone."""
    try:
        local = at.astimezone(ZoneInfo(zone or "UTC"))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        local = at
    return f"{local.day} {_MONTHS[local.month - 1]} {local.year}"


def first_name(name: str | None) -> str:
    """Return what to greet by; empty when there is none."""
    return name.split()[0][:60] if name and name.split() else ""
