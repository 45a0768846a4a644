//! What comes after the offer: `application/trickle-ice-sdpfrag` (RFC 8840), by HTTP PATCH (RFC 9725 4.3.1).

use super::lines::Line;
use super::{MAX_CANDIDATES, SdpError};
use crate::transport::IceCredentials;

/// More candidates, or new credentials for a restart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TrickleFragment {
    /// The credentials that it names: those of the session, or new ones.
    pub ice: Option<IceCredentials>,
    /// The candidates, each the value of an `a=candidate` line.
    pub candidates: Vec<String>,
}

impl TrickleFragment {
    /// Reads a fragment.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn parse(fragment: &str) -> Result<Self, SdpError> {
        let mut ufrag = None;
        let mut pwd = None;
        let mut candidates = Vec::new();
        for line in Line::all(fragment)? {
            let line = line?;
            match line.attribute() {
                Some(("ice-ufrag", value)) => ufrag = Some(value.to_owned()),
                Some(("ice-pwd", value)) => pwd = Some(value.to_owned()),
                Some(("candidate", value)) => {
                    if candidates.len() == MAX_CANDIDATES {
                        return Err(SdpError::LimitExceeded {
                            what: "candidates",
                            max: MAX_CANDIDATES,
                        });
                    }
                    candidates.push(value.to_owned());
                }
                _ => {}
            }
        }
        let ice = match (ufrag, pwd) {
            (Some(ufrag), Some(pwd)) => Some(IceCredentials { ufrag, pwd }),
            (None, None) => None,
            _ => return Err(SdpError::Missing("ice-ufrag and ice-pwd together")),
        };
        Ok(Self { ice, candidates })
    }
}
