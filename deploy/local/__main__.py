"""``python -m deploy.local {up|down|status|clean|serve}``: the stack without Docker."""

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console

from deploy.local import control, screen
from deploy.local.errors import LocalStackError
from deploy.local.layout import Scope, default_layout, read_env, read_json

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help=__doc__,
    # Plain tracebacks: typer's own would print the values of passwords beside the code.
    pretty_exceptions_enable=False,
)
console = Console()

Only = Annotated[Scope, typer.Option(help="infra: Kafka, Postgres and mail without the services")]


@app.command()
def up(only: Only = "all") -> None:
    """Start everything, wait until it is ready, print URLs and keys. Harmless when it is up."""
    layout = default_layout()
    with _sentences(), console.status("starting") as status:
        state = control.up(layout, only, tell=_teller(status.update))
    show = screen.show_up if state["scope"] == "all" else screen.show_infra
    show(console, layout, read_env(layout))
    screen.show_troubles(console, state)


@app.command()
def down() -> None:
    """Stop what was started; data stays."""
    with _sentences(), console.status("stopping"):
        ended = control.down(default_layout())
    console.print(f"stopped {len(ended)} processes" if ended else "nothing was running")


@app.command()
def status() -> None:
    """Show each part: state, pid, restarts, URL. Exits 1 unless all are ready, 3 when down."""
    state = read_json(default_layout().state)
    if control.supervisor_of(state) is None:
        console.print("down: `make up` starts it")
        raise typer.Exit(3)
    screen.show_parts(console, state)
    ready = state["phase"] == "ready" and all(row["state"] == "ready" for row in state["parts"])
    raise typer.Exit(0 if ready else 1)


@app.command()
def clean() -> None:
    """Stop everything and delete its data, secrets, mails and logs."""
    layout = default_layout()
    with _sentences(), console.status("cleaning"):
        control.clean(layout)
    console.print(f"{layout.root} is gone")


@app.command()
def serve(only: Only = "all") -> None:
    """Run in the foreground until Ctrl-C; what `up` runs in the background."""
    command = control.serve_command(only)
    os.execv(command[0], command)  # noqa: S606  no shell is what we want


@contextmanager
def _sentences() -> Generator[None]:
    """Print what a person can mend as a sentence, not as a traceback."""
    try:
        yield
    except LocalStackError as error:
        console.print(str(error), style="red", soft_wrap=True, markup=False, highlight=False)
        raise typer.Exit(1) from None


def _teller(update: Callable[[str], None]) -> Callable[[str], None]:
    """Return what shows progress: a spinner's text, or a line each where there is no terminal."""
    last = ""

    def tell(doing: str) -> None:
        nonlocal last
        if doing and doing != last:
            last = doing
            if console.is_terminal:
                update(doing)
            else:
                console.print(doing)

    return tell


if __name__ == "__main__":
    app()
