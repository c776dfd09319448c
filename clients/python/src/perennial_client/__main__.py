"""``python -m perennial_client``: the same as ``perennial``."""

from perennial_client.cli import app

app()
