from tramontane.prompts.dialects.affinity import affinity
from tramontane.prompts.dialects.size import prompt_size
from tramontane.schemas.chat import ChatCompletionRequest
from tramontane.schemas.fim import FIMCompletionRequest


def key(*texts, cache_key=None, workspace="w"):
    roles = ["system", "user", "assistant", "user", "assistant", "user"]
    messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
    request = ChatCompletionRequest(model="m", messages=messages, prompt_cache_key=cache_key)
    return affinity(request, workspace)


def test_a_conversation_keeps_its_key_while_it_grows():
    assert key("s", "hello") == key("s", "hello", "hi", "and now?")


def test_conversations_that_begin_differently_have_different_keys():
    assert len({key("s", "hello"), key("s", "hallo"), key("t", "hello")}) == 3


def test_a_clients_own_key_goes_before_and_belongs_to_its_workspace():
    assert key("s", "a", cache_key="k") == key("t", "b", cache_key="k")
    assert key("s", "a", cache_key="k") != key("s", "a", cache_key="k", workspace="v")


def test_a_gap_that_moves_on_keeps_its_key():
    code = "def f():\n" * 200
    gaps = [FIMCompletionRequest(model="m", prompt=code + more) for more in ("", "    return 1")]

    assert affinity(gaps[0], "w") == affinity(gaps[1], "w")


def test_no_tokenizer_makes_more_of_a_prompt_than_its_size_at_most():
    text = "🙂" * 100
    size = prompt_size({"messages": [{"role": "user", "content": text}], "temperature": 1})

    assert size.most >= len(text.encode()) + 1
    assert 0 < size.likely < size.most


def test_the_data_of_a_picture_counts_as_a_picture_not_as_text():
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 1_000_000}}
    size = prompt_size({"messages": [{"role": "user", "content": [picture]}]})

    assert size.most < 10_000
