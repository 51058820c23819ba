"""What engines do that name an ability: the rest of the long form of `tramontane.engines.protocol`.

An engine that does not name it refuses what needs it, and the suite is skipped.
"""

import asyncio
import math
import re
from contextlib import aclosing

import pytest

from tests.engines.conformance import complete, until
from tramontane.core.events import FinishReason
from tramontane.core.prompt import PromptAudio, PromptImage, TokensPrompt
from tramontane.core.sampling import SamplingParams
from tramontane.engines.protocol import Ability
from tramontane.errors import FeatureNotEnabledError, InvalidRequestError
from tramontane.prompts.grammar.ebnf import render
from tramontane.prompts.grammar.expressions import Text, characters, repeat

ROUNDING = 0.1
"""Of logits, which differ with what is cached and who else is answered."""
GRAMMARS = {
    r"[a-c]{3,5}-\d{1,4}\.": 'root ::= [a-c]{3,5} "-" [0-9]{1,4} "."',
    r"(the|thing|an) ?!": 'root ::= ("the" | "thing" | "an") " "? "!"',
    r"\{\"name\": \"[^\"]{0,8}\", \"ok\": (true|false)\}": (
        'root ::= "{\\"name\\": \\"" [ !#-~]{0,8} "\\", \\"ok\\": " ("true" | "false") "}"'
    ),
    r"[^\x00-\x1f]{30}": (
        r"root ::= [\u0020-\u007f\u0080-\u07ff\u0800-\u0fff\u1000-\ucfff\ud000-\ud7ff"
        r"\ue000-\uffff\U00010000-\U0003ffff\U00040000-\U000fffff]{30}"
    ),
    r"é[α-ω]{2,4}😀": 'root ::= "é" [α-ω]{2,4} "😀"',
    r"(\([ab]?\)|\[\]){2}": 'root ::= pair pair\npair ::= "(" [ab]? ")" | "[]"',
}


