// The GPUs of a node, a tile each.

import { h } from "./dom.js";
import { bar, pill, spark } from "./marks.js";
import { count, gib, known, list, number, UNKNOWN, uuid, watts } from "./text.js";

// What the driver asks for: NVML field 230 (nvml.h).
const ACTIONS = ["", "a reset", "a reboot of the node", "to drain its peers", "to be drained and reset", "its IMEX recovered", "a bus reset", "a reboot of the system"];
const HOT = 0x8 | 0x40 | 0x80; // slowed by hardware: nvmlDeviceGetCurrentClocksEventReasons

export function tiles(page, history) {
  const { snapshot } = page;
  const reading = snapshot.gpus;
  const gpus = reading?.gpus ?? [];
  const lost = Object.keys(page.gpus).filter((id) => gpus.every((one) => one.uuid !== id));
  if (gpus.length === 0 && lost.length === 0 && !snapshot.gpus_problem) return null;
  const problem = snapshot.gpus_problem || reading?.error_text;
  return h("section", { "aria-labelledby": "gpus" },
    h("h2", { id: "gpus" }, "GPUs ", h("small", null, [alike(gpus), reading?.driver && `driver ${reading.driver}`].filter(Boolean).join(" · "))),
    problem && h("p", { class: "because" }, `They cannot be read now: ${problem}. What is below is of the last time.`),
    h("div", { class: "gpus" },
      gpus.map((one) => tile(one, page, history)),
      lost.map((id) => h("article", { class: "gpu", "data-key": id, "aria-label": `GPU ${id}` },
        h("header", null, h("h3", null, "GPU ?"), pill("bad", "Not listed"), h("p", { class: "small" }, uuid(id))),
        h("p", { class: "because" }, "The driver does not list it any more."),
        h("dl", { class: "facts" }, fact("Used by", users(page.gpus[id], null)))))));
}

function alike(gpus) {
  const names = [...new Set(gpus.map((one) => one.name).filter(Boolean))];
  return names.length === 1 ? `${gpus.length} × ${names[0]}` : "";
}

function tile(one, page, history) {
  const { snapshot } = page;
  const about = page.gpus[one.uuid] ?? { engines: [], incidents: [] };
  const past = history.gpus[one.uuid] ?? {};
  const found = state(one, about, snapshot);
  const mixed = alike(snapshot.gpus.gpus) === "";
  return h("article", { class: "gpu", "data-key": one.uuid || `#${one.index}`, "aria-label": `GPU ${one.index}` },
    h("header", null,
      h("h3", null, `GPU ${one.index}`),
      pill(found.tone, found.word),
      h("p", { class: "small" }, [mixed && one.name, uuid(one.uuid)].filter(Boolean).join(" · "))),
    known(one.error)
      ? h("p", { class: "because" }, `The driver answers ${one.error}: ${one.error_text}.`)
      : h("dl", { class: "rows" },
        row("Memory", `${gib(one.memory_used)} of ${gib(one.memory_total)} GiB`, bar(known(one.memory_used) && one.memory_total ? one.memory_used / one.memory_total : 0)),
        row("Use", known(one.utilisation) ? `${one.utilisation} %` : UNKNOWN, spark("Use", history, past.utilisation, 100, (value) => `${number(value)} %`)),
        row("Temperature", known(one.temperature) ? `${one.temperature} °C` : UNKNOWN, spark("Temperature", history, past.temperature, 100, (value) => `${number(value)} °C`)),
        row("Power", watts(one.power), spark("Power", history, past.power, null, watts))),
    h("dl", { class: "facts" },
      fact("Used by", users(about, one.processes)),
      fact("ECC", ecc(one)),
      fact("Xids", xids(about, snapshot)),
      fact("NVLinks", links(one)),
      fact("PCIe", pcie(one))));
}

function state(one, about, snapshot) {
  const mine = snapshot.conditions.filter((found) => found.subject === `gpu:${one.uuid}`);
  if (known(one.error)) return { tone: "bad", word: "No answer" };
  if (mine.some((found) => found.status === "fail")) return { tone: "bad", word: "Fault" };
  if (one.recovery_action) return { tone: "bad", word: "Needs help" };
  if (mine.length > 0 || about.incidents.length > 0) return { tone: "warn", word: "Warning" };
  if (one.clock_reasons & HOT) return { tone: "warn", word: "Slowed" };
  return { tone: "good", word: "Well" };
}

function users(about, processes) {
  const engines = about?.engines ?? [];
  if (engines.length) return list(engines);
  if (processes?.length) return `no engine; ${count(processes.length, "process", "processes")} (${processes.slice(0, 3).join(", ")})`;
  return processes ? "nobody" : UNKNOWN;
}

function ecc(one) {
  if (!known(one.ecc_uncorrected) && !known(one.ecc_corrected)) return UNKNOWN;
  const rows = [one.remap_failed && "remapping failed", (one.remap_pending || one.retired_pending) && "remapping waits for a reset", one.sram_threshold && "SRAM over its threshold"].filter(Boolean);
  return [`${number(one.ecc_uncorrected)} uncorrected, ${number(one.ecc_corrected)} corrected`, ...rows].join("; ");
}

function xids(about, snapshot) {
  const open = snapshot.incidents.filter((one) => about.incidents.includes(one.id));
  return open.length ? open.map((one) => `${one.xid}${one.count > 1 ? ` ×${one.count}` : ""}`).join(", ") : "none open";
}

function links(one) {
  if (one.links.length === 0) return "none";
  const up = one.links.filter((link) => link.active).length;
  const errors = one.links.map((link) => link.errors).filter(known);
  const sum = errors.reduce((a, b) => a + b, 0);
  return `${up} of ${one.links.length} up${sum ? `, ${count(sum, "error")}` : ""}`;
}

function pcie(one) {
  if (!known(one.pcie_width)) return UNKNOWN;
  const narrow = known(one.pcie_width_max) && one.pcie_width < one.pcie_width_max ? ` of ×${one.pcie_width_max}` : "";
  const asks = ACTIONS[one.recovery_action ?? 0];
  const text = `${known(one.pcie_gen) ? `gen ${one.pcie_gen} ` : ""}×${one.pcie_width}${narrow}${one.pcie_replays ? `, ${count(one.pcie_replays, "replay")}` : ""}`;
  return asks ? `${text}; the driver asks for ${asks}` : text;
}

function row(label, value, drawing) {
  return h("div", null, h("dt", null, label), h("dd", null, h("span", { class: "value" }, value), drawing));
}

function fact(label, value) {
  return h("div", null, h("dt", null, label), h("dd", null, value));
}
