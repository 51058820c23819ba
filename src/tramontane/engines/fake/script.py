"""What the fake engine answers: ordered rules in a JSON file, described in `docs/engines.md`."""

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from tramontane.core.events import FinishReason
from tramontane.errors import (
    ApiError,
    CapacityError,
    ConfigurationError,
    EngineError,
    EngineUnavailableError,
    InvalidRequestError,
)

_TEXT: Final = "{text}"
"""Stands in an answer for the text that the rule was found in."""

_Count = Annotated[int, msgspec.Meta(ge=0)]
_Seconds = Annotated[float, msgspec.Meta(ge=0)]


class ErrorRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an answer fails."""

    status: Literal[400, 429, 500, 503]
    after_tokens: _Count = 0
    """Tokens of the answer that are sent before."""
    times: _Count | None = None
    """Fails so many times, then answers; without it, always fails."""
    retry_after: _Count = 1
    """Seconds, told with 429 and 503."""

    def error(self) -> ApiError:
        """What to raise."""
        match self.status:
            case 400:
                return InvalidRequestError("The script of the fake engine refuses this request")
            case 429:
                return CapacityError(self.retry_after)
            case 500:
                return EngineError()
            case 503:
                return EngineUnavailableError(retry_after=self.retry_after)


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """What to answer to the texts that `match` is found in."""

    match: str = ""
    """Regular expression of Python's `re`; the empty one is found everywhere."""
    answer: str = ""
    answers: tuple[str, ...] = ()
    """Instead of one `answer`: one after another, then from the start again."""
    finish_reason: Literal["stop", "length"] = "stop"
    delay: _Seconds = 0.0
    """Before the first token."""
    error: ErrorRule | None = None

    def __post_init__(self) -> None:
        if self.answer and self.answers:
            raise ValueError("a rule has `answer` or `answers`, not both")
        if not (self.answer or self.answers or self.error):
            raise ValueError("a rule needs `answer`, `answers` or `error`")
        try:
            _ = self.pattern
        except re.error as error:
            raise ValueError(f"`match` is not a regular expression: {error}") from error

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """`match`, compiled."""
        return re.compile(self.match)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rules: tuple[Rule, ...]


_DEFAULT: Final = Rule(
    answer="This is the fake engine: no model runs here, every answer is scripted. You wrote: " + _TEXT
)


class Reply(msgspec.Struct, frozen=True):
    """One answer, as it is to be played."""

    text: str
    finish_reason: FinishReason
    delay: float
    error: ErrorRule | None


class Script:
    """Rules, of which the first that matches answers, and how often each has. A default answers the rest."""

    def __init__(self, rules: Sequence[Rule] = ()) -> None:
        self._rules = (*rules, _DEFAULT)
        self._turns = [0] * len(self._rules)

    @classmethod
    def read(cls, path: Path) -> "Script":
        """The script in a JSON file.

        Raises:
            ConfigurationError: it cannot be read or is no script; says where in it.
        """
        try:
            return cls(msgspec.json.decode(path.read_bytes(), type=_File).rules)
        except (OSError, msgspec.DecodeError) as error:
            raise ConfigurationError(f"fake_script {path} cannot be used: {error}") from error

    def reply(self, text: str) -> Reply:
        """What to answer to `text` this time."""
        index, rule = next((i, rule) for i, rule in enumerate(self._rules) if rule.pattern.search(text))
        turn = self._turns[index]
        self._turns[index] += 1
        answers = rule.answers or (rule.answer,)
        fails = rule.error is not None and (rule.error.times is None or turn < rule.error.times)
        return Reply(
            text=answers[turn % len(answers)].replace(_TEXT, text),
            finish_reason=FinishReason(rule.finish_reason),
            delay=rule.delay,
            error=rule.error if fails else None,
        )
