//! AC-3 and Enhanced AC-3 (ETSI TS 102 366): sync frames, access units, and their config in MP4.
//!
//! | type | what | clause |
//! |---|---|---|
//! | [`Ac3Header`] | syncinfo and bsi of AC-3 | 4.3.1, 4.3.2, 4.4.1 |
//! | [`Eac3Header`] | syncinfo and bsi of E-AC-3 | E.1.2.1, E.1.2.2, E.1.3.1 |
//! | [`SyncFrame`] | either | |
//! | [`Ac3Splitter`] | sync frames out of a byte stream, with resynchronisation | 4.3, E.1.2 |
//! | [`AccessUnit`], [`access_units`] | the sync frames that play together: one programme's core, its extensions, further programmes | E.1.3.1.2; F.5, F.6 |
//! | [`Dac3`], [`Dec3`] | the payloads of the MP4 boxes `dac3` and `dec3` | F.4, F.6 |
//!
//! There is no codec config on the bus: each frame says what it is. The bus carries whole sync frames; the frames of dependent
//! substreams (more than 5.1 channels) follow the one they extend in the same payload.

mod access_unit;
mod bsi;
mod dac3;
mod dec3;
mod eac3;
mod header;
mod sync_frame;

pub use access_unit::{AccessUnit, MAX_ACCESS_UNIT_FRAMES, access_units};
pub use dac3::Dac3;
pub use dec3::{Dec3, IndependentSubstream};
pub use eac3::{ChannelMap, Eac3Header, StreamType};
pub use header::Ac3Header;
pub use sync_frame::{MAX_SYNC_FRAME_BYTES, SyncFrame};

/// Cuts a byte stream into sync frames of AC-3 and E-AC-3. A stream may mix them: an AC-3 core with E-AC-3 extensions.
///
/// ```
/// use arcly_codec::ac3::Ac3Splitter;
///
/// let mut splitter = Ac3Splitter::new();
/// splitter.push(b"noise");
/// // E-AC-3, 48 kHz, stereo, 6 blocks, 8 bytes.
/// splitter.push(&[0x0b, 0x77, 0x00, 0x03, 0x34, 0x87, 0xc0, 0x00]);
/// splitter.finish();
/// let frame = splitter.next_frame().expect("a frame");
/// assert_eq!((frame.header.sample_rate(), frame.header.samples()), (48_000, 1536));
/// assert_eq!(splitter.skipped_bytes(), 5);
/// ```
pub type Ac3Splitter = crate::FrameSplitter<SyncFrame>;

/// `fscod`: sampling rates in Hz; 3 is reserved in AC-3, and says in E-AC-3 that the rate is half of the one that `fscod2` gives.
const SAMPLE_RATES: [u32; 3] = [48_000, 44_100, 32_000];

/// The full-bandwidth channels of `acmod` 0 to 7 (Table 4.3); 0 is dual mono.
const CHANNELS: [u8; 8] = [2, 1, 2, 3, 3, 4, 4, 5];

/// Samples a channel of an audio block.
const BLOCK_SAMPLES: u32 = 256;

/// The channels of `acmod` and `lfeon` together.
fn channels(acmod: u8, lfe: bool) -> u8 {
    let full = CHANNELS.get(usize::from(acmod & 7)).copied();
    full.unwrap_or_default() + u8::from(lfe)
}
