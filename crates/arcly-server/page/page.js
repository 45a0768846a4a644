// The page of the server: lists what is live, plays it, and shows how to publish. No library, no build.

import { AnyPlayer, WAYS } from './any_player.js';
import { setUp as setUpCamera } from './camera.js';
import { addCopyButtons, command } from './commands.js';
import { bitrate, delay, duration, known, milliseconds, percent, size } from './words.js';

const POLL_MILLISECONDS = 2000;
const RETRY_MILLISECONDS = 3000;
const SHOW_MILLISECONDS = 500;

const query = new URLSearchParams(location.search);
const token = query.get('token');
const byId = (id) => document.getElementById(id);
const video = byId('video');

/** The path with the page's token, if it has one. */
const withToken = (path) => (token ? `${path}?token=${encodeURIComponent(token)}` : path);
const nameOf = (stream) => `${stream.app}/${stream.stream}`;
/** The stream named in the address: `#live/demo`. */
const wanted = () => decodeURIComponent(location.hash.slice(1));

let server = null;
let streams = [];
let relays = [];
/** What plays: its name and session, so that a new stream under the name is noticed. */
let playing = null;
let player = null;
let retry = 0;
/** How the viewer wants streams to be played: `?by=hls` in the address, or the choice on the page. */
let way = WAYS.includes(query.get('by')) ? query.get('by') : 'auto';
/** How far the clock here is ahead of the server's, in milliseconds, as the promptest answer says. */
let clockAhead = { milliseconds: 0, uncertain: Infinity };

// ---- Numbers ----

function numbersOf(stream) {
  const first = (kind) => stream.tracks.find((track) => track.kind === kind);
  const [picture, sound] = [first('video'), first('audio')];
  return {
    bitrate: bitrate(stream.bitrate),
    picture: picture ? (picture.width ? size(picture.width, picture.height) : picture.codec) : 'none',
    fps: picture ? `${Math.round(picture.frame_rate * 100) / 100} fps` : '–',
    sound: sound ? (sound.sample_rate ? `${sound.sample_rate / 1000} kHz · ${sound.channels} ch` : sound.codec) : 'none',
    viewers: String(stream.viewers),
    uptime: duration(stream.uptime_seconds),
    codecs: stream.tracks.map((track) => track.codec_string ?? track.codec).join(', '),
  };
}

// ---- Player ----

function notice(...lines) {
  byId('notice').replaceChildren(...lines.map((line) => (line instanceof Node ? line : Object.assign(document.createElement('p'), { textContent: line }))));
  byId('notice').hidden = lines.length === 0;
}

function play(stream, sound) {
  clearTimeout(retry);
  player?.stop();
  playing = { name: nameOf(stream), session: stream.session };
  notice();
  video.hidden = false;
  const urls = { hls: withToken(stream.play.hls), whep: stream.play.whep && withToken(stream.play.whep) };
  const current = player = new AnyPlayer(video, urls, { way, sound, hasSound: hasTrack(stream, 'audio') });
  player.clockAhead = clockAhead.milliseconds;
  player.addEventListener('state', ({ detail }) => current === player && showState(detail));
  showSound();
}

function stop(...lines) {
  clearTimeout(retry);
  player?.stop();
  player = playing = null;
  video.hidden = true;
  byId('unmute').hidden = true;
  notice(...lines);
}

/** The stream that plays, as the list has it. */
const playingStream = () => streams.find((candidate) => nameOf(candidate) === playing?.name);
const hasTrack = (stream, kind) => stream?.tracks.some((track) => track.kind === kind) ?? false;

function showState({ name, text, isFinal }) {
  const stream = playingStream();
  if (name === 'failed') {
    const url = stream && Object.assign(document.createElement('code'), { textContent: new URL(withToken(stream.play.hls), location.href).href });
    notice(text, ...(way === 'webrtc' ? ['Choose another way of playing below.'] : url ? ['Another player may play this address:', url] : []));
    // A stream that has only just begun, or a decoder that has lost its way: once more from the start.
    if (!isFinal) retry = setTimeout(() => { if (playingStream()) play(playingStream()); }, RETRY_MILLISECONDS);
  } else if (name === 'waiting' && text) {
    notice(text);
  } else if (name === 'playing') {
    notice(...(stream && !hasTrack(stream, 'video') ? ['Sound only'] : []));
  }
  showSound();
}

function showSound() {
  const isSilent = Boolean(player?.silentBecause);
  // Where WebRTC has no sound, turning it on plays by HLS; whoever wants nothing but WebRTC is told only.
  byId('unmute').hidden = video.hidden || (!video.muted && !isSilent) || (isSilent && way === 'webrtc') || !hasTrack(playingStream(), 'audio');
  byId('unmute-text').textContent = isSilent ? 'Turn sound on, with some seconds of delay' : 'Turn sound on';
}

