// What has to be known of ISO base media files (ISO/IEC 14496-12): where a fragment stands on the media timeline.

const TRUN_OFFSET = 0x1, TRUN_FIRST_FLAGS = 0x4, TRUN_DURATION = 0x100, TRUN_SIZE = 0x200, TRUN_FLAGS = 0x400, TRUN_COMPOSITION = 0x800;

/** The boxes within a span: `[type, start of the content, end]`. */
function* boxes(view, from, to) {
  while (from + 8 <= to) {
    let [size, header] = [view.getUint32(from), 8];
    if (size === 1) [size, header] = [Number(view.getBigUint64(from + 8)), 16];
    if (size === 0) size = to - from;
    if (size < header || from + size > to) throw new RangeError('a box is longer than what it is in');
    const type = String.fromCharCode(...[4, 5, 6, 7].map((at) => view.getUint8(from + at)));
    yield [type, from + header, from + size];
    from += size;
  }
}

/** All boxes of this type below the ones before it in the path. */
function* find(view, [type, ...path], from = 0, to = view.byteLength) {
  for (const [found, start, end] of boxes(view, from, to)) {
    if (found !== type) continue;
    if (path.length) yield* find(view, path, start, end);
    else yield [start, end];
  }
}

const first = (iterator) => iterator.next().value;

/** The ticks a second of each track of an init segment, by the track's number. */
export function timescales(bytes) {
  const view = new DataView(bytes);
  const scales = new Map();
  for (const [start, end] of find(view, ['moov', 'trak'])) {
    const [header] = first(find(view, ['tkhd'], start, end));
    const [media] = first(find(view, ['mdia', 'mdhd'], start, end));
    const id = view.getUint32(header + (view.getUint8(header) === 1 ? 20 : 12));
    scales.set(id, view.getUint32(media + (view.getUint8(media) === 1 ? 20 : 12)));
  }
  return scales;
}

/** When the first sample of a fragment is presented, in seconds of the media timeline; of several tracks, the first track's. */
export function startOf(bytes, scales) {
  const view = new DataView(bytes);
  const [start, end] = first(find(view, ['moof', 'traf']));
  const [header] = first(find(view, ['tfhd'], start, end));
  const [decode] = first(find(view, ['tfdt'], start, end));
  const time = view.getUint8(decode) === 1 ? Number(view.getBigUint64(decode + 4)) : view.getUint32(decode + 4);
  const run = first(find(view, ['trun'], start, end));
  const scale = scales.get(view.getUint32(header + 4));
  if (!scale) throw new RangeError('a fragment of a track that is not in the init segment');
  return (time + (run ? composition(view, run[0]) : 0)) / scale;
}

/** The composition offset of the first sample of a `trun`. */
function composition(view, start) {
  const flags = view.getUint32(start) & 0xffffff;
  if (!(flags & TRUN_COMPOSITION) || view.getUint32(start + 4) === 0) return 0;
  let at = start + 8;
  for (const field of [TRUN_OFFSET, TRUN_FIRST_FLAGS, TRUN_DURATION, TRUN_SIZE, TRUN_FLAGS]) if (flags & field) at += 4;
  return view.getInt32(at);
}
