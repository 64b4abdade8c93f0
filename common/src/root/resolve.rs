//! From a path to a descriptor, within the root: openat2(2), or the walk that
//! stands in for it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering;

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::Root;
use super::locate::{End, Last, Links, Walked, walk};

/// How often a resolution that raced with a rename is begun again before the
/// walk, which does not mind, takes over.
const MAX_RACES: usize = 64;

/// The longest path handed to the kernel at once, with room for the final NUL.
const MAX_CHUNK_BYTES: usize = 4000;

/// Opens `path`, links followed as in a chroot.
pub(super) fn open(root: &Root, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    // An empty path names nothing for the kernel, and the root for us.
    let whole = if path.is_empty() { b"." } else { path };
    match openat2(root, root.as_fd(), whole, flags, resolve) {
        Some(outcome) => outcome,
        None => by_components(root.as_fd(), path, flags),
    }
}

/// Opens a directory below `start` by the names of real directories.
pub(super) fn open_real(
    root: &Root,
    start: BorrowedFd<'_>,
    names: &[&[u8]],
    flags: OFlags,
) -> Result<OwnedFd, Errno> {
    let [first, rest @ ..] = names else {
        return rustix::fs::openat(start, c".", flags, Mode::empty());
    };
    if rest.is_empty() {
        // One component that is not followed needs no help to stay where it is.
        return rustix::fs::openat(start, *first, flags, Mode::empty());
    }
    let path = super::join(names);
    if path.len() <= MAX_CHUNK_BYTES {
        let resolve =
            ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS;
        if let Some(outcome) = openat2(root, start, &path, flags, resolve) {
            return outcome;
        }
    }
    let passing = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut at = rustix::fs::openat(start, *first, passing, Mode::empty())?;
    for (index, name) in rest.iter().enumerate() {
        let flags = if index + 1 == rest.len() { flags } else { passing };
        at = rustix::fs::openat(&at, *name, flags, Mode::empty())?;
    }
    Ok(at)
}

/// openat2(2), or `None` where it cannot be had.
fn openat2(
    root: &Root,
    start: BorrowedFd<'_>,
    path: &[u8],
    flags: OFlags,
    resolve: ResolveFlags,
) -> Option<Result<OwnedFd, Errno>> {
    if !root.openat2.load(Ordering::Relaxed) {
        return None;
    }
    for _ in 0..MAX_RACES {
        match rustix::fs::openat2(start, path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN) => {}
            // Seccomp filters from before openat2 answer EPERM; it never does so
            // itself for the flags that we use.
            Err(Errno::NOSYS | Errno::PERM) => {
                root.openat2.store(false, Ordering::Relaxed);
                return None;
            }
            outcome => return Some(outcome),
        }
    }
    None
}

