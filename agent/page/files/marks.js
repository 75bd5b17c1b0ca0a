// The small drawings: marks of state, sparklines, bars. A form stands for each tone: colour is an extra.

import { h, s } from "./dom.js";
import { known } from "./text.js";

const SHAPES = {
  good: () => [s("circle", { cx: 8, cy: 8, r: 6, class: "fill" })],
  wait: () => [
    s("circle", { cx: 8, cy: 8, r: 5.5, class: "line" }),
    s("path", { d: "M8 2.5a5.5 5.5 0 0 1 0 11z", class: "fill" }),
  ],
  warn: () => [s("path", { d: "M8 1.8 15 14H1z", class: "fill" })],
  bad: () => [s("path", { d: "M5 1h6l4 4v6l-4 4H5l-4-4V5z", class: "fill" }), s("path", { d: "M5.2 5.2l5.6 5.6m0-5.6-5.6 5.6", class: "cut" })],
  off: () => [s("circle", { cx: 8, cy: 8, r: 5.5, class: "line dashed" })],
};

export function mark(tone) {
  return s("svg", { class: `mark ${tone}`, viewBox: "0 0 16 16", "aria-hidden": "true" }, SHAPES[tone]());
}

export function pill(tone, word) {
  return h("span", { class: `pill ${tone}` }, mark(tone), word);
}

const WIDTH = 120;
const HEIGHT = 28;

// The last quarter of an hour of one number. Gaps are where it was not known.
export function spark(label, history, values, most, say) {
  const told = (values ?? []).filter(known);
  if (told.length < 2) {
    return s("svg", { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true", preserveAspectRatio: "none" },
      s("path", { class: "base", d: `M0 ${HEIGHT - 1}H${WIDTH}` }));
  }
  const end = history.at.at(-1);
  const top = most ?? (Math.max(...told) * 1.15 || 1);
  const x = (at) => round(WIDTH - 3 - ((end - at) / history.span) * (WIDTH - 3));
  const y = (value) => round(HEIGHT - 2 - (Math.min(value, top) / top) * (HEIGHT - 5));
  const runs = pieces(history, values).map((run) => run.map(([at, value]) => [x(at), y(value)]));
  const line = runs.map((run) => `M${run.map((point) => point.join(" ")).join("L")}`).join("");
  const area = runs.map((run) => `M${run[0][0]} ${HEIGHT - 1}L${run.map((p) => p.join(" ")).join("L")}L${run.at(-1)[0]} ${HEIGHT - 1}z`).join("");
  const last = values.at(-1);
  const said = `${label}, last 15 minutes: between ${say(Math.min(...told))} and ${say(Math.max(...told))}`;
  return s("svg", { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": said, preserveAspectRatio: "none" },
    s("path", { class: "base", d: `M0 ${HEIGHT - 1}H${WIDTH}` }),
    s("path", { class: "area", d: area }),
    s("path", { class: "run", d: line }),
    known(last) && s("path", { class: "end", d: `M${x(end)} ${y(last)}h0` }));
}

function pieces(history, values) {
  const runs = [];
  let run = null;
  let before = null;
  values.forEach((value, at) => {
    const time = history.at[at];
    if (!known(value)) run = null;
    else if (run === null || time - before > 3 * history.step) runs.push((run = [[time, value]]));
    else run.push([time, value]);
    before = time;
  });
  return runs;
}

function round(value) {
  return Math.round(value * 10) / 10;
}

// How full something is; the number stands beside it.
export function bar(ratio) {
  const filled = Math.max(0, Math.min(1, ratio ?? 0)) * 100;
  return s("svg", { class: "bar", viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("rect", { class: "base", width: 100, height: 4 }),
    s("rect", { class: ratio > 0.95 ? "full" : "fill", width: round(filled), height: 4 }));
}
