import io
import sys

import pytest

from tests.support.api_stand_in import DONE
from tramontane.cli.chat_client import ChatClient, Sampling
from tramontane.cli.conversation import Conversation, Outcome, answer_lines


@pytest.fixture
def conversation(stand_in):
    stand_in.answer = ["Hello", " there", DONE]
    with ChatClient(stand_in.base_url, stand_in.key) as client:
        yield Conversation(client, "first-chat", "Be brief.", Sampling())


SYSTEM = {"role": "system", "content": "Be brief."}


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


def test_the_next_question_carries_what_was_said(conversation, stand_in, capsys):
    assert conversation.handle("Hi") is Outcome.DONE
    assert conversation.handle("And?") is Outcome.DONE

    assert stand_in.requests[1]["messages"] == [SYSTEM, user("Hi"), assistant("Hello there"), user("And?")]
    assert capsys.readouterr().out == "Hello there\nHello there\n"


def test_an_empty_line_asks_nothing(conversation, stand_in):
    assert conversation.handle("  ") is Outcome.DONE
    assert stand_in.requests == []


def test_a_question_that_was_refused_is_forgotten(conversation, stand_in, capsys):
    stand_in.refusal = (400, {"message": "Prompt too long"})

    assert conversation.handle("Hi") is Outcome.FAILED
    assert "Prompt too long" in capsys.readouterr().err
    assert conversation.messages == [SYSTEM]


def test_what_came_before_an_answer_broke_off_stays(conversation, stand_in, capsys):
    stand_in.answer = ["Hello", {"object": "error", "message": "Service unavailable."}]

    assert conversation.handle("Hi") is Outcome.FAILED
    assert conversation.messages == [SYSTEM, user("Hi"), assistant("Hello")]
    assert capsys.readouterr().out == "Hello\n"


def test_an_interrupted_answer_closes_the_connection_and_stays_as_far_as_it_came(
    conversation, stand_in, monkeypatch
):
    stand_in.answer = [part for _ in range(500) for part in ("word ", 0.01)]
    written = []

    def echo(text="", **_):
        written.append(text)
        if len(written) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("click.echo", echo)

    assert conversation.handle("Hi") is Outcome.INTERRUPTED
    assert conversation.messages == [SYSTEM, user("Hi"), assistant("word word word ")]
    assert stand_in.client_left.wait(60)


def test_nothing_that_a_model_says_commands_the_terminal(conversation, stand_in, capsys):
    stand_in.answer = ["\x1b[2J", "\x1b", "]0;title\x07", DONE]
    conversation.handle("Hi")

    assert capsys.readouterr().out == r"\x1b[2J\x1b]0;title\x07" + "\n"
    assert conversation.messages[-1] == assistant("\x1b[2J\x1b]0;title\x07")


def test_nothing_that_a_server_says_commands_the_terminal(conversation, stand_in, capsys):
    stand_in.refusal = (400, {"message": "\x1b[2J"})
    conversation.handle("Hi")

    assert "\x1b" not in capsys.readouterr().err


def test_clear_forgets_the_conversation_but_not_the_system_prompt(conversation):
    conversation.handle("Hi")
    conversation.handle("/clear")

    assert conversation.messages == [SYSTEM]


def test_system_sets_another_prompt_and_begins_anew(conversation):
    conversation.handle("Hi")
    conversation.handle("/system  Speak French,  please. ")
    assert conversation.messages == [{"role": "system", "content": "Speak French,  please."}]

    conversation.handle("/system")
    assert conversation.messages == []


def test_model_talks_to_another_or_lists_them(conversation, stand_in, capsys):
    conversation.handle("/model second-chat")
    conversation.handle("/model")
    conversation.handle("Hi")

    assert capsys.readouterr().out.startswith("  first-chat\n* second-chat\n")
    assert stand_in.requests[0]["model"] == "second-chat"


@pytest.mark.parametrize("line", ["/exit", "/quit", " /exit "])
def test_exit_leaves(conversation, line):
    assert conversation.handle(line) is Outcome.LEAVE


def test_help_lists_every_command(conversation, capsys):
    conversation.handle("/help")

    said = capsys.readouterr().out
    assert all(command in said for command in ("/help", "/clear", "/system", "/model", "/exit", "Ctrl-C"))


def test_an_unknown_command_is_not_asked_of_the_model(conversation, stand_in, capsys):
    assert conversation.handle("/frobnicate") is Outcome.FAILED
    assert "/help" in capsys.readouterr().err
    assert stand_in.requests == []


def test_two_slashes_say_one(conversation, stand_in):
    conversation.handle("//etc/hosts is what?")

    assert stand_in.requests[0]["messages"][-1] == user("/etc/hosts is what?")


def test_piped_lines_are_turns(conversation, stand_in, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.StringIO("one\n\ntwo"))

    assert answer_lines(conversation) == 0
    assert [request["messages"][-1] for request in stand_in.requests] == [user("one"), user("two")]
    assert capsys.readouterr().out == "Hello there\nHello there\n"


def test_piped_lines_go_on_after_a_failure_which_the_exit_code_tells(conversation, stand_in, monkeypatch):
    stand_in.refusal = (400, {"message": "no"})
    monkeypatch.setattr(sys, "stdin", io.StringIO("one\ntwo\n/exit\nthree\n"))

    assert answer_lines(conversation) == 1
    assert len(stand_in.requests) == 2
