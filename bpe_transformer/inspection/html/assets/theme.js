// Light and dark: as the system has it, or as the switch on top says. What starts every page.

// Calls redraw() after every change, for what is drawn with colours of the style sheet.
function themes(redraw) {
  const choose = (theme) => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    redraw();
  };
  const box = view.get("theme");
  let saved = null;
  try {
    saved = localStorage.getItem("theme"); // pages from disk may not be allowed to remember
  } catch {}
  const input = box.querySelector(`input[value="${saved}"]`);
  if (input) {
    input.checked = true;
    choose(saved);
  }
  box.addEventListener("change", (event) => {
    choose(event.target.value);
    try {
      localStorage.setItem("theme", event.target.value);
    } catch {}
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}

// Runs load(), and says on the page what went wrong.
function start(load) {
  load().catch((error) => {
    console.error(error);
    const note = view.get("failure");
    note.hidden = false;
    note.textContent = `This page could not be built: ${error.message}. It needs a browser of 2024 or newer.`;
  });
}

// (name, value, whether in small print) on top, and what made the page at its end.
function topFacts({ facts, colophon }) {
  const rows = facts.map(([name, value, small]) =>
    view.element("div", {}, view.element("dt", {}, name), view.element("dd", { class: small ? "small" : null }, value)),
  );
  view.get("facts").replaceChildren(...rows);
  view.get("colophon").textContent = colophon;
}
