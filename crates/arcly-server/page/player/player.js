// Plays a live stream by Low-Latency HLS with Media Source Extensions; where a browser has none, by the HLS player built into it.
//
// Events: 'state', whose detail is { name, text, isFinal }: 'playing', 'waiting', 'ended', or 'failed', with what to tell the viewer, and whether trying again would
// be of no use.

import { MediaSourceHere, choose } from './choice.js';
import { LiveEdge } from './live_edge.js';
import { parseMultivariant } from './playlist.js';
import { Refusal, load, pause } from './requests.js';
import { Timeline } from './timeline.js';
import { Lost, Track } from './track.js';

export const HLS_TYPE = 'application/vnd.apple.mpegurl';

/** How often playback is looked at, in milliseconds. */
const TICK = 100;
/** How long a stream that is gone is asked for again, before it is over; milliseconds. */
const PATIENCE = 15_000;

export class Player extends EventTarget {
  #video;
  #url;
  #stopped = new AbortController();
  /** What belongs to one set of renditions. */
  #session = null;
  #clockAhead = 0;
  #state = null;
  #wantedSound;
  /** Where we have sought to ourselves, which says nothing about what the viewer wants. */
  #sought = null;
  #isFollowing = true;
  /** Waits until a little is in the buffer again, so that one stall does not make many. */
  #isRefilling = false;
  #hasPlayed = false;
  #stalls = 0;
  #listening = new AbortController();

