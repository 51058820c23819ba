"""`tramontane serve` as a process: first start, later starts, and what it prints."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys

import httpx
import pytest

from tests.support.server import KEY, free_port, printed_key, running_server

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def first_start(tmp_path_factory, builtin_cache_dir):
    """A data folder after its first start, and what that start printed."""
    data_dir = tmp_path_factory.mktemp("first")
    with running_server(data_dir, builtin_cache_dir, key=None, plan=None) as server:
        server.key = printed_key(server)
        yield data_dir, server


def test_the_first_start_prints_url_key_models_and_a_curl_that_works(first_start):
    _, server = first_start
    printed = "".join(server.output)
    assert f"{server.base_url}/v1" in printed
    assert "smollm2-135m-instruct" in printed
    assert "all-minilm-l6-v2" in printed
    assert "experiment" in printed

    command = re.search(r"curl .*?(?<!\\)\n", printed, re.DOTALL).group().replace("\\\n", " ")
    assert server.key in command
    assert "mistral-large-latest" in command
    answer = subprocess.run(
        [*shlex.split(command), "--silent", "--noproxy", "*"], capture_output=True, text=True, check=True
    ).stdout
    assert '"object":"chat.completion"' in answer
    assert '"model":"mistral-large-latest"' in answer


def test_a_second_start_keeps_the_key_needs_no_network_and_does_not_show_it(first_start, builtin_cache_dir):
    data_dir, first = first_start
    with running_server(data_dir, builtin_cache_dir, "--offline", key=None) as second:
        assert first.key not in second.said()
        second.key = first.key
        with second.client() as client:
            assert client.get("/v1/models").status_code == 200


def test_the_operators_key_is_never_printed(tmp_path, builtin_cache_dir):
    with running_server(tmp_path, builtin_cache_dir, "--engine", "fake") as server:
        assert KEY not in server.said()
        with server.client() as client:
            assert client.get("/v1/models").status_code == 200


def test_the_operators_key_ends_with_the_variable(tmp_path, builtin_cache_dir):
    with running_server(tmp_path, builtin_cache_dir, "--engine", "fake"):
        pass
    with running_server(tmp_path, builtin_cache_dir, "--engine", "fake", key=None) as server:
        answer = httpx.get(
            f"{server.base_url}/v1/models", headers={"Authorization": f"Bearer {KEY}"}, trust_env=False
        )
        assert answer.status_code == 401


def test_sigterm_ends_the_server_cleanly_and_leaves_no_worker(tmp_path, builtin_cache_dir):
    with running_server(tmp_path, builtin_cache_dir) as server:
        workers = server.children()
        assert workers
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=60) == 0
    for pid, _ in workers:
        with pytest.raises(ProcessLookupError):
            signal_probe(pid)


def test_a_port_in_use_is_one_clear_line(tmp_path, builtin_cache_dir, server):
    port = server.base_url.rsplit(":", 1)[1]
    done = serve(tmp_path, builtin_cache_dir, "--port", port, "--engine", "fake")

    assert done.returncode != 0
    assert port in done.stderr
    assert "Traceback" not in done.stderr


def test_an_offline_start_without_models_says_what_to_do(tmp_path):
    done = serve(tmp_path / "data", tmp_path / "empty", "--offline", "--port", str(free_port()))

    assert done.returncode != 0
    assert "smollm2-135m-instruct" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_model_file_that_is_damaged_is_refused_by_name(tmp_path, builtin_cache_dir):
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(b"GGUF\x03\0\0\0" + b"\xff" * 100)
    done = serve(tmp_path, builtin_cache_dir, "--model", str(damaged), "--port", str(free_port()))

    assert done.returncode != 0
    assert "damaged.gguf" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_converted_model_that_is_damaged_is_refused_by_name(tmp_path, builtin_cache_dir, server):
    cache_dir = tmp_path / "cache"
    shutil.copytree(builtin_cache_dir / "artifacts", cache_dir / "artifacts")
    (cache_dir / "models").symlink_to(builtin_cache_dir / "models")
    for graph in cache_dir.glob("artifacts/SmolLM2*/openvino_model.xml"):
        graph.write_text("<broken>")
    done = serve(tmp_path / "data", cache_dir, "--port", str(free_port()))

    assert done.returncode == 3
    assert "SmolLM2" in done.stderr
    assert "Traceback" not in done.stderr


def serve(data_dir, cache_dir, *options):
    return subprocess.run(
        [sys.executable, "-m", "tramontane", "serve", *options],
        env={
            "TRAMONTANE_DATA_DIR": str(data_dir),
            "TRAMONTANE_CACHE_DIR": str(cache_dir),
            "PATH": "/usr/bin:/bin",
            "HOME": str(data_dir),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def signal_probe(pid):
    """Raise ProcessLookupError unless the process runs."""
    os.kill(pid, 0)
