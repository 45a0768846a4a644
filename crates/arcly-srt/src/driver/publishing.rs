//! What a connection brings in.

use super::link::Link;
use super::outcome::{ConnectionError, closed};
use crate::proto::connection::Event;
use arcly_core::mux::Demuxer;
use arcly_core::{MediaFrame, PublishSession, StreamError};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// Publishes what comes until either end ends it. `Ok`: the publisher said goodbye.
pub(crate) async fn publish(
    link: &mut Link,
    session: &PublishSession,
    demuxer: &mut dyn Demuxer,
    shutdown: &CancellationToken,
) -> Result<(), ConnectionError> {
    let mut frames = Vec::new();
    loop {
        while let Some(event) = link.poll_event() {
            match event {
                Event::Data(data) => {
                    demuxer.read(data.payload, &mut frames)?;
                    publish_all(session, &mut frames)?;
                }
                Event::Lost { packets } => {
                    debug!(stream = %session.key(), packets, "packets did not come in time");
                }
                Event::Closed(how) => {
                    demuxer.finish(&mut frames);
                    publish_all(session, &mut frames)?;
                    return closed(how);
                }
            }
        }
        link.flush().await?;
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return Ok(()),
            reason = session.ended() => return Err(ConnectionError::Ended(reason)),
            () = link.turn() => {}
        }
    }
}

/// Publishes frames; what is refused is left out.
pub(crate) fn publish_all(
    session: &PublishSession,
    frames: &mut Vec<MediaFrame>,
) -> Result<(), ConnectionError> {
    for frame in frames.drain(..) {
        match session.publish_frame(frame) {
            Ok(_subscribers) => {}
            Err(StreamError::SessionEnded { reason, .. }) => {
                return Err(ConnectionError::Ended(reason));
            }
            // Refused for its size or the like; the engine has told its observers.
            Err(error) => debug!(%error, "frame refused"),
        }
    }
    Ok(())
}

/// Ends a session after its connection: at once where the publisher said goodbye, or else as one that dropped, which may have a grace
/// period.
pub(crate) async fn release(session: PublishSession, result: &Result<(), ConnectionError>) {
    if result.is_err() {
        return;
    }
    let key = session.key().clone();
    if let Err(error) = session.finish().await {
        warn!(stream = %key, %error, "a publish session could not be released");
    }
}
