// The layers of a Transformer, as bpe_transformer/models/layers has them, for one text without padding.

// Rotary positions: the pair (x[i], x[i + D/2]) of a head turns by position · base^(-2i/D).
nn.Rotary = class {
  constructor(width, base) {
    this.width = width;
    this.frequencies = Float64Array.from({ length: width / 2 }, (_, i) => base ** (-2 * i / width));
  }

  // In place: all heads of one position.
  turn(heads, position) {
    const half = this.width / 2;
    for (let i = 0; i < half; i++) {
      const cos = Math.fround(Math.cos(position * this.frequencies[i]));
      const sin = Math.fround(Math.sin(position * this.frequencies[i]));
      for (let at = i; at < heads.length; at += this.width) {
        const [first, second] = [heads[at], heads[at + half]];
        heads[at] = first * cos - second * sin;
        heads[at + half] = second * cos + first * sin;
      }
    }
  }
};

nn.Attention = class {
  constructor(weights, name, config, rotary) {
    const width = config.d_model;
    this.heads = config.n_heads;
    this.width = width / config.n_heads;
    this.shared = config.n_heads / (config.n_kv_heads ?? config.n_heads); // query heads to a key head
    const whole = weights.linear(`${name}.qkv`);
    this.kv = (whole.weight.rows - width) / 2;
    this.query = nn.part(whole, 0, width);
    this.context = nn.part(whole, width, whole.weight.rows);
    this.out = weights.linear(`${name}.out`);
    this.rotary = rotary;
    const norm = (part) => (config.qk_norm ? new nn.Norm(weights, `${name}.${part}`, "rmsnorm", config.norm_eps) : null);
    this.queryNorm = norm("q_norm");
    this.keyNorm = norm("k_norm");
  }

  queries(x, n, first) {
    let q = nn.linear(x, n, this.query);
    if (this.queryNorm) q = this.queryNorm.apply(q);
    const width = q.length / n;
    if (this.rotary) for (let t = 0; t < n; t++) this.rotary.turn(q.subarray(t * width, (t + 1) * width), first + t);
    return q;
  }

  // The key and the value of every position, one array each.
  memory(x, n, first) {
    const both = nn.linear(x, n, this.context);
    const [keys, values] = [[], []];
    for (let t = 0; t < n; t++) {
      const at = 2 * t * this.kv;
      let key = both.subarray(at, at + this.kv);
      if (this.keyNorm) key = this.keyNorm.apply(key);
      if (this.rotary) this.rotary.turn(key, first + t);
      keys.push(key);
      values.push(both.subarray(at + this.kv, at + 2 * this.kv));
    }
    return { keys, values };
  }

  // Queries (n, H · D) over the first `seen(t)` keys each, those that `visible` hides left out.
  // Returns the output (n, C) and, by head and query, the weights over those keys.
  attend(q, n, { keys, values }, seen, visible) {
    const { heads, width, shared } = this;
    const mixed = new Float32Array(q.length);
    const weights = Array.from({ length: heads }, () => []);
    const scale = 1 / Math.sqrt(width);
    for (let t = 0; t < n; t++) {
      const count = seen(t);
      for (let h = 0; h < heads; h++) {
        const from = (t * heads + h) * width;
        const offset = Math.floor(h / shared) * width;
        const row = new Float32Array(count);
        for (let s = 0; s < count; s++) {
          if (visible && !visible[s]) {
            row[s] = -Infinity;
            continue;
          }
          const key = keys[s];
          let dot = 0;
          for (let i = 0; i < width; i++) dot += q[from + i] * key[offset + i];
          row[s] = dot * scale;
        }
        nn.softmax(row);
        for (let s = 0; s < count; s++) {
          const weight = row[s];
          if (!weight) continue;
          const value = values[s];
          for (let i = 0; i < width; i++) mixed[from + i] += weight * value[offset + i];
        }
        weights[h].push(row);
      }
    }
    return { mixed: nn.linear(mixed, n, this.out), weights };
  }
};

nn.FeedForward = class {
  constructor(weights, name, config) {
    this.activation = nn.activations[config.activation];
    this.gate = weights.has(`${name}.gate_proj.weight`) ? weights.linear(`${name}.gate_proj`) : null;
    this.up = weights.linear(`${name}.up_proj`);
    this.down = weights.linear(`${name}.down_proj`);
  }

  apply(x, n) {
    const inner = nn.linear(x, n, this.up);
    const gate = this.gate && nn.linear(x, n, this.gate);
    for (let i = 0; i < inner.length; i++) inner[i] = gate ? this.activation(gate[i]) * inner[i] : this.activation(inner[i]);
    return nn.linear(inner, n, this.down);
  }
};

