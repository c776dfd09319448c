"""Routes of ingest: parse, one handler, answer."""

from services.ingest.api import (
    batch,
    catalogue,
    changes,
    claims,
    credentials,
    events,
    exceptions,
    form_pages,
    forms,
    gaps,
    imports,
    interactions,
    purchases,
    reviews,
    submissions,
)

ROUTERS = (
    purchases.router,
    batch.router,
    changes.router,
    claims.router,
    events.router,
    exceptions.router,
    gaps.router,
    reviews.router,
    catalogue.router,
    credentials.router,
    interactions.router,
    forms.router,
    submissions.router,
    form_pages.router,
    imports.router,
)
STREAMED = {
    **imports.STREAMED,
    batch.PATH: batch.BATCH_BYTES_MAX,
    catalogue.PRODUCTS_PATH: catalogue.PRODUCTS_BYTES_MAX,
}