  /** Plays `url`, a multivariant playlist, in `video`. */
  constructor(video, url, { sound } = {}) {
    super();
    [this.#video, this.#url, this.#wantedSound] = [video, new URL(url, location.href).href, sound];
    const listen = (name, then) => video.addEventListener(name, then, { signal: this.#listening.signal });
    listen('seeking', () => this.#seeking());
    listen('play', () => { this.#isFollowing = !this.#session?.edge || this.#session.edge.isNear(video.currentTime); });
    listen('playing', () => { this.#hasPlayed = true; this.#tell('playing'); });
    listen('waiting', () => this.#waiting());
    listen('ended', () => this.#tell('ended'));
    listen('error', () => this.#failed(video.error?.message || 'The browser cannot play this.'));
    if (MediaSourceHere) this.#run().catch((error) => this.#stopped.signal.aborted || this.#failed(error.message));
    else this.#playNatively();
  }

  // ---- For the page ----

  /** How far the clock of this machine is ahead of the server's, in milliseconds. */
  set clockAhead(milliseconds) { this.#clockAhead = milliseconds; }

  /** Seconds from the arrival of a picture at the server to its being shown; `null` while nothing is. */
  get latency() {
    const video = this.#video;
    if (!video.currentTime) return null;
    // Safari's own player tells the date of its timeline's start.
    const start = video.getStartDate?.().getTime();
    const date = this.#session?.timeline.dateOf(video.currentTime) ?? (start ? start + video.currentTime * 1000 : null);
    return date === null ? null : (Date.now() - this.#clockAhead - date) / 1000;
  }

  get stalls() { return this.#stalls; }
  get isLive() { return this.#isFollowing; }
  get isNative() { return !MediaSourceHere; }
  /** Codecs that this browser does not decode, and that are left out. */
  get left() { return this.#session?.choice.left ?? []; }
  /** Names of the sounds to choose from, and the chosen one. */
  get sounds() { return this.#session?.choice.sounds ?? []; }
  get sound() { return this.#session?.choice.sound; }
  /** Whether the stream has ended; its last seconds may still play. */
  get isEnding() { return this.isOver || (this.#session?.tracks.some((track) => track.playlist?.ended) ?? false); }

  get isOver() { return this.#state === 'ended' || this.#state === 'failed'; }

  goLive() {
    const { edge } = this.#session ?? {};
    this.#isFollowing = true;
    if (edge) this.#seek(edge.position - edge.target);
    this.#video.play().catch(() => {});
  }

  stop() {
    this.#listening.abort();
    this.#stopped.abort(new DOMException('stopped', 'AbortError'));
    this.#session?.abort.abort(this.#stopped.signal.reason);
    this.#video.playbackRate = 1;
    this.#video.removeAttribute('src');
    this.#video.load();
  }

  #tell(name, text = '', isFinal = false) {
    if (this.#stopped.signal.aborted) return;
    this.#state = name;
    this.dispatchEvent(new CustomEvent('state', { detail: { name, text, isFinal } }));
  }

  #failed(text, isFinal = false) {
    if (this.#state === 'failed') return;
    this.#session?.abort.abort(new DOMException('failed', 'AbortError'));
    this.#tell('failed', text, isFinal);
  }

  #playNatively() {
    if (!this.#video.canPlayType(HLS_TYPE)) return queueMicrotask(() => this.#failed('This browser cannot play live streams.', true));
    this.#video.src = this.#url;
    this.#video.play().catch(() => {});
  }

  // ---- Renditions ----

  /** Plays one set of renditions after the other, until the stream is over. */
  async #run() {
    const { signal } = this.#stopped;
    let goneSince = null;
    for (;;) {
      try {
        const { body, url } = await load(this.#url, 'text', 40, signal);
        const choice = choose(parseMultivariant(body, url), this.#wantedSound);
        if (!choice.tracks.length) return this.#undecodable(choice);
        goneSince = null;
        await this.#play(choice);
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (this.#state === 'failed') return;
        if (error instanceof Refusal && [401, 403].includes(error.status)) return this.#failed('A token that allows to play this stream is required.', true);
        const isExpected = error instanceof Lost || error instanceof Refusal || error instanceof TypeError || error.name === 'TimeoutError';
        if (!isExpected) throw error;
        const isGone = (error instanceof Refusal && error.status === 404) || (error instanceof Lost && error.cause?.status === 404);
        if (isGone) {
          goneSince ??= performance.now();
          if (performance.now() - goneSince > PATIENCE) return this.#tell('ended');
        }
        this.#tell('waiting', error instanceof Lost ? '' : 'The server does not answer; trying again…');
        await pause(500, signal);
      }
    }
  }

  #undecodable({ left }) {
    this.#failed(left.length ? `This browser cannot decode ${left.join(' or ')}.` : 'The stream has nothing that this browser plays.', true);
  }

  /** Plays these renditions until one is lost, or others take their place. */
  async #play(choice) {
    const abort = new AbortController();
    const signal = AbortSignal.any([this.#stopped.signal, abort.signal]);
    const [mediaSource, timeline, edge] = [new MediaSourceHere(), new Timeline(), new LiveEdge()];
    const session = { abort, signal, mediaSource, timeline, edge, choice, tracks: [], discontinuity: null };
    this.#session = session;
    const url = URL.createObjectURL(mediaSource);
    let ticking = 0;
    try {
      // Where the media source is a managed one, the browser asks for this.
      this.#video.disableRemotePlayback = true;
      this.#video.src = url;
      await new Promise((resolve) => { mediaSource.addEventListener('sourceopen', resolve, { once: true }); });
      mediaSource.duration = Infinity;
      const report = (what, of) => this.#reported(what, of);
      const lead = Math.max(choice.tracks.findIndex((track) => track.kind === 'video'), 0);
      const tracks = choice.tracks.map((track, n) => new Track({ ...track, leads: n === lead }, { mediaSource, video: this.#video, timeline, signal, report }));
      session.tracks = tracks;
      await Promise.all(tracks.map((track) => track.reload()));
      this.#begin(tracks[lead], tracks);
      this.#video.play().catch(() => { /* the controls are there */ });
      ticking = setInterval(() => this.#tick(), TICK);
      await Promise.all(tracks.map((track) => track.follow()));
    } finally {
      clearInterval(ticking);
      abort.abort(new DOMException('these renditions are over', 'AbortError'));
      URL.revokeObjectURL(url);
    }
  }

  /** Where to begin: behind the live edge, from what can be decoded there. */
  #begin(lead, tracks) {
    const { edge } = this.#session;
    const span = lead.span;
    if (!span) throw new Lost('there is nothing to play yet');
    const time = Math.max(lead.playlist.ended ? span[0] : edge.position - edge.target, span[0]);
    const start = lead.goTo(time);
    for (const track of tracks) if (track !== lead) track.goTo(Math.max(start, span[0]));
    this.#isFollowing = true;
    this.#seek(time);
  }

  #reported(what, of) {
    const session = this.#session;
    if (what === 'troubled') return this.#tell('waiting', 'The connection to the server is lost; trying again…');
    if (what === 'fine') return this.#state === 'waiting' && !this.#video.paused && this.#video.readyState >= 3 && this.#tell('playing');
    if (of.leads && of.span) {
      const [start, end] = of.span;
      session.edge.update(of.playlist, end);
      if (session.mediaSource.readyState === 'open' && end > start) session.mediaSource.setLiveSeekableRange?.(Math.max(start, 0), end);
      const newest = of.playlist.segments.at(-1).discontinuity;
      if (session.discontinuity !== null && newest > session.discontinuity) this.#compare(session);
      session.discontinuity = newest;
    }
    if (session.tracks.length && session.tracks.every((track) => track.isComplete) && session.mediaSource.readyState === 'open') session.mediaSource.endOfStream();
  }

  /** A publisher has returned: with the same renditions they go on, else there are others to play. */
  async #compare(session) {
    try {
      const { body, url } = await load(this.#url, 'text', 10, session.signal);
      const what = (choice) => JSON.stringify(choice.tracks.map(({ kind, mime, url: of }) => [kind, mime, new URL(of).pathname.split('/').at(-1)]));
      if (what(choose(parseMultivariant(body, url), this.#wantedSound)) === what(session.choice)) return;
      session.abort.abort(new Lost('there are other renditions now'));
    } catch { /* over, or asked for anew by whoever follows the renditions */ }
  }

  // ---- Playback ----

  #seek(time) {
    this.#sought = time;
    this.#video.currentTime = time;
  }

  #seeking() {
    const { tracks, edge } = this.#session ?? {};
    const time = this.#video.currentTime;
    const isOwn = this.#sought !== null && Math.abs(time - this.#sought) < 0.05;
    if (edge && !isOwn) this.#isFollowing = edge.isNear(time);
    try {
      tracks?.forEach((track) => track.playlist && track.seek(time));
    } catch { /* what is not listed any more is noticed by who follows it */ }
  }

  #waiting() {
    const { tracks } = this.#session ?? {};
    if (!this.#hasPlayed || this.#video.seeking || !tracks || tracks.every((track) => track.isComplete)) return;
    this.#stalls += 1;
    this.#isRefilling = this.#isFollowing;
    this.#session.edge.stalled();
    this.#tell('waiting');
  }

  /** Holds the distance to the live edge, and goes on over gaps. */
  #tick() {
    const { edge, tracks, mediaSource } = this.#session;
    const video = this.#video;
    const time = video.currentTime;
    if (video.seeking && video.buffered.length === 0) return;
    const ahead = Math.min(...tracks.map((track) => track.bufferedTo(time))) - time;
    const isOver = tracks.every((track) => track.isComplete);
    if (ahead < 0.1 && !isOver && this.#jump(time, tracks)) return;
    if (this.#isRefilling) {
      const { partTarget, targetDuration } = tracks[0].playlist;
      this.#isRefilling = ahead < 2 * (partTarget || targetDuration / 2) && !isOver;
    }
    if (video.paused || mediaSource.readyState !== 'open' || !this.#isFollowing) {
      video.playbackRate = 1;
    } else if (this.#isRefilling) {
      video.playbackRate = 0;
    } else if (edge.isTooLate(time)) {
      this.#seek(edge.position - edge.target);
    } else {
      video.playbackRate = isOver ? 1 : edge.rate(time, ahead);
    }
  }

  /** Over a hole in the media: to where all tracks go on, once there is enough to play from there. */
  #jump(time, tracks) {
    const { buffered } = this.#video;
    // Where a track is still being loaded, there is nothing to go over.
    if (tracks.some((track) => !track.isReadyAt(time) && !track.hasHoleAt(time))) return false;
    const { partTarget, targetDuration } = tracks[0].playlist;
    for (let n = 0; n < buffered.length; n += 1) {
      const start = buffered.start(n);
      if (start <= time || buffered.end(n) - start < (partTarget || targetDuration / 2)) continue;
      this.#seek(start + 0.01);
      return true;
    }
    return false;
  }
}
