//! The layers below one that is written in overlay form.

use std::fmt;
use std::io;
use std::sync::OnceLock;

use crate::root::Root;

type Wait = Box<dyn Fn() -> io::Result<Vec<Root>> + Send + Sync>;

/// The layers below, uppermost first, in plain or in overlay form. Most layers
/// describe every parent of their entries and never ask for them: so they may be
/// unpacked at the same time, and are waited for when they are asked for.
pub struct Lowers {
    open: OnceLock<Vec<Root>>,
    wait: Wait,
}

impl Lowers {
    /// Layers that `wait` gives once they are there. Its failure is that of the
    /// entry that asks for them.
    pub fn later(wait: impl Fn() -> io::Result<Vec<Root>> + Send + Sync + 'static) -> Self {
        Self { open: OnceLock::new(), wait: Box::new(wait) }
    }

    /// The layers, when they are there.
    pub(super) fn get(&self) -> io::Result<&[Root]> {
        if let Some(open) = self.open.get() {
            return Ok(open);
        }
        let lowers = (self.wait)()?;
        Ok(self.open.get_or_init(|| lowers))
    }
}

/// Layers that are there.
impl From<Vec<Root>> for Lowers {
    fn from(lowers: Vec<Root>) -> Self {
        Self { open: lowers.into(), wait: Box::new(|| Ok(Vec::new())) }
    }
}

impl fmt::Debug for Lowers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lowers").field(&self.open.get()).finish()
    }
}
