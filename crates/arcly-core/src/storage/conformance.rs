//! What every backend has to do, run against each of them.

use super::*;
use crate::StreamError;

/// Runs all cases, each in a storage of its own.
pub(super) async fn conforms<B: StorageBackend + Clone>(fresh: impl Fn() -> B) {
    put_replaces(fresh()).await;
    ranges_are_clamped(fresh()).await;
    lists_are_ordered(fresh()).await;
    names_are_checked(fresh()).await;
    objects_appear_when_committed(fresh()).await;
    a_commit_never_replaces(fresh()).await;
    orphans_are_recovered(fresh()).await;
    recovery_keeps_both(fresh()).await;
    writers_do_not_mix(fresh()).await;
    beginnings_are_replaced_whole_or_not_at_all(fresh()).await;
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn names(objects: &[ObjectInfo]) -> Vec<&str> {
    objects.iter().map(|info| info.object.as_str()).collect()
}

async fn put_replaces(storage: impl StorageBackend) {
    assert!(
        matches!(storage.get("a/b").await, Err(StreamError::StorageNotFound(object)) if object == "a/b")
    );
    assert!(!storage.exists("a/b").await.unwrap());
    storage.put("a/b", bytes("one")).await.unwrap();
    storage.put("a/b", bytes("second")).await.unwrap();
    assert_eq!(storage.get("a/b").await.unwrap(), "second");
    assert!(storage.exists("a/b").await.unwrap());
    assert!(!storage.exists("a").await.unwrap(), "a folder is no object");
    assert!(matches!(
        storage.get("a").await,
        Err(StreamError::StorageNotFound(_))
    ));
    storage.delete("a/b").await.unwrap();
    assert!(matches!(
        storage.delete("a/b").await,
        Err(StreamError::StorageNotFound(_))
    ));
    storage.put("empty", Bytes::new()).await.unwrap();
    assert_eq!(storage.get("empty").await.unwrap(), "");
}

async fn ranges_are_clamped(storage: impl StorageBackend) {
    storage.put("a", bytes("0123456789")).await.unwrap();
    for (range, part) in [
        (2..4, "23"),
        (8..99, "89"),
        (10..12, ""),
        (50..60, ""),
        (0..u64::MAX, "0123456789"),
        (4..4, ""),
    ] {
        assert_eq!(
            storage.get_range("a", range.clone()).await.unwrap(),
            part,
            "{range:?}"
        );
    }
    #[expect(
        clippy::reversed_empty_ranges,
        reason = "what a careless caller passes"
    )]
    let backwards = 5..2;
    assert_eq!(storage.get_range("a", backwards).await.unwrap(), "");
}

async fn lists_are_ordered(storage: impl StorageBackend) {
    for object in [
        "live/b/2", "live/a", "live/b/1", "live.b", "vod/x", "live/bc",
    ] {
        storage.put(object, bytes(object)).await.unwrap();
    }
    let all = storage.list("").await.unwrap();
    assert_eq!(
        names(&all),
        [
            "live.b", "live/a", "live/b/1", "live/b/2", "live/bc", "vod/x"
        ]
    );
    assert_eq!(all.last().unwrap().bytes, 5);
    assert_eq!(
        names(&storage.list("live/b").await.unwrap()),
        ["live/b/1", "live/b/2", "live/bc"]
    );
    assert_eq!(
        names(&storage.list("live/b/").await.unwrap()),
        ["live/b/1", "live/b/2"]
    );
    assert!(storage.list("nothing/there").await.unwrap().is_empty());
    assert!(storage.list("vod/x/y").await.unwrap().is_empty());
}

async fn names_are_checked(storage: impl StorageBackend) {
    for bad in ["../outside", "/etc/passwd", "a/.hidden", "a\0"] {
        let invalid =
            |result: Result<()>| matches!(result, Err(StreamError::InvalidObjectName { .. }));
        assert!(invalid(storage.put(bad, bytes("x")).await), "{bad:?}");
        assert!(invalid(storage.get(bad).await.map(drop)), "{bad:?}");
        assert!(
            invalid(storage.get_range(bad, 0..1).await.map(drop)),
            "{bad:?}"
        );
        assert!(invalid(storage.delete(bad).await), "{bad:?}");
        assert!(invalid(storage.exists(bad).await.map(drop)), "{bad:?}");
        assert!(invalid(storage.create(bad).await.map(drop)), "{bad:?}");
        assert!(invalid(storage.list(bad).await.map(drop)), "{bad:?}");
    }
}

async fn objects_appear_when_committed(storage: impl StorageBackend) {
    let mut writer = storage.create("a/b").await.unwrap();
    writer
        .write(&[bytes("one "), Bytes::new(), bytes("two ")])
        .await
        .unwrap();
    writer.sync().await.unwrap();
    writer.write(&[bytes("three")]).await.unwrap();
    assert!(!storage.exists("a/b").await.unwrap());
    assert!(storage.list("").await.unwrap().is_empty());
    assert!(
        storage.recover().await.unwrap().is_empty(),
        "it has a writer"
    );
    writer.commit().await.unwrap();
    assert_eq!(storage.get("a/b").await.unwrap(), "one two three");

    let mut writer = storage.create("a/c").await.unwrap();
    writer.write(&[bytes("x")]).await.unwrap();
    writer.discard().await.unwrap();
    assert!(storage.recover().await.unwrap().is_empty());
    assert_eq!(names(&storage.list("").await.unwrap()), ["a/b"]);
}

