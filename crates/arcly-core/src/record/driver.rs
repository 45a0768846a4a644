//! Feeding a recorder from a stream.

use super::RecordingSink;
use crate::{MediaSink, Result, StorageBackend, Subscription};
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// How many frames are written before the timer and the shutdown are looked at again.
const BATCH: usize = 64;
/// How many frames are written at most once the recording is to end: more than a log keeps by default.
const LAST_BATCH: usize = 4_096;
/// The shortest real time between two syncs, whatever is configured.
const MIN_SYNC_PERIOD: Duration = Duration::from_millis(10);

/// Records a stream until it ends or `shutdown` is cancelled, and closes the file.
///
/// The publisher is never waited for, and never waits: a store that is too slow makes the subscription miss frames, which the sink reports.
/// Give the subscription no [`max_lag`](crate::SubscribeOptions::max_lag), unless a recording that is far behind should rather end.
/// Beside the syncs of the sink itself, which go by the stream's time, there is one each
/// [`sync_interval`](crate::RecordingConfig::sync_interval) of real time, so that what came before a pause is safe during the pause.
///
/// # Errors
/// As the sink's [`finish`](MediaSink::finish): the last file could not be closed. As its [`send_frame`](MediaSink::send_frame): there can
/// be no file.
pub async fn record_stream<B: StorageBackend>(
    mut frames: Subscription,
    mut sink: RecordingSink<B>,
    shutdown: CancellationToken,
) -> Result<()> {
    let period = sink
        .config()
        .sync_interval
        .to_duration()
        .unwrap_or_default()
        .max(MIN_SYNC_PERIOD);
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            _ = ticks.tick() => sink.sync().await,
            more = frames.ready() => {
                if !more {
                    break;
                }
                write_ready(&mut frames, &mut sink, BATCH).await?;
            }
        }
    }
    // On shutdown: what was there by then. Frames go on coming, so there has to be an end.
    write_ready(&mut frames, &mut sink, LAST_BATCH).await?;
    sink.finish().await
}

async fn write_ready<B: StorageBackend>(
    frames: &mut Subscription,
    sink: &mut RecordingSink<B>,
    max: usize,
) -> Result<()> {
    for _ in 0..max {
        let Some(frame) = frames.try_recv() else {
            break;
        };
        sink.send_frame(&frame, frame.skipped()).await?;
    }
    Ok(())
}