@pytest.mark.anyio
class GrammarConformance:
    """The suite of engines with `Ability.GRAMMAR`."""

    @pytest.fixture(autouse=True)
    def _able(self, engine):
        if Ability.GRAMMAR not in engine.info.abilities:
            pytest.skip("this engine obeys no grammars")

    async def obey(self, engine, harness, grammar, *, prompt=None, **params):
        """The text of an answer that obeys a grammar, and why it ended."""
        defaults = {"temperature": 1, "max_tokens": 150, "stop_token_ids": harness.vocabulary.stop_ids}
        answer = await complete(engine, prompt or harness.prompt(5), **(defaults | params), grammar=grammar)
        assert harness.vocabulary.special_ids.isdisjoint(answer.token_ids)
        text = b"".join(harness.vocabulary.token_bytes[token] for token in answer.token_ids)
        return text.decode(), answer.finish_reason

    @pytest.mark.parametrize("pattern", GRAMMARS)
    async def test_answers_obey_their_grammar_and_end_with_it(self, engine, harness, pattern):
        for seed in range(6):
            text, reason = await self.obey(engine, harness, GRAMMARS[pattern], seed=seed)

            assert re.fullmatch(pattern, text), text
            assert reason == FinishReason.STOP

    @pytest.mark.parametrize(
        "params",
        [
            {"temperature": 0},
            {"temperature": 1e-9},
            {"temperature": 2},
            {"top_k": 2},
            {"top_p": 0.1},
            {"repetition_penalty": 2.0},
            {"presence_penalty": 2.0, "frequency_penalty": 2.0},
            {"presence_penalty": -2.0, "frequency_penalty": -2.0},
            {"temperature": 0, "repetition_penalty": 2.0},
            {"logprobs": True},
            {"temperature": 0, "logprobs": True},
            {"min_tokens": 50},
            {"temperature": 0, "min_tokens": 50},
        ],
    )
    async def test_no_other_parameter_overrules_a_grammar(self, engine, harness, params):
        for pattern, grammar in GRAMMARS.items():
            text, reason = await self.obey(engine, harness, grammar, seed=3, **params)

            assert re.fullmatch(pattern, text), text
            assert reason == FinishReason.STOP

    async def test_what_a_grammar_must_say_is_said_to_the_letter(self, engine, harness):
        said = 'She said: "the\tthing"\\ \x01 naïve <|im_end|></s><|endoftext|> 日本 😀'
        escaped = "".join(f"\\U{ord(character):08x}" for character in said)

        assert await self.obey(engine, harness, f'root ::= "{escaped}"') == (said, FinishReason.STOP)

    @pytest.mark.parametrize(
        "said", ["ça, façade, décembre: où, à 9 ° é9", "\x01a\x1ff\x7f0 łe €e 😀e", "ÿ0ÿ"]
    )
    async def test_what_our_own_grammars_say_is_said_to_the_letter(self, engine, harness, said):
        grammar = render(Text(said), {})
        assert await self.obey(engine, harness, grammar) == (said, FinishReason.STOP)

    async def test_classes_of_our_own_grammars_are_what_they_say(self, engine, harness):
        allowed = characters("\x01", "abc", "é", ("0", "3"), "ł")
        text, _ = await self.obey(engine, harness, render(repeat(allowed, 60, 60), {}))
        assert len(text) == 60
        assert set(text) <= set("\x01abcé0123ł")

    async def test_control_tokens_are_no_text_of_a_grammar(self, engine, harness):
        for seed in range(6):
            text, _ = await self.obey(
                engine, harness, r"root ::= [ -~\n]{60}", seed=seed, temperature=2, max_tokens=60
            )
            assert text

    @pytest.mark.parametrize("temperature", [0, 2])
    async def test_a_grammar_has_control_tokens_where_it_spells_them(self, engine, harness, temperature):
        characters = engine.info.control_characters
        stop_ids = harness.vocabulary.stop_ids
        assert stop_ids <= characters.keys() <= harness.vocabulary.special_ids
        assert all(len(character) == 1 and character > "\U000fffff" for character in characters.values())
        assert len(set(characters.values())) == len(characters)
        for token, character in [item for item in characters.items() if item[0] not in stop_ids][:5]:
            grammar = f'root ::= "a" "{character}" [0-9] "{character}"'
            params = {"temperature": temperature, "max_tokens": 20, "seed": token}
            answer = await complete(
                engine,
                harness.prompt(5),
                stop_token_ids=stop_ids,
                grammar=grammar,
                **params,
            )
            first, mark, digit, again = answer.token_ids
            texts = [harness.vocabulary.token_bytes[text] for text in (first, digit)]
            assert texts[0] == b"a"
            assert texts[1].isdigit()
            assert mark == again == token

    async def test_an_empty_answer_obeys_a_grammar_that_allows_it(self, engine, harness):
        assert await self.obey(engine, harness, 'root ::= ""') == ("", FinishReason.STOP)

    @pytest.mark.parametrize("max_tokens", [1, 7])
    async def test_an_answer_that_is_cut_by_max_tokens_has_begun_as_it_must(
        self, engine, harness, max_tokens
    ):
        text, reason = await self.obey(engine, harness, 'root ::= [ab]{300} "."', max_tokens=max_tokens)

        assert re.fullmatch("[ab]+", text)
        assert reason == FinishReason.LENGTH

    async def test_the_same_seed_alone_gives_the_same_answer(self, engine, harness):
        prompt = harness.prompt(97)
        answers = {
            await self.obey(engine, harness, "root ::= [a-z]{40}", prompt=prompt, seed=5) for _ in range(3)
        }

        assert len(answers) == 1

    @pytest.mark.parametrize(
        "grammar",
        [
            "",
            " \n",
            "root ::= unknown",
            'start ::= "a"',
            'root ::= "a"\nroot ::= "b"',
            'root ::= "unclosed',
            "root ::= [z-a]",
            "root ::= [a-",
            "root ::= (((",
            'root ::= "a"{5,2}',
            'root ::= "a"{99999999999999999999}',
            'root ::= "\x00"',
            r'root ::= "\q"',
            'root ::= "\ud800"',
            "{",
            "root ::= " + "(" * 50_000 + '"a"' + ")" * 50_000,
            'root ::= "' + "a" * 2_000_000 + '"',
        ],
        ids=range(17),
    )
    async def test_a_grammar_that_cannot_be_read_is_refused_and_harms_no_other(
        self, engine, harness, grammar
    ):
        params = SamplingParams(max_tokens=10**9, temperature=0)
        async with aclosing(engine.generate(TokensPrompt(harness.prompt(8)), params)) as other:
            await anext(other)

            with pytest.raises(InvalidRequestError):
                await self.obey(engine, harness, grammar)

            assert (await anext(other)).token_ids
            assert await self.obey(engine, harness, 'root ::= "yes"') == ("yes", FinishReason.STOP)

    async def test_a_stop_token_that_is_text_or_none_at_all_is_refused(self, engine, harness):
        for stop_ids in ({harness.prompt(9)[8]}, set()):
            with pytest.raises(InvalidRequestError):
                await self.obey(engine, harness, 'root ::= "a"', stop_token_ids=frozenset(stop_ids))

    async def test_running_answers_go_on_while_a_large_grammar_is_read(self, engine, harness):
        large = "root ::= " + " | ".join(f'"{number:b}"' for number in range(6000))
        params = SamplingParams(max_tokens=10**9, temperature=0)
        async with aclosing(engine.generate(TokensPrompt(harness.prompt(8)), params)) as other:
            await anext(other)
            constrained = asyncio.create_task(self.obey(engine, harness, large, max_tokens=1))
            meanwhile = 0
            while not constrained.done() and await anext(other, None):
                meanwhile += 1

        text, _ = await constrained
        assert text in {"0", "1"}
        assert meanwhile > 10

    async def test_a_request_without_a_grammar_overtakes_one_whose_grammar_is_large(self, engine, harness):
        large = "root ::= " + " | ".join(f'"{number:x}"' for number in range(8000))
        finished = []

        async def note(name, request):
            await request
            finished.append(name)

        slow = asyncio.create_task(note("slow", self.obey(engine, harness, large)))
        await asyncio.sleep(0)
        await note("free", complete(engine, harness.prompt(5), max_tokens=1))
        await slow

        assert finished == ["free", "slow"]

    async def test_a_request_that_leaves_while_its_grammar_is_read_does_no_work(self, engine, harness):
        large = "root ::= " + " | ".join(f'"{number}"' for number in range(5000))
        task = asyncio.create_task(self.obey(engine, harness, large))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert await self.obey(engine, harness, 'root ::= "b"') == ("b", FinishReason.STOP)
        await until(lambda: harness.is_idle(engine), seconds=20)

    async def test_many_requests_with_and_without_grammars_at_once(self, engine, harness):
        async def constrained(number):
            pattern, grammar = list(GRAMMARS.items())[number % len(GRAMMARS)]
            text, reason = await self.obey(engine, harness, grammar, seed=number)
            return bool(re.fullmatch(pattern, text)) and reason == FinishReason.STOP

        async def own(number):
            expected = (f"no. {number}", FinishReason.STOP)
            return await self.obey(engine, harness, f'root ::= "no. {number}"') == expected

        async def free(number):
            answer = await complete(engine, harness.prompt(5), max_tokens=20, temperature=1)
            return len(answer.token_ids) == 20

        requests = [kind(number) for number in range(25) for kind in (constrained, free, own)]

        assert all(await asyncio.gather(*requests))

    async def test_answers_that_fill_the_cache_together_all_obey(self, engine, harness):
        if harness.cache_tokens is None:
            pytest.skip("this engine has no cache")
        length = engine.info.max_context_length // 2
        count = math.ceil(2 * harness.cache_tokens / length)
        prompts = [harness.prompt(length - 150)[i:] for i in range(count)]

        answers = await asyncio.gather(
            *(
                self.obey(engine, harness, 'root ::= [ab]{140} "."', prompt=prompt, max_tokens=150, seed=i)
                for i, prompt in enumerate(prompts)
            )
        )

        assert all(re.fullmatch(r"[ab]{140}\.", text) for text, _ in answers), answers

    async def test_closing_an_answer_that_obeys_a_grammar_ends_its_work(self, engine, harness):
        params = SamplingParams(
            max_tokens=10**9, stop_token_ids=harness.vocabulary.stop_ids, grammar="root ::= [ab]{100000}"
        )
        for _ in range(3):
            async with aclosing(engine.generate(TokensPrompt(harness.prompt(8)), params)) as deltas:
                await anext(deltas)

        await until(lambda: harness.is_idle(engine), seconds=20)


