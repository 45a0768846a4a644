//! A certificate of our own.

use std::path::{Path, PathBuf};

/// Where a certificate and its key are.
pub(crate) struct Certificate {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
}

impl Certificate {
    /// Makes one in `folder`.
    pub(crate) fn make(folder: &Path) -> Self {
        let certificate = Self {
            chain: folder.join("chain.pem"),
            key: folder.join("key.pem"),
        };
        certificate.replace();
        certificate
    }

    /// Puts another one in its place.
    pub(crate) fn replace(&self) {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        std::fs::write(&self.chain, made.cert.pem()).expect("written");
        std::fs::write(&self.key, made.signing_key.serialize_pem()).expect("written");
    }

    /// What tells the server of it.
    pub(crate) fn flags(&self) -> [&str; 8] {
        [
            "--tls-cert",
            self.chain.to_str().expect("UTF-8"),
            "--tls-key",
            self.key.to_str().expect("UTF-8"),
            "--rtmps-listen",
            "127.0.0.1:0",
            "--https-listen",
            "127.0.0.1:0",
        ]
    }
}
