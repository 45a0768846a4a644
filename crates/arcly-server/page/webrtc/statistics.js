// What a connection measures of itself, as numbers to be shown.

/** The difference between the epochs of NTP (1900) and Unix (1970), in milliseconds. */
const NTP_TO_UNIX = 2_208_988_800_000;

/** Reads a connection again and again: rates and shares are of the time between two readings. */
export class Statistics {
  #connection;
  #before = null;

  constructor(connection) { this.#connection = connection; }

  /** What arrives here. */
  async received() {
    const reports = await this.#read();
    const of = (kind) => reports.find((report) => report.type === 'inbound-rtp' && report.kind === kind);
    const [video, audio] = [of('video'), of('audio')];
    const both = [video, audio].filter(Boolean);
    const sum = (name) => both.reduce((total, report) => total + (report[name] ?? 0), 0);
    const now = { at: performance.now(), bytes: sum('bytesReceived'), packets: sum('packetsReceived'), lost: sum('packetsLost') };
    const { seconds, since } = this.#since(now);
    const shown = video ?? audio;
    // When it was made, at the server, and when it is to be shown, here.
    const played = shown?.estimatedPlayoutTimestamp;
    return {
      ...this.#way(reports),
      bitrate: seconds ? since('bytes') * 8 / seconds : null,
      lost: since('packets') + since('lost') > 0 ? Math.max(0, since('lost') / (since('packets') + since('lost'))) : null,
      width: video?.frameWidth ?? null,
      height: video?.frameHeight ?? null,
      fps: video?.framesPerSecond ?? null,
      pictures: video?.framesDecoded ?? 0,
      sounds: audio?.totalSamplesReceived ?? 0,
      buffer: shown?.jitterBufferEmittedCount ? shown.jitterBufferDelay / shown.jitterBufferEmittedCount : null,
      freezes: video?.freezeCount ?? 0,
      frozen: video?.totalFreezesDuration ?? 0,
      codecs: both.map((report) => this.#codec(reports, report)).filter(Boolean),
      playedAt: played ? played - NTP_TO_UNIX : null,
    };
  }

  /** What goes out. */
  async sent() {
    const reports = await this.#read();
    const out = reports.filter((report) => report.type === 'outbound-rtp');
    const sum = (name) => out.reduce((total, report) => total + (report[name] ?? 0), 0);
    const { seconds, since } = this.#since({ at: performance.now(), bytes: sum('bytesSent') });
    const pictures = out.filter((report) => report.kind === 'video' && report.frameWidth);
    const best = pictures.reduce((best, report) => (report.frameWidth > (best?.frameWidth ?? 0) ? report : best), null);
    const told = reports.filter((report) => report.type === 'remote-inbound-rtp');
    const lost = told.map((report) => report.fractionLost).filter((share) => share !== undefined);
    return {
      ...this.#way(reports),
      bitrate: seconds ? since('bytes') * 8 / seconds : null,
      lost: lost.length ? Math.max(...lost) : null,
      width: best?.frameWidth ?? null,
      height: best?.frameHeight ?? null,
      fps: best?.framesPerSecond ?? null,
      layers: pictures.filter((report) => report.rid && report.framesPerSecond).length,
      limit: best && best.qualityLimitationReason !== 'none' ? best.qualityLimitationReason : null,
      codecs: [...new Set(out.map((report) => this.#codec(reports, report)).filter(Boolean))],
    };
  }

  async #read() {
    return [...(await this.#connection.getStats()).values()];
  }

  #codec(reports, { codecId }) {
    const codec = reports.find((report) => report.id === codecId);
    return codec?.mimeType.split('/')[1];
  }

  /** By which carrier media goes, and how long there and back takes. */
  #way(reports) {
    const transport = reports.find((report) => report.type === 'transport');
    const pair = reports.find((report) => report.id === transport?.selectedCandidatePairId);
    const remote = reports.find((report) => report.id === pair?.remoteCandidateId);
    return { carrier: remote?.protocol?.toUpperCase() ?? null, roundTrip: pair?.currentRoundTripTime ?? null };
  }

  #since(now) {
    const before = this.#before ?? now;
    this.#before = now;
    return { seconds: (now.at - before.at) / 1000, since: (name) => now[name] - before[name] };
  }
}
