// A session by WHIP (RFC 9725) or WHEP: an offer is sent, an answer comes back, and a URL that ends it.

/** How long the server may take to answer; milliseconds. */
const PATIENCE = 10_000;

/** Why the server does not want to, in words for whoever sits before the page. */
export class Refusal extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

export class Session {
  /** What the server says of the media: { code: text }. */
  notices;
  #url;

  constructor(url, notices) {
    [this.#url, this.notices] = [url, notices];
  }

  /** Ends it; also while the page is closed. Without it, the server notices by the silence. */
  end() {
    fetch(this.#url, { method: 'DELETE', keepalive: true }).catch(() => { /* it is gone, or will be missed */ });
  }
}

/** Offers what `connection` has, to `url`. Candidates need not be sent: the server finds the peer by its checks. */
export async function open(url, connection, signal) {
  await connection.setLocalDescription();
  let response;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/sdp' },
      body: connection.localDescription.sdp,
      signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]),
    });
  } catch (error) {
    signal.throwIfAborted();
    throw new Refusal(0, 'The server does not answer.', { cause: error });
  }
  const body = await response.text();
  if (response.status !== 201) throw new Refusal(response.status, words(response.status, body));
  const session = new Session(new URL(response.headers.get('Location'), url).href, noticesOf(response.headers.get('Arcly-Notice')));
  try {
    signal.throwIfAborted();
    await connection.setRemoteDescription({ type: 'answer', sdp: body });
  } catch (error) {
    session.end();
    throw error;
  }
  return session;
}

/** Calls `then` once the server says goodbye (DTLS `close_notify`), which a browser tells of the transport, and of the connection only when that has been silent for long. */
export function onGoodbye(connection, then) {
  const [{ sender }] = connection.getTransceivers();
  sender.transport?.addEventListener('statechange', ({ target }) => {
    if (target.state === 'closed' && connection.signalingState !== 'closed') then();
  });
}

/** What a refusal says: its problem details (RFC 9457), or the least that is known. */
function words(status, body) {
  if (status === 401) return 'A token that allows this is required.';
  try {
    const { title, detail } = JSON.parse(body);
    return detail ? `${title}: ${detail}.` : `${title}.`;
  } catch {
    return `The server answers with ${status}.`;
  }
}

/** Several come as one header, with commas between; each begins with a code and a colon. */
function noticesOf(header) {
  const notices = {};
  for (const part of (header ?? '').split(/,\s*(?=[a-z-]+: )/)) {
    const [code, text] = [part.slice(0, part.indexOf(':')), part.slice(part.indexOf(':') + 1).trim()];
    if (text) notices[code] = text;
  }
  return notices;
}
