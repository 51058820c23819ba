"""`tramontane transcripts`."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from tramontane.accounts.entities import DEFAULT_ORGANIZATION_ID
from tramontane.accounts.workspace_service import WorkspaceService
from tramontane.cli.database import database_options, settings_of, with_database, workspace_id_of
from tramontane.cli.times import Span
from tramontane.core.clock import SystemClock
from tramontane.storage.database import Database
from tramontane.transcripts.entities import Transcript
from tramontane.transcripts.service import TranscriptService


@click.group()
def transcripts() -> None:
    """Show and delete the kept text of requests.

    It is kept only while the setting `transcripts` is on, and deleted by itself after `transcript_days`.
    """


@transcripts.command()
@click.argument("request_id")
@database_options
def show(request_id: str, config: Path | None, data_dir: Path | None) -> None:
    """Print the text of one request and of its answers, as JSON."""

    async def work(database: Database) -> Transcript:
        return await TranscriptService(database, SystemClock()).get(DEFAULT_ORGANIZATION_ID, request_id)

    found = with_database(settings_of(config, data_dir), work)
    click.echo(json.dumps(asdict(found), indent=2))


@transcripts.command()
@click.argument("request_id", required=False)
@database_options
@click.option("--workspace", metavar="ID|NAME", help="Those of this workspace.")
@click.option("--older-than", type=Span(), metavar="SPAN", help="Those older than this: 12h, 30d, …")
@click.option("--all", "everything", is_flag=True, help="All of them.")
def delete(
    request_id: str | None,
    config: Path | None,
    data_dir: Path | None,
    workspace: str | None,
    older_than: int | None,
    *,
    everything: bool,
) -> None:
    """Delete the text of the request REQUEST_ID, or of those that all options are true of.

    What the requests used and cost stays. A copy of the database may still have the text.
    """
    chosen = [request_id, workspace, older_than]
    if everything == any(one is not None for one in chosen):
        raise click.UsageError("Choose a request, or --workspace or --older-than, or else --all.")

    async def work(database: Database) -> int:
        clock = SystemClock()
        workspace_id = None
        if workspace is not None:
            workspaces = WorkspaceService(database, clock)
            workspace_id = await workspace_id_of(workspaces, DEFAULT_ORGANIZATION_ID, workspace)
        return await TranscriptService(database, clock).remove(
            older_than=older_than, workspace_id=workspace_id, request_id=request_id
        )

    removed = with_database(settings_of(config, data_dir), work)
    click.echo(f"{removed} deleted." if removed else "There are none of these.")
