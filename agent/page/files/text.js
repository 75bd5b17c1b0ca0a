// How values are said. "–" is for what is not known.

export const UNKNOWN = "–";

export const PHASES = {
  SERVING: { tone: "good", is: "serves", word: "Serving" },
  STARTING: { tone: "wait", is: "is starting", word: "Starting" },
  DRAINING: { tone: "wait", is: "is draining", word: "Draining" },
  DRAINED: { tone: "wait", is: "is drained", word: "Drained" },
  QUARANTINED: { tone: "bad", is: "is quarantined", word: "Quarantined" },
};

export function phase(name) {
  return PHASES[name] ?? { tone: "wait", is: `is ${name}`, word: name };
}

export function known(value) {
  return value !== null && value !== undefined;
}

export function number(value, digits = 0) {
  if (!known(value)) return UNKNOWN;
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export function rate(value) {
  return number(value, known(value) && value < 10 ? 1 : 0);
}

export function percent(ratio) {
  return known(ratio) ? `${Math.round(ratio * 100)} %` : UNKNOWN;
}

export function gib(bytes) {
  return known(bytes) ? (bytes / 2 ** 30).toFixed(bytes % 2 ** 30 ? 1 : 0) : UNKNOWN;
}

export function watts(milliwatts) {
  return known(milliwatts) ? `${Math.round(milliwatts / 1000)} W` : UNKNOWN;
}

export function age(seconds) {
  if (!known(seconds)) return UNKNOWN;
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
    if (seconds >= size) return `${Math.round(seconds / size)} ${unit}`;
  }
  return `${Math.max(0, Math.floor(seconds))} s`;
}

// An instant as the audit log writes it: UTC. The day only when it is another one than `now`'s.
export function clock(at, now) {
  const iso = new Date(at * 1000).toISOString();
  const today = now !== undefined && iso.slice(0, 10) === new Date(now * 1000).toISOString().slice(0, 10);
  return today ? iso.slice(11, 19) : `${iso.slice(0, 10)} ${iso.slice(11, 19)}`;
}

export function sentence(text, capital = true) {
  const plain = String(text ?? "").trim();
  if (!plain) return "";
  const end = /[.!?…]$/.test(plain) ? "" : ".";
  return (capital ? plain[0].toUpperCase() + plain.slice(1) : plain) + end;
}

export function count(amount, one, many = `${one}s`) {
  return `${number(amount)} ${amount === 1 ? one : many}`;
}

export function list(words) {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

// `gpu:GPU-…` as a person says it, with the number that the driver gives it now.
export function subject(name, snapshot) {
  const [kind, rest] = [name.split(":")[0], name.slice(name.indexOf(":") + 1)];
  if (kind === "engine") return `engine ${rest}`;
  if (kind !== "gpu" || rest === name) return name;
  const gpu = (snapshot.gpus?.gpus ?? []).find((one) => one.uuid === rest);
  return gpu ? `GPU ${gpu.index}` : rest.slice(0, 12);
}

export function uuid(text) {
  return text.length > 14 ? `${text.slice(0, 12)}…` : text;
}

export function busy(engine) {
  const { requests_running: running, requests_waiting: waiting } = engine;
  return known(running) && known(waiting) ? running + waiting : null;
}

export function serves(engine) {
  return engine.state.phase === "SERVING" && !engine.gate_problem;
}
