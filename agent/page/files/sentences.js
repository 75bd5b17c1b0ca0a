// What is the matter, and what to do: the top of a node's page.

import { h } from "./dom.js";
import { mark } from "./marks.js";
import { age, busy, clock, count, known, list, number, phase, sentence, serves, subject } from "./text.js";

// The worst first, as the agent has it; then what does not show in the phase.
export function headline(page, now) {
  const { snapshot } = page;
  const engines = Object.entries(snapshot.engines);
  const up = engines.filter(([, one]) => serves(one));
  const stuck = engines.filter(([, one]) => one.gate_problem);
  const worst = phase(snapshot.phase);
  const of = engines.find(([, one]) => one.state.phase === snapshot.phase)?.[1];
  const since = of ? `${snapshot.reason} · for ${age(now - of.state.since)}, since ${clock(of.state.since, now)} UTC` : snapshot.reason;
  const head = { tone: worst.tone, word: worst.word, since, title: `${snapshot.node} ${worst.is}`, lead: sentence(snapshot.message) };
  if (engines.length > 1 && up.length > 0 && up.length < engines.length) {
    const out = engines.filter(([, one]) => !serves(one));
    head.title = `${snapshot.node} serves in part: ${list(out.map(([name, one]) => `${name} ${phase(one.state.phase).is}`))}`;
  }
  if (stuck.length > 0) {
    head.tone = "bad";
    head.title = `${snapshot.node} ${worst.is}, but its gate does not work`;
    head.lead = stuck.map(([name, one]) => `The gate of engine ${name}: ${sentence(one.gate_problem, false)}`).join(" ");
  } else if (worst.tone === "good") {
    Object.assign(head, serving(snapshot, engines));
  }
  return head;
}

function serving(snapshot, engines) {
  const load = engines.map(([, one]) => busy(one)).filter(known);
  const total = load.length ? `${count(load.reduce((a, b) => a + b, 0), "request")} in flight` : "load not known";
  const what = engines.length === 1 ? "Its engine answers" : engines.length === 2 ? "Both engines answer" : `All ${engines.length} engines answer`;
  const warned = snapshot.conditions.length;
  const blind = snapshot.gpus_problem || snapshot.checks_unknown.length;
  const tone = warned || snapshot.incidents.length ? "warn" : "good";
  const but = [
    warned && count(warned, "warning"),
    snapshot.incidents.length && count(snapshot.incidents.length, "open incident"),
    blind && "something it cannot see",
  ].filter(Boolean);
  const lead = `${what}; ${total}.${but.length ? ` There ${warned === 1 || (!warned && snapshot.incidents.length < 2) ? "is" : "are"} ${list(but)}.` : ""}`;
  return { tone, lead };
}

// Sentences and commands, the first thing first.
export function todo(page, elsewhere) {
  const { snapshot } = page;
  const items = [...engines(page), ...due(page), ...others(snapshot)];
  return h("div", { class: "todo" },
    h("h2", null, "What to do"),
    items.length
      ? h("ol", null, items.map((one) => h("li", null, h("p", null, one.text), one.commands?.length > 0 && [
        elsewhere && h("p", { class: "where" }, `On ${snapshot.node}:`),
        one.commands.map((command) => h("code", { class: "command" }, `sudo ${command}`)),
      ])))
      : h("p", null, "Nothing."));
}

function engines(page) {
  return Object.entries(page.snapshot.engines).flatMap(([name, one]) => {
    const outlook = page.outlook[name];
    const quiet = serves(one) && one.advice === "none";
    if (!outlook || quiet) return [];
    const commands = outlook.release;
    const then = commands.length ? " To release it, when all is well:" : "";
    return [{ text: `What comes next for ${name}: ${sentence(outlook.next, false)}${then}`, commands }];
  });
}

function due(page) {
  return page.due.map((one) => {
    const about = subject(one.subject, page.snapshot);
    if (one.rung === "quarantine") return { text: `${sentence(about)} ${sentence(one.why)} ${sentence(one.advice)}`.replace(/\.\s/, ": ") };
    return { text: `${sentence(one.reason)} A ${one.rung} of ${about === "node" ? "the node" : about} is due. It waits, as ${one.why}. ${sentence(one.advice)}` };
  });
}

function others(snapshot) {
  const { drift, gateway } = snapshot;
  const older = Object.entries(snapshot.engines).filter(([, one]) => known(one.running_digest) && one.running_digest !== one.digest);
  return [
    snapshot.gpus_problem && { text: `The GPUs cannot be read: ${sentence(snapshot.gpus_problem)}` },
    snapshot.checks_unknown.length > 0 && { text: `The agent cannot look: ${list(snapshot.checks_unknown)}. Unknown is not failed; see its journal.`, commands: ["journalctl -u stoker-agent -n 50"] },
    drift.left.length > 0 && { text: `${count(drift.left.length, "thing")} on this node ${drift.left.length === 1 ? "is" : "are"} not as released; see below.` },
    drift.problem && { text: `Whether the node drifted cannot be told: ${sentence(drift.problem)}` },
    gateway.deaf && { text: `The gateway tells the agent nothing: ${sentence(gateway.deaf)}` },
    older.length > 0 && { text: `${list(older.map(([name]) => name))} ${older.length === 1 ? "runs" : "run"} with older settings; a restart applies the new.`, commands: older.map(([name]) => `stokerctl restart ${name} --reason "…"`) },
  ].filter(Boolean);
}

const TONES = { ok: "good", warn: "warn", fail: "bad", unknown: "off" };
const WORDS = { ok: "well", warn: "warning", fail: "fault", unknown: "unknown" };

// What stands against the node: each condition with its evidence.
export function wrong(snapshot, now) {
  if (snapshot.conditions.length === 0) return null;
  return h("div", { class: "wrong" },
    h("h2", null, "What is wrong"),
    h("ul", null, snapshot.conditions.map((one) => h("li", { "data-key": `${one.check}/${one.subject}/${one.reason}` },
      mark(TONES[one.status] ?? "warn"),
      h("div", null,
        h("p", null, h("span", { class: "unseen" }, `${WORDS[one.status] ?? one.status}: `), h("strong", null, told(one, snapshot))),
        h("p", { class: "small" }, facts(one, now)),
        one.evidence && h("p", { class: "evidence" }, one.evidence))))));
}

// A message that does not begin with what it is about gets that put before.
function told(one, snapshot) {
  const about = subject(one.subject, snapshot);
  return one.message.toLowerCase().includes(about.toLowerCase()) ? sentence(one.message) : `${about}: ${sentence(one.message, false)}`;
}

function facts(one, now) {
  return [
    one.reason,
    `for ${age(now - one.since)}`,
    one.remedy !== "none" && `remedy: ${one.remedy}`,
    one.capacity < 1 && `does ${number(one.capacity * 100)} % of its work`,
    one.fatal && "requests in flight on it cannot finish",
  ].filter(Boolean).join(" · ");
}
