//! The `RTP-Info` header: where in RTP's counters a PLAY starts (RFC 2326, section 12.33).

use super::parameters::{name_and_value, split_unquoted};
use crate::Fault;
use std::fmt;

/// The tracks that one header may name.
pub const MAX_ENTRIES: usize = 64;

/// Where one track starts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RtpInfo {
    /// The track's control URL, as it was set up.
    pub url: String,
    /// The sequence number of the first packet.
    pub sequence: Option<u16>,
    /// The RTP timestamp that the start of the range corresponds to.
    pub timestamp: Option<u32>,
}

impl RtpInfo {
    /// The track at `url`, of which nothing else is known.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            sequence: None,
            timestamp: None,
        }
    }

    /// Reads a header's value. Numbers that cannot be read count as missing, as cameras send negative and longer ones; URLs may have
    /// quotes.
    ///
    /// # Errors
    /// Where an entry has no URL; [`Fault::LimitExceeded`] beyond [`MAX_ENTRIES`].
    pub fn parse_all(value: &str) -> Result<Vec<Self>, Fault> {
        let mut entries = Vec::new();
        for text in split_unquoted(value, ',') {
            if entries.len() >= MAX_ENTRIES {
                return Err(Fault::LimitExceeded {
                    what: "entries of RTP-Info",
                    max: MAX_ENTRIES as u64,
                });
            }
            let (mut url, mut sequence, mut timestamp) = (None, None, None);
            for parameter in split_unquoted(text, ';') {
                let (name, value) = name_and_value(parameter);
                let value = value.unwrap_or_default();
                match name.to_ascii_lowercase().as_str() {
                    "url" => url = Some(value.into_owned()),
                    "seq" => sequence = value.parse().ok(),
                    "rtptime" => timestamp = value.parse().ok(),
                    _ => {}
                }
            }
            entries.push(Self {
                url: url.ok_or(Fault::Malformed("an entry of RTP-Info without URL"))?,
                sequence,
                timestamp,
            });
        }
        Ok(entries)
    }

    /// The value of a header that names `entries`.
    #[must_use]
    pub fn header(entries: &[Self]) -> String {
        let entries: Vec<_> = entries.iter().map(Self::to_string).collect();
        entries.join(",")
    }
}

impl fmt::Display for RtpInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "url={}", self.url)?;
        if let Some(sequence) = self.sequence {
            write!(f, ";seq={sequence}")?;
        }
        match self.timestamp {
            Some(timestamp) => write!(f, ";rtptime={timestamp}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_servers_send_is_read() {
        let entries = RtpInfo::parse_all(
            "url=rtsp://h/a/trackID=0;seq=1;rtptime=2, url=\"trackID=1\";rtptime=-5;seq=70000,url=x",
        );
        let entries = entries.unwrap();
        assert_eq!(
            (entries[0].sequence, entries[0].timestamp),
            (Some(1), Some(2))
        );
        assert_eq!(entries[1], RtpInfo::new("trackID=1"));
        assert_eq!(entries[2].url, "x");
        assert!(RtpInfo::parse_all("seq=1").is_err());
        assert!(RtpInfo::parse_all("=\"").is_err());
        assert!(RtpInfo::parse_all(&"url=a,".repeat(MAX_ENTRIES + 1)).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            entries in proptest::collection::vec(
                ("[a-z0-9/:=?.]{1,20}", any::<Option<u16>>(), any::<Option<u32>>()), 0..5),
        ) {
            let entries: Vec<_> = entries
                .into_iter()
                .map(|(url, sequence, timestamp)| RtpInfo { url, sequence, timestamp })
                .collect();
            prop_assert_eq!(RtpInfo::parse_all(&RtpInfo::header(&entries)).unwrap(), entries);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
            let _ = RtpInfo::parse_all(&text);
        }
    }
}
