//! Key material: what was read is written the same, and a session takes any messages and payloads, of which some are its peer's.

#![no_main]

use arcly_srt::proto::crypto::{KeyLength, KeyMaterial, KeyRefresh, Passphrase, Session};
use arcly_srt::proto::packet::{Control, KeyFlag, KeyMaterialKind};
use arcly_srt::proto::sequence::SequenceNumber;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

#[expect(clippy::disallowed_methods, reason = "any instant will do")]
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

fn secret() -> Passphrase {
    Passphrase::new("a secret of fuzzing").expect("long enough")
}

fuzz_target!(|data: &[u8]| {
    if let Ok(material) = KeyMaterial::read(Bytes::copy_from_slice(data)) {
        let written = material.to_bytes();
        assert_eq!(KeyMaterial::read(written), Ok(material));
    }
    let refresh = KeyRefresh::new(8, 2);
    let Ok((mut ours, message)) = Session::initiate(secret(), KeyLength::Aes128, refresh) else {
        return;
    };
    let mut theirs = Session::respond(secret(), message, refresh).expect("the same secret");
    let mut sequence = SequenceNumber::new(0);
    for (count, piece) in data.split(|&byte| byte == 0xa5).take(40).enumerate() {
        let now = *START + Duration::from_millis(50 * count as u64);
        let bytes = Bytes::copy_from_slice(piece);
        let first = piece.first().copied().unwrap_or_default();
        match first & 3 {
            0 => {
                let _ = theirs.handle(KeyMaterialKind::Request, bytes, now);
            }
            1 => {
                let _ = ours.handle(KeyMaterialKind::Response, bytes, now);
            }
            2 => {
                for flag in [KeyFlag::Even, KeyFlag::Odd, KeyFlag::Clear, KeyFlag::Both] {
                    let _ = theirs.decrypt(flag, sequence, &bytes);
                }
            }
            _ => {
                // The real peer goes on: nothing that was said in its name may keep its packets from being read.
                let (flag, encrypted) = ours.encrypt(sequence, &bytes);
                assert_eq!(theirs.decrypt(flag, sequence, &encrypted), Ok(bytes));
                if let Some(Control::KeyMaterial { message, .. }) =
                    ours.poll(Duration::from_millis(10), now)
                {
                    let answer = theirs.handle(KeyMaterialKind::Request, message, now);
                    if let Some(Control::KeyMaterial { message, .. }) = answer {
                        let _ = ours.handle(KeyMaterialKind::Response, message, now);
                    }
                }
                sequence = sequence.next();
            }
        }
    }
});
