//! The overlay itself: from open directories to a mount that is nowhere yet.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, UnmountFlags, unmount};
use rustix::process::{Pid, WaitOptions};

use super::allowed::Allowed;
use super::branches::{Branches, name, path_of};
use super::context::{Context, attach, tmpfs};
use super::directory::{open_directory, open_or_create};
use super::driver::Server;
use super::error::Error;
use super::namespace::Namespace;
use super::spec::{Durability, Overlay};
use super::upper::copy_attributes;
use super::work::Work;
use super::{fuse, legacy, marks};
use crate::descriptors::AllowMany;

/// Lower directories that one overlay takes (`OVL_MAX_STACK`).
const LIMIT: usize = 500;

/// Takes a line for `--verbose`.
pub(crate) type Tell<'a> = &'a dyn Fn(&str);

/// An overlay's directories, opened.
#[derive(Debug)]
pub(crate) struct Opened {
    /// Base first.
    lowers: Vec<OwnedFd>,
    upper: Option<(OwnedFd, OwnedFd)>,
    server: Server,
    namespace: Namespace,
    durability: Durability,
    /// The process of fuse-overlayfs that served the last mount.
    serving: Cell<Option<Pid>>,
    /// Dropped after what it allows.
    _many: AllowMany,
}

impl Overlay {
    /// Makes the upper directory if it is missing, and the work directory: what
    /// is to be cleaned up once the mount is gone.
    pub(crate) fn prepare(&self) -> Result<Option<Work>, Error> {
        let Some(upper) = &self.upper else { return Ok(None) };
        let top = self.lowers.last().ok_or(Error::NoLayers)?;
        let top = open_directory(top, "cannot open the layer")?;
        let fd = open_or_create(&upper.dir, top.as_fd())?;
        Work::prepare(upper, &fd).map(Some)
    }

    /// Opens every directory, in the mount namespace that is to get the mount.
    /// `work` is what [`Overlay::prepare`] gave.
    pub(crate) fn open(&self, work: Option<&Work>) -> Result<Opened, Error> {
        if self.lowers.is_empty() {
            return Err(Error::NoLayers);
        }
        let many = AllowMany::descriptors();
        let lowers = self.lowers.iter().map(|path| open_directory(path, "cannot open the layer"));
        let lowers = lowers.collect::<Result<_, _>>()?;
        let upper = match (&self.upper, work) {
            (Some(upper), Some(work)) => {
                let fd = open_directory(&upper.dir, "cannot open the upper directory")?;
                let work = work.open(&fd)?;
                if self.server == Server::Kernel {
                    marks::check(&work, self.namespace)?;
                }
                Some((fd, work))
            }
            _ => None,
        };
        let (server, namespace, durability) = (self.server, self.namespace, self.durability);
        let serving = Cell::new(None);
        Ok(Opened { lowers, upper, server, namespace, durability, serving, _many: many })
    }
}

impl Opened {
    /// Makes the work directory fit for another mount after a first one is gone:
    /// what `volatile` leaves in it is refused.
    pub(crate) fn renew(&self) -> io::Result<()> {
        if let Some(pid) = self.serving.take() {
            rustix::process::waitpid(Some(pid), WaitOptions::empty())?;
        }
        if let Some((_, work)) = &self.upper {
            crate::root::remove(work.as_fd(), b"work")?;
        }
        Ok(())
    }

    /// Writes to two new directories in `place`, instead of nowhere.
    pub(crate) fn write_to(&mut self, place: impl AsFd) -> io::Result<()> {
        let make = |name: &str| -> rustix::io::Result<OwnedFd> {
            rustix::fs::mkdirat(&place, name, Mode::from_raw_mode(0o755))?;
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            openat(&place, name, flags, Mode::empty())
        };
        let (upper, work) = (make("upper")?, make("work")?);
        if let Some(top) = self.lowers.last() {
            copy_attributes(top.as_fd(), upper.as_fd())?;
        }
        self.upper = Some((upper, work));
        self.durability = Durability::Volatile;
        Ok(())
    }

