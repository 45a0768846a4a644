// Plays a live stream in the way that suits best: by WebRTC where that works, a fraction of a second behind; else by low-latency HLS, some seconds behind.
//
// Events: 'state', as those of the two players.

import { Player } from './player/player.js';
import { WhepPlayer, hasWebRtc } from './webrtc/player.js';

/** What a viewer may want: the page's choice, or one of the two. */
export const WAYS = ['auto', 'webrtc', 'hls'];

export class AnyPlayer extends EventTarget {
  #video;
  #urls;
  #way;
  #sound;
  #hasSound;
  #player;
  #why = '';
  #clockAhead = 0;

  /** `urls` are those of WHEP, where the server has it, and of HLS. `sound` is the name of one of several sounds; `hasSound`, whether the stream has any. */
  constructor(video, urls, { way, sound, hasSound }) {
    super();
    [this.#video, this.#urls, this.#way, this.#sound, this.#hasSound] = [video, urls, way, sound, hasSound];
    // A choice among several sounds, only HLS has.
    const isRealTime = way !== 'hls' && !sound;
    if (!isRealTime) this.#playHls();
    else if (hasWebRtc && urls.whep) this.#playWhep();
    else if (way === 'auto') this.#playHls(hasWebRtc ? '' : 'This browser has no WebRTC.');
    else queueMicrotask(() => this.#pass({ name: 'failed', text: hasWebRtc ? 'The server does not serve WebRTC.' : 'This browser has no WebRTC.', isFinal: true }));
  }

  /** Whether it plays by WebRTC. */
  get isRealTime() { return this.#player instanceof WhepPlayer; }
  /** Why it does not, where it was to. */
  get why() { return this.#why; }
  /** What the sound is missing for, where there is some that WebRTC does not carry. */
  get silentBecause() { return this.isRealTime && this.#hasSound ? this.#player.notices['no-audio'] ?? '' : ''; }
  /** What arrives, see `Statistics`; `null` where it does not play by WebRTC. */
  get numbers() { return this.isRealTime ? this.#player.numbers : null; }

  set clockAhead(milliseconds) {
    this.#clockAhead = milliseconds;
    if (this.#player) this.#player.clockAhead = milliseconds;
  }

  get latency() { return this.#player?.latency ?? null; }
  get stalls() { return this.#player?.stalls ?? 0; }
  get isLive() { return this.#player?.isLive ?? true; }
  get isNative() { return this.#player?.isNative ?? false; }
  get left() { return this.#player?.left ?? []; }
  get sounds() { return this.#player?.sounds ?? []; }
  get sound() { return this.#player?.sound; }
  get isEnding() { return this.#player?.isEnding ?? true; }
  get isOver() { return this.#player?.isOver ?? true; }

  goLive() { this.#player?.goLive(); }
  stop() { this.#player?.stop(); this.#player = null; }

  /** By HLS from now on, which carries the sound that WebRTC does not. */
  playWithSound() {
    this.#video.muted = false;
    this.#playHls('Real time has no sound here.');
  }

  #playWhep() {
    const player = this.#player = new WhepPlayer(this.#video, this.#urls.whep);
    this.#player.clockAhead = this.#clockAhead;
    player.addEventListener('state', ({ detail }) => {
      if (this.#player !== player) return;
      const mayElse = this.#way === 'auto' && !detail.isGone;
      if (detail.name === 'failed' && mayElse) return this.#playHls(detail.text);
      if (detail.name === 'playing' && mayElse) {
        const uneven = player.notices['b-frames'];
        if (uneven) return this.#playHls('The picture has B-frames, which browsers show unevenly in real time.');
        // Whoever has turned the sound on already wants to hear this one too.
        if (this.silentBecause && !this.#video.muted) return this.playWithSound();
      }
      this.#pass(detail);
    });
  }

  #playHls(why = '') {
    this.#player?.stop();
    this.#why = why;
    const player = this.#player = new Player(this.#video, this.#urls.hls, { sound: this.#sound });
    player.clockAhead = this.#clockAhead;
    player.addEventListener('state', ({ detail }) => this.#player === player && this.#pass(detail));
  }

  #pass(detail) {
    this.dispatchEvent(new CustomEvent('state', { detail }));
  }
}
