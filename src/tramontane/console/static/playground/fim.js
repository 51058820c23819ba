// Code with a gap, and what a model puts in it.

import { ApiError, numbers, stream } from "./api.js";
import { offerCode } from "./code.js";
import { Measure } from "./measure.js";
import { remember, sendsByKey } from "./remember.js";

const PATH = "/v1/fim/completions";
const $ = (id) => document.getElementById(id);
let running = null;

function request() {
  const stops = $("stop-strings").value.split("\n").filter((line) => line);
  return {
    model: $("model").value,
    prompt: $("prefix").value,
    suffix: $("suffix").value,
    ...numbers("temperature", "top_p", "max_tokens", "random_seed"),
    ...(stops.length ? { stop: stops } : {}),
  };
}

async function fill() {
  const body = request();
  const measure = new Measure();
  running = new AbortController();
  $("problem").hidden = true;
  $("before").textContent = body.prompt;
  $("after").textContent = body.suffix;
  $("filled").textContent = "";
  $("send").disabled = true;
  $("stop").hidden = false;
  $("take").hidden = true;
  $("status").textContent = "The model fills the gap.";
  try {
    for await (const chunk of stream(PATH, body, running.signal)) {
      measure.note(chunk);
      $("filled").append(chunk.choices[0]?.delta?.content ?? "");
    }
    $("status").textContent = "The gap is filled.";
  } catch (error) {
    $("status").textContent = "Stopped.";
    if (error.name !== "AbortError") {
      $("problem").hidden = false;
      $("problem").textContent =
        error instanceof ApiError ? error.message : "The connection to the server broke. Is it running?";
    }
  }
  running = null;
  $("send").disabled = false;
  $("stop").hidden = true;
  $("take").hidden = !$("filled").textContent;
  await measure.show($("stats"));
}

$("fim")?.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!running) fill();
});
$("stop")?.addEventListener("click", () => running?.abort());
$("take")?.addEventListener("click", () => {
  $("prefix").value += $("filled").textContent;
  $("take").hidden = true;
  $("prefix").focus();
  $("prefix").setSelectionRange($("prefix").value.length, $("prefix").value.length);
});
if ($("fim")) {
  remember("fim", ["workspace", "model", "temperature", "top_p", "max_tokens", "random_seed", "stop-strings"], "reset");
  sendsByKey($("fim"));
  offerCode(() => ({ path: PATH, body: request() }));
}
