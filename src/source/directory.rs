//! A directory of the file system as a [`Tree`]. The kernel itself sees to it that no link and no `..` leads out
//! (`openat2(2)`, `RESOLVE_BENEATH`), at the moment at which a file is opened and not before.
#![expect(
    clippy::disallowed_methods,
    reason = "reads the operator's policy from the file system"
)]

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

use super::tree::{Entry, Tree, Unreadable};

/// A directory.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    root: OwnedFd,
}

impl Directory {
    /// Opens a directory; where it lies itself is the operator's decision, links included.
    ///
    /// # Errors
    /// The system's reason.
    pub fn open(path: &Path) -> io::Result<Self> {
        let here = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        Ok(Self {
            path: path.to_owned(),
            root: File::open(here)?.into(),
        })
    }

    fn open_below(&self, path: &str, flags: OFlag) -> Result<File, Unreadable> {
        let how = OpenHow::new()
            // Opening a pipe would wait for a writer.
            .flags(OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | flags)
            .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        let path = if path.is_empty() { "." } else { path };
        match openat2(&self.root, path, how) {
            Ok(file) => Ok(file.into()),
            Err(Errno::ENOENT) => Err(Unreadable::Missing),
            Err(Errno::EXDEV) => Err(Unreadable::LeadsOut),
            // A socket, a device without a driver, a link to itself, a file where a directory should be.
            Err(Errno::ENXIO | Errno::ENODEV | Errno::ELOOP) => Err(Unreadable::NotAFile),
            Err(Errno::ENOTDIR) => Err(Unreadable::Missing),
            Err(errno) => Err(Unreadable::Io(errno.into())),
        }
    }
}

impl Tree for Directory {
    fn list(&self, directory: &str) -> Result<Vec<Entry>, Unreadable> {
        // Says whether the path leads out. Names that are read below are opened one by one in the same way.
        self.open_below(directory, OFlag::O_DIRECTORY)?;
        let read = fs::read_dir(Path::new(".").join(&self.path).join(directory));
        let mut entries = Vec::new();
        for entry in read.map_err(Unreadable::Io)? {
            let entry = entry.map_err(Unreadable::Io)?;
            let kind = entry.file_type().map_err(Unreadable::Io)?;
            entries.push(Entry {
                name: entry.file_name().to_string_lossy().into_owned(),
                may_hold_more: kind.is_dir() || kind.is_symlink(),
            });
        }
        Ok(entries)
    }

    fn read(&self, file: &str, most: u64) -> Result<Vec<u8>, Unreadable> {
        const OTHERS_WRITE: u32 = 0o002;
        let file = self.open_below(file, OFlag::empty())?;
        let kind = file.metadata().map_err(Unreadable::Io)?;
        if !kind.is_file() {
            return Err(Unreadable::NotAFile);
        }
        if kind.mode() & OTHERS_WRITE != 0 {
            return Err(Unreadable::WorldWritable);
        }
        let expected = usize::try_from(kind.len().min(most)).unwrap_or_default();
        let mut text = Vec::with_capacity(expected + 1);
        let read = file.take(most).read_to_end(&mut text);
        read.map_err(Unreadable::Io)?;
        Ok(text)
    }

    fn name(&self, file: &str) -> String {
        self.path.join(file).display().to_string()
    }
}
