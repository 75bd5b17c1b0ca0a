// What has happened: incidents with their evidence and decision, and the rungs that were begun.

import { h } from "./dom.js";
import { pill } from "./marks.js";
import { age, clock, count, known, list, sentence, subject } from "./text.js";

const SHOWN = 20;
const CLOSED = {
  harmless: "there was nothing to do",
  "driver-asks-nothing": "the driver asks for nothing any more",
  "reset-seen": "the GPU was reset",
  boot: "the host was started anew",
  "engine-proven": "the engine answers again",
  person: "a person has dealt with it",
  "crowded-out": "too many were open",
};

export function timeline(snapshot, now) {
  const told = [
    ...snapshot.incidents.map((one) => [one.first, incident(one, snapshot, now)]),
    ...snapshot.incidents_closed.map((one) => [one.first, incident(one, snapshot, now)]),
    ...snapshot.attempts.map((one) => [one.began, attempt(one, snapshot, now)]),
  ].sort((a, b) => b[0] - a[0]);
  const more = told.length - SHOWN;
  return h("section", { "aria-labelledby": "incidents" },
    h("h2", { id: "incidents" }, "Incidents ", h("small", null, `${snapshot.incidents.length} open`)),
    told.length
      ? h("ol", { class: "timeline" }, told.slice(0, SHOWN).map(([, one]) => one))
      : h("p", { class: "quiet" }, "No fault of a GPU has been told."),
    more > 0 && h("p", { class: "quiet" }, `${count(more, "older one")} not shown; `, h("a", { href: "v1/incidents?state=all" }, "all of them as JSON"), "."));
}

function incident(one, snapshot, now) {
  const open = !one.closed;
  const verdict = one.verdict;
  const switched = one.kind === "sxid";
  return h("li", { "data-key": `${one.id}${one.closed_at ?? ""}`, class: open ? "open" : "closed" },
    when(one.first, now),
    h("div", null,
      h("h3", null, `${switched ? "SXid" : "Xid"} ${one.xid} on ${switched ? "NVSwitch" : "GPU"} ${place(one.gpu, snapshot)}`, " ", state(one, open)),
      h("p", null, decision(verdict)),
      h("p", { class: "small" }, [
        one.count > 1 && `told ${one.count} times, last ${age(now - (one.last ?? one.first))} ago`,
        verdict?.rule && `rule: ${verdict.rule}`,
        `incident ${one.id}`,
        one.ours === true && "it hit an engine",
        known(one.reset) && `reset at ${clock(one.reset, now)}`,
      ].filter(Boolean).join(" · ")),
      one.closed && h("p", { class: "small" }, `Closed ${age(now - one.closed_at)} ago: ${CLOSED[one.closed] ?? one.closed}${one.by ? `, says ${one.by}` : ""}${one.why ? ` (${one.why})` : ""}.`),
      evidence(one, now)));
}

function state(one, open) {
  if (!open) return pill("off", "Closed");
  if (!one.verdict) return pill("wait", "Being judged");
  return pill("bad", one.verdict.remedy === "quarantine" ? "Open: only a person may close it" : "Open");
}

function decision(verdict) {
  if (!verdict) return "Decision: not yet; for some seconds more may be told of it.";
  return [h("b", null, `Decision: ${verdict.remedy === "none" ? "nothing to do" : verdict.remedy}. `), sentence(verdict.message)];
}

function evidence(one, now) {
  const lines = (one.evidence ?? []).map((item) => `${clock(item.at, now)}  ${item.source ?? "kernel"}  ${item.text || "(a number only)"}\n`);
  if (lines.length === 0) return null;
  return h("details", { open: !one.closed },
    h("summary", null, `Evidence: ${count(lines.length, "line")}`),
    h("pre", { tabindex: 0, role: "group", "aria-label": `Evidence of incident ${one.id}` }, lines));
}

function place(bus, snapshot) {
  const known = (snapshot.gpus?.gpus ?? []).find((one) => normal(one.pci) === bus);
  return known ? `${known.index} (${bus})` : bus || "?";
}

// As `agent.xid.bus` spells a bus id: without the function.
function normal(pci) {
  return (pci ?? "").toLowerCase().replace(/\.[0-9a-f]+$/, "");
}

const OUTCOMES = { running: ["wait", "Under way"], done: ["off", "Done"], failed: ["bad", "Failed"] };

function attempt(one, snapshot, now) {
  const [tone, word] = OUTCOMES[one.outcome] ?? ["off", one.outcome];
  const about = one.subject === "node" ? "the node" : subject(one.subject, snapshot);
  const took = known(one.ended) ? `it took ${age(one.ended - one.began)}` : `for ${age(now - one.began)} so far`;
  return h("li", { "data-key": `${one.rung}${one.subject}${one.began}`, class: one.outcome },
    when(one.began, now),
    h("div", null,
      h("h3", null, `The agent began a ${one.rung} of ${about}`, " ", pill(tone, word)),
      h("p", { class: "small" }, list([`for ${one.reason}`, took])),
      one.message && h("p", null, sentence(one.message))));
}

function when(at, now) {
  return h("p", { class: "when" }, h("time", { datetime: new Date(at * 1000).toISOString() }, clock(at, now)), " ", h("span", null, `${age(now - at)} ago`));
}
