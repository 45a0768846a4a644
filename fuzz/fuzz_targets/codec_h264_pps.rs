//! PPS, with the SPS that comes before it in the input: `[length of the SPS] [SPS] [PPS]`.

#![no_main]

use arcly_codec::h264::{NalHeader, NalUnitType, ParameterSets, Pps, Sps};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&length, data)) = data.split_first() else {
        return;
    };
    let Some((sps_nal, pps_nal)) = data.split_at_checked(length.into()) else {
        return;
    };
    let _ = Pps::referenced_sps(pps_nal);
    let Ok(sps) = Sps::parse(sps_nal) else { return };
    let pps = Pps::parse(pps_nal, &sps);
    if let Ok(pps) = &pps {
        assert_eq!(Pps::referenced_sps(pps_nal), Ok(pps.sps_id));
    }
    let mut sets = ParameterSets::new();
    assert_eq!(sets.insert(sps_nal), Ok(true));
    if NalHeader::of(pps_nal).is_some_and(|header| header.unit_type == NalUnitType::Pps) {
        assert_eq!(
            sets.insert(pps_nal).is_ok_and(|changed| changed),
            pps.is_ok()
        );
    }
});
