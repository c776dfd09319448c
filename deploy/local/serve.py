"""The supervisor as a process: ``python -m deploy.local.serve {all|infra}``."""

import asyncio
import fcntl
import os
import signal
import sys

from deploy.local.errors import LocalStackError
from deploy.local.layout import Layout, Scope, default_layout
from deploy.local.stack import Stack
from deploy.local.supervisor import end_orphans


def serve(layout: Layout, scope: Scope) -> None:
    """Run the stack in this process until SIGTERM or Ctrl-C; raises if another one runs."""
    layout.root.mkdir(parents=True, exist_ok=True)
    with layout.lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LocalStackError(f"A supervisor already runs on {layout.root}.") from None
        end_orphans(layout)
        asyncio.run(_serve(layout, scope))


async def _serve(layout: Layout, scope: Scope) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    stack = Stack(layout, scope, os.environ)
    await stack.run(ended)
    if stack.supervisor.error:
        raise LocalStackError(stack.supervisor.error)


def main() -> None:
    """Serve the default layout; exit 1 with a sentence when that ends badly."""
    scope: Scope = "infra" if sys.argv[1:] == ["infra"] else "all"
    try:
        serve(default_layout(), scope)
    except LocalStackError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
