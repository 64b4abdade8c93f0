//! The options `--suid` and `--dev`.

use clap::Args;

use crate::mount::Allowed;

/// The features that a mount point allows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Args)]
pub struct AllowedOptions {
    /// At a mount point, let set-id programs and file capabilities have effect
    #[arg(long)]
    suid: bool,

    /// At a mount point, let device nodes be opened
    #[arg(long)]
    dev: bool,
}

impl AllowedOptions {
    /// The same for the mount.
    #[must_use]
    pub fn allowed(self) -> Allowed {
        Allowed { suid: self.suid, dev: self.dev }
    }
}
