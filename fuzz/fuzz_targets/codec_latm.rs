//! LATM: every byte of a LOAS stream is part of a frame or counted as skipped; access units are no longer than what they came in; a config that was
//! read is written back the same, and so are the access units.

#![no_main]

use arcly_codec::aac::SbrSignalling;
use arcly_codec::aac::latm::{
    LatmReader, LatmWriter, LoasSplitter, MAX_ELEMENT_BYTES, StreamMuxConfig,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(config) = StreamMuxConfig::parse(data) {
        rewrite(&config);
        let mut reader = LatmReader::out_of_band(config);
        check(&mut reader, data);
    }
    check(&mut LatmReader::in_band(), data);
    let reader = &mut LatmReader::in_band();

    // The first byte says how the rest is cut into pieces.
    let Some((&piece, data)) = data.split_first() else {
        return;
    };
    let mut splitter = LoasSplitter::new();
    let mut taken = 0;
    for piece in data.chunks(usize::from(piece) + 1) {
        splitter.push(piece);
        taken += drain(&mut splitter, reader);
    }
    splitter.finish();
    taken += drain(&mut splitter, reader);
    assert_eq!(taken + splitter.skipped_bytes(), data.len() as u64);
});

fn rewrite(config: &StreamMuxConfig) {
    let mut expected = config.clone();
    // Neither is written: other data, and that there is no SBR.
    expected.other_data_bits = None;
    if expected.audio.sbr == SbrSignalling::Absent {
        expected.audio.sbr = SbrSignalling::Implicit;
    }
    let written = expected.to_bytes().expect("what was read can be written");
    assert_eq!(StreamMuxConfig::parse(&written), Ok(expected));
}

fn check(reader: &mut LatmReader, element: &[u8]) {
    let Ok(read) = reader.read(element) else {
        return;
    };
    let bytes: usize = read.access_units.iter().map(|unit| unit.len()).sum();
    assert!(bytes <= element.len() && read.access_units.len() <= 64);
    let Some(config) = reader.config() else {
        assert!(read.access_units.is_empty());
        return;
    };
    rewrite(config);
    let mut config = config.clone();
    config.other_data_bits = None;
    let writer = LatmWriter::out_of_band(config.clone()).expect("what was read can be written");
    let units: Vec<&[u8]> = read.access_units.iter().map(|unit| &unit[..]).collect();
    let written = writer
        .element(&units, false)
        .expect("what was read can be written");
    let again = LatmReader::out_of_band(config)
        .read(&written)
        .expect("written by us");
    assert_eq!(again.access_units, read.access_units);
}

fn drain(splitter: &mut LoasSplitter, reader: &mut LatmReader) -> u64 {
    let mut taken = 0;
    while let Some(frame) = splitter.next_frame() {
        check(
            reader,
            frame.header.element(&frame.data).expect("a whole frame"),
        );
        taken += frame.data.len() as u64;
    }
    assert!(splitter.buffered_bytes() <= MAX_ELEMENT_BYTES + 6);
    taken
}
