/* What is wider than its place scrolls, and then it can be reached and moved by keyboard, too. */

const SCROLLING = ".formula, pre, .scroll";

function name(box) {
  if (box.matches(".formula")) return "formula";
  return box.querySelector("caption")?.textContent ?? box.parentElement.querySelector("figcaption")?.textContent ?? "lines of code";
}

function look() {
  for (const box of document.querySelectorAll(SCROLLING)) {
    if (box.scrollWidth > box.clientWidth) {
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", name(box));
    } else {
      box.removeAttribute("tabindex");
      box.removeAttribute("role");
      box.removeAttribute("aria-label");
    }
  }
}

/* Looks again whenever the page has another width, or numbers have changed. */
export function startScrolling() {
  look();
  new ResizeObserver(look).observe(document.body);
}
