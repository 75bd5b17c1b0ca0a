// Keeps the page up to date: loads when the stream of events says that something happened, and every
// other second in any case; says so when it cannot, and goes on by itself when it can again.

const EVERY = 2000; // ms between two loads
const SOON = 120; // ms after an event: several come together
const PATIENCE = 6000; // ms that one load may take
const LOST = 7000; // ms without an answer until we say so
const AGAIN = 10000; // ms until a stream that was refused is asked for again

export class Live {
  // `load(signal)` gets the data; `tell(state)` hears how it goes, every second.
  constructor(events, load, tell) {
    Object.assign(this, { events, load, tell, stream: null, streaming: false, timer: 0, loading: false });
    this.good = null; // performance.now() of the last good load
    this.seen = performance.now(); // since when somebody looks
    this.why = "";
    document.addEventListener("visibilitychange", () => this.turn());
    setInterval(() => this.report(), 1000);
    this.turn();
  }

  // A page that nobody sees asks nothing: places in the stream are few, and a phone's battery is small.
  turn() {
    clearTimeout(this.timer);
    if (document.visibilityState === "hidden") {
      this.stream?.close();
      this.stream = null;
      this.streaming = false;
      return;
    }
    this.seen = performance.now();
    this.listen();
    this.now();
  }

  listen() {
    if (this.stream !== null || document.visibilityState === "hidden") return;
    const stream = new EventSource(this.events.url);
    this.stream = stream;
    stream.onopen = () => { this.streaming = true; this.report(); };
    for (const kind of this.events.kinds) {
      stream.addEventListener(kind, () => this.soon());
    }
    stream.onerror = () => {
      this.streaming = false;
      if (stream.readyState !== EventSource.CLOSED) return; // it connects again by itself
      this.stream = null;
      setTimeout(() => this.listen(), AGAIN);
    };
  }

  soon() {
    if (this.loading) { this.more = true; return; }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.now(), SOON);
  }

  async now() {
    if (this.loading || document.visibilityState === "hidden") return;
    clearTimeout(this.timer);
    this.loading = true;
    this.more = false;
    try {
      await this.load(AbortSignal.timeout(PATIENCE));
      this.good = performance.now();
      this.why = "";
    } catch (error) {
      this.why = error instanceof Answer ? error.message : "";
    }
    this.loading = false;
    this.report();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.now(), this.more ? SOON : EVERY);
  }

  report() {
    const silent = performance.now() - Math.max(this.good ?? 0, this.seen);
    this.tell({
      begun: this.good !== null,
      lost: this.why !== "" || silent > LOST,
      silent: silent / 1000,
      streaming: this.streaming,
      why: this.why,
    });
  }
}

// The other side answered that it will not; it says why.
export class Answer extends Error {}

export async function json(url, signal) {
  const answer = await fetch(url, { signal, cache: "no-store" });
  const body = await answer.json();
  if (!answer.ok) throw new Answer(body.error ?? `HTTP ${answer.status}`);
  return body;
}
