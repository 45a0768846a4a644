//! Finishing what a process that is gone has left.

use super::super::{ObjectInfo, recovered_name};
use super::folder::Folder;
use super::unfinished::{Purpose, Unfinished};
use std::io;
use std::path::{Path, PathBuf};
use tracing::{info, warn};

/// Gives all orphans in `folder` their names.
pub(super) fn recover(folder: &Folder) -> io::Result<Vec<ObjectInfo>> {
    let mut hidden = Vec::new();
    folder.walk("", &mut |name, path| {
        if name
            .rsplit('/')
            .next()
            .is_some_and(|file| file.starts_with('.'))
        {
            hidden.push(path.to_path_buf());
        }
    })?;
    let mut recovered = Vec::new();
    for path in hidden {
        match recover_one(folder, &path) {
            Ok(Some((target, bytes))) => {
                let object = object_at(folder, &target);
                info!(object, bytes, "recovered an unfinished object");
                recovered.push(ObjectInfo { object, bytes });
            }
            Ok(None) => {}
            Err(error) => {
                warn!(path = %path.display(), %error, "an unfinished object cannot be recovered")
            }
        }
    }
    recovered.sort();
    Ok(recovered)
}

/// The name of the object at `path`.
fn object_at(folder: &Folder, path: &Path) -> String {
    let relative = path.strip_prefix(folder.root()).unwrap_or(path);
    relative
        .to_string_lossy()
        .replace(std::path::MAIN_SEPARATOR, "/")
}

/// The path and the size of what `path` has become; `None` where there was nothing to do, or nothing in it.
fn recover_one(folder: &Folder, path: &Path) -> io::Result<Option<(PathBuf, u64)>> {
    let Some(mut orphan) = Unfinished::adopt(path)? else {
        return Ok(None);
    };
    let bytes = orphan.file().metadata()?.len();
    if bytes == 0 || orphan.purpose() == Purpose::Put {
        orphan.remove()?;
        return Ok(None);
    }
    let target = orphan.target().to_path_buf();
    match orphan.publish(&target) {
        Ok(()) => Ok(Some((target, bytes))),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let object = recovered_name(&object_at(folder, &target), orphan.number());
            let target = folder.root().join(object);
            orphan.publish(&target)?;
            Ok(Some((target, bytes)))
        }
        Err(error) => Err(error),
    }
}
