// The page of one node. It lies at `/` of the agent, and at `/nodes/NAME/` of `stoker dashboard`.

import { h, say, show } from "./dom.js";
import { cards } from "./engines.js";
import { tiles } from "./gpus.js";
import { foot, keeping } from "./keeping.js";
import { json, Live } from "./live.js";
import { pill } from "./marks.js";
import { headline, todo, wrong } from "./sentences.js";
import { age, clock } from "./text.js";
import { timeline } from "./timeline.js";

const KINDS = [
  "snapshot", "phase", "started", "incident-opened", "incident-judged", "incident-closed",
  "condition-opened", "condition-closed", "rung-begun", "rung-ended", "drift",
];
const HISTORY = 5000; // ms between two loads of it
const here = (id) => document.getElementById(id);
const part = location.pathname.match(/\/nodes\/([^/]+)\/$/);

let page = null;
let history = { at: [], engines: {}, gpus: {}, span: 900, step: 5 };
let fetched = 0; // performance.now(), of the page
let drawn = -Infinity; // the same, of the history
let tone = "off";

async function load(signal) {
  page = await json("v1/page", signal);
  fetched = performance.now();
  if (fetched - drawn > HISTORY) {
    // An agent of before has none: the page stands without.
    history = await json("v1/history", signal).catch(() => history);
    drawn = fetched;
  }
  draw();
}

function draw() {
  const { snapshot } = page;
  const now = snapshot.at + page.age; // by the node's clock: a phone's may be wrong
  const head = headline(page, now);
  tone = head.tone;
  show(here("who"), h("span", { class: "node" }, snapshot.node));
  say(here("title"), head.title);
  show(here("lead"),
    h("p", { class: "state" }, pill(head.tone, head.word), " ", h("span", { class: "since" }, head.since)),
    h("p", { class: "lead" }, head.lead),
    todo(page, part !== null),
    wrong(snapshot, now));
  show(here("body"),
    cards(page, history, now),
    tiles(page, history),
    timeline(snapshot, now),
    keeping(snapshot, now));
  show(here("foot"), foot(snapshot));
}

function tell(state) {
  const news = judged(state);
  document.documentElement.dataset.state = news.kind;
  show(here("link"), pill(news.tone, news.word), " ", h("span", { class: "ago" }, news.ago));
  show(here("banner"), news.text && h("div", { class: `banner ${news.tone}` },
    h("p", null, h("strong", null, news.text), " ", news.more)));
  const title = page ? here("title").textContent : "Stoker";
  const marked = { good: "", wait: "◐ ", warn: "! ", bad: "✕ ", off: "" }[tone];
  say(document.querySelector("title"), news.text ? `? ${title}` : marked + title);
  if (page || news.text) say(here("told"), news.text || title);
}

// What is to be said of the connection, and of the age of what is shown.
function judged(state) {
  if (!page) {
    if (!state.lost) return { kind: "asking", tone: "off", word: "Asking", ago: "" };
    return { kind: "lost", tone: "bad", word: "No data", ago: "", text: state.why || "The agent does not answer.", more: "Trying again every 2 s. On the node: systemctl status stoker-agent" };
  }
  const old = page.age + (performance.now() - fetched) / 1000;
  const as = `What is below is as of ${clock(page.snapshot.at)} UTC, ${age(old)} ago.`;
  if (state.lost) {
    return { kind: "lost", tone: "bad", word: "Stale", ago: age(old), text: state.why || "The agent does not answer.", more: `${as} Trying again every 2 s.` };
  }
  if (page.problem) return { kind: "lost", tone: "bad", word: "Stale", ago: age(old), text: page.problem, more: as };
  if (old > page.stale_after) {
    return { kind: "stale", tone: "bad", word: "Stale", ago: age(old), text: "The agent answers, but its loop does not turn.", more: `${as} On the node: journalctl -u stoker-agent` };
  }
  const word = state.streaming ? "Live" : "Every 2 s";
  return { kind: "live", tone: state.streaming ? "good" : "wait", word, ago: age(old) };
}

if (part) {
  here("home").setAttribute("href", "../../");
  here("home").textContent = "‹ all nodes";
}
new Live({ url: "v1/events", kinds: KINDS }, load, tell);
