//! Changes of identity: get*id, set*id, groups, capabilities, and the limit that holds it.

use rustix::io::Errno;

use super::caller::Caller;
use super::filter::Call;
use super::identity::{Identity, Quartet};
use super::powers::Power;
use super::serve::Outcome;
use crate::sys::foreign::UNLIMITED;

/// The most groups that a process can have (`NGROUPS_MAX`).
const MOST_GROUPS: u32 = 65_536;

impl Caller<'_> {
    pub(super) fn identify(&mut self, call: Call) -> Result<Outcome, Errno> {
        if let Call::Prlimit | Call::Getrlimit | Call::Setrlimit = call {
            return Ok(self.limit(call));
        }
        let identity = self.emulator.identities.of(self.call.pid)?.clone();
        let value = |id: u32| Ok(Outcome::Value(id.into()));
        match call {
            Call::Getuid => value(identity.users.real),
            Call::Geteuid => value(identity.users.effective),
            Call::Getgid => value(identity.groups.real),
            Call::Getegid => value(identity.groups.effective),
            Call::Getresuid => Ok(self.tell(identity.users)),
            Call::Getresgid => Ok(self.tell(identity.groups)),
            Call::Getgroups => Ok(self.getgroups(&identity)),
            Call::Capget => self.capget(&identity),
            _ => self.become_another(call, identity),
        }
    }

    fn tell(&mut self, ids: Quartet) -> Outcome {
        for (index, id) in [ids.real, ids.effective, ids.saved].into_iter().enumerate() {
            if let Err(errno) = self.write(self.argument(index), &id.to_ne_bytes()) {
                return Outcome::Error(errno);
            }
        }
        Outcome::Value(0)
    }

    fn getgroups(&mut self, identity: &Identity) -> Outcome {
        let count = identity.others.len() as i64;
        let room = i64::from(self.signed(0));
        if room < 0 || room != 0 && room < count {
            return Outcome::Error(Errno::INVAL);
        }
        if room == 0 || count == 0 {
            return Outcome::Value(count);
        }
        let bytes: Vec<u8> = identity.others.iter().flat_map(|id| id.to_ne_bytes()).collect();
        self.answer_in_memory(self.argument(1), &bytes, count)
    }

    fn become_another(&mut self, call: Call, old: Identity) -> Result<Outcome, Errno> {
        let mut new = old.clone();
        let sets_users = old.powers.has(Power::Setuid);
        let sets_groups = old.powers.has(Power::Setgid);
        let [one, two, three] = [self.number(0), self.number(1), self.number(2)];
        let mut value = 0_i64;
        let changed = match call {
            Call::Setuid => new.change_users(|users| users.set(one, sets_users)),
            Call::Setgid => new.groups.set(one, sets_groups),
            Call::Setreuid => new.change_users(|users| users.set_two(one, two, sets_users)),
            Call::Setregid => new.groups.set_two(one, two, sets_groups),
            Call::Setresuid => {
                new.change_users(|users| users.set_three([one, two, three], sets_users))
            }
            Call::Setresgid => new.groups.set_three([one, two, three], sets_groups),
            Call::Setfsuid => {
                value = new.users.set_file(one, sets_users).into();
                Ok(())
            }
            Call::Setfsgid => {
                value = new.groups.set_file(one, sets_groups).into();
                Ok(())
            }
            Call::Setgroups => self.setgroups(&mut new, sets_groups),
            Call::Capset => self.capset(&mut new),
            Call::Keepcaps => self.keepcaps(&mut new).map(|kept| value = kept),
            _ => return Ok(Outcome::Native),
        };
        if let Err(errno) = changed {
            return Ok(Outcome::Error(errno));
        }
        if new != old {
            if let Err(errno) = self.change_identity(new) {
                return Ok(Outcome::Error(errno));
            }
        }
        Ok(Outcome::Value(value))
    }

    pub(super) fn setgroups(&mut self, identity: &mut Identity, may: bool) -> Result<(), Errno> {
        let count = self.number(0);
        if !may {
            return Err(Errno::PERM);
        }
        if count > MOST_GROUPS {
            return Err(Errno::INVAL);
        }
        let bytes = match count {
            0 => Vec::new(),
            _ => self.read(self.argument(1), count as usize * 4)?,
        };
        let ids = bytes.chunks_exact(4);
        let ids = ids.map(|id| u32::from_ne_bytes(id.try_into().unwrap_or_default()));
        let mut ids: Vec<u32> = ids.collect();
        if ids.contains(&u32::MAX) {
            return Err(Errno::INVAL);
        }
        // The kernel sorts them, too.
        ids.sort_unstable();
        identity.others = ids.into();
        Ok(())
    }

    /// The limit in which the identity is kept: to the command there is none.
    fn limit(&mut self, call: Call) -> Outcome {
        let old = match call {
            Call::Prlimit => self.argument(3),
            Call::Getrlimit => self.argument(1),
            _ => 0,
        };
        if old == 0 {
            return Outcome::Value(0);
        }
        let unlimited = [UNLIMITED.to_ne_bytes(), UNLIMITED.to_ne_bytes()].concat();
        self.answer_in_memory(old, &unlimited, 0)
    }
}
