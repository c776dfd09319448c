"""Events of ``catalogue``: stores and products, compacted, full state."""

from typing import Literal

from shared.contracts.envelope import Amount, Contract, Currency, Event
from shared.contracts.members import Version


class StoreState(Contract):
    """A shop."""

    store_id: str
    """As in receipts."""
    version: Version
    """Grows with each change of this store."""
    name: str
    """For people."""
    time_zone: str
    """IANA name; business days and streaks are counted in it."""
    address: str | None = None
    """For people; one line or several."""


class ProductState(Contract):
    """An article."""

    sku: str
    """As in the lines of receipts."""
    version: Version
    """Grows with each change of this product."""
    name: str
    """For people."""
    category: str | None = None
    """What rules and offers match on; one level."""
    brand: str | None = None
    """The maker's or the shop's own."""
    cost_minor: Amount | None = None
    """What one sales unit costs the shop; margin floors are computed from it."""
    currency: Currency | None = None
    """Of ``cost_minor``."""


class StoreChanged(Event):
    """A store was registered or changed; key ``store:<store_id>``."""

    type: Literal["store.changed.v1"] = "store.changed.v1"
    data: StoreState


class ProductChanged(Event):
    """A product was registered or changed; key ``sku:<sku>``."""

    type: Literal["product.changed.v1"] = "product.changed.v1"
    data: ProductState


CatalogueEvent = StoreChanged | ProductChanged
