// Numbers and names as words.

export function bitrate(bits) {
  return bits >= 1e6 ? `${(bits / 1e6).toFixed(2)} Mbit/s` : `${Math.round(bits / 1e3)} kbit/s`;
}

export function duration(seconds) {
  const whole = Math.floor(seconds);
  const two = (n) => String(n).padStart(2, '0');
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

export const milliseconds = (seconds) => `${Math.round(seconds * 1000)} ms`;
/** A delay: a fraction of a second in milliseconds, else in seconds. */
export const delay = (seconds) => (seconds < 1 ? milliseconds(seconds) : `${seconds.toFixed(1)} s`);
export const percent = (share) => `${(share * 100).toFixed(1)} %`;
export const size = (width, height) => `${width} × ${height}`;

/** The words of a number that may not be known. */
export const known = (number, words) => (number === null || number === undefined ? '–' : words(number));
