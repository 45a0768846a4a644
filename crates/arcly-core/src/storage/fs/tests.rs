use super::*;
use std::path::PathBuf;

fn hidden_files(storage: &FsStorage) -> Vec<PathBuf> {
    let mut hidden = Vec::new();
    let collect = &mut |name: String, path: &Path| {
        if name.rsplit('/').next().unwrap().starts_with('.') {
            hidden.push(path.to_path_buf());
        }
    };
    storage.folder.walk("", collect).unwrap();
    hidden
}

#[tokio::test]
async fn nothing_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let storage = FsStorage::open(folder.path().join("new/folder"))
        .await
        .unwrap();
    storage.put("a/b", Bytes::from_static(b"x")).await.unwrap();
    let mut writer = storage.create("a/c").await.unwrap();
    writer.write(&[Bytes::from_static(b"x")]).await.unwrap();
    assert_eq!(hidden_files(&storage).len(), 1);
    writer.commit().await.unwrap();
    assert!(hidden_files(&storage).is_empty());
    // A folder is in the way: the put fails, and leaves nothing either.
    assert!(storage.put("a", Bytes::from_static(b"x")).await.is_err());
    assert!(hidden_files(&storage).is_empty());
}

#[cfg(unix)]
#[tokio::test]
async fn symbolic_links_are_not_followed() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "secret").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let storage = FsStorage::open(folder.path()).await.unwrap();
    std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret"), folder.path().join("file")).unwrap();
    let refused = |result: Result<()>| matches!(result, Err(StreamError::Storage { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied);
    assert!(refused(storage.get("link/secret").await.map(drop)));
    assert!(refused(storage.get("file").await.map(drop)));
    assert!(refused(storage.delete("link/secret").await));
    assert!(refused(storage.put("link/new", Bytes::new()).await));
    assert!(refused(storage.put("link/new/deep", Bytes::new()).await));
    assert!(refused(storage.create("link/new").await.map(drop)));
    assert!(refused(storage.list("link/").await.map(drop)));
    assert!(storage.list("").await.unwrap().is_empty());
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn an_interrupted_put_is_cleared_away() {
    let folder = tempfile::tempdir().unwrap();
    let storage = FsStorage::open(folder.path()).await.unwrap();
    let mut orphan = Unfinished::create(&storage.folder, "a", Purpose::Put).unwrap();
    orphan.file().write_all(b"half").unwrap();
    assert!(storage.recover().await.unwrap().is_empty());
    assert_eq!(hidden_files(&storage).len(), 1, "its process is alive");
    drop(orphan);
    assert!(storage.recover().await.unwrap().is_empty());
    assert!(hidden_files(&storage).is_empty());
}

#[tokio::test]
async fn a_crash_between_link_and_unlink_leaves_one_object() {
    let folder = tempfile::tempdir().unwrap();
    let storage = FsStorage::open(folder.path()).await.unwrap();
    let mut writer = storage.create("a.ts").await.unwrap();
    writer.write(&[Bytes::from_static(b"x")]).await.unwrap();
    writer.sync().await.unwrap();
    drop(writer);
    let hidden = hidden_files(&storage).pop().unwrap();
    std::fs::hard_link(&hidden, folder.path().join("a.ts")).unwrap();
    storage.recover().await.unwrap();
    let objects = storage.list("").await.unwrap();
    assert_eq!(objects.len(), 1, "{objects:?}");
    assert!(hidden_files(&storage).is_empty());
}

#[tokio::test]
async fn hidden_files_of_others_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let storage = FsStorage::open(folder.path()).await.unwrap();
    std::fs::write(folder.path().join(".gitignore"), "x").unwrap();
    std::fs::create_dir(folder.path().join(".git")).unwrap();
    std::fs::write(folder.path().join(".git/.a.0000000000000001.partial"), "x").unwrap();
    assert!(storage.recover().await.unwrap().is_empty());
    assert!(storage.list("").await.unwrap().is_empty());
    assert!(folder.path().join(".gitignore").exists());
    assert!(
        folder
            .path()
            .join(".git/.a.0000000000000001.partial")
            .exists()
    );
}

#[tokio::test]
async fn a_call_that_is_dropped_takes_effect_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let storage = FsStorage::open(folder.path()).await.unwrap();
    let mut writer = storage.create("a").await.unwrap();
    writer.write(&[Bytes::from_static(b"one ")]).await.unwrap();
    {
        let sync = std::pin::pin!(writer.sync());
        // Starts the work, and does not wait for it.
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let _ = sync.poll(&mut context);
    }
    writer.write(&[Bytes::from_static(b"two")]).await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(storage.get("a").await.unwrap(), "one two");
}

#[tokio::test]
async fn large_writes_arrive_whole() {
    let folder = tempfile::tempdir().unwrap();
    let storage = FsStorage::open(folder.path()).await.unwrap();
    let mut writer = storage.create("a").await.unwrap();
    let chunks: Vec<Bytes> = (0..5_000_u32)
        .map(|n| Bytes::copy_from_slice(&n.to_be_bytes().repeat(100)))
        .collect();
    for batch in chunks.chunks(7) {
        writer.write(batch).await.unwrap();
    }
    writer.commit().await.unwrap();
    assert_eq!(storage.get("a").await.unwrap(), chunks.concat());
    assert_eq!(
        storage.get_range("a", 400..404).await.unwrap(),
        1_u32.to_be_bytes().as_slice()
    );
}

#[tokio::test]
async fn an_orphan_with_the_longest_name_is_recovered_beside_its_successor() {
    let folder = tempfile::tempdir().unwrap();
    let storage = FsStorage::open(folder.path()).await.unwrap();
    let object = format!("live/{}.ts", "x".repeat(crate::MAX_NAME_BYTES - 3));
    let mut orphan = storage.create(&object).await.unwrap();
    orphan.write(&[Bytes::from_static(b"first")]).await.unwrap();
    orphan.sync().await.unwrap();
    drop(orphan);
    storage
        .put(&object, Bytes::from_static(b"second"))
        .await
        .unwrap();
    let recovered = storage.recover().await.unwrap();
    assert_eq!(recovered.len(), 1);
    // It can be named, so it can be read.
    assert_eq!(storage.get(&recovered[0].object).await.unwrap(), "first");
    assert_eq!(storage.get(&object).await.unwrap(), "second");
}
