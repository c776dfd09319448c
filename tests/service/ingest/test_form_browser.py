"""The hosted form in a real Chromium without scripts, on the screen of a phone."""

import shutil
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Request, async_playwright

from services.ingest import app
from services.ingest.context import IngestContext
from shared.http.app import create_api
from tests.service.ingest.form_examples import EMAIL, MESSAGE, NAME, both, listed, put_form
from tests.service.shared.conftest import served

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
SIZES = {
    "name": "size",
    "kind": "choice",
    "required": True,
    "label": both("Which size?", "Welche Größe?"),
    "options": [{"value": one, "label": both(one.upper(), one.upper())} for one in ("s", "m")],
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),  # a browser has to start
    pytest.mark.skipif(
        CHROMIUM is None,
        reason="no Chromium on this machine (Debian: apt-get install chromium); "
        "test_form_pages.py proves the same over HTTP",
    ),
]


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    """Start the machine's Chromium."""
    async with async_playwright() as playwright:
        # Its sandbox does not run as root, which containers of CI often are; it sees only our page.
        opened = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        await opened.close()


@pytest_asyncio.fixture
async def url(client: httpx.AsyncClient, context: IngestContext) -> AsyncIterator[str]:
    """The form behind a real server."""
    await put_form(client, fields=[NAME, EMAIL, SIZES, MESSAGE])
    async with served(create_api(app.service(), context)) as (base, _):
        yield f"{base}/f/autumn"


async def phone(browser: Browser, language: str = "en") -> tuple[Page, list[str]]:
    """Open a small screen without scripts, and note what the browser complains about."""
    visitor = await browser.new_context(
        java_script_enabled=False, viewport={"width": 360, "height": 740}, locale=language
    )
    page = await visitor.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("requestfailed", lambda request: complaints.extend(_failed(request)))
    return page, complaints


def _failed(request: Request) -> list[str]:
    """Name a request that failed; a second click gives up what the first has sent."""
    return [] if request.failure == "net::ERR_ABORTED" else [f"{request.url} {request.failure}"]


async def focused(page: Page) -> str:
    return await page.evaluate("document.activeElement.id || document.activeElement.className")


async def test_a_person_corrects_a_mistake_and_sends_it_with_a_double_click(
    browser: Browser, url: str, client: httpx.AsyncClient
) -> None:
    page, complaints = await phone(browser)
    await page.goto(url)
    await page.get_by_role("textbox", name="E-mail").fill("ann")
    await page.get_by_label("Your message").fill("My tea was cold.")
    await page.get_by_label("M", exact=True).check()
    await page.get_by_role("button", name="Send").click()

    assert (await page.title()).startswith("Error: ")
    assert await focused(page) == "errors"
    await page.get_by_role("link", name="E-mail").click()
    assert await focused(page) == "f-email"
    assert await page.get_by_label("M", exact=True).is_checked()
    await page.get_by_role("textbox", name="E-mail").fill("ann@example.org")
    await page.get_by_label("Yes, send me offers").check()
    await page.get_by_role("button", name="Send").dblclick()

    await page.get_by_text("Thank you!").wait_for()
    (seen,) = await listed(client)
    assert seen["answers"]["size"] == "m"
    assert seen["consents"] == [{"purpose": "marketing", "channel": "email"}]
    # Chromium notes the 422 of the mistake; it may say nothing else.
    assert [one for one in complaints if "422" not in one] == []


async def test_the_keyboard_goes_down_the_page_and_nothing_is_wider_than_the_screen(
    browser: Browser, url: str
) -> None:
    page, complaints = await phone(browser, "de-CH")
    await page.goto(url)

    order: list[str] = []
    for _ in range(6):
        await page.keyboard.press("Tab")
        order.append(await focused(page))

    # A group of radios is one stop; the bait is none; the last one, without an id, is the button.
    assert order == ["f-name", "f-email", "f-size", "f-message", "c-0", ""]
    assert await page.evaluate("document.activeElement.tagName") == "BUTTON"
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    assert await page.evaluate("document.documentElement.lang") == "de"
    box = await page.get_by_role("button").bounding_box()
    assert box is not None
    assert box["height"] >= 44  # a thumb's width
    assert complaints == []
