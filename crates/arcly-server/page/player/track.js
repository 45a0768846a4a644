// One rendition: its playlist is followed, and what it lists is fetched and appended.

import { startOf, timescales } from './mp4.js';
import { parseMedia } from './playlist.js';
import { Refusal, load, pause } from './requests.js';

/** How much is loaded ahead of playback, and kept behind it, in seconds. */
const AHEAD = 20, BEHIND = 60;
/** How often a piece is tried before it is left out. */
const ATTEMPTS = 3;
/** The longest pause between two attempts, in milliseconds. */
const LONGEST_PAUSE = 4000;

/** The rendition cannot be followed any more: it is gone, or went on without us. What there is now is in the multivariant playlist. */
export class Lost extends Error {}

export class Track {
  #url;
  #timeline;
  #video;
  #buffer;
  #signal;
  #report;
  #init = { url: null, scales: new Map() };
  /** Cancels the request under way when playback moves elsewhere. */
  #moved = new AbortController();
  /** What is appended next. */
  #position = null;
  /** When the playlist was last loaded. */
  #loaded = 0;
  /** Ends the wait for the buffer. */
  #giveUp = () => {};

  playlist = null;
  /** Whether all of an ended stream is in the buffer. */
  isComplete = false;

  /** `report` is told 'playlist' for each new version, 'troubled' with an error where one is waited out, and 'fine' when it is over. */
  constructor({ kind, url, mime, leads }, { mediaSource, video, timeline, signal, report }) {
    [this.kind, this.leads] = [kind, leads];
    [this.#url, this.#timeline, this.#video, this.#signal, this.#report] = [url, timeline, video, signal, report];
    this.#buffer = mediaSource.addSourceBuffer(mime);
    // A media source that is closed under way tells nothing any more.
    signal.addEventListener('abort', () => this.#giveUp(signal.reason), { once: true });
  }

  // ---- Where things stand ----

  /** The first piece of what is listed, and the end of the last, on the timeline. */
  get span() {
    const [first, last] = [this.playlist.segments[0], this.playlist.segments.at(-1)];
    return last ? [this.#timeline.at(first.date), this.#timeline.at(last.date) + last.duration] : null;
  }

  /** Up to where there is media without a hole from `time` on; `time` itself where there is none. */
  bufferedTo(time) {
    const { buffered } = this.#buffer;
    for (let n = 0; n < buffered.length; n += 1) if (buffered.start(n) <= time + 0.05 && time < buffered.end(n)) return buffered.end(n);
    return time;
  }

  /** Whether `time` is in the buffer, and a little more. */
  isReadyAt(time) {
    return this.bufferedTo(time) - time > 0.1;
  }

  /** Whether what comes next is for later than `time`. */
  hasHoleAt(time) {
    try {
      const next = this.#find();
      return !next || this.#timeline.at(next.date) > time + 0.1;
    } catch {
      // It is lost, as who follows it is about to find.
      return false;
    }
  }

  /** Goes on with what has to be decoded to show `time`. Returns where that begins. */
  goTo(time) {
    const { segments } = this.playlist;
    const within = segments.findLast((segment) => this.#timeline.at(segment.date) <= time + 0.001) ?? segments[0];
    if (!within) return null;
    const start = this.#timeline.at(within.date);
    const part = within.parts.findLastIndex((known) => known.independent && start + known.at <= time + 0.001);
    const [before, next] = [this.#position, { msn: within.msn, part: Math.max(part, 0) }];
    if (before?.msn !== next.msn || before.part !== next.part) {
      this.#position = next;
      this.isComplete = false;
      this.#moved.abort(new DOMException('playback is elsewhere', 'AbortError'));
      this.#moved = new AbortController();
    }
    return start + (within.parts[part]?.at ?? 0);
  }

  /** Playback has moved to `time`: goes on behind what is there from that on, unless it is about to get there anyway. */
  seek(time) {
    const from = this.bufferedTo(time);
    const next = this.#find();
    const way = next ? from - this.#timeline.at(next.date) : Infinity;
    if (way < -0.5 || way > 1.5 * this.playlist.targetDuration) this.goTo(from);
  }

  // ---- What to do next ----

  /** What stands at the position, where it is listed: a whole segment where that is there and none of its parts is. */
  #find() {
    const { segments } = this.playlist;
    for (;;) {
      const { msn, part } = this.#position;
      const segment = segments.find((known) => known.msn === msn);
      if (!segment) {
        if (segments.length && msn < segments[0].msn) throw new Lost(`segment ${msn} is not listed any more`);
        return null;
      }
      const facts = { ...segment, leads: this.leads };
      const isPartListed = part < segment.parts.length;
      if (segment.url && (part === 0 || segment.parts.length === 0)) return { ...facts, next: { msn: msn + 1, part: 0 } };
      if (isPartListed) {
        const { url, duration, at, gap } = segment.parts[part];
        return { ...facts, url, duration, gap, date: segment.date + at * 1000, next: { msn, part: part + 1 } };
      }
      if (!segment.url) return null;
      this.#position = { msn: msn + 1, part: 0 };
    }
  }

  /** Follows the rendition until it is lost, or the signal says that it is enough. */
  async follow() {
    for (;;) {
      this.#signal.throwIfAborted();
      const piece = this.#find();
      if (piece && this.#timeline.at(piece.date) > this.#video.currentTime + AHEAD) await this.#idle();
      else if (piece?.gap) this.#position = piece.next;
      else if (piece) await this.#take(piece);
      else if (this.playlist.ended) await this.#rest();
      else await this.reload();
    }
  }

  /** Enough is there. What can be gone to is kept up to date meanwhile. */
  async #idle() {
    const isOld = performance.now() - this.#loaded > this.playlist.targetDuration * 1000;
    if (isOld && !this.playlist.ended) await this.reload();
    else await pause(200, this.#signal);
  }

  /** Nothing is left to do, until playback goes back. */
  async #rest() {
    if (!this.isComplete) {
      this.isComplete = true;
      this.#report('playlist', this);
    }
    await pause(200, this.#signal);
  }

  // ---- Playlists ----

  /** Loads the next version of the playlist, which the server answers with once it is there (RFC 8216bis 6.2.5.2). */
  async reload() {
    for (let failures = 0; ; failures += 1) {
      const before = failures ? null : this.playlist;
      const url = new URL(this.#url);
      let seconds = 10;
      if (before?.canBlock) {
        url.searchParams.set('_HLS_msn', before.next.msn);
        if (before.partTarget) url.searchParams.set('_HLS_part', before.next.part);
        if (before.canSkip) url.searchParams.set('_HLS_skip', 'YES');
        seconds += 3 * before.targetDuration;
      } else if (before) {
        await pause(before.targetDuration * 500, this.#signal);
      }
      try {
        const { body, url: base } = await load(url, 'text', seconds, this.#signal);
        // A response without what was waited for, as a cache gives it, must not be asked for again at once.
        const playlist = parseMedia(body, base, before) ?? await this.#whole();
        const isSame = before && before.next.msn === playlist.next.msn && before.next.part === playlist.next.part && !playlist.ended;
        [this.playlist, this.#loaded] = [playlist, performance.now()];
        this.#report('fine');
        this.#report('playlist', this);
        if (isSame) await pause(200, this.#signal);
        return;
      } catch (error) {
        this.#signal.throwIfAborted();
        if (error instanceof Refusal && [401, 403, 404, 410].includes(error.status)) throw new Lost(error.message, { cause: error });
        // A publisher that pauses is no failure: the server says 503 when it has waited for long enough.
        if (!(error instanceof Refusal && error.status === 503)) this.#report('troubled', error);
        await pause(Math.min(250 * 2 ** failures, LONGEST_PAUSE), this.#signal);
      }
    }
  }

  async #whole() {
    const { body, url } = await load(this.#url, 'text', 10, this.#signal);
    return parseMedia(body, url, null);
  }

  // ---- Media ----

  async #take(piece) {
    const moved = AbortSignal.any([this.#signal, this.#moved.signal]);
    for (let attempt = 1; ; attempt += 1) {
      try {
        if (piece.init && piece.init !== this.#init.url) {
          const { body } = await load(piece.init, 'arrayBuffer', 10, moved);
          await this.#append(body);
          this.#init = { url: piece.init, scales: timescales(body) };
        }
        const { body } = await load(piece.url, 'arrayBuffer', 20, moved);
        moved.throwIfAborted();
        const offset = this.#timeline.offset(piece, startOf(body, this.#init.scales));
        if (this.#buffer.timestampOffset !== offset) this.#buffer.timestampOffset = offset;
        await this.#append(body);
        this.#report('fine');
        break;
      } catch (error) {
        this.#signal.throwIfAborted();
        // Somewhere else is played now.
        if (moved.aborted) return;
        if (error.name === 'QuotaExceededError') {
          await this.#trim(5);
          await pause(500, this.#signal);
          continue;
        }
        const isGone = error instanceof Refusal && error.status === 404;
        if (!isGone) this.#report('troubled', error);
        // Left out, as a gap that playback jumps over.
        if (isGone || attempt >= ATTEMPTS) break;
        await pause(250 * 2 ** attempt, this.#signal);
      }
    }
    if (!moved.aborted) this.#position = piece.next;
    await this.#trim(BEHIND);
  }

  #append(bytes) {
    return this.#perform(() => this.#buffer.appendBuffer(bytes));
  }

  /** Lets go of what lies further back than so many seconds, some at a time. */
  async #trim(seconds) {
    const { buffered } = this.#buffer;
    const until = this.#video.currentTime - seconds;
    if (buffered.length && until - buffered.start(0) > 10) await this.#perform(() => this.#buffer.remove(0, until));
  }

  /** Does something to the buffer, and waits until it is done. */
  async #perform(operation) {
    this.#signal.throwIfAborted();
    await new Promise((resolve, reject) => {
      this.#giveUp = reject;
      this.#buffer.onupdateend = resolve;
      this.#buffer.onerror = () => reject(new Error(`the browser refused a piece of the ${this.kind} track`));
      operation();
    });
  }
}
