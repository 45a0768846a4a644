//! Showing the server that we are there.

use super::quirks::KeepalivePolicy;
use crate::proto::message::{Method, Response, StatusCode, name};
use crate::proto::session_header::DEFAULT_TIMEOUT;
use std::time::Duration;

/// The shortest pause: servers that want more are not to be had.
const SHORTEST: Duration = Duration::from_secs(1);

/// What is sent, and how often.
#[derive(Debug, Clone)]
pub(super) struct Keepalive {
    policy: KeepalivePolicy,
    longest: Duration,
    timeout: Duration,
    offers_get_parameter: bool,
    /// Whether what was sent first has been refused.
    refused: bool,
}

impl Keepalive {
    pub(super) fn new(policy: KeepalivePolicy, longest: Duration) -> Self {
        Self {
            policy,
            longest,
            timeout: DEFAULT_TIMEOUT,
            offers_get_parameter: false,
            refused: false,
        }
    }

    /// What the server can do, by its response to OPTIONS.
    pub(super) fn offered(&mut self, response: &Response) {
        self.offers_get_parameter = response
            .headers
            .all(name::PUBLIC)
            .flat_map(|methods| methods.split(','))
            .any(|method| method.trim().eq_ignore_ascii_case("GET_PARAMETER"));
    }

    /// After how long without a sign of life the server ends the session. 0 makes no sense, and counts as unsaid.
    pub(super) fn set_timeout(&mut self, timeout: Duration) {
        if !timeout.is_zero() {
            self.timeout = timeout;
        }
    }

    /// The pause between two signs.
    pub(super) fn interval(&self) -> Duration {
        (self.timeout / 2).min(self.longest).max(SHORTEST)
    }

    /// What is to be sent.
    pub(super) fn method(&self) -> Option<Method> {
        let get_parameter = match self.policy {
            KeepalivePolicy::None => return None,
            KeepalivePolicy::GetParameter => true,
            KeepalivePolicy::Options => false,
            KeepalivePolicy::AsOffered => self.offers_get_parameter != self.refused,
        };
        Some(match get_parameter {
            true => Method::GetParameter,
            false => Method::Options,
        })
    }

    /// What became of one.
    pub(super) fn answered(&mut self, status: StatusCode) {
        if matches!(
            status,
            StatusCode::METHOD_NOT_ALLOWED
                | StatusCode::NOT_IMPLEMENTED
                | StatusCode::OPTION_NOT_SUPPORTED
                | StatusCode::BAD_REQUEST
        ) {
            self.refused = !self.refused;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keepalive(policy: KeepalivePolicy, public: &str) -> Keepalive {
        let mut keepalive = Keepalive::new(policy, Duration::from_secs(25));
        let response = Response::new(StatusCode::OK).header("public", public);
        keepalive.offered(&response);
        keepalive
    }

    #[test]
    fn what_the_server_offers_is_sent_and_what_it_refuses_is_not() {
        let mut offered = keepalive(KeepalivePolicy::AsOffered, "OPTIONS,  get_parameter");
        assert_eq!(offered.method(), Some(Method::GetParameter));
        offered.answered(StatusCode::SESSION_NOT_FOUND);
        assert_eq!(offered.method(), Some(Method::GetParameter));
        offered.answered(StatusCode::NOT_IMPLEMENTED);
        assert_eq!(offered.method(), Some(Method::Options));
        let plain = keepalive(KeepalivePolicy::AsOffered, "OPTIONS, DESCRIBE");
        assert_eq!(plain.method(), Some(Method::Options));
        let forced = keepalive(KeepalivePolicy::GetParameter, "OPTIONS");
        assert_eq!(forced.method(), Some(Method::GetParameter));
        assert_eq!(
            keepalive(KeepalivePolicy::None, "GET_PARAMETER").method(),
            None
        );
    }

    #[test]
    fn it_comes_twice_within_the_timeout() {
        let mut keepalive = keepalive(KeepalivePolicy::AsOffered, "");
        for (timeout, interval) in [(60, 25), (10, 5), (1, 1), (0, 1), (u64::from(u32::MAX), 25)] {
            keepalive.set_timeout(Duration::from_secs(timeout));
            assert_eq!(
                keepalive.interval(),
                Duration::from_secs(interval),
                "{timeout}"
            );
        }
    }
}
