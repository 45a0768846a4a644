//! The API's view of the ways to the WebRTC port: which of the addresses that peers are told lead here, and what is wrong with those that do not.

use super::super::AppState;
use super::super::listener::Peer;
use super::super::status::{Problem, json, not_found};
use super::sessions::milliseconds;
use arcly_stream::protocol::whip::{Scope, SelfTest, TestedCandidate};
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use std::net::IpAddr;

#[derive(Serialize)]
struct Found {
    /// Whether peers from other hosts have a chance: one address that leads here, other than loopback.
    ok: bool,
    /// `full` or `lite`.
    ice: &'static str,
    bound: Bound,
    candidates: Vec<Candidate>,
    /// From where whoever asks comes.
    your_address: String,
    /// What to do, in words.
    advice: Vec<String>,
}

#[derive(Serialize)]
struct Bound {
    udp: String,
    tcp: Option<String>,
}

#[derive(Serialize)]
struct Candidate {
    /// As peers are told, in their `a=candidate` line.
    candidate: String,
    /// `udp` or `tcp`.
    transport: &'static str,
    address: String,
    /// Who can reach such an address: `loopback`, `link-local`, `private`, `shared`, `public`.
    scope: &'static str,
    reachable: bool,
    /// Why it is not.
    problem: Option<String>,
    /// From where our own check seemed to come.
    seen_as: Option<String>,
    round_trip_ms: Option<f64>,
}

impl Candidate {
    fn of(tested: &TestedCandidate) -> Self {
        let reached = tested.outcome.as_ref().ok();
        Self {
            candidate: tested.candidate.clone(),
            transport: tested.carrier.name(),
            address: tested.address.to_string(),
            scope: tested.scope.name(),
            reachable: reached.is_some(),
            problem: tested.outcome.as_ref().err().map(ToString::to_string),
            seen_as: reached.map(|reached| reached.seen_as.to_string()),
            round_trip_ms: reached.map(|reached| milliseconds(reached.round_trip)),
        }
    }
}

/// What to do about it, for who asks from `asker`.
fn advice(found: &SelfTest, asker: IpAddr) -> Vec<String> {
    let mut advice = Vec::new();
    let reached: Vec<_> = found
        .candidates
        .iter()
        .filter(|tested| tested.outcome.is_ok())
        .map(|tested| tested.scope)
        .collect();
    if found
        .candidates
        .iter()
        .any(|tested| tested.outcome.is_err())
    {
        advice.push(
            "Some addresses do not lead here, see their problem. Behind a translation that does not lead back what comes from inside, \
             a public address fails here and works from outside all the same."
                .to_owned(),
        );
    }
    if found
        .candidates
        .iter()
        .all(|tested| tested.scope == Scope::Loopback)
    {
        advice.push(
            "Only this host can connect: listen on all addresses (--webrtc-listen 0.0.0.0:8189), or tell how this host is reached \
             (--webrtc-public-address IP)."
                .to_owned(),
        );
    } else if !found
        .candidates
        .iter()
        .any(|tested| tested.scope == Scope::Public)
    {
        advice.push(
            "No address is public: peers of other networks find no way. Tell the public one with --webrtc-public-address IP, and pass \
             on its ports unchanged, UDP and TCP."
                .to_owned(),
        );
    }
    if Scope::of(asker) == Scope::Public && !reached.contains(&Scope::Public) {
        advice.push(format!(
            "You come from {asker}, which is public: none of the addresses that lead here can be reached from there."
        ));
    }
    if found.tcp.is_none() {
        advice.push("There is no TCP: peers whose UDP is blocked find no way.".to_owned());
    }
    advice
}

/// `GET /api/v1/webrtc/self-test`.
pub(in super::super) async fn self_test(
    State(app): State<AppState>,
    Extension(Peer(peer)): Extension<Peer>,
) -> Result<Response, Problem> {
    let Some(server) = &app.webrtc else {
        return Err(not_found().await);
    };
    let Some(found) = server.self_test().await else {
        return Err(Problem {
            status: StatusCode::SERVICE_UNAVAILABLE,
            error: "WebRTC is not served now".into(),
        });
    };
    let leads_here = |tested: &TestedCandidate| {
        tested.outcome.is_ok() && !matches!(tested.scope, Scope::Loopback | Scope::LinkLocal)
    };
    Ok(json(&Found {
        ok: found.candidates.iter().any(leads_here),
        ice: if found.is_ice_lite { "lite" } else { "full" },
        bound: Bound {
            udp: found.udp.to_string(),
            tcp: found.tcp.map(|tcp| tcp.to_string()),
        },
        candidates: found.candidates.iter().map(Candidate::of).collect(),
        your_address: peer.ip().to_string(),
        advice: advice(&found, peer.ip()),
    }))
}
