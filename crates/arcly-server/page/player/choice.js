// What of a multivariant playlist is played: the best that this browser decodes.

const SOUNDS = /^(mp4a|opus|flac|ac-3|ec-3|mp3)/i;

export const MediaSourceHere = globalThis.ManagedMediaSource ?? globalThis.MediaSource;

/** The media type of these codecs, in a spelling that the browser takes ('Opus' and 'fLaC' are not all browsers' names); `null` where it does not decode them. */
function mimeOf(kind, codecs) {
  if (!codecs.length) return null;
  const spellings = [codecs, codecs.map((codec) => codec.replace(/^(opus|flac)$/i, (name) => name.toLowerCase()))];
  return spellings.map((list) => `${kind}/mp4; codecs="${list.join(',')}"`).find((mime) => MediaSourceHere.isTypeSupported(mime)) ?? null;
}

/**
 * The renditions to play: `{ tracks: [{ kind, url, mime, codecs }], left: [codecs], sounds: [names], sound }`; no tracks where nothing is decoded. `wanted` is the name of the
 * sound that was chosen before.
 */
export function choose({ variants, sounds }, wanted) {
  const left = new Set();
  // Where all is equal, the one that is listed first.
  const byQuality = [...variants].sort((one, other) => other.bandwidth - one.bandwidth);
  let [best, bestScore] = [null, 0];
  for (const variant of byQuality) {
    const video = variant.codecs.filter((codec) => !SOUNDS.test(codec));
    const audio = variant.codecs.filter((codec) => SOUNDS.test(codec));
    const choices = sounds.filter((sound) => sound.group === variant.sounds && sound.url);
    const sound = choices.find((choice) => choice.name === wanted) ?? choices.find((choice) => choice.isDefault) ?? choices[0];
    const tracks = [];
    const add = (kind, url, codecs) => {
      const mime = mimeOf(kind, codecs);
      if (mime) tracks.push({ kind, url, mime, codecs });
      else codecs.forEach((codec) => left.add(codec));
    };
    // A variant without video is one of the sounds itself.
    const isSoundOnly = video.length === 0;
    const isApart = sound && !isSoundOnly;
    add(isSoundOnly ? 'audio' : 'video', (isSoundOnly && sound?.url) || variant.url, isApart ? video : variant.codecs);
    if (isApart) add('audio', sound.url, audio);
    // A picture counts for more than sound, both for more than either.
    const score = tracks.reduce((sum, track) => sum + (track.kind === 'video' ? 2 : 1), 0);
    if (score > bestScore) [best, bestScore] = [{ tracks, sounds: choices.map((choice) => choice.name), sound: sound?.name }, score];
  }
  const used = new Set(best?.tracks.flatMap((track) => track.codecs) ?? []);
  return { tracks: [], sounds: [], sound: null, ...best, left: [...left].filter((codec) => !used.has(codec)) };
}
