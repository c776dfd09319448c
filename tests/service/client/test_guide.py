"""The integration guide and the client's README, run as they stand."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

from tests.service.client.conftest import STORE, TERMINAL, Shop

CHECKOUT = Path(__file__).parents[3]
GUIDE = CHECKOUT / "docs/howto/integrating-a-till.md"
README = CHECKOUT / "clients/python/README.md"


def blocks(document: Path, language: str) -> list[str]:
    found = re.findall(
        rf"^```{language}\n(.*?)^```", document.read_text(), re.DOTALL | re.MULTILINE
    )
    assert found
    return found


def promised(block: str) -> list[str]:
    return [line.removeprefix("# → ") for line in block.splitlines() if line.startswith("# → ")]


async def run(shop: Shop, folder: Path, *command: str) -> str:
    environ = {
        "INGEST_URL": shop.url,
        "TERMINAL_KEY": shop.key,
        "TERMINAL_STORE_ID": STORE,
        "TERMINAL_ID": TERMINAL,
        "PATH": "/usr/local/bin:/usr/bin:/bin",
    }
    process = await asyncio.create_subprocess_exec(
        *command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environ, cwd=folder
    )
    output, _ = await asyncio.wait_for(process.communicate(), 50)
    assert process.returncode == 0, output.decode()
    return output.decode()


async def test_every_command_of_the_guide_prints_what_it_says(shop: Shop, tmp_path: Path) -> None:
    all_blocks = blocks(GUIDE, "sh")
    script = "\necho ----\n".join(all_blocks)
    output = await run(shop, tmp_path, "bash", "-euo", "pipefail", "-c", script)
    for block, printed in zip(all_blocks, output.split("----\n"), strict=True):
        rest = printed
        for line in promised(block):
            assert line in rest, printed
            rest = rest.partition(line)[2]


async def test_the_example_of_the_clients_readme_arrives(shop: Shop, tmp_path: Path) -> None:
    (program,) = blocks(README, "python")
    output = await run(shop, tmp_path, sys.executable, "-c", program)
    assert "Status(waiting=0, oldest_put_at=None, set_aside=0, kept_bytes=0)" in output
    assert len(await shop.receipts()) == 1
