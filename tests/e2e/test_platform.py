"""Keys, limits and money as clients and operators meet them: real processes and requests, the fake engine."""

import json
import random
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal

import httpx
import pytest
from mistralai.client import Mistral
from mistralai.client.utils import BackoffStrategy, RetryConfig

from tests.support.server import running_server
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.e2e

CHAT = {"model": "mistral-large-latest", "messages": [{"role": "user", "content": "hi"}]}
KILLS = 6


@pytest.fixture
def server_of(tmp_path, builtin_cache_dir):
    """Starts a server with the fake engine on this test's own data folder."""

    def start(*options, **settings):
        return running_server(tmp_path, builtin_cache_dir, "--engine", "fake", *options, **settings)

    return start


@pytest.fixture
def command(tmp_path):
    """Runs `tramontane …` on this test's data folder; returns what it prints as JSON, if asked for."""

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "tramontane", *arguments, "--data-dir", str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if "--json" in arguments else done.stdout

    return run


def query(data_dir, sql):
    with closing(sqlite3.connect(f"file:{data_dir / 'tramontane.db'}?mode=ro", uri=True)) as connection:
        return connection.execute(sql).fetchall()


def audit(data_dir):
    """The ledger's requests by status; its daily sums are those of its rows."""
    sums = "COUNT(*), SUM(prompt_tokens), SUM(completion_tokens), SUM(cost)"
    totals = "COALESCE(SUM(requests), 0), SUM(prompt_tokens), SUM(completion_tokens), SUM(cost)"
    assert query(data_dir, f"SELECT {sums} FROM ledger") == query(
        data_dir, f"SELECT {totals} FROM usage_daily"
    )
    return dict(query(data_dir, "SELECT request_id, status FROM ledger"))


class TestLimits:
    def test_the_free_plan_refuses_as_hosted_and_lets_in_who_waits_as_told(self, server_of):
        with server_of(plan="experiment") as server, server.client() as client:

            def ask(_=None):
                return client.post("/v1/chat/completions", json=CHAT)

            with ThreadPoolExecutor(8) as pool:
                answers = list(pool.map(ask, range(8)))
            refused = [answer for answer in answers if answer.status_code == 429]
            assert refused
            assert {answer.status_code for answer in answers} == {200, 429}
            for answer in refused:
                assert answer.json() == {
                    "object": "error",
                    "message": "Rate limit exceeded",
                    "type": "rate_limited",
                    "param": None,
                    "code": "1300",
                    "raw_status_code": 429,
                }
                assert answer.headers["x-ratelimit-limit-req-minute"] == "60"
            time.sleep(int(refused[-1].headers["retry-after"]))
            assert ask().status_code == 200

    def test_streams_and_answers_carry_the_hosted_headers(self, server_of):
        with server_of(plan="scale") as server, server.client() as client:
            whole = client.post("/v1/chat/completions", json=CHAT)
            streamed = client.post("/v1/chat/completions", json=CHAT | {"stream": True})
            unknown = client.post("/v1/chat/completions", json=CHAT | {"model": "none"})
        usage = whole.json()["usage"]
        assert int(whole.headers["x-ratelimit-tokens-query-cost"]) == usage["total_tokens"]
        left = int(whole.headers["x-ratelimit-remaining-tokens-minute"])
        assert left == int(whole.headers["x-ratelimit-limit-tokens-minute"]) - usage["total_tokens"]
        assert int(streamed.headers["x-ratelimit-remaining-tokens-minute"]) == left
        assert not [name for name in unknown.headers if name.startswith("x-ratelimit")]

    def test_the_official_client_gets_through_with_its_own_retries(self, server_of):
        with server_of(plan="experiment") as server:
            retries = RetryConfig(
                "backoff", BackoffStrategy(500, 60_000, 1.5, 600_000), retry_connection_errors=True
            )
            with Mistral(server_url=server.base_url, api_key=server.key, retry_config=retries) as client:
                answers = [client.chat.complete(**CHAT) for _ in range(3)]
        assert len({answer.id for answer in answers}) == 3

    def test_all_keys_of_a_workspace_share_its_limit(self, server_of, command):
        with server_of(plan="experiment") as server:
            other = command("keys", "create", "second", "--json")["key"]

            def ask(number):
                headers = {"authorization": f"Bearer {other if number % 2 else server.key}"}
                url = f"{server.base_url}/v1/chat/completions"
                return httpx.post(
                    url, json=CHAT, headers=headers, timeout=PATIENCE, trust_env=False
                ).status_code

            start = time.monotonic()
            with ThreadPoolExecutor(8) as pool:
                statuses = list(pool.map(ask, range(16)))
            seconds = time.monotonic() - start
        assert 1 <= statuses.count(200) <= 1 + seconds
        assert set(statuses) <= {200, 429}


