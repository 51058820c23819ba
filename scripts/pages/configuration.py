"""The generated blocks of `docs/configuration.md`, of the settings."""

from pydantic.fields import FieldInfo
from scripts.pages.markdown import table

from tramontane.cli.main import EXIT_CODES
from tramontane.cli.options import allowed_text, default_text, is_secret
from tramontane.settings import Settings, env_name, option_name


def settings() -> str:
    """Every setting."""
    return table(
        ["setting", "option", "variable", "default", "allowed", "meaning"],
        [_row(name, field) for name, field in Settings.model_fields.items()],
    )


def exit_codes() -> str:
    """What the command ends with."""
    return table(["code", "meaning"], [(str(code), meaning) for code, meaning in EXIT_CODES.items()])


BLOCKS = {"settings": settings, "exit codes": exit_codes}


def _row(name: str, field: FieldInfo) -> list[str]:
    option = "" if is_secret(field) else f"`{option_name(name)}`"
    return [
        f"`{name}`",
        option,
        f"`{env_name(name)}`",
        default_text(field),
        allowed_text(field),
        field.description or "",
    ]
