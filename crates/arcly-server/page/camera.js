// Publishing from this browser: what to publish, how it goes, and what is wrong in words.

import { Publisher, codecs } from './webrtc/publisher.js';
import { bitrate, known, milliseconds, percent, size } from './words.js';

const SHOW_MILLISECONDS = 500;
const SCREEN = 'screen';
const NONE = 'none';
const HEIGHTS = { 480: 640, 720: 1280, 1080: 1920 };

const byId = (id) => document.getElementById(id);
const form = byId('camera-form');
const preview = byId('camera-preview');

let publisher = null;
/** Makes the URL of a stream's WHIP endpoint. */
let endpointOf = null;

// ---- What to publish ----

/** Shows the form; `applications` are those of the server, `https` is where the page has a camera if it has none here. */
export function setUp({ applications, endpoint, https }) {
  endpointOf = endpoint;
  byId('camera').hidden = false;
  const select = byId('camera-app');
  if (select.options.length === 0) {
    select.replaceChildren(...applications.map((app) => new Option(`${app}/`, app)));
    if (applications.includes('live')) select.value = 'live';
    byId('camera-codec').append(...codecs().map((codec) => new Option(codec === 'H264' ? 'H.264' : codec === 'H265' ? 'H.265' : codec, codec)));
    showDevices();
  }
  // Browsers give pages cameras by HTTPS and on localhost only.
  if (!navigator.mediaDevices) {
    const elsewhere = Object.assign(document.createElement('a'), { href: https ?? '', textContent: https ?? '' });
    tell('Browsers let a page use the camera only by HTTPS, or on localhost.', ...(https ? ['Open it at ', elsewhere] : ['Give the server a certificate (--tls-cert, --tls-key).']));
    for (const control of form.elements) control.disabled = true;
  }
}

/** Lists cameras and microphones; their names are there once the page was allowed to use one. */
async function showDevices() {
  const devices = await navigator.mediaDevices?.enumerateDevices().catch(() => []) ?? [];
  const fill = (id, kind, word, more) => {
    const select = byId(id);
    const chosen = select.value;
    const found = devices.filter((device) => device.kind === kind && device.deviceId);
    const options = found.map((device, n) => new Option(device.label || `${word} ${n + 1}`, device.deviceId));
    if (options.length === 0) options.push(new Option(word, ''));
    select.replaceChildren(...options, ...more);
    if ([...select.options].some((option) => option.value === chosen)) select.value = chosen;
  };
  const screen = navigator.mediaDevices?.getDisplayMedia ? [new Option('Screen or window', SCREEN)] : [];
  fill('camera-picture', 'videoinput', 'Camera', [...screen, new Option('None', NONE)]);
  fill('camera-sound', 'audioinput', 'Microphone', [new Option('None', NONE)]);
}

navigator.mediaDevices?.addEventListener?.('devicechange', showDevices);

/** What is chosen, as a MediaStream. */
async function capture() {
  const [picture, sound] = [byId('camera-picture').value, byId('camera-sound').value];
  const height = Number(byId('camera-size').value);
  const video = { width: { ideal: HEIGHTS[height] }, height: { ideal: height }, frameRate: { ideal: 30 } };
  const audio = sound === NONE ? false : sound ? { deviceId: { exact: sound } } : true;
  if (picture !== SCREEN) {
    const camera = picture === NONE ? false : { ...video, ...(picture ? { deviceId: { exact: picture } } : {}) };
    if (!camera && !audio) throw new Error('Choose a picture or a sound.');
    return navigator.mediaDevices.getUserMedia({ video: camera, audio });
  }
  const screen = await navigator.mediaDevices.getDisplayMedia({ video, audio: false });
  // Text is to stay readable where it cannot move smoothly.
  for (const track of screen.getVideoTracks()) track.contentHint = 'detail';
  try {
    if (audio) for (const track of (await navigator.mediaDevices.getUserMedia({ audio })).getTracks()) screen.addTrack(track);
  } catch (error) {
    for (const track of screen.getTracks()) track.stop();
    throw error;
  }
  return screen;
}