class TestKeys:
    def test_a_key_that_is_revoked_opens_nothing_from_then_on(self, server_of, command):
        with server_of() as server:
            made = command("keys", "create", "editor", "--json")
            headers = {"authorization": f"Bearer {made['key']}"}
            with httpx.Client(base_url=server.base_url, headers=headers, trust_env=False) as client:
                assert client.get("/v1/models").status_code == 200
                command("keys", "revoke", made["id"])
                assert client.get("/v1/models").status_code == 401


class TestLedger:
    def test_every_way_to_end_is_one_row(self, server_of, tmp_path):
        with server_of("--fake-tokens-per-second", "50") as server, server.client() as client:
            ended = {}
            answer = client.post("/v1/chat/completions", json=CHAT | {"max_tokens": 5})
            ended[answer.json()["id"]] = "ok"
            with client.stream("POST", "/v1/chat/completions", json=CHAT | {"stream": True}) as left:
                frame = next(line for line in left.iter_lines() if line.startswith("data: "))
                ended[json.loads(frame.removeprefix("data: "))["id"]] = "cancelled"
            embedded = client.post("/v1/embeddings", json={"model": "mistral-embed", "input": "hi"})
            ended[embedded.json()["id"]] = "ok"
            assert client.post("/v1/chat/completions", json=CHAT | {"model": "none"}).status_code == 400
            deadline = time.monotonic() + PATIENCE
            while audit(tmp_path) != ended:
                assert time.monotonic() < deadline, audit(tmp_path)
                time.sleep(0.05)

    def test_metadata_and_both_model_names_are_kept(self, server_of, tmp_path):
        with server_of() as server, server.client() as client:
            client.post("/v1/chat/completions", json=CHAT | {"metadata": {"team": "search"}})
        ((asked, served, metadata),) = query(
            tmp_path, "SELECT model_asked, model_served, metadata FROM ledger"
        )
        assert (asked, served, json.loads(metadata)) == (
            "mistral-large-latest",
            "fake",
            {"team": "search"},
        )

    def test_no_kill_loses_an_answer_that_a_client_has_whole(self, server_of, tmp_path):
        """The server is killed at random moments under load, and its ledger audited at each restart."""
        seed = random.randrange(2**32)
        moments = random.Random(seed)
        whole = set()
        for kills in range(KILLS + 1):
            with server_of("--fake-tokens-per-second", "2000") as server:
                rows = audit(tmp_path)
                assert not {answer for answer in whole if rows.get(answer) != "ok"}, f"seed {seed}"
                if kills == KILLS:
                    break
                answered = threading.Event()
                clients = [
                    threading.Thread(target=keep_asking, args=(server, number % 2 == 0, whole, answered))
                    for number in range(6)
                ]
                for client in clients:
                    client.start()
                assert answered.wait(PATIENCE)
                time.sleep(moments.uniform(0, 0.5))
                server.process.kill()
                for client in clients:
                    client.join(PATIENCE)


def keep_asking(server, stream, whole, answered):
    """Ask until the server is gone; note the ids of answers that came to their end."""
    with server.client() as client:
        while True:
            try:
                answer = client.post("/v1/chat/completions", json=CHAT | {"stream": stream})
            except httpx.HTTPError:
                return
            if stream and answer.text.endswith("data: [DONE]\n\n"):
                whole.add(json.loads(answer.text.split("\n", 1)[0].removeprefix("data: "))["id"])
            elif not stream:
                whole.add(answer.json()["id"])
            answered.set()


class TestBudget:
    def test_200_at_once_do_not_overrun_a_budget_for_ten(self, server_of, command, tmp_path):
        body = CHAT | {"max_tokens": 100}
        with server_of() as server:
            with server.client() as client:
                worst = client.post("/v1/chat/completions", json=body).json()["usage"]["prompt_tokens"]
            # Of mistral-large-latest: 0.50 and 1.50 USD a million tokens.
            price = (Decimal("0.50") * worst + Decimal("1.50") * 100) / 1_000_000
            (spent,) = query(tmp_path, "SELECT cost FROM ledger")[0]
            limit = Decimal(spent).scaleb(-9) + 10 * price
            command("spend", "set", f"{limit:f}", "--workspace", "Default")
            with server.client() as client, ThreadPoolExecutor(32) as pool:
                answers = list(pool.map(lambda _: client.post("/v1/chat/completions", json=body), range(200)))
        refused = [answer for answer in answers if answer.status_code == 402]
        accepted = [answer for answer in answers if answer.status_code == 200]
        assert len(refused) + len(accepted) == 200
        assert len(accepted) >= 10
        assert refused
        assert "spending limit" in refused[0].json()["message"]
        (total,) = query(tmp_path, "SELECT SUM(cost) FROM ledger")[0]
        assert Decimal(total).scaleb(-9) <= limit
