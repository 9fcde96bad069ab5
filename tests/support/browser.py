"""A real browser, Debian's chromium, in which a page is looked at."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import pytest

__all__ = ["NEEDS_BROWSER", "Page", "browsing"]

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
NEEDS_BROWSER = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None or find_spec("selenium") is None,
    reason="needs chromium, chromedriver and selenium",
)


@contextmanager
def browsing() -> Iterator[Any]:
    """A browser without a window."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        yield started
    finally:
        started.quit()


class Page:
    """A page in a browser."""

    def __init__(self, browser: Any, url: str) -> None:
        self._browser = browser
        self._url = url

    def open(self, fragment: str = "", *, width: int = 1_200, dark: bool = False) -> None:
        """Reload it with this width in pixels; less than 600 is a phone."""
        size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 600}
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self._browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self._browser.get("about:blank")
        self._browser.get(self._url + fragment)

    def ask(self, script: str) -> Any:
        """The value of a piece of JavaScript in the page."""
        return self._browser.execute_script(f"return {script}")

    def texts(self, selector: str) -> list[str]:
        """The text of each element that matches."""
        found: list[str] = self.ask(f"[...document.querySelectorAll({json.dumps(selector)})].map((e) => e.textContent)")
        return found

    def press(self, *keys: str) -> None:
        """Type."""
        from selenium import webdriver

        webdriver.ActionChains(self._browser).send_keys(*keys).perform()

    @property
    def complaints(self) -> list[str]:
        """What the browser reported: breaches of the policy, and errors."""
        return [entry["message"] for entry in self._browser.get_log("browser")]
