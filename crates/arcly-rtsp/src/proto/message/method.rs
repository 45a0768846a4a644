//! What a request asks for.

use std::fmt;

macro_rules! methods {
    ($($(#[$doc:meta])* $method:ident = $name:literal;)*) => {
        /// The method of a request (RFC 2326, section 10). Names are compared as they are: they are case-sensitive.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Method {
            $($(#[$doc])* $method,)*
            /// Any other.
            Other(String),
        }

        impl Method {
            /// The name on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$method => $name,)*
                    Self::Other(name) => name,
                }
            }
        }

        impl From<&str> for Method {
            fn from(name: &str) -> Self {
                match name {
                    $($name => Self::$method,)*
                    other => Self::Other(other.to_owned()),
                }
            }
        }
    };
}

methods! {
    /// What can be asked for (10.1).
    Options = "OPTIONS";
    /// The description of a stream (10.2).
    Describe = "DESCRIBE";
    /// A publisher's description of what it will send (10.3).
    Announce = "ANNOUNCE";
    /// How a track is to be carried (10.4).
    Setup = "SETUP";
    /// Start sending (10.5).
    Play = "PLAY";
    /// Stop sending for a while (10.6).
    Pause = "PAUSE";
    /// End the session (10.7).
    Teardown = "TEARDOWN";
    /// Mostly a keepalive (10.8).
    GetParameter = "GET_PARAMETER";
    /// Mostly a keepalive (10.9).
    SetParameter = "SET_PARAMETER";
    /// Go to another server (10.10).
    Redirect = "REDIRECT";
    /// Start taking what the publisher sends (10.11).
    Record = "RECORD";
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
