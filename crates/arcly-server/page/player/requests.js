// Requests, with an end to each wait.

/** The server answered, but not with what was asked for. */
export class Refusal extends Error {
  constructor(status, url) {
    super(`${new URL(url).pathname} was answered with ${status}`);
    this.status = status;
  }
}

export const pause = (milliseconds, signal) => new Promise((resolve, reject) => {
  if (signal.aborted) return reject(signal.reason);
  const timer = setTimeout(() => { signal.removeEventListener('abort', abort); resolve(); }, milliseconds);
  const abort = () => { clearTimeout(timer); reject(signal.reason); };
  signal.addEventListener('abort', abort, { once: true });
});

/** The response's body, by `read`: 'text' or 'arrayBuffer', and its URL after redirections. */
export async function load(url, read, seconds, signal) {
  // Media is played once: no need to fill the cache of the browser with it.
  const cache = read === 'text' ? 'default' : 'no-store';
  const response = await fetch(url, { cache, signal: AbortSignal.any([signal, AbortSignal.timeout(seconds * 1000)]) });
  if (!response.ok) throw new Refusal(response.status, url);
  return { body: await response[read](), url: response.url };
}
