"""`swim page --ask A --ask B` of the two sides of `SixHosts`, and what it shows on the operator's host."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from support.agents import PATIENCE, SWIM, environment
from support.six_hosts import EVERYBODY, SixHosts
from support.waiting import wait_until

__all__ = ["Shown", "names", "page_of_both"]

FETCH = """
import sys, urllib.request
url, password, silence = sys.argv[1:]
request = urllib.request.Request(url, headers={"Authorization": f"Bearer {password}"})
with urllib.request.urlopen(request, timeout=float(silence)) as answer:
    try:
        for line in answer:
            sys.stdout.write(line.decode())
    except TimeoutError:  # a stream, which has told all so far
        pass
"""
LOOK = """
import json, sys
from selenium import webdriver
from selenium.webdriver.support.wait import WebDriverWait

browser, driver, url, password = sys.argv[1:]
options = webdriver.ChromeOptions()
options.binary_location = browser
for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
    options.add_argument(argument)
with webdriver.Chrome(options=options, service=webdriver.ChromeService(driver)) as chrome:
    chrome.execute_cdp_cmd("Network.enable", {})
    headers = {"Authorization": f"Bearer {password}"}
    chrome.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": headers})
    chrome.get(url)
    def texts(selector):
        return chrome.execute_script(
            "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)", selector)
    def differ(_):
        return any("unknown to" in line for line in texts("#timeline li")) and "differ" in "".join(texts("#notices"))
    WebDriverWait(chrome, 30).until(differ)
    print(json.dumps({name: texts(name) for name in (".group h3", "#notices", "#timeline li")}))
"""


class Shown:
    """The page, as seen on the operator's host."""

    def __init__(self, cluster: SixHosts, url: str, password: str) -> None:
        self._cluster = cluster
        self._url = url
        self._password = password

    def look(self, browser: str, driver: str) -> dict[str, list[str]]:
        """What stands there in a browser, by selector, once it shows that the sides differ."""
        shown: dict[str, list[str]] = json.loads(self._run(LOOK, browser, driver, self._url, self._password))
        return shown

    def _run(self, program: str, *arguments: str) -> str:
        done = self._cluster.operator.finished(sys.executable, "-c", program, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def states(self) -> list[dict[str, str]]:
        """What each side says about each member; nothing where it doesn't answer."""
        views = json.loads(self._run(FETCH, f"{self._url}members", self._password, "30"))["views"]
        return [{row["name"]: row["state"] for row in view.get("members", [])} for view in views]

    def deaths(self) -> list[dict[str, Any]]:
        """The deaths that the page has told of so far: those of all six, by each side of the other."""
        told: list[dict[str, Any]] = []

        def all_told() -> bool:
            lines = self._run(FETCH, f"{self._url}events", self._password, "2").splitlines()
            records = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
            latest = {record["key"]: record for record in records if record["event"] == "dead"}
            told[:] = latest.values()
            return {record["member"] for record in told} == names(EVERYBODY)

        wait_until(all_told)
        return told


def names(numbers: tuple[int, ...]) -> set[str]:
    """Of their members."""
    return {f"n{number}" for number in numbers}


@contextmanager
def page_of_both(cluster: SixHosts) -> Iterator[Shown]:
    """`swim page` of n1 and n4, on the operator's host."""
    asked = ["--ask", "10.77.0.1:7946", "--ask", "10.77.0.4:7946"]
    command = ["ip", "netns", "exec", cluster.operator.name, *SWIM, "page", *asked]
    command += ["--http", "127.0.0.1:0", "--key-file", str(cluster.key_file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as page:
        assert page.stdout is not None
        try:
            yield Shown(cluster, *page.stdout.readline().rstrip(")\n").split("  (password: "))
        finally:
            page.terminate()
            page.wait(PATIENCE)
