"""Composition root: settings become a context; routes, handlers and jobs become a service."""

from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

from services.notify import consumer, jobs
from services.notify.channels import LogMailer, Mailer, SmtpMailer, SmtpServer
from services.notify.context import Dispatch, Links, NotifyContext
from services.notify.domain import catalogue
from services.notify.domain.gates import Limits
from services.notify.settings import NotifySettings
from shared.clock import SystemClock
from shared.db import Database
from shared.service import Routes, Service

FOLDER = Path(__file__).parent


async def open_context(
    settings: NotifySettings, db: Database, stack: AsyncExitStack
) -> NotifyContext:
    """Return what handlers, routes and jobs are given; nothing needs closing."""
    del stack
    return NotifyContext(
        db=db,
        clock=SystemClock(),
        settings=settings,
        mailer=_mailer(settings),
        sender=settings.sender(),
        programme_name=settings.programme_name,
        links=Links(settings.public_url, settings.unsubscribe_keys()),
        dispatch=Dispatch(
            limits=Limits(
                ttl=timedelta(seconds=settings.trigger_ttl_s),
                wait=timedelta(seconds=settings.wait_s),
                consent_grace=timedelta(seconds=settings.consent_grace_s),
            ),
            inbox_batch_max=settings.inbox_batch_max,
            mail_batch_max=settings.mail_batch_max,
            connections=settings.smtp_connections,
            lease=timedelta(seconds=settings.lease_s),
            collect=timedelta(seconds=settings.collect_s),
        ),
        shipped=catalogue.compile_shipped(_read_template),
    )


def _read_template(name: str) -> str:
    return (FOLDER / "templates" / name).read_text("utf-8")


def _mailer(settings: NotifySettings) -> Mailer:
    if not settings.smtp_host:
        return LogMailer()
    password = settings.smtp_password
    return SmtpMailer(
        SmtpServer(
            host=settings.smtp_host,
            port=settings.smtp_port,
            deadline_s=settings.smtp_deadline_s,
            security=settings.smtp_security,
            username=settings.smtp_username,
            password=password.get_secret_value() if password else None,
        )
    )


def _routes() -> Routes:
    from services.notify import api  # noqa: PLC0415  by the process that serves them

    return Routes(api.ROUTERS)


def service() -> Service:
    """Return the notify service."""
    return Service(
        name="notify",
        settings=NotifySettings,
        open_context=open_context,
        migrations=FOLDER / "migrations",
        routes=_routes,
        handlers=consumer.HANDLERS,
        jobs=jobs.JOBS,
    )
