//! Mount points that the image lacks, made so that nothing of them stays.
//!
//! For an overlay they are one more lower layer, on top of the image's own: the
//! upper directory never sees them. For a plain directory they are made in it and
//! removed when the command has ended, with the time of the directory around them
//! put back unless the command changed it too.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, Timespec, Timestamps, mkdirat, openat, statat, unlinkat,
    utimensat,
};

use super::Error;
use super::error::Trying as _;
use super::inside;
use super::plan::{Plan, SourcePlan};
use crate::mount::upper::{copy_attributes, copy_xattrs};
use crate::root::{Located, Missing};

/// What a mount point must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Directory,
    File,
}

/// Something that will be mounted on.
#[derive(Debug)]
struct Target {
    path: Vec<u8>,
    shape: Shape,
}

/// Everything that will be mounted on the root itself. What goes below an earlier
/// mount is that mount's affair.
fn targets(plan: &Plan, descriptors: &[OwnedFd]) -> Result<Vec<Target>, Error> {
    let fixed = super::mounts::FIXED.iter().map(|path| (*path, Shape::Directory));
    let etc = super::etc::FILES.iter().map(|path| (*path, Shape::File));
    let mut targets: Vec<Target> = fixed
        .chain(etc)
        .map(|(path, shape)| Target { path: path.as_bytes().to_vec(), shape })
        .collect();
    for mount in &plan.mounts {
        let shape = match &mount.source {
            SourcePlan::Mask => continue,
            SourcePlan::Tmpfs(_) => Shape::Directory,
            SourcePlan::Fd(place) => {
                let fd = descriptors.get(*place).ok_or_else(|| Error::new("no such descriptor"))?;
                match inside::kind(fd).trying(|| "a mount's source".into())? {
                    FileType::Directory => Shape::Directory,
                    _ => Shape::File,
                }
            }
            SourcePlan::Path(path) => {
                let path = path.path();
                let about = || format!("{}", crate::name::show_path(&path));
                match std::fs::metadata(&path).trying(about)?.is_dir() {
                    true => Shape::Directory,
                    false => Shape::File,
                }
            }
        };
        let path = mount.target.0.clone();
        if !targets.iter().any(|earlier| is_below(&path, &earlier.path)) {
            targets.push(Target { path, shape });
        }
    }
    Ok(targets)
}

/// Whether `path` is in the directory `above`, by its name.
fn is_below(path: &[u8], above: &[u8]) -> bool {
    let trim = |path: &[u8]| path.split(|b| *b == b'/').filter(|c| !c.is_empty()).count();
    let components = |path: &[u8]| {
        path.split(|b| *b == b'/').filter(|c| !c.is_empty()).map(<[u8]>::to_vec).collect::<Vec<_>>()
    };
    trim(path) > trim(above) && components(path).starts_with(&components(above))
}

/// The targets that are missing in `root`.
fn missing(root: BorrowedFd<'_>, targets: Vec<Target>) -> Result<Vec<(Missing, Shape)>, Error> {
    let mut missing = Vec::new();
    for target in targets {
        let about = || format!("mount point {}", crate::name::show(&target.path));
        if let Located::Missing(place) = inside::locate(root, &target.path).trying(about)? {
            missing.push((place, target.shape));
        }
    }
    Ok(missing)
}

/// Fills `layer` with the mount points that `root` lacks, each directory on the
/// way with the attributes it has in `root`. Tells whether there were any.
pub(super) fn fill_layer(
    root: BorrowedFd<'_>,
    layer: BorrowedFd<'_>,
    plan: &Plan,
    descriptors: &[OwnedFd],
) -> Result<bool, Error> {
    let missing = missing(root, targets(plan, descriptors)?)?;
    // The attributes last: whatever is made in a directory changes its time.
    let mut copies: Vec<(OwnedFd, OwnedFd)> = Vec::new();
    let fill = |(place, shape): &(Missing, Shape), copies: &mut Vec<_>| -> io::Result<()> {
        let mut original = duplicate(root)?;
        let mut copy = duplicate(layer)?;
        for name in &place.at {
            copies.push((duplicate(original.as_fd())?, duplicate(copy.as_fd())?));
            original = open_directory(original.as_fd(), name)?;
            copy = make_directory(copy.as_fd(), name)?;
        }
        copies.push((original, duplicate(copy.as_fd())?));
        make(copy, &place.rest, *shape, &mut |_, _, _| Ok(()))
    };
    for one in &missing {
        fill(one, &mut copies).trying(|| "cannot make mount points".into())?;
    }
    for (original, copy) in copies.iter().rev() {
        copy_attributes(original.as_fd(), copy.as_fd())
            .map_err(io::Error::from)
            .and_then(|()| copy_xattrs(original.as_fd(), copy.as_fd()))
            .trying(|| "cannot make mount points".into())?;
    }
    Ok(!missing.is_empty())
}

fn duplicate(fd: BorrowedFd<'_>) -> rustix::io::Result<OwnedFd> {
    rustix::io::fcntl_dupfd_cloexec(fd, 3)
}

fn open_directory(parent: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(parent, name, flags, Mode::empty())
}