/// The walk that does without it.
fn by_components(root: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let must_be_directory = path.ends_with(b"/");
    let itself = flags.contains(OFlags::NOFOLLOW) && !must_be_directory;
    let last = if itself { Last::Itself } else { Last::Followed };
    let walked = walk(root, path, last, Links::FOLLOWED);
    let Walked { above, end } = walked.map_err(|error| error.errno())?;
    let at = above.last().map_or(root, |(_, fd)| fd.as_fd());
    match end {
        End::Directory => rustix::fs::openat(at, c".", flags, Mode::empty()),
        End::Other(..) if must_be_directory => Err(Errno::NOTDIR),
        End::Other(name, _) => {
            rustix::fs::openat(at, &name, flags | OFlags::NOFOLLOW, Mode::empty())
        }
        End::Missing(_) => Err(Errno::NOENT),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::symlink;

    use rustix::fs::OFlags;
    use rustix::io::Errno;

    use super::Root;

    /// What both ways of resolving say, which must be the same.
    fn resolve(top: &std::path::Path, path: &str, flags: OFlags) -> Result<(u64, u64), Errno> {
        let answers =
            [Root::open(top).unwrap(), Root::open(top).unwrap().without_openat2()].map(|root| {
                let found = root.open_path(path.as_bytes(), flags)?;
                let stat = rustix::fs::fstat(&found)?;
                Ok((stat.st_dev, stat.st_ino))
            });
        assert_eq!(answers[0], answers[1], "{path}");
        answers[0]
    }

    #[test]
    fn links_resolve_within_the_root_either_way() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().join("root");
        fs::create_dir_all(top.join("usr/lib/deep")).unwrap();
        fs::create_dir(top.join("run")).unwrap();
        fs::create_dir(top.join("var")).unwrap();
        fs::write(top.join("usr/lib/file"), "in").unwrap();
        fs::write(folder.path().join("canary"), "out").unwrap();
        symlink("usr/lib", top.join("lib")).unwrap();
        symlink("/run", top.join("var/run")).unwrap();
        symlink("../../../../canary", top.join("up")).unwrap();
        symlink("../../../../usr/lib", top.join("var/lib")).unwrap();
        symlink("loop", top.join("loop")).unwrap();
        symlink("/", top.join("top")).unwrap();
        let identity = |path: &str| {
            let stat = rustix::fs::lstat(top.join(path)).unwrap();
            Ok((stat.st_dev, stat.st_ino))
        };
        let path = OFlags::PATH;
        assert_eq!(resolve(&top, "", path), identity(""));
        assert_eq!(resolve(&top, "lib/file", path), identity("usr/lib/file"));
        assert_eq!(resolve(&top, "var/run", path), identity("run"));
        assert_eq!(resolve(&top, "var/run", path | OFlags::NOFOLLOW), identity("var/run"));
        assert_eq!(resolve(&top, "var/lib/deep/..", path), identity("usr/lib"));
        assert_eq!(resolve(&top, "top/top/lib", path), identity("usr/lib"));
        assert_eq!(resolve(&top, "../../usr", path), identity("usr"));
        assert_eq!(resolve(&top, "up", path), Err(Errno::NOENT));
        assert_eq!(resolve(&top, "loop", path), Err(Errno::LOOP));
        assert_eq!(resolve(&top, "usr/lib/file/", path), Err(Errno::NOTDIR));
        assert_eq!(resolve(&top, "usr/lib/file/x", path), Err(Errno::NOTDIR));
        assert_eq!(resolve(&top, "absent", path), Err(Errno::NOENT));
    }

    #[test]
    fn names_of_real_directories_pass_no_link() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/b/c")).unwrap();
        symlink("b", folder.path().join("a/link")).unwrap();
        for root in [
            Root::open(folder.path()).unwrap(),
            Root::open(folder.path()).unwrap().without_openat2(),
        ] {
            assert!(root.open_real(root.as_fd(), &[b"a", b"b", b"c"]).is_ok());
            for names in [&[&b"a"[..], b"link", b"c"][..], &[b"a", b"link"]] {
                let refused = root.open_real(root.as_fd(), names).unwrap_err();
                assert!(matches!(refused, Errno::LOOP | Errno::NOTDIR), "{refused}");
            }
        }
    }

    #[test]
    fn magic_links_are_not_followed() {
        for root in [Root::open("/proc".as_ref()), Root::open("/proc".as_ref())] {
            let root = root.unwrap();
            assert!(root.open_path(b"self/root/etc", OFlags::PATH).is_err());
        }
        let walking = Root::open("/proc".as_ref()).unwrap().without_openat2();
        // Read as text, a magic link to `/` leads to our root, never out of it.
        let here = walking.open_path(b"self/root", OFlags::PATH);
        let stat = rustix::fs::fstat(here.unwrap()).unwrap();
        assert_eq!(stat.st_ino, rustix::fs::lstat("/proc").unwrap().st_ino);
    }

    #[test]
    fn only_regular_files_are_opened_as_files() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("passwd"), "root").unwrap();
        symlink("/dev/zero", folder.path().join("zero")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            folder.path().join("fifo"),
            rustix::fs::FileType::Fifo,
            0o600.into(),
            0,
        )
        .unwrap();
        for root in [
            Root::open(folder.path()).unwrap(),
            Root::open(folder.path()).unwrap().without_openat2(),
        ] {
            assert!(root.open_file(b"/passwd").is_ok());
            assert_eq!(root.open_file(b"fifo").unwrap_err(), Errno::INVAL);
            assert_eq!(root.open_file(b"zero").unwrap_err(), Errno::NOENT);
            assert_eq!(root.open_file(b".").unwrap_err(), Errno::ISDIR);
        }
    }
}
