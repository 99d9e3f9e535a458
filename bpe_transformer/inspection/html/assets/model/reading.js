// Models that read a whole text at once: one that fills gaps, and one that labels.

class Filling {
  constructor(page) {
    this.page = page;
    this.facts = page.facts;
    this.hidden = new Set([...this.facts.special_ids, this.facts.mask.id, ...this.facts.missing]); // a gap is filled with text
    this.encoding = { specials: [this.facts.mask.text] };
    view.get("answers").hidden = false;
    view.get("answers-title").textContent = "In the gaps";
  }

  update(ids) {
    const { special, options, mask } = this.facts;
    const read = [special.eos, ...ids]; // a document follows the end of another one
    const list = view.get("answer-list");
    this.memory = null;
    if (read.length > options.max_len) {
      list.replaceChildren();
      this.page.attention.update({});
      return this.page.say(`The model reads at most ${view.number(options.max_len)} tokens, and these are ${view.number(read.length)}: shorten the text.`);
    }
    this.page.say("");
    this.memory = this.page.model.read(read);
    const places = [...read.keys()].filter((place) => read[place] === mask.id);
    const blocks = places.map((place, number) => view.element("div", {},
      view.element("h4", {}, places.length > 1 ? `gap ${number + 1}` : "the gap"),
      this.page.predictions.candidates(this.among(place), null, (id) => this.fill(number, id), this.hidden)));
    const hint = `There is no gap. Write ${mask.text} where a token is missing, or choose a token and hide it.`;
    list.replaceChildren(...(blocks.length ? blocks : [view.element("p", { class: "hint" }, hint)]));
    this.page.attention.update(attentionKinds({ memory: this.memory, task: this.facts.task }));
  }

  // The log-probabilities at a place, among tokens that are text.
  among(place) {
    const logits = this.page.model.logits(this.memory, place);
    return nn.logSoftmax(Float32Array.from(logits, (value, id) => (this.hidden.has(id) ? -Infinity : value)));
  }

  // Puts a token into the gap of this number.
  fill(number, id) {
    const { mask } = this.facts;
    const ids = this.page.list.ids;
    const place = [...ids.keys()].filter((at) => ids[at] === mask.id)[number];
    this.rewrite(ids.map((old, at) => (at === place ? id : old)));
  }

  // The text of other ids; the model reads it anew.
  rewrite(ids) {
    const { mask } = this.facts;
    const runs = [[]];
    for (const id of ids) id === mask.id ? runs.push([]) : runs.at(-1).push(id);
    this.page.text.value = runs.map((run) => this.page.decode(run)).join(mask.text);
    this.page.update();
    if (document.activeElement === document.body) this.page.list.box.focus({ preventScroll: true }); // its button is gone
  }

  why(place) {
    const id = this.page.list.ids[place];
    if (!this.memory || id === undefined) return [];
    const scores = this.among(place + 1);
    const heads = this.memory.attention.map((layer) => layer.map((rows) => rows[place + 1]));
    const looked = this.page.predictions.looked(heads, this.memory.ids, "Where it looks");
    if (id === this.facts.mask.id) {
      return [view.element("h3", {}, "What fills this gap"), this.page.predictions.candidates(scores, null, (other) => this.fill(this.gapAt(place), other), this.hidden), ...looked, view.element("h3", {}, "The token")];
    }
    const hide = view.element("button", { type: "button" }, "Hide this token");
    hide.addEventListener("click", () => {
      const ids = this.page.list.ids;
      this.rewrite(ids.map((old, at) => (at === place ? this.facts.mask.id : old)));
      this.page.list.inspect(Math.min(place, this.page.list.ids.length - 1));
    });
    return [...looked, view.element("p", { class: "why" }, hide), view.element("h3", {}, "Why this token")];
  }

  gapAt(place) {
    return this.page.list.ids.slice(0, place).filter((id) => id === this.facts.mask.id).length;
  }
}

class Labelling {
  constructor(page) {
    this.page = page;
    this.facts = page.facts;
    view.get("answers").hidden = false;
    view.get("answers-title").textContent = "Labels";
  }

  update(ids) {
    const { special, options, labels, task } = this.facts;
    const kept = ids.slice(0, options.max_len - 2);
    this.page.say(kept.length < ids.length ? `The model reads at most ${view.number(options.max_len)} tokens: of these ${view.number(ids.length)} it reads the beginning.` : "");
    this.memory = this.page.model.read([special.first, ...kept, special.last]);
    const probabilities = nn.softmax(this.page.model.logits(this.memory));
    const rows = nn.topIds(probabilities, labels.length).map((label, i) => view.element("div", { class: `candidate${i ? "" : " is"}` },
      view.element("span", { class: "share", style: `width:${(100 * probabilities[label]).toFixed(1)}%` }),
      view.element("span", { class: "name" }, labels[label]),
      view.element("span", { class: "value" }, view.percent(probabilities[label]))));
    view.get("answer-list").replaceChildren(view.element("div", { class: "candidates" }, ...rows));
    this.page.attention.update(attentionKinds({ memory: this.memory, task }));
  }

  why(place) {
    if (place + 1 >= this.memory.ids.length - 1) return [view.element("p", { class: "why" }, "The model does not read this token.")];
    const heads = this.memory.attention.map((layer) => layer.map((rows) => rows[place + 1]));
    return [...this.page.predictions.looked(heads, this.memory.ids, "Where it looks"), view.element("h3", {}, "Why this token")];
  }
}
