// Why this prediction: the probabilities of a token and of its runners-up, and where the model looked.

const RUNNERS = 8;

// A log-probability; 0 has no sign.
const nats = (value, digits = 2) => (Math.abs(value) < 0.5 * 10 ** -digits ? 0 : value).toFixed(digits);

class Predictions {
  constructor(page) {
    this.page = page;
  }

  // logSoftmax: of every next id; id: the one that was taken. choose(id): writes another in its place, or null.
  candidates(logSoftmax, id, choose, hidden = new Set()) {
    const scores = Float32Array.from(logSoftmax, (value, i) => (hidden.has(i) ? -Infinity : value));
    const best = nn.topIds(scores, RUNNERS);
    if (id !== null && !best.includes(id)) best[RUNNERS - 1] = id;
    return view.element("div", { class: "candidates" }, ...best.map((one) => this.candidate(one, Math.exp(scores[one]), one === id, choose)));
  }

  candidate(id, probability, taken, choose) {
    const percent = probability >= 0.001 || probability === 0 ? view.percent(probability) : "< 0.1 %";
    const parts = [
      view.element("span", { class: "share", style: `width:${(100 * probability).toFixed(1)}%` }),
      view.element("span", { class: "name" }, this.page.tokens.span(id)),
      view.element("span", { class: "value" }, percent),
    ];
    const style = `candidate${taken ? " is" : ""}`;
    if (!choose) return view.element("div", { class: style }, ...parts);
    const button = view.element("button", { type: "button", class: style, "aria-label": `${this.page.tokens.write(id)}, ${percent}${taken ? ", written" : "; write it instead"}` }, ...parts);
    button.addEventListener("click", () => choose(id));
    return button;
  }

  rank(logSoftmax, id) {
    let rank = 1;
    for (const value of logSoftmax) if (value > logSoftmax[id]) rank++;
    return rank;
  }

  // Elements that say why an id stands where it does.
  why(logSoftmax, id, choose, hidden) {
    const probability = Math.exp(logSoftmax[id]);
    const rank = this.rank(logSoftmax, id);
    const said = rank === 1 ? "the most probable" : `number ${view.number(rank)} by probability`;
    return [
      view.element("h3", {}, "Why this prediction"),
      view.element("p", { class: "why" }, `It is ${said}: ${probability < 0.001 ? "< 0.1 %" : view.percent(probability)}, ${nats(logSoftmax[id])} nats.${choose ? " Choose another to write it instead." : ""}`),
      this.candidates(logSoftmax, id, choose, hidden),
    ];
  }

  // Where one row of attention looks, in words: the mean, and the head that looks hardest.
  looked(heads, columns, title) {
    if (!heads.length) return [];
    const folded = units.fold(this.page.vocabulary, columns, "words", this.page.folding);
    const one = { names: ["row"], shares: [[[0, 1]]] };
    const inWords = (row) => units.folded([row], one, folded)[0];
    const words = heads.map((layer) => layer.map(inWords));
    const all = words.flat();
    const mean = all[0].map((_, i) => all.reduce((sum, row) => sum + row[i], 0) / all.length);
    const best = nn.topIds(mean, 3).filter((i) => mean[i] >= 0.01);
    const items = best.map((i) => view.element("li", {}, view.element("span", {}, folded.names[i]), view.element("span", {}, view.percent(mean[i]))));
    let hardest = null;
    words.forEach((layer, l) => layer.forEach((row, h) => row.forEach((weight, i) => {
      if (!hardest || weight > hardest.weight) hardest = { l, h, i, weight };
    })));
    if (all.length > 1) {
      items.push(view.element("li", { class: "soft" }, view.element("span", {}, `hardest: layer ${hardest.l + 1}, head ${hardest.h + 1}, at ${folded.names[hardest.i]}`), view.element("span", {}, view.percent(hardest.weight))));
    }
    return [view.element("h3", {}, title), view.element("ul", { class: "looked" }, ...items)];
  }
}
