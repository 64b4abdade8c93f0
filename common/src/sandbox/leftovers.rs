//! What lies outside of the sandbox's own mounts, and must be removed when it is gone:
//! the overlay's work directory, mount points, a control group.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use nix::unistd::Pid;

use super::Error;
use super::channel::{Channel, Report};
use super::error::Trying as _;
use super::init::Handed;
use super::limits::Group;
use super::plan::{Bytes, Plan};
use super::stub::Stubs;
use super::surroundings::{Isolation, Root, Writable};
use crate::mount::work::Work;
use crate::unpacked::Copy;

/// What must be removed when the sandbox is gone.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    work: Option<Work>,
    group: Option<Group>,
    /// Where an OCI runtime's bundle is mounted.
    bundle: Option<PathBuf>,
    stubs: Stubs,
    /// A directory that was made for the command alone.
    copy: Option<Copy>,
}

impl Leftovers {
    /// Makes what the plan asks for, or nothing. The emulator of users, which works for
    /// the command, goes into the command's control group.
    pub(super) fn prepare(
        plan: &Plan,
        descriptors: &[OwnedFd],
        emulator: Option<Pid>,
        channel: &Channel,
    ) -> Result<Self, Error> {
        let mut left = Self::default();
        match left.make(plan, descriptors, emulator) {
            Ok(()) => Ok(left),
            Err(error) => {
                left.remove(channel);
                Err(error)
            }
        }
    }

    fn make(
        &mut self,
        plan: &Plan,
        descriptors: &[OwnedFd],
        emulator: Option<Pid>,
    ) -> Result<(), Error> {
        let settings = &plan.settings;
        self.group = Group::make(&settings.limits.beside(emulator.iter().len()))?;
        if let (Some(group), Some(emulator)) = (&self.group, emulator) {
            group.add(emulator)?;
        }
        if let Some(path) = settings.passing.as_ref().map(Bytes::path) {
            let about = || format!("{}", crate::name::show_path(&path));
            self.copy = Some(Copy::adopt(&path).trying(about)?);
        }
        match plan.root.root() {
            Root::Overlay(overlay) => self.work = overlay.prepare()?,
            Root::Directory(path) => {
                // Otherwise its mount points are a layer's, too, or nothing is mounted.
                let is_mounted_on = settings.isolation != Isolation::Chroot;
                if is_mounted_on && settings.writable != Writable::Discarded {
                    self.stubs = Stubs::in_directory(&path, plan, descriptors)?;
                }
            }
        }
        if settings.isolation == Isolation::Oci {
            self.bundle = Some(make_bundle_directory()?);
        }
        Ok(())
    }

    /// In init's process: what it works with, and nothing else stays open. Nothing is
    /// removed there.
    pub(super) fn hand_over(
        self,
        descriptors: Vec<OwnedFd>,
        emulator: Option<OwnedFd>,
        life: OwnedFd,
    ) -> Handed {
        let Self { work, group, bundle, stubs, copy } = self;
        drop(stubs);
        if let Some(copy) = copy {
            copy.leave();
        }
        Handed { descriptors, work, group, bundle, emulator, life }
    }

    /// Removes it all.
    pub(super) fn remove(self, channel: &Channel) {
        if let Some(Err(error)) = self.work.map(Work::remove) {
            let text = format!("cannot remove the overlay's work directory: {error}");
            channel.report(&Report::Warning(text));
        }
        if let Some(Err(error)) = self.group.map(Group::remove) {
            let text = format!("cannot remove the control group: {error}");
            channel.report(&Report::Warning(text));
        }
        // Empty: all that was in it was on a file system of the sandbox's own.
        if let Some(Err(error)) = self.bundle.map(std::fs::remove_dir) {
            let text = format!("cannot remove the bundle's directory: {error}");
            channel.report(&Report::Warning(text));
        }
        self.stubs.remove();
        // Dropped, a copy is removed.
        drop(self.copy);
    }
}

/// Makes a directory for a bundle, to be mounted on.
fn make_bundle_directory() -> Result<PathBuf, Error> {
    let folder = std::path::absolute(std::env::temp_dir())
        .trying(|| "cannot find the directory for temporary files".into())?;
    for attempt in 0..1000 {
        let path = folder.join(format!("layerutils-bundle.{}.{attempt}", std::process::id()));
        match std::fs::DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => {
                let about = || format!("cannot make {}", crate::name::show_path(&path));
                return made.trying(about).map(|()| path);
            }
        }
    }
    Err(Error::new(format!("{} is full of bundles", crate::name::show_path(&folder))))
}
