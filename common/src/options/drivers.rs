//! The options `--driver` and `--copy`: the ways to show layers as one tree, and the
//! order in which they are tried.
//!
//! Nothing is decided by kernel version: a way is left out only where this process
//! lacks what it is certain to need, and otherwise tried.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::cli::Failure;
use crate::mount::{Audience, Driver, Namespace};
use crate::{message, privilege};

impl ValueEnum for Driver {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Overlay, Self::Userxattr, Self::Fuse, Self::Copy]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(match self {
            Self::Overlay => "The kernel's overlay, as root",
            Self::Userxattr => {
                "The kernel's overlay with marks that an ordinary user can read, in a user namespace"
            }
            Self::Fuse => "fuse-overlayfs",
            Self::Copy => "A plain copy of the layers",
        }))
    }
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

/// The result of trying one way.
#[derive(Debug)]
pub enum Trial<T> {
    /// It works.
    Done(T),
    /// The system refuses this way; another may do.
    Refused(Failure),
}

impl Drivers {
    /// The ways that are tried, in order.
    fn wanted(self) -> Vec<Driver> {
        if let Some(driver) = self.driver {
            return vec![driver];
        }
        let mut wanted = vec![Driver::Overlay];
        // If the kernel refuses the machine's root with its own marks, it does with others.
        if Namespace::native() == Namespace::User {
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
    /// An error of `attempt`, other than a refusal; the refusals, if every way is refused.
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
    use super::{Drivers, Trial};
    use crate::cli::Failure;
    use crate::mount::{Audience, Driver};

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