async fn a_commit_never_replaces(storage: impl StorageBackend) {
    storage.put("a", bytes("old")).await.unwrap();
    assert!(
        matches!(storage.create("a").await.map(drop), Err(StreamError::StorageExists(object)) if object == "a")
    );
    let mut writer = storage.create("b.ts").await.unwrap();
    writer.write(&[bytes("new")]).await.unwrap();
    storage.put("b.ts", bytes("old")).await.unwrap();
    assert!(matches!(
        writer.commit().await,
        Err(StreamError::StorageExists(_))
    ));
    assert_eq!(storage.get("b.ts").await.unwrap(), "old");
    let recovered = storage.recover().await.unwrap();
    assert_eq!(recovered.len(), 1);
    assert_eq!(storage.get(&recovered[0].object).await.unwrap(), "new");
}

async fn orphans_are_recovered(storage: impl StorageBackend) {
    let mut orphan = storage.create("live/cam/1.ts").await.unwrap();
    orphan.write(&[bytes("synced")]).await.unwrap();
    orphan.sync().await.unwrap();
    drop(orphan);
    drop(storage.create("live/cam/empty.ts").await.unwrap());
    let mut alive = storage.create("live/cam/2.ts").await.unwrap();
    alive.write(&[bytes("alive")]).await.unwrap();
    let recovered = storage.recover().await.unwrap();
    assert_eq!(
        recovered,
        [ObjectInfo {
            object: "live/cam/1.ts".to_owned(),
            bytes: 6
        }]
    );
    assert_eq!(storage.get("live/cam/1.ts").await.unwrap(), "synced");
    alive.commit().await.unwrap();
    assert_eq!(
        names(&storage.list("").await.unwrap()),
        ["live/cam/1.ts", "live/cam/2.ts"]
    );
    assert!(
        storage.recover().await.unwrap().is_empty(),
        "once is enough"
    );
}

async fn recovery_keeps_both(storage: impl StorageBackend) {
    let mut orphan = storage.create("a/b.ts").await.unwrap();
    orphan.write(&[bytes("orphan")]).await.unwrap();
    orphan.sync().await.unwrap();
    drop(orphan);
    storage.put("a/b.ts", bytes("newer")).await.unwrap();
    let recovered = storage.recover().await.unwrap();
    let name = recovered[0].object.as_str();
    assert!(
        name.starts_with("a/b.recovered-") && name.ends_with(".ts"),
        "{name}"
    );
    assert_eq!(storage.get(name).await.unwrap(), "orphan");
    assert_eq!(storage.get("a/b.ts").await.unwrap(), "newer");
}

async fn writers_do_not_mix(storage: impl StorageBackend + Clone) {
    let contents = |writer: usize| Bytes::from(vec![b'a' + writer as u8; 100_000]);
    let puts: Vec<_> = (0..8)
        .map(|writer| {
            let storage = storage.clone();
            tokio::spawn(async move { storage.put("same", contents(writer)).await })
        })
        .collect();
    for put in puts {
        put.await.unwrap().unwrap();
    }
    let winner = storage.get("same").await.unwrap();
    assert!((0..8).any(|writer| winner == contents(writer)));

    let commits: Vec<_> = (0..8)
        .map(|number| {
            let storage = storage.clone();
            tokio::spawn(async move {
                let mut writer = storage.create("grown").await?;
                writer.write(&[contents(number), contents(number)]).await?;
                tokio::task::yield_now().await;
                writer.commit().await
            })
        })
        .collect();
    let mut committed = 0;
    for commit in commits {
        match commit.await.unwrap() {
            Ok(()) => committed += 1,
            Err(StreamError::StorageExists(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(committed, 1, "the first to commit wins");
    let winner = storage.get("grown").await.unwrap();
    assert!(winner.len() == 200_000 && winner.iter().all(|byte| *byte == winner[0]));
}

async fn beginnings_are_replaced_whole_or_not_at_all(storage: impl StorageBackend) {
    for size in [4, 4_096, 10_000] {
        let object = format!("{size}.mp4");
        let mut writer = storage.create(&object).await.unwrap();
        writer
            .write(&[Bytes::from(vec![b'o'; size])])
            .await
            .unwrap();
        let longer = Bytes::from(vec![b'n'; size + 1]);
        assert!(!writer.replace_start(longer).await.unwrap());
        writer.write(&[bytes("tail")]).await.unwrap();
        let start = Bytes::from(vec![b'n'; size]);
        let replaced = writer.replace_start(start).await.unwrap();
        writer.write(&[bytes("end")]).await.unwrap();
        writer.commit().await.unwrap();
        let letter = if replaced { 'n' } else { 'o' };
        let expected = letter.to_string().repeat(size) + "tailend";
        assert_eq!(storage.get(&object).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn memory() {
    conforms(MemoryStorage::default).await;
}

#[tokio::test]
async fn a_boxed_or_shared_backend_is_one() {
    conforms(|| -> Arc<dyn StorageBackend> { Arc::new(Box::new(MemoryStorage::default())) }).await;
}

#[tokio::test]
async fn file_system() {
    let folder = tempfile::tempdir().unwrap();
    let next = std::cell::Cell::new(0);
    let fresh = || {
        next.set(next.get() + 1);
        FsStorage::open_blocking(folder.path().join(next.get().to_string())).unwrap()
    };
    conforms(fresh).await;
}
