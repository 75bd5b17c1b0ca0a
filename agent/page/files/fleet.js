// The page of a fleet: a line a node, the worst first.

import { h, say, show } from "./dom.js";
import { json, Live } from "./live.js";
import { mark, pill } from "./marks.js";
import { age, clock, count, known, list, number, percent, phase, rate, sentence, UNKNOWN } from "./text.js";

const here = (id) => document.getElementById(id);
let fleet = null;
let fetched = 0;

async function load(signal) {
  fleet = await json("v1/fleet", signal);
  fetched = performance.now();
  draw();
}

function draw() {
  const { nodes } = fleet;
  show(here("who"), h("span", { class: "node" }, fleet.inventory));
  say(here("title"), title(nodes));
  show(here("lead"), h("ul", { class: "tally", "aria-label": "How many nodes are how" }, tally(nodes)));
  const words = here("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = nodes.filter((one) => words.every((word) => text(one).includes(word)));
  say(here("shown"), words.length ? `${shown.length} of ${count(nodes.length, "node")}` : "The worst first");
  show(here("nodes"), shown.map(line));
}

function text(one) {
  return [one.name, one.phase, one.link, one.reason, one.release, ...one.engines.flatMap((engine) => [engine.name, engine.model, engine.phase])].join(" ").toLowerCase();
}

function title(nodes) {
  const well = nodes.filter(serves);
  const silent = nodes.filter((one) => one.link === "silent" || one.link === "stale");
  if (nodes.length === 0) return "The inventory has no node";
  const all = nodes.length === 1 ? "The node serves" : `All ${nodes.length} nodes serve`;
  if (well.length === nodes.length) return all;
  const unknown = silent.length ? `; ${silent.length} cannot be seen now` : "";
  return `${well.length} of ${count(nodes.length, "node")} ${nodes.length === 1 ? "serves" : "serve"}${unknown}`;
}

function serves(one) {
  return one.link === "fresh" && one.engines.every((engine) => engine.serving);
}

function state(one) {
  if (one.link === "asking") return { tone: "off", word: "Asking" };
  if (one.link === "silent") return { tone: "off", word: known(one.age) || one.since ? "Cannot be reached" : "Cannot be asked" };
  if (one.link === "stale") return { tone: "off", word: "Stale" };
  const about = phase(one.phase);
  if (one.phase === "SERVING" && !serves(one)) return { tone: "bad", word: "Gate stuck" };
  if (one.phase === "SERVING" && (one.warnings || one.incidents)) return { tone: "warn", word: "Serving, warned" };
  return about;
}

function tally(nodes) {
  const groups = new Map();
  for (const one of nodes) {
    const { tone, word } = state(one);
    groups.set(word, { tone, amount: (groups.get(word)?.amount ?? 0) + 1 });
  }
  return [...groups].map(([word, { tone, amount }]) => h("li", { "data-key": word }, h("span", { class: `pill ${tone}` }, mark(tone), `${amount} ${word.toLowerCase()}`)));
}

function line(one) {
  const { tone, word } = state(one);
  return h("li", { "data-key": one.name, class: tone === "off" ? "unknown" : null },
    h("h2", null, h("a", { href: `nodes/${encodeURIComponent(one.name)}/` }, one.name), pill(tone, word), one.release && h("span", { class: "release" }, `release ${release(one.release)}`)),
    h("div", null, because(one) && h("p", null, because(one)), h("p", { class: "models" }, models(one))),
    known(one.age) && h("dl", { class: "numbers" },
      figure("In flight", number(one.in_flight)),
      figure("Queue", number(one.waiting)),
      figure("Tokens/s", rate(one.tokens_per_second)),
      figure("KV use", percent(one.kv_use_ratio)),
      figure("GPUs", known(one.gpus) ? `${one.gpus - one.gpus_bad}/${one.gpus}` : UNKNOWN),
      figure("Drift", known(one.drift) ? (one.drift ? `${one.drift} left` : "none") : UNKNOWN)));
}

function because(one) {
  if (one.link === "silent") {
    const since = one.since ? `Cannot be reached since ${clock(one.since, fleet.at)} UTC: ` : "";
    const last = known(one.age) ? ` It was ${phase(one.phase).word.toLowerCase()} ${age(one.age)} ago.` : "";
    return sentence(since + one.problem) + last;
  }
  if (one.link === "stale") return `Its agent answers, but its loop does not turn: this is ${age(one.age)} old.`;
  if (one.link === "asking") return "It has not answered yet.";
  const open = [one.warnings && count(one.warnings, "warning"), one.incidents && count(one.incidents, "open incident")].filter(Boolean);
  const also = open.length ? `${sentence(list(open))} ` : "";
  return serves(one) ? also : `${sentence(one.message)} ${also}`; // that all is well says the line's mark
}

function models(one) {
  const all = one.engines.map((engine) => {
    const short = engine.model.split("/").at(-1);
    const out = engine.serving ? "" : `, ${phase(engine.phase).word.toLowerCase()} for ${age(fleet.at - engine.since)}`;
    return h("span", { class: "one" }, h("b", null, engine.name), ` ${short}${out}`);
  });
  return all;
}

// The time of its making, which all that were deployed together have in common.
function release(id) {
  const found = id.match(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)/);
  return found ? `${found[2]}-${found[3]} ${found[4]}:${found[5]}` : id;
}

function figure(label, value) {
  return h("div", null, h("dt", null, label), h("dd", null, value));
}

function tell(news) {
  const old = fleet ? (performance.now() - fetched) / 1000 : 0;
  const lost = news.lost && { text: news.why || "The dashboard does not answer.", more: fleet ? `What is below is ${age(old)} old. Trying again every 2 s.` : "Trying again every 2 s." };
  document.documentElement.dataset.state = lost ? "lost" : "live";
  const live = news.streaming ? pill("good", "Live") : pill("wait", "Every 2 s");
  show(here("link"), lost ? pill("bad", fleet ? "Stale" : "No data") : fleet ? live : pill("off", "Asking"), " ", h("span", { class: "ago" }, fleet && age(old)));
  show(here("banner"), lost && h("div", { class: "banner bad" }, h("p", null, h("strong", null, lost.text), " ", lost.more)));
  const now = fleet ? here("title").textContent : "Stoker";
  say(document.querySelector("title"), (lost ? "? " : "") + now);
  if (fleet || lost) say(here("told"), lost ? lost.text : now);
}

here("filter").addEventListener("input", () => fleet && draw());
new Live({ url: "v1/events", kinds: ["snapshot"] }, load, tell);
