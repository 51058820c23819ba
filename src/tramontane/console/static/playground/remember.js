// Settings of the playground stay in this browser until they are reset or somebody signs out. Messages do not.

const PREFIX = "tramontane.";

/** Put back what the fields of `ids` had, and keep what they get; `reset` is the button that forgets it. */
export function remember(name, ids, reset) {
  const key = PREFIX + name;
  const fields = ids.map((id) => document.getElementById(id)).filter((field) => field);
  const initial = new Map(fields.map((field) => [field, field.value]));
  let kept = {};
  try {
    kept = JSON.parse(localStorage.getItem(key) ?? "{}");
  } catch {
    // Somebody else's words, or no storage: the settings are those of a first visit.
  }
  const save = () => {
    const changed = fields.filter((field) => field.value !== initial.get(field));
    try {
      localStorage.setItem(key, JSON.stringify(Object.fromEntries(changed.map((field) => [field.id, field.value]))));
    } catch {
      // Without storage they hold for this visit.
    }
  };
  for (const field of fields) {
    const value = kept[field.id];
    if (typeof value === "string" && (field.tagName !== "SELECT" || [...field.options].some((one) => one.value === value))) {
      field.value = value;
      const details = field.closest("details");
      if (details) details.open = true;
    }
    field.addEventListener("input", save);
    field.addEventListener("change", save);
  }
  document.getElementById(reset)?.addEventListener("click", () => {
    for (const field of fields) {
      if (field.id !== "workspace" && field.id !== "model") field.value = initial.get(field);
    }
    save();
  });
  return save;
}

/** Ctrl+Enter, or Command+Enter, in a field of the form sends it. */
export function sendsByKey(form) {
  form?.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
}
