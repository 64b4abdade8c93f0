//! execve(2): set-id bits, by the recorded owner of the program.

use std::os::fd::{AsFd as _, BorrowedFd};

use rustix::fs::{Mode, OFlags, StatVfsMountFlags};
use rustix::io::Errno;

use super::caller::{At, Caller, Last, link};
use super::files::File;
use super::filter::Call;
use super::serve::Outcome;

impl Caller<'_> {
    /// The kernel executes the program; who the process is then is decided before. If it
    /// cannot be executed in the end, the process is who it would have been: it gains
    /// nothing by that, all being one user.
    pub(super) fn execute(&mut self, call: Call) -> Result<Outcome, Errno> {
        let old = self.emulator.identities.of(self.call.pid)?.clone();
        let program = match call {
            Call::Execve => {
                let path = self.path(0)?;
                self.resolve(At::Fd(libc::AT_FDCWD), &path, Last::Followed)?
            }
            _ => self.target(0, 1, self.signed(4))?,
        };
        let mut new = old.clone();
        let file = File::of(program.as_fd())?;
        let mode = file.stat.st_mode;
        if mode & libc::S_IFMT != libc::S_IFREG || mode & 0o111 == 0 {
            return Ok(Outcome::Native);
        }
        let (mut uid, mut gid) = (None, None);
        if mode & 0o6000 != 0 && self.emulator.start.may_gain && is_obeyed(program.as_fd())? {
            let (owner, group) = file.owner();
            uid = (mode & libc::S_ISUID != 0).then_some(owner);
            // Without the bit that lets the group execute it, it is a lock's.
            gid = (mode & libc::S_ISGID != 0 && mode & 0o010 != 0).then_some(group);
        }
        new.users.execute(uid);
        new.groups.execute(gid);
        let bound = self.emulator.start.bound();
        new.powers = new.powers.execute(new.users, bound);
        if new != old {
            self.change_identity(new)?;
        }
        Ok(Outcome::Native)
    }
}

/// Whether the set-id bits of a program count: not on every mount, nor on a script.
fn is_obeyed(program: BorrowedFd<'_>) -> Result<bool, Errno> {
    if rustix::fs::fstatvfs(program)?.f_flag.contains(StatVfsMountFlags::NOSUID) {
        return Ok(false);
    }
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::open(link(program), flags, Mode::empty())?;
    let mut start = [0; 2];
    let len = rustix::io::pread(&file, &mut start, 0)?;
    Ok(len < start.len() || start != *b"#!")
}
