"""Takes the pictures of docs/console.md: `make screenshots`.

A server with the fake engine and a made-up ledger runs for them, in a folder that is removed at the end.
"""

import json
import tempfile
from pathlib import Path

from tests.support.browser import browser, sign_in
from tests.support.console_data import fill_ledger
from tests.support.server import running_server

FOLDER = Path(__file__).parents[1] / "docs" / "images"
PASSWORD = "only for these pictures"
SIZE = {"width": 1200, "height": 760}
QUALITY = 72
QUESTION = "How do I reverse a list in Python?"
ANSWER = """There are **two** ways:

1. `reversed(items)` walks through it from the end and leaves the list as it is.
2. `items.reverse()` turns the list itself around.

```python
items = [1, 2, 3]
print(list(reversed(items)))  # [3, 2, 1]
```
"""
GAP = "number % 2 == 0"
SCRIPT = {"rules": [{"match": "reverse a list", "answer": ANSWER}, {"match": "is_even", "answer": GAP}]}
PAGES = (
    "keys",
    "workspaces",
    "members",
    "admin-keys",
    "changes",
    "usage",
    "requests",
    "limits",
    "models",
    "health",
)


def main() -> None:
    """Take all of them."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "data"
        script = Path(folder) / "script.json"
        script.write_text(json.dumps(SCRIPT), encoding="utf-8")
        options = ["--engine", "fake", "--plan", "scale", "--fake-script", str(script)]
        options += ["--fake-tokens-per-second", "400", "--transcripts"]
        environment = {"TRAMONTANE_CONSOLE_PASSWORD": PASSWORD}
        with running_server(data_dir, Path(folder) / "cache", *options, env=environment) as server:
            fill_ledger(data_dir, 600, days=18)
            with browser() as chromium:
                take(chromium, server.base_url)


def take(chromium, base_url: str) -> None:  # noqa: ANN001
    """Every page once, two of them in the dark and on a phone."""
    page = chromium.new_context(viewport=SIZE, base_url=base_url).new_page()
    page.goto("/")
    shoot(page, "sign-in")
    sign_in(page, base_url, PASSWORD)
    chat(page)
    shoot(page, "playground")
    page.get_by_role("button", name="View code").click()
    shoot(page, "playground-code")
    page.goto("/console/playground/fim")
    page.get_by_role("button", name="Fill the gap").click()
    page.locator("#stats span").first.wait_for()
    shoot(page, "playground-fim")
    page.goto("/console/playground/embeddings")
    page.get_by_role("button", name="Compare").click()
    page.locator("#stats span").first.wait_for()
    shoot(page, "playground-embeddings")
    for name in ("Editor of Ada", "Nightly tests"):
        page.goto("/console/keys")
        page.get_by_label("Name").fill(name)
        page.get_by_role("button", name="Create key").click()
    for name in ("Research", "Support"):
        page.goto("/console/workspaces")
        page.get_by_label("Name").fill(name)
        page.get_by_role("button", name="Create workspace").click()
    page.get_by_label("US dollars a month").fill("250")
    page.get_by_role("button", name="Save spending limit").click()
    shoot(page, "workspace")
    page.goto("/console/members")
    for name, address in (("Ada Lovelace", "ada@example.org"), ("Charles Babbage", "charles@example.org")):
        page.goto("/console/members")
        page.get_by_label("Name").fill(name)
        page.get_by_label("E-mail address").fill(address)
        page.get_by_label("Research").check()
        page.get_by_role("button", name="Invite").click()
    page.goto("/console/admin-keys")
    page.get_by_label("Name").fill("Deployment")
    page.get_by_role("button", name="Create admin key").click()
    page.goto("/console/models/plan?model=smollm2-135m-instruct")
    shoot(page, "model-plan")
    page.goto("/console/requests")
    page.locator("tbody a").first.click()
    shoot(page, "request")
    for name in PAGES:
        page.goto(f"/console/{name}")
        shoot(page, name)
    page.emulate_media(color_scheme="dark")
    page.goto("/console/usage")
    shoot(page, "usage-dark")
    page.set_viewport_size({"width": 390, "height": 760})
    page.goto("/console/playground")
    chat(page)
    shoot(page, "playground-phone")


def chat(page) -> None:  # noqa: ANN001
    """Ask the question and wait for the answer."""
    page.get_by_label("Your message").fill(QUESTION)
    page.get_by_label("Your message").press("Enter")
    page.locator(".stats span").first.wait_for()


def shoot(page, name: str) -> None:  # noqa: ANN001
    """What the page shows now."""
    page.wait_for_load_state("networkidle")
    page.screenshot(path=FOLDER / f"console-{name}.jpg", type="jpeg", quality=QUALITY)


if __name__ == "__main__":
    main()
