// One timeline for all tracks of a stream: the wall clock of the playlists (EXT-X-PROGRAM-DATE-TIME), in seconds since an origin.

/** How many pieces are remembered: some ten minutes of parts. */
const REMEMBERED = 1200;

/**
 * Within one discontinuity sequence number the media's own timestamps count, moved by the same offset for all tracks, so that no frame is off by the
 * milliseconds that dates are rounded to.
 */
export class Timeline {
  /** The date of the timeline's start, in milliseconds. */
  #origin = null;
  /** By discontinuity sequence number: what is added to the media's timestamps. */
  #offsets = new Map();
  /** How much later media stands here than by its date, most recently. */
  #shift = 0;
  /** Where everything so far ends. */
  #end = 0;
  /** Of what was appended: where it is, and its date. */
  #known = [];

  /** Where media of this date stands. The first call sets the origin. */
  at(date) {
    this.#origin ??= date;
    return (date - this.#origin) / 1000 + this.#shift;
  }

  /** What to add to the media's timestamps for a piece that begins with `mediaStart`. A new stretch of media begins no earlier than the one before it ends. */
  offset(piece, mediaStart) {
    const number = piece.discontinuity;
    const byDate = this.at(piece.date) - this.#shift;
    if (!this.#offsets.has(number)) {
      const isNewest = [...this.#offsets.keys()].every((known) => known < number);
      const start = isNewest ? Math.max(byDate, this.#end) : byDate;
      this.#offsets.set(number, start - mediaStart);
    }
    const offset = this.#offsets.get(number);
    const start = offset + mediaStart;
    this.#shift = start - byDate;
    this.#end = Math.max(this.#end, start + piece.duration);
    if (piece.leads) this.#remember(start, piece.date);
    return offset;
  }

  #remember(time, date) {
    this.#known = this.#known.filter((known) => known.time !== time);
    this.#known.push({ time, date });
    this.#known.sort((one, other) => one.time - other.time);
    if (this.#known.length > REMEMBERED) this.#known.shift();
  }

  /** The date, in milliseconds, of what stands at `time`; `null` where that is not known. */
  dateOf(time) {
    const before = this.#known.findLast((known) => known.time <= time + 0.001);
    return before ? before.date + (time - before.time) * 1000 : null;
  }
}
