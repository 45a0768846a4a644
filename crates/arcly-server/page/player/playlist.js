// Playlists of HLS (RFC 8216bis), as far as this server writes them.

/** An attribute list (4.2) as an object. */
export function attributes(text) {
  const found = {};
  for (const [, name, quoted, plain] of text.matchAll(/([A-Z0-9-]+)=(?:"([^"]*)"|([^,]*))/g)) found[name] = quoted ?? plain;
  return found;
}

/** The tags and URIs of a playlist: `[name, value]`, a URI under the name 'URI'. */
function* linesOf(text) {
  if (!text.startsWith('#EXTM3U')) throw new SyntaxError('this is no playlist');
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith('#EXT')) {
      const colon = line.indexOf(':');
      yield colon < 0 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1)];
    } else if (line && !line.startsWith('#')) {
      yield ['URI', line];
    }
  }
}

/** A multivariant playlist (4.4.6): what can be chosen from. `base` is where it was loaded from. */
export function parseMultivariant(text, base) {
  const [variants, sounds] = [[], []];
  let stream = null;
  for (const [tag, value] of linesOf(text)) {
    const found = attributes(value);
    if (tag === '#EXT-X-MEDIA' && found.TYPE === 'AUDIO') {
      sounds.push({ group: found['GROUP-ID'], name: found.NAME, isDefault: found.DEFAULT === 'YES', language: found.LANGUAGE, url: found.URI && new URL(found.URI, base).href });
    } else if (tag === '#EXT-X-STREAM-INF') {
      stream = found;
    } else if (tag === 'URI' && stream) {
      variants.push({
        url: new URL(value, base).href,
        bandwidth: Number(stream.BANDWIDTH),
        codecs: stream.CODECS?.split(',').map((codec) => codec.trim()) ?? [],
        resolution: stream.RESOLUTION,
        sounds: stream.AUDIO,
      });
      stream = null;
    }
  }
  return { variants, sounds };
}

/**
 * A media playlist (4.4.3). `before` is the version before, which a Playlist Delta Update (6.2.5.1) leans on; `null` comes back
 * where it leans on something that `before` has not.
 *
 * A segment has its number `msn`, its `parts`, the `date` of its first frame in milliseconds, its `discontinuity` sequence number, its
 * `init` segment's URL, and, once it is finished, a `url`.
 */
export function parseMedia(text, base, before) {
  const list = { segments: [], targetDuration: 0, partTarget: 0, holdBack: 0, partHoldBack: 0, canBlock: false, canSkip: false, ended: false };
  let [msn, discontinuity, init, date] = [0, 0, null, null];
  let segment = null;
  const open = () => segment ??= { msn, discontinuity, init, date, duration: 0, gap: false, parts: [], url: null };
  for (const [tag, value] of linesOf(text)) {
    switch (tag) {
      case '#EXT-X-TARGETDURATION': list.targetDuration = Number(value); break;
      case '#EXT-X-PART-INF': list.partTarget = Number(attributes(value)['PART-TARGET']); break;
      case '#EXT-X-SERVER-CONTROL': {
        const control = attributes(value);
        list.canBlock = control['CAN-BLOCK-RELOAD'] === 'YES';
        list.canSkip = 'CAN-SKIP-UNTIL' in control;
        list.holdBack = Number(control['HOLD-BACK'] ?? 0);
        list.partHoldBack = Number(control['PART-HOLD-BACK'] ?? 0);
        break;
      }
      case '#EXT-X-MEDIA-SEQUENCE': msn = Number(value); break;
      case '#EXT-X-DISCONTINUITY-SEQUENCE': discontinuity = Number(value); break;
      case '#EXT-X-SKIP': {
        const count = Number(attributes(value)['SKIPPED-SEGMENTS']);
        const skipped = before?.segments.filter((known) => known.url && known.msn >= msn && known.msn < msn + count) ?? [];
        if (skipped.length !== count) return null;
        // Their parts are not listed any more.
        list.segments.push(...skipped.map((known) => ({ ...known, parts: [] })));
        const last = skipped.at(-1);
        if (last) ({ discontinuity, init, date } = { ...last, date: last.date + last.duration * 1000 });
        msn += count;
        break;
      }
      case '#EXT-X-DISCONTINUITY': discontinuity += 1; break;
      case '#EXT-X-MAP': init = new URL(attributes(value).URI, base).href; break;
      case '#EXT-X-PROGRAM-DATE-TIME': date = Date.parse(value); break;
      case '#EXT-X-GAP': open().gap = true; break;
      case '#EXT-X-PART': {
        const part = attributes(value);
        const within = open();
        const at = within.parts.reduce((sum, known) => sum + known.duration, 0);
        within.parts.push({ url: new URL(part.URI, base).href, duration: Number(part.DURATION), at, independent: part.INDEPENDENT === 'YES', gap: part.GAP === 'YES' });
        break;
      }
      case '#EXTINF': open().duration = Number.parseFloat(value); break;
      case 'URI': {
        // Each with its own date: what holds for the next is told by this one's duration.
        const done = open();
        done.url = new URL(value, base).href;
        list.segments.push(done);
        date = done.date === null ? null : done.date + done.duration * 1000;
        [segment, msn] = [null, msn + 1];
        break;
      }
      case '#EXT-X-ENDLIST': list.ended = true; break;
      default:
    }
  }
  if (segment?.parts.length) {
    segment.duration = segment.parts.reduce((sum, part) => sum + part.duration, 0);
    list.segments.push(segment);
  }
  const last = list.segments.at(-1);
  /** What the next version has first: what a blocking reload (6.2.5.2) asks for. */
  list.next = !last ? { msn, part: 0 } : last.url ? { msn: last.msn + 1, part: 0 } : { msn: last.msn, part: last.parts.length };
  return list;
}
