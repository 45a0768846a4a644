//! AV1 streams: temporal units are consecutive slices, a sample keeps all but delimiters, padding and tile lists, and the
//! record of a unit can be written and reads the same.

#![no_main]

use arcly_codec::av1::{
    Av1Config, ObuType, TemporalUnitInfo, join, obus, temporal_units, to_sample,
};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut consumed = 0;
    let mut header = None;
    for unit in temporal_units(Bytes::copy_from_slice(data)).map_while(Result::ok) {
        assert!(data[consumed..].starts_with(&unit));
        consumed += unit.len();
        let Ok(sample) = to_sample(&unit) else {
            continue;
        };
        let is_kept = |obu_type| {
            !matches!(
                obu_type,
                ObuType::TemporalDelimiter | ObuType::TileList | ObuType::Padding
            )
        };
        let before = obus(&unit).map(|obu| obu.expect("undamaged"));
        let kept: Vec<_> = before
            .filter(|obu| is_kept(obu.header.obu_type))
            .map(|obu| (obu.header, obu.payload))
            .collect();
        let after: Vec<_> = obus(&sample)
            .map(|obu| obu.expect("undamaged"))
            .map(|obu| (obu.header, obu.payload))
            .collect();
        assert_eq!(kept, after);
        let parts = obus(&unit).map(|obu| obu.expect("undamaged").bytes);
        let joined = join(parts).expect("small");
        assert_eq!(obus(&joined).count(), after.len());
        if let Ok(info) = TemporalUnitInfo::of(&sample, header.as_ref()) {
            let class = info.class();
            assert!(!(class.random_access && class.disposable));
            header = info.sequence_header.or(header);
        }
        if let Ok(Some(config)) = Av1Config::from_temporal_unit(&sample) {
            let written = config.to_bytes().expect("what was read can be written");
            assert_eq!(Av1Config::parse(&written), Ok(config));
        }
    }
});
