//! Where something is mounted inside the root, and how far the image decides that.
//!
//! The text of a target is cleaned first, as docker cleans it: `.` and `..` never reach the
//! file system. The links that the root holds are then treated by what they could do:
//!
//! | target | links |
//! |---|---|
//! | `/proc`, `/sys`, `/dev`, and everything below | refused, in any component |
//! | any other | followed inside the root, but not into those three, and not to the root |
//!
//! With procfs mounted where an image's link `/proc -> /` leads, `/..` would be the host's
//! procfs, and its masks would lie elsewhere. Links elsewhere are common in real images
//! (`/var/run -> /run`, `/etc/resolv.conf -> ../run/systemd/resolve/stub-resolv.conf`).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, mkdirat, openat};

use super::Error;
use super::inside;
use crate::name::show;
use crate::root::{Links, Located, Missing, Unreachable, locate};

/// The directories that the sandbox has file systems of its own on.
pub(super) const SYSTEM: [&str; 3] = ["proc", "sys", "dev"];

/// The files below /proc that may be mounted on, as runc has it: none of them is read by a
/// sandbox itself.
const WITHIN_PROC: [&str; 10] = [
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/slabinfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/sys/crypto/fips_enabled",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/uptime",
];

/// The two shapes of a mount point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Directory,
    File,
}

impl Shape {
    /// The shape of a mount point for a source of this kind.
    pub(super) fn of(source: FileType) -> Self {
        match source {
            FileType::Directory => Self::Directory,
            _ => Self::File,
        }
    }
}

/// A path inside the root, without `.` and `..`. It is not the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target(Vec<Vec<u8>>);

impl Target {
    /// Cleans the text of a target.
    pub(super) fn new(text: &[u8]) -> Result<Self, Error> {
        let mut names: Vec<Vec<u8>> = Vec::new();
        for name in text.split(|byte| *byte == b'/') {
            match name {
                b"" | b"." => {}
                b".." => {
                    names.pop();
                }
                name => names.push(name.to_vec()),
            }
        }
        match names.is_empty() {
            true => Err(Error::new(format!("cannot mount on {}: it is the root", show(text)))),
            false => Ok(Self(names)),
        }
    }

    /// One of the sandbox's own: `text` has no `.` and no `..`.
    pub(super) fn of_system(text: &str) -> Self {
        let names = text.split('/').filter(|name| !name.is_empty());
        Self(names.map(|name| name.as_bytes().to_vec()).collect())
    }

    /// The target of a mount that somebody asked for. The sandbox itself needs its own
    /// /proc.
    pub(super) fn asked_for(text: &[u8]) -> Result<Self, Error> {
        let target = Self::new(text)?;
        let path = target.path();
        let is_allowed = WITHIN_PROC.iter().any(|allowed| allowed.as_bytes() == path);
        if target.0.first().is_some_and(|name| name == b"proc") && !is_allowed {
            let what = format!("cannot mount on {}: the sandbox needs its own /proc", show(&path));
            return Err(Error::new(what));
        }
        Ok(target)
    }

    /// Its path, with a slash at the front.
    pub(super) fn path(&self) -> Vec<u8> {
        self.0.iter().flat_map(|name| [&b"/"[..], name]).collect::<Vec<_>>().concat()
    }

    /// Whether it is one of the sandbox's own directories, or below one.
    pub(super) fn is_system(&self) -> bool {
        self.0.first().is_some_and(|first| SYSTEM.iter().any(|name| name.as_bytes() == first))
    }

    /// Whether it is `above` or below it, by its name.
    pub(super) fn is_within(&self, above: &Self) -> bool {
        self.0.starts_with(&above.0)
    }

    /// Its path from `above`, which it is within.
    pub(super) fn below(&self, above: &Self) -> Vec<u8> {
        self.0.get(above.0.len()..).unwrap_or_default().join(&b'/')
    }

    /// The links that may lead to it.
    fn links(&self) -> Links<'static> {
        match self.is_system() {
            true => Links::Refused,
            false => Links::Within { barred: &SYSTEM },
        }
    }

    /// Looks it up in `root`.
    pub(super) fn locate(&self, root: BorrowedFd<'_>) -> Result<Located, Error> {
        self.locate_below(root, &self.path())
    }

    /// Looks up `path`, its path from `start`.
    pub(super) fn locate_below(
        &self,
        start: BorrowedFd<'_>,
        path: &[u8],
    ) -> Result<Located, Error> {
        match locate(start, path, self.links())
            .map_err(|unreachable| self.unreachable(unreachable))?
        {
            Located::Found { path, .. } if path.is_empty() && !self.is_system() => {
                Err(Error::new(format!("{}: a symbolic link leads to the root", self.about())))
            }
            located => Ok(located),
        }
    }

    /// Refuses what is no mount point of this shape.
    pub(super) fn check(&self, found: &OwnedFd, shape: Shape) -> Result<(), Error> {
        let kind = inside::kind(found).map_err(|error| self.refused(error))?;
        let is_right = match shape {
            Shape::Directory => kind == FileType::Directory,
            // Devices of our own are files that others may be mounted on.
            Shape::File if self.is_system() => kind != FileType::Directory,
            Shape::File => kind == FileType::RegularFile,
        };
        let instead = match shape {
            _ if is_right => return Ok(()),
            Shape::Directory => ", not a directory",
            Shape::File => "",
        };
        Err(Error::new(format!("{}: it is {}{instead}", self.about(), name_of(kind))))
    }

    fn about(&self) -> String {
        format!("cannot mount on {}", show(&self.path()))
    }

    /// A step that the system refused for this target.
    pub(super) fn refused(&self, error: io::Error) -> Error {
        Error::system(self.about(), error)
    }

    fn unreachable(&self, unreachable: Unreachable) -> Error {
        match unreachable {
            Unreachable::System(error) => self.refused(error),
            other => Error::new(format!("{}: {other}", self.about())),
        }
    }
}

