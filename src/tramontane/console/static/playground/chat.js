// A conversation with a model.

import { ApiError, numbers, stream } from "./api.js";
import { offerCode } from "./code.js";
import { highlight, offerCopy, showMarkdown } from "./markdown.js";
import { Measure } from "./measure.js";
import { remember, sendsByKey } from "./remember.js";

const PATH = "/v1/chat/completions";
const EXAMPLE_TOOL = [
  {
    type: "function",
    function: {
      name: "get_weather",
      description: "The weather in a city now.",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  },
];
const EXAMPLE_SCHEMA = {
  type: "object",
  properties: { name: { type: "string" }, age: { type: "integer" } },
  required: ["name", "age"],
  additionalProperties: false,
};

const $ = (id) => document.getElementById(id);
const conversation = [];
let running = null;

class SettingError extends Error {}

function setting(id, name) {
  try {
    return JSON.parse($(id).value);
  } catch (error) {
    throw new SettingError(`${name} are not valid JSON: ${error.message}`);
  }
}

function request(said) {
  const body = { model: $("model").value, messages: [...said] };
  const system = $("system").value.trim();
  if (system) body.messages.unshift({ role: "system", content: system });
  Object.assign(body, numbers("temperature", "top_p", "max_tokens", "random_seed", "presence_penalty", "frequency_penalty"));
  const stops = $("stop-strings").value.split("\n").filter((line) => line);
  if (stops.length) body.stop = stops;
  if ($("tools").value.trim()) {
    body.tools = setting("tools", "The tools");
    body.tool_choice = $("tool_choice").value;
  }
  const format = $("format").value;
  if (format === "json_object") body.response_format = { type: format };
  if (format === "json_schema") {
    const schema = $("schema").value.trim() ? setting("schema", "The words of the schema") : {};
    body.response_format = { type: format, json_schema: { name: "answer", schema, strict: true } };
  }
  return body;
}

function message(role, label) {
  const item = document.createElement("li");
  item.className = `message ${role}`;
  const header = document.createElement("header");
  header.textContent = label;
  item.append(header);
  $("messages").append(item);
  $("empty").hidden = true;
  return item;
}

function child(parent, tag, className, text = "") {
  const element = Object.assign(document.createElement(tag), { className, textContent: text });
  parent.append(element);
  return element;
}

/** Whether the reader is at the end, where more appears. */
function isAtEnd() {
  return innerHeight + scrollY >= document.body.scrollHeight - 160;
}

class Answer {
  text = "";
  thought = "";
  calls = [];
  #dirty = false;

  constructor() {
    this.item = message("assistant", $("model").value);
    this.item.classList.add("busy");
    this.markdown = child(this.item, "div", "markdown");
  }

  take(chunk) {
    const delta = chunk.choices[0]?.delta ?? {};
    if (Array.isArray(delta.content)) {
      for (const part of delta.content) {
        if (part.type === "thinking") this.thought += part.thinking.map((one) => one.text ?? "").join("");
        if (part.type === "text") this.text += part.text;
      }
    } else if (delta.content) this.text += delta.content;
    if (delta.tool_calls) this.calls.push(...delta.tool_calls);
    if (!this.#dirty) {
      this.#dirty = true;
      requestAnimationFrame(() => this.#dirty && this.draw());
    }
  }

  draw() {
    this.#dirty = false;
    if (this.thought) {
      this.thinking ??= child(this.item, "div", "thinking");
      this.markdown.before(this.thinking);
      this.thinking.textContent = this.thought;
    }
    const follows = isAtEnd();
    showMarkdown(this.markdown, this.text);
    if (follows) scrollTo({ top: document.body.scrollHeight });
  }

  end() {
    this.draw();
    this.item.classList.remove("busy");
    highlight(this.markdown);
    for (const call of this.calls) {
      const pre = child(this.item, "pre", "");
      pre.tabIndex = 0;
      child(pre, "code", "", `${call.function.name}(${call.function.arguments})`);
      offerCopy(pre);
      const label = child(this.item, "label", "", `Result of ${call.function.name}, then send`);
      const field = child(this.item, "textarea", "code");
      field.rows = 2;
      field.id = label.htmlFor = `result-${call.id}`;
      field.dataset.call = call.id;
      field.dataset.name = call.function.name;
    }
  }
}

function results() {
  const fields = [...document.querySelectorAll("[data-call]")];
  return fields.map((field) => {
    const { call, name } = field.dataset;
    field.readOnly = true;
    delete field.dataset.call;
    return { role: "tool", tool_call_id: call, name, content: field.value };
  });
}

async function say(text) {
  const said = results();
  if (text) {
    said.push({ role: "user", content: text });
    child(message("user", "You"), "div", "plain", text);
  }
  let body;
  try {
    body = request([...conversation, ...said]);
  } catch (error) {
    if (!(error instanceof SettingError)) throw error;
    child(message("assistant", "Not sent"), "p", "problem", error.message).setAttribute("role", "alert");
    $("text").value ||= text;
    return;
  }
  const before = conversation.length;
  conversation.push(...said);
  if (await answer(body)) return;
  conversation.length = before; // nothing was answered: it can be sent again
  $("text").value ||= text;
}

/** Ask again what the last answer was to. */
async function again() {
  let body;
  const turn = conversation.pop();
  try {
    body = request(conversation);
  } catch (error) {
    conversation.push(turn);
    if (!(error instanceof SettingError)) throw error;
    child(message("assistant", "Not sent"), "p", "problem", error.message).setAttribute("role", "alert");
    return;
  }
  document.querySelector(".message.assistant:last-child").remove();
  await answer(body);
}

/** Show the answer as it comes; says whether there was one. */
async function answer(body) {
  document.querySelector(".again")?.remove();
  const shown = new Answer();
  const measure = new Measure();
  running = new AbortController();
  busy(true);
  $("status").textContent = "The model answers.";
  try {
    for await (const chunk of stream(PATH, body, running.signal)) {
      measure.note(chunk);
      shown.take(chunk);
    }
    $("status").textContent = "The answer is complete.";
  } catch (error) {
    if (error.name === "AbortError") {
      $("status").textContent = "Stopped.";
      shown.item.querySelector("header").append(badge("stopped"));
    } else {
      const words = error instanceof ApiError ? error.message : "The connection to the server broke. Is it running?";
      child(shown.item, "p", "problem", words).setAttribute("role", "alert");
      $("status").textContent = "";
    }
  }
  shown.end();
  const isAnswer = Boolean(shown.text || shown.calls.length);
  if (isAnswer) {
    const turn = { role: "assistant", content: shown.text };
    if (shown.calls.length) turn.tool_calls = shown.calls.map(({ id, type, function: called }) => ({ id, type, function: called }));
    conversation.push(turn);
  }
  running = null;
  busy(false);
  const follows = isAtEnd();
  const foot = child(shown.item, "div", "underneath");
  const stats = child(foot, "p", "stats");
  if (isAnswer) {
    const button = child(foot, "button", "quiet again", "Try again");
    button.type = "button";
    button.addEventListener("click", () => running || again());
  }
  await measure.show(stats);
  if (follows) scrollTo({ top: document.body.scrollHeight });
  return isAnswer;
}

function badge(text) {
  return Object.assign(document.createElement("span"), { className: "badge warn", textContent: text });
}

function busy(isBusy) {
  $("send").disabled = isBusy;
  $("stop").hidden = !isBusy;
  $("messages").setAttribute("aria-busy", String(isBusy));
  if (isBusy) $("stop").focus();
  else $("text").focus();
}

$("say")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (running || (!text && !document.querySelector("[data-call]"))) return;
  $("text").value = "";
  say(text);
});
$("text")?.addEventListener("input", () => ($("text").required = !document.querySelector("[data-call]")));
$("text")?.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $("say").requestSubmit();
  }
});
$("stop")?.addEventListener("click", () => running?.abort());
$("clear")?.addEventListener("click", () => {
  running?.abort();
  conversation.length = 0;
  $("messages").replaceChildren();
  $("empty").hidden = false;
  $("text").focus();
});
$("settings")?.addEventListener("submit", (event) => {
  event.preventDefault();
  $("text").focus();
});
$("example-tool")?.addEventListener("click", () => ($("tools").value = JSON.stringify(EXAMPLE_TOOL, null, 2)));
$("example-schema")?.addEventListener("click", () => {
  $("schema").value = JSON.stringify(EXAMPLE_SCHEMA, null, 2);
  $("format").value = "json_schema";
});
$("schema")?.addEventListener("input", () => {
  if ($("schema").value.trim()) $("format").value = "json_schema";
});
const SETTINGS = [
  "workspace", "model", "system", "temperature", "top_p", "max_tokens", "random_seed", "presence_penalty",
  "frequency_penalty", "stop-strings", "tools", "tool_choice", "schema", "format",
];
if ($("say")) {
  const save = remember("chat", SETTINGS, "reset");
  for (const id of ["example-tool", "example-schema"]) $(id).addEventListener("click", save);
  sendsByKey($("say"));
  offerCode(() => {
    const text = $("text").value.trim();
    const said = [...conversation];
    if (text || !said.length) said.push({ role: "user", content: text || "Hello!" });
    while (said.at(-1).role === "assistant") said.pop();
    return { path: PATH, body: { ...request(said), stream: true } };
  });
}
