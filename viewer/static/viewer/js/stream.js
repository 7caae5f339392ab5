// A stream of news that is open while the page is seen. A hidden page holds no connection: a browser has six for a server.
// States: "on", "waiting" (the browser connects again by itself), "lost" (it will not, this does, after a while), "off".
const AGAIN_MS = 5_000, LONGEST_AGAIN_MS = 60_000; // a server that has no room for more is asked less and less often

export class Stream {
  #source = null;
  #url;
  #handlers;
  #onState;
  #losses = 0;

  // `url()` is "" where nothing is to be listened to; `handlers` are by the event's name and get its data.
  constructor(url, handlers, onState = () => {}) {
    this.#url = url;
    this.#handlers = handlers;
    this.#onState = onState;
    this.isPaused = false;
    document.addEventListener("visibilitychange", () => this.update());
    addEventListener("pagehide", () => this.close());
    addEventListener("pageshow", () => this.update());
    this.update();
  }

  get state() {
    return { 0: "waiting", 1: "on", 2: "lost" }[this.#source?.readyState] ?? "off";
  }

  // Opens or closes it, whichever fits how things are now.
  update() {
    const url = this.isPaused || document.hidden ? "" : this.#url();
    if (!url) return this.close();
    if (this.#source) return;
    const source = (this.#source = new EventSource(url));
    source.addEventListener("open", () => {
      this.#losses = 0;
      this.#onState("on");
    });
    source.addEventListener("error", () => {
      this.#onState(this.state);
      if (source.readyState === EventSource.CLOSED) this.#again(source);
    });
    for (const [name, handler] of Object.entries(this.#handlers)) source.addEventListener(name, (event) => handler(event.data));
  }

  #again(source) {
    const pause = Math.min(AGAIN_MS * 2 ** this.#losses++, LONGEST_AGAIN_MS);
    setTimeout(() => {
      if (this.#source !== source) return;
      this.#source = null;
      this.update();
    }, pause * (1 + Math.random() / 2));
  }

  close() {
    this.#source?.close();
    this.#source = null;
    this.#onState("off");
  }
}
