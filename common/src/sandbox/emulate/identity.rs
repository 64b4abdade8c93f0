//! The identity of a process (credentials(7)), and the rules by which it changes.
//!
//! An identity is a number in a table. A process keeps its number in a resource limit
//! that no kernel heeds, and so keeps it through fork(2) and execve(2), of which no
//! filter tells, and after its parent has died.

use std::collections::HashMap;
use std::rc::Rc;

use rustix::io::Errno;

use super::powers::Powers;
use crate::sys::foreign::{Limit, locks_limit, set_locks_limit};

/// The number of the identity with which a command starts.
pub(super) const FIRST: u64 = 1;

/// The largest number of identities.
const MOST: usize = 1 << 16;

/// The largest number of groups of all identities together.
const MOST_GROUPS: usize = 1 << 20;

/// "As it is" in calls.
const SAME: u32 = u32::MAX;

/// The ids of one kind that a process has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Quartet {
    pub(super) real: u32,
    pub(super) effective: u32,
    pub(super) saved: u32,
    /// That new files get.
    pub(super) file: u32,
}

impl Quartet {
    fn all(id: u32) -> Self {
        Self { real: id, effective: id, saved: id, file: id }
    }

    fn holds(&self, id: u32) -> bool {
        [self.real, self.effective, self.saved].contains(&id)
    }

    /// setuid(2).
    pub(super) fn set(&mut self, id: u32, is_privileged: bool) -> Result<(), Errno> {
        match id {
            SAME => return Err(Errno::INVAL),
            _ if is_privileged => *self = Self::all(id),
            _ if id == self.real || id == self.saved => (self.effective, self.file) = (id, id),
            _ => return Err(Errno::PERM),
        }
        Ok(())
    }

    /// setreuid(2).
    pub(super) fn set_two(
        &mut self,
        real: u32,
        effective: u32,
        is_privileged: bool,
    ) -> Result<(), Errno> {
        let old = *self;
        let may_be_real = real == SAME || [old.real, old.effective].contains(&real);
        let may_be_effective = effective == SAME || old.holds(effective);
        if !(is_privileged || may_be_real && may_be_effective) {
            return Err(Errno::PERM);
        }
        if real != SAME {
            self.real = real;
        }
        if effective != SAME {
            self.effective = effective;
        }
        if real != SAME || effective != SAME && effective != old.real {
            self.saved = self.effective;
        }
        self.file = self.effective;
        Ok(())
    }

    /// setresuid(2).
    pub(super) fn set_three(&mut self, ids: [u32; 3], is_privileged: bool) -> Result<(), Errno> {
        let old = *self;
        if !is_privileged && ids.iter().any(|id| *id != SAME && !old.holds(*id)) {
            return Err(Errno::PERM);
        }
        let or_old = |id: u32, old: u32| if id == SAME { old } else { id };
        let [real, effective, saved] = ids;
        self.real = or_old(real, old.real);
        self.effective = or_old(effective, old.effective);
        self.saved = or_old(saved, old.saved);
        self.file = self.effective;
        Ok(())
    }

    /// setfsuid(2), which returns what was before and never fails.
    pub(super) fn set_file(&mut self, id: u32, is_privileged: bool) -> u32 {
        let before = self.file;
        if id != SAME && (is_privileged || self.holds(id) || id == before) {
            self.file = id;
        }
        before
    }

    /// Applies execve(2) of a program with the set-id bit for `id`, or without one.
    pub(super) fn execute(&mut self, id: Option<u32>) {
        self.effective = id.unwrap_or(self.effective);
        (self.saved, self.file) = (self.effective, self.effective);
    }
}

/// The identity of a process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    pub(super) users: Quartet,
    pub(super) groups: Quartet,
    pub(super) others: Rc<[u32]>,
    pub(super) powers: Powers,
}

impl Identity {
    /// A process that has been started as this user, and as root has the capabilities
    /// `bound`.
    pub(super) fn new(uid: u32, gid: u32, others: &[u32], bound: u64) -> Self {
        let users = Quartet::all(uid);
        let powers = Powers::executed(users, 0, bound);
        Self { users, groups: Quartet::all(gid), others: others.into(), powers }
    }

    /// Whether it is in this group.
    pub(super) fn is_in(&self, gid: u32) -> bool {
        self.groups.file == gid || self.others.contains(&gid)
    }
}

/// All identities that there have been.
#[derive(Debug)]
pub(super) struct Identities {
    all: Vec<Identity>,
    numbers: HashMap<Identity, u64>,
    groups: usize,
}

