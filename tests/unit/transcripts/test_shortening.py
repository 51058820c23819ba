import json

from tramontane.transcripts.shortening import (
    MAX_DEPTH,
    MAX_REQUEST,
    MAX_TEXT,
    shortened,
    shortened_answers,
)


def size(value):
    return len(json.dumps(value))


def test_what_is_small_stays_as_it_is():
    request = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "n": 2, "stop": None}

    assert shortened(request) == request
    assert list(shortened(request)) == list(request)


def test_a_long_text_loses_its_middle():
    short = shortened({"prompt": "a " * (MAX_TEXT // 2) + "b " * (MAX_TEXT // 2)})["prompt"]

    assert short.startswith("a a ")
    assert short.endswith("b b ")
    assert f"[{MAX_TEXT} characters are not kept]" in short


def test_of_a_long_conversation_the_end_stays():
    messages = [{"role": "user", "content": f"{number} {'x ' * 10_000}"} for number in range(40)]
    short = shortened({"model": "m", "messages": messages, "temperature": 0.5})

    assert size(short) <= MAX_REQUEST + 200
    assert short["temperature"] == 0.5
    assert short["messages"][-1] == messages[-1]
    assert short["messages"][0] == f"[{41 - len(short['messages'])} more are not kept]"


def test_of_other_lists_the_beginning_stays():
    short = shortened({"input": [f"{number} {'x ' * 10_000}" for number in range(40)]})

    assert short["input"][0].startswith("0 ")
    assert short["input"][-1].endswith("more are not kept]")
    assert size(short) <= MAX_REQUEST + 200


def test_files_are_named_and_not_kept():
    parts = [
        {"type": "image_url", "image_url": "data:image/png;base64,iVBORw0KGgo="},
        {"type": "input_audio", "input_audio": "A" * 5000},
        {"type": "text", "text": "Look at data:image/png;base64,x"},
    ]
    short = shortened({"messages": [{"content": parts}]})["messages"][0]["content"]

    assert short[0]["image_url"] == "[data:image/png;base64, 34 characters]"
    assert short[1]["input_audio"] == "[a file, 5000 characters]"
    assert short[2] == parts[2]


def test_what_is_nested_deeply_or_too_large_as_a_whole_is_cut():
    nested: dict = {}
    for _ in range(500):
        nested = {"in": nested}
    large = {f"key{number}": "x" * 1000 for number in range(1000)}
    short = shortened({"schema": nested, "metadata": large, "model": "m"})

    assert "nested deeper" in json.dumps(short["schema"])
    assert json.dumps(short["schema"]).count("in") <= MAX_DEPTH + 1
    assert short["metadata"] == "[larger than is kept]"
    assert short["model"] == "m"


def test_answers_are_kept_from_the_first_on():
    answers = [{"text": "x " * (MAX_TEXT // 2), "finish_reason": "stop"} for _ in range(20)]
    kept = shortened_answers(answers)

    assert kept[0] == answers[0]
    assert kept[-1] == {"text": f"[{21 - len(kept)} more answers are not kept]"}
    assert size(kept) <= MAX_REQUEST + 2000
