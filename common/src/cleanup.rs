//! What must be undone however the tool ends: temporary files, mounts.
//!
//! A [`Guard`] undoes its action when it is dropped; when a signal ends the
//! tool, the signal's thread undoes all that are left, newest first.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

type Action = Box<dyn FnOnce() + Send>;

static ACTIONS: Mutex<Actions> = Mutex::new(Actions { next: 0, pending: BTreeMap::new() });

struct Actions {
    next: u64,
    pending: BTreeMap<u64, Action>,
}

/// Keeps an action registered; dropping it undoes, [`Guard::forget`] lets it be.
#[must_use]
pub struct Guard(u64);

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Guard").field(&self.0).finish()
    }
}

fn actions() -> MutexGuard<'static, Actions> {
    ACTIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Registers `action`, to be run once.
pub fn register(action: impl FnOnce() + Send + 'static) -> Guard {
    let mut actions = actions();
    let id = actions.next;
    actions.next += 1;
    actions.pending.insert(id, Box::new(action));
    Guard(id)
}

impl Guard {
    /// There is nothing left to undo.
    pub fn forget(self) {
        actions().pending.remove(&self.0);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let action = actions().pending.remove(&self.0);
        if let Some(action) = action {
            action();
        }
    }
}

/// Undoes all that is still registered, newest first.
pub(crate) fn run_all() {
    loop {
        let Some((_, action)) = actions().pending.pop_last() else { return };
        action();
    }
}
