// How an answer went: tokens, time to the first of them, pace, and what it cost.

import { receipt } from "./api.js";

export class Measure {
  #start = performance.now();
  #first = null;
  #usage = null;
  #id = null;

  /** Note a chunk that has come. */
  note(chunk) {
    this.#id = chunk.id;
    const delta = chunk.choices?.[0]?.delta;
    if (this.#first === null && (delta?.content?.length || delta?.tool_calls)) this.#first = performance.now();
    if (chunk.usage) this.#usage = chunk.usage;
  }

  /** Write it down under the answer. */
  async show(element) {
    const end = performance.now();
    const parts = [];
    if (this.#usage) {
      const { prompt_tokens, completion_tokens, prompt_tokens_details } = this.#usage;
      const cached = prompt_tokens_details?.cached_tokens;
      parts.push(`${prompt_tokens}${cached ? ` (${cached} cached)` : ""} tokens in, ${completion_tokens} out`);
      if (this.#first !== null && completion_tokens > 1 && end > this.#first) {
        parts.push(`${((1000 * (completion_tokens - 1)) / (end - this.#first)).toFixed(1)} tokens/s`);
      }
    }
    if (this.#first !== null) parts.splice(1, 0, `first token after ${Math.round(this.#first - this.#start)} ms`);
    parts.push(`${((end - this.#start) / 1000).toFixed(2)} s`);
    fill(element, parts);
    const bill = this.#id && (await receipt(this.#id));
    if (bill) fill(element, [...parts, ...(this.#usage ? [] : [`${bill.prompt_tokens} tokens in, ${bill.completion_tokens} out`]), bill.cost]);
  }
}

/** One span for each part. */
export function fill(element, parts) {
  element.replaceChildren(
    ...parts.map((part) => Object.assign(document.createElement("span"), { textContent: part })),
  );
}
