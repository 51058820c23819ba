"""What `serve` prints when it is ready: all that is needed for the first request."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tramontane import __version__
from tramontane.catalog.names import names_of
from tramontane.catalog.profile import ModelProfile
from tramontane.limits.plans import plans

_EXAMPLE = """\
curl {base_url}/v1/chat/completions \\
  -H "Content-Type: application/json" \\
  -H "Authorization: Bearer {key}" \\
  -d '{{"model": "mistral-large-latest", "messages": [{message}]}}'"""
_MESSAGE = '{"role": "user", "content": "Write a haiku about APIs."}'


@dataclass(frozen=True, slots=True)
class NewlyMade:
    """A key that was made by this start."""

    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class MadeEarlier:
    """A key that an earlier start has shown."""

    hint: str


@dataclass(frozen=True, slots=True)
class Operators:
    """The key that the operator has set."""


KeyNotice = NewlyMade | MadeEarlier | Operators


@dataclass(frozen=True, slots=True)
class Banner:
    """The facts."""

    base_url: str
    """Without `/v1`."""
    plan: str
    models: Sequence[ModelProfile]
    key: KeyNotice | None
    """None if no key is valid."""
    console_token: str | None = field(default=None, repr=False)
    """Signs in to the console once; None if a password does."""
    transcript_days: int | None = None
    """How long the text of requests is kept; None if it is not."""


def render_banner(banner: Banner) -> str:
    """The text, ending in a newline."""
    key = banner.key.key if isinstance(banner.key, NewlyMade) else "$TRAMONTANE_API_KEY"
    lines = [
        f"Tramontane {__version__} is ready.",
        "",
        *_row("Base URL", [f"{banner.base_url}/v1", f"(for the mistralai SDK: {banner.base_url})"]),
        *_row("API key", _key_lines(banner.key)),
        *_row("Console", _console_lines(banner)),
        *_row("Plan", _plan_lines(banner.plan)),
        *_row("Models", [*_model_lines(banner.models), *_stand_in_lines(banner.models)]),
        *_row("Text", _transcript_lines(banner.transcript_days)),
        "",
        "Try it:",
        "",
        _EXAMPLE.format(base_url=banner.base_url, key=key, message=_MESSAGE),
        "",
        "Ctrl-C stops the server.",
    ]
    return "\n".join(lines) + "\n"


def _row(name: str, lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        yield f"  {name:<10}{line}"
        name = ""


def _key_lines(key: KeyNotice | None) -> list[str]:
    match key:
        case NewlyMade(text):
            return [text, "(made just now; keep it, for it is not shown again)"]
        case MadeEarlier(hint):
            return [
                f"{hint} (shown in full when it was made)",
                "(if it is lost, set TRAMONTANE_API_KEY to one of your own)",
            ]
        case Operators():
            return ["the one that TRAMONTANE_API_KEY sets"]
        case None:
            return ["none is valid; set TRAMONTANE_API_KEY to one of your own"]


def _console_lines(banner: Banner) -> list[str]:
    if banner.console_token is None:
        return [f"{banner.base_url}/ (sign in with the console_password)"]
    link = f"{banner.base_url}/console/sign-in?link={banner.console_token}"
    return [link, "(signs you in once, within an hour)"]


def _transcript_lines(days: int | None) -> list[str]:
    if days is None:
        return []
    return [f"requests and answers are kept for {days} {'day' if days == 1 else 'days'} (--no-transcripts)"]


def _plan_lines(plan: str) -> list[str]:
    lines = [f"{plan}: {plans()[plan].description}"]
    if plan != "unlimited":
        lines.append("(--plan unlimited lifts the limits, for a machine of your own)")
    return lines


def _model_lines(models: Sequence[ModelProfile]) -> list[str]:
    width = max((len(model.id) for model in models), default=0)
    return [f"{model.id:<{width}}  {', '.join(_uses(model))}" for model in models]


def _uses(model: ModelProfile) -> Iterator[str]:
    can = model.capabilities
    if can.completion_chat:
        yield "chat"
    if can.completion_fim:
        yield "fill-in-the-middle"
    if not can.completion_chat and not can.completion_fim:
        yield "embeddings"


def _stand_in_lines(models: Sequence[ModelProfile]) -> list[str]:
    aliases = [name for name, model in names_of(models).items() if name in model.aliases]
    if not aliases:
        return []
    return [
        f"stand-ins for the hosted models, which are not here themselves: {len(aliases)} of their ids",
        f"are answered by these ({aliases[0]}, …)",
    ]
