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
    AtFlags, CWD, Mode, OFlags, Timespec, Timestamps, openat, statat, unlinkat, utimensat,
};

use super::Error;
use super::error::Trying as _;
use super::inside;
use super::plan::{Plan, SourcePlan};
use super::target::{SYSTEM, Shape, Target, create, make, make_directory};
use crate::mount::upper::{copy_attributes, copy_xattrs};
use crate::root::{Links, Located, Missing, Unreachable, locate};

/// Something that will be mounted on.
#[derive(Debug)]
struct Wanted {
    target: Target,
    shape: Shape,
}

/// Everything that will be mounted on the root itself. What goes below an earlier
/// mount is that mount's affair.
fn wanted(plan: &Plan, descriptors: &[OwnedFd]) -> Result<Vec<Wanted>, Error> {
    let fixed = SYSTEM.iter().map(|name| (*name, Shape::Directory));
    let etc = super::etc::FILES.iter().map(|path| (*path, Shape::File));
    let mut all: Vec<Wanted> = fixed
        .chain(etc)
        .map(|(path, shape)| Wanted { target: Target::of_system(path), shape })
        .collect();
    for mount in &plan.mounts {
        let shape = match &mount.source {
            SourcePlan::Tmpfs(_) => Shape::Directory,
            SourcePlan::Fd(place) => {
                let fd = descriptors.get(*place).ok_or_else(|| Error::new("no such descriptor"))?;
                Shape::of(inside::kind(fd).trying(|| "a mount's source".into())?)
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
        let target = Target::asked_for(&mount.target.0)?;
        if !all.iter().any(|earlier| target.is_within(&earlier.target)) {
            all.push(Wanted { target, shape });
        }
    }
    Ok(all)
}

/// The mount points that are missing in `root`.
fn missing(root: BorrowedFd<'_>, wanted: Vec<Wanted>) -> Result<Vec<(Missing, Wanted)>, Error> {
    let mut missing = Vec::new();
    for wanted in wanted {
        if let Located::Missing(place) = wanted.target.locate(root)? {
            missing.push((place, wanted));
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
    let missing = missing(root, wanted(plan, descriptors)?)?;
    // The attributes last: whatever is made in a directory changes its time.
    let mut copies: Vec<(OwnedFd, OwnedFd)> = Vec::new();
    let fill = |place: &Missing, shape: Shape, copies: &mut Vec<_>| -> io::Result<()> {
        let mut original = inside::duplicate(root)?;
        let mut copy = inside::duplicate(layer)?;
        for name in &place.at {
            copies.push((inside::duplicate(original.as_fd())?, inside::duplicate(copy.as_fd())?));
            original = inside::open_directory(original.as_fd(), name)?;
            copy = make_directory(copy.as_fd(), name)?;
        }
        copies.push((original, inside::duplicate(copy.as_fd())?));
        make(copy, &place.rest, shape, &mut |_, _, _| Ok(()))
    };
    for (place, Wanted { target, shape }) in &missing {
        fill(place, *shape, &mut copies).map_err(|error| target.refused(error))?;
    }
    for (original, copy) in copies.iter().rev() {
        copy_attributes(original.as_fd(), copy.as_fd())
            .map_err(io::Error::from)
            .and_then(|()| copy_xattrs(original.as_fd(), copy.as_fd()))
            .trying(|| "cannot make mount points".into())?;
    }
    Ok(!missing.is_empty())
}

/// Makes a directory at `path` inside `root`, and those above it, if it is missing.
pub(super) fn make_directory_at(root: BorrowedFd<'_>, path: &[u8]) -> Result<(), Error> {
    let about = || format!("working directory {}", crate::name::show(path));
    match locate(root, path, Links::FOLLOWED) {
        Ok(Located::Found { .. }) => Ok(()),
        Ok(Located::Missing(missing)) => create(&missing, Shape::Directory).trying(about),
        Err(Unreachable::System(error)) => Err(Error::system(about(), error)),
        Err(unreachable) => Err(Error::new(format!("{}: {unreachable}", about()))),
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
        for wanted in wanted(plan, descriptors)? {
            // One at a time: a later one may be in a directory made for an earlier.
            for (place, Wanted { target, shape }) in missing(root.as_fd(), vec![wanted])? {
                stubs.add(&place, shape).map_err(|error| target.refused(error))?;
            }
        }
        for (directory, _, after) in &mut stubs.times {
            *after = times(directory.as_fd()).trying(about)?;
        }
        Ok(stubs)
    }

    fn add(&mut self, place: &Missing, shape: Shape) -> io::Result<()> {
        let parent = || inside::duplicate(place.parent.as_fd());
        let before = times(place.parent.as_fd())?;
        let inode = |fd: BorrowedFd<'_>| Ok::<_, io::Error>(metadata(fd)?.ino());
        let here = inode(place.parent.as_fd())?;
        let known = self.times.iter().any(|(fd, ..)| inode(fd.as_fd()).is_ok_and(|i| i == here));
        if !known {
            self.times.push((parent()?, before, before));
        }
        make(parent()?, &place.rest, shape, &mut |parent, name, shape| {
            let stat = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
            let (parent, name) = (inside::duplicate(parent)?, name.to_vec());
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
    std::fs::File::from(inside::duplicate(fd)?).metadata()
}

fn times(fd: BorrowedFd<'_>) -> io::Result<Times> {
    let metadata = metadata(fd)?;
    Ok([(metadata.atime(), metadata.atime_nsec()), (metadata.mtime(), metadata.mtime_nsec())])
}
