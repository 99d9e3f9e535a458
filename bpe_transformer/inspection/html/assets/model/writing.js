// A model that writes, a translator or a language model: token by token, with beams or draws, and what else it could have
// written at every place.

const SLIDERS = {
  beam: { name: "beams", min: 1, max: 10, step: 1, modes: ["beam"] },
  lengthPenalty: { name: "length penalty", min: 0, max: 3, step: 0.1, modes: ["beam"] },
  temperature: { name: "temperature", min: 0, max: 2, step: 0.05, modes: ["sample"] },
  topK: { name: "top-k", min: 0, max: 100, step: 1, modes: ["sample"], shown: (value) => (value ? String(value) : "all") },
  topP: { name: "top-p", min: 0.05, max: 1, step: 0.01, modes: ["sample"] },
  seed: { name: "seed", min: 0, max: 99, step: 1, modes: ["sample"] },
  most: { name: "most tokens", min: 1, max: 200, step: 1, modes: ["greedy", "beam", "sample"] },
};

class Writing {
  constructor(page) {
    this.page = page;
    const { model, facts } = page;
    this.facts = facts;
    this.translates = facts.task === "translation";
    this.writer = new nn.Writer(model, { eos: facts.special.eos, suppressed: facts.missing });
    const { decoding } = facts;
    this.settings = {
      beam: decoding.beam, lengthPenalty: decoding.length_penalty, seed: 0, most: 40,
      temperature: decoding.temperature, topK: decoding.top_k, topP: decoding.top_p,
    };
    this.mode = this.translates ? (decoding.beam > 1 ? "beam" : "greedy") : decoding.temperature > 0 ? "sample" : "greedy";
    this.turn = 0; // of writing; a later one ends an earlier one
    view.get("writer").hidden = false;
    view.get("output").classList.toggle("code", !this.translates);
    this.list = new TokenList(view.get("written"), page.tokens, { chosen: (place) => this.inspectWritten(place) });
    this.controls();
  }

  controls() {
    for (const input of view.get("mode").querySelectorAll("input")) input.checked = input.value === this.mode;
    view.get("mode").addEventListener("change", (event) => {
      this.mode = event.target.value;
      this.showSliders();
      this.restart();
      this.run();
    });
    for (const [key, { name, min, max, step, shown = String }] of Object.entries(SLIDERS)) {
      if (key === "most" && this.translates) continue;
      const value = this.settings[key];
      const input = view.element("input", { type: "range", id: `slider-${key}`, min, max: Math.max(max, value), step, value });
      const output = view.element("output", { for: `slider-${key}` }, shown(value));
      input.addEventListener("input", () => {
        this.settings[key] = Number(input.value);
        output.textContent = shown(Number(input.value));
        this.restart();
        this.run();
      });
      view.get("sliders").append(view.element("label", { class: "slider", "data-key": key, for: input.id }, view.element("span", {}, name), output, input));
    }
    this.showSliders();
    const act = (id, what) => view.get(id).addEventListener("click", what);
    act("write", () => this.run());
    act("step", () => this.once());
    act("back", () => this.goBack());
    act("again", () => this.goTo(0));
  }

  showSliders() {
    for (const label of view.get("sliders").children) label.hidden = !SLIDERS[label.dataset.key].modes.includes(this.mode);
    view.get("beams").hidden = this.mode !== "beam";
  }

  // --- what is read ---

  // Reads other ids, and writes.
  update(ids) {
    this.turn++;
    const { special, options } = this.facts;
    this.note = "";
    let memory = null;
    let start = [special.bos];
    if (this.translates) {
      let read = [...ids, special.eos];
      if (read.length > options.max_len) {
        this.note = `The model was trained on at most ${view.number(options.max_len)} tokens: of these ${view.number(read.length)} it reads the beginning.`;
        read = [...read.slice(0, options.max_len - 1), special.eos];
      }
      memory = this.page.model.read(read);
      this.limit = this.longest(read.length);
    } else {
      start = [special.eos, ...ids]; // a document follows the end of another one
      if (start.length >= options.max_len) {
        const kept = options.max_len - Math.max(1, Math.floor(options.max_len / 2));
        this.note = `The model sees at most ${view.number(options.max_len)} tokens: of these ${view.number(start.length)} it reads the last ${view.number(kept)}.`;
        start = start.slice(-kept);
      }
    }
    this.root = this.writer.start(memory, start, this.known(start));
    this.empty = this.translates && !this.page.text.value.trim();
    this.restart();
    this.run();
  }

