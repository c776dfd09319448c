"""The limit of ingest: the same body parsed and the same answer given, and nothing else done.

``python -m bench.bare PORT``: a plain FastAPI route as its manual has it, with ingest's own models,
on the same server with the same settings. No key is checked and nothing is written.
"""

import asyncio
import signal
import sys

from fastapi import FastAPI

from services.ingest.api import answers, bodies
from shared import ids, log
from shared.http import server
from shared.http.middleware import Serving
from shared.processes import tune_garbage_collection

CLAIM_TOKEN = "0" * 32


def application() -> FastAPI:
    app = FastAPI()
    app.state.serving = Serving()

    @app.get("/health/ready")
    async def ready() -> dict[str, str]:
        return {"status": "ready"}

    @app.post("/v1/purchases", status_code=202)
    async def record_purchase(body: bodies.Purchase) -> answers.Accepted:
        assert body.lines
        event_id = ids.new_id()
        return answers.Accepted(
            event_id=event_id,
            status_url=answers.status_url(event_id),
            claim_token=CLAIM_TOKEN,
        )

    # Both are called by the framework alone.
    assert ready
    assert record_purchase
    return app


async def main(port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    tune_garbage_collection()
    await server.serve(application(), "127.0.0.1", port, stop=stop)


if __name__ == "__main__":
    log.configure("bench", "bare", "INFO")
    server.run_loop(main(int(sys.argv[1])))