@pytest.mark.anyio
class LogprobsConformance:
    """The suite of engines with `Ability.LOGPROBS`."""

    @pytest.fixture(autouse=True)
    def _able(self, engine):
        if Ability.LOGPROBS not in engine.info.abilities:
            pytest.skip("this engine tells no log-probabilities")

    @pytest.mark.parametrize("temperature", [0, 1, 2])
    async def test_each_token_has_one_and_none_is_above_0(self, engine, harness, temperature):
        answer = await complete(
            engine, harness.prompt(5), max_tokens=40, temperature=temperature, seed=1, logprobs=True
        )

        for delta in answer.deltas:
            assert len(delta.logprobs) == len(delta.token_ids)
            assert all(-math.inf < logprob <= 0 for logprob in delta.logprobs)

    async def test_a_stop_token_takes_its_own_along(self, engine, harness):
        whole = await complete(engine, harness.prompt(5), max_tokens=40)
        stop = whole.token_ids[20]

        answer = await complete(
            engine, harness.prompt(5), max_tokens=40, stop_token_ids=frozenset({stop}), logprobs=True
        )

        assert answer.finish_reason == FinishReason.STOP
        assert sum(len(delta.logprobs) for delta in answer.deltas) == len(answer.token_ids)

    async def test_there_are_none_unless_asked_for(self, engine, harness):
        answer = await complete(engine, harness.prompt(5))

        assert all(len(delta.logprobs) == 0 for delta in answer.deltas)

    async def test_they_are_of_one_distribution_whose_likeliest_token_is_the_greedy_one(
        self, engine, harness
    ):
        async def first(**params):
            answer = await complete(engine, harness.prompt(5), max_tokens=1, logprobs=True, **params)
            return answer.token_ids[0], answer.deltas[0].logprobs[0]

        _, greedy = await first()
        sampled = dict([await first(temperature=2, seed=seed) for seed in range(40)])

        assert all(logprob <= greedy + ROUNDING for logprob in sampled.values())
        assert sum(map(math.exp, sampled.values())) <= math.exp(ROUNDING)

    @pytest.mark.parametrize(
        "params", [{"temperature": 2, "top_k": 1}, {"temperature": 0.5, "top_p": 1e-9}, {"temperature": 1e-9}]
    )
    async def test_temperature_and_cuts_do_not_change_them(self, engine, harness, params):
        greedy = await complete(engine, harness.prompt(7), logprobs=True)

        answer = await complete(engine, harness.prompt(7), logprobs=True, **params)

        assert answer.token_ids == greedy.token_ids
        expected = [logprob for delta in greedy.deltas for logprob in delta.logprobs]
        logprobs = [logprob for delta in answer.deltas for logprob in delta.logprobs]
        assert logprobs == pytest.approx(expected, abs=ROUNDING)

    async def test_a_grammar_does_not_change_them(self, engine, harness):
        if Ability.GRAMMAR not in engine.info.abilities:
            pytest.skip("this engine obeys no grammars")
        stop_ids = harness.vocabulary.stop_ids
        params = {"max_tokens": 1, "logprobs": True, "stop_token_ids": stop_ids}
        likeliest = await complete(engine, harness.prompt(5), **params)

        forced = [
            await complete(engine, harness.prompt(5), grammar=f'root ::= "{letter}"', **params)
            for letter in "abcdefgh"
        ]

        logprobs = [answer.deltas[0].logprobs[0] for answer in forced]
        assert sum(map(math.exp, logprobs)) <= math.exp(ROUNDING)
        assert max(logprobs) <= likeliest.deltas[0].logprobs[0] + ROUNDING

    async def test_what_piles_up_for_a_slow_reader_keeps_its_own(self, engine, harness):
        params = SamplingParams(max_tokens=60, temperature=0, logprobs=True)
        async with aclosing(engine.generate(TokensPrompt(harness.prompt(9)), params)) as deltas:
            first = await anext(deltas)
            await asyncio.sleep(0.2)
            rest = [delta async for delta in deltas]

        assert all(len(delta.logprobs) == len(delta.token_ids) for delta in [first, *rest])
        assert sum(len(delta.logprobs) for delta in [first, *rest]) == 60


