"""The generated blocks of `docs/configuration.md`, of the settings."""

from pydantic.fields import FieldInfo
from scripts.pages.markdown import table

from tramontane.cli.main import EXIT_CODES
from tramontane.cli.options import allowed_text, default_text, has_option
from tramontane.settings import (
    FILE_ONLY,
    ModelDefaults,
    ModelSettings,
    Settings,
    UpstreamSettings,
    env_name,
    option_name,
)


def settings() -> str:
    """Every setting."""
    return table(
        ["setting", "option", "variable", "default", "allowed", "meaning"],
        [_row(name, field) for name, field in Settings.model_fields.items()],
    )


def exit_codes() -> str:
    """What the command ends with."""
    return table(["code", "meaning"], [(str(code), meaning) for code, meaning in EXIT_CODES.items()])


def models() -> str:
    """The settings of one model: its own, then those that it may take from all."""
    shared = ModelDefaults.model_fields
    fields = sorted(ModelSettings.model_fields.items(), key=lambda item: item[0] in shared)
    return table(
        ["setting", "default", "allowed", "meaning"],
        [
            [
                f"`{name}`",
                "as for all" if name in shared else default_text(field),
                allowed_text(field),
                field.description or "",
            ]
            for name, field in fields
        ],
    )


def upstream() -> str:
    """The settings of a pool of servers."""
    return table(
        ["setting", "default", "allowed", "meaning"],
        [
            [
                f"`{name}`",
                "must be given" if field.is_required() else default_text(field),
                allowed_text(field),
                field.description or "",
            ]
            for name, field in UpstreamSettings.model_fields.items()
        ],
    )


BLOCKS = {"settings": settings, "models": models, "upstream": upstream, "exit codes": exit_codes}


def _row(name: str, field: FieldInfo) -> list[str]:
    return [
        f"`{name}`",
        f"`{option_name(name)}`" if has_option(field) else "",
        "" if FILE_ONLY in field.metadata else f"`{env_name(name)}`",
        default_text(field),
        allowed_text(field),
        field.description or "",
    ]
