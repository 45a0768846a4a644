//! A real S3 server: moto, from PyPI.
//!
//! Run by `cargo test -p arcly-core --features s3 -- --ignored s3`.

use super::super::conformance::conforms;
use super::*;
use std::cell::Cell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

const BUCKET: &str = "arcly";

struct Moto {
    process: Child,
    address: String,
}

impl Moto {
    fn start() -> Self {
        let mut process = Command::new("moto_server")
            .args(["-H", "127.0.0.1", "-p", "0"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("moto_server is missing; install it with: pip install 'moto[server]'");
        let mut lines = BufReader::new(process.stderr.take().expect("piped")).lines();
        let address = loop {
            let line = lines
                .next()
                .expect("moto says where it listens")
                .expect("text");
            if let Some((_, address)) = line.split_once("Running on http://") {
                break address.trim().to_owned();
            }
        };
        // Its log has to go somewhere.
        std::thread::spawn(move || lines.for_each(drop));
        let mut socket = TcpStream::connect(&address).expect("it listens");
        write!(
            socket,
            "PUT /{BUCKET} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        .expect("it reads");
        let mut reply = String::new();
        socket.read_to_string(&mut reply).expect("it replies");
        assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
        Self { process, address }
    }

    async fn storage(&self, prefix: &str) -> ObjectStorage {
        let options = [
            ("aws_endpoint", format!("http://{}", self.address)),
            ("allow_http", "true".to_owned()),
            ("aws_region", "us-east-1".to_owned()),
            ("aws_access_key_id", "id".to_owned()),
            ("aws_secret_access_key", "secret".to_owned()),
        ];
        let url = format!("s3://{BUCKET}/{prefix}");
        let config = ObjectStorageConfig::default();
        ObjectStorage::from_url(&url, options, config)
            .await
            .expect("a URL")
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs moto_server: pip install 'moto[server]'"]
async fn a_real_s3_server_conforms() {
    let moto = Moto::start();
    let next = Cell::new(0);
    let storages: Vec<_> = {
        let mut storages = Vec::new();
        for number in 0..32 {
            storages.push(moto.storage(&format!("test {number}")).await);
        }
        storages
    };
    conforms(|| {
        next.set(next.get() + 1);
        storages[next.get()].clone()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs moto_server: pip install 'moto[server]'"]
async fn long_objects_are_uploaded_in_parts_and_recovered() {
    let moto = Moto::start();
    let storage = moto.storage("recordings").await;
    // Three parts and a bit, in pieces of their own sizes.
    let chunk = |number: u32| Bytes::from(number.to_be_bytes().repeat(25_000));
    let whole: Vec<u8> = (0..170).flat_map(chunk).collect();
    for name in ["live/Caméra 1/a+b&c=d ~e#1.ts", "live/cam/100 %.ts"] {
        for is_killed in [false, true] {
            let object = format!("{is_killed}/{name}");
            let mut writer = storage.create(&object).await.unwrap();
            for number in 0..170 {
                writer.write(&[chunk(number)]).await.unwrap();
                if number % 20 == 9 {
                    writer.sync().await.unwrap();
                }
            }
            if is_killed {
                drop(writer);
                let recovered = storage.recover().await.unwrap();
                assert_eq!(
                    (recovered.len(), recovered[0].object.as_str()),
                    (1, &*object)
                );
                // The last sync came after the last write.
                let found = storage.get(&object).await.unwrap();
                assert!(found == whole);
            } else {
                writer.commit().await.unwrap();
                assert!(storage.get(&object).await.unwrap() == whole);
            }
            let tail = storage
                .get_range(&object, 16_999_990..99_999_999)
                .await
                .unwrap();
            assert_eq!(tail, whole[16_999_990..]);
        }
    }
    assert_eq!(storage.list("").await.unwrap().len(), 4);
    assert_eq!(storage.list("true/live/C").await.unwrap().len(), 1);
}
