//! What is particular to object stores; what every storage does is in `conformance.rs`.

use super::super::conformance::conforms;
use super::faulty::Faulty;
use super::keys::Item;
use super::*;
use crate::{StreamError, TimeSource};
use futures_util::StreamExt;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

/// Once with everything in one part, once with a part for a few bytes.
const PART_BYTES: [usize; 2] = [ObjectStorageConfig::DEFAULT_PART_BYTES, 7];

#[tokio::test]
async fn in_memory() {
    for (part_bytes, prefix) in PART_BYTES.into_iter().zip(["", "a/b"]) {
        let config = ObjectStorageConfig::default().part_bytes(part_bytes);
        let store = || Arc::new(InMemory::new());
        conforms(|| ObjectStorage::new(store(), prefix, config.clone()).unwrap()).await;
    }
}

#[tokio::test]
async fn local_file_system() {
    for part_bytes in PART_BYTES {
        let folder = tempfile::tempdir().unwrap();
        let next = std::cell::Cell::new(0);
        let fresh = || {
            next.set(next.get() + 1);
            let root = folder.path().join(next.get().to_string());
            std::fs::create_dir(&root).unwrap();
            let store = LocalFileSystem::new_with_prefix(root).unwrap();
            let config = ObjectStorageConfig::default().part_bytes(part_bytes);
            ObjectStorage::new(Arc::new(store), "", config).unwrap()
        };
        conforms(fresh).await;
    }
}

#[tokio::test]
async fn stores_without_a_step_for_it_are_asked_first() {
    conforms(|| {
        let store = Faulty::default();
        Faulty::set(&store.lacks_create, true);
        // Without it, only clones of one storage are kept from replacing each other's.
        storage(&Arc::new(store), 7)
    })
    .await;
}

fn storage(store: &Arc<Faulty>, part_bytes: usize) -> ObjectStorage {
    let config = ObjectStorageConfig::default().part_bytes(part_bytes);
    ObjectStorage::new(store.clone(), "in", config).unwrap()
}

/// Another process, whose clock says that `age` has gone by.
fn later(store: &Arc<Faulty>, age: Duration) -> ObjectStorage {
    #[expect(
        clippy::disallowed_methods,
        reason = "the store in memory reads this clock"
    )]
    let clock = TimeSource::from_fn(move || SystemTime::now() + age);
    let config = ObjectStorageConfig::default().part_bytes(7).clock(clock);
    ObjectStorage::new(store.clone(), "in", config).unwrap()
}

async fn keys(store: &Faulty) -> Vec<String> {
    let listed = store.inner.list(None);
    let mut keys: Vec<_> = listed
        .map(|meta| meta.unwrap().location.to_string())
        .collect()
        .await;
    keys.sort();
    keys
}

async fn write(writer: &mut Box<dyn ObjectWriter>, text: &'static str) -> Result<()> {
    writer.write(&[Bytes::from_static(text.as_bytes())]).await
}