impl Identities {
    /// Root, and the identity with which the command starts.
    pub(super) fn new(first: Identity, bound: u64) -> Self {
        let root = Identity::new(0, 0, &[0], bound);
        let numbers = HashMap::from([(root.clone(), 0), (first.clone(), FIRST)]);
        Self { all: vec![root, first], numbers, groups: 0 }
    }

    /// Returns the identity of the process.
    ///
    /// # Errors
    /// It is gone.
    pub(super) fn of(&self, pid: i32) -> Result<&Identity, Errno> {
        let Limit { soft, .. } = locks_limit(pid)?;
        let known = usize::try_from(soft).ok().and_then(|number| self.all.get(number));
        // A process that was started otherwise is root, as all inside are to the kernel.
        known.or(self.all.first()).ok_or(Errno::SRCH)
    }

    /// Makes the process another.
    ///
    /// # Errors
    /// It is gone; `EAGAIN` if there have been too many.
    pub(super) fn change(&mut self, pid: i32, identity: Identity) -> Result<(), Errno> {
        let soft = match self.numbers.get(&identity) {
            Some(number) => *number,
            None => self.add(identity)?,
        };
        let Limit { hard, .. } = locks_limit(pid)?;
        set_locks_limit(pid, Limit { soft, hard })
    }

    fn add(&mut self, identity: Identity) -> Result<u64, Errno> {
        let groups = self.groups + identity.others.len();
        if self.all.len() >= MOST || groups > MOST_GROUPS {
            return Err(Errno::AGAIN);
        }
        let number = self.all.len() as u64;
        self.groups = groups;
        self.all.push(identity.clone());
        self.numbers.insert(identity, number);
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use super::{Errno, Identities, Identity, MOST, MOST_GROUPS, Quartet, SAME};

    fn quartet(real: u32, effective: u32, saved: u32) -> Quartet {
        Quartet { real, effective, saved, file: effective }
    }

    #[test]
    fn identities_are_counted() {
        let other = |uid: u32| Identity::new(uid, 0, &[], 0);
        let mut all = Identities::new(other(1), 0);
        let added = (2..).map_while(|uid| all.add(other(uid)).ok()).take(MOST).count();
        assert_eq!((added, all.all.len()), (MOST - 2, MOST));
        let mut all = Identities::new(other(1), 0);
        let groups = vec![0; MOST_GROUPS / 2];
        let of_many = |uid: u32| Identity::new(uid, 0, &groups, 0);
        assert!(all.add(of_many(2)).is_ok() && all.add(of_many(3)).is_ok());
        assert_eq!(all.add(of_many(4)), Err(Errno::AGAIN));
    }

    #[test]
    fn root_becomes_anybody_and_cannot_return() {
        let mut ids = Quartet::all(0);
        ids.set(7, true).unwrap();
        assert_eq!(ids, Quartet::all(7));
        assert_eq!(ids.set(0, false), Err(Errno::PERM));
        assert_eq!(ids.set(SAME, true), Err(Errno::INVAL));
    }

    #[test]
    fn who_keeps_a_saved_id_returns_to_it() {
        let mut ids = Quartet::all(0);
        ids.set_three([SAME, 7, SAME], true).unwrap();
        assert_eq!(ids, quartet(0, 7, 0));
        assert_eq!(ids.set_three([8, SAME, SAME], false), Err(Errno::PERM));
        ids.set(0, false).unwrap();
        assert_eq!(ids, quartet(0, 0, 0));
    }

    #[test]
    fn the_saved_id_follows_as_setreuid_has_it() {
        let mut ids = quartet(5, 0, 0);
        ids.set_two(SAME, 5, false).unwrap();
        assert_eq!(ids, quartet(5, 5, 0));
        ids.set_two(0, SAME, true).unwrap();
        assert_eq!(ids, quartet(0, 5, 5));
        assert_eq!(quartet(5, 5, 5).set_two(6, SAME, false), Err(Errno::PERM));
    }

    #[test]
    fn the_id_for_files_is_that_of_the_program_again_after_execve() {
        let mut ids = Quartet::all(0);
        assert_eq!((ids.set_file(7, true), ids.set_file(SAME, true), ids.file), (0, 7, 7));
        ids.execute(None);
        assert_eq!(ids, Quartet::all(0));
        let mut ids = Quartet::all(7);
        ids.execute(Some(0));
        assert_eq!(ids, quartet(7, 0, 0));
    }
}