fn name_of(kind: FileType) -> &'static str {
    match kind {
        FileType::Directory => "a directory",
        FileType::RegularFile => "a regular file",
        FileType::Symlink => "a symbolic link",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Unknown => "of an unknown kind",
    }
}

/// Is told of each mount point that is made: where, its name and its shape.
pub(super) type Telling<'a> = dyn FnMut(BorrowedFd<'_>, &[u8], Shape) -> io::Result<()> + 'a;

/// Makes `rest` below `parent`, the last of the given shape, telling `made` of each.
pub(super) fn make(
    parent: OwnedFd,
    rest: &[Vec<u8>],
    shape: Shape,
    made: &mut Telling<'_>,
) -> io::Result<()> {
    let mut parent = parent;
    for (place, name) in rest.iter().enumerate() {
        if place + 1 == rest.len() && shape == Shape::File {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
            match openat(&parent, name.as_slice(), flags, Mode::from_raw_mode(0o644)) {
                Ok(_) => made(parent.as_fd(), name, Shape::File)?,
                Err(rustix::io::Errno::EXIST) => {}
                Err(errno) => return Err(errno.into()),
            }
        } else {
            let child = make_directory(parent.as_fd(), name)?;
            made(parent.as_fd(), name, Shape::Directory)?;
            parent = child;
        }
    }
    Ok(())
}

/// Makes a missing mount point where it is missing.
pub(super) fn create(missing: &Missing, shape: Shape) -> io::Result<()> {
    let parent = inside::duplicate(missing.parent.as_fd())?;
    make(parent, &missing.rest, shape, &mut |_, _, _| Ok(()))
}

/// Makes a directory, if it is not there, and opens it.
pub(super) fn make_directory(parent: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<OwnedFd> {
    match mkdirat(parent, name, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => inside::open_directory(parent, name),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::Target;

    fn target(text: &str) -> Target {
        Target::new(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_target_is_cleaned_before_it_is_looked_up() {
        for text in ["/dev/shm", "dev//shm/", "/x/../dev/./shm", "/../dev/shm"] {
            assert_eq!(target(text), Target::of_system("/dev/shm"), "{text}");
        }
        for text in ["", "/", "/.", "..", "/a/..", "a/../../"] {
            assert!(Target::new(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn links_lead_to_no_mount_of_the_sandbox() {
        use std::os::fd::AsFd as _;
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        for name in ["dev", "run"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        for (name, to) in
            [("a", "dev"), ("b", "/sys/x"), ("c", ".."), ("d", "run/.."), ("e", "run")]
        {
            symlink(to, dir.path().join(name)).unwrap();
        }
        symlink("/", dir.path().join("proc")).unwrap();
        let root = std::fs::File::open(dir.path()).unwrap();
        let refusal = |path: &str| target(path).locate(root.as_fd()).map(drop).err();
        for path in ["/a", "/a/shm", "/b", "/c", "/d", "/c/proc", "/proc", "/proc/x"] {
            assert!(refusal(path).is_some(), "{path}");
        }
        for path in ["/dev", "/dev/shm", "/e", "/e/x", "/d/run", "/sys"] {
            assert!(refusal(path).is_none(), "{path}");
        }
    }

    #[test]
    fn the_sandbox_keeps_its_own_proc() {
        for text in ["/proc", "proc/", "/x/../proc/self", "/proc/2", "/proc/sys"] {
            assert!(Target::asked_for(text.as_bytes()).is_err(), "{text}");
        }
        for text in ["/proc/meminfo", "/processes", "/sys/fs/cgroup", "/dev/null", "/a/proc"] {
            assert!(Target::asked_for(text.as_bytes()).is_ok(), "{text}");
        }
    }

    #[test]
    fn within_is_decided_by_components() {
        assert!(target("/run/x").is_within(&target("run")));
        assert!(target("dev/pts").is_within(&target("/dev/")));
        assert!(target("/run").is_within(&target("/run")));
        assert!(!target("/running").is_within(&target("/run")));
        assert_eq!(target("/dev/a/b").below(&target("/dev")), b"a/b");
    }
}
