//! The capabilities of an identity (capabilities(7)), as far as calls ask for them: by
//! setuid(2) a process loses them, by execve(2) root has them again, and PR_SET_KEEPCAPS
//! saves them in between.

use rustix::io::Errno;

use super::caller::Caller;
use super::identity::{Identity, Quartet};
use super::serve::Outcome;

/// `_LINUX_CAPABILITY_VERSION_2` and `_3`, which have the same data. The first is for
/// programs of before 2008.
const VERSIONS: [u32; 2] = [0x2007_1026, 0x2008_0522];

/// The data of capget(2) in these versions.
const DATA_LEN_BYTES: usize = 24;

const PR_GET_KEEPCAPS: u32 = 7;

/// A capability by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Power {
    Chown = 0,
    Setgid = 6,
    Setuid = 7,
    Mknod = 27,
}

/// The capabilities of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Powers {
    permitted: u64,
    effective: u64,
    inheritable: u64,
    keeps: bool,
}

impl Powers {
    /// Those of a process with these users, of which root's are `bound`.
    pub(super) fn executed(users: Quartet, inheritable: u64, bound: u64) -> Self {
        let permitted = if users.real == 0 || users.effective == 0 { bound } else { 0 };
        let effective = if users.effective == 0 { permitted } else { 0 };
        Self { permitted, effective, inheritable, keeps: false }
    }

    /// Returns the capabilities after execve(2).
    pub(super) fn execute(self, users: Quartet, bound: u64) -> Self {
        Self::executed(users, self.inheritable, bound)
    }

    /// Whether this one is in effect.
    pub(super) fn has(self, power: Power) -> bool {
        self.effective & 1 << power as u32 != 0
    }

    /// Applies a change of users.
    fn follow(&mut self, old: Quartet, new: Quartet) {
        let has_root = |users: Quartet| [users.real, users.effective, users.saved].contains(&0);
        if has_root(old) && !has_root(new) && !self.keeps {
            self.permitted = 0;
            self.effective = 0;
        }
        match (old.effective, new.effective) {
            (0, 1..) => self.effective = 0,
            (1.., 0) => self.effective = self.permitted,
            _ => {}
        }
    }

    /// capset(2).
    fn set(&mut self, effective: u64, permitted: u64, inheritable: u64) -> Result<(), Errno> {
        let is_allowed = permitted & !self.permitted == 0
            && effective & !permitted == 0
            && inheritable & !(self.inheritable | self.permitted) == 0;
        if !is_allowed {
            return Err(Errno::PERM);
        }
        *self = Self { permitted, effective, inheritable, ..*self };
        Ok(())
    }
}

impl Identity {
    /// Changes the users, and with them the capabilities.
    pub(super) fn change_users(
        &mut self,
        change: impl FnOnce(&mut Quartet) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let old = self.users;
        change(&mut self.users)?;
        self.powers.follow(old, self.users);
        Ok(())
    }
}

impl Caller<'_> {
    /// The thread that a header of capget(2) names, 0 for the caller; `None` if the version
    /// is another, of which the kernel tells.
    fn thread_named(&mut self) -> Result<Option<u32>, Errno> {
        let header = self.read(self.argument(0), 8)?;
        let word = |start: usize| {
            let word = header.get(start..start + 4).unwrap_or_default();
            u32::from_ne_bytes(word.try_into().unwrap_or_default())
        };
        if !VERSIONS.contains(&word(0)) {
            return Ok(None);
        }
        let is_own = word(4) != 0 && self.own_number()? == Some(word(4));
        Ok(Some(if is_own { 0 } else { word(4) }))
    }

    /// capget(2) of the caller. The kernel tells of other threads what they really have.
    pub(super) fn capget(&mut self, identity: &Identity) -> Result<Outcome, Errno> {
        if self.argument(1) == 0 || self.thread_named()? != Some(0) {
            return Ok(Outcome::Native);
        }
        let Powers { permitted, effective, inheritable, .. } = identity.powers;
        let words = [0, 32].into_iter().flat_map(|shift| {
            [effective, permitted, inheritable].map(|set| (set >> shift & 0xffff_ffff) as u32)
        });
        let bytes: Vec<u8> = words.flat_map(u32::to_ne_bytes).collect();
        Ok(self.answer_in_memory(self.argument(1), &bytes, 0))
    }

    pub(super) fn capset(&mut self, identity: &mut Identity) -> Result<(), Errno> {
        match self.thread_named()? {
            Some(0) => {}
            Some(_) => return Err(Errno::PERM),
            None => return Err(Errno::INVAL),
        }
        let data = self.read(self.argument(1), DATA_LEN_BYTES)?;
        let word = |index: usize| {
            let word = data.get(index * 4..index * 4 + 4).unwrap_or_default();
            u64::from(u32::from_ne_bytes(word.try_into().unwrap_or_default()))
        };
        let set = |index: usize| word(index) | word(index + 3) << 32;
        identity.powers.set(set(0), set(1), set(2))
    }

    /// prctl(2) with PR_GET_KEEPCAPS or PR_SET_KEEPCAPS.
    pub(super) fn keepcaps(&mut self, identity: &mut Identity) -> Result<i64, Errno> {
        if self.number(0) == PR_GET_KEEPCAPS {
            return Ok(identity.powers.keeps.into());
        }
        match self.argument(1) {
            keeps @ (0 | 1) => identity.powers.keeps = keeps == 1,
            _ => return Err(Errno::INVAL),
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Errno, Identity, Power, Powers, Quartet};

    const ALL: u64 = 0xff;

    fn root() -> Identity {
        Identity::new(0, 0, &[], ALL)
    }

    #[test]
    fn who_becomes_another_loses_them_unless_they_are_kept() {
        let mut plain = root();
        plain.change_users(|users| users.set(7, true)).unwrap();
        assert_eq!(plain.powers, Powers::default());
        let mut kept = root();
        kept.powers.keeps = true;
        kept.change_users(|users| users.set(7, true)).unwrap();
        assert!(!kept.powers.has(Power::Setgid));
        kept.powers.set(ALL, ALL, 0).unwrap();
        assert!(kept.powers.has(Power::Setgid));
        assert_eq!(kept.powers.set(0, ALL << 1, 0), Err(Errno::PERM));
    }

    #[test]
    fn they_return_with_the_effective_user() {
        let mut identity = root();
        identity.change_users(|users| users.set_three([u32::MAX, 7, u32::MAX], true)).unwrap();
        assert!(!identity.powers.has(Power::Chown));
        identity.change_users(|users| users.set(0, false)).unwrap();
        assert!(identity.powers.has(Power::Chown));
    }

    #[test]
    fn root_has_them_after_execve_and_nobody_else() {
        let users = |real: u32, effective: u32| {
            let mut users: Quartet = Identity::new(0, 0, &[], ALL).users;
            users.set_three([real, effective, effective], true).unwrap();
            users
        };
        assert!(Powers::executed(users(7, 0), 0, ALL).has(Power::Setuid));
        assert!(!Powers::executed(users(0, 7), 0, ALL).has(Power::Setuid));
        assert_eq!(Powers::executed(users(7, 7), 0, ALL), Powers::default());
    }
}
