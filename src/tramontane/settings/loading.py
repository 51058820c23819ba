"""Finds the settings in their three places, and says where a bad one was said."""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from platformdirs import user_config_path
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from tramontane.errors import ConfigurationError
from tramontane.settings.names import BASE_URL_VARIABLE, CONFIG_VARIABLE, ENV_PREFIX, env_name, option_name
from tramontane.settings.tree import Settings
from tramontane.settings.values import FILE_ONLY, MAY_BE_PATH


def default_config_file() -> Path:
    """Read when it exists; `TRAMONTANE_CONFIG` or `--config` names another, which then must."""
    return user_config_path("tramontane", appauthor=False) / "tramontane.toml"


def load_settings(config_file: Path | None = None, **overrides: object) -> Settings:
    """Settings from the file, the environment and `overrides` (the command line), the last one winning.

    Args:
        config_file: must exist when given, and so must `TRAMONTANE_CONFIG`. Else `default_config_file` is
            read if there is one.
        overrides: values by field name; None means not given.

    Relative paths in the file are relative to the file, others to the working directory; `~` is the home
    folder. An empty environment variable is as good as none.

    Raises:
        ConfigurationError: what is wrong, where it was said, and what is allowed.
    """
    given = _from_file(config_file) | _from_environment(os.environ) | _from_command_line(overrides)
    try:
        return Settings.model_validate({name: choice.value for name, choice in given.items()})
    except ValidationError as error:
        problems = [_problem(details, given) for details in error.errors(include_url=False)]
    raise ConfigurationError("\n".join(problems))


@dataclass(frozen=True, slots=True)
class _Choice:
    """A value for one setting, and where it was said."""

    value: object
    source: str


def _from_file(config_file: Path | None) -> dict[str, _Choice]:
    path = _config_path(config_file)
    if path is None:
        return {}
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"Cannot read the settings in {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from error
    _refuse_unknown(values, Settings.model_fields, where=f" in {path}", kind="setting")
    return {name: _choice(name, value, f"{name} in {path}", path.parent) for name, value in values.items()}


def _config_path(config_file: Path | None) -> Path | None:
    if config_file is not None:
        return _expanded(config_file, Path.cwd(), "--config")
    if variable := os.environ.get(CONFIG_VARIABLE):
        return _expanded(Path(variable), Path.cwd(), CONFIG_VARIABLE)
    default = default_config_file()
    return default if default.exists() else None


def _from_environment(environment: Mapping[str, str]) -> dict[str, _Choice]:
    given = {
        name: value
        for name, value in environment.items()
        if name.startswith(ENV_PREFIX) and value and not _is_service_link(name, value)
    }
    fields = {
        env_name(name): name
        for name, field in Settings.model_fields.items()
        if FILE_ONLY not in field.metadata
    }
    _refuse_unknown(given, [*fields, CONFIG_VARIABLE, BASE_URL_VARIABLE], where="", kind="variable")
    return {
        field: _choice(field, given[variable], variable, Path.cwd())
        for variable, field in fields.items()
        if variable in given
    }


def _from_command_line(overrides: Mapping[str, object]) -> dict[str, _Choice]:
    _refuse_unknown(overrides, Settings.model_fields, where="", kind="setting")
    return {
        name: _choice(name, value, option_name(name), Path.cwd())
        for name, value in overrides.items()
        if value not in (None, ())
    }


def _is_service_link(name: str, value: str) -> bool:
    """Kubernetes sets TRAMONTANE_PORT=tcp://… and the like in every pod beside a Service "tramontane"."""
    return value.startswith(("tcp://", "udp://", "sctp://")) or bool(
        re.fullmatch(r"TRAMONTANE_(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)", name)
    )


def _refuse_unknown(names: Iterable[str], known: Iterable[str], where: str, kind: str) -> None:
    known = list(known)
    for name in names:
        if name in known:
            continue
        near = get_close_matches(name, known, n=1)
        advice = f"did you mean {near[0]}?" if near else "docs/configuration.md lists them all."
        raise ConfigurationError(f"There is no {kind} {name!r}{where}; {advice}")


def _choice(name: str, value: object, source: str, base: Path) -> _Choice:
    return _Choice(_Places(base, source).of(Settings.model_fields[name], value), source)


@dataclass(frozen=True, slots=True)
class _Places:
    """Makes absolute what is a path, however deep in a table it is, and lists of texts with commas."""

    base: Path
    source: str

    def of(self, field: FieldInfo, value: object) -> object:
        """The value of one field. What is wrong with it is left for the check of all."""
        kind = _model_in(field)
        if kind is not None:
            values = value if isinstance(value, list) else [value]
            placed = [self._table(kind, one) if isinstance(one, dict) else one for one in values]
            return placed if isinstance(value, list) else placed[0]
        if field.annotation in (tuple[str, ...], tuple[Path, ...]):
            texts = _texts(value)
            return value if texts is None else [self._place(field, text) for text in texts]
        return self._place(field, value) if isinstance(value, str | Path) else value

    def _table(self, kind: type[BaseModel], table: dict[str, Any]) -> dict[str, object]:
        _refuse_unknown(table, kind.model_fields, where=f" in {self.source}", kind="setting")
        return {name: self.of(kind.model_fields[name], value) for name, value in table.items()}

    def _place(self, field: FieldInfo, value: str | Path) -> str:
        if _is_path(field, str(value)):
            return str(_expanded(Path(value), self.base, self.source))
        return str(value)


def _texts(value: object) -> list[str] | None:
    """The elements of a list, or the parts of texts that hold commas; None if it is neither."""
    if isinstance(value, str | Path):
        parts = str(value).split(",")
    elif isinstance(value, tuple):  # an option that was given several times
        parts = [part for text in value for part in str(text).split(",")]
    elif isinstance(value, list) and all(isinstance(part, str) for part in value):
        parts = value
    else:
        return None
    return [part.strip() for part in parts if part.strip()]


def _model_in(field: FieldInfo) -> type[BaseModel] | None:
    """The model that a table, or each of a list of tables, is checked against."""
    kinds = (field.annotation, *get_args(field.annotation))
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _is_path(field: FieldInfo, value: str) -> bool:
    if MAY_BE_PATH in field.metadata:
        return value.startswith(("~", ".", "/")) or (value.endswith(".gguf") and not value.startswith("hf:"))
    return field.annotation in (Path, Path | None, tuple[Path, ...])


def _expanded(path: Path, base: Path, source: str) -> Path:
    try:
        return base / path.expanduser()
    except RuntimeError as error:
        raise ConfigurationError(f"{source}: {path} names no known user's home folder") from error


def _problem(details: ErrorDetails, given: Mapping[str, _Choice]) -> str:
    name, *deeper = details["loc"]
    field, choice = Settings.model_fields[str(name)], given[str(name)]
    allowed = details["msg"].removeprefix("Value error, ")
    if FILE_ONLY in field.metadata:
        return f"{_place_of(deeper)}{choice.source}: {allowed}"
    if field.annotation == (SecretStr | None):
        return f"{choice.source}: {allowed}"
    return f"{choice.source} is {choice.value!r:.100}: {allowed[0].lower()}{allowed[1:]}"


def _place_of(loc: Sequence[str | int]) -> str:
    """`slots of table 2 of ` of ("models", 1, "slots"): tables are counted as people do."""
    words = [f"table {part + 1}" if isinstance(part, int) else part for part in loc]
    return "".join(f"{word} of " for word in reversed(words))
