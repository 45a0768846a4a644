//! Sends checks to ourselves, and answers them at the port.

use super::stun::{self, TransactionId};
use super::{Reached, Scope, SelfTest, TestedCandidate, Unreached};
use crate::driver::{Command, Ports, Router, now};
use crate::sdp::LocalTransport;
use crate::transport::{Carrier, IceCredentials};
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

/// How long an address is tried.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// How long until a check by UDP is sent again (RFC 8445 14.3 has 500 ms for the first; this is our own host).
const RESEND: Duration = Duration::from_millis(300);

/// What has come in at the port, by transaction.
type Arrivals = Arc<Mutex<HashMap<TransactionId, SocketAddr>>>;

/// Tries each address that peers are told, all at once; takes [`PATIENCE`] at most.
pub(crate) async fn probe(
    ports: Arc<Ports>,
    router: Arc<Router>,
    local: &LocalTransport,
) -> SelfTest {
    let arrivals = Arrivals::default();
    let (inbox, commands) = mpsc::channel(64);
    router.add(local.ice.ufrag.clone(), inbox.clone());
    let responder = tokio::spawn(respond(Arc::clone(&ports), commands, Arc::clone(&arrivals)));
    let mut probes = JoinSet::new();
    for (place, (carrier, address)) in local.addresses.iter().copied().enumerate() {
        let (ufrag, arrivals) = (local.ice.ufrag.clone(), Arc::clone(&arrivals));
        probes.spawn(async move {
            let transaction = transaction();
            let request = stun::request(&ufrag, transaction);
            let tried = timeout(PATIENCE, async {
                match carrier {
                    Carrier::Udp => by_udp(address, &request, transaction).await,
                    Carrier::Tcp => by_tcp(address, &request, transaction).await,
                }
            });
            let tried = tried.await;
            let seen_as = {
                let arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
                arrivals.get(&transaction).copied()
            };
            (place, outcome(address, tried.ok(), seen_as))
        });
    }
    let mut outcomes: HashMap<usize, _> = HashMap::new();
    while let Some(done) = probes.join_next().await {
        // One that panicked has no outcome, and counts as one that nothing came of.
        outcomes.extend(done.ok());
    }
    router.remove(&inbox);
    responder.abort();
    let described = local.candidates();
    let candidates = local.addresses.iter().zip(described).enumerate();
    SelfTest {
        udp: ports.udp().local_addr(),
        tcp: ports.tcp(),
        is_ice_lite: local.is_ice_lite,
        candidates: candidates
            .map(
                |(place, (&(carrier, address), candidate))| TestedCandidate {
                    candidate,
                    carrier,
                    address,
                    scope: Scope::of(address.ip()),
                    outcome: outcomes
                        .remove(&place)
                        .unwrap_or(Err(Unreached::NothingCame)),
                },
            )
            .collect(),
    }
}

/// Answers what comes in for the test.
async fn respond(ports: Arc<Ports>, mut commands: mpsc::Receiver<Command>, arrivals: Arrivals) {
    while let Some(command) = commands.recv().await {
        let Command::Datagram { route, data } = command else {
            continue;
        };
        let Some(response) = stun::response(&data, route.remote) else {
            continue;
        };
        if let Some(transaction) = response.get(8..20).and_then(<[u8]>::first_chunk) {
            let mut arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
            arrivals.insert(*transaction, route.remote);
        }
        // One that is lost is missed by who waits for it.
        let _ = ports.send(route, response.len(), &response);
    }
}

/// Random, by what ICE's credentials are made of.
fn transaction() -> TransactionId {
    let random = IceCredentials::generate().pwd;
    random.as_bytes().first_chunk().copied().unwrap_or_default()
}

/// An answer, and what it tells.
struct Answered {
    from: SocketAddr,
    round_trip: Duration,
}

