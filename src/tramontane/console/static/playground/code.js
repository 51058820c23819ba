// The request of the playground as a program.

const BODY_INDENT = 2;

const WRITERS = {
  curl: (url, path, body) =>
    [
      `curl ${body.stream ? "--no-buffer " : ""}${url}${path} \\`,
      `  -H "Authorization: Bearer $TRAMONTANE_API_KEY" \\`,
      `  -H "Content-Type: application/json" \\`,
      `  -d '${JSON.stringify(body, null, BODY_INDENT).replaceAll("'", "'\\''")}'`,
    ].join("\n"),

  mistralai: (url, path, body) => {
    const method = { "/v1/chat/completions": "chat", "/v1/fim/completions": "fim", "/v1/embeddings": "embeddings" }[path];
    const { stream, input, ...rest } = body;
    const fields = input === undefined ? rest : { ...rest, inputs: input };
    const verb = method === "embeddings" ? "create" : stream ? "stream" : "complete";
    const head = `import os

from mistralai.client import Mistral

client = Mistral(api_key=os.environ["TRAMONTANE_API_KEY"], server_url="${url}")
answer = client.${method}.${verb}(
${pythonArguments(fields)})
`;
    if (method === "embeddings") return `${head}print(answer.data[0].embedding)`;
    if (!stream) return `${head}print(answer.choices[0].message.content)`;
    return `${head}for event in answer:
    print(event.data.choices[0].delta.content or "", end="", flush=True)`;
  },

  openai: (url, path, body) => {
    if (path === "/v1/fim/completions") {
      return `# OpenAI's client has no fill-in-the-middle; httpx asks for it directly.
import os

import httpx

answer = httpx.post(
    "${url}${path}",
    headers={"Authorization": f"Bearer {os.environ['TRAMONTANE_API_KEY']}"},
    json=${python({ ...body, stream: false }, 1)},
    timeout=60,
)
print(answer.json()["choices"][0]["message"]["content"])`;
    }
    const head = `import os

from openai import OpenAI

client = OpenAI(api_key=os.environ["TRAMONTANE_API_KEY"], base_url="${url}/v1")
`;
    if (path === "/v1/embeddings") {
      return `${head}answer = client.embeddings.create(
${pythonArguments(body)})
print(answer.data[0].embedding)`;
    }
    const { random_seed, ...rest } = body;
    const fields = random_seed === undefined ? rest : { ...rest, seed: random_seed };
    if (fields.tool_choice === "any") fields.tool_choice = "required";
    return `${head}answer = client.chat.completions.create(
${pythonArguments(fields)})
${
  body.stream
    ? `for chunk in answer:
    print(chunk.choices[0].delta.content or "", end="", flush=True)`
    : "print(answer.choices[0].message.content)"
}`;
  },

  typescript: (url, path, body) => `const response = await fetch("${url}${path}", {
  method: "POST",
  headers: {
    authorization: \`Bearer \${process.env.TRAMONTANE_API_KEY}\`,
    "content-type": "application/json",
  },
  body: JSON.stringify(${indented(JSON.stringify({ ...body, ...("stream" in body ? { stream: false } : {}) }, null, 2), "  ")}),
});
const answer = await response.json();
console.log(${path === "/v1/embeddings" ? "answer.data[0].embedding" : "answer.choices[0].message.content"});`,
};

/** Let the button show what `request` returns: the path and the body. */
export function offerCode(request) {
  const dialog = document.getElementById("code");
  const language = document.getElementById("language");
  const url = document.querySelector("[data-base-url]").dataset.baseUrl;
  const show = () => {
    let text;
    try {
      const { path, body } = request();
      text = WRITERS[language.value](url, path, body);
    } catch (error) {
      text = error.message; // a setting that cannot be read
    }
    document.getElementById("code-text").textContent = text;
  };
  language.addEventListener("change", show);
  document.getElementById("view-code").addEventListener("click", () => {
    show();
    dialog.showModal();
  });
}

function pythonArguments(fields) {
  return Object.entries(fields)
    .map(([name, value]) => `    ${name}=${python(value, 1)},\n`)
    .join("");
}

function python(value, depth) {
  const pad = "    ".repeat(depth);
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) {
    if (!value.length) return "[]";
    return `[\n${value.map((one) => `${pad}    ${python(one, depth + 1)},\n`).join("")}${pad}]`;
  }
  if (typeof value === "object") {
    const entries = Object.entries(value);
    if (!entries.length) return "{}";
    const lines = entries.map(([name, one]) => `${pad}    ${JSON.stringify(name)}: ${python(one, depth + 1)},\n`);
    return `{\n${lines.join("")}${pad}}`;
  }
  return JSON.stringify(value);
}

function indented(text, pad) {
  return text.replaceAll("\n", `\n${pad}`);
}
