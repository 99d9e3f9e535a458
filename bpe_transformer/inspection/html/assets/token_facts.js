// What is known of a token: its bytes, the merge that made it, how often it was counted, and the tree of merges below it.

const NO_ID = 0xffffffff;

class TokenFacts {
  // trace: unfolded, or null where the tokenizer came without one.
  constructor(vocabulary, tokens, trace) {
    Object.assign(this, { vocabulary, tokens, trace });
  }

  // The trace's facts about a merge, in words.
  learnerFacts(rank) {
    const { trace } = this;
    const i = rank - (trace?.first ?? 0);
    if (!trace || i < 0 || i >= trace.counts.length) return [];
    const facts = [`${view.times(trace.counts[i], "time")} in ${view.times(trace.words_touched[i], "word")}`];
    if (trace.runner_left[i] !== NO_ID) {
      const pair = this.runnerUp(i);
      const tied = trace.runner_count[i] === trace.counts[i];
      facts.push(tied ? `tied with ${pair}: smaller ids first` : `runner-up ${pair}, ${view.number(trace.runner_count[i])}`);
    }
    facts.push(`${view.times(trace.tokens_left[i], "token")} left`);
    return facts;
  }

  runnerUp(i) {
    return `${this.tokens.write(this.trace.runner_left[i])} + ${this.tokens.write(this.trace.runner_right[i])}`;
  }

  // Everything that is known of a token, as elements for the inspector.
  describe(id) {
    const bytes = this.vocabulary.bytes(id);
    const rank = this.vocabulary.rankOf(id);
    const rows = [["id", view.number(id)], ["bytes", view.hex(bytes) || "–", "mono"]];
    const kind = this.tokens.kind(id);
    if (kind === "special" || kind === "unknown") rows.push(["kind", kind === "special" ? "special token" : "stands for an unknown character"]);
    else if (rank === undefined) rows.push(["kind", "base token"]);
    else {
      rows.push(["rank", view.number(rank)]);
      const { trace } = this;
      const i = rank - (trace?.first ?? 0);
      if (trace && i >= 0 && i < trace.counts.length) {
        rows.push(["pair counted", view.number(trace.counts[i])]);
        if (trace.runner_left[i] !== NO_ID) {
          rows.push(["runner-up", `${this.runnerUp(i)} (${view.number(trace.runner_count[i])}${trace.runner_count[i] === trace.counts[i] ? ", tie" : ""})`]);
        }
      }
    }
    const list = view.element("dl", {}, ...rows.flatMap(([name, value, style]) => [view.element("dt", {}, name), view.element("dd", { class: style ?? null }, value)]));
    const parts = [view.element("div", { class: "big" }, this.tokens.span(id)), list];
    if (rank !== undefined) parts.push(view.element("h3", {}, "Derivation", view.element("span", {}, "rank")), this.tree(id));
    return parts;
  }

  // The tree of merges that build a token: every merged token with its two sides and its rank.
  tree(id) {
    const { left, right } = this.vocabulary.facts;
    const item = (id) => {
      const rank = this.vocabulary.rankOf(id);
      const sides = [left[rank], right[rank]];
      const sum = view.element("span", { class: "sum" }, ` = ${sides.map((side) => this.tokens.write(side)).join(" + ")}`);
      const row = view.element("div", {}, view.element("span", {}, this.tokens.write(id), sum), view.element("span", { class: "rank" }, view.number(rank)));
      const merged = sides.filter((side) => this.vocabulary.rankOf(side) !== undefined);
      return view.element("li", {}, row, merged.length ? view.element("ul", { class: "tree" }, ...merged.map(item)) : null);
    };
    return view.element("ul", { class: "tree" }, item(id));
  }
}

// 64-bit columns of a trace arrive as two of 32 bits.
function unfold(trace) {
  const joined = (name) => Float64Array.from(trace[`${name}_low`], (low, i) => trace[`${name}_high`][i] * 2 ** 32 + low);
  return {
    first: trace.first_rank,
    runner_left: trace.runner_left,
    runner_right: trace.runner_right,
    counts: joined("counts"),
    runner_count: joined("runner_count"),
    words_touched: joined("words_touched"),
    tokens_left: joined("tokens_left"),
  };
}