/** What a browser means by its errors (Media Capture and Streams, 10.2). */
function wordsOf(error) {
  switch (error.name) {
    case 'NotAllowedError': return 'The browser does not let this page use it: allow camera and microphone, next to the address.';
    case 'NotFoundError': return 'There is no such camera or microphone: connect one, or choose “None”.';
    case 'NotReadableError': return 'The camera or microphone cannot be used: another program may have it.';
    case 'OverconstrainedError': return 'The camera or microphone that was chosen is gone: choose another one.';
    default: return error.message;
  }
}

// ---- How it goes ----

function tell(...parts) {
  const notice = byId('camera-notice');
  notice.replaceChildren(...parts);
  notice.hidden = parts.every((part) => part === '');
}

async function start(event) {
  event.preventDefault();
  if (publisher) return;
  const name = byId('camera-name').value.trim();
  const key = `${byId('camera-app').value}/${name}`;
  tell('Waiting for the camera…');
  byId('camera-start').disabled = true;
  let media;
  try {
    media = await capture();
  } catch (error) {
    tell(wordsOf(error));
    return;
  } finally {
    byId('camera-start').disabled = false;
  }
  showDevices();
  preview.srcObject = media;
  preview.hidden = media.getVideoTracks().length === 0;
  for (const [id, kind] of [['camera-mute', 'audio'], ['camera-blank', 'video']]) byId(id).hidden = media.getTracks().every((track) => track.kind !== kind);
  const codec = byId('camera-codec').value || null;
  const current = publisher = new Publisher(endpointOf(key), media, { codec, simulcast: byId('camera-simulcast').checked });
  publisher.addEventListener('state', ({ detail }) => current === publisher && showState(detail, key));
  form.hidden = true;
  byId('camera-live').hidden = false;
  showMuted();
  byId('camera-stop').focus();
}

function showState({ name, text }, key) {
  byId('camera-state').textContent = { connecting: 'Connecting', live: 'Live', waiting: 'Interrupted', failed: 'Failed', stopped: 'Stopped' }[name];
  byId('camera-state').dataset.state = name;
  if (name === 'live') {
    const link = Object.assign(document.createElement('a'), { href: `#${encodeURI(key)}`, textContent: key });
    tell('You are live as ', link, '.');
  } else {
    tell(text);
  }
  if (name !== 'failed' && name !== 'stopped') return;
  const over = publisher;
  publisher = null;
  over.stop();
  preview.srcObject = null;
  form.hidden = false;
  byId('camera-live').hidden = true;
  byId('camera-start').focus();
}

function showMuted() {
  for (const [id, kind, off, on] of [['camera-mute', 'audio', 'Mute', 'Unmute'], ['camera-blank', 'video', 'Hide picture', 'Show picture']]) {
    const isMuted = publisher?.isMuted(kind) ?? false;
    byId(id).textContent = isMuted ? on : off;
    byId(id).setAttribute('aria-pressed', String(isMuted));
  }
}

function toggle(kind) {
  publisher?.setMuted(kind, !publisher.isMuted(kind));
  showMuted();
}

const LIMITS = { bandwidth: 'by the connection', cpu: 'by this computer', other: 'by the browser' };

function showNumbers() {
  const numbers = publisher?.numbers;
  if (!numbers) return;
  const layers = numbers.layers > 1 ? ` · ${numbers.layers} sizes` : '';
  const texts = {
    bitrate: known(numbers.bitrate, bitrate),
    picture: numbers.width ? size(numbers.width, numbers.height) + layers : 'none',
    fps: known(numbers.fps, (fps) => `${Math.round(fps)} fps`),
    codecs: numbers.codecs.join(', '),
    lost: known(numbers.lost, percent),
    rtt: known(numbers.roundTrip, milliseconds),
    limit: numbers.limit ? LIMITS[numbers.limit] : 'no',
  };
  for (const cell of document.querySelectorAll('[data-sent]')) cell.textContent = texts[cell.dataset.sent];
}

form.addEventListener('submit', start);
byId('camera-stop').addEventListener('click', () => publisher?.stop());
byId('camera-mute').addEventListener('click', () => toggle('audio'));
byId('camera-blank').addEventListener('click', () => toggle('video'));
setInterval(showNumbers, SHOW_MILLISECONDS);
