// The merge timeline: the words as they stand after any number of merges.

class Timeline {
  constructor(report) {
    this.report = report;
    this.vocabulary = report.vocabulary;
    this.total = report.vocabulary.facts.left.length;
    this.now = -1;
    this.slider = view.get("slider");
    this.box = view.get("merge");
    this.field = view.get("words");
    this.box.max = this.total;
    this.field.value = report.data.words.map((word) => word.replaceAll(" ", "·")).join(", ");
    view.get("timeline-lead").textContent =
      "Every merge joins the pair of neighbours that was most frequent when it was chosen. Move the slider: the words below " +
      "are segmented by the merges so far; marks above it stand where one of them changes.";
    this.scale();
    this.listen();
    this.follow();
    this.show(this.changes.length ? this.changes[Math.floor(this.changes.length / 2)] + 1 : this.total);
  }

  // --- places on the slider: the logarithm of the merges, where there are many ---

  get linear() {
    return this.total <= 200;
  }
  place(merges) {
    return this.linear ? merges / this.total : Math.log1p(merges) / Math.log1p(this.total);
  }
  mergesAt(place) {
    return Math.round(this.linear ? place * this.total : Math.expm1(place * Math.log1p(this.total)));
  }

  scale() {
    const steps = [0];
    if (this.linear) for (let i = 1; i < 4; i++) steps.push(Math.round((this.total * i) / 4));
    else for (let step = 1; step * 3 < this.total; step *= 10) steps.push(step);
    const spans = [...steps, this.total].map((step) =>
      view.element("span", { style: `left:${100 * this.place(step)}%` }, step === this.total ? view.number(step) : view.short(step)),
    );
    if (!this.linear) spans[1].remove(); // 1 would stand on 0
    view.get("scale").replaceChildren(...spans.filter((_, i) => this.linear || i !== 1));
  }

  listen() {
    this.slider.addEventListener("input", () => this.show(this.mergesAt(Number(this.slider.value)), false));
    this.slider.addEventListener("keydown", (event) => {
      const to = {
        ArrowRight: this.now + 1, ArrowUp: this.now + 1, ArrowLeft: this.now - 1, ArrowDown: this.now - 1,
        PageUp: this.change(1), PageDown: this.change(-1), Home: 0, End: this.total,
      }[event.key];
      if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      this.show(to);
    });
    this.box.addEventListener("input", () => this.box.value !== "" && this.show(Number(this.box.value), true, false));
    this.box.addEventListener("change", () => this.show(this.now));
    this.field.addEventListener("input", () => {
      this.follow();
      this.show(this.now);
    });
    view.get("earlier").addEventListener("click", () => this.show(this.change(-1)));
    view.get("later").addEventListener("click", () => this.show(this.change(1)));
    view.get("play").addEventListener("click", () => this.play());
  }

  // The words in the field; a dot stands for a space. Each is one pre-token, whatever the split pattern says.
  follow() {
    const words = this.field.value.split(",").map((word) => word.trim().replaceAll("·", " "));
    this.words = [...new Set(words)].filter((word) => word).slice(0, 40).map((word) => {
      try {
        return { word, ranks: this.vocabulary.firing(word).sort((a, b) => a - b), problem: null };
      } catch (error) {
        if (!(error instanceof bpe.UnknownCharacter)) throw error;
        return { word, ranks: [], problem: `“${error.character}” is not in the alphabet` };
      }
    });
    this.changes = [...new Set(this.words.flatMap((word) => word.ranks))].sort((a, b) => a - b);
    const svg = view.get("ticks");
    svg.setAttribute("viewBox", "0 0 1 1");
    svg.replaceChildren(
      ...this.changes.map((rank) => {
        const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
        const x = this.place(rank + 1);
        for (const [name, value] of Object.entries({ x1: x, x2: x, y1: 0.15, y2: 1 })) line.setAttribute(name, value);
        return line;
      }),
    );
  }

