"""Where the server listens, where it keeps what it knows, and who may enter."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from platformdirs import user_cache_path, user_data_path
from pydantic import BaseModel, Field, SecretStr, ValidationInfo, field_validator

from tramontane.settings.values import Unset

Plan = Literal["experiment", "scale", "unlimited"]

MIN_PASSWORD_LENGTH: Final = 12


class ServerSettings(BaseModel):
    """All that has nothing to do with models."""

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
        description="Password of the operator in the web console: at least 12 characters.",
    )
    plan: Annotated[Plan | None, Unset("what the workspace has, at first experiment")] = Field(
        None,
        description="Plan that each start puts the default workspace on: what it may ask for; "
        "see docs/limits.md.",
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
