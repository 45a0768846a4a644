// Plays a live stream by WHEP: a fraction of a second behind the camera.
//
// Events: 'state', as those of the player for HLS. 'failed' says that there is no way, or no picture came by it: another way of playing may do.

import { Refusal, onGoodbye, open } from './session.js';
import { Statistics } from './statistics.js';

/** How long ICE and DTLS may take; milliseconds. */
const CONNECT_PATIENCE = 5_000;
/** How long the first picture or sound may take once there is a way. */
const MEDIA_PATIENCE = 6_000;
/** How long a way may be gone, before another one is looked for. */
const SILENCE_PATIENCE = 4_000;
/** How often another one is looked for, before it is given up. */
const ATTEMPTS = 3;
/** How often statistics are read. */
const READ_INTERVAL = 500;

/** Whether this browser can. */
export const hasWebRtc = 'RTCPeerConnection' in globalThis;

export class WhepPlayer extends EventTarget {
  #video;
  #url;
  #stopped = new AbortController();
  #connection = null;
  #session = null;
  #statistics = null;
  #numbers = null;
  #state = null;
  #timer = 0;
  #reading = 0;
  #attempts = 0;
  #clockAhead = 0;
  #listening = new AbortController();

  /** Plays what `url`, a WHEP endpoint, has, in `video`. */
  constructor(video, url) {
    super();
    [this.#video, this.#url] = [video, new URL(url, location.href).href];
    const listen = (target, name, then) => target.addEventListener(name, then, { signal: this.#listening.signal });
    listen(video, 'playing', () => this.#playing());
    listen(globalThis, 'pagehide', () => this.#session?.end());
    this.#reading = setInterval(() => this.#readStatistics(), READ_INTERVAL);
    this.#connect();
  }

  // ---- For the page: what the player for HLS tells as well ----

  set clockAhead(milliseconds) { this.#clockAhead = milliseconds; }

  /** Seconds from the arrival of a picture at the server to its being shown; `null` while it is not known. */
  get latency() {
    const playedAt = this.#numbers?.playedAt;
    return playedAt ? Math.max(0, (this.#numbers.readAt - this.#clockAhead - playedAt) / 1000) : null;
  }

  get stalls() { return this.#numbers?.freezes ?? 0; }
  get isLive() { return true; }
  get isNative() { return false; }
  get left() { return []; }
  get sounds() { return []; }
  get sound() { return undefined; }
  get isEnding() { return this.isOver; }
  get isOver() { return this.#state === 'ended' || this.#state === 'failed'; }

  goLive() { this.#video.play().catch(() => {}); }

  stop() {
    this.#listening.abort();
    this.#stopped.abort(new DOMException('stopped', 'AbortError'));
    clearInterval(this.#reading);
    this.#hangUp();
    this.#video.srcObject = null;
  }

  // ---- For the page: what WebRTC alone has ----

  /** What arrives here, see `Statistics`; `null` until something does. */
  get numbers() { return this.#numbers; }
  /** What the server says of the media: { code: text }. */
  get notices() { return this.#session?.notices ?? {}; }

  // ---- Connection ----

  async #connect() {
    this.#hangUp();
    const connection = new RTCPeerConnection();
    this.#connection = connection;
    this.#statistics = new Statistics(connection);
    const media = new MediaStream();
    for (const kind of ['video', 'audio']) connection.addTransceiver(kind, { direction: 'recvonly' });
    connection.addEventListener('track', ({ track }) => media.addTrack(track));
    connection.addEventListener('connectionstatechange', () => this.#connection === connection && this.#changed());
    this.#wait(CONNECT_PATIENCE, 'No way to the server for media was found; UDP and TCP may be blocked');
    try {
      const session = await open(this.#url, connection, this.#stopped.signal);
      if (this.#connection !== connection) return session.end();
      this.#session = session;
      // It does where the stream has ended; whoever asks anew learns whether it has.
      onGoodbye(connection, () => this.#connection === connection && this.#retry('The server has ended it'));
      // Sections that the server sends nothing in would have the video wait for them.
      for (const { receiver, currentDirection } of connection.getTransceivers()) if (currentDirection !== 'recvonly') media.removeTrack(receiver.track);
      this.#video.srcObject = media;
      this.#video.play().catch(() => { /* the controls are there */ });
    } catch (error) {
      if (this.#stopped.signal.aborted || this.#connection !== connection) return;
      const isGone = error instanceof Refusal && error.status === 404;
      if (isGone && this.#attempts > 0) this.#end();
      else this.#fail(error.message, isGone);
    }
  }

  #hangUp() {
    clearTimeout(this.#timer);
    this.#session?.end();
    this.#connection?.close();
    this.#session = this.#connection = null;
  }

  /** Fails with this reason, unless something comes in between. */
  #wait(patience, reason) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#retry(reason), patience);
  }

  #changed() {
    const { connectionState } = this.#connection;
    if (connectionState === 'connected') {
      if (this.#state === 'playing') clearTimeout(this.#timer);
      else this.#wait(MEDIA_PATIENCE, 'No picture came');
    } else if (connectionState === 'disconnected') {
      this.#wait(SILENCE_PATIENCE, 'The way to the server is gone');
    } else if (connectionState === 'failed') {
      this.#retry('The way to the server is gone');
    }
  }

  #playing() {
    clearTimeout(this.#timer);
    this.#attempts = 0;
    this.#tell('playing');
  }

  /** Once more from the start, where it has played before. */
  #retry(reason) {
    if (this.#stopped.signal.aborted) return;
    const hasPlayed = this.#state === 'playing' || this.#attempts > 0;
    if (!hasPlayed || this.#attempts >= ATTEMPTS) return this.#fail(`${reason}.`);
    this.#attempts += 1;
    this.#tell('waiting', `${reason}; trying again…`);
    this.#connect();
  }

  #end() {
    this.#hangUp();
    this.#tell('ended');
  }

  #fail(text, isGone = false) {
    this.#hangUp();
    this.#tell('failed', text, isGone);
  }

  #tell(name, text = '', isGone = false) {
    if (this.#stopped.signal.aborted || this.isOver) return;
    this.#state = name;
    this.dispatchEvent(new CustomEvent('state', { detail: { name, text, isGone, isFinal: false } }));
  }

  async #readStatistics() {
    const connection = this.#connection;
    if (connection?.connectionState !== 'connected') return;
    const numbers = await this.#statistics.received().catch(() => null);
    if (numbers && this.#connection === connection) this.#numbers = { ...numbers, readAt: Date.now() };
  }
}
