"""The demo's campaigns are documents that the service takes."""

from pathlib import Path
from typing import Any

import yaml

from services.offers.api.campaigns import CampaignDocument
from services.offers.settings import OffersSettings

FILE = Path(__file__).parents[3] / "deploy/campaigns/demo.yaml"


def test_every_campaign_of_the_demo_is_valid() -> None:
    found: dict[str, Any] = yaml.safe_load(FILE.read_text())
    currency = OffersSettings(database_url="postgresql://unused").currency
    assert found
    for document in found.values():
        assert CampaignDocument.model_validate(document).currency == currency