  // The number of merges at the next change of a word, or the one before.
  change(direction) {
    const merges = this.changes.map((rank) => rank + 1);
    return direction > 0
      ? merges.find((n) => n > this.now) ?? this.now
      : merges.findLast((n) => n < this.now) ?? 0;
  }

  show(merges, moveSlider = true, fillBox = true) {
    this.now = Math.max(0, Math.min(this.total, Math.round(merges)));
    if (moveSlider) this.slider.value = this.place(this.now);
    if (fillBox) this.box.value = this.now;
    view.get("earlier").disabled = !this.changes.length || this.now <= 0;
    view.get("later").disabled = this.change(1) === this.now;
    this.slider.setAttribute("aria-valuetext", this.spoken());
    this.head();
    this.table();
    this.report.charts?.markMerge(this.now);
  }

  spoken() {
    if (!this.now) return `before the first of ${view.number(this.total)} merges`;
    const { left, right, merged } = this.merge(this.now - 1);
    return `merge ${view.number(this.now)} of ${view.number(this.total)}: ${left} and ${right} make ${merged}`;
  }

  merge(rank) {
    const { left, right, merged_ids } = this.vocabulary.facts;
    const write = (id) => this.report.tokens.write(id);
    return { left: write(left[rank]), right: write(right[rank]), merged: write(merged_ids[rank]) };
  }

  head() {
    const now = view.get("now");
    if (!this.now) {
      return now.replaceChildren(view.element("span", {}, "No merge yet: every word is its base tokens."));
    }
    const rank = this.now - 1;
    const { left, right, merged_ids } = this.vocabulary.facts;
    const span = (id) => this.report.tokens.span(id);
    const soft = (text) => view.element("span", { class: "soft" }, text);
    const parts = [
      soft(`merge ${view.number(this.now)} of ${view.number(this.total)}`),
      view.element("span", { class: "merge" }, span(left[rank]), " + ", span(right[rank]), " → ", span(merged_ids[rank])),
      soft(`rank ${view.number(rank)}, id ${view.number(merged_ids[rank])}`),
      ...this.report.facts.learnerFacts(rank).map(soft),
    ];
    now.replaceChildren(...parts);
  }

  table() {
    const last = this.now - 1;
    const { merged_ids } = this.vocabulary.facts;
    const rows = this.words.map(({ word, ranks, problem }) => {
      const heading = view.element("th", { scope: "row" }, view.visible(this.vocabulary.utf8.encode(word)));
      if (problem) return view.element("tr", {}, heading, view.element("td", { colspan: "3" }, problem));
      const ids = this.vocabulary.segment(word, this.now);
      const changed = last >= 0 && ranks.includes(last);
      const tokens = ids.map((id) => {
        const span = this.report.tokens.span(id);
        if (changed && id === merged_ids[last]) span.classList.add("new");
        return span;
      });
      const next = ranks.find((rank) => rank > last);
      return view.element(
        "tr",
        { class: changed ? "changed" : null },
        heading,
        view.element("td", { "data-ids": ids.join(" ") }, ...tokens),
        view.element("td", { class: "number" }, view.number(ids.length)),
        view.element("td", { class: "number" }, next === undefined ? "–" : view.number(next + 1)),
      );
    });
    view.get("segments").tBodies[0].replaceChildren(...rows);
  }

  // One change after another, from the beginning if the end was reached.
  play() {
    const button = view.get("play");
    const stop = () => {
      clearInterval(this.timer);
      this.timer = null;
      button.textContent = "Play";
      button.setAttribute("aria-pressed", "false");
    };
    if (this.timer) return stop();
    if (this.change(1) === this.now) this.show(0);
    button.textContent = "Stop";
    button.setAttribute("aria-pressed", "true");
    this.timer = setInterval(() => {
      const next = this.change(1);
      if (next === this.now) stop();
      else this.show(next);
    }, 700);
  }
}
