//! Objects in files of their own, as git writes each new one: `objects/ab/cdef…`, compressed, after a header
//! `KIND SIZE\0`. libgit2 1.9.7 never ends over one that is cut off, as a loss of power leaves it, so they are read here.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_zlib_with_limit};
use nix::fcntl::OFlag;

use super::object::{Kind, ObjectId};
use super::store::Object;

/// Longest header, in bytes.
const LONGEST_HEADER: usize = 64;

/// Why a file is not the object.
#[derive(Debug)]
pub(super) enum Unusable {
    /// The system says no.
    Io(io::Error),
    /// It is not what was written.
    Damaged(&'static str),
    /// It has so many bytes, more than were asked for.
    TooLarge(u64),
}

/// Reads the object of that id below a directory of objects; `None` when it has no file of its own there. Whether it is
/// what its id stands for is not looked at.
pub(super) fn read(objects: &Path, id: &ObjectId, most: u64) -> Result<Option<Object>, Unusable> {
    let Some((begin, rest)) = id.as_str().split_at_checked(2) else {
        return Ok(None);
    };
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let mut options = fs::OpenOptions::new();
    options.read(true).custom_flags(flags.bits());
    let file = match options.open(objects.join(begin).join(rest)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Unusable::Io(error)),
    };
    // What cannot be made smaller becomes a little larger.
    let largest = most.saturating_add(most / 100).saturating_add(4096);
    let mut bytes = Vec::new();
    file.take(largest)
        .read_to_end(&mut bytes)
        .map_err(Unusable::Io)?;
    inflate(&bytes, most).map(Some)
}

fn inflate(bytes: &[u8], most: u64) -> Result<Object, Unusable> {
    let limit = usize::try_from(most).unwrap_or(usize::MAX);
    let limit = limit.saturating_add(LONGEST_HEADER);
    let (whole, content) = match decompress_to_vec_zlib_with_limit(bytes, limit) {
        Ok(content) => (true, content),
        Err(error) if error.status == TINFLStatus::HasMoreOutput => (false, error.output),
        Err(error) if error.status == TINFLStatus::FailedCannotMakeProgress => {
            // Too large a file was not read to its end either.
            (false, error.output)
        }
        Err(_) => return Err(Unusable::Damaged("it cannot be decompressed")),
    };
    let damaged = || Unusable::Damaged("its header says neither kind nor size");
    let end = content
        .iter()
        .take(LONGEST_HEADER)
        .position(|byte| *byte == 0);
    let end = end.ok_or_else(damaged)?;
    let header = content
        .get(..end)
        .and_then(|header| std::str::from_utf8(header).ok());
    let (kind, size) = header
        .and_then(|header| header.split_once(' '))
        .ok_or_else(damaged)?;
    let kind = Kind::from_word(kind).ok_or_else(damaged)?;
    let size: u64 = size.parse().map_err(|_| damaged())?;
    if most < size {
        return Err(Unusable::TooLarge(size));
    }
    let bytes = content.get(end + 1..).unwrap_or_default().to_owned();
    match whole && bytes.len() as u64 == size {
        true => Ok(Object { kind, bytes }),
        false => Err(Unusable::Damaged("it is cut off")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Unusable, inflate};
    use miniz_oxide::deflate::compress_to_vec_zlib;

    fn shown(bytes: &[u8], most: u64) -> String {
        match inflate(bytes, most) {
            Ok(object) => format!("{} {}", object.kind.word(), object.bytes.len()),
            Err(Unusable::Damaged(why)) => why.to_owned(),
            Err(Unusable::TooLarge(size)) => format!("{size} bytes"),
            Err(Unusable::Io(error)) => error.to_string(),
        }
    }

    #[test]
    fn what_is_cut_off_or_turned_comes_to_an_end() {
        let text = [b"blob 3000\0".as_slice(), &[b'x'; 3000]].concat();
        let good = compress_to_vec_zlib(&text, 6);
        assert_eq!(shown(&good, 3000), "blob 3000");
        assert_eq!(shown(&good, 2999), "3000 bytes");
        assert_eq!(shown(&good, 10), "3000 bytes");
        for cut in 0..good.len() {
            assert!(!shown(&good[..cut], 3000).starts_with("blob"), "{cut}");
        }
        for turned in 0..good.len() {
            let mut bad = good.clone();
            bad[turned] ^= 0x10;
            assert_ne!(shown(&bad, 3000), "blob 3000", "{turned}");
        }
        let check = |text: &[u8], expect: &str| {
            assert_eq!(shown(&compress_to_vec_zlib(text, 6), 3000), expect);
        };
        check(b"blob 2\0abc", "it is cut off");
        check(b"blob 4\0abc", "it is cut off");
        check(b"blob x\0abc", "its header says neither kind nor size");
        check(b"ball 3\0abc", "its header says neither kind nor size");
        check(b"blob 3", "its header says neither kind nor size");
        check(b"", "its header says neither kind nor size");
        assert_eq!(shown(b"", 3000), "its header says neither kind nor size");
    }
}
