// Drift, release, and what else keeps the node as it is.

import { h } from "./dom.js";
import { pill } from "./marks.js";
import { age, clock, count, known, number, sentence, UNKNOWN } from "./text.js";

export function keeping(snapshot, now) {
  const { drift, gateway } = snapshot;
  const streams = Object.entries(gateway.streams ?? {});
  return h("section", { "aria-labelledby": "keeping" },
    h("h2", { id: "keeping" }, "Drift and release"),
    h("dl", { class: "keeping" },
      fact("Drift", verdict(drift, now)),
      fact("Release", drift.release ? h("code", null, drift.release) : UNKNOWN),
      drift.corrected > 0 && fact("Corrected", `${count(drift.corrected, "thing")} by the last check`),
      drift.maintenance && fact("Maintenance", drift.maintenance),
      fact("Agent", [`${snapshot.version}, `, snapshot.remediation === "act" ? "acts by itself" : "only observes"]),
      fact("Settings", h("code", null, snapshot.digest)),
      fact("Certificate", known(gateway.certificate_expires) ? expiry(gateway.certificate_expires - now) : UNKNOWN),
      fact("Gateway", gateway.deaf ? `not heard: ${gateway.deaf}` : `${count(gateway.requests, "request")} since the agent began`),
      streams.length > 0 && fact("Streams", streams.map(([name, ends]) => `${name}: ${number(ends.broken)} of ${number(ends.ended)} broke off in 5 min`).join("; ")),
      snapshot.log_gaps > 0 && fact("Kernel's log", `records were lost ${count(snapshot.log_gaps, "time")}`)),
    drift.left.length > 0 && h("ul", { class: "drifted" }, drift.left.map((one) => h("li", { "data-key": one.what },
      h("code", null, one.what), " ", h("span", { class: "small" }, `${one.kind} · ${sentence(one.why)}`)))));
}

function verdict(drift, now) {
  const checked = known(drift.checked) ? ` checked ${age(now - drift.checked)} ago` : "";
  if (drift.problem) return [pill("off", "Cannot be told"), checked];
  if (!known(drift.checked)) return pill("off", "Not checked yet");
  if (drift.left.length === 0) return [pill("good", "None"), checked];
  return [pill("warn", `${drift.left.length} left`), ` since ${age(now - (drift.since || drift.checked))},${checked}`];
}

function expiry(left) {
  if (left < 0) return pill("bad", `ended ${age(-left)} ago`);
  return left < 14 * 86400 ? pill("warn", `ends in ${age(left)}`) : `ends in ${age(left)}`;
}

export function foot(snapshot) {
  return [
    h("p", null, `As of ${clock(snapshot.at)} UTC by the node's clock; the last look took ${number(snapshot.tick_seconds * 1000)} ms.`),
    h("p", null, "The same for machines: ", h("a", { href: "v1/page" }, "page"), " · ", h("a", { href: "v1/history" }, "history")),
  ];
}

function fact(label, value) {
  return h("div", null, h("dt", null, label), h("dd", null, value));
}
