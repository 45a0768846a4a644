//! The bus under load: what publishing costs while readers wait, and what the whole process costs at a real pace.
//!
//! No criterion here: the question is the distribution of single publishes, and the CPU of all threads together. Both designs run in turn
//! in one process; the figures to quote are the ratios.
//!
//! * `publish`: before each publish all readers wait. CPU time of the publishing thread, so that what the scheduler gives to
//!   others in between does not count.
//! * `paced`: 77 frames a second to 4,096 readers; CPU time of the process.
#![allow(missing_docs, reason = "a bench")]
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench prints times"
)]

use arcly_benches::{Baseline, FRAMES_PER_SECOND, frame, stream};
use arcly_core::{StartAt, StreamHandle};
use rustix::time::{ClockId, clock_gettime};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const GOP: i64 = 154;
const READERS: [usize; 5] = [0, 1, 16, 256, 4_096];
const PACED_READERS: usize = 4_096;
const PACED_FRAMES: u32 = FRAMES_PER_SECOND * 4;

fn cpu(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).expect("below a second"),
    )
}

/// One of the two designs, with readers that count what they have read.
#[derive(Clone)]
enum Bus {
    Ours(StreamHandle),
    Theirs(Arc<Baseline>),
}

impl Bus {
    fn ours() -> Self {
        Self::Ours(stream())
    }

    fn theirs() -> Self {
        Self::Theirs(Arc::new(Baseline::new()))
    }

    fn publish(&self, number: i64) {
        match self {
            Self::Ours(stream) => drop(stream.publish_frame(frame(number, GOP))),
            Self::Theirs(baseline) => baseline.publish(frame(number, GOP)),
        }
    }

    fn add_reader(&self, read: Arc<AtomicU64>) {
        match self {
            Self::Ours(stream) => {
                let mut reader = stream.subscribe_from(StartAt::Live);
                tokio::spawn(async move {
                    while reader.ready().await {
                        let frames = reader.for_each_ready(64, |frame| {
                            std::hint::black_box(frame.payload.len());
                        });
                        read.fetch_add(frames as u64, Ordering::Relaxed);
                    }
                });
            }
            Self::Theirs(baseline) => {
                let mut reader = baseline.subscribe();
                tokio::spawn(async move {
                    while let Ok(frame) = reader.recv().await {
                        std::hint::black_box(frame.payload.len());
                        read.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        }
    }

    fn end(&self) {
        if let Self::Ours(stream) = self {
            stream.end();
        }
    }
}

/// Starts readers and returns what counts the frames they read.
fn start(runtime: &tokio::runtime::Runtime, bus: &Bus, readers: usize) -> Arc<AtomicU64> {
    let _guard = runtime.enter();
    let read = Arc::new(AtomicU64::new(0));
    (0..readers).for_each(|_| bus.add_reader(Arc::clone(&read)));
    read
}

/// Waits until all readers have read `frames`, and then until they wait again.
async fn settle(read: &AtomicU64, frames: u64) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while read.load(Ordering::Relaxed) < frames && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(
        read.load(Ordering::Relaxed) >= frames,
        "the readers are stuck"
    );
    tokio::time::sleep(Duration::from_millis(1)).await;
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .expect("a runtime")
}

/// CPU times of single publishes, sorted, less what reading the clock costs. The publisher is a task among the readers', as a
/// protocol's connection is.
fn publish_times(bus: &Bus, readers: usize) -> Vec<Duration> {
    let runtime = runtime();
    let read = start(&runtime, bus, readers);
    let rounds: u64 = if readers >= 256 { 600 } else { 2_000 };
    let publisher = bus.clone();
    let publishing = runtime.spawn(async move {
        settle(&read, 0).await;
        let mut times = Vec::new();
        for round in 0..rounds {
            let before = cpu(ClockId::ThreadCPUTime);
            let clock = cpu(ClockId::ThreadCPUTime) - before;
            let before = cpu(ClockId::ThreadCPUTime);
            publisher.publish(i64::try_from(round).expect("few rounds"));
            let time = cpu(ClockId::ThreadCPUTime) - before;
            times.push(time.saturating_sub(clock));
            settle(&read, (round + 1) * readers as u64).await;
        }
        times.sort_unstable();
        times
    });
    let times = runtime.block_on(publishing).expect("no panic");
    bus.end();
    runtime.shutdown_background();
    times
}

/// CPU time of the process for [`PACED_FRAMES`] at their pace.
fn paced(bus: &Bus) -> Duration {
    let runtime = runtime();
    let read = start(&runtime, bus, PACED_READERS);
    let publisher = bus.clone();
    let publishing = runtime.spawn(async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let before = cpu(ClockId::ProcessCPUTime);
        let mut pace = tokio::time::interval(Duration::from_secs(1) / FRAMES_PER_SECOND);
        for number in 0..PACED_FRAMES {
            pace.tick().await;
            publisher.publish(number.into());
        }
        settle(&read, u64::from(PACED_FRAMES) * PACED_READERS as u64).await;
        cpu(ClockId::ProcessCPUTime) - before
    });
    let time = runtime.block_on(publishing).expect("no panic");
    bus.end();
    runtime.shutdown_background();
    time
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() - 1) * percent / 100]
}

fn main() {
    // `cargo bench --bench fanout -- paced` runs one part; cargo adds `--bench`.
    let part = std::env::args().skip(1).find(|arg| !arg.starts_with("--"));
    let runs = |name: &str| part.as_ref().is_none_or(|part| part == name);
    if runs("publish") {
        publish();
    }
    if runs("paced") {
        pace();
    }
}

fn publish() {
    println!("publish: CPU time of the publishing thread, all readers waiting");
    println!(
        "| readers | arcly p50 | arcly p99 | broadcast+gop p50 | broadcast+gop p99 | ratio p50 | ratio p99 |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut ours_p99 = Vec::new();
    for readers in READERS {
        let ours = publish_times(&Bus::ours(), readers);
        let theirs = publish_times(&Bus::theirs(), readers);
        let [a, b, c, d] = [
            percentile(&ours, 50),
            percentile(&ours, 99),
            percentile(&theirs, 50),
            percentile(&theirs, 99),
        ];
        let ratio =
            |theirs: Duration, ours: Duration| theirs.as_secs_f64() / ours.as_secs_f64().max(1e-9);
        println!(
            "| {readers} | {a:.1?} | {b:.1?} | {c:.1?} | {d:.1?} | {:.1} | {:.1} |",
            ratio(c, a),
            ratio(d, b)
        );
        ours_p99.push(b);
    }
    let flat = ours_p99[4].as_secs_f64() / ours_p99[1].as_secs_f64().max(1e-9);
    println!("arcly p99 at 4096 readers / at 1 reader: {flat:.2}\n");
}

fn pace() {
    println!(
        "paced: {FRAMES_PER_SECOND} frames/s to {PACED_READERS} readers, CPU of the process over {PACED_FRAMES} frames"
    );
    for round in 1..=3 {
        let (ours, theirs) = (paced(&Bus::ours()), paced(&Bus::theirs()));
        let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
        println!(
            "round {round}: arcly {ours:.2?}, broadcast+gop {theirs:.2?}, arcly / broadcast+gop {ratio:.2}"
        );
    }
}
