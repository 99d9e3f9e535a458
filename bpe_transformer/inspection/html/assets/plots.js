// Charts drawn by uPlot in the colours of the style sheet, as wide as their boxes.

class Plots {
  constructor() {
    this.plots = [];
    let width = window.innerWidth;
    window.addEventListener("resize", () => {
      if (width === window.innerWidth) return;
      width = window.innerWidth;
      for (const { plot, box, height } of this.plots) plot.setSize({ width: box.clientWidth, height });
    });
  }

  // Colours come from the style sheet, so a change of theme draws everything again.
  clear() {
    for (const { plot } of this.plots) plot.destroy();
    this.plots = [];
  }

  colour(name) {
    const probe = view.element("span", { style: `color:var(--${name})` });
    document.body.append(probe);
    const colour = getComputedStyle(probe).color;
    probe.remove();
    return colour;
  }

  plot(box, height, options, data) {
    const ink = this.colour("soft");
    const grid = { stroke: this.colour("line"), width: 1 };
    const axis = (more) => ({ stroke: ink, grid, ticks: grid, font: "12px system-ui, sans-serif", labelFont: "12px system-ui, sans-serif", labelSize: 18, ...more });
    const [x, ...ys] = options.axes;
    const last = data[0].length - 1;
    const hooks = {
      ...options.hooks,
      ready: [(plot) => plot.setLegend({ idx: last })], // the last values, until one is pointed at
      setCursor: [(plot) => plot.cursor.idx ?? plot.setLegend({ idx: last }), ...(options.hooks.setCursor ?? [])],
    };
    const plot = new uPlot(
      { ...options, hooks, width: box.clientWidth, height, axes: [axis(x), ...ys.map(axis)], cursor: { points: { size: 7 }, drag: { x: false, y: false }, ...options.cursor } },
      data,
      box,
    );
    this.plots.push({ plot, box, height });
    return plot;
  }
}
