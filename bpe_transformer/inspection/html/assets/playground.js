// The playground: the text that is typed, as tokens, with details of the token that is pointed at.

const EXAMPLES = {
  English: "The lowest tokens aren’t the newest: they’re simply the widest.\n",
  한국어: "다람쥐 헌 쳇바퀴에 타고파. 왜 한국어는 토큰이 더 많을까요?\n",
  Emoji: "👩‍🚀 lands 🌕, waves 👋🏽, plants 🇰🇷 — done in 3…2…1 🎉\n",
  Code: "def merge(pair, ids):\n    return [x for x in ids if x != pair[0]]  # naïve\n",
};

class Playground {
  constructor(report) {
    this.report = report;
    this.vocabulary = report.vocabulary;
    this.tokens = report.tokens;
    this.text = view.get("text");
    this.special = view.get("special");
    const byId = () => view.get("view").querySelector("input:checked").value === "ids";
    this.list = new TokenList(view.get("tokens"), this.tokens, {
      chosen: (index) => this.describe(index),
      label: (id) => (byId() ? String(id) : undefined),
      more: view.get("more"),
    });
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
    view.get("view").addEventListener("change", () => this.list.redraw());
    view.get("copy").addEventListener("click", () => this.copy());
  }

  get ids() {
    return this.list.ids;
  }

  get at() {
    return this.list.at;
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
    this.list.show(this.parts.flatMap((part) => part.ids));
    this.figures(text);
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

  // Inspects the longest merged token, which shows more than the first.
  inspectLongest() {
    const size = (id) => (this.vocabulary.rankOf(id) === undefined ? 0 : this.vocabulary.bytes(id).length);
    const { drawn } = this.list;
    this.list.inspect(drawn.reduce((best, id, i) => (size(id) > size(drawn[best]) ? i : best), 0));
  }

  describe(index) {
    const panel = view.get("inspector");
    if (!this.ids.length) return panel.replaceChildren(view.element("p", { class: "empty" }, "Type something, then point at a token."));
    panel.replaceChildren(...this.report.facts.describe(this.ids[index]));
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
