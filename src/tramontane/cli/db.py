"""`tramontane db`."""

import asyncio
from pathlib import Path

import click

from tramontane.cli.database import database_options, settings_of
from tramontane.settings import revealed
from tramontane.storage import maintenance
from tramontane.storage.migrations import HEAD


@click.group()
def db() -> None:
    """Upgrade, check and back up the database."""


@db.command()
@database_options
def upgrade(config: Path | None, data_dir: Path | None) -> None:
    """Bring the database to the schema of this release.

    Every start of a server does the same. Do it beforehand where several servers are replaced one by one.
    """
    settings = settings_of(config, data_dir)
    name, before = asyncio.run(maintenance.upgrade(settings.data_dir, revealed(settings.database_url)))
    if before == HEAD:
        click.echo(f"{name} is up to date: schema {HEAD}.")
    elif before is None:
        click.echo(f"{name} is made: schema {HEAD}.")
    else:
        click.echo(f"{name} is upgraded: schema {before} → {HEAD}.")


@db.command()
@database_options
def check(config: Path | None, data_dir: Path | None) -> int:
    """See whether the database is whole and fits this release.

    Changes nothing. Ends with 1 if there is a problem.
    """
    settings = settings_of(config, data_dir)
    found = asyncio.run(maintenance.check(settings.data_dir, revealed(settings.database_url)))
    click.echo(f"{found.name}: schema {found.revision or 'none'}")
    for problem in found.problems:
        click.echo(f"  {problem}")
    if not found.problems:
        click.echo("  No problem found.")
    return 1 if found.problems else 0


@db.command()
@click.argument("target", type=click.Path(path_type=Path))
@database_options
def backup(target: Path, config: Path | None, data_dir: Path | None) -> None:
    """Copy the SQLite database to TARGET, a new file or a folder, while servers go on."""
    settings = settings_of(config, data_dir)
    made = maintenance.back_up(settings.data_dir, revealed(settings.database_url), target)
    click.echo(f"{made} is a copy of the database, {made.stat().st_size:,} bytes, checked.")