@pytest.mark.anyio
class RefusalConformance:
    """The suite of all engines that continue prompts."""

    @pytest.mark.parametrize(
        ("ability", "params"),
        [(Ability.GRAMMAR, {"grammar": 'root ::= "a"'}), (Ability.LOGPROBS, {"logprobs": True})],
    )
    async def test_what_needs_an_ability_that_the_engine_lacks_is_refused(
        self, engine, harness, ability, params
    ):
        if ability in engine.info.abilities:
            pytest.skip("this engine has the ability")

        with pytest.raises(FeatureNotEnabledError):
            await complete(engine, harness.prompt(5), stop_token_ids=harness.vocabulary.stop_ids, **params)

    @pytest.mark.parametrize(
        ("ability", "media"),
        [
            (Ability.VISION, {"images": [PromptImage(1, 1, b"rgb")]}),
            (Ability.AUDIO, {"audios": [PromptAudio(16_000, bytes(4))]}),
        ],
    )
    async def test_media_that_the_engine_cannot_read_are_refused(self, engine, harness, ability, media):
        if ability in engine.info.abilities:
            pytest.skip("this engine reads them")
        prompt = TokensPrompt(harness.prompt(3), **media)
        with pytest.raises(FeatureNotEnabledError, match="input is not enabled"):
            await anext(engine.generate(prompt, SamplingParams(max_tokens=1)))
