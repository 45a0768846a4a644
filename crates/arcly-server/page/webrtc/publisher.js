// Publishes what a camera, a microphone or a screen shows by WHIP.
//
// Events: 'state', whose detail is { name, text }: 'connecting', 'live', 'waiting' (trying again), 'failed', 'stopped'.

import { Refusal, onGoodbye, open } from './session.js';
import { Statistics } from './statistics.js';

/** How long ICE and DTLS may take, and how long a way may be gone; milliseconds. */
const CONNECT_PATIENCE = 10_000;
const SILENCE_PATIENCE = 4_000;
/** The pause before another attempt, and for how long a publisher that was live goes on trying. */
const PAUSE = 2_000;
const RETRY_FOR = 120_000;
const READ_INTERVAL = 1_000;

/** Simulcast: the smallest first, as browsers give up the last where the way is too narrow. */
const LAYERS = [
  { rid: 'q', scaleResolutionDownBy: 4, share: 0.1 },
  { rid: 'h', scaleResolutionDownBy: 2, share: 0.3 },
  { rid: 'f', scaleResolutionDownBy: 1, share: 1 },
];

/** What a picture of this height takes at most, in bits a second. */
const bitrateOf = (height) => (height >= 1080 ? 4_500_000 : height >= 720 ? 2_500_000 : 1_200_000);

/** The names of the codecs that this browser can send, in its own order. */
export function codecs() {
  const all = globalThis.RTCRtpSender?.getCapabilities?.('video')?.codecs ?? [];
  const names = all.map(({ mimeType }) => mimeType.split('/')[1]);
  return [...new Set(names)].filter((name) => ['VP8', 'VP9', 'H264', 'AV1', 'H265'].includes(name));
}

export class Publisher extends EventTarget {
  #url;
  #media;
  #options;
  #stopped = new AbortController();
  #connection = null;
  #session = null;
  #statistics = null;
  #numbers = null;
  #timer = 0;
  #reading = 0;
  /** Since when it is not live, though it was. */
  #lostAt = null;
  #hasBeenLive = false;

  /** Publishes `media`, a MediaStream, to `url`, a WHIP endpoint: with `codec`, or what both like best; and in several sizes where `simulcast`. */
  constructor(url, media, { codec = null, simulcast = false } = {}) {
    super();
    [this.#url, this.#media, this.#options] = [new URL(url, location.href).href, media, { codec, simulcast }];
    const { signal } = this.#stopped;
    addEventListener('pagehide', () => this.#session?.end(), { signal });
    // A screen that is no longer shared, or a camera that was unplugged.
    for (const track of media.getTracks()) track.addEventListener('ended', () => this.#trackEnded(track), { signal });
    this.#reading = setInterval(() => this.#readStatistics(), READ_INTERVAL);
    this.#connect();
  }

  /** What goes out, see `Statistics`; `null` until something does. */
  get numbers() { return this.#numbers; }

  /** Whether sound or pictures are withheld: silence and black go out instead. */
  isMuted(kind) { return this.#media.getTracks().filter((track) => track.kind === kind).every((track) => !track.enabled); }

  setMuted(kind, isMuted) {
    for (const track of this.#media.getTracks()) if (track.kind === kind) track.enabled = !isMuted;
  }

  stop(text = '') {
    if (this.#stopped.signal.aborted) return;
    clearInterval(this.#reading);
    this.#hangUp();
    for (const track of this.#media.getTracks()) track.stop();
    this.#tell('stopped', text);
    this.#stopped.abort(new DOMException('stopped', 'AbortError'));
  }

  #trackEnded(track) {
    const isLast = this.#media.getTracks().every((other) => other.readyState === 'ended');
    if (isLast || track.kind === 'video') this.stop(track.kind === 'video' ? 'The picture has ended: the camera or the shared screen is gone.' : 'The microphone is gone.');
  }

  async #connect() {
    this.#hangUp();
    const connection = new RTCPeerConnection();
    this.#connection = connection;
    this.#statistics = new Statistics(connection);
    for (const track of this.#media.getTracks()) this.#add(connection, track);
    connection.addEventListener('connectionstatechange', () => this.#connection === connection && this.#changed());
    this.#tell(this.#hasBeenLive ? 'waiting' : 'connecting', this.#hasBeenLive ? 'The connection is lost; trying again…' : 'Connecting…');
    this.#wait(CONNECT_PATIENCE, 'No way to the server for media was found: UDP and TCP may be blocked.');
    try {
      const session = await open(this.#url, connection, this.#stopped.signal);
      if (this.#connection !== connection) return session.end();
      this.#session = session;
      // To come back would throw out whoever has taken over.
      onGoodbye(connection, () => this.#connection === connection && this.#retry('The server has ended it: somebody may have taken over the stream.', false));
    } catch (error) {
      if (this.#stopped.signal.aborted || this.#connection !== connection) return;
      // Once live, the name may be taken by our own session until the server notices that it is gone.
      const passes = !(error instanceof Refusal) || [0, 409, 503].includes(error.status);
      this.#retry(error.message, passes);
    }
  }

  #add(connection, track) {
    if (track.kind === 'audio') return connection.addTransceiver(track, { direction: 'sendonly', streams: [this.#media] });
    const max = bitrateOf(track.getSettings().height ?? 0);
    const layers = this.#options.simulcast
      ? LAYERS.map(({ share, ...layer }) => ({ ...layer, maxBitrate: max * share }))
      : [{ maxBitrate: max }];
    const transceiver = connection.addTransceiver(track, { direction: 'sendonly', streams: [this.#media], sendEncodings: layers });
    const { codec } = this.#options;
    if (!codec) return transceiver;
    const wanted = RTCRtpSender.getCapabilities('video').codecs.filter(({ mimeType }) => mimeType === `video/${codec}` || mimeType === 'video/rtx');
    transceiver.setCodecPreferences(wanted);
    return transceiver;
  }

  #hangUp() {
    clearTimeout(this.#timer);
    this.#session?.end();
    this.#connection?.close();
    this.#session = this.#connection = null;
  }

  #wait(patience, reason) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#retry(reason, true), patience);
  }

  #changed() {
    const { connectionState } = this.#connection;
    if (connectionState === 'connected') {
      clearTimeout(this.#timer);
      [this.#hasBeenLive, this.#lostAt] = [true, null];
      this.#tell('live', '');
    } else if (connectionState === 'disconnected') {
      this.#wait(SILENCE_PATIENCE, 'The way to the server is gone.');
    } else if (connectionState === 'failed') {
      this.#retry('The way to the server is gone.', true);
    }
  }

  /** Once more, where it was live and what was in the way may pass. */
  #retry(reason, passes) {
    if (this.#stopped.signal.aborted) return;
    this.#hangUp();
    this.#lostAt ??= performance.now();
    if (!this.#hasBeenLive || !passes || performance.now() - this.#lostAt > RETRY_FOR) {
      clearInterval(this.#reading);
      return this.#tell('failed', reason);
    }
    this.#tell('waiting', `${reason} Trying again…`);
    this.#timer = setTimeout(() => this.#connect(), PAUSE);
  }

  #tell(name, text) {
    if (this.#stopped.signal.aborted) return;
    this.dispatchEvent(new CustomEvent('state', { detail: { name, text } }));
  }

  async #readStatistics() {
    const connection = this.#connection;
    if (connection?.connectionState !== 'connected') return;
    const numbers = await this.#statistics.sent().catch(() => null);
    if (numbers && this.#connection === connection) this.#numbers = numbers;
  }
}
