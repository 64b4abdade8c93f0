//! Our mounts in the kernel's table (/proc/self/mountinfo).

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use super::spec::SOURCE;

/// A line of the table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mounted {
    pub(super) id: u64,
    pub(super) parent: u64,
    pub(super) point: PathBuf,
    pub(super) ours: Option<Ours>,
}

/// What the table says of a union.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ours {
    pub(super) work: Option<PathBuf>,
    pub(super) served_by_fuse: bool,
}

/// The work directories of all unions in this mount namespace.
pub(super) fn works() -> io::Result<Vec<PathBuf>> {
    Ok(read()?.into_iter().filter_map(|mounted| mounted.ours?.work).collect())
}

/// The device name of a union that fuse-overlayfs serves. The kernel knows nothing
/// of its work directory, so the name tells: escaped, as FUSE's options know commas.
pub(super) fn fuse_source(work: Option<&Path>) -> String {
    let mut source = SOURCE.to_owned();
    let Some(work) = work else { return source };
    source.push(':');
    for byte in work.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                source.push(char::from(*byte));
            }
            other => source.push_str(&format!("%{other:02X}")),
        }
    }
    source
}

impl Mounted {
    pub(super) fn works_in(&self, path: &Path) -> bool {
        self.ours.as_ref().is_some_and(|ours| ours.work.as_deref() == Some(path))
    }
}

pub(super) fn read() -> io::Result<Vec<Mounted>> {
    let table = fs::read("/proc/self/mountinfo")?;
    Ok(table.split(|byte| *byte == b'\n').filter_map(parse).collect())
}

/// The id of the mount that a directory is on.
pub(super) fn mount_id(fd: &OwnedFd) -> io::Result<u64> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd()))?;
    let id = info.lines().find_map(|line| line.strip_prefix("mnt_id:")?.trim().parse().ok());
    id.ok_or_else(|| io::Error::other("/proc does not tell its mount"))
}

/// A line of mountinfo (proc_pid_mountinfo(5)).
fn parse(line: &[u8]) -> Option<Mounted> {
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let number = |field: &[u8]| std::str::from_utf8(field).ok()?.parse().ok();
    let separator = fields.iter().position(|field| *field == b"-")?;
    let [kind, source, options, ..] = fields.get(separator + 1..)? else { return None };
    let path = |escaped: Vec<u8>| PathBuf::from(OsString::from_vec(escaped));
    let ours = if *kind == b"overlay" && *source == SOURCE.as_bytes() {
        let work = options
            .split(|byte| *byte == b',')
            .find_map(|option| option.strip_prefix(b"workdir="))
            .map(|work| path(unescape(work)));
        Some(Ours { work, served_by_fuse: false })
    } else if kind.starts_with(b"fuse") {
        source.strip_prefix(SOURCE.as_bytes()).and_then(|rest| match rest {
            [] => Some(Ours { work: None, served_by_fuse: true }),
            [b':', work @ ..] => {
                Some(Ours { work: Some(path(undo_percent(work))), served_by_fuse: true })
            }
            _ => None,
        })
    } else {
        None
    };
    let point = path(unescape(fields.get(4)?));
    Some(Mounted { id: number(fields.first()?)?, parent: number(fields.get(1)?)?, point, ours })
}

/// Undoes the kernel's `\ooo`.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        if let (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..]) =
            (first, tail)
        {
            out.push(((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'));
            rest = tail;
        } else {
            out.push(*first);
            rest = tail;
        }
    }
    out
}

/// Undoes [`fuse_source`]'s `%XX`.
fn undo_percent(field: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        rest = tail;
        let escaped = match (first, tail) {
            (b'%', [a, b, ..]) => digit(*a).zip(digit(*b)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                out.push(high << 4 | low);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => out.push(*first),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Mounted, Ours, fuse_source, parse, unescape};

    #[test]
    fn escapes_are_undone() {
        assert_eq!(unescape(b"a\\040b\\134c\\09\\"), b"a b\\c\\09\\");
    }

    #[test]
    fn our_overlays_are_told_from_others() {
        let ours = b"1 2 0:3 / /mnt/a\\040b rw,relatime - overlay union-mount rw,upperdir=/u,\
                     workdir=/t/.union-mount-work.1,index=off";
        let work = Some("/t/.union-mount-work.1".into());
        let expected = Mounted {
            id: 1,
            parent: 2,
            point: "/mnt/a b".into(),
            ours: Some(Ours { work, served_by_fuse: false }),
        };
        assert_eq!(parse(ours), Some(expected));
        let others = parse(b"1 2 0:3 / /mnt rw - overlay overlay rw").unwrap();
        assert_eq!(others.ours, None);
        assert_eq!(parse(b""), None);
    }

    #[test]
    fn a_fuse_mount_tells_its_work_directory() {
        let work = Path::new("/t/a,b:%c \u{e9}/.union-mount-work.1");
        let source = fuse_source(Some(work));
        assert_eq!(source, "union-mount:/t/a%2Cb%3A%25c%20%C3%A9/.union-mount-work.1");
        let line = |source: &str| {
            let line = format!("1 2 0:3 / /mnt rw - fuse.fuse-overlayfs {source} rw,user_id=0");
            parse(line.as_bytes()).unwrap().ours
        };
        assert_eq!(line(&source), Some(Ours { work: Some(work.to_owned()), served_by_fuse: true }));
        assert_eq!(line("union-mount"), Some(Ours { work: None, served_by_fuse: true }));
        assert_eq!(line("union-mounts"), None);
        assert_eq!(line("fuse-overlayfs"), None);
    }
}
