// Calls of the API from the playground: the console hands them on in the name of the chosen workspace.

/** An error that the API answers with; the message is fit to be shown. */
export class ApiError extends Error {}

const root = document.querySelector("[data-calls]");

async function post(path, body, signal) {
  const response = await fetch(root.dataset.calls + path, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-csrf-token": root.dataset.csrf,
      "x-workspace": document.getElementById("workspace").value,
    },
    body: JSON.stringify(body),
    signal,
  });
  if (!response.ok) throw new ApiError(await explanation(response));
  return response;
}

async function explanation(response) {
  if (response.status === 401) return "You are signed out. Open this page again to sign in.";
  let body;
  try {
    body = await response.json();
  } catch {
    return `The server answered with status ${response.status}. Open this page again and repeat it.`;
  }
  const wait = response.headers.get("retry-after");
  const advice = response.status === 429 && wait ? ` Try again in ${wait} s.` : "";
  const details = body.detail;
  if (Array.isArray(details)) {
    return details.map((one) => `${one.loc.slice(1).join(".")}: ${one.msg}`).join("; ");
  }
  return `${body.message ?? details ?? `Status ${response.status}`}${advice} (${response.status})`;
}

/** The whole answer. */
export async function call(path, body) {
  return (await post(path, body)).json();
}

/** The chunks of a streamed answer. An error in the stream is thrown. */
export async function* stream(path, body, signal) {
  const response = await post(path, { ...body, stream: true }, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const frames = (text + value).split("\n\n");
    text = frames.pop();
    for (const frame of frames) {
      const data = frame.replace(/^data: /, "");
      if (data === "[DONE]") return;
      const chunk = JSON.parse(data);
      if (chunk.object === "error" || chunk.error) throw new ApiError(chunk.error?.message ?? chunk.message);
      yield chunk;
    }
  }
}

/** What the request cost, as the ledger has it. */
export async function receipt(requestId) {
  const response = await fetch(`${root.dataset.calls}/receipt/${encodeURIComponent(requestId)}`);
  return response.ok ? response.json() : null;
}

/** Reads the numbers of the settings that are filled in. */
export function numbers(...names) {
  const found = {};
  for (const name of names) {
    const value = document.getElementById(name)?.value.trim();
    if (value) found[name] = Number(value);
  }
  return found;
}
