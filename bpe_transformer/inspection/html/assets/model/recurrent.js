// Recurrent encoders and decoders, as bpe_transformer/models/recurrent.py has them. A state is [h] or [h, c].

// One step: what input and state bring to the gates, and the last state.
nn.cells = {
  lstm: (fromInput, fromState, [h, c]) => {
    const size = h.length;
    const [nextH, nextC] = [new Float32Array(size), new Float32Array(size)];
    for (let i = 0; i < size; i++) {
      const gate = (n) => fromInput[n * size + i] + fromState[n * size + i];
      nextC[i] = nn.sigmoid(gate(1)) * c[i] + nn.sigmoid(gate(0)) * Math.tanh(gate(2));
      nextH[i] = nn.sigmoid(gate(3)) * Math.tanh(nextC[i]);
    }
    return [nextH, nextC];
  },
  gru: (fromInput, fromState, [h]) => {
    const size = h.length;
    const next = new Float32Array(size);
    for (let i = 0; i < size; i++) {
      const reset = nn.sigmoid(fromInput[i] + fromState[i]);
      const kept = nn.sigmoid(fromInput[size + i] + fromState[size + i]);
      const fresh = Math.tanh(fromInput[2 * size + i] + reset * fromState[2 * size + i]);
      next[i] = fresh + kept * (h[i] - fresh);
    }
    return [next];
  },
  rnn: (fromInput, fromState) => [fromInput.map((value, i) => Math.tanh(value + fromState[i]))],
};

// Layers of nn.LSTM, nn.GRU or nn.RNN, with torch's names.
nn.RecurrentStack = class {
  constructor(weights, name, config, bidirectional) {
    this.cell = nn.cells[config.cell];
    this.parts = config.cell === "lstm" ? 2 : 1;
    this.size = config.d_model;
    this.directions = bidirectional ? 2 : 1;
    const map = (kind, layer, direction) => {
      const end = `${kind}_l${layer}${direction ? "_reverse" : ""}`;
      return { weight: weights.matrix(`${name}.weight_${end}`), bias: weights.vector(`${name}.bias_${end}`) };
    };
    this.layers = Array.from({ length: config.n_layers }, (_, layer) =>
      Array.from({ length: this.directions }, (_, direction) => ({ input: map("ih", layer, direction), state: map("hh", layer, direction) })));
  }

  zeros() {
    return Array.from({ length: this.parts }, () => new Float32Array(this.size));
  }

  // x (n, inputs), the state of every layer and direction (default: zeros) → outputs (n, D · H), final states.
  run(x, n, states = this.layers.map((layer) => layer.map(() => this.zeros()))) {
    const finals = [];
    this.layers.forEach((layer, l) => {
      const outputs = new Float32Array(n * this.directions * this.size);
      finals.push(layer.map(({ input, state }, direction) => {
        const gates = nn.linear(x, n, input);
        const width = gates.length / n;
        let held = states[l][direction];
        for (let k = 0; k < n; k++) {
          const t = direction ? n - 1 - k : k;
          held = this.cell(gates.subarray(t * width, (t + 1) * width), nn.linear(held[0], 1, state), held);
          outputs.set(held[0], (t * this.directions + direction) * this.size);
        }
        return held;
      }));
      x = outputs;
    });
    return { outputs: x, finals };
  }
};

// --- scores of a recurrent decoder over the source (Bahdanau et al. 2015, Luong et al. 2015) ---

nn.StateAttention = class {
  constructor(weights, name, score) {
    this.additive = score === "additive" || score === "concat";
    this.query = this.additive ? weights.linear(`${name}.query`) : null;
    this.key = score === "dot" ? null : weights.linear(`${name}.key`);
    this.score = weights.vector(`${name}.score`);
  }

  keys(states, n) {
    return this.key ? nn.linear(states, n, this.key) : states;
  }

  // The weights over the source (S,) and the context, of one query.
  attend(query, memory) {
    const { length, keys, states, visible } = memory;
    const q = this.query ? nn.linear(query, 1, this.query) : query;
    const width = keys.length / length;
    const weights = new Float32Array(length);
    for (let s = 0; s < length; s++) {
      let score = 0;
      for (let i = 0; i < width; i++) {
        const key = keys[s * width + i];
        score += this.additive ? this.score[i] * Math.tanh(q[i] + key) : q[i] * key;
      }
      weights[s] = visible && !visible[s] ? -Infinity : score;
    }
    nn.softmax(weights);
    const size = states.length / length;
    const context = new Float32Array(size);
    for (let s = 0; s < length; s++) for (let i = 0; i < size; i++) context[i] += weights[s] * states[s * size + i];
    return { weights, context };
  }
};

// --- decoders: step(x, states, memory) → {output, states, weights or null} ---

nn.PlainDecoder = class {
  constructor(weights, config) {
    this.rnn = new nn.RecurrentStack(weights, "decoder.rnn", config, false);
  }

  step(x, states) {
    const { outputs, finals } = this.rnn.run(x, 1, states.map((state) => [state]));
    return { output: outputs, states: finals.map(([state]) => state), weights: null };
  }
};

nn.LuongDecoder = class extends nn.PlainDecoder {
  constructor(weights, config) {
    super(weights, config);
    this.attention = new nn.StateAttention(weights, "decoder.attention", config.score);
    this.combine = weights.linear("decoder.combine");
  }

  step(x, states, memory) {
    const plain = super.step(x, states);
    const { weights, context } = this.attention.attend(plain.output, memory);
    const output = nn.linear(nn.joined(context, plain.output), 1, this.combine).map(Math.tanh);
    return { ...plain, output, weights };
  }
};

nn.BahdanauDecoder = class {
  constructor(weights, config) {
    this.cell = nn.cells[config.cell];
    this.attention = new nn.StateAttention(weights, "decoder.attention", config.score);
    this.cells = Array.from({ length: config.n_layers }, (_, i) => ({
      input: weights.linear(`decoder.cells.${i}.input`),
      state: weights.linear(`decoder.cells.${i}.recurrent`),
    }));
    this.readout = weights.linear("decoder.readout");
  }

  step(x, states, memory) {
    const top = states.at(-1)[0];
    const { weights, context } = this.attention.attend(top, memory);
    const next = [];
    let below = nn.joined(x, context);
    this.cells.forEach(({ input, state }, i) => {
      next.push(this.cell(nn.linear(below, 1, input), nn.linear(states[i][0], 1, state), states[i]));
      below = next[i][0];
    });
    const pairs = nn.linear(nn.joined(top, x, context), 1, this.readout);
    const output = Float32Array.from({ length: pairs.length / 2 }, (_, i) => Math.max(pairs[2 * i], pairs[2 * i + 1]));
    return { output, states: next, weights };
  }
};