/// An object of which `pieces` are synced, and whose process is killed.
async fn killed(store: &Arc<Faulty>, object: &str, pieces: &[&'static str]) {
    let mut writer = storage(store, 7).create(object).await.unwrap();
    for piece in pieces {
        write(&mut writer, piece).await.unwrap();
        writer.sync().await.unwrap();
    }
    // Its storage goes with it, and that is all that knows of it.
}

#[tokio::test]
async fn a_commit_leaves_nothing_else_and_reads_nothing_back() {
    let store = Arc::new(Faulty::default());
    let mut writer = storage(&store, 7).create("a").await.unwrap();
    for _ in 0..100 {
        write(&mut writer, "0123456789").await.unwrap();
        writer.sync().await.unwrap();
    }
    writer.commit().await.unwrap();
    assert_eq!(store.reads.load(Ordering::Relaxed), 0);
    assert_eq!(keys(&store).await, ["in/a"]);
    let object = storage(&store, 7).get("a").await.unwrap();
    assert_eq!(object, "0123456789".repeat(100));
}

#[tokio::test]
async fn another_process_s_orphans_are_recovered_when_they_are_old() {
    let store = Arc::new(Faulty::default());
    killed(&store, "cam/1.ts", &["one ", "two ", "three"]).await;
    let age = ObjectStorageConfig::DEFAULT_ORPHAN_AGE;
    let early = later(&store, age - Duration::from_secs(60));
    assert!(early.recover().await.unwrap().is_empty());
    let late = later(&store, age + Duration::from_secs(60));
    let recovered = late.recover().await.unwrap();
    assert_eq!(
        (recovered[0].object.as_str(), recovered.len()),
        ("cam/1.ts", 1)
    );
    assert_eq!(late.get("cam/1.ts").await.unwrap(), "one two three");
    assert_eq!(keys(&store).await, ["in/cam/1.ts"]);
}

#[tokio::test]
async fn several_that_recover_at_once_make_one_object() {
    let store = Arc::new(Faulty::default());
    for number in 0..20 {
        killed(&store, &format!("{number}"), &["some", "thing"]).await;
    }
    let age = ObjectStorageConfig::DEFAULT_ORPHAN_AGE * 2;
    let recoveries: Vec<_> = (0..4)
        .map(|_| {
            let storage = later(&store, age);
            tokio::spawn(async move { storage.recover().await.unwrap().len() })
        })
        .collect();
    let mut recovered = 0;
    for recovery in recoveries {
        recovered += recovery.await.unwrap();
    }
    assert_eq!(recovered, 20);
    assert_eq!(keys(&store).await.len(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_has_nothing_to_write_tells_that_it_lives() {
    let store = Arc::new(Faulty::default());
    let storage = storage(&store, 7);
    let writer = storage.create("a").await.unwrap();
    let alive = |keys: &[String]| keys.iter().any(|key| key.ends_with("/alive"));
    assert!(!alive(&keys(&store).await));
    tokio::time::sleep(ObjectStorageConfig::DEFAULT_ORPHAN_AGE / 3).await;
    assert!(alive(&keys(&store).await));
    drop(writer);
    storage.recover().await.unwrap();
    tokio::time::sleep(ObjectStorageConfig::DEFAULT_ORPHAN_AGE).await;
    assert!(keys(&store).await.is_empty(), "and stops telling so");
}

#[tokio::test]
async fn what_a_commit_could_not_clear_away_makes_no_second_object() {
    for (object, with_name, expected) in [
        // The object appeared, and then the process was killed.
        ("onetwo", true, vec!["in/a"]),
        // It had begun to remove the pieces.
        ("something else", false, vec!["in/a"]),
        // Another object of that size is not the same.
        (
            "twoone",
            true,
            vec!["in/a", "in/a.recovered-0000000000000007"],
        ),
    ] {
        let store = Arc::new(Faulty::default());
        let storage = later(&store, ObjectStorageConfig::DEFAULT_ORPHAN_AGE * 2);
        storage.put("a", object.into()).await.unwrap();
        for (item, contents) in [
            (Item::Name, "a"),
            (Item::Piece(0), "one"),
            (Item::Piece(1), "two"),
        ] {
            if item != Item::Name || with_name {
                let key = storage.store.keys.item(7, item).unwrap();
                let put = storage.store.put(Doing("", ""), &key, contents.into());
                put.await.unwrap();
            }
        }
        let recovered = storage.recover().await.unwrap();
        assert_eq!(recovered.len(), expected.len() - 1);
        assert_eq!(keys(&store).await, expected, "{object}");
    }
}

#[tokio::test]
async fn an_object_that_cannot_be_uploaded_is_read_back() {
    let store = Arc::new(Faulty::default());
    let storage = storage(&store, 7);
    let mut writer = storage.create("a").await.unwrap();
    write(&mut writer, "one ").await.unwrap();
    Faulty::set(&store.lacks_multipart, true);
    write(&mut writer, "two three").await.unwrap();
    writer.sync().await.unwrap();
    Faulty::set(&store.lacks_multipart, false);
    write(&mut writer, " four").await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(storage.get("a").await.unwrap(), "one two three four");
    assert_eq!(keys(&store).await, ["in/a"]);
}

#[tokio::test]
async fn after_a_failed_write_what_came_before_is_kept() {
    let store = Arc::new(Faulty::default());
    let storage = storage(&store, 7);
    let mut writer = storage.create("a").await.unwrap();
    write(&mut writer, "before").await.unwrap();
    writer.sync().await.unwrap();
    Faulty::set(&store.is_full, true);
    assert!(write(&mut writer, "0123456789").await.is_err());
    Faulty::set(&store.is_full, false);
    assert!(
        write(&mut writer, "x").await.is_err(),
        "it would not join what is there"
    );
    writer.commit().await.unwrap();
    assert_eq!(storage.get("a").await.unwrap(), "before");
    assert_eq!(keys(&store).await, ["in/a"]);
}

#[tokio::test(start_paused = true)]
async fn no_wait_is_without_end() {
    let store = Arc::new(Faulty::default());
    let storage = storage(&store, 7);
    storage.put("a", "x".into()).await.unwrap();
    let mut writer = storage.create("b").await.unwrap();
    write(&mut writer, "x").await.unwrap();
    Faulty::set(&store.hangs, true);
    let timed_out = |result: Result<()>| match result {
        Err(StreamError::Storage { source, .. }) => source.kind() == io::ErrorKind::TimedOut,
        _ => false,
    };
    assert!(timed_out(storage.put("a", "y".into()).await));
    assert!(timed_out(storage.get("a").await.map(drop)));
    assert!(timed_out(storage.exists("a").await.map(drop)));
    assert!(timed_out(storage.create("c").await.map(drop)));
    assert!(timed_out(writer.sync().await));
    let limit = ObjectStorageConfig::DEFAULT_CALL_TIMEOUT * 2;
    let committed = tokio::time::timeout(limit, writer.commit()).await;
    assert!(committed.expect("in time").is_err());
}

#[tokio::test(start_paused = true)]
async fn a_sync_that_is_given_up_leaves_no_hole() {
    let store = Arc::new(Faulty::default());
    let storage = storage(&store, 100);
    let mut writer = storage.create("a").await.unwrap();
    write(&mut writer, "one ").await.unwrap();
    Faulty::set(&store.hangs, true);
    let given_up = tokio::time::timeout(Duration::from_secs(1), writer.sync()).await;
    assert!(given_up.is_err());
    Faulty::set(&store.hangs, false);
    write(&mut writer, "two").await.unwrap();
    writer.sync().await.unwrap();
    drop(writer);
    storage.recover().await.unwrap();
    assert_eq!(storage.get("a").await.unwrap(), "one two");
}

#[tokio::test]
async fn what_others_keep_there_is_not_shown_and_stays() {
    let store = Arc::new(Faulty::default());
    let storage = later(&store, ObjectStorageConfig::DEFAULT_ORPHAN_AGE * 2);
    for key in ["out", "in/a?b", "in/.unfinished/notes", "in/a%20b", "in/b"] {
        let key = Path::parse(key).unwrap();
        let put = storage.store.put(Doing("", ""), &key, "x".into());
        put.await.unwrap();
    }
    let listed = storage.list("").await.unwrap();
    assert_eq!((listed[0].object.as_str(), listed.len()), ("b", 1));
    assert!(storage.recover().await.unwrap().is_empty());
    assert_eq!(keys(&store).await.len(), 5);
}