  // The nodes of the text before that this one begins with as well: a key at the end costs one token.
  known(start) {
    const old = this.translates || !this.root ? [] : this.root.nodes;
    let same = 0;
    while (same < Math.min(old.length, start.length - 1) && old[same].id === start[same]) same++;
    return old.slice(0, same);
  }

  // The text cannot be read: what was being written for the last one ends here.
  stop() {
    this.turn++;
    document.documentElement.dataset.written = String(this.turn);
  }

  longest(length) {
    const { decoding, options } = this.facts;
    const most = Math.floor(Math.min(length * decoding.max_len_ratio + decoding.max_len_extra, 16 * options.max_len));
    return options.positions === "learned" ? Math.min(most, options.max_len - 1) : most;
  }

  get most() {
    return this.translates ? this.limit : Math.min(this.settings.most, this.facts.options.max_len - this.root.from);
  }

  // --- writing ---

  restart(row = this.root) {
    this.turn++;
    this.row = row;
    this.ended = null; // "ended" by itself, or at the "limit"
    this.search = null;
  }

  get written() {
    return this.writer.written(this.row);
  }

  get over() {
    return this.empty || this.ended !== null;
  }

  async run() {
    const turn = this.turn;
    if (this.over) this.draw();
    let count = 0;
    let spent = 0;
    while (!this.over && turn === this.turn) {
      const now = performance.now();
      this.step();
      count++;
      this.draw();
      spent += performance.now() - now;
      await new Promise((resolve) => (document.hidden ? setTimeout(resolve) : requestAnimationFrame(() => resolve())));
    }
    if (turn !== this.turn) return;
    if (count) this.pace = { each: spent / count };
    this.settle();
  }

  once() {
    this.turn++;
    if (!this.over) this.step();
    this.draw();
    this.settle();
  }

  step() {
    if (this.mode === "beam") return this.stepBeams();
    if (this.written.length >= this.most) return void (this.ended = "limit");
    const id = this.mode === "greedy" ? this.writer.best(this.row) : this.writer.draw(this.row, this.settings);
    this.take(id);
  }

  take(id) {
    if (id === this.facts.special.eos) this.ended = "ended";
    else this.row = this.writer.advance(this.row, id);
  }

  stepBeams() {
    this.search ??= new nn.BeamSearch(this.writer, this.row, { ...this.settings, limit: this.most });
    this.search.step();
    const { finished, live, over } = this.search;
    const best = over && finished.length ? finished[0] : null;
    this.row = best ? best.row : live[0];
    if (over) this.ended = best ? best.finish : "limit";
  }

  goBack() {
    const count = this.written.length;
    this.goTo(this.ended === "ended" ? count : Math.max(0, count - 1));
  }

  // Back to the first `count` tokens; nothing goes on until it is told to.
  goTo(count) {
    this.restart(this.beginning(count));
    this.draw();
    this.settle();
  }

  beginning(count) {
    const { memory, nodes, from, steps } = this.row;
    if (!count) return this.root;
    const kept = steps.slice(0, count);
    return this.writer.row(memory, nodes.slice(0, from + count), from, kept.reduce((sum, step) => sum + step, 0), kept);
  }

  // Writes another token at a place, and goes on from there.
  instead(place, id) {
    this.restart(this.beginning(place));
    this.take(id);
    this.run();
    this.list.inspect(Math.min(place, this.list.ids.length - 1));
  }

  // --- what is shown ---

  // The tokens written, with the end that closes them.
  get shown() {
    return this.ended === "ended" ? [...this.written, this.facts.special.eos] : this.written;
  }

