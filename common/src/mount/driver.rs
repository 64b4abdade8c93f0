//! The ways to show layers as one tree, and the order in which they are tried.
//!
//! Nothing is decided by kernel version: a way is left out only where this process
//! lacks what it is certain to need, and otherwise tried.

use std::fmt;

use clap::ValueEnum;

use super::{Form, Server, privilege};
use crate::cli::{Failure, message};

/// A way to show layers as one tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Driver {
    /// The kernel's overlay, as root
    Overlay,
    /// The kernel's overlay with marks that an ordinary user can read, in a user namespace
    Userxattr,
    /// fuse-overlayfs
    Fuse,
    /// A plain copy of the layers
    Copy,
}

/// Who is to see the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// A command, in namespaces of its own.
    Command,
    /// Whoever looks at a mount point.
    MountPoint,
}

/// Which ways are tried: the options `--driver` and `--copy`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::Args)]
pub struct Drivers {
    /// Show the layers in this way, and try no other
    #[arg(long, value_name = "DRIVER")]
    pub driver: Option<Driver>,

    /// Copy the layers where they cannot be mounted
    #[arg(long)]
    pub copy: bool,
}

/// What came of trying one way.
#[derive(Debug)]
pub enum Trial<T> {
    /// It works.
    Done(T),
    /// The system refuses this way; another may do.
    Refused(Failure),
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Overlay => "overlay",
            Self::Userxattr => "userxattr",
            Self::Fuse => "fuse",
            Self::Copy => "copy",
        })
    }
}

impl Driver {
    /// The extended attributes that carry the marks of the layers it shows.
    #[must_use]
    pub fn form(self) -> Form {
        match self {
            Self::Overlay => Form::Trusted,
            Self::Userxattr => Form::User,
            // fuse-overlayfs reads both, as far as it may.
            Self::Fuse | Self::Copy => Form::native(),
        }
    }

    /// Who serves the mount.
    #[must_use]
    pub fn server(self) -> Server {
        match self {
            Self::Fuse => Server::FuseOverlayfs,
            Self::Overlay | Self::Userxattr | Self::Copy => Server::Kernel,
        }
    }

    /// What is certain to keep this process from it.
    fn obstacle(self, audience: Audience) -> Option<&'static str> {
        let can_mount = privilege::can_mount();
        match (self, audience) {
            (Self::Overlay, _) if !can_mount => Some("needs CAP_SYS_ADMIN"),
            (Self::Overlay, _) if Form::native() == Form::User => {
                Some("needs root of the machine, not of a user namespace")
            }
            (Self::Userxattr, Audience::MountPoint) if !can_mount => {
                Some("nobody else sees a mount in a user namespace")
            }
            _ => None,
        }
    }
}

impl Drivers {
    /// The ways that are tried, in order.
    fn wanted(self) -> Vec<Driver> {
        if let Some(driver) = self.driver {
            return vec![driver];
        }
        let mut wanted = vec![Driver::Overlay];
        // What the machine's root is refused with its own marks is refused with others.
        if Form::native() == Form::User {
            wanted.push(Driver::Userxattr);
        }
        wanted.push(Driver::Fuse);
        if self.copy {
            wanted.push(Driver::Copy);
        }
        wanted
    }

    /// The way that is tried first.
    ///
    /// # Errors
    /// This process lacks what each of them needs.
    pub fn first(self, audience: Audience) -> Result<Driver, Failure> {
        let mut obstacles = Vec::new();
        for driver in self.wanted() {
            match driver.obstacle(audience) {
                None => return Ok(driver),
                Some(obstacle) => obstacles.push((driver, Failure::new(obstacle))),
            }
        }
        Err(all_refused(obstacles, audience, self))
    }

    /// Tries one way after the other until one is not refused, and tells with
    /// `--verbose` why those before it were passed over.
    ///
    /// # Errors
    /// What `attempt` fails with, other than by a refusal; why every way is refused.
    pub fn try_each<T>(
        self,
        audience: Audience,
        mut attempt: impl FnMut(Driver) -> Result<Trial<T>, Failure>,
    ) -> Result<T, Failure> {
        let mut refusals: Vec<(Driver, Failure)> = Vec::new();
        for driver in self.wanted() {
            let refusal = match driver.obstacle(audience) {
                Some(obstacle) => Failure::new(obstacle),
                None => {
                    message::verbose(format_args!("driver {driver}"));
                    match attempt(driver)? {
                        Trial::Done(done) => return Ok(done),
                        Trial::Refused(failure) => failure,
                    }
                }
            };
            message::verbose(format_args!("driver {driver}: {}", refusal.line()));
            refusals.push((driver, refusal));
        }
        Err(all_refused(refusals, audience, self))
    }
}

/// One failure of them all: what the user can do about it is said of each.
fn all_refused(refusals: Vec<(Driver, Failure)>, audience: Audience, drivers: Drivers) -> Failure {
    let mut hints: Vec<String> = Vec::new();
    let mut lines = Vec::new();
    for (driver, refusal) in &refusals {
        lines.push(format!("{driver}: {}", refusal.line()));
        hints.extend(refusal.hint_text().map(str::to_owned));
    }
    if audience == Audience::MountPoint && !privilege::can_mount() {
        hints.push("run it as root".into());
        hints.push(
            "give a command after '--': it sees the union in a user namespace of its own".into(),
        );
    }
    if drivers.driver.is_none() && !drivers.copy {
        hints.push("--copy copies the layers instead".into());
    }
    let failure = Failure::new(format!("cannot show the layers: {}", lines.join("; ")));
    if hints.is_empty() { failure } else { failure.hint(hints.join("; or ")) }
}

#[cfg(test)]
mod tests {
    use super::{Audience, Driver, Drivers, Trial};
    use crate::cli::Failure;

    #[test]
    fn a_refusal_leads_to_the_next_and_a_failure_ends_it() {
        let drivers = Drivers { driver: None, copy: true };
        let mut tried = Vec::new();
        let shown = drivers.try_each(Audience::Command, |driver| {
            tried.push(driver);
            Ok(match driver {
                Driver::Copy => Trial::Done("shown"),
                _ => Trial::Refused(Failure::new("no").hint("do that")),
            })
        });
        assert_eq!(shown.unwrap(), "shown");
        assert!(tried.ends_with(&[Driver::Fuse, Driver::Copy]), "{tried:?}");
        let only = Drivers { driver: Some(Driver::Fuse), copy: true };
        let failed = only.try_each::<()>(Audience::Command, |_| {
            Ok(Trial::Refused(Failure::new("no").hint("do that")))
        });
        let failed = failed.unwrap_err();
        assert_eq!(failed.line(), "cannot show the layers: fuse: no");
        assert_eq!(failed.hint_text(), Some("do that"));
        let fatal = drivers.try_each::<()>(Audience::Command, |_| Err(Failure::new("fatal")));
        assert_eq!(fatal.unwrap_err().line(), "fatal");
    }
}
