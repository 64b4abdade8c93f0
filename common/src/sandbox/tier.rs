//! The option `--users`: whose ids the users of an image are.

use clap::{Args, ValueEnum};

use super::subordinate::Ranges;
use super::{Error, users};
use crate::cli::{Failure, Status, message};
use crate::mount;

/// Whose ids the users of an image are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Users {
    /// The first of root, map and single that is possible
    #[default]
    Auto,
    /// The caller's subordinate ids
    Map,
    /// The caller's one id
    Single,
    /// The host's own, which takes root
    Root,
}

/// The options that choose it; flatten them into a tool's arguments.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct UserOptions {
    /// Have the users of images as: root's, subordinate ids, or the caller's one id
    #[arg(long, value_name = "HOW", default_value = "auto")]
    users: Users,

    /// As --users map
    #[arg(long, conflicts_with = "users")]
    map_users: bool,
}

impl UserOptions {
    fn users(self) -> Users {
        if self.map_users { Users::Map } else { self.users }
    }

    /// Whether subordinate ids are asked for, and not merely used if there are any.
    #[must_use]
    pub fn asks_for_subordinate_ids(self) -> bool {
        self.users() == Users::Map
    }

    /// Runs the whole tool again with subordinate ids where that is the choice, and
    /// returns its status. `None`: this process goes on.
    ///
    /// # Errors
    /// What is asked for cannot be had.
    pub fn apply(self) -> Result<Option<Status>, Failure> {
        if mount::can_mount() {
            let tier = match (mount::in_initial_user_namespace(), mount::has_many_ids()) {
                (true, _) => "root",
                (false, true) => "map (a user namespace with many ids)",
                (false, false) => "single (a user namespace with few ids)",
            };
            message::verbose(format_args!("users: {tier}"));
            return Ok(None);
        }
        let why = match self.users() {
            Users::Root => {
                let error = Error::new("--users root: this process may not mount");
                return Err(error.with_hint("run this as root").into_failure());
            }
            Users::Map => return users::again().map(Some).map_err(Error::into_failure),
            Users::Single => "as asked for".to_owned(),
            Users::Auto => match automatic() {
                Ok(status) => return Ok(Some(status)),
                Err(why) => why.line(),
            },
        };
        message::verbose(format_args!("users: single ({why})"));
        Ok(None)
    }
}

/// Uses subordinate ids if there are any, without a hint for those who have none.
fn automatic() -> Result<Status, Failure> {
    if nix::unistd::geteuid().is_root() {
        // A container's, as a rule, which has no say over ids outside.
        return Err(Error::new("root that may not mount").into());
    }
    Ranges::of_caller().and_then(|_| users::again()).map_err(Failure::from)
}