fn make_directory(parent: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<OwnedFd> {
    match mkdirat(parent, name, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => open_directory(parent, name),
        Err(errno) => Err(errno),
    }
}

/// Is told of each mount point that is made: where, its name and what it is.
type Telling<'a> = dyn FnMut(BorrowedFd<'_>, &[u8], Shape) -> io::Result<()> + 'a;

/// Makes `rest` below `parent`, the last of the given shape, telling `made` of each.
fn make(parent: OwnedFd, rest: &[Vec<u8>], shape: Shape, made: &mut Telling<'_>) -> io::Result<()> {
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
    make(duplicate(missing.parent.as_fd())?, &missing.rest, shape, &mut |_, _, _| Ok(()))
}

/// Makes a directory at `path` inside `root`, and those above it, if it is missing.
pub(super) fn make_directory_at(root: BorrowedFd<'_>, path: &[u8]) -> Result<(), Error> {
    let about = || format!("working directory {}", crate::name::show(path));
    match inside::locate(root, path).trying(about)? {
        Located::Found(_) => Ok(()),
        Located::Missing(missing) => create(&missing, Shape::Directory).trying(about),
    }
}

/// Mount points made in a directory, to be removed.
#[derive(Debug, Default)]
pub(super) struct Stubs {
    made: Vec<Made>,
    /// Directories around them: their times before, and after all was made.
    times: Vec<(OwnedFd, Times, Times)>,
}

#[derive(Debug)]
struct Made {
    parent: OwnedFd,
    name: Vec<u8>,
    shape: Shape,
    inode: u64,
}

/// Access and modification.
type Times = [(i64, i64); 2];

impl Stubs {
    /// Makes the mount points that the directory `root` lacks.
    pub(super) fn in_directory(
        root: &Path,
        plan: &Plan,
        descriptors: &[OwnedFd],
    ) -> Result<Self, Error> {
        let about = || format!("{}", crate::name::show_path(root));
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(CWD, root, flags, Mode::empty()).trying(about)?;
        let mut stubs = Self::default();
        for target in targets(plan, descriptors)? {
            // One at a time: a later one may be in a directory made for an earlier.
            for (place, shape) in missing(root.as_fd(), vec![target])? {
                stubs.add(&place, shape).trying(|| "cannot make mount points".into())?;
            }
        }
        for (directory, _, after) in &mut stubs.times {
            *after = times(directory.as_fd()).trying(about)?;
        }
        Ok(stubs)
    }

    fn add(&mut self, place: &Missing, shape: Shape) -> io::Result<()> {
        let parent = || duplicate(place.parent.as_fd());
        let before = times(place.parent.as_fd())?;
        let inode = |fd: BorrowedFd<'_>| Ok::<_, io::Error>(metadata(fd)?.ino());
        let here = inode(place.parent.as_fd())?;
        let known = self.times.iter().any(|(fd, ..)| inode(fd.as_fd()).is_ok_and(|i| i == here));
        if !known {
            self.times.push((parent()?, before, before));
        }
        make(parent()?, &place.rest, shape, &mut |parent, name, shape| {
            let stat = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
            let (parent, name) = (duplicate(parent)?, name.to_vec());
            self.made.push(Made { parent, name, shape, inode: stat.st_ino });
            Ok(())
        })
    }

    /// Removes them again, but for those that the command made its own.
    pub(super) fn remove(self) {
        let untouched: Vec<bool> = self
            .times
            .iter()
            .map(|(fd, _, after)| times(fd.as_fd()).is_ok_and(|now| now[1] == after[1]))
            .collect();
        for made in self.made.iter().rev() {
            let name = made.name.as_slice();
            let Ok(stat) = statat(&made.parent, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            let empty = made.shape == Shape::Directory || stat.st_size == 0;
            if stat.st_ino == made.inode && empty {
                let flags = match made.shape {
                    Shape::Directory => AtFlags::REMOVEDIR,
                    Shape::File => AtFlags::empty(),
                };
                let _ = unlinkat(&made.parent, name, flags);
            }
        }
        for ((fd, before, _), untouched) in self.times.iter().zip(untouched) {
            if untouched {
                let timespec = |(tv_sec, ns): (i64, i64)| Timespec { tv_sec, tv_nsec: ns as _ };
                let [access, modification] = before.map(timespec);
                let times = Timestamps { last_access: access, last_modification: modification };
                let _ = utimensat(fd, ".", &times, AtFlags::SYMLINK_NOFOLLOW);
            }
        }
    }
}

fn metadata(fd: BorrowedFd<'_>) -> io::Result<std::fs::Metadata> {
    std::fs::File::from(duplicate(fd)?).metadata()
}

fn times(fd: BorrowedFd<'_>) -> io::Result<Times> {
    let metadata = metadata(fd)?;
    Ok([(metadata.atime(), metadata.atime_nsec()), (metadata.mtime(), metadata.mtime_nsec())])
}

#[cfg(test)]
mod tests {
    use super::is_below;

    #[test]
    fn below_is_decided_by_components() {
        assert!(is_below(b"/run/x", b"run"));
        assert!(is_below(b"dev/pts", b"/dev/"));
        assert!(!is_below(b"/running", b"/run"));
        assert!(!is_below(b"/run", b"/run"));
    }
}
