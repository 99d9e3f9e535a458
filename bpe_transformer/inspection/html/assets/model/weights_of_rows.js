// The attention of what was read and written, by kind: between which ids, and with which weights.

// {name: {title, rows, columns, weights[layer][head][row]}}; rows are ids that attend, or null for one not known yet.
// model: what the page knows of it; eos: what ended the text, if something did.
function attentionKinds({ memory, nodes, task, eos }) {
  const kinds = {};
  const own = nodes && nodes[0]?.own.length ? byLayer(nodes.map((node) => node.own)) : null;
  const cross = nodes && nodes[0]?.cross.length ? byLayer(nodes.map((node) => node.cross)) : null;
  const ids = nodes?.map((node) => node.id) ?? [];
  if (cross) {
    const rows = [...ids.slice(1), ...(eos === undefined ? [] : [eos])]; // the row of an id is where the next one was written
    kinds.cross = { title: "written to source", rows, columns: memory.ids, weights: cut(cross, rows.length) };
  }
  if (own) {
    const title = task === "translation" ? "within the written" : "back over the text";
    kinds.decoder = { title, rows: ids, columns: ids, weights: own };
  }
  if (memory?.attention) {
    const title = task === "translation" ? "within the source" : "within the text";
    kinds.encoder = { title, rows: memory.ids, columns: memory.ids, weights: memory.attention };
  }
  return kinds;
}

// [row][layer][head] → [layer][head][row]
function byLayer(rows) {
  return rows[0].map((heads, layer) => heads.map((_, head) => rows.map((row) => row[layer][head])));
}

function cut(weights, count) {
  return weights.map((heads) => heads.map((rows) => rows.slice(0, count)));
}

// The mean of several lists of rows; rows may end where the past does.
function meanRows(lists) {
  return lists[0].map((row, t) => Float64Array.from(row, (_, s) => lists.reduce((sum, list) => sum + list[t][s], 0) / lists.length));
}
