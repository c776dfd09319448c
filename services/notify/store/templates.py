"""Templates that marketers saved: every version for ever, the highest holds."""

from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from services.notify.domain.templates import Compiled, Source
from services.notify.store.tables import template
from shared.db import Tx


@dataclass(frozen=True, slots=True)
class SavedTemplate:
    """One version of a template."""

    code: str
    version: int
    topic: str
    source: Source
    compiled: Compiled


async def load_template(tx: Tx, code: str) -> SavedTemplate | None:
    """Return the newest version; None where nothing was saved."""
    return (await load_templates(tx, [code])).get(code)


async def load_templates(tx: Tx, codes: list[str]) -> dict[str, SavedTemplate]:
    """Return the newest version of each code that was saved."""
    rows = await tx.execute(
        sa.select(template)
        .ext(distinct_on(template.c.code))
        .where(template.c.code.in_(codes))
        .order_by(template.c.code, template.c.version.desc())
    )
    return {row["code"]: _saved(row) for row in rows.mappings()}


def _saved(row: sa.RowMapping) -> SavedTemplate:
    return SavedTemplate(
        code=row["code"],
        version=row["version"],
        topic=row["topic"],
        source=Source(**row["source"]),
        compiled=Compiled(**row["compiled"]),
    )


async def append_template(tx: Tx, saved: SavedTemplate, *, created_by: str) -> None:
    """Add a version. Lock the code first."""
    await tx.execute(
        template.insert().values(
            code=saved.code,
            version=saved.version,
            topic=saved.topic,
            source=asdict(saved.source),
            compiled=asdict(saved.compiled),
            created_by=created_by,
        )
    )


async def lock_code(tx: Tx, code: str) -> None:
    """Make two saves of one template take turns."""
    await tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(code, 7303))))
