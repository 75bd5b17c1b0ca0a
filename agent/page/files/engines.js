// The engines of a node.

import { h } from "./dom.js";
import { bar, pill, spark } from "./marks.js";
import { age, busy, clock, count, known, number, percent, phase, rate, sentence, serves, subject, UNKNOWN } from "./text.js";

export function cards(page, history, now) {
  const { snapshot } = page;
  const engines = Object.entries(snapshot.engines);
  return h("section", { "aria-labelledby": "engines" },
    h("h2", { id: "engines" }, engines.length === 1 ? "Engine" : "Engines"),
    h("div", { class: "engines" }, engines.map(([name, one]) => card(name, one, snapshot, history, now))));
}

function card(name, one, snapshot, history, now) {
  const { state } = one;
  const about = phase(state.phase);
  const past = history.engines[name] ?? {};
  return h("article", { class: "engine", "data-key": name, "aria-label": `Engine ${name}` },
    h("header", null,
      h("h3", null, name),
      pill(one.gate_problem ? "bad" : about.tone, one.gate_problem ? "Gate stuck" : about.word),
      h("p", { class: "model" }, one.served_name || one.model)),
    !serves(one) && h("p", { class: "because" }, h("b", null, state.reason), " ", sentence(state.message), known(state.deadline) && state.phase === "DRAINING" && ` At the latest at ${clock(state.deadline, now)} UTC.`),
    h("dl", { class: "figures" },
      figure("In flight", number(busy(one)), spark("In flight", history, past.in_flight, null, number)),
      figure("Queue", number(one.requests_waiting), spark("Queue", history, past.waiting, null, number)),
      figure("Tokens/s", rate(one.tokens_per_second), spark("Tokens per second", history, past.tokens_per_second, null, rate)),
      figure("KV use", percent(one.kv_use_ratio), spark("KV use", history, past.kv_use_ratio, 1, percent))),
    h("dl", { class: "facts" },
      fact("Phase", `${about.word} for ${age(now - state.since)}${state.by === "agent" || !state.by ? "" : `, by ${state.by}`}`),
      fact("Age", known(one.running_since) && one.running !== false ? age(now - one.running_since) : UNKNOWN),
      fact("Restarts", `${number(state.starts.length)} of late, ${number(one.restarts_left)} left`),
      fact("GPUs", one.gpus.length ? one.gpus.map((gpu) => subject(`gpu:${gpu}`, snapshot).replace("GPU ", "")).join(" ") : UNKNOWN),
      fact("Program", `${one.kind}, port ${one.port}`),
      one.capacity < 1 && fact("Capacity", h("span", { class: "with-bar" }, percent(one.capacity), bar(one.capacity))),
      one.advice !== "none" && fact("Advice", `${one.advice}${snapshot.remediation === "observe" ? ", but the agent only observes" : ""}`)),
    ended(one, now));
}

// How it ended last, with its last lines: only as long as it is out.
function ended(one, now) {
  const exit = one.last_exit;
  if (!exit || one.running !== false) return null;
  return h("details", { class: "exit" },
    h("summary", null, `Ended ${age(now - exit.ended)} ago with code ${exit.code}: ${exit.reason}`),
    h("p", null, sentence(exit.message)),
    exit.lines.length > 0 && h("pre", { tabindex: 0, role: "group", "aria-label": `Last ${count(exit.lines.length, "line")} of the engine` }, exit.lines.slice(-20).map((line) => `${line}\n`)));
}

function figure(label, value, drawing) {
  return h("div", null, h("dt", null, label), h("dd", null, h("span", { class: "value" }, value), drawing));
}

function fact(label, value) {
  return h("div", null, h("dt", null, label), h("dd", null, value));
}