async fn by_udp(
    address: SocketAddr,
    request: &[u8],
    transaction: TransactionId,
) -> io::Result<Answered> {
    let any = match address {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = UdpSocket::bind(any).await?;
    let mut datagram = [0; 1_500];
    // Ends with the patience of who waits for it.
    loop {
        let sent = now();
        socket.send_to(request, address).await?;
        let resend = sleep_until((sent + RESEND).into());
        tokio::pin!(resend);
        loop {
            tokio::select! {
                received = socket.recv_from(&mut datagram) => {
                    let (length, from) = received?;
                    let datagram = datagram.get(..length).unwrap_or_default();
                    if stun::is_response(datagram, transaction) {
                        let round_trip = now().saturating_duration_since(sent);
                        return Ok(Answered { from, round_trip });
                    }
                }
                () = &mut resend => break,
            }
        }
    }
}

/// Framed as RFC 4571 2 says: a length before each.
async fn by_tcp(
    address: SocketAddr,
    request: &[u8],
    transaction: TransactionId,
) -> io::Result<Answered> {
    let mut stream = TcpStream::connect(address).await?;
    let length = (request.len() as u16).to_be_bytes();
    let sent = now();
    stream.write_all(&[&length, request].concat()).await?;
    loop {
        let length = stream.read_u16().await?;
        let mut message = vec![0; length.into()];
        stream.read_exact(&mut message).await?;
        if stun::is_response(&message, transaction) {
            let round_trip = now().saturating_duration_since(sent);
            return Ok(Answered {
                from: address,
                round_trip,
            });
        }
    }
}

/// What a check came to; `tried` is `None` where it took too long.
fn outcome(
    address: SocketAddr,
    tried: Option<io::Result<Answered>>,
    seen_as: Option<SocketAddr>,
) -> Result<Reached, Unreached> {
    match (tried, seen_as) {
        (Some(Ok(answer)), Some(seen_as)) if answer.from == address => Ok(Reached {
            seen_as,
            round_trip: answer.round_trip,
        }),
        (Some(Ok(answer)), Some(_)) => Err(Unreached::OtherAddress { from: answer.from }),
        (_, Some(seen_as)) => Err(Unreached::NoAnswer { seen_as }),
        (Some(Err(error)), None) => Err(match error.kind() {
            io::ErrorKind::ConnectionRefused => Unreached::Refused,
            // Somebody took the connection who knows nothing of our sessions.
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => Unreached::NothingCame,
            _ => Unreached::NoWay {
                reason: error.to_string(),
            },
        }),
        (None | Some(Ok(_)), None) => Err(Unreached::NothingCame),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_told_from_the_others() {
        let address: SocketAddr = "192.0.2.1:8189".parse().unwrap();
        let seen_as: SocketAddr = "198.51.100.7:4000".parse().unwrap();
        let answer = |from: SocketAddr| {
            Some(Ok(Answered {
                from,
                round_trip: Duration::from_millis(3),
            }))
        };
        let failed = |kind: io::ErrorKind| Some(Err(kind.into()));
        let reached = outcome(address, answer(address), Some(seen_as)).unwrap();
        assert_eq!(reached.seen_as, seen_as);
        let fault = |tried, seen_as| outcome(address, tried, seen_as).unwrap_err();
        let other = SocketAddr::from(([192, 0, 2, 2], 8_189));
        assert_eq!(
            fault(answer(other), Some(seen_as)),
            Unreached::OtherAddress { from: other }
        );
        assert_eq!(fault(None, Some(seen_as)), Unreached::NoAnswer { seen_as });
        assert_eq!(fault(None, None), Unreached::NothingCame);
        let refused = failed(io::ErrorKind::ConnectionRefused);
        assert_eq!(fault(refused, None), Unreached::Refused);
        let nowhere = fault(failed(io::ErrorKind::NetworkUnreachable), None);
        assert!(matches!(nowhere, Unreached::NoWay { .. }));
    }
}
