// The playground: the text that is typed, as tokens, with details of the token that is pointed at.

const EXAMPLES = {
  English: "The lowest tokens aren’t the newest: they’re simply the widest.\n",
  한국어: "다람쥐 헌 쳇바퀴에 타고파. 왜 한국어는 토큰이 더 많을까요?\n",
  Emoji: "👩‍🚀 lands 🌕, waves 👋🏽, plants 🇰🇷 — done in 3…2…1 🎉\n",
  Code: "def merge(pair, ids):\n    return [x for x in ids if x != pair[0]]  # naïve\n",
};
const SHOWN = 4000; // tokens drawn at first; counts and ids are always of all

class Playground {
  constructor(report) {
    this.report = report;
    this.vocabulary = report.vocabulary;
    this.tokens = report.tokens;
    this.ids = [];
    this.drawn = []; // the ids on the page, and their elements
    this.spans = [];
    this.at = -1;
    this.limit = SHOWN;
    this.box = view.get("tokens");
    this.text = view.get("text");
    this.special = view.get("special");
    this.examples();
    this.listen();
    this.text.value = Object.values(EXAMPLES).join("");
    this.update();
    this.inspectLongest();
  }

  examples() {
    const row = document.querySelector(".examples");
    for (const [name, text] of Object.entries(EXAMPLES)) {
      const button = view.element("button", { type: "button" }, name);
      button.addEventListener("click", () => {
        this.text.value = text;
        this.update();
        this.inspectLongest();
      });
      row.append(button);
    }
    view.get("special-label").hidden = !this.vocabulary.special.size;
  }

  listen() {
    this.text.addEventListener("input", () => this.update());
    this.special.addEventListener("change", () => this.update());
    view.get("view").addEventListener("change", () => this.redraw());
    view.get("more").addEventListener("click", () => {
      this.limit = Infinity;
      this.update();
    });
    view.get("copy").addEventListener("click", () => this.copy());
    const index = (event) => this.spans.indexOf(event.target.closest(".t"));
    this.box.addEventListener("pointerover", (event) => this.inspect(index(event)));
    this.box.addEventListener("click", (event) => this.inspect(index(event)));
    this.box.addEventListener("keydown", (event) => this.move(event));
  }

  move(event) {
    const last = this.spans.length - 1;
    const to = {
      ArrowRight: this.at + 1, ArrowLeft: this.at - 1, ArrowDown: this.below(1), ArrowUp: this.below(-1), Home: 0, End: last,
    }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.inspect(Math.max(0, Math.min(last, to)));
    this.spans[this.at]?.scrollIntoView({ block: "nearest" });
  }

  // The token in the line above or below that is nearest.
  below(direction) {
    const { spans } = this;
    const here = spans[this.at]?.getClientRects()[0];
    if (!here) return 0;
    let best = this.at;
    let bestDistance = Infinity;
    let line = null;
    for (let i = this.at + direction; i >= 0 && i < spans.length; i += direction) {
      const there = spans[i].getClientRects()[0];
      if (Math.abs(there.top - here.top) < 4) continue;
      line ??= there.top;
      if (Math.abs(there.top - line) >= 4) break;
      const distance = Math.abs(there.left - here.left);
      if (distance < bestDistance) [best, bestDistance] = [i, distance];
    }
    return best;
  }

  // Encodes what is typed. On a character outside the alphabet the tokens stay, and a note says which it was.
  update() {
    const text = this.text.value;
    const problem = view.get("problem");
    try {
      this.parts = this.vocabulary.encode(text, { specials: this.special.checked });
      problem.hidden = true;
    } catch (error) {
      if (!(error instanceof bpe.UnknownCharacter)) throw error;
      const code = error.character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
      problem.textContent = `“${error.character}” (U+${code}) is not in this vocabulary’s alphabet, so the text cannot be encoded.`;
      problem.hidden = false;
      return;
    }
    this.ids = this.parts.flatMap((part) => part.ids);
    this.draw();
    this.figures(text);
  }

  // Redraws only the tokens between the common beginning and the common end of the old and the new ids.
  draw() {
    const byId = view.get("view").querySelector("input:checked").value === "ids";
    const shown = this.ids.slice(0, this.limit);
    const old = this.drawn;
    let first = 0;
    while (first < old.length && first < shown.length && old[first] === shown[first]) first++;
    let same = 0;
    while (same < Math.min(old.length, shown.length) - first && old[old.length - 1 - same] === shown[shown.length - 1 - same]) same++;
    const after = this.spans[old.length - same] ?? null;
    for (const span of this.spans.slice(first, old.length - same)) {
      if (span.nextSibling?.nodeName === "BR") span.nextSibling.remove();
      span.remove();
    }
    const fragment = document.createDocumentFragment();
    const fresh = shown.slice(first, shown.length - same).map((id) => {
      const span = this.tokens.span(id, byId ? String(id) : undefined);
      span.setAttribute("role", "option");
      fragment.append(span);
      if (!byId && this.tokens.write(id).includes("↵")) fragment.append(document.createElement("br"));
      return span;
    });
    this.box.insertBefore(fragment, after);
    this.spans = [...this.spans.slice(0, first), ...fresh, ...this.spans.slice(old.length - same)];
    this.drawn = shown;
    if (this.at >= shown.length) this.inspect(shown.length - 1);
    else this.mark(this.at);
    const more = view.get("more");
    more.hidden = shown.length === this.ids.length;
    more.textContent = `Show ${view.times(this.ids.length - shown.length, "more token")}`;
  }

  redraw() {
    this.box.replaceChildren();
    this.drawn = [];
    this.spans = [];
    this.draw();
  }

  figures(text) {
    const bytes = this.vocabulary.utf8.encode(text).length;
    const rows = [
      ["tokens", view.number(this.ids.length)],
      ["characters", view.number(Array.from(text).length)],
      ["bytes", view.number(bytes)],
      ["bytes/token", this.ids.length ? (bytes / this.ids.length).toFixed(2) : "–"],
    ];
    view.get("figures").replaceChildren(
      ...rows.map(([name, value]) => view.element("div", {}, view.element("dt", {}, name), view.element("dd", {}, value))),
    );
  }

  mark(index) {
    this.marked?.removeAttribute("id");
    this.marked?.setAttribute("aria-selected", "false");
    this.marked?.classList.remove("at");
    const span = (this.marked = this.spans[index]);
    if (!span) return this.box.removeAttribute("aria-activedescendant");
    span.classList.add("at");
    span.id = "token-at";
    span.setAttribute("aria-selected", "true");
    this.box.setAttribute("aria-activedescendant", "token-at");
  }

  // Inspects the longest merged token, which shows more than the first.
  inspectLongest() {
    const size = (id) => (this.vocabulary.rankOf(id) === undefined ? 0 : this.vocabulary.bytes(id).length);
    this.inspect(this.drawn.reduce((best, id, i) => (size(id) > size(this.drawn[best]) ? i : best), 0));
  }

  inspect(index) {
    if (index < 0 && this.ids.length) return;
    this.at = index;
    this.mark(index);
    const panel = view.get("inspector");
    if (!this.ids.length) return panel.replaceChildren(view.element("p", { class: "empty" }, "Type something, then point at a token."));
    panel.replaceChildren(...this.report.describe(this.ids[index]));
  }

  async copy() {
    const button = view.get("copy");
    const text = JSON.stringify(this.ids);
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = view.element("textarea", { class: "hidden" }, text); // pages from disk may not use the clipboard directly
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy ids"), 1200);
  }
}