  draw() {
    const { page } = this;
    const ids = this.empty ? [] : this.shown;
    this.list.show(ids);
    const text = page.decode(this.written);
    const given = this.translates ? "" : page.text.value;
    view.get("output").replaceChildren(...(given ? [view.element("span", { class: "given" }, given)] : []), this.empty ? "" : text);
    if (this.mode === "beam") this.drawBeams();
    view.get("write").disabled = view.get("step").disabled = this.over;
    view.get("back").disabled = view.get("again").disabled = !this.written.length && this.ended === null;
  }

  drawBeams() {
    const { search } = this;
    const { lengthPenalty } = this.settings;
    const rows = search ? [
      ...search.finished.map(({ row, logProbability, score }) => ({ row, logProbability, score, ended: true })),
      ...(search.over ? [] : search.live.map((row) => ({ row, logProbability: row.logProbability, score: row.logProbability / nn.lengthNormalizer(Math.max(this.writer.written(row).length, 1), lengthPenalty), ended: false }))),
    ] : [];
    rows.sort((a, b) => b.score - a.score);
    const lines = rows.slice(0, 2 * this.settings.beam).map(({ row, logProbability, score, ended }, i) => view.element("tr",
      { class: [ended ? "ended" : "", ended && i === 0 && search.over ? "chosen" : ""].join(" ").trim() || null },
      view.element("td", {}, this.page.decode(this.writer.written(row)) || "–"),
      view.element("td", { class: "number" }, nats(logProbability, 3)),
      view.element("td", { class: "number" }, nats(score, 3))));
    view.get("beam-table").tBodies[0].replaceChildren(...lines);
  }

  // After the last step for now: what takes longer to draw.
  settle() {
    const { page } = this;
    const count = this.written.length;
    const why = { ended: "ended by itself", limit: "cut at the limit" }[this.ended] ?? "goes on";
    const pace = this.pace ? `, ${this.pace.each.toFixed(1)} ms a token` : "";
    view.get("written-facts").textContent = this.empty || (!count && this.ended === null) ? "" : `${view.times(count, "token")}, ${why}${pace}`;
    page.say(this.note);
    const eos = this.ended === "ended" ? this.facts.special.eos : undefined;
    page.attention.update(this.empty ? {} : attentionKinds({ memory: this.row.memory, nodes: this.row.nodes, task: this.facts.task, eos }));
    if (this.list.at >= 0) this.inspectWritten(this.list.at);
    else if (page.list.at < 0 && this.list.ids.length) this.list.inspect(0);
    document.documentElement.dataset.written = String(this.turn);
  }

  inspectWritten(place) {
    const { page } = this;
    const id = this.shown[place];
    if (id === undefined) return page.inspect(view.element("p", { class: "empty" }, "Nothing is written yet."));
    page.list.leave();
    const node = this.row.nodes[this.row.from - 1 + place];
    node.logSoftmax ??= nn.logSoftmax(page.model.logits(node));
    page.inspect(
      ...page.predictions.why(node.logSoftmax, id, (other) => this.instead(place, other), new Set(this.facts.missing)),
      ...this.looked(node, this.row.from - 1 + place),
      view.element("h3", {}, "Why this token"),
      ...page.tokenFacts.describe(id),
    );
  }

  looked(node, at) {
    const { predictions } = this.page;
    if (node.cross.length) return predictions.looked(node.cross, this.row.memory.ids, "Where it looked");
    if (node.own.length) return predictions.looked(node.own, this.row.nodes.slice(0, at + 1).map(({ id }) => id), "Where it looked");
    return [];
  }

  // What is known of a token that was read, beside its derivation.
  why(place) {
    this.list.leave();
    if (this.translates) return [];
    const cut = this.page.list.ids.length - (this.root.from - 1); // tokens before what the model sees
    const at = place - cut; // of the node before it
    const node = this.root.nodes[at];
    if (at < 0 || !node) return [view.element("p", { class: "why" }, "The model does not see this token any more.")];
    node.logSoftmax ??= nn.logSoftmax(this.page.model.logits(node));
    return [...this.page.predictions.why(node.logSoftmax, this.page.list.ids[place], null), ...this.looked(node, at), view.element("h3", {}, "Why this token")];
  }
}