nn.Layer = class {
  constructor(weights, name, config, rotary, crosses) {
    this.pre = config.norm_place === "pre";
    const norm = (part) => new nn.Norm(weights, `${name}.${part}_norm`, config.norm, config.norm_eps);
    this.own = new nn.Attention(weights, `${name}.self_attention`, config, rotary);
    this.ownNorm = norm("self_attention");
    this.cross = crosses ? new nn.Attention(weights, `${name}.cross_attention`, config, null) : null;
    this.crossNorm = crosses ? norm("cross_attention") : null;
    this.feedForward = new nn.FeedForward(weights, `${name}.feed_forward`, config);
    this.feedForwardNorm = norm("feed_forward");
  }

  // x (n, C) at the positions from past.keys.length on. causal: each sees its past only, else all see all that is visible.
  // Returns the next x, keys and values of these positions, and the weights over themselves and over the memory.
  run(x, n, { past, causal, visible = null, memory = null }) {
    const first = past.keys.length;
    const read = this.pre ? this.ownNorm.apply(x) : x;
    const fresh = this.own.memory(read, n, first);
    const whole = { keys: [...past.keys, ...fresh.keys], values: [...past.values, ...fresh.values] };
    const seen = causal ? (t) => first + t + 1 : () => whole.keys.length;
    const own = this.own.attend(this.own.queries(read, n, first), n, whole, seen, visible);
    x = this.after(this.ownNorm, x, own.mixed);
    let cross = null;
    if (this.cross) {
      const q = this.cross.queries(this.pre ? this.crossNorm.apply(x) : x, n, 0);
      cross = this.cross.attend(q, n, memory, () => memory.keys.length, memory.visible);
      x = this.after(this.crossNorm, x, cross.mixed);
    }
    const change = this.feedForward.apply(this.pre ? this.feedForwardNorm.apply(x) : x, n);
    x = this.after(this.feedForwardNorm, x, change);
    return { x, fresh, own: own.weights, cross: cross?.weights ?? null };
  }

  after(norm, x, change) {
    const total = nn.sum(x, change);
    return this.pre ? total : norm.apply(total);
  }
};

nn.Embedding = class {
  constructor(weights, name, config) {
    this.tokens = weights.matrix(`${name}.tokens.weight`);
    this.kind = config.positions ?? "none";
    this.learned = this.kind === "learned" ? weights.matrix(`${name}.positions.embedding.weight`) : null;
    this.segment = config.n_segments ? nn.row(weights.matrix(`${name}.segments.weight`), 0) : null;
    this.norm = config.embedding_norm ? new nn.Norm(weights, `${name}.norm`, config.norm, config.norm_eps) : null;
    this.scale = config.scale_embeddings === false ? 1 : Math.sqrt(this.tokens.columns);
    this.sinusoids = new Map();
  }

  apply(ids, first) {
    const width = this.tokens.columns;
    const x = new Float32Array(ids.length * width);
    ids.forEach((id, t) => {
      const token = nn.row(this.tokens, id);
      const place = this.position(first + t);
      for (let i = 0; i < width; i++) {
        x[t * width + i] = token[i] * this.scale + (place ? place[i] : 0) + (this.segment ? this.segment[i] : 0);
      }
    });
    return this.norm ? this.norm.apply(x) : x;
  }

  position(place) {
    if (this.learned) return nn.row(this.learned, place);
    if (this.kind !== "sinusoidal") return null;
    let found = this.sinusoids.get(place);
    if (!found) {
      const width = this.tokens.columns;
      const angle = (i) => place / 10000 ** ((i - (i % 2)) / width);
      found = Float32Array.from({ length: width }, (_, i) => (i % 2 ? Math.cos(angle(i)) : Math.sin(angle(i))));
      this.sinusoids.set(place, found);
    }
    return found;
  }
};

// A stack of layers with its closing norm.
nn.Stack = class {
  constructor(weights, { layers, norm }, config, crosses = false) {
    const rotary = config.positions === "rope" ? new nn.Rotary(config.d_model / config.n_heads, config.rope_base) : null;
    this.layers = Array.from({ length: config.n_layers }, (_, i) => new nn.Layer(weights, `${layers}.${i}`, config, rotary, crosses));
    this.norm = config.norm_place === "pre" ? new nn.Norm(weights, norm, config.norm, config.norm_eps) : null;
  }

  // All of x (n, C) at once, every position seeing all that is visible: {states, attention[layer][head][query]}.
  read(x, n, visible, causal = false) {
    const attention = [];
    for (const layer of this.layers) {
      const found = layer.run(x, n, { past: { keys: [], values: [] }, causal, visible });
      x = found.x;
      attention.push(found.own);
    }
    return { states: this.norm ? this.norm.apply(x) : x, attention };
  }

  // x (n, C) after the nodes so far: a node for each, with its state, what later ones attend to, and what it attends to.
  extend(x, ids, nodes, memories = null) {
    const n = ids.length;
    const fresh = ids.map((id) => ({ id, layers: [], own: [], cross: [] }));
    this.layers.forEach((layer, l) => {
      const past = { keys: nodes.map((node) => node.layers[l].key), values: nodes.map((node) => node.layers[l].value) };
      const found = layer.run(x, n, { past, causal: true, memory: memories && memories[l] });
      x = found.x;
      fresh.forEach((node, t) => {
        node.layers.push({ key: found.fresh.keys[t], value: found.fresh.values[t] });
        node.own.push(found.own.map((rows) => rows[t]));
        if (found.cross) node.cross.push(found.cross.map((rows) => rows[t]));
      });
    });
    const states = this.norm ? this.norm.apply(x) : x;
    const width = states.length / n;
    fresh.forEach((node, t) => (node.state = states.subarray(t * width, (t + 1) * width)));
    return fresh;
  }
};
