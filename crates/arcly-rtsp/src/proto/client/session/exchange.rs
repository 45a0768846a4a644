//! Requests on their way, and the responses to them.

use super::super::login::Login;
use crate::proto::message::{Method, Request, Response, name};
use std::time::{Duration, Instant};

/// A request that waits for its response.
#[derive(Debug, Clone)]
pub(super) struct Awaited {
    cseq: u32,
    /// As it was given, without what is added anew each time it is sent.
    pub(super) request: Request,
    /// Whether it showed credentials.
    pub(super) answered: bool,
    /// Whether it was sent before, without what the server wanted to see.
    pub(super) retried: bool,
    pub(super) deadline: Option<Instant>,
}

/// Numbers, signs and sends requests. One at a time waits for its response, and one keepalive beside it.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) login: Login,
    user_agent: String,
    patience: Duration,
    /// The session's identifier, once there is one.
    pub(super) session: Option<String>,
    cseq: u32,
    awaited: Option<Awaited>,
    keepalive: Option<Awaited>,
}

/// Which request a response is to.
#[derive(Debug)]
pub(super) enum Matched {
    Request(Awaited),
    Keepalive(Awaited),
    /// None that is waited for.
    Nothing,
}

impl Exchange {
    pub(super) fn new(login: Login, user_agent: String, patience: Duration) -> Self {
        Self {
            login,
            user_agent,
            patience,
            session: None,
            cseq: 0,
            awaited: None,
            keepalive: None,
        }
    }

    /// Sends a request whose response is waited for.
    pub(super) fn send(
        &mut self,
        request: Request,
        retried: bool,
        out: &mut Vec<u8>,
        now: Instant,
    ) {
        let (cseq, answered) = self.write(&request, out);
        self.awaited = Some(Awaited {
            cseq,
            request,
            answered,
            retried,
            deadline: now.checked_add(self.patience),
        });
    }

    /// Sends one that shows that we are there. Some servers never respond to those, so nothing depends on it.
    pub(super) fn send_keepalive(&mut self, request: Request, retried: bool, out: &mut Vec<u8>) {
        let (cseq, answered) = self.write(&request, out);
        self.keepalive = Some(Awaited {
            cseq,
            request,
            answered,
            retried,
            deadline: None,
        });
    }

    /// Sends one whose response nobody waits for.
    pub(super) fn send_last(&mut self, request: &Request, out: &mut Vec<u8>) {
        let _ = self.write(request, out);
    }

    fn write(&mut self, request: &Request, out: &mut Vec<u8>) -> (u32, bool) {
        self.cseq = self.cseq.wrapping_add(1);
        let mut numbered = Request::new(request.method.clone(), request.uri.clone());
        numbered.headers.push(name::CSEQ, self.cseq.to_string());
        numbered
            .headers
            .push(name::USER_AGENT, self.user_agent.as_str());
        if let Some(session) = &self.session {
            numbered.headers.push(name::SESSION, session.as_str());
        }
        let authorization = self.login.authorization(&request.method, &request.uri);
        let answered = authorization.is_some();
        if let Some(authorization) = authorization {
            let authorization = authorization.to_string();
            numbered.headers.push(name::AUTHORIZATION, authorization);
        }
        for (name, value) in request.headers.iter() {
            numbered.headers.push(name, value);
        }
        numbered.body.clone_from(&request.body);
        numbered.write_to(out);
        (self.cseq, answered)
    }

    /// Finds the request that this is the response to. One without a number is to the one that waits: some servers leave it out.
    pub(super) fn take(&mut self, response: &Response) -> Matched {
        let cseq = response.cseq();
        let is = |awaited: &mut Awaited| cseq.is_none_or(|cseq| cseq == awaited.cseq);
        if let Some(awaited) = self.awaited.take_if(is) {
            return Matched::Request(awaited);
        }
        match self.keepalive.take_if(is) {
            Some(awaited) => Matched::Keepalive(awaited),
            None => Matched::Nothing,
        }
    }

    /// When the response has to be there.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.awaited.as_ref()?.deadline
    }

    pub(super) fn awaited_method(&self) -> Option<&Method> {
        self.awaited.as_ref().map(|awaited| &awaited.request.method)
    }
}
