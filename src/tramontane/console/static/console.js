// What all pages have: the menu of small screens, copy buttons, dialogs, questions before what cannot be undone.

const menu = document.querySelector(".menu");
const navigation = document.getElementById("navigation");
menu?.addEventListener("click", () => {
  const isOpen = navigation.classList.toggle("open");
  menu.setAttribute("aria-expanded", String(isOpen));
});

document.addEventListener("click", async (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    const said = copy.textContent;
    try {
      await navigator.clipboard.writeText(document.querySelector(copy.dataset.copy).textContent);
      copy.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(document.querySelector(copy.dataset.copy));
      copy.textContent = "Selected: press Ctrl+C";
    }
    setTimeout(() => (copy.textContent = said), 2000);
  }
  event.target.closest("[data-close]")?.closest("dialog").close();
});

document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.confirm ?? event.target.dataset.confirm;
  if (question && !confirm(question)) event.preventDefault();
});

for (const field of document.querySelectorAll("[data-submit]")) {
  field.addEventListener("change", () => field.form.requestSubmit());
}
