//! How a request went.

use std::fmt;

/// A status code (RFC 2326, section 7.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatusCode(u16);

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $reason:literal;)*) => {
        impl StatusCode {
            $($(#[$doc])* pub const $name: Self = Self($code);)*

            /// The phrase that RFC 2326 gives; of an unknown code, that of its class.
            #[must_use]
            pub const fn reason(self) -> &'static str {
                match self.0 {
                    $($code => $reason,)*
                    100..200 => "Continue",
                    200..300 => "OK",
                    300..400 => "Moved",
                    400..500 => "Bad Request",
                    _ => "Internal Server Error",
                }
            }
        }
    };
}

codes! {
    /// Done.
    OK = 200, "OK";
    /// What is asked for is elsewhere, for good.
    MOVED_PERMANENTLY = 301, "Moved Permanently";
    /// What is asked for is elsewhere, for now.
    MOVED_TEMPORARILY = 302, "Moved Temporarily";
    /// The request makes no sense.
    BAD_REQUEST = 400, "Bad Request";
    /// Credentials are needed, or those that came will not do.
    UNAUTHORIZED = 401, "Unauthorized";
    /// Not allowed, whatever the credentials.
    FORBIDDEN = 403, "Forbidden";
    /// No such stream.
    NOT_FOUND = 404, "Not Found";
    /// The method does not go with what it is asked of.
    METHOD_NOT_ALLOWED = 405, "Method Not Allowed";
    /// No representation that is accepted.
    NOT_ACCEPTABLE = 406, "Not Acceptable";
    /// The request took too long.
    REQUEST_TIMEOUT = 408, "Request Time-out";
    /// The body is larger than is taken.
    ENTITY_TOO_LARGE = 413, "Request Entity Too Large";
    /// The URI is longer than is taken.
    URI_TOO_LARGE = 414, "Request-URI Too Large";
    /// The body is of a type that is not known.
    UNSUPPORTED_MEDIA_TYPE = 415, "Unsupported Media Type";
    /// The parameter is not known.
    PARAMETER_NOT_UNDERSTOOD = 451, "Parameter Not Understood";
    /// Too much is asked for at once.
    NOT_ENOUGH_BANDWIDTH = 453, "Not Enough Bandwidth";
    /// No such session.
    SESSION_NOT_FOUND = 454, "Session Not Found";
    /// The method is not for the state that the session is in.
    METHOD_NOT_VALID_IN_THIS_STATE = 455, "Method Not Valid in This State";
    /// The range cannot be played.
    INVALID_RANGE = 457, "Invalid Range";
    /// The URL names a track where only the whole stream will do.
    AGGREGATE_NOT_ALLOWED = 459, "Aggregate operation not allowed";
    /// The URL names the stream where a track is wanted.
    ONLY_AGGREGATE_ALLOWED = 460, "Only aggregate operation allowed";
    /// None of the transports can be had.
    UNSUPPORTED_TRANSPORT = 461, "Unsupported transport";
    /// The server failed.
    INTERNAL_SERVER_ERROR = 500, "Internal Server Error";
    /// The method is not known.
    NOT_IMPLEMENTED = 501, "Not Implemented";
    /// Not now; later.
    SERVICE_UNAVAILABLE = 503, "Service Unavailable";
    /// The version is not spoken.
    VERSION_NOT_SUPPORTED = 505, "RTSP Version not supported";
    /// A feature that is required is not known.
    OPTION_NOT_SUPPORTED = 551, "Option not supported";
}

impl StatusCode {
    /// The code of this number, 100 to 599; `None` for others.
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            100..600 => Some(Self(code)),
            _ => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn code(self) -> u16 {
        self.0
    }

    /// Whether the request succeeded (2xx).
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self.0, 200..300)
    }

    /// Whether what is asked for is elsewhere (3xx).
    #[must_use]
    pub const fn is_redirection(self) -> bool {
        matches!(self.0, 300..400)
    }
}

impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.reason())
    }
}