    /// Mounts the overlay, with `above` as one more lower layer on top of the
    /// others. The mount is nowhere yet.
    ///
    /// `scratch` is an attached directory that nobody else looks at: old kernels
    /// mount on it for a moment. `tell` is told how it is done.
    pub(crate) fn mount(
        &self,
        above: Option<BorrowedFd<'_>>,
        scratch: BorrowedFd<'_>,
        tell: Tell<'_>,
    ) -> Result<OwnedFd, Error> {
        let mut lowers: Vec<BorrowedFd<'_>> = self.lowers.iter().map(AsFd::as_fd).collect();
        if self.server == Server::FuseOverlayfs {
            let branches = Branches { lowers: &lowers, upper: self.upper.as_ref() };
            let (mount, pid) = fuse::stack(&branches, above, self.durability)?;
            self.serving.set(Some(pid));
            return Ok(mount);
        }
        lowers.extend(above);
        // Kept open until the mount holds them.
        let merged;
        if let Some(excess @ 1..) = lowers.len().checked_sub(LIMIT) {
            // The lowest ones become one: nothing is below them that their
            // whiteouts would have to hide.
            let count = excess + 1;
            if count > LIMIT {
                return Err(Error::TooMany { count: lowers.len(), limit: 2 * LIMIT - 1 });
            }
            tell(&format!("merging the lowest {count} layers into one"));
            let lowest = lowers.get(..count).unwrap_or_default();
            let lowest = stack(lowest, None, self.namespace, self.durability, scratch, tell)?;
            merged = Attached::to(scratch, lowest)?;
            lowers.splice(..count, [merged.0.as_fd()]);
        }
        stack(&lowers, self.upper.as_ref(), self.namespace, self.durability, scratch, tell)
    }
}

impl Opened {
    /// Has fuse-overlayfs serve it on the directory `point`, open as `target`.
    pub(super) fn serve_on(
        &self,
        point: &Path,
        target: OwnedFd,
        allowed: Allowed,
    ) -> Result<(), Error> {
        let lowers: Vec<BorrowedFd<'_>> = self.lowers.iter().map(AsFd::as_fd).collect();
        let branches = Branches { lowers: &lowers, upper: self.upper.as_ref() };
        let work = self.upper.as_ref().map(|(_, work)| super::work::path(work)).transpose();
        let work = work.map_err(|error| Error::directory(point, "cannot mount on it", error))?;
        let place = fuse::Place { point, target, work: work.as_deref() };
        fuse::mount_on(&branches, self.durability, place, allowed)
    }
}