/** What there is to know of the way by which it plays. */
function showWay() {
  const { why = '', silentBecause = '', isRealTime = false } = player ?? {};
  const lines = [];
  if (silentBecause) lines.push(`No sound in real time: ${silentBecause}.`);
  if (why) lines.push(`Plays by HLS, some seconds behind. ${why}`);
  byId('way-notice').hidden = lines.length === 0;
  byId('way-notice').textContent = lines.join(' ');
  const numbers = player?.numbers;
  byId('received').hidden = !numbers;
  byId('playing-by').textContent = !player ? '–' : isRealTime ? `WebRTC${numbers?.carrier ? ` · ${numbers.carrier}` : ''}` : 'HLS';
  if (!numbers) return;
  const texts = {
    bitrate: known(numbers.bitrate, bitrate),
    picture: numbers.width ? size(numbers.width, numbers.height) : 'none',
    fps: known(numbers.fps, (fps) => `${Math.round(fps)} fps`),
    lost: known(numbers.lost, percent),
    rtt: known(numbers.roundTrip, milliseconds),
    buffer: known(numbers.buffer, milliseconds),
    frozen: `${numbers.frozen.toFixed(1)} s`,
    codecs: numbers.codecs.join(', '),
  };
  for (const cell of document.querySelectorAll('[data-received]')) cell.textContent = texts[cell.dataset.received];
}

/** What changes while it plays. */
function showPlayback() {
  const latency = player?.latency;
  if (player) player.clockAhead = clockAhead.milliseconds;
  byId('latency').textContent = known(latency, player?.isRealTime ? delay : (seconds) => `${seconds.toFixed(1)} s`);
  byId('stalls').textContent = String(player?.stalls ?? 0);
  byId('go-live').hidden = !player || player.isLive || player.isNative || video.hidden;
  const left = player?.left ?? [];
  byId('left').hidden = left.length === 0;
  byId('left').textContent = `This browser does not decode ${left.join(', ')}.`;
  const sounds = player?.sounds ?? [];
  const select = byId('sound');
  byId('sound-box').hidden = sounds.length < 2;
  if ([...select.options].map((option) => option.value).join('\n') !== sounds.join('\n')) select.replaceChildren(...sounds.map((sound) => new Option(sound, sound)));
  if (document.activeElement !== select && player?.sound) select.value = player.sound;
}

setInterval(() => { showPlayback(); showWay(); showSound(); }, SHOW_MILLISECONDS);
byId('way').value = way;
byId('way').addEventListener('change', ({ target }) => {
  way = target.value;
  if (playingStream()) play(playingStream());
});
byId('go-live').addEventListener('click', () => player?.goLive());
byId('sound').addEventListener('change', ({ target }) => { if (playingStream()) play(playingStream(), target.value); });
video.addEventListener('volumechange', showSound);
byId('unmute').addEventListener('click', () => {
  if (player?.silentBecause) player.playWithSound();
  video.muted = false;
  if (video.volume === 0) video.volume = 1;
  video.play().catch(() => {});
  video.focus();
});

// ---- List ----

function row(stream) {
  const link = document.createElement('a');
  link.href = `#${encodeURI(nameOf(stream))}`;
  const numbers = numbersOf(stream);
  const waits = stream.interrupted ? ' · interrupted' : '';
  const viewers = stream.viewers === 1 ? '1 viewer' : `${stream.viewers} viewers`;
  for (const [name, text] of [['dot', ''], ['name', nameOf(stream)], ['rate', numbers.bitrate], ['details', `${numbers.picture} · ${numbers.fps} · ${viewers}${waits}`]]) {
    link.append(Object.assign(document.createElement('span'), { className: name, textContent: text }));
  }
  if (stream.interrupted) link.classList.add('interrupted');
  if (nameOf(stream) === playing?.name) link.setAttribute('aria-current', 'true');
  const item = document.createElement('li');
  item.append(link);
  return item;
}

function showList() {
  const list = byId('streams');
  const focused = document.activeElement?.closest?.('#streams a')?.getAttribute('href');
  list.replaceChildren(...streams.map(row));
  if (focused) list.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
  byId('none').hidden = streams.length > 0;
  byId('summary').textContent = streams.length === 1 ? '1 stream live' : `${streams.length} streams live`;
}

