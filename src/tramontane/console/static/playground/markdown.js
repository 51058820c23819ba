// A model's words as HTML. They are hostile input: what is not in these lists is not shown.

const TAGS = [
  "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre",
  "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
];
const ATTRIBUTES = ["href", "class", "start", "align"];

DOMPurify.addHook("afterSanitizeAttributes", (node) => {
  if (node.nodeName === "A") {
    node.setAttribute("target", "_blank");
    node.setAttribute("rel", "noopener noreferrer");
  }
  if (node.hasAttribute?.("class") && !/^language-[\w+#-]+$/.test(node.getAttribute("class"))) {
    node.removeAttribute("class");
  }
});

/** Replace what `element` shows by `text`, read as Markdown. */
export function showMarkdown(element, text) {
  const html = marked.parse(text, { gfm: true, breaks: true });
  const fragment = DOMPurify.sanitize(html, {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ATTRIBUTES,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    ALLOWED_URI_REGEXP: /^(?:https?:|mailto:|#)/i,
    RETURN_DOM_FRAGMENT: true,
  });
  element.replaceChildren(fragment);
}

/** Let the button copy the code that the element holds. */
export function offerCopy(element) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "copy", textContent: "Copy" });
  const place = document.createElement("div");
  place.className = "copied";
  element.replaceWith(place);
  place.append(element, button);
}

/** Colour the code in it, once it is complete. */
export function highlight(element) {
  for (const code of element.querySelectorAll("pre > code")) {
    code.parentElement.tabIndex = 0;
    const language = /language-([\w+#-]+)/.exec(code.className)?.[1];
    if (language && hljs.getLanguage(language)) hljs.highlightElement(code);
    offerCopy(code.parentElement);
  }
}