/// Asks the kernel, in the forms that its versions know.
fn stack(
    lowers: &[BorrowedFd<'_>],
    upper: Option<&(OwnedFd, OwnedFd)>,
    namespace: Namespace,
    durability: Durability,
    scratch: BorrowedFd<'_>,
    tell: Tell<'_>,
) -> Result<OwnedFd, Error> {
    // One lower layer and no upper is no overlay to the kernel: an empty one
    // below changes nothing.
    let empty;
    let mut padded = lowers.to_vec();
    if lowers.len() == 1 && upper.is_none() {
        empty = Attached::to(scratch, tmpfs(Some(4096), 0o755, MountAttrFlags::empty())?)?;
        padded.insert(0, empty.0.as_fd());
    }
    let padded = Branches { lowers: &padded, upper };
    // Descriptors for layers came with Linux 6.13, `lowerdir+` with 6.8. In between the
    // kernel says of a descriptor like ours, which opens nothing, that it is none.
    match configure(&padded, namespace, durability, Passing::Descriptor) {
        Err(error) if is_unknown_option(&error) || error.errno() == Some(Errno::BADF) => {}
        result => return result,
    }
    tell("the kernel takes no descriptors for layers: passing paths");
    match configure(&padded, namespace, durability, Passing::Path) {
        Err(error) if is_unknown_option(&error) || error.errno() == Some(Errno::NAMETOOLONG) => {}
        result => return result,
    }
    tell("the kernel takes no list of layers: using mount(2)");
    legacy::stack(&padded, namespace, durability, scratch)
}

/// A mount of ours that is somewhere for as long as this lives: before Linux 6.15 an
/// overlay takes no layer that is nowhere.
struct Attached(OwnedFd);

impl Attached {
    fn to(scratch: BorrowedFd<'_>, mount: OwnedFd) -> Result<Self, Error> {
        attach(&mount, scratch)
            .map_err(|error| Error::refused("overlay", "move_mount", error, String::new()))?;
        Ok(Self(mount))
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let _ = unmount(name(self.0.as_fd()), UnmountFlags::DETACH);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passing {
    Descriptor,
    Path,
}

/// Whether the kernel knows no such option, and not that it refuses what the option
/// says: of that it leaves a message. Before 6.5 nothing is checked until the end,
/// and nothing is said.
fn is_unknown_option(error: &Error) -> bool {
    let Error::Refused { messages, source, .. } = error else { return false };
    let unknown = ["Unknown parameter", "Bad value for", "bad value for", "VFS: Legacy"];
    match source.kind() {
        io::ErrorKind::InvalidInput => {
            messages.is_empty() || unknown.iter().any(|words| messages.contains(words))
        }
        // Before Linux 6.5: no file system without a context of its own takes
        // descriptors.
        io::ErrorKind::Unsupported => true,
        _ => false,
    }
}

fn configure(
    branches: &Branches<'_>,
    namespace: Namespace,
    durability: Durability,
    passing: Passing,
) -> Result<OwnedFd, Error> {
    let context = Context::open("overlay", super::spec::SOURCE)?;
    // The kernel's order is the top one first.
    for lower in branches.lowers.iter().rev() {
        match passing {
            Passing::Descriptor => context.descriptor("lowerdir+", *lower)?,
            Passing::Path => context.string("lowerdir+", name(*lower))?,
        }
    }
    // Those by their own paths, which is what the kernel shows of them later.
    let directory = |key: &str, fd: &OwnedFd| match passing {
        Passing::Descriptor => context.descriptor(key, fd),
        Passing::Path => {
            let path = path_of(fd.as_fd());
            path.map_err(|error| Error::refused("overlay", key, error, String::new()))
                .and_then(|path| context.string(key, path))
        }
    };
    let mut attributes = MountAttrFlags::empty();
    if let Some((upper, work)) = branches.upper {
        directory("upperdir", upper)?;
        directory("workdir", work)?;
        if durability == Durability::Volatile {
            context.flag("volatile")?;
        }
    } else {
        attributes |= MountAttrFlags::MOUNT_ATTR_RDONLY;
    }
    match namespace {
        // Layers are not trusted: a redirect or a metacopy in one could show any
        // file of a layer below. With `userxattr` they are off by themselves.
        Namespace::Trusted => {
            context.string("redirect_dir", "nofollow")?;
            context.string("metacopy", "off")?;
        }
        Namespace::User => context.flag("userxattr")?,
    }
    context.string("index", "off")?;
    // Leave no identity behind in the upper directory. Before Linux 6.6 there is
    // none, nor this option.
    let _ = context.string("uuid", "null");
    context.mount(attributes)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

    use super::{Branches, Durability, Namespace, Passing, configure};

    #[test]
    fn layers_go_in_by_descriptor_and_by_path() {
        if !crate::privilege::can_mount() {
            crate::testing::skip("mounting needs CAP_SYS_ADMIN");
            return;
        }
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let fds = dirs.each_ref().map(|dir| OwnedFd::from(File::open(dir.path()).unwrap()));
        let lowers: Vec<BorrowedFd<'_>> = fds.iter().map(|fd| fd.as_fd()).collect();
        let branches = Branches { lowers: &lowers, upper: None };
        std::fs::write(dirs[1].path().join("top"), "").unwrap();
        for passing in [Passing::Descriptor, Passing::Path] {
            match configure(&branches, Namespace::native(), Durability::Synced, passing) {
                Ok(mount) => {
                    let found = rustix::fs::statat(&mount, "top", rustix::fs::AtFlags::empty());
                    assert!(found.is_ok(), "{passing:?}");
                }
                Err(error) => {
                    crate::testing::skip(&format!("no {passing:?} in this kernel: {error}"))
                }
            }
        }
    }
}
