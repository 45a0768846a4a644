//! What is H.265's and VVC's own in [`NalTrack`](super::nal_track::NalTrack). Their records and parameter sets are alike but for
//! the units' headers, which `arcly_core::codec` reads.

use super::nal_track::NalConfig;
use arcly_core::codec::Result as CodecResult;
use arcly_core::codec::h265::{self, HevcDecoderConfig};
use arcly_core::codec::nal::{LengthSize, NalClass, length_prefixed};
use arcly_core::codec::vvc::{self, VvcDecoderConfig};
use bytes::Bytes;

macro_rules! nal_config {
    ($config:ty, $codec:ident) => {
        impl NalConfig for $config {
            fn parse(record: &Bytes) -> CodecResult<Self> {
                Self::parse(record)
            }

            fn take_length_size(&mut self) -> LengthSize {
                std::mem::replace(&mut self.length_size, LengthSize::Four)
            }

            fn to_bytes(&self) -> CodecResult<Bytes> {
                self.to_bytes()
            }

            fn is_parameter_set(nal: &[u8]) -> bool {
                $codec::NalHeader::of(nal).is_some_and(|header| {
                    header.layer_id == 0 && header.unit_type.class() == NalClass::ParameterSet
                })
            }

            fn contains(&self, nal: &[u8]) -> bool {
                self.nal_units().any(|set| set == nal)
            }

            fn with_parameter_sets(&self, sets: &[&[u8]]) -> Option<Self> {
                // Sets of the record that cannot be read are no reason to go without those that can.
                let mut in_force = $codec::ParameterSets::new();
                for nal in self.nal_units() {
                    let _ = in_force.insert(nal);
                }
                for nal in sets {
                    in_force.insert(nal).ok()?;
                }
                in_force.config()
            }

            fn normalize(access_unit: &Bytes, size: LengthSize) -> CodecResult<Bytes> {
                length_prefixed::normalize(access_unit, size, $codec::NalFilter::SAMPLE)
            }

            /// The unit types leave nothing open.
            fn classify(&self, access_unit: &[u8], _: bool) -> (bool, bool) {
                let class = self.classify(access_unit).unwrap_or_default();
                (class.random_access, class.disposable)
            }
        }
    };
}

nal_config!(HevcDecoderConfig, h265);
nal_config!(VvcDecoderConfig, vvc);

#[cfg(test)]
mod tests {
    use super::super::codec_state::{AccessUnit, CodecState, Outcome};
    use super::super::nal_track::NalTrack;
    use super::super::packet::Coded;
    use super::*;

    type HevcTrack = NalTrack<HevcDecoderConfig>;

    // x265, 64×64, Main; the example of `HevcDecoderConfig`.
    const VPS: &[u8] = b"\x40\x01\x0c\x01\xff\xff\x01\x60\x00\x00\x03\x00\x90\x00\x00\x03\x00\x00\x03\x00\x1e\x91\x10\x09";
    const SPS: &[u8] = b"\x42\x01\x01\x01\x60\x00\x00\x03\x00\x90\x00\x00\x03\x00\x00\x03\x00\x1e\xa0\x20\x81\x05\x96\x44\x49\x24\xca\xf0\x16\x80\x80\x00\x00\x03\x00\x80\x00\x00\x0c\x84";
    const PPS: &[u8] = b"\x44\x01\xc1\x71\xa1\x12";

    fn record() -> HevcDecoderConfig {
        let set = |nal: &'static [u8]| [Bytes::from_static(nal)];
        HevcDecoderConfig::from_parameter_sets(set(VPS), set(SPS), set(PPS)).expect("valid")
    }

    fn coded(nals: &[&[u8]], flagged_key: bool) -> Coded {
        let payload = length_prefixed::join(nals.iter().copied()).expect("small");
        Coded {
            payload,
            composition: 0,
            flagged_key,
        }
    }

    fn media(track: &mut HevcTrack, coded: &Coded) -> AccessUnit {
        match track.coded(coded) {
            Ok(Outcome::Media(unit)) => unit,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn keyframes_and_disposable_pictures_are_what_the_bits_say() {
        let mut track = HevcTrack::default();
        track
            .sequence_start(&record().to_bytes().expect("valid"))
            .expect("valid");
        // CRA_NUT, TRAIL_R, and TRAIL_N in the highest sub-layer.
        let cra = media(&mut track, &coded(&[&[0x2A, 1, 0xAF]], false));
        assert!(cra.keyframe && !cra.disposable);
        let trail = media(&mut track, &coded(&[&[0x02, 1, 0xD0]], true));
        assert!(!trail.keyframe && !trail.disposable);
        let dropped = media(&mut track, &coded(&[&[0x00, 1, 0xD0]], false));
        assert!(dropped.disposable);
    }

    #[test]
    fn parameter_sets_leave_the_access_unit_and_change_the_config() {
        let mut track = HevcTrack::default();
        let empty = b"\x01\x01\x60\0\0\0\x90\0\0\0\0\0\x1e\xf0\0\xfc\xfd\xf8\xf8\0\0\x0f\0";
        track
            .sequence_start(&Bytes::from_static(empty))
            .expect("records without sets exist");
        let idr = &[0x26, 1, 0xAF][..];
        let unit = media(&mut track, &coded(&[VPS, SPS, PPS, idr], true));
        assert_eq!(unit.payload, coded(&[idr], true).payload);
        assert!(unit.in_band_config && unit.keyframe);
        assert_eq!(track.take_config(), record().to_bytes().ok());
        let again = media(&mut track, &coded(&[VPS, SPS, PPS, idr], true));
        assert!(!again.in_band_config);
    }
}
