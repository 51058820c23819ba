import json
from pathlib import Path

import pytest

from tests.support.console_data import fill_ledger
from tests.support.server import running_server

PASSWORD = "correct horse battery"
AXE = Path(__file__).parents[1] / "vendor/axe-core/axe.min.js"

HOSTILE = """Hello <script>window.hacked = 1</script><img src=x onerror="window.hacked = 2">
<a href="javascript:window.hacked = 3">one</a> [two](javascript:window.hacked=4)
<svg onload="window.hacked = 5"></svg>
<iframe srcdoc="<script>parent.hacked = 6</script>"></iframe><style>body { display: none }</style>
<form action="https://evil.test"><button>go</button></form> ![three](https://evil.test/pixel.png)

**The end** of

```python
print("</code><script>window.hacked = 7</script>")
```
"""
SLOW = " ".join(f"word{number}" for number in range(4000))
SCRIPT = {"rules": [{"match": "hostile", "answer": HOSTILE}, {"match": "slow", "answer": SLOW}]}


@pytest.fixture(scope="module")
def chromium():
    """A headless Chromium. Playwright runs an event loop in this thread: it must end before other tests."""
    support = pytest.importorskip("tests.support.browser", reason="Playwright is not installed")
    if support.CHROMIUM is None:
        pytest.skip("no Chromium: install the package chromium (CONTRIBUTING.md)")
    with support.browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def console(tmp_path_factory):
    """A server whose model says what it is told to."""
    folder = tmp_path_factory.mktemp("console")
    (folder / "script.json").write_text(json.dumps(SCRIPT))
    options = ["--engine", "fake", "--plan", "unlimited", "--fake-script", str(folder / "script.json")]
    environment = {"TRAMONTANE_CONSOLE_PASSWORD": PASSWORD, "TRAMONTANE_FAKE_TOKENS_PER_SECOND": "1000"}
    with running_server(folder / "data", folder / "cache", *options, env=environment) as server:
        server.wait_ready()
        fill_ledger(folder / "data", 40)
        yield server


@pytest.fixture
def page(chromium, console):
    """A page of the console, signed in; nothing may go wrong in its scripts, or leave the server."""
    from tests.support.browser import PATIENCE_MILLISECONDS, sign_in  # noqa: PLC0415

    context = chromium.new_context(base_url=console.base_url)
    context.set_default_timeout(PATIENCE_MILLISECONDS)
    page = context.new_page()
    elsewhere, errors = [], []
    context.on(
        "request", lambda request: request.url.startswith(console.base_url) or elsewhere.append(request.url)
    )
    page.on("pageerror", lambda error: errors.append(str(error)))
    sign_in(page, console.base_url, PASSWORD)
    yield page
    context.close()
    assert errors == []
    assert elsewhere == []
