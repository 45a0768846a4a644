//! The least of STUN (RFC 8489) that a test of the way needs: a request that names who it is for, and an answer that says from where it came. Nothing is
//! authenticated: what is tested is the way, and the name cannot be guessed.

use std::net::{IpAddr, SocketAddr};

const HEADER_BYTES: usize = 20;
const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const MAGIC_COOKIE: u32 = 0x2112_a442;
const USERNAME: u16 = 0x0006;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;

/// Told apart by this (RFC 8489 5).
pub(super) type TransactionId = [u8; 12];

fn message(kind: u16, transaction: TransactionId, attribute: u16, value: &[u8]) -> Vec<u8> {
    let padded = value.len().next_multiple_of(4);
    let mut message = Vec::with_capacity(HEADER_BYTES + 4 + padded);
    message.extend_from_slice(&kind.to_be_bytes());
    message.extend_from_slice(&((4 + padded) as u16).to_be_bytes());
    message.extend_from_slice(&MAGIC_COOKIE.to_be_bytes());
    message.extend_from_slice(&transaction);
    message.extend_from_slice(&attribute.to_be_bytes());
    message.extend_from_slice(&(value.len() as u16).to_be_bytes());
    message.extend_from_slice(value);
    message.resize(HEADER_BYTES + 4 + padded, 0);
    message
}

/// A binding request for who has this user name fragment (RFC 8445 7.2.2).
pub(super) fn request(ufrag: &str, transaction: TransactionId) -> Vec<u8> {
    let name = format!("{ufrag}:self-test");
    message(BINDING_REQUEST, transaction, USERNAME, name.as_bytes())
}

/// The transaction of a message; `None` where it is none.
fn transaction_of(kind: u16, message: &[u8]) -> Option<TransactionId> {
    let (header, _) = message.split_first_chunk::<HEADER_BYTES>()?;
    let is_it = header.starts_with(&kind.to_be_bytes())
        && header.get(4..8) == Some(MAGIC_COOKIE.to_be_bytes().as_slice());
    is_it.then(|| header.last_chunk().copied()).flatten()
}

/// The success response to a request that came from `from`; `None` where it was none.
pub(super) fn response(request: &[u8], from: SocketAddr) -> Option<Vec<u8>> {
    let transaction = transaction_of(BINDING_REQUEST, request)?;
    let value = mask(from, transaction);
    Some(message(
        BINDING_SUCCESS,
        transaction,
        XOR_MAPPED_ADDRESS,
        &value,
    ))
}

/// Whether this is the response to the request with that transaction.
pub(super) fn is_response(message: &[u8], transaction: TransactionId) -> bool {
    transaction_of(BINDING_SUCCESS, message) == Some(transaction)
}

/// An address as XOR-MAPPED-ADDRESS has it (RFC 8489 14.2).
fn mask(address: SocketAddr, transaction: TransactionId) -> Vec<u8> {
    let cookie = MAGIC_COOKIE.to_be_bytes();
    let mask = cookie.iter().chain(&transaction);
    let (family, ip) = match address.ip() {
        IpAddr::V4(ip) => (1, ip.octets().to_vec()),
        IpAddr::V6(ip) => (2, ip.octets().to_vec()),
    };
    let port = address.port() ^ (MAGIC_COOKIE >> 16) as u16;
    let mut value = vec![0, family];
    value.extend_from_slice(&port.to_be_bytes());
    value.extend(ip.iter().zip(mask).map(|(byte, mask)| byte ^ mask));
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::demux::stun_local_ufrag;

    #[test]
    fn a_request_names_who_it_is_for() {
        for ufrag in ["u", "ufrag", "a-longer-one"] {
            let request = request(ufrag, [7; 12]);
            assert_eq!(request.len() % 4, 0);
            assert_eq!(stun_local_ufrag(&request), Some(ufrag));
        }
    }

    #[test]
    fn an_answer_is_known_by_its_transaction() {
        let from = "192.0.2.1:32853".parse().unwrap();
        let response = response(&request("u", [7; 12]), from).unwrap();
        assert!(is_response(&response, [7; 12]));
        assert!(!is_response(&response, [8; 12]));
        assert!(!is_response(&request("u", [7; 12]), [7; 12]));
        assert!(!is_response(b"", [0; 12]));
        assert_eq!(super::response(b"\x80media", from), None);
    }

    /// RFC 5769 2.2 and 2.3.
    #[test]
    fn addresses_are_masked_as_in_the_test_vectors() {
        let transaction = *b"\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae";
        let four = mask("192.0.2.1:32853".parse().unwrap(), transaction);
        assert_eq!(four, b"\x00\x01\xa1\x47\xe1\x12\xa6\x43");
        let six = "[2001:db8:1234:5678:11:2233:4455:6677]:32853";
        let six = mask(six.parse().unwrap(), transaction);
        assert_eq!(
            six,
            b"\x00\x02\xa1\x47\x01\x13\xa9\xfa\xa5\xd3\xf1\x79\xbc\x25\xf4\xb5\xbe\xd2\xb9\xd9"
        );
    }
}
