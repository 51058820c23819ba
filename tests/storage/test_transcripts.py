import logging

import pytest

from tests.support.clock import FakeClock
from tests.support.waiting import eventually_read
from tramontane.core.principal import Principal
from tramontane.errors import NotFoundError, StorageError
from tramontane.schemas.chat import ChatCompletionRequest
from tramontane.transcripts import recorder as recorder_module
from tramontane.transcripts.entities import Retention, Said
from tramontane.transcripts.recorder import MAX_WAITING, TranscriptRecorder
from tramontane.transcripts.service import TranscriptService

pytestmark = pytest.mark.anyio

ORGANIZATION = "10000000-0000-0000-0000-000000000001"
WORKSPACE = "20000000-0000-0000-0000-000000000001"
OTHER = "20000000-0000-0000-0000-000000000002"
DAY = 24 * 3600
WEEK = Retention(7, 1000)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def service(database, clock):
    return TranscriptService(database, clock)


def said(clock, number=0, workspace=WORKSPACE, text="Hi"):
    request = ChatCompletionRequest.model_validate(
        {"model": "m", "messages": [{"role": "user", "content": text}]}
    )
    principal = Principal(ORGANIZATION, workspace, "key")
    return Said(f"{number:032x}", int(clock.now()), principal, request, [{"text": "Hello"}])


async def write(database, clock, *everything, retention=WEEK):
    recorder = TranscriptRecorder(database, clock, retention)
    recorder.start()
    for one in everything:
        recorder.note(one)
    await recorder.close()


async def test_what_was_said_can_be_read_again(database, service, clock):
    odd = "NUL \0, half a surrogate \ud83d, ünïcödé 🎉"
    await write(database, clock, said(clock, 1), said(clock, 2, text=odd))
    found = await service.get(ORGANIZATION, f"{2:032x}")

    assert found.request == {"model": "m", "messages": [{"role": "user", "content": odd}]}
    assert found.answers == [{"text": "Hello"}]
    assert found.workspace_id == WORKSPACE
    with pytest.raises(NotFoundError):
        await service.get(OTHER, f"{2:032x}")


async def test_it_is_deleted_after_its_days(database, service, clock):
    await write(database, clock, said(clock, 1))
    clock.advance(6 * DAY)
    await write(database, clock, said(clock, 2))
    assert await service.remove_due(WEEK) == 0
    clock.advance(DAY)
    server = TranscriptRecorder(database, clock, WEEK)  # whether it records or not, it deletes what is due
    server.start()
    await eventually_read(lambda: service.find(ORGANIZATION, f"{1:032x}"), lambda found: found is None)
    await server.close()

    assert await service.find(ORGANIZATION, f"{2:032x}") is not None


async def test_only_so_many_are_kept(database, service, clock):
    for number in range(5):
        await write(database, clock, said(clock, number))
        clock.advance(1)

    assert await service.remove_due(Retention(7, 2)) == 3
    assert await service.find(ORGANIZATION, f"{4:032x}") is not None
    assert await service.find(ORGANIZATION, f"{2:032x}") is None


async def test_they_are_deleted_by_request_workspace_and_age(database, service, clock):
    await write(database, clock, said(clock, 1), said(clock, 2, OTHER), said(clock, 3))
    clock.advance(DAY)
    await write(database, clock, said(clock, 4), said(clock, 5, OTHER))

    assert await service.remove(request_id=f"{1:032x}") == 1
    assert await service.remove(workspace_id=OTHER, older_than=DAY) == 1
    assert await service.count() == 3
    assert await service.remove(workspace_id=WORKSPACE) == 2
    assert await service.remove() == 1
    assert await service.remove() == 0


async def test_a_database_that_fails_costs_requests_nothing(database, service, clock, monkeypatch, caplog):
    async def fail(*_):
        raise StorageError("The disk is full")

    with monkeypatch.context() as broken, caplog.at_level(logging.WARNING):
        broken.setattr(recorder_module.repository, "add", fail)
        await write(database, clock, said(clock, 1, text="a secret"))
    assert "1 transcripts are lost: The disk is full" in caplog.text
    assert "a secret" not in caplog.text
    await write(database, clock, said(clock, 2))

    assert await service.count() == 1


async def test_a_crowd_does_not_gather_in_memory(database, service, clock, caplog):
    recorder = TranscriptRecorder(database, clock, Retention(7, 100_000))
    recorder.start()
    for number in range(MAX_WAITING + 50):
        recorder.note(said(clock, number))
    await recorder.close()

    assert await service.count() == MAX_WAITING
    assert "50 transcripts are lost: more came than can be written" in caplog.text
