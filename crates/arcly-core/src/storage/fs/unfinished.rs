//! Hidden files that become objects.

use super::folder::{Folder, flush_folder};
use std::collections::hash_map::RandomState;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::hash::BuildHasher;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// What is overwritten in one go: a page of memory and of most disks, so that a crash leaves it old or new.
const HEAD_BYTES: usize = 4096;

/// What a hidden file is for, which its extension tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A [`put`](crate::StorageBackend::put) under way. Without its process it is worth nothing: nobody was told that it is stored.
    Put,
    /// An object that grows. Without its process it is all there is.
    Grow,
}

impl Purpose {
    const fn extension(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Grow => "partial",
        }
    }
}

/// A file that does not have its name yet, locked by this process.
#[derive(Debug)]
pub(super) struct Unfinished {
    file: File,
    path: PathBuf,
    target: PathBuf,
    number: u64,
    purpose: Purpose,
}

impl Unfinished {
    /// A new, empty file beside the place of `object`.
    pub(super) fn create(folder: &Folder, object: &str, purpose: Purpose) -> io::Result<Self> {
        let target = folder.prepare(object)?;
        loop {
            // Randomly keyed, so other processes choose other numbers.
            let number = RandomState::new().hash_one(object);
            let path = hidden_path(&target, number, purpose);
            let file = match OpenOptions::new().append(true).create_new(true).open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            };
            // Before the lock is taken, a recovery may have taken the empty file for an orphan and removed it.
            if lock_while_named(&file, &path)? {
                flush_folder(parent(&path))?;
                return Ok(Self {
                    file,
                    path,
                    target,
                    number,
                    purpose,
                });
            }
        }
    }

    /// The orphan at `path`; `None` where the file is none, or its process is alive.
    pub(super) fn adopt(path: &Path) -> io::Result<Option<Self>> {
        let Some((target, number, purpose)) = parse_hidden_path(path) else {
            return Ok(None);
        };
        let file = match OpenOptions::new().append(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let path = path.to_path_buf();
        Ok(lock_while_named(&file, &path)?.then_some(Self {
            file,
            path,
            target,
            number,
            purpose,
        }))
    }

    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    pub(super) fn purpose(&self) -> Purpose {
        self.purpose
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// Overwrites the first bytes of the file, those behind [`HEAD_BYTES`] first.
    pub(super) fn replace_start(&self, start: &[u8]) -> io::Result<()> {
        // The file itself is open for appending only, wherever one seeks.
        let mut file = OpenOptions::new().write(true).open(&self.path)?;
        let (head, behind) = start.split_at(start.len().min(HEAD_BYTES));
        if !behind.is_empty() {
            file.seek(SeekFrom::Start(HEAD_BYTES as u64))?;
            file.write_all(behind)?;
            file.sync_data()?;
            file.rewind()?;
        }
        file.write_all(head)
    }

    /// Gives the file its name, replacing what has it.
    pub(super) fn replace(&self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, &self.target)?;
        flush_folder(parent(&self.target))
    }

    /// Gives the file the name at `target` unless that is taken ([`io::ErrorKind::AlreadyExists`]).
    pub(super) fn publish(&self, target: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        match fs::hard_link(&self.path, target) {
            Ok(()) => {}
            // A crash between the two steps below left both names.
            Err(error)
                if error.kind() == io::ErrorKind::AlreadyExists
                    && is_same_file(&self.path, target) => {}
            Err(error) if lacks_links(&error) && !fs::exists(target)? => {
                // FAT and some network file systems: the best they offer.
                fs::rename(&self.path, target)?;
                return flush_folder(parent(target));
            }
            Err(error) if lacks_links(&error) => return Err(io::ErrorKind::AlreadyExists.into()),
            Err(error) => return Err(error),
        }
        flush_folder(parent(target))?;
        self.remove()
    }

    /// Removes the hidden name, and with it the data unless the file has been published.
    pub(super) fn remove(&self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

/// Locks `file`; false where another process has it, or has given it another name or none meanwhile.
fn lock_while_named(file: &File, path: &Path) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => fs::exists(path),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// `a/b.ts` → `a/.b.ts.<number>.partial`. With [`MAX_NAME_BYTES`](crate::MAX_NAME_BYTES) this stays below the 255 bytes of file systems.
fn hidden_path(target: &Path, number: u64, purpose: Purpose) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}.{number:016x}.{}", purpose.extension()))
}

/// The reverse of [`hidden_path`]; `None` for other files.
fn parse_hidden_path(path: &Path) -> Option<(PathBuf, u64, Purpose)> {
    let name = path.file_name()?.to_str()?.strip_prefix('.')?;
    let (name, extension) = name.rsplit_once('.')?;
    let (name, number) = name.rsplit_once('.')?;
    let purpose = [Purpose::Put, Purpose::Grow]
        .into_iter()
        .find(|purpose| purpose.extension() == extension)?;
    let number = (number.len() == 16).then(|| u64::from_str_radix(number, 16).ok())??;
    super::validate_object(name).ok()?;
    Some((path.with_file_name(name), number, purpose))
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// Whether `error` says that the file system has no hard links: EPERM (FAT, by link(2)), or not supported.
fn lacks_links(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied
    )
}

#[cfg(unix)]
fn is_same_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (fs::symlink_metadata(one), fs::symlink_metadata(other)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

/// Not known here: both names are kept.
#[cfg(not(unix))]
fn is_same_file(_one: &Path, _other: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_names_are_read_back() {
        for purpose in [Purpose::Put, Purpose::Grow] {
            for name in [
                "b.ts",
                "b",
                "b.0000000000000001.partial.ts",
                &"x".repeat(crate::MAX_NAME_BYTES),
            ] {
                let target = Path::new("a").join(name);
                let hidden = hidden_path(&target, 7, purpose);
                assert!(hidden.file_name().unwrap().len() <= 255);
                assert_eq!(parse_hidden_path(&hidden), Some((target, 7, purpose)));
            }
        }
        for other in [
            "a/.b.ts",
            "a/b.ts",
            "a/.x.partial",
            "a/.x.1.partial",
            "a/..0000000000000001.partial",
            "a/.x.000000000000000g.put",
        ] {
            assert_eq!(parse_hidden_path(Path::new(other)), None, "{other}");
        }
    }

    #[test]
    fn a_file_that_lost_its_name_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let file = File::create(&path).unwrap();
        assert!(lock_while_named(&file, &path).unwrap());
        let other = File::open(&path).unwrap();
        assert!(!lock_while_named(&other, &path).unwrap(), "it is locked");
        file.unlock().unwrap();
        fs::remove_file(&path).unwrap();
        assert!(
            !lock_while_named(&other, &path).unwrap(),
            "a recovery was faster"
        );
    }
}
