"""Documents whose shell blocks are run as they stand."""

import asyncio
import re
import subprocess
from pathlib import Path

from tests.rig import CHECKOUT, Rig


def shell_blocks(document: Path, *, below: str = "") -> list[str]:
    """Return the shell blocks of a document, from the line ``below`` on."""
    text = document.read_text(encoding="utf-8")
    found = re.findall(r"^```sh\n(.*?)^```", text[text.index(below) :], re.DOTALL | re.MULTILINE)
    assert found
    return found


async def run(rig: Rig, script: str) -> str:
    """Run a script on the rig's stack and return what it printed; it must succeed."""
    done = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-euo", "pipefail", "-c", script.replace(".local/env", f"{rig.root}/env")],
        check=False,
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
