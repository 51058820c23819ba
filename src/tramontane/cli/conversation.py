"""A conversation in a terminal: lines in, streamed answers out, and a few commands."""

import sys
from contextlib import closing
from enum import Enum
from typing import Final

import click

from tramontane.cli.chat_client import ChatClient, Message, Sampling
from tramontane.core.text import printable
from tramontane.errors import RemoteServerError

HELP: Final = """\
/help           show this
/clear          forget the conversation, keep the system prompt
/system TEXT    set the system prompt and begin anew; without TEXT there is none
/model [ID]     talk to another model; without ID list them
/exit           leave; so do Ctrl-D, and Ctrl-C while nothing is being answered
Ctrl-C          stop the answer, and keep what there is of it
//TEXT          say "/TEXT\""""


class Outcome(Enum):
    """How a line was dealt with."""

    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    LEAVE = "leave"


class Conversation:
    """Remembers what was said, and goes on with it."""

    def __init__(self, client: ChatClient, model: str, system: str | None, sampling: Sampling) -> None:
        self._client = client
        self._model = model
        self._system = system
        self._sampling = sampling
        self._turns: list[Message] = []

    @property
    def model(self) -> str:
        """The id that requests name."""
        return self._model

    @property
    def messages(self) -> list[Message]:
        """Everything that the next request carries in front of the next question."""
        return ([{"role": "system", "content": self._system}] if self._system else []) + self._turns

    def handle(self, line: str) -> Outcome:
        """Answer a line, or obey it. Nothing that goes wrong on the way ends the conversation."""
        try:
            match line.split(maxsplit=1):
                case []:
                    return Outcome.DONE
                case [command, *rest] if command.startswith("/") and not command.startswith("//"):
                    return self._obey(command, "".join(rest).strip())
                case _:
                    return self._answer(line.removeprefix("/") if line.startswith("//") else line)
        except RemoteServerError as error:
            _complain(str(error))
            return Outcome.FAILED
        except KeyboardInterrupt:
            return Outcome.INTERRUPTED

    def _obey(self, command: str, argument: str) -> Outcome:
        match command:
            case "/help":
                click.echo(HELP)
            case "/exit" | "/quit":
                return Outcome.LEAVE
            case "/clear":
                self._turns.clear()
            case "/system":
                self._system = argument or None
                self._turns.clear()
            case "/model" if argument:
                self._model = argument
            case "/model":
                for model in self._client.chat_models():
                    click.echo(f"{'*' if model == self._model else ' '} {printable(model)}")
            case _:
                _complain(f"There is no command {command}; /help lists them")
                return Outcome.FAILED
        return Outcome.DONE

    def _answer(self, question: str) -> Outcome:
        asked: Message = {"role": "user", "content": question}
        parts: list[str] = []
        try:
            with closing(self._client.stream(self._model, [*self.messages, asked], self._sampling)) as texts:
                for text in texts:
                    parts.append(text)
                    click.echo(printable(text), nl=False)
        except KeyboardInterrupt:
            if not parts:
                click.echo()
            raise
        finally:
            # A question without any answer would leave two of the user's in a row, which models refuse.
            if parts:
                click.echo()
                self._turns += [asked, {"role": "assistant", "content": "".join(parts)}]
        return Outcome.DONE


def _complain(problem: str) -> None:
    click.secho(printable(problem), err=True, fg="red")


def converse(conversation: Conversation) -> int:
    """Talk over this terminal until the user leaves; returns the exit code."""
    import readline  # noqa: F401, PLC0415 - gives `input` line editing and history

    while True:
        try:
            line = input("> ")
        except (EOFError, KeyboardInterrupt):
            click.echo()
            return 0
        if conversation.handle(line) is Outcome.LEAVE:
            return 0


def answer_lines(conversation: Conversation) -> int:
    """Answer standard input line by line, a turn each; returns the exit code: 0 if all were answered."""
    code = 0
    for line in sys.stdin:
        match conversation.handle(line.rstrip("\n")):
            case Outcome.LEAVE:
                break
            case Outcome.INTERRUPTED:
                return 130
            case Outcome.FAILED:
                code = 1
            case Outcome.DONE:
                pass
    return code
