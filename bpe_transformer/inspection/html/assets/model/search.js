// How a model writes: greedily, with beams, or by draws; the same ids as bpe_transformer/inference/search gives.
//
// A row is one text being written: {nodes, logProbability, steps, logits}; `nodes` begin with what was read before.

nn.Writer = class {
  // suppressed: ids that are never written. eos: ends a text.
  constructor(model, { eos, suppressed }) {
    this.model = model;
    this.eos = eos;
    this.suppressed = suppressed;
  }

  // The row from which everything is written: after `ids` (bos, or a prompt), of which `nodes` are known already.
  start(memory, ids, nodes = []) {
    const all = [...nodes, ...this.model.extend(memory, nodes, ids.slice(nodes.length))];
    return this.row(memory, all, all.length, 0, []);
  }

  row(memory, nodes, from, logProbability, steps) {
    const row = { memory, nodes, from, logProbability, steps };
    row.logits = this.model.logits(nodes.at(-1));
    return row;
  }

  written(row) {
    return row.nodes.slice(row.from).map((node) => node.id);
  }

  // The logarithm of the probability of every next id, in nats.
  logProbabilities(row) {
    row.logSoftmax ??= nn.logSoftmax(row.logits);
    return row.logSoftmax;
  }

  // The same with -Infinity for what is never written.
  allowed(row) {
    const scores = Float32Array.from(this.logProbabilities(row));
    for (const id of this.suppressed) scores[id] = -Infinity;
    return scores;
  }

  // The row after one more id.
  advance(row, id) {
    const gained = this.logProbabilities(row)[id];
    const [node] = this.model.extend(row.memory, row.nodes, [id]);
    return this.row(row.memory, [...row.nodes, node], row.from, row.logProbability + gained, [...row.steps, gained]);
  }

  best(row) {
    const logits = row.logits;
    const hidden = new Set(this.suppressed);
    let best = -1;
    for (let id = 0; id < logits.length; id++) if (!hidden.has(id) && (best < 0 || logits[id] > logits[best])) best = id;
    return best;
  }

  // A draw is a function of the seed and the step: the ids of `generate --seed` for the first text.
  draw(row, { temperature, topK, topP, seed }) {
    if (temperature < 1e-6) return this.best(row);
    const hidden = Float32Array.from(row.logits);
    for (const id of this.suppressed) hidden[id] = -Infinity;
    const kept = nn.softmax(nn.filtered(hidden, { temperature, topK, topP }));
    const mass = new Float64Array(kept.length);
    let total = 0;
    for (let id = 0; id < kept.length; id++) mass[id] = total += kept[id];
    const drawn = nn.counterUniform(seed, [0, row.nodes.length - row.from]) * total;
    const found = mass.findIndex((sum) => sum > drawn);
    return found < 0 ? kept.length - 1 : found;
  }
};

// Logits below their maximum over the temperature, -Infinity for what top-k and then top-p cut.
nn.filtered = function (logits, { temperature, topK, topP }) {
  let largest = -Infinity;
  for (const value of logits) if (value > largest) largest = value;
  const scaled = logits.map((value) => Math.fround(value - largest) / Math.max(temperature, 1e-6));
  if (topK > 0 && topK < scaled.length) {
    const least = Float32Array.from(scaled).sort().at(-topK);
    for (let id = 0; id < scaled.length; id++) if (scaled[id] < least) scaled[id] = -Infinity;
  }
  if (topP < 1) {
    const probabilities = nn.softmax(Float32Array.from(scaled));
    const order = Array.from(probabilities.keys()).sort((a, b) => probabilities[b] - probabilities[a]);
    let before = 0;
    for (const id of order) {
      if (before >= topP) scaled[id] = -Infinity;
      before += probabilities[id];
    }
  }
  return scaled;
};

// Uniform in [0, 1): SplitMix64's finalizer, once a counter (see training/objectives/random_draws.py).
nn.counterUniform = function (seed, counters) {
  const bits = (value) => BigInt.asUintN(64, value);
  const golden = 0x9e3779b97f4a7c15n;
  let state = bits(BigInt(seed) * golden + 1n);
  for (const counter of counters) {
    let x = bits(BigInt(counter) * golden + state);
    x = bits((x ^ (x >> 30n)) * 0xbf58476d1ce4e5b9n);
    x = bits((x ^ (x >> 27n)) * 0x94d049bb133111ebn);
    state = x ^ (x >> 31n);
  }
  return Number(state >> 40n) / 2 ** 24;
};

nn.lengthNormalizer = (length, penalty) => ((5 + length) / 6) ** penalty;

// Beam search, a step at a time: `live` rows and `finished` hypotheses {row, logProbability, score, finish}, best first.
nn.BeamSearch = class {
  constructor(writer, row, { beam, lengthPenalty, limit }) {
    Object.assign(this, { writer, beam, lengthPenalty, limit, live: [row], finished: [], over: false });
    this.length = writer.written(row).length;
  }

  step() {
    if (this.over) return;
    const { beam, writer } = this;
    const lastChance = this.limit <= this.length;
    const length = this.length + 1; // with what this step adds
    const divisor = nn.lengthNormalizer(length, this.lengthPenalty);
    const candidates = this.candidates(lastChance);
    for (const { row, id, total, byLimit } of candidates.slice(0, beam)) {
      if (id !== writer.eos || total === -Infinity) continue;
      const steps = [...row.steps, writer.logProbabilities(row)[id]];
      this.finished.push({ row, logProbability: total, score: total / divisor, steps, finish: byLimit ? "limit" : "ended" });
    }
    this.finished.sort((a, b) => b.score - a.score);
    const best = candidates.filter(({ id }) => id !== writer.eos).slice(0, beam);
    const least = best.length ? best[0].total : -Infinity;
    this.over = length > this.limit || least === -Infinity || this.done(least / divisor);
    if (!this.over) this.live = best.filter(({ total }) => total > -Infinity).map(({ row, id }) => writer.advance(row, id));
    this.length = length;
  }

  // With one best to give: enough hypotheses, and the best of them above every unfinished prefix.
  done(bestUnfinished) {
    const enough = this.lengthPenalty === 0 ? 1 : this.beam;
    return this.finished.length >= enough && this.finished[0].score >= bestUnfinished;
  }

  // The 2 · beam best continuations, best first.
  candidates(lastChance) {
    const found = [];
    const { eos } = this.writer;
    for (const row of this.live) {
      const scores = this.writer.allowed(row);
      const best = nn.topIds(scores, lastChance ? 1 : 2 * this.beam);
      const byLimit = lastChance && best[0] !== eos;
      for (const id of lastChance ? [eos] : best) found.push({ row, id, total: row.logProbability + scores[id], byLimit });
    }
    return found.sort((a, b) => b.total - a.total).slice(0, 2 * this.beam);
  }
};

// The ids of the largest scores, best first.
nn.topIds = function (scores, count) {
  const kept = [];
  for (let id = 0; id < scores.length; id++) {
    if (kept.length === count && scores[id] <= scores[kept[count - 1]]) continue;
    let at = kept.length;
    while (at > 0 && scores[kept[at - 1]] < scores[id]) at--;
    kept.splice(at, 0, id);
    if (kept.length > count) kept.pop();
  }
  return kept;
};
