//! A folder and the paths in it.

use super::super::ObjectInfo;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A folder on a file system. Object names that come in here have been validated.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    root: Arc<Path>,
}

impl Folder {
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let missing: Vec<_> = root
            .ancestors()
            .take_while(|path| !path.as_os_str().is_empty() && !path.exists())
            .collect();
        fs::create_dir_all(root)?;
        // A folder that is not in its parent on the disk is lost with all that is in it.
        for made in missing {
            let parent = made.parent().filter(|path| !path.as_os_str().is_empty());
            flush_folder(parent.unwrap_or(Path::new(".")))?;
        }
        Ok(Self {
            root: fs::canonicalize(root)?.into(),
        })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The path and the size of an object that exists.
    pub(super) fn find(&self, object: &str) -> io::Result<(PathBuf, u64)> {
        let mut path = self.root.to_path_buf();
        let mut metadata = None;
        for component in object.split('/') {
            path.push(component);
            metadata = Some(not_a_link(fs::symlink_metadata(&path))?);
        }
        match metadata {
            Some(metadata) if metadata.is_file() => Ok((path, metadata.len())),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// The path at which `object` is to appear, its folders made, and flushed to their parents.
    pub(super) fn prepare(&self, object: &str) -> io::Result<PathBuf> {
        let mut path = self.root.to_path_buf();
        let mut components = object.split('/').peekable();
        while let Some(component) = components.next() {
            let parent = path.clone();
            path.push(component);
            if components.peek().is_none() {
                break;
            }
            match fs::create_dir(&path) {
                Ok(()) => flush_folder(&parent)?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if !not_a_link(fs::symlink_metadata(&path))?.is_dir() {
                        return Err(io::ErrorKind::NotADirectory.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(path)
    }

    /// The objects whose names start with `prefix`, in order.
    pub(super) fn list(&self, prefix: &str) -> io::Result<Vec<ObjectInfo>> {
        let mut objects = Vec::new();
        self.walk(prefix, &mut |name, path| {
            if is_hidden(&name) || !name.starts_with(prefix) {
                return;
            }
            // Gone in the meantime: then it is not listed.
            if let Ok(metadata) = fs::symlink_metadata(path) {
                objects.push(ObjectInfo {
                    object: name,
                    bytes: metadata.len(),
                });
            }
        })?;
        objects.sort();
        Ok(objects)
    }

    /// Calls `visit` with the name and path of each regular file, hidden ones included, that could have a name starting with `prefix`.
    pub(super) fn walk(
        &self,
        prefix: &str,
        visit: &mut dyn FnMut(String, &Path),
    ) -> io::Result<()> {
        // Of `a/b/c`, only `a/b` needs to be looked at.
        let start = prefix.rfind('/').map_or("", |slash| &prefix[..slash]);
        let mut path = self.root.to_path_buf();
        for component in start.split('/').filter(|component| !component.is_empty()) {
            path.push(component);
            match not_a_link(fs::symlink_metadata(&path)) {
                Ok(metadata) if metadata.is_dir() => {}
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        let mut folders = vec![(start.to_owned(), path)];
        while let Some((parent, path)) = folders.pop() {
            let entries = match fs::read_dir(&path) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            for entry in entries {
                let entry = entry?;
                let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                    continue;
                };
                let name = if parent.is_empty() {
                    name
                } else {
                    format!("{parent}/{name}")
                };
                let kind = entry.file_type()?;
                if kind.is_dir() && !is_hidden(&name) {
                    folders.push((name, entry.path()));
                } else if kind.is_file() {
                    visit(name, &entry.path());
                }
            }
        }
        Ok(())
    }
}

/// Whether the last component of `name` is kept for files that are no objects.
fn is_hidden(name: &str) -> bool {
    name.rsplit('/')
        .next()
        .is_some_and(|file| file.starts_with('.'))
}

fn not_a_link(metadata: io::Result<fs::Metadata>) -> io::Result<fs::Metadata> {
    match metadata {
        Ok(metadata) if metadata.is_symlink() => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "symbolic links in a storage folder are not followed",
        )),
        // A file where a folder would have to be: the object cannot exist.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Err(io::ErrorKind::NotFound.into())
        }
        metadata => metadata,
    }
}

/// Makes the names in `folder` survive a loss of power.
#[cfg(unix)]
pub(super) fn flush_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Elsewhere folders cannot be opened as files; NTFS journals names by itself.
#[cfg(not(unix))]
pub(super) fn flush_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}
