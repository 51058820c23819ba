import asyncio
import json

import pytest

from tests.support.clock import FakeClock
from tramontane.accounts.entities import DEFAULT_ORGANIZATION_ID, DEFAULT_WORKSPACE_ID
from tramontane.accounts.service import AccountsService
from tramontane.cli.main import run
from tramontane.core.principal import Principal
from tramontane.schemas.chat import ChatCompletionRequest
from tramontane.storage.database import Database
from tramontane.transcripts.entities import Retention, Said
from tramontane.transcripts.recorder import TranscriptRecorder

FIRST, SECOND = "1" * 32, "2" * 32


@pytest.fixture
def data_dir(tmp_path):
    """Two requests that somebody has made."""

    async def make():
        database = await Database.open(tmp_path)
        await AccountsService(database, FakeClock()).ensure_default()
        recorder = TranscriptRecorder(database, FakeClock(), Retention(7, 100))
        recorder.start()
        request = ChatCompletionRequest.model_validate(
            {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
        )
        principal = Principal(DEFAULT_ORGANIZATION_ID, DEFAULT_WORKSPACE_ID, "key")
        for request_id in (FIRST, SECOND):
            recorder.note(Said(request_id, int(FakeClock().now()), principal, request, [{"text": "Hello"}]))
        await recorder.close()
        await database.close()

    asyncio.run(make())
    return tmp_path


@pytest.fixture
def transcripts(data_dir, capsys):
    def command(*arguments, code=0):
        assert run(["transcripts", *arguments, "--data-dir", str(data_dir)]) == code
        said = capsys.readouterr()
        return said.err if code else said.out

    return command


def test_one_is_shown_and_deleted(transcripts):
    shown = json.loads(transcripts("show", FIRST))
    assert shown["request"]["messages"] == [{"role": "user", "content": "Hi"}]
    assert shown["answers"] == [{"text": "Hello"}]
    assert transcripts("delete", FIRST) == "1 deleted.\n"

    assert "No text of the request" in transcripts("show", FIRST, code=1)
    assert json.loads(transcripts("show", SECOND))["answers"]


def test_those_of_a_workspace_and_all_are_deleted(transcripts):
    assert transcripts("delete", "--workspace", "Default", "--older-than", "0") == "2 deleted.\n"
    assert transcripts("delete", "--all") == "There are none of these.\n"


@pytest.mark.parametrize("chosen", [(), ("--all", "--older-than", "1d"), (FIRST, "--all")])
def test_nothing_is_deleted_by_mistake(transcripts, chosen):
    assert "Choose a request, or --workspace" in transcripts("delete", *chosen, code=2)
    assert transcripts("delete", "--all") == "2 deleted.\n"
