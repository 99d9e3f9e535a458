// A model's numbers: its weights as they come in the page, and the arithmetic on them. Plain typed arrays, no DOM.
// A matrix is {data, rows, columns}, row after row; states (T, C) are one Float32Array. Sums are kept in 64 bits.

const nn = {};

// --- weights, as model_weights.py packs them ------------------------------------------------------------------------

nn.halfTable = function () {
  const table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    table[bits] =
      exponent === 0 ? sign * fraction * 2 ** -24
      : exponent === 31 ? (fraction ? NaN : sign * Infinity)
      : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  return table;
};

// `kept` says of each tensor its name, shape and kind; the bytes lie in planes, one tensor after another.
nn.Weights = class {
  constructor(kept, bytes) {
    this.tensors = new Map();
    const half = nn.halfTable();
    let at = 0;
    // Numbers of 32 bits, of which the lowest bytes may have been left out.
    const float32 = (count, left = 0) => {
      const whole = new Uint8Array(4 * count);
      for (let plane = left; plane < 4; plane++) for (let i = 0; i < count; i++) whole[4 * i + plane] = bytes[at++];
      return new Float32Array(whole.buffer);
    };
    for (const { name, shape, kind } of kept) {
      const count = shape.reduce((product, size) => product * size, 1);
      let data;
      if (kind === "float32") data = float32(count);
      else if (kind === "float24") data = float32(count, 1);
      else if (kind === "float16") {
        data = new Float32Array(count);
        for (let i = 0; i < count; i++) data[i] = half[bytes[at + i] | (bytes[at + count + i] << 8)];
        at += 2 * count;
      } else {
        const scales = float32(shape[0]);
        const columns = count / shape[0];
        const numbers = new Int8Array(bytes.buffer, bytes.byteOffset + at, count);
        data = Float32Array.from(numbers, (value, i) => value * scales[Math.floor(i / columns)]);
        at += count;
      }
      this.tensors.set(name, { data, rows: shape[0], columns: count / shape[0] });
    }
  }

  has(name) {
    return this.tensors.has(name);
  }

  matrix(name) {
    const found = this.tensors.get(name);
    if (!found) throw new Error(`the page lacks the weight ${name}`);
    return found;
  }

  // A vector, or null where the model has none.
  vector(name) {
    return this.tensors.get(name)?.data ?? null;
  }

  linear(name) {
    return { weight: this.matrix(`${name}.weight`), bias: this.vector(`${name}.bias`) };
  }
};

nn.row = (matrix, index) => matrix.data.subarray(index * matrix.columns, (index + 1) * matrix.columns);

// The rows `from` to `to` of a linear map.
nn.part = ({ weight, bias }, from, to) => ({
  weight: { data: weight.data.subarray(from * weight.columns, to * weight.columns), rows: to - from, columns: weight.columns },
  bias: bias && bias.subarray(from, to),
});

// --- arithmetic ------------------------------------------------------------------------------------------------------

// x (n, inputs) → x Wᵀ + b (n, outputs); four outputs at a time share each number of x that is read.
nn.linear = function (x, n, { weight, bias }) {
  const { data, rows: outputs, columns: inputs } = weight;
  const y = new Float32Array(n * outputs);
  for (let t = 0; t < n; t++) {
    const row = x.subarray(t * inputs, (t + 1) * inputs);
    const to = t * outputs;
    let o = 0;
    for (; o + 4 <= outputs; o += 4) {
      const at0 = o * inputs;
      const at1 = at0 + inputs;
      const at2 = at1 + inputs;
      const at3 = at2 + inputs;
      let sum0 = 0;
      let sum1 = 0;
      let sum2 = 0;
      let sum3 = 0;
      for (let i = 0; i < inputs; i++) {
        const value = row[i];
        sum0 += data[at0 + i] * value;
        sum1 += data[at1 + i] * value;
        sum2 += data[at2 + i] * value;
        sum3 += data[at3 + i] * value;
      }
      y[to + o] = sum0;
      y[to + o + 1] = sum1;
      y[to + o + 2] = sum2;
      y[to + o + 3] = sum3;
    }
    for (; o < outputs; o++) {
      let sum = 0;
      for (let i = 0; i < inputs; i++) sum += data[o * inputs + i] * row[i];
      y[to + o] = sum;
    }
    if (bias) for (let i = 0; i < outputs; i++) y[to + i] += bias[i];
  }
  return y;
};

nn.sum = (x, y) => {
  const total = new Float32Array(x.length);
  for (let i = 0; i < x.length; i++) total[i] = x[i] + y[i];
  return total;
};

nn.joined = (...parts) => {
  const whole = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
};

// Softmax in place over the first `count` numbers; those that are -Infinity become 0, and so do all if all are.
nn.softmax = (scores, count = scores.length) => {
  let largest = -Infinity;
  for (let i = 0; i < count; i++) if (scores[i] > largest) largest = scores[i];
  if (largest === -Infinity) return scores.fill(0, 0, count);
  let total = 0;
  for (let i = 0; i < count; i++) {
    const value = Math.exp(scores[i] - largest);
    scores[i] = value;
    total += value;
  }
  for (let i = 0; i < count; i++) scores[i] /= total;
  return scores;
};

nn.logSoftmax = (logits) => {
  let largest = -Infinity;
  for (const value of logits) if (value > largest) largest = value;
  let total = 0;
  for (const value of logits) total += Math.exp(value - largest);
  const shift = largest + Math.log(total);
  return Float32Array.from(logits, (value) => value - shift);
};

nn.sigmoid = (x) => 1 / (1 + Math.exp(-x));

// The error function to 1.5e-7 (Abramowitz and Stegun 1964, formula 7.1.26).
nn.erf = (x) => {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - series * Math.exp(-x * x));
};

nn.activations = {
  relu: (x) => (x > 0 ? x : 0),
  relu2: (x) => (x > 0 ? x * x : 0),
  gelu: (x) => 0.5 * x * (1 + nn.erf(x * Math.SQRT1_2)),
  gelu_tanh: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  swiglu: (x) => x * nn.sigmoid(x),
};

// Layer norm or RMS norm over rows of `width`; identity for a model without this norm.
nn.Norm = class {
  constructor(weights, name, kind, eps) {
    this.gain = weights.vector(`${name}.weight`);
    this.bias = weights.vector(`${name}.bias`);
    this.centred = kind === "layernorm";
    this.eps = eps;
  }

  apply(x) {
    const width = this.gain.length;
    const y = new Float32Array(x.length);
    for (let from = 0; from < x.length; from += width) {
      let mean = 0;
      if (this.centred) {
        for (let i = 0; i < width; i++) mean += x[from + i];
        mean /= width;
      }
      let squares = 0;
      for (let i = 0; i < width; i++) squares += (x[from + i] - mean) ** 2;
      const scale = 1 / Math.sqrt(squares / width + this.eps);
      for (let i = 0; i < width; i++) y[from + i] = (x[from + i] - mean) * scale * this.gain[i] + (this.bias ? this.bias[i] : 0);
    }
    return y;
  }
};
