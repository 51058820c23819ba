"""What an engine says → the text, the thoughts and the calls of an answer."""

from collections.abc import Sequence
from typing import Protocol

from tramontane.core.output_format import PLAIN_TEXT, OutputFormat, Section
from tramontane.core.vocabulary import Vocabulary
from tramontane.parsing.calls import Calls, read_calls
from tramontane.parsing.detokenizer import Detokenizer
from tramontane.parsing.sections import Piece, sections_of
from tramontane.parsing.stop import StopFilter, StopStrings
from tramontane.parsing.suffix import SuffixAnchor, SuffixFilter


class TextFilter(Protocol):
    """Passes text on up to a point of its own choosing."""

    stopped: bool
    """That point was reached."""

    def feed(self, text: str, *, may_stop: bool = True) -> str:
        """What can be passed on."""
        ...

    def flush(self) -> str:
        """What was held back; no more text follows."""
        ...


class AnswerParser:
    """One answer: token ids in, text, thoughts and calls out.

    The text ends at a stop string or where the suffix resumes; thoughts and calls are not searched for these.
    Behind the last call that there may be, the answer is over.
    However the ids are split over calls, all that comes out is the same in the end.

    Args:
        vocabulary: of the model.
        stop: strings that end the answer.
        suffix: code that follows the answer, if the model does not see it.
        min_tokens: the answer does not end in the text of this many tokens.
        output_format: how the model marks thoughts and calls, as far as they are to be told from text.
        begins_in: what the model goes on with.
        max_calls: the answer ends with so many calls.
        drops_blank: if the answer begins with a blank, that is not part of it.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        stop: StopStrings | None = None,
        suffix: SuffixAnchor | None = None,
        min_tokens: int = 0,
        output_format: OutputFormat = PLAIN_TEXT,
        begins_in: Section = Section.TEXT,
        *,
        max_calls: int | None = None,
        drops_blank: bool = False,
    ) -> None:
        self._detokenizer = Detokenizer(vocabulary, output_format.tag_tokens, drops_blank=drops_blank)
        self._max_calls = max_calls
        self._min_tokens = min_tokens
        self._filters: list[TextFilter] = []
        if stop:
            self._filters.append(StopFilter(stop))
        if suffix:
            self._filters.append(SuffixFilter(suffix))
        self._call_format = output_format.calls
        self._sections = sections_of(output_format, begins_in)
        self._marks = self._sections.marks if self._sections else frozenset[int]()
        self._ends_itself = bool(self._filters) or max_calls is not None
        """The answer may end at a token of its own choosing, which is then to be counted."""
        self.stopped = False
        self.token_count = 0
        """Tokens up to and including the one that ended the answer."""
        self.found = Calls()
        """The calls; known once the answer has `stopped`, or after `flush`."""

    def feed(self, token_ids: Sequence[int]) -> Piece:
        """More of the answer; nothing once it has `stopped`."""
        if not self._ends_itself and self._marks.isdisjoint(token_ids):
            self.token_count += len(token_ids)
            return self._sort(self._detokenizer.feed(token_ids))
        texts, thoughts = [], []
        for token_id in token_ids:
            if self.stopped:
                break
            self.token_count += 1
            read = ""
            if token_id in self._marks:
                text, thought = self._mark(token_id)
            else:
                read = self._detokenizer.feed((token_id,))
                text, thought = self._sort(read)
            texts.append(self._filter(text))
            thoughts.append(thought)
            if "}" in read and self._has_all_calls():
                texts.append(self._end(cut=True))
                self.stopped = True
        return Piece("".join(texts), "".join(thoughts))

    def flush(self, *, cut: bool = False) -> Piece:
        """The rest of the answer, which was `cut` by its length or not."""
        if self.stopped:
            return Piece()
        text, thought = self._sort(self._detokenizer.flush())
        if self._sections:
            held = self._sections.flush()
            text, thought = text + held.text, thought + held.thought
        return Piece(self._filter(text) + self._end(cut=cut), thought)

    def _sort(self, text: str) -> Piece:
        return self._sections.feed(text) if self._sections else Piece(text)

    def _mark(self, token_id: int) -> Piece:
        """Half a character before a mark is never completed."""
        piece = self._sort(self._detokenizer.flush())
        if self._sections:
            self._sections.mark(token_id)
        return piece

    def _end(self, *, cut: bool) -> str:
        """What calls and filters leave of the text, unless it has ended before."""
        if self.stopped:
            return ""
        text = self._filter(self._read_calls(cut=cut))
        return text + self._flush_filters()

    def _read_calls(self, *, cut: bool) -> str:
        """Read the calls; returns what is none."""
        if self._sections is None or self._sections.calls is None or self._call_format is None:
            return ""
        body = "".join(self._sections.calls)
        self.found = read_calls(body, self._call_format, self._max_calls, cut=cut)
        return self.found.text

    def _has_all_calls(self) -> bool:
        """Whether the last call that there may be is complete."""
        if self._max_calls is None or self.stopped:
            return False
        self._read_calls(cut=True)
        calls = self.found.calls
        return len(calls) == self._max_calls and bool(calls[-1].arguments)

    def _filter(self, text: str) -> str:
        may_stop = self.token_count > self._min_tokens
        for text_filter in self._filters:
            text = text_filter.feed(text, may_stop=may_stop)
            if self.stopped and not text_filter.stopped:
                text += text_filter.flush()
            self.stopped = self.stopped or text_filter.stopped
        return text

    def _flush_filters(self) -> str:
        if self.stopped:
            return ""
        text = ""
        for text_filter in self._filters:
            text = text_filter.feed(text)
            if not text_filter.stopped:
                text += text_filter.flush()
            self.stopped = self.stopped or text_filter.stopped
        return text
