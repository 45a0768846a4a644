//! Delivery Directives: `_HLS_msn`, `_HLS_part` and `_HLS_skip` (RFC 8216bis 6.2.5).

use crate::presentation::Position;

/// What a request for a media playlist asks of its delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Directives {
    /// Wait until the playlist has this.
    pub(crate) wanted: Option<Position>,
    /// A delta update is welcome.
    pub(crate) skip: bool,
}

/// The directives make no sense, which is answered with 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadDirectives;

impl Directives {
    /// Reads a query. Other parameters are the host's, or of a later version: they are ignored.
    pub(crate) fn read(query: Option<&str>) -> Result<Self, BadDirectives> {
        let (mut sequence, mut part, mut skip) = (None, None, None);
        for parameter in query.unwrap_or_default().split('&') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let is_repeated = match name {
                "_HLS_msn" => sequence.replace(decimal(value)?).is_some(),
                "_HLS_part" => part.replace(decimal(value)?).is_some(),
                // `v2` may also skip date ranges, which are few enough here.
                "_HLS_skip" => match value {
                    "YES" | "v2" => skip.replace(()).is_some(),
                    _ => return Err(BadDirectives),
                },
                _ => false,
            };
            if is_repeated {
                return Err(BadDirectives);
            }
        }
        let wanted = match (sequence, part) {
            (Some(sequence), part) => Some(Position { sequence, part }),
            (None, None) => None,
            (None, Some(_)) => return Err(BadDirectives),
        };
        Ok(Self {
            wanted,
            skip: skip.is_some(),
        })
    }
}

/// A decimal-integer (RFC 8216bis 4.2): digits only.
fn decimal(text: &str) -> Result<u64, BadDirectives> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or(BadDirectives)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_read_and_nonsense_is_refused() {
        let wanted = |sequence, part| Some(Position { sequence, part });
        for (query, expected) in [
            ("", Ok((None, false))),
            ("token=x&_HLS_msn=7", Ok((wanted(7, None), false))),
            (
                "_HLS_part=0&_HLS_msn=7&_HLS_skip=YES",
                Ok((wanted(7, Some(0)), true)),
            ),
            ("_HLS_skip=v2&_HLS_push=1", Ok((None, true))),
            ("_HLS_part=1", Err(BadDirectives)),
            ("_HLS_msn=", Err(BadDirectives)),
            ("_HLS_msn=-1", Err(BadDirectives)),
            ("_HLS_msn=+1", Err(BadDirectives)),
            ("_HLS_msn=1&_HLS_msn=1", Err(BadDirectives)),
            ("_HLS_msn=18446744073709551616", Err(BadDirectives)),
            ("_HLS_msn=1&_HLS_part=x", Err(BadDirectives)),
            ("_HLS_skip=NO", Err(BadDirectives)),
        ] {
            let expected = expected.map(|(wanted, skip)| Directives { wanted, skip });
            assert_eq!(Directives::read(Some(query)), expected, "{query}");
        }
        assert_eq!(Directives::read(None), Ok(Directives::default()));
    }
}
