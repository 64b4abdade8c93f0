//! The overlay by mount(2), for kernels before 6.8: they know no `lowerdir+`, and
//! one fsconfig(2) string holds 255 bytes.
//!
//! Everything is one string of less than a page, so layers go in as their names in
//! /proc/self/fd, where this process stands meanwhile: as many fit as an overlay takes,
//! whatever their paths. A longer string would be cut off without a word, and is
//! refused here.

use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::mount::{MountFlags, OpenTreeFlags, UnmountFlags, mount, open_tree, unmount};
use rustix::process::{chdir, fchdir};

use super::branches::{Branches, name, path_of};
use super::error::Error;
use super::namespace::Namespace;
use super::spec::{Durability, SOURCE};

/// What mount(2) takes from us, its final zero byte included.
const PAGE: usize = 4096;

/// Mounts the overlay, nowhere in the end. `scratch` is a directory that it is
/// mounted on for a moment, as mount(2) can do no less.
pub(super) fn stack(
    branches: &Branches<'_>,
    namespace: Namespace,
    durability: Durability,
    scratch: BorrowedFd<'_>,
) -> Result<OwnedFd, Error> {
    let refused =
        |step: &str, source: io::Error| Error::refused("overlay", step, source, String::new());
    let options =
        options(branches, namespace, durability).map_err(|error| refused("options", error))?;
    if options.as_bytes_with_nul().len() > PAGE {
        let (count, len) = (branches.lowers.len(), options.as_bytes_with_nul().len());
        return Err(Error::TooMany { count, limit: count * PAGE / len });
    }
    let target = name(scratch);
    let flags = match branches.upper {
        Some(_) => MountFlags::empty(),
        None => MountFlags::RDONLY,
    };
    among_descriptors(|| mount(SOURCE, &target, "overlay", flags, Some(options.as_c_str())))
        .map_err(|error| refused("mount", error))?;
    // By its name again: `scratch` is what lies below now.
    let copied = mounted_on(scratch).and_then(|(parent, entry)| {
        let place = Path::new(&name(parent.as_fd())).join(entry);
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let copy = open_tree(CWD, &place, flags)?;
        unmount(&place, UnmountFlags::DETACH)?;
        Ok(copy)
    });
    copied.map_err(|error| refused("open_tree", error))
}

/// Does `work` in /proc/self/fd, and goes back.
fn among_descriptors<T>(work: impl FnOnce() -> rustix::io::Result<T>) -> io::Result<T> {
    let before = openat(CWD, ".", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    chdir("/proc/self/fd")?;
    let done = work();
    fchdir(before)?;
    Ok(done?)
}

/// The directory that `point` is in, and its name there. A whole path would lead
/// elsewhere if something covers the root that it begins at.
fn mounted_on(point: BorrowedFd<'_>) -> io::Result<(OwnedFd, OsString)> {
    let path = std::fs::read_link(name(point))?;
    let entry = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    let parent = openat(point, "..", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    Ok((parent, entry))
}

fn options(
    branches: &Branches<'_>,
    namespace: Namespace,
    durability: Durability,
) -> io::Result<CString> {
    // The kernel's order is the top one first.
    let lowers = branches.lowers.iter().rev().map(|lower| lower.as_raw_fd().to_string());
    let lowers: Vec<String> = lowers.collect();
    let mut options = format!("lowerdir={}", lowers.join(":")).into_bytes();
    if let Some((upper, work)) = branches.upper {
        for (key, fd) in [("upperdir", upper), ("workdir", work)] {
            // By their paths, which is what the kernel shows of them later.
            let path = path_of(fd.as_fd())?;
            options.extend_from_slice(format!(",{key}=").as_bytes());
            for byte in path.as_os_str().as_bytes() {
                if matches!(byte, b'\\' | b',') {
                    options.push(b'\\');
                }
                options.push(*byte);
            }
        }
        if durability == Durability::Volatile {
            options.extend_from_slice(b",volatile");
        }
    }
    options.extend_from_slice(match namespace {
        Namespace::Trusted => b",redirect_dir=nofollow,metacopy=off",
        Namespace::User => b",userxattr",
    });
    options.extend_from_slice(b",index=off");
    Ok(CString::new(options)?)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

    use rustix::fs::{Mode, OFlags, openat};

    use super::{Branches, Durability, Error, Namespace, stack};

    fn names(directory: impl AsFd) -> Vec<String> {
        let mut names: Vec<String> = rustix::fs::Dir::read_from(
            openat(directory, ".", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap(),
        )
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned())
        .filter(|name| !name.starts_with('.'))
        .collect();
        names.sort();
        names
    }

    #[test]
    fn an_old_kernel_shows_the_same_tree() {
        if !crate::privilege::can_mount() {
            crate::testing::skip("mounting needs CAP_SYS_ADMIN");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let open = |name: &str| {
            fs::create_dir_all(dir.path().join(name)).unwrap();
            OwnedFd::from(File::open(dir.path().join(name)).unwrap())
        };
        let lowers: Vec<OwnedFd> = (0..450).map(|number| open(&format!("layer{number}"))).collect();
        for number in [0, 1, 449] {
            fs::write(dir.path().join(format!("layer{number}/file{number}")), "").unwrap();
        }
        let lowers: Vec<BorrowedFd<'_>> = lowers.iter().map(AsFd::as_fd).collect();
        let scratch = open("scratch");
        let upper = (open("up,per\\x"), open("work"));
        let mount = |lowers: &[BorrowedFd<'_>], upper| {
            let branches = Branches { lowers, upper };
            stack(&branches, Namespace::native(), Durability::Synced, scratch.as_fd())
        };
        let all = mount(&lowers, Some(&upper)).unwrap();
        assert_eq!(names(&all), ["file0", "file1", "file449"]);
        rustix::fs::mkdirat(&all, "new", Mode::RWXU).unwrap();
        drop(all);
        assert_eq!(names(&upper.0), ["new"]);
        assert_eq!(names(mount(&lowers[..2], None).unwrap()), ["file0", "file1"]);
        let many: Vec<BorrowedFd<'_>> = lowers.iter().cycle().take(1350).copied().collect();
        assert!(matches!(mount(&many, None), Err(Error::TooMany { .. })));
        assert_eq!(names(&scratch), [""; 0], "something is still mounted");
    }
}
