"""``PUT /v1/stores/{store_id}`` and ``PUT /v1/products:batch``."""

from typing import Annotated, Self

from fastapi import APIRouter, Path
from pydantic import AfterValidator, BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from services.ingest.api import fields
from services.ingest.api.depends import Ingest, Keeper
from services.ingest.handlers import catalogue
from shared.contracts.catalogue import ProductState, StoreState
from shared.db import Tx, run_unit
from shared.errors import Malformed
from shared.http.models import Request

PRODUCTS_PATH = "/v1/products:batch"
PRODUCTS_BYTES_MAX = 2 * 1024 * 1024
PRODUCTS_MAX = 1_000


router = APIRouter(prefix="/v1", tags=["catalogue"])


class StoreBody(Request):
    """A shop."""

    name: fields.Label
    time_zone: Annotated[str, Field(max_length=64), AfterValidator(fields.time_zone)]
    """IANA name; business days are counted in it."""
    address: fields.Text | None = None
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    """ISO 3166 alpha-2; phone numbers typed without a country code are read with it."""

    def to_state(self, store_id: str) -> StoreState:
        """Return the shop at its first version; the store counts on from there."""
        return StoreState(
            store_id=store_id,
            version=1,
            name=self.name,
            time_zone=self.time_zone,
            address=self.address,
        )


class ProductBody(Request):
    """An article."""

    sku: fields.Code
    name: fields.Label
    category: fields.Label | None = None
    brand: fields.Label | None = None
    cost_minor: fields.Amount | None = None
    currency: fields.Currency | None = None

    @model_validator(mode="after")
    def _cost_has_a_currency(self) -> Self:
        if self.cost_minor is not None and self.currency is None:
            raise PydanticCustomError("currency", "cost_minor needs a currency beside it")
        return self

    def to_state(self) -> ProductState:
        """Return the article at its first version; the store counts on from there."""
        return ProductState(version=1, **dict(self))


class Registered(BaseModel):
    """What a registration changed."""

    changed: int
    """New or really different; published on ``catalogue``."""
    unchanged: int


@router.put("/stores/{store_id}")
async def put_store(
    store_id: Annotated[fields.Code, Path()], body: StoreBody, _: Keeper, context: Ingest
) -> Registered:
    """Register a shop or change it."""
    state = body.to_state(store_id)

    async def unit(tx: Tx) -> StoreState | None:
        at = context.clock.now()
        return await catalogue.put_store(tx, state, country=body.country, at=at)

    changed = 1 if await run_unit(context.db, unit) else 0
    return Registered(changed=changed, unchanged=1 - changed)


@router.put("/products:batch")
async def put_products(
    body: Annotated[list[ProductBody], Field(min_length=1, max_length=PRODUCTS_MAX)],
    _: Keeper,
    context: Ingest,
) -> Registered:
    """Register or change up to 1,000 articles, all or none."""
    states = {one.sku: one.to_state() for one in body}
    if len(states) < len(body):
        raise Malformed("invalid_request", "A SKU comes more than once in the batch.")

    async def unit(tx: Tx) -> int:
        now = context.clock.now()
        return len(await catalogue.put_products(tx, list(states.values()), at=now))

    changed = await run_unit(context.db, unit)
    return Registered(changed=changed, unchanged=len(states) - changed)
