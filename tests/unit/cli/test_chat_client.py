import pytest

from tests.support.api_stand_in import DONE
from tramontane.cli.chat_client import ChatClient, Sampling
from tramontane.errors import RemoteServerError

QUESTION = [{"role": "user", "content": "Hi"}]


@pytest.fixture
def client(stand_in):
    with ChatClient(stand_in.base_url + "/v1/", stand_in.key) as client:
        yield client


def ask(client, **sampling):
    return list(client.stream("first-chat", QUESTION, Sampling(**sampling)))


def test_an_answer_comes_in_pieces(client, stand_in):
    stand_in.answer = ["Hello", "", " there", {"choices": [{"delta": {}}]}, {"choices": []}, DONE]

    assert ask(client) == ["Hello", " there"]
    assert stand_in.requests == [{"model": "first-chat", "messages": QUESTION, "stream": True}]


def test_what_the_user_chose_is_asked_for_even_when_it_is_zero(client, stand_in):
    stand_in.answer = [DONE]
    ask(client, temperature=0.0, max_tokens=5)

    assert stand_in.requests[0]["temperature"] == 0
    assert stand_in.requests[0]["max_tokens"] == 5


def test_half_characters_are_replaced_on_the_way_out(client, stand_in):
    stand_in.answer = [DONE]
    list(client.stream("first-chat", [{"role": "user", "content": "a\udcffb"}], Sampling()))

    assert stand_in.requests[0]["messages"][0]["content"] == "a?b"


def test_only_models_that_chat_are_listed(client):
    assert client.chat_models() == ["first-chat", "second-chat"]


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (401, {"detail": "Invalid API Key"}, r"^Invalid API Key \(HTTP 401\)$"),
        (
            400,
            {"object": "error", "message": "Invalid model: x", "code": "1500"},
            r"^Invalid model: x \(HTTP 400\)$",
        ),
        (
            422,
            {"detail": [{"loc": ["body", "temperature"], "msg": "too high"}]},
            r"^body\.temperature: too high \(",
        ),
        (400, {"error": {"message": "OpenAI's shape"}}, r"^OpenAI's shape \("),
        (500, b"<html>", r"^Internal Server Error \(HTTP 500\)$"),
    ],
)
def test_a_refusal_is_told_in_the_servers_words(client, stand_in, status, body, message):
    stand_in.refusal = (status, body)

    with pytest.raises(RemoteServerError, match=message):
        ask(client)


def test_a_wrong_key_is_told(stand_in):
    with ChatClient(stand_in.base_url, "wrong") as client:
        with pytest.raises(RemoteServerError, match="Invalid API Key"):
            client.chat_models()
        with pytest.raises(RemoteServerError, match="Invalid API Key"):
            ask(client)


@pytest.mark.parametrize(
    "end",
    [
        [{"object": "error", "message": "Service unavailable."}],
        [b""],
        [b"data: {not json\n\n"],
        [b"data: []\n\n"],
        [{"choices": [{}]}],
        [{"choices": None}],
    ],
)
def test_an_answer_that_breaks_off_is_an_error_after_what_came(client, stand_in, end):
    stand_in.answer = ["Hello", *end]
    texts = client.stream("first-chat", QUESTION, Sampling())

    assert next(texts) == "Hello"
    with pytest.raises(RemoteServerError):
        next(texts)


def test_closing_the_answer_closes_the_connection(client, stand_in):
    stand_in.answer = [part for _ in range(500) for part in ("word ", 0.01)]
    texts = client.stream("first-chat", QUESTION, Sampling())
    next(texts)
    texts.close()

    assert stand_in.client_left.wait(60)


def test_nobody_there_is_told():
    with ChatClient("http://127.0.0.1:1", "some-key") as client:
        assert not client.is_ready()
        with pytest.raises(RemoteServerError, match=r"http://127\.0\.0\.1:1 cannot be reached"):
            client.chat_models()


def test_a_server_that_is_there_is_ready(client):
    assert client.is_ready()


@pytest.mark.parametrize("url", ["no url", "http://[", "ftp://127.0.0.1", "http://127.0.0.1:port"])
def test_what_is_no_url_is_told(url):
    with pytest.raises(RemoteServerError), ChatClient(url, "some-key") as client:
        client.chat_models()


def test_a_proxy_is_not_asked_for_this_machine(monkeypatch, stand_in):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with ChatClient(stand_in.base_url, stand_in.key) as client:
        assert client.chat_models()
