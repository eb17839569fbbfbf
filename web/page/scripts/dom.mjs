/* Elements, and numbers as text. Every number on the page is a <data> element whose value is the exact number. */

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const SVG = "http://www.w3.org/2000/svg";

export function byId(id) {
  return document.getElementById(id);
}

/* An element with attributes and children: elements, text, or arrays of them. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.flat(2));
  return made;
}

export function svgElement(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/* A number with so many significant digits: 0.1235, −12.35, 1.235 × 10⁻⁷. */
export function textOf(value, digits = 4) {
  if (typeof value !== "number") throw new TypeError(`${value} is no number; expected one to show`);
  if (Number.isNaN(value)) return "not a number";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e-4 && size < 1e6) {
    const places = Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
    return value.toFixed(Math.min(places, 12)).replace("-", "−");
  }
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
  const power = [...String(Math.abs(Number(exponent)))].map((d) => SUPERSCRIPTS[d]).join("");
  return `${mantissa.replace("-", "−")} × 10${Number(exponent) < 0 ? "⁻" : ""}${power}`;
}

/* The number that a text says, as textOf or a reader writes it: "2.3 × 10⁻⁶", "−0,5", "1e-3"; NaN where it says none. */
export function numberOf(text) {
  const plain = text
    .trim()
    .replace(",", ".")
    .replace(/[−⁻]/g, "-")
    .replace(/[⁰¹²³⁴⁵⁶⁷⁸⁹]/g, (digit) => SUPERSCRIPTS.indexOf(digit))
    .replace(/\s*[×x*]\s*10\s*\^?\s*/, "e");
  return plain === "" ? NaN : Number(plain);
}

/* The same as an element that carries the exact value; a name lets it be found again. */
export function number(value, { digits = 4, name = "" } = {}) {
  const attributes = { value: Object.is(value, -0) ? "0" : String(value) };
  if (name !== "") attributes["data-name"] = name;
  return element("data", attributes, textOf(value, digits));
}

/* A letter with an index: δ and "1,7". */
export function symbol(letter, index = "") {
  return element("span", { class: "symbol" }, element("i", {}, letter), index === "" ? [] : element("sub", {}, index));
}

export function line(...children) {
  return element("p", { class: "line" }, ...children);
}

/* A table; a row that is marked is the chosen one. rows: arrays of cells, with `marked` set or not. */
export function table(caption, heads, rows) {
  return element(
    "div",
    { class: "scroll" },
    element(
      "table",
      {},
      element("caption", {}, caption),
      element("thead", {}, element("tr", {}, heads.map((head) => element("th", { scope: "col" }, head)))),
      element(
        "tbody",
        {},
        rows.map((cells) =>
          element(
            "tr",
            cells.marked ? { class: cells.marked } : {},
            cells.map((cell, i) => (i === 0 ? element("th", { scope: "row" }, cell) : element("td", {}, cell))),
          ),
        ),
      ),
    ),
  );
}

export function marked(cells, how) {
  cells.marked = how;
  return cells;
}

/* What went wrong or what came out, in words; "" clears it. */
export function say(target, sentence) {
  target.textContent = sentence;
}
