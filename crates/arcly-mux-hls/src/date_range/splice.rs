//! The part of a SCTE-35 splice information section that a playlist tells (ANSI/SCTE 35 9.6, 9.7, 10.3.3).

/// What a section announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Splice {
    /// The event's number, where the section has one.
    pub(super) event: Option<u32>,
    pub(super) turn: Turn,
    /// The splice point on the 33-bit clock of 90 kHz, adjustment included; none for "at once".
    pub(super) time: Option<u64>,
    /// How long the break is to be, in ticks of 90 kHz.
    pub(super) duration: Option<u64>,
}

/// Which way content turns (RFC 8216bis 4.4.5.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Out of the network's content: a break begins.
    Out,
    /// Back into it.
    In,
    /// Neither.
    Other,
}

const TABLE: u8 = 0xfc;
const SPLICE_INSERT: u8 = 5;
const TIME_SIGNAL: u8 = 6;
const SEGMENTATION_DESCRIPTOR: u8 = 2;
const WRAP: u64 = (1 << 33) - 1;

/// Reads a section; none where it is no section, encrypted, or cut short. The CRC is the transport's matter.
pub(super) fn read(section: &[u8]) -> Option<Splice> {
    let mut bytes = Reader(section);
    if bytes.u8()? != TABLE {
        return None;
    }
    bytes.take(3)?;
    let (flags, low) = (bytes.u8()?, bytes.u32()?);
    if flags & 0x80 != 0 {
        return None;
    }
    let adjustment = u64::from(flags & 1) << 32 | u64::from(low);
    bytes.take(3)?;
    let length = usize::from(bytes.u8()?);
    // 0xfff: not told (older encoders); the low byte of that is 0xff, of a length that the descriptors then follow unseen.
    let command_type = bytes.u8()?;
    let mut splice = match command_type {
        SPLICE_INSERT => splice_insert(&mut Reader(bytes.0))?,
        TIME_SIGNAL => Splice {
            event: None,
            turn: Turn::Other,
            time: splice_time(&mut Reader(bytes.0))?,
            duration: None,
        },
        _ => Splice {
            event: None,
            turn: Turn::Other,
            time: None,
            duration: None,
        },
    };
    if command_type == TIME_SIGNAL && bytes.take(length).is_some() {
        segmentation(&mut bytes, &mut splice);
    }
    splice.time = splice.time.map(|time| (time + adjustment) & WRAP);
    Some(splice)
}

fn splice_insert(bytes: &mut Reader<'_>) -> Option<Splice> {
    let mut splice = Splice {
        event: Some(bytes.u32()?),
        turn: Turn::Other,
        time: None,
        duration: None,
    };
    if bytes.u8()? & 0x80 != 0 {
        return Some(splice); // It cancels the event.
    }
    let flags = bytes.u8()?;
    let (out, whole, has_duration, at_once) =
        (flags & 0x80, flags & 0x40, flags & 0x20, flags & 0x10);
    splice.turn = if out != 0 { Turn::Out } else { Turn::In };
    if whole != 0 {
        if at_once == 0 {
            splice.time = splice_time(bytes)?;
        }
    } else {
        for _ in 0..bytes.u8()? {
            bytes.u8()?;
            if at_once == 0 {
                splice.time = splice_time(bytes)?.or(splice.time);
            }
        }
    }
    if has_duration != 0 {
        splice.duration = Some(bytes.u33()?);
    }
    Some(splice)
}

/// `splice_time()`: the outer option is for input that is cut short.
fn splice_time(bytes: &mut Reader<'_>) -> Option<Option<u64>> {
    let first = *bytes.0.first()?;
    if first & 0x80 == 0 {
        bytes.u8()?;
        return Some(None);
    }
    bytes.u33().map(Some)
}

