// How near lines of text are to one another.

import { ApiError, call, receipt } from "./api.js";
import { offerCode } from "./code.js";
import { fill } from "./measure.js";
import { remember, sendsByKey } from "./remember.js";

const PATH = "/v1/embeddings";
const MAX_LINES = 40;
const $ = (id) => document.getElementById(id);

function request() {
  const lines = $("lines").value.split("\n").map((line) => line.trim()).filter((line) => line);
  return { model: $("model").value, input: lines.slice(0, MAX_LINES) };
}

function cosine(one, other) {
  let product = 0, left = 0, right = 0;
  for (let i = 0; i < one.length; i++) {
    product += one[i] * other[i];
    left += one[i] * one[i];
    right += other[i] * other[i];
  }
  return product / Math.sqrt(left * right || 1);
}

function cell(tag, text, scope) {
  const element = Object.assign(document.createElement(tag), { textContent: text });
  if (scope) element.scope = scope;
  return element;
}

function draw(lines, vectors) {
  const head = document.createElement("tr");
  head.append(cell("td", ""), ...lines.map((_, index) => cell("th", String(index + 1), "col")));
  const rows = lines.map((line, index) => {
    const row = document.createElement("tr");
    const name = cell("th", `${index + 1}. ${line}`, "row");
    name.title = line;
    row.append(name, ...vectors.map((vector) => {
      const similarity = cosine(vectors[index], vector);
      const one = cell("td", similarity.toFixed(2));
      const share = Math.round(Math.max(0, similarity) * 45);
      one.style.backgroundColor = `color-mix(in srgb, var(--accent) ${share}%, transparent)`;
      return one;
    }));
    return row;
  });
  const body = document.createElement("tbody");
  body.append(...rows);
  const top = document.createElement("thead");
  top.append(head);
  $("matrix").replaceChildren(top, body);
}

async function compare() {
  const body = request();
  if (!body.input.length) return;
  $("send").disabled = true;
  $("problem").hidden = true;
  const start = performance.now();
  try {
    const answer = await call(PATH, body);
    const parts = [
      `${body.input.length} texts`,
      `${answer.data[0].embedding.length} dimensions`,
      `${answer.usage.prompt_tokens} tokens`,
      `${Math.round(performance.now() - start)} ms`,
    ];
    draw(body.input, answer.data.map((one) => one.embedding));
    $("result").hidden = false;
    fill($("stats"), parts);
    $("status").textContent = "The similarities are there.";
    const bill = await receipt(answer.id);
    if (bill) fill($("stats"), [...parts, bill.cost]);
  } catch (error) {
    $("problem").hidden = false;
    $("problem").textContent =
      error instanceof ApiError ? error.message : "The connection to the server broke. Is it running?";
  }
  $("send").disabled = false;
}

$("embeddings")?.addEventListener("submit", (event) => {
  event.preventDefault();
  compare();
});
if ($("embeddings")) {
  remember("embeddings", ["workspace", "model"]);
  sendsByKey($("embeddings"));
  offerCode(() => ({ path: PATH, body: request() }));
}
