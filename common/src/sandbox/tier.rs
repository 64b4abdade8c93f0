//! The choice of ids for the users of an image.

use std::ffi::OsString;

use super::subordinate::Ranges;
use super::{Error, users};
use crate::status::Status;
use crate::{errors, message, privilege};

/// The ids that the users of an image have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Users {
    /// The first of root, map and single that is possible.
    #[default]
    Auto,
    /// The caller's subordinate ids.
    Map,
    /// The caller's one id.
    Single,
    /// The host's own, which takes root.
    Root,
}

impl Users {
    /// Runs the whole tool again, with these arguments and subordinate ids, where that is
    /// the choice, and returns its status. `None`: this process goes on.
    ///
    /// # Errors
    /// The system refuses the tier that was asked for.
    pub fn apply(self, arguments: Vec<OsString>) -> Result<Option<Status>, Error> {
        if privilege::can_mount() {
            let tier = match (privilege::in_initial_user_namespace(), privilege::has_many_ids()) {
                (true, _) => "root",
                (false, true) => "map (a user namespace with many ids)",
                (false, false) => "single (a user namespace with few ids)",
            };
            message::verbose(format_args!("users: {tier}"));
            return Ok(None);
        }
        let why = match self {
            Users::Root => {
                let error = Error::new("--users root: this process may not mount");
                return Err(error.with_hint("run this as root"));
            }
            Users::Map => return users::again(arguments).map(Some),
            Users::Single => "as asked for".to_owned(),
            Users::Auto => match automatic(arguments) {
                Ok(status) => return Ok(Some(status)),
                Err(why) => errors::line(&why),
            },
        };
        message::verbose(format_args!("users: single ({why})"));
        Ok(None)
    }
}

/// Uses subordinate ids if there are any, without a hint for those who have none.
fn automatic(arguments: Vec<OsString>) -> Result<Status, Error> {
    if nix::unistd::geteuid().is_root() {
        // A container's, as a rule, which has no say over ids outside.
        return Err(Error::new("root that may not mount"));
    }
    Ranges::of_caller().and_then(|_| users::again(arguments))
}