function showPlaying() {
  // What plays without having been asked for by name is stuck to until it is over.
  const name = wanted() || (player && !player.isOver ? playing.name : '');
  const stream = streams.find((candidate) => nameOf(candidate) === name) ?? (name ? undefined : streams[0]);
  byId('elsewhere').hidden = byId('numbers').hidden = !stream;
  if (!stream) {
    byId('title').textContent = name || 'No stream chosen';
    // The last seconds of a stream that has just ended play to their end, and go on where its publisher returns meanwhile.
    const isPlaying = playing?.name === name && !player.isOver;
    byId('origin').textContent = isPlaying ? 'The publisher has gone.' : '';
    if (!isPlaying) stop(name ? `${name} is not live. It starts here by itself once somebody publishes it.` : 'Nothing is live. Publish a stream, and it plays here.');
    return;
  }
  // A publisher who comes back before the stream has ended for its viewers is followed by the player itself.
  const isOther = playing?.name !== nameOf(stream);
  if (isOther || (playing.session !== stream.session && player.isEnding)) play(stream);
  const numbers = numbersOf(stream);
  byId('title').textContent = nameOf(stream);
  const waits = stream.interrupted ? ' · interrupted: waiting for the publisher to come back' : '';
  byId('origin').textContent = `${stream.publisher.protocol} · ${numbers.codecs}${waits}`;
  for (const cell of document.querySelectorAll('[data-number]')) cell.textContent = numbers[cell.dataset.number];
  const url = new URL(withToken(stream.play.hls), location.href).href;
  command('watch-url', url);
  command('watch-ts', new URL(withToken(stream.play.hls.replace(/index\.m3u8$/, 'ts/index.m3u8')), location.href).href);
  command('watch-flv', new URL(withToken(stream.play.flv), location.href).href);
  byId('watch-rtmp-box').hidden = !rtmpBase();
  if (rtmpBase()) command('watch-rtmp', withToken(`${rtmpBase()}${stream.play.rtmp}`));
  command('watch-ffplay', `ffplay '${url}'`);
}

// ---- Relays ----

function relayRow(relay) {
  const item = document.createElement('li');
  const arrow = relay.way === 'pull' ? '←' : '→';
  const retry = relay.next_try ? `; again in ${Math.max(0, Math.round(relay.next_try - Date.now() / 1000))} s` : '';
  const state = relay.error ? `${relay.state}: ${relay.error}${retry}` : relay.state;
  for (const [name, text] of [['name', `${nameOf(relay)} ${arrow} ${relay.url}`], ['details', state]]) {
    item.append(Object.assign(document.createElement('span'), { className: name, textContent: text }));
  }
  item.className = `relay ${relay.state}`;
  return item;
}

function showRelays() {
  byId('relays').hidden = relays.length === 0;
  byId('relay-list').replaceChildren(...relays.map(relayRow));
}

// ---- Commands to copy ----

/** The beginning of all RTMP URLs; plain where there is, as not every player speaks TLS. */
function rtmpBase() {
  if (server?.rtmp_port) return `rtmp://${location.hostname}:${server.rtmp_port}`;
  return server?.rtmps_port ? `rtmps://${location.hostname}:${server.rtmps_port}` : null;
}


function showPublish() {
  if (!rtmpBase()) return;
  const app = server.applications.includes('live') ? 'live' : server.applications[0];
  const base = `${rtmpBase()}/${app}`;
  const key = server.auth ? 'cam?token=TOKEN' : 'cam';
  command('publish-ffmpeg', `ffmpeg -re -i video.mp4 -c:v libx264 -g 60 -c:a aac -f flv '${base}/${key}'`);
  command('publish-server', base);
  command('publish-key', key);
  byId('publish-token').hidden = !server.auth;
  byId('publish').hidden = false;
}

// ---- Polling ----

async function get(path) {
  const response = await fetch(withToken(path));
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

/** The server's time lies between our question and its answer. The answer that leaves least doubt counts, for a while: clocks drift. */
function noteClock(asked, time) {
  const uncertain = (Date.now() - asked) / 2;
  if (uncertain <= clockAhead.uncertain) clockAhead = { milliseconds: asked + uncertain - time, uncertain };
  else clockAhead.uncertain += 1;
}

async function poll() {
  try {
    if (!server) {
      server = await get('/api/v1/server');
      byId('version').textContent = `arcly ${server.version}`;
      showPublish();
      if (server.webrtc_port) {
        const https = server.https_port && location.protocol !== 'https:' ? `https://${location.hostname}:${server.https_port}/${location.search}` : null;
        setUpCamera({ applications: server.applications, endpoint: (key) => withToken(`/${key.split('/').map(encodeURIComponent).join('/')}/whip`), https });
      }
    }
    const asked = Date.now();
    const listed = await get('/api/v1/streams');
    noteClock(asked, listed.time * 1000);
    streams = listed.streams;
    relays = (await get('/api/v1/relays')).relays;
    showPlaying();
    showList();
    showRelays();
    if (server.auth && !token && streams.length === 0) byId('none').textContent = 'This server takes tokens: open the page with ?token=… to see the streams that yours allows.';
  } catch {
    server = null;
    byId('summary').textContent = 'The server does not answer; trying again…';
  }
  setTimeout(poll, POLL_MILLISECONDS);
}

addCopyButtons();
for (const link of document.querySelectorAll('a[data-token]')) link.href = withToken(link.getAttribute('href'));
addEventListener('hashchange', () => { showPlaying(); showList(); });
poll();
