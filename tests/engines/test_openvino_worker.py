"""What happens to engines when processes die."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import uvloop

from tests.engines.artifacts import is_running
from tests.engines.conformance import complete, drain, until
from tramontane.core.prompt import TokensPrompt
from tramontane.core.sampling import SamplingParams
from tramontane.engines.openvino.engine import OpenVinoEmbeddingEngine, OpenVinoGenerationEngine
from tramontane.engines.worker.supervisor import RestartPolicy
from tramontane.engines.worker.watchdog import WatchPolicy
from tramontane.errors import EngineError, EngineUnavailableError, ModelStoreError
from tramontane.weights.artifact import Artifact

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.fault]

ENDLESS = SamplingParams(max_tokens=10**6, temperature=0)


@pytest.fixture
async def engine(tiny_llama):
    engine = OpenVinoGenerationEngine(tiny_llama, kv_cache_tokens=4096)
    await engine.start()
    yield engine
    await engine.close()


def children() -> set[int]:
    return {
        int(pid) for file in Path("/proc/self/task").glob("*/children") for pid in file.read_text().split()
    }


async def begin(engine):
    """An answer that goes on, with its first delta."""
    deltas = engine.generate(TokensPrompt([5, 6, 7]), ENDLESS)
    return deltas, await anext(deltas)


async def test_running_answers_fail_at_once_when_the_worker_is_killed_and_the_next_one_is_served(
    engine, caplog
):
    before = (await complete(engine, [5, 6, 7])).token_ids
    pid = engine.worker_pid
    answers = [await begin(engine) for _ in range(3)]

    os.kill(pid, signal.SIGKILL)

    for deltas, first in answers:
        assert list(first.token_ids)[:12] == before[: len(first.token_ids)]
        with pytest.raises(EngineError) as raised:
            await drain(deltas)
        assert raised.value.status == 500
    assert (await complete(engine, [5, 6, 7])).token_ids == before
    assert engine.worker_pid != pid
    assert "killed by SIGKILL" in caplog.text


async def test_health_is_bad_while_the_worker_restarts(engine):
    deltas, _ = await begin(engine)
    os.kill(engine.worker_pid, signal.SIGKILL)
    with pytest.raises(EngineError):
        await drain(deltas)

    with pytest.raises(EngineUnavailableError):
        await engine.check_health()

    await complete(engine, [5])
    await engine.check_health()


async def test_a_worker_that_is_killed_again_and_again_comes_back_each_time(tiny_llama):
    engine = OpenVinoGenerationEngine(tiny_llama, policy=RestartPolicy(first_delay=0.01))
    await engine.start()
    pids = set()
    for _ in range(3):
        pids.add(engine.worker_pid)
        os.kill(engine.worker_pid, signal.SIGKILL)
        await until(lambda: engine_is_down(engine))
        await complete(engine, [5])

    assert len(pids) == 3
    await engine.close()


async def engine_is_down(engine):
    return engine.worker_pid is None


async def test_requests_wait_for_a_restart_no_longer_than_they_should(tiny_llama):
    engine = OpenVinoGenerationEngine(tiny_llama, policy=RestartPolicy(longest_wait=0.01))
    await engine.start()
    os.kill(engine.worker_pid, signal.SIGKILL)
    await until(lambda: engine_is_down(engine))

    with pytest.raises(EngineUnavailableError) as raised:
        await complete(engine, [5])

    assert raised.value.headers["retry-after"]
    await engine.close()


async def test_closing_during_a_restart_leaves_no_process(tiny_llama):
    engine = OpenVinoGenerationEngine(tiny_llama)
    before = children()
    await engine.start()
    os.kill(engine.worker_pid, signal.SIGKILL)
    await until(lambda: engine_is_down(engine))
    waiting = asyncio.create_task(complete(engine, [5]))
    await asyncio.sleep(0.05)

    await engine.close()

    assert children() <= before
    with pytest.raises(EngineUnavailableError):
        await waiting


async def test_cancelling_a_start_leaves_no_process(tiny_llama):
    before = children()
    starting = asyncio.create_task(OpenVinoGenerationEngine(tiny_llama).start())

    async def is_running_child():
        return not children() <= before

    await until(is_running_child)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting

    assert children() <= before


async def test_closing_ends_a_worker_that_hangs(engine):
    pid = engine.worker_pid
    os.kill(pid, signal.SIGSTOP)

    await engine.close()

    assert not is_running(pid)


async def test_a_worker_that_hangs_is_replaced_and_its_answers_fail(tiny_llama, caplog):
    watch = WatchPolicy(interval=0.1, idle=1.0)
    engine = OpenVinoGenerationEngine(tiny_llama, policy=RestartPolicy(watch=watch))
    await engine.start()
    pid = engine.worker_pid
    deltas, _ = await begin(engine)

    os.kill(pid, signal.SIGSTOP)

    with pytest.raises(EngineError):
        await drain(deltas)
    await complete(engine, [5])
    assert engine.worker_pid != pid
    assert engine.restarts == 1
    assert "it hung: no answer and no work for 1 s" in caplog.text
    await engine.close()


async def test_a_worker_that_has_much_to_do_is_left_alone(tiny_llama):
    watch = WatchPolicy(interval=0.05, idle=0.3)
    engine = OpenVinoGenerationEngine(tiny_llama, policy=RestartPolicy(watch=watch))
    await engine.start()
    pid = engine.worker_pid
    for length in (3900, 10):
        await complete(engine, [7, 8, 9] * (length // 3), max_tokens=100)
    await asyncio.sleep(1)
    assert engine.worker_pid == pid
    await engine.close()


async def test_the_worker_leaves_ctrl_c_to_its_parent(engine):
    pid = engine.worker_pid

    os.kill(pid, signal.SIGINT)

    await complete(engine, [5])
    assert engine.worker_pid == pid


def test_the_worker_ends_with_a_parent_that_is_killed(tiny_llama):
    script = (
        "import asyncio, pathlib, sys\n"
        "from tramontane.engines.openvino.engine import OpenVinoGenerationEngine\n"
        "from tramontane.weights.artifact import read_artifact\n"
        "async def main():\n"
        "    engine = OpenVinoGenerationEngine(read_artifact(pathlib.Path(sys.argv[1])))\n"
        "    await engine.start()\n"
        "    print(engine.worker_pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", script, str(tiny_llama.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        worker = int(parent.stdout.readline())
        assert is_running(worker)
        parent.kill()

    async def is_gone():
        return not is_running(worker)

    asyncio.run(until(is_gone))


def damaged(artifact, folder, file, change) -> Artifact:
    copy = Artifact(folder / "artifact", artifact.manifest)
    shutil.copytree(artifact.path, copy.path)
    target = copy.path / file
    target.write_bytes(change(target.read_bytes()))
    return copy


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("openvino_model.xml", lambda data: data[: len(data) // 2]),
        ("openvino_model.xml", lambda data: b""),
        ("openvino_model.bin", lambda data: data[: len(data) // 2]),
        ("openvino_model.bin", lambda data: b""),
    ],
)
async def test_a_damaged_model_is_a_clear_error(tiny_llama, tmp_path, file, change):
    before = children()
    engine = OpenVinoGenerationEngine(damaged(tiny_llama, tmp_path, file, change))

    with pytest.raises(ModelStoreError, match=str(tmp_path)):
        await engine.start()

    assert children() <= before
    with pytest.raises(EngineUnavailableError):
        await engine.check_health()
    await engine.close()


async def test_a_missing_model_is_a_clear_error(tiny_bert, tmp_path):
    engine = OpenVinoEmbeddingEngine(Artifact(tmp_path / "nowhere", tiny_bert.manifest))

    with pytest.raises(ModelStoreError, match="nowhere"):
        await engine.start()


async def test_the_event_loop_goes_on_while_a_long_prompt_is_computed(engine):
    turns = 0

    async def turn():
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    turning = asyncio.create_task(turn())
    deltas = engine.generate(TokensPrompt([7, 8, 9] * 1300), ENDLESS)
    await anext(deltas)
    turning.cancel()
    await deltas.aclose()

    assert turns > 100


def test_it_all_works_on_uvloop(tiny_llama):
    async def main():
        engine = OpenVinoGenerationEngine(tiny_llama)
        await engine.start()
        answer = await complete(engine, [5], max_tokens=5)
        pid = engine.worker_pid
        os.kill(pid, signal.SIGKILL)
        await until(lambda: engine_is_down(engine))
        again = await complete(engine, [5], max_tokens=5)
        await engine.close()
        return answer.token_ids, again.token_ids

    first, second = uvloop.run(main())

    assert first == second


def test_the_server_process_never_imports_openvino():
    script = (
        "import sys, tramontane.engines.openvino.engine;"
        "sys.exit(any(name.split('.')[0].startswith('openvino') for name in sys.modules))"
    )

    subprocess.run([sys.executable, "-c", script], check=True)
