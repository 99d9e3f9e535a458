// The model of the page, of any family: what it reads, what it writes, what it predicts.
//
// A writer (translator, language model) gives a node for every id that it has read or written: read(ids) → memory,
// extend(memory, nodes, ids) → the nodes of ids, logits(node) → those of the id after it. Nodes are never changed, so that
// beams, steps back and other choices share their past. A reader (masked model, classifier) takes a text at once.

nn.visible = (ids, pad) => (ids.includes(pad) ? Uint8Array.from(ids, (id) => (id === pad ? 0 : 1)) : null);

nn.head = (weights, name, embedding) => ({
  weight: weights.has(`${name}.weight`) ? weights.matrix(`${name}.weight`) : embedding.tokens,
  bias: weights.vector(`${name}.bias`),
});

nn.EncoderDecoder = class {
  constructor(weights, { options }) {
    this.pad = options.pad_id;
    this.source = new nn.Embedding(weights, "src_embedding", options);
    this.target = options.tie_embeddings ? this.source : new nn.Embedding(weights, "tgt_embedding", options);
    this.encoder = new nn.Stack(weights, { layers: "encoder", norm: "encoder_norm" }, options);
    this.decoder = new nn.Stack(weights, { layers: "decoder", norm: "decoder_norm" }, options, true);
    this.head = nn.head(weights, "head", this.target);
  }

  read(ids) {
    const visible = nn.visible(ids, this.pad);
    const { states, attention } = this.encoder.read(this.source.apply(ids, 0), ids.length, visible);
    const layers = this.decoder.layers.map((layer) => ({ ...layer.cross.memory(states, ids.length, 0), visible }));
    return { ids, attention, layers };
  }

  extend(memory, nodes, ids) {
    return this.decoder.extend(this.target.apply(ids, nodes.length), ids, nodes, memory.layers);
  }

  logits(node) {
    return nn.linear(node.state, 1, this.head);
  }
};

nn.RecurrentSeq2Seq = class {
  constructor(weights, { family, options }) {
    this.pad = options.pad_id;
    const plain = { scale_embeddings: true };
    this.source = new nn.Embedding(weights, "src_embedding", plain);
    this.target = options.tie_embeddings ? this.source : new nn.Embedding(weights, "tgt_embedding", plain);
    this.rnn = new nn.RecurrentStack(weights, "encoder.rnn", options, options.bidirectional);
    this.bridge = options.bidirectional ? [0, 1].slice(0, this.rnn.parts).map((i) => weights.linear(`bridge.maps.${i}`)) : null;
    const Decoder = family === "lstm" ? nn.PlainDecoder : options.score === "additive" ? nn.BahdanauDecoder : nn.LuongDecoder;
    this.decoder = new Decoder(weights, options);
    this.output = weights.has("output.weight") ? weights.linear("output") : null;
    this.head = nn.head(weights, "head", this.target);
  }

  read(ids) {
    const visible = nn.visible(ids, this.pad);
    const length = ids.length;
    const real = Math.max(1, visible ? visible.reduce((count, seen) => count + seen, 0) : length); // padding stands at the end
    const x = this.source.apply(ids, 0);
    const { outputs, finals } = this.rnn.run(x.subarray(0, (x.length / length) * real), real);
    const states = new Float32Array((outputs.length / real) * length);
    states.set(outputs);
    const hidden = finals.map((directions) => {
      if (!this.bridge) return directions[0];
      return this.bridge.map((map, part) => {
        const joined = nn.linear(nn.joined(directions[0][part], directions[1][part]), 1, map);
        return part ? joined : joined.map(Math.tanh);
      });
    });
    const keys = this.decoder.attention ? this.decoder.attention.keys(states, length) : null;
    return { ids, attention: null, hidden, length, states, keys, visible };
  }

  extend(memory, nodes, ids) {
    let states = nodes.length ? nodes.at(-1).states : memory.hidden;
    return ids.map((id) => {
      const found = this.decoder.step(this.target.apply([id], 0), states, memory);
      states = found.states;
      const state = this.output ? nn.linear(found.output, 1, this.output) : found.output;
      return { id, states, state, own: [], cross: found.weights ? [[found.weights]] : [] };
    });
  }

  logits(node) {
    return nn.linear(node.state, 1, this.head);
  }
};

nn.LanguageModel = class {
  constructor(weights, { options }) {
    this.embedding = new nn.Embedding(weights, "trunk.embedding", options);
    this.stack = new nn.Stack(weights, { layers: "trunk.layers", norm: "trunk.norm" }, options);
    this.head = nn.head(weights, "head", this.embedding);
  }

  read() {
    return null;
  }

  extend(_, nodes, ids) {
    return this.stack.extend(this.embedding.apply(ids, nodes.length), ids, nodes);
  }

  logits(node) {
    return nn.linear(node.state, 1, this.head);
  }
};

nn.MaskedLanguageModel = class {
  constructor(weights, { options }) {
    this.pad = options.pad_id;
    this.embedding = new nn.Embedding(weights, "trunk.embedding", options);
    this.stack = new nn.Stack(weights, { layers: "trunk.layers", norm: "trunk.norm" }, options);
    this.dense = weights.linear("head.dense");
    this.activation = nn.activations[options.activation];
    this.norm = new nn.Norm(weights, "head.norm", options.norm, options.norm_eps);
    this.head = nn.head(weights, "head", this.embedding);
  }

  read(ids) {
    const found = this.stack.read(this.embedding.apply(ids, 0), ids.length, nn.visible(ids, this.pad));
    return { ids, ...found };
  }

  // Of what stands at a place.
  logits(memory, place) {
    const width = memory.states.length / memory.ids.length;
    const hidden = nn.linear(memory.states.subarray(place * width, (place + 1) * width), 1, this.dense);
    return nn.linear(this.norm.apply(hidden.map(this.activation)), 1, this.head);
  }
};

nn.Classifier = class {
  constructor(weights, { family, options, pool }) {
    this.pad = options.pad_id;
    this.pool = pool;
    this.causal = family === "gpt";
    this.embedding = new nn.Embedding(weights, "trunk.embedding", options);
    this.stack = new nn.Stack(weights, { layers: "trunk.layers", norm: "trunk.norm" }, options);
    this.dense = weights.linear("head.dense");
    this.out = weights.linear("head.out");
  }

  read(ids) {
    const visible = nn.visible(ids, this.pad);
    const found = this.stack.read(this.embedding.apply(ids, 0), ids.length, visible, this.causal);
    return { ids, visible, ...found };
  }

  // Of every label.
  logits({ ids, states, visible }) {
    const width = states.length / ids.length;
    const real = ids.map((_, t) => (visible ? visible[t] : 1));
    const count = real.reduce((sum, seen) => sum + seen, 0);
    const places = this.pool === "first" ? [0] : this.pool === "last" ? [Math.max(count - 1, 0)] : ids.map((_, t) => t).filter((t) => real[t]);
    const pooled = new Float32Array(width);
    for (const t of places) for (let i = 0; i < width; i++) pooled[i] += states[t * width + i] / Math.max(places.length, 1);
    return nn.linear(nn.linear(pooled, 1, this.dense).map(Math.tanh), 1, this.out);
  }
};

nn.build = function (facts, weights) {
  if (facts.task === "classification") return new nn.Classifier(weights, facts);
  const families = {
    transformer: nn.EncoderDecoder, gpt: nn.LanguageModel, bert: nn.MaskedLanguageModel,
    lstm: nn.RecurrentSeq2Seq, bahdanau: nn.RecurrentSeq2Seq,
  };
  return new families[facts.family](weights, facts);
};
