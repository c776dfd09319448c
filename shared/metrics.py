"""Prometheus metrics of the plumbing; every process exposes them on ``/metrics``.

Labels are names of our own (groups, topics, route templates), never ids or anything of a member,
so that the number of series stays bounded.
"""

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Gauge, Histogram
from prometheus_client import generate_latest as _generate_latest

CONTENT_TYPE = CONTENT_TYPE_LATEST

_HANDLER_BUCKETS_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_REQUEST_BUCKETS_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_BATCH_BUCKETS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500)

# Consumer.
consumer_lag = Gauge(
    "perennial_consumer_lag",
    "Records of a partition that are published and not yet applied.",
    ("group", "topic", "partition"),
)
batch_size = Histogram(
    "perennial_consumer_batch_size",
    "Events of one partition batch, that is of one transaction.",
    ("group", "topic"),
    buckets=_BATCH_BUCKETS,
)
handler_seconds = Histogram(
    "perennial_handler_seconds",
    "Time that the batch handler of a topic took.",
    ("group", "topic"),
    buckets=_HANDLER_BUCKETS_S,
)
events_total = Counter(
    "perennial_events",
    "Events by what became of them: applied, duplicate, parked, dropped.",
    ("group", "topic", "outcome"),
)
dead_letters_total = Counter(
    "perennial_dead_letters",
    "Events set aside because they can not be applied.",
    ("group", "topic", "reason"),
)
fenced_total = Counter(
    "perennial_fenced",
    "Batches rolled back because another process owns the partition by now.",
    ("group",),
)

# Outbox and relay.
outbox_age_seconds = Gauge(
    "perennial_outbox_age_seconds",
    "Age of the oldest row of the outbox that is not published.",
    ("service",),
)
outbox_unpublished = Gauge(
    "perennial_outbox_unpublished",
    "Rows of the outbox that are not published.",
    ("service",),
)
relay_published_total = Counter(
    "perennial_relay_published",
    "Rows of the outbox that the broker acknowledged.",
    ("service", "topic"),
)
relay_failed_total = Counter(
    "perennial_relay_failed",
    "Sends that failed and will be tried again.",
    ("service", "topic"),
)

# Timed jobs.
job_seconds = Histogram(
    "perennial_job_seconds",
    "Time that one run of a timed job took.",
    ("service", "job"),
    buckets=(0.01, 0.05, 0.25, 1, 5, 30, 120, 600),
)
job_failures_total = Counter(
    "perennial_job_failures",
    "Runs of a timed job that ended in an error.",
    ("service", "job"),
)

stuck_holds = Gauge(
    "perennial_stuck_holds",
    "Open holds whose end is more than 60 s ago and that no sweep has given back.",
    ("service", "kind"),
)

# HTTP.
http_in_flight = Gauge("perennial_http_in_flight", "Requests being served now.")
http_seconds = Histogram(
    "perennial_http_request_seconds",
    "Time from the first byte of a request to the end of its answer.",
    ("method", "route", "status"),
    buckets=_REQUEST_BUCKETS_S,
)
http_refused_total = Counter(
    "perennial_http_refused",
    "Requests refused before they reached a route: too_large, too_slow, overloaded.",
    ("reason",),
)
auth_failures_total = Counter(
    "perennial_auth_failures",
    "Requests without a key that counts: missing, unknown, expired, revoked, limited, stale.",
    ("reason",),
)


def render() -> bytes:
    """Return every metric in the Prometheus text format."""
    return _generate_latest(REGISTRY)
