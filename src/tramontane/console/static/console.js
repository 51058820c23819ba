// What all pages have: the menu of small screens, copy buttons, dialogs, questions before what cannot be undone.

const menu = document.querySelector(".menu");
const navigation = document.getElementById("navigation");
menu?.addEventListener("click", () => {
  const isOpen = navigation.classList.toggle("open");
  menu.setAttribute("aria-expanded", String(isOpen));
});

function forget() {
  for (const key of Object.keys(localStorage)) if (key.startsWith("tramontane.")) localStorage.removeItem(key);
}

async function copyFrom(button, element) {
  const said = button.textContent;
  try {
    await navigator.clipboard.writeText(element.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(element);
    button.textContent = "Selected: press Ctrl+C";
  }
  setTimeout(() => (button.textContent = said), 2000);
}

document.addEventListener("click", async (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) await copyFrom(copy, document.querySelector(copy.dataset.copy));
  const beside = event.target.closest(".copy");
  if (beside) await copyFrom(beside, beside.parentElement.querySelector("code"));
  event.target.closest("[data-close]")?.closest("dialog").close();
});

document.addEventListener("submit", (event) => {
  if (event.target.classList.contains("sign-out")) forget();
  const question = event.submitter?.dataset.confirm ?? event.target.dataset.confirm;
  if (question && !confirm(question)) event.preventDefault();
});

for (const field of document.querySelectorAll("[data-submit]")) {
  field.addEventListener("change", () => field.form.requestSubmit());
}