/// The first segmentation descriptor says what a time signal is about.
fn segmentation(bytes: &mut Reader<'_>, splice: &mut Splice) -> Option<()> {
    bytes.take(2)?;
    loop {
        let (tag, length) = (bytes.u8()?, usize::from(bytes.u8()?));
        let mut body = Reader(bytes.take(length)?);
        if tag != SEGMENTATION_DESCRIPTOR || body.take(4)? != b"CUEI" {
            continue;
        }
        splice.event = Some(body.u32()?);
        if body.u8()? & 0x80 != 0 {
            return Some(());
        }
        let flags = body.u8()?;
        if flags & 0x80 == 0 {
            let components = usize::from(body.u8()?);
            body.take(components * 6)?;
        }
        let duration = match flags & 0x40 {
            0 => None,
            _ => Some(u64::from(body.u8()?) << 32 | u64::from(body.u32()?)),
        };
        body.u8()?;
        let upid = usize::from(body.u8()?);
        body.take(upid)?;
        // Breaks, advertisements and placement opportunities: even begins, odd ends (ANSI/SCTE 35 table 23).
        splice.turn = match body.u8()? {
            0x22 | 0x30 | 0x32 | 0x34 | 0x36 | 0x38 | 0x3a | 0x44 | 0x46 => Turn::Out,
            0x23 | 0x31 | 0x33 | 0x35 | 0x37 | 0x39 | 0x3b | 0x45 | 0x47 => Turn::In,
            _ => Turn::Other,
        };
        splice.duration = duration.filter(|_| splice.turn == Turn::Out);
        return Some(());
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u32(&mut self) -> Option<u32> {
        let bytes = self.take(4)?.try_into().ok()?;
        Some(u32::from_be_bytes(bytes))
    }

    /// The low 33 bits of 40.
    fn u33(&mut self) -> Option<u64> {
        Some(u64::from(self.u8()? & 1) << 32 | u64::from(self.u32()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The examples of ANSI/SCTE 35 14: a time signal that starts a placement opportunity, and a splice insert.
    pub(crate) const TIME_SIGNAL: &[u8] = b"\xfc\x30\x34\x00\x00\x00\x00\x00\x00\xff\xff\xf0\x05\x06\xfe\x72\xbd\x00\x50\x00\x1e\x02\x1c\x43\x55\
\x45\x49\x48\x00\x00\x8e\x7f\xcf\x00\x01\xa5\x99\xb0\x08\x08\x00\x00\x00\x00\x2c\xa0\xa1\x8a\x34\x02\x00\x9a\xc9\xd1\x7e";
    const INSERT: &[u8] = b"\xfc\x30\x2f\x00\x00\x00\x00\x00\x00\xff\xff\xf0\x14\x05\x48\x00\x00\x8f\x7f\xef\xfe\x73\x69\xc0\x2e\xfe\x00\x52\xcc\
\xf5\x00\x00\x00\x00\x00\x0a\x00\x08\x43\x55\x45\x49\x00\x00\x01\x35\x62\xdb\xa3\x0a";

    #[test]
    fn the_standards_examples() {
        assert_eq!(
            read(TIME_SIGNAL),
            Some(Splice {
                event: Some(0x4800_008e),
                turn: Turn::Out,
                time: Some(0x72bd_0050),
                duration: Some(0x01a5_99b0),
            })
        );
        assert_eq!(
            read(INSERT),
            Some(Splice {
                event: Some(0x4800_008f),
                turn: Turn::Out,
                time: Some(0x7369_c02e),
                duration: Some(0x0052_ccf5),
            })
        );
    }

    proptest! {
        #[test]
        fn anything_is_read_without_harm(mut bytes in prop::collection::vec(any::<u8>(), 0..80), command in prop::sample::select(vec![5_u8, 6])) {
            for (index, value) in [(0, TABLE), (4, 0), (13, command)] {
                if let Some(byte) = bytes.get_mut(index) {
                    *byte = value;
                }
            }
            let _ = read(&bytes);
        }

        #[test]
        fn what_is_cut_short_is_none_or_the_same_event(end in 0_usize..50) {
            if let Some(splice) = read(&INSERT[..end.min(INSERT.len())]) {
                prop_assert_eq!(splice.event, Some(0x4800_008f));
            }
        }
    }
}
