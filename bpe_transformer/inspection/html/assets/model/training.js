// How the model came to be: its losses, what it writes for rows that it has not trained on, its attention along the way.

class Training extends Plots {
  constructor(page) {
    super();
    this.page = page;
    this.data = page.data.training;
    const { curve, left_out } = this.data;
    const said = [];
    if (curve) {
      const minutes = curve.seconds === null ? "" : ` in ${(curve.seconds / 60).toFixed(1)} minutes`;
      said.push(`${view.times(curve.steps, "step")}${minutes}. Losses are in ${this.data.loss_unit}, training loss as it went, validation loss on rows that it has not trained on.`);
      view.get("loss-chart").hidden = false;
    }
    view.get("training-lead").textContent = [...said, ...left_out].join(" ");
    this.samples();
    this.draw();
  }

  draw() {
    this.clear();
    if (this.data.curve) this.losses();
    this.moments();
  }

  losses() {
    const { train, validation } = this.data.curve;
    const box = view.get("loss-chart");
    box.replaceChildren();
    const at = new Map();
    for (const [i, points] of [train, validation].entries()) for (const [x, y] of points) at.set(x, Object.assign(at.get(x) ?? [null, null], { [i]: y }));
    const xs = [...at.keys()].sort((a, b) => a - b);
    const ys = [0, 1].map((i) => xs.map((x) => at.get(x)[i]));
    const values = ys.flat().filter((value) => value !== null && value > 0);
    const wide = Math.max(...values) > 30 * Math.min(...values);
    const end = validation.at(-1) ?? train.at(-1) ?? [0, NaN];
    box.setAttribute("role", "img");
    box.setAttribute("aria-label", `The loss falls from ${(train[0] ?? [0, NaN])[1].toFixed(2)} to ${end[1].toFixed(3)} ${this.data.loss_unit}.`);
    const series = (label, colour, more) => ({ label, stroke: this.colour(colour), width: 2, spanGaps: true, points: { show: false }, value: (_, value) => (value === null || value === undefined ? "–" : value.toFixed(3)), ...more });
    this.plot(box, 240, {
      scales: { x: { time: false }, y: wide ? { distr: 3 } : {} },
      legend: { show: true, live: true },
      axes: [{ label: "step", values: (_, values) => values.map((value) => (value === null ? "" : view.short(value))) }, { label: this.data.loss_unit, size: 58, values: (_, values) => values.map((value) => (value === null ? "" : view.short(value))) }],
      series: [{ label: "step", value: (_, value) => (value === null ? "–" : view.number(Math.round(value))) }, series("training", "series0"), series("validation", "series1", { points: { show: true, size: 6 } })],
      hooks: {},
    }, [xs, ...ys]);
  }

  samples() {
    const { samples } = this.data;
    if (!samples.length) return;
    const known = samples.some((sample) => sample.expected !== null);
    const style = this.page.facts.task === "language-model" ? "mono" : null;
    const rows = samples.map(({ given, written, expected }) => view.element("tr", {},
      view.element("td", { class: style }, given),
      view.element("td", { class: known && written !== expected ? `wrong ${style ?? ""}` : style }, written),
      known ? view.element("td", { class: style }, expected ?? "–") : null));
    const names = ["given", this.page.facts.task === "classification" ? "labelled" : "written", ...(known ? ["right"] : [])];
    view.get("samples").replaceChildren(
      view.element("h3", {}, "On rows that it has not trained on"),
      view.element("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Samples" }, view.element("table", {},
        view.element("thead", {}, view.element("tr", {}, ...names.map((name) => view.element("th", { scope: "col" }, name)))),
        view.element("tbody", {}, ...rows))));
  }

  // One sentence over the weights that the run has kept.
  moments() {
    const found = this.data.moments;
    if (!found) return;
    const cards = found.moments.map(({ step, written, agreement, weights }) => view.element("div", { class: "moment" },
      view.element("p", {}, `step ${view.number(step)}`),
      this.page.picture(weights, found.src_tokens.length),
      view.element("p", {}, written ?? ""),
      view.element("p", { class: "soft" }, `${view.percent(agreement)} of the rows look where they do at the end`)));
    view.get("moments").replaceChildren(
      view.element("h3", {}, "Attention along the run"),
      view.element("p", { class: "lead" }, `${found.title}, for “${found.text}”${found.target === null ? "" : ` and “${found.target}”`}: a row for each word that attends, a column for each that is attended to.`),
      view.element("div", { class: "moments" }, ...cards));
  }
}
