"""Servers that share a database, managed by the commands and by the admin API, while faults happen to it."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack, closing

import httpx
import pytest

from tests.support.databases import cut_connections
from tests.support.server import running_server
from tests.support.waiting import PATIENCE
from tramontane.storage.sqlite import FILE_NAME

pytestmark = pytest.mark.e2e

ADMIN = "the-operators-admin-key"
CHAT = {"model": "mistral-large-latest", "messages": [{"role": "user", "content": "Ping"}]}


@pytest.fixture
def start(new_place, tmp_path):
    """Starts a server with the fake engine on the test's database."""
    with ExitStack() as stack:

        def start_one():
            env = new_place.environment | {"TRAMONTANE_ADMIN_KEY": ADMIN, "TRAMONTANE_PLAN": "unlimited"}
            return stack.enter_context(
                running_server(new_place.data_dir, tmp_path / "cache", "--engine", "fake", env=env)
            )

        yield start_one


@pytest.fixture
def tramontane(new_place):
    """Runs a command on the test's database; its JSON."""

    def call(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "tramontane", *arguments, "--json"],
            env={**os.environ, **new_place.environment},
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)

    return call


def chat(server, key):
    return httpx.post(
        f"{server.base_url}/v1/chat/completions",
        json=CHAT,
        headers={"authorization": f"Bearer {key}"},
        timeout=PATIENCE,
        trust_env=False,
    )


def admin(server, method, path, **fields):
    return httpx.request(
        method,
        f"{server.base_url}/v1/admin/{path}",
        headers={"authorization": f"Bearer {ADMIN}"},
        timeout=PATIENCE,
        trust_env=False,
        **fields,
    )


def eventually(holds):
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_key_of_the_command_line_works_in_every_server_until_it_is_revoked(start, tramontane):
    servers = [start(), start()]
    tramontane("workspaces", "create", "research", "--plan", "unlimited")
    key = tramontane("keys", "create", "ci", "--workspace", "research")
    assert [chat(server, key["key"]).status_code for server in servers] == [200, 200]

    tramontane("keys", "revoke", key["id"])

    eventually(lambda: [chat(server, key["key"]).status_code for server in servers] == [401, 401])


def test_a_key_of_the_admin_api_of_one_server_works_in_the_other_and_its_use_is_on_record(start, tramontane):
    one = start()
    other = start()
    workspace = admin(one, "POST", "workspaces", json={"name": "research", "plan": "unlimited"}).json()
    made = admin(one, "POST", "api-keys", json={"workspace_id": workspace["id"], "name": "ci"}).json()
    assert chat(other, made["key"]).status_code == 200
    assert chat(other, ADMIN).status_code == 401

    other.stop()

    (listed,) = tramontane("keys", "list", "--workspace", "research")["data"]
    assert listed["last_used_at"] >= made["created_at"]


@pytest.mark.anyio
async def test_lost_connections_are_got_over_without_a_restart(kind, new_place, start, tramontane):
    if kind == "sqlite":
        pytest.skip("has no connections to lose")
    server = start()
    key = tramontane("keys", "create", "ci")

    for _ in range(3):
        assert chat(server, key["key"]).status_code == 200
        await cut_connections(new_place.url)
        eventually(lambda: admin(server, "GET", "api-keys").status_code == 200)
        assert chat(server, key["key"]).status_code == 200
    assert key["id"] in admin(server, "GET", "api-keys").text


def test_a_database_that_another_process_locks_is_a_clear_error_and_got_over(
    kind, new_place, start, tramontane
):
    if kind == "postgresql":
        pytest.skip("locks rows, not itself")
    server = start()
    key = tramontane("keys", "create", "ci")
    with closing(sqlite3.connect(new_place.data_dir / FILE_NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        refused = admin(server, "POST", "workspaces", json={"name": "research"})
        other.execute("ROLLBACK")

    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    eventually(lambda: "is locked by another process" in server.said())
    assert admin(server, "POST", "workspaces", json={"name": "research"}).status_code == 200
    assert chat(server, key["key"]).status_code == 200
