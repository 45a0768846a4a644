// Where the live edge is, and how fast to play to stay a little behind it.

/** The slowest and the fastest playback; nobody hears a difference of this size. */
const SLOWEST = 0.95, FASTEST = 1.1;
/** What is close enough, in seconds. */
const TOLERANCE = 0.1;
/** What is so late that it is skipped, in seconds beyond the target. */
const TOO_LATE = 4;
/** How many versions of the playlist tell where the edge is. */
const SEEN = 8;
/** After a stall the target is moved away from the edge; after this long without one, back again. Milliseconds. */
const FORGIVEN = 60_000;

const now = () => performance.now();

export class LiveEdge {
  /** For each of the last versions, how far the end of the list was ahead of our clock. */
  #leads = [];
  /** The end of the list. */
  #end = 0;
  #playlist = null;
  #penalty = 0;
  #stalled = 0;

  /** A version of the playlist has come that ends at `end` of the timeline. */
  update(playlist, end) {
    [this.#playlist, this.#end] = [playlist, end];
    this.#leads.push(end - now() / 1000);
    if (this.#leads.length > SEEN) this.#leads.shift();
  }

  /** Where the edge is at this moment: it goes on between two versions, but not for long without one. The promptest version is the truest. */
  get position() {
    return Math.min(Math.max(...this.#leads) + now() / 1000, this.#end + this.#playlist.targetDuration);
  }

  /** How far behind the edge to play, in seconds (RFC 8216bis 4.4.3.8). */
  get target() {
    if (!this.#playlist) return 0;
    const { targetDuration, partHoldBack, holdBack, partTarget } = this.#playlist;
    const base = partHoldBack || holdBack || 3 * targetDuration;
    if (this.#penalty && now() - this.#stalled > FORGIVEN) [this.#penalty, this.#stalled] = [this.#penalty - 1, now()];
    return base + this.#penalty * (partTarget || targetDuration);
  }

  /** Playback has stalled: a little more is kept ahead from now on, six parts at most. */
  stalled() {
    this.#penalty = Math.min(this.#penalty + 1, 6);
    this.#stalled = now();
  }

  isTooLate(time) {
    return this.#end - time > this.target + TOO_LATE;
  }

  isNear(time) {
    return this.position - time < this.target + TOO_LATE / 2;
  }

  /** How fast to play at `time` with so many seconds `ahead` in the buffer. */
  rate(time, ahead) {
    const late = this.position - time - this.target;
    if (Math.abs(late) < TOLERANCE) return 1;
    const rate = Math.min(FASTEST, Math.max(SLOWEST, Math.round(100 + late * 25) / 100));
    // What is not there yet cannot be caught up with.
    return ahead < TOLERANCE * 5 ? Math.min(rate, 1) : rate;
  }
}
