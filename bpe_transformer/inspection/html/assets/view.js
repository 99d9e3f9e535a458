// Helpers that every section uses: elements, numbers, and tokens written visibly.

const view = {};

view.get = (id) => document.getElementById(id);

// element("td", {class: "number"}, "text", child, …); attributes that are null are left out.
view.element = (name, attributes = {}, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(key, value);
  element.append(...children.filter((child) => child !== null));
  return element;
};

view.number = (value) => value.toLocaleString("en-US");
view.times = (count, noun) => `${view.number(count)} ${noun}${count === 1 ? "" : "s"}`;
view.percent = (share) => `${(share * 100).toFixed(1)} %`;
view.short = (value) =>
  value >= 1e9 ? `${+(value / 1e9).toPrecision(3)}G`
  : value >= 1e6 ? `${+(value / 1e6).toPrecision(3)}M`
  : value >= 1e3 ? `${+(value / 1e3).toPrecision(3)}k`
  : String(+value.toPrecision(3));

// --- how a token is written: as inspection/base/visible.py does ---

const MARKS = new Map([[" ", "·"], ["\n", "↵"], ["\r", "␍"], ["\t", "⇥"]]);
const RESERVED = new Set([...MARKS.values(), "│", "⟨", "⟩", "◌"]);
const UNDRAWN = /^[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Zs}\u{FE00}-\u{FE0F}\u{E0100}-\u{E01EF}]$/u;
const JOINS = /^[\p{M}\u{1160}-\u{11FF}]$/u;

view.visible = (bytes) => {
  let out = "";
  for (let i = 0; i < bytes.length; ) {
    const size = characterSize(bytes, i);
    if (!size) {
      const from = i;
      while (i < bytes.length && !characterSize(bytes, i)) i++;
      out += `⟨${view.hex(bytes.subarray(from, i))}⟩`;
      continue;
    }
    const char = bpe.text(bytes.subarray(i, i + size));
    if (MARKS.has(char)) out += MARKS.get(char);
    else if (RESERVED.has(char) || UNDRAWN.test(char)) out += `⟨U+${char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`;
    else out += !out && JOINS.test(char) ? `◌${char}` : char;
    i += size;
  }
  return out;
};

view.hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");

// Bytes of the whole character at i, 0 if there is none.
function characterSize(bytes, i) {
  const a = bytes[i];
  if (a < 0x80) return 1;
  const size = a >= 0xc2 && a <= 0xdf ? 2 : a >= 0xe0 && a <= 0xef ? 3 : a >= 0xf0 && a <= 0xf4 ? 4 : 0;
  if (!size || i + size > bytes.length) return 0;
  const b = bytes[i + 1];
  if (b < (a === 0xe0 ? 0xa0 : a === 0xf0 ? 0x90 : 0x80) || b > (a === 0xed ? 0x9f : a === 0xf4 ? 0x8f : 0xbf)) return 0;
  for (let k = 2; k < size; k++) if ((bytes[i + k] & 0xc0) !== 0x80) return 0;
  return size;
}

// --- a token as an element: the same token has the same colour everywhere ---

const COLOURS = 6;
view.colour = (id) => Math.imul(id, 0x9e3779b1) >>> 0;

view.Tokens = class {
  constructor(vocabulary) {
    this.vocabulary = vocabulary;
    this.written = new Map(); // id → how it is written
    this.specials = new Set([...vocabulary.special.values(), ...vocabulary.added.values()]);
  }

  write(id) {
    let written = this.written.get(id);
    if (written === undefined) {
      written = view.visible(this.vocabulary.bytes(id)) || `id ${id}`;
      this.written.set(id, written);
    }
    return written;
  }

  kind(id) {
    if (id === this.vocabulary.facts.unk) return "unknown";
    return this.specials.has(id) ? "special" : `c${(view.colour(id) >>> 8) % COLOURS}`;
  }

  span(id, label = this.write(id)) {
    const span = document.createElement("span");
    span.className = `t ${this.kind(id)}`;
    span.textContent = label;
    return span;
  }
};
