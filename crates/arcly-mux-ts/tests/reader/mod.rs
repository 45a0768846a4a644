//! A transport stream read by mpeg2ts-reader.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::exhaustive_enums,
    reason = "a macro of mpeg2ts-reader makes public items"
)]

use arcly_mux_ts::PACKET_SIZE;
use mpeg2ts_reader::{StreamType, demultiplex, pes, psi};
use std::collections::BTreeMap;

/// An access unit as it arrived.
#[derive(Debug, PartialEq, Eq, Clone)]
pub struct Unit {
    pub pts: u64,
    pub dts: u64,
    pub bytes: Vec<u8>,
}

/// What the reader saw, by PID.
#[derive(Debug, Default)]
pub struct Seen {
    pub units: BTreeMap<u16, Vec<Unit>>,
    pub types: BTreeMap<u16, StreamType>,
    pub continuity_errors: usize,
}

mpeg2ts_reader::packet_filter_switch! {
    Filter<Context> {
        Pes: pes::PesPacketFilter<Context, Collector>,
        Pat: demultiplex::PatPacketFilter<Context>,
        Pmt: demultiplex::PmtPacketFilter<Context>,
        Null: demultiplex::NullPacketFilter<Context>,
    }
}

pub struct Context {
    changeset: demultiplex::FilterChangeset<Filter>,
    seen: Seen,
}

impl demultiplex::DemuxContext for Context {
    type F = Filter;

    fn filter_changeset(&mut self) -> &mut demultiplex::FilterChangeset<Filter> {
        &mut self.changeset
    }

    fn construct(&mut self, request: demultiplex::FilterRequest<'_, '_>) -> Filter {
        match request {
            demultiplex::FilterRequest::ByPid(psi::pat::PAT_PID) => {
                Filter::Pat(demultiplex::PatPacketFilter::default())
            }
            demultiplex::FilterRequest::Pmt {
                pid,
                program_number,
            } => Filter::Pmt(demultiplex::PmtPacketFilter::new(pid, program_number)),
            demultiplex::FilterRequest::ByStream {
                stream_type,
                stream_info,
                ..
            } => {
                let pid = u16::from(stream_info.elementary_pid());
                self.seen.types.insert(pid, stream_type);
                Filter::Pes(pes::PesPacketFilter::new(Collector { pid }))
            }
            _ => Filter::Null(demultiplex::NullPacketFilter::default()),
        }
    }
}

pub struct Collector {
    pid: u16,
}

impl pes::ElementaryStreamConsumer<Context> for Collector {
    fn start_stream(&mut self, _: &mut Context) {}

    fn begin_packet(&mut self, context: &mut Context, header: pes::PesHeader<'_>) {
        let pes::PesContents::Parsed(Some(parsed)) = header.contents() else {
            panic!("unparsed PES header")
        };
        let (pts, dts) = match parsed.pts_dts() {
            Ok(pes::PtsDts::PtsOnly(Ok(pts))) => (pts.value(), pts.value()),
            Ok(pes::PtsDts::Both {
                pts: Ok(pts),
                dts: Ok(dts),
            }) => (pts.value(), dts.value()),
            other => panic!("bad times: {other:?}"),
        };
        let units = context.seen.units.entry(self.pid).or_default();
        units.push(Unit {
            pts,
            dts,
            bytes: parsed.payload().to_vec(),
        });
    }

    fn continue_packet(&mut self, context: &mut Context, data: &[u8]) {
        let unit = context
            .seen
            .units
            .get_mut(&self.pid)
            .and_then(|units| units.last_mut());
        unit.expect("a unit has begun")
            .bytes
            .extend_from_slice(data);
    }

    fn end_packet(&mut self, _: &mut Context) {}

    fn continuity_error(&mut self, context: &mut Context) {
        context.seen.continuity_errors += 1;
    }
}

/// Reads a whole stream.
pub fn read(stream: &[u8]) -> Seen {
    assert_eq!(stream.len() % PACKET_SIZE, 0);
    assert!(stream.chunks(PACKET_SIZE).all(|packet| packet[0] == 0x47));
    let mut context = Context {
        changeset: demultiplex::FilterChangeset::default(),
        seen: Seen::default(),
    };
    let mut demux = demultiplex::Demultiplex::new(&mut context);
    demux.push(&mut context, stream);
    context.seen
}
