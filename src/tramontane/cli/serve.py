"""`tramontane serve`."""

import logging
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tramontane.cli.banner import Banner, KeyNotice, MadeEarlier, NewlyMade, Operators, render_banner
from tramontane.cli.listening import allow_open_files, is_loopback, listening, port_of, reachable_url
from tramontane.cli.options import settings_options
from tramontane.observability.logging import configure_logging
from tramontane.settings import Settings, load_settings

if TYPE_CHECKING:
    from tramontane.bootstrap import RunningServer

logger = logging.getLogger(__name__)


@click.command()
@settings_options
def serve(config: Path | None, **choices: object) -> None:
    """Start the server.

    The first start fetches the built-in models and makes an API key, which it prints once. Every option can
    be set in the environment and in a TOML file too; options go first, then the environment, then the file.
    Keys, tokens and URLs with passwords are no options, because other users of a machine can read command
    lines: set TRAMONTANE_API_KEY, TRAMONTANE_ADMIN_KEY, TRAMONTANE_CONSOLE_PASSWORD, TRAMONTANE_HUB_TOKEN,
    TRAMONTANE_DATABASE_URL and TRAMONTANE_REDIS_URL, or api_key, admin_key, console_password, hub_token,
    database_url and redis_url in the file.
    """
    settings = load_settings(config, **choices)
    configure_logging(settings.log_level, settings.log_format)
    # Until the server runs; as process 1 of a container there would be no handler at all.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    allow_open_files()
    with listening(settings.host, settings.port) as sockets:
        if not is_loopback(settings.host):
            logger.warning(
                "%s can be reached from other machines, and traffic is not encrypted: "
                "put a proxy that speaks TLS in front of it",
                settings.host,
            )
        # What follows is slow to import: a port in use is told without it.
        from tramontane.cli.preparing import prepare  # noqa: PLC0415
        from tramontane.cli.running import ServerRun  # noqa: PLC0415

        def announce(running: "RunningServer") -> None:
            url = reachable_url(settings.host, port_of(sockets))
            click.echo(render_banner(_banner(settings, url, running)), nl=False)

        ServerRun(settings, prepare(settings), sockets, announce).run()


def _banner(settings: Settings, url: str, running: "RunningServer") -> Banner:
    models = [model.profile for model in running.catalog]
    days = settings.transcript_days if settings.transcripts else None
    return Banner(url, running.plan, models, _key_notice(settings, running), running.console_token, days)


def _key_notice(settings: Settings, running: "RunningServer") -> KeyNotice | None:
    if running.new_key is not None:
        return NewlyMade(running.new_key.key)
    if settings.api_key is not None:
        return Operators()
    return None if running.key is None else MadeEarlier(running.key.hint)
