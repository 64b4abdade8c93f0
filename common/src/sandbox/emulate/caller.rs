//! Whoever calls: its memory, its descriptors and its paths.

use std::cell::OnceCell;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, StatxFlags};
use rustix::io::Errno;

use super::identity::Identity;
use super::own_link::own_link;
use super::serve::{Emulator, Outcome};
use crate::sys::notify::{self, Notification};

/// The longest path, with the zero that ends it (`PATH_MAX`).
const LONGEST_PATH: usize = 4096;

/// The unit of reads: beyond the end of a page there may be no memory.
const PAGE: u64 = 4096;

const PATH: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// Whether a link in the last place of a path is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    Followed,
    Taken,
}

/// The directory from which a path leads.
#[derive(Debug, Clone, Copy)]
pub(super) enum At<'a> {
    /// That of the caller's descriptor; `AT_FDCWD` is its working directory.
    Fd(i32),
    Directory(BorrowedFd<'a>),
}

/// The identity of a root directory: device, inode and mount.
pub(super) type RootId = (u32, u32, u64, u64);

/// A process that waits for the answer to a call.
pub(super) struct Caller<'e> {
    pub(super) emulator: &'e mut Emulator,
    pub(super) call: Notification,
    /// Its directory in /proc, once it is needed.
    process: OnceCell<OwnedFd>,
    memory: Option<OwnedFd>,
}

impl<'e> Caller<'e> {
    pub(super) fn new(emulator: &'e mut Emulator, call: Notification) -> Self {
        Self { emulator, call, process: OnceCell::new(), memory: None }
    }

    /// Returns true if the call waits still. If so, its process id has not been reused until now.
    fn waits(&self) -> Result<(), Errno> {
        match notify::is_valid(self.emulator.listener.as_fd(), self.call.id) {
            true => Ok(()),
            false => Err(Errno::SRCH),
        }
    }

    /// Its directory in /proc.
    fn process(&self) -> Result<&OwnedFd, Errno> {
        if let Some(process) = self.process.get() {
            return Ok(process);
        }
        let (proc, name) = (&self.emulator.proc, self.call.pid.to_string());
        let process = rustix::fs::openat(proc, name, PATH | OFlags::DIRECTORY, Mode::empty())?;
        // The directory is not that of a later process with this number.
        self.waits()?;
        Ok(self.process.get_or_init(|| process))
    }

    /// Makes it another, see [`super::identity::Identities::change`].
    pub(super) fn change_identity(&mut self, identity: Identity) -> Result<(), Errno> {
        self.waits()?;
        self.emulator.identities.change(self.call.pid, identity)
    }

    /// An argument of the call.
    pub(super) fn argument(&self, index: usize) -> u64 {
        self.call.arguments.get(index).copied().unwrap_or_default()
    }

    /// An argument that is 32 bits wide.
    pub(super) fn number(&self, index: usize) -> u32 {
        (self.argument(index) & u64::from(u32::MAX)) as u32
    }

    /// An argument that is a signed number: a descriptor, flags.
    pub(super) fn signed(&self, index: usize) -> i32 {
        self.number(index) as i32
    }

    fn memory(&mut self) -> Result<BorrowedFd<'_>, Errno> {
        if self.memory.is_none() {
            let flags = OFlags::RDWR | OFlags::CLOEXEC;
            self.memory = Some(rustix::fs::openat(self.process()?, "mem", flags, Mode::empty())?);
        }
        self.memory.as_ref().map(OwnedFd::as_fd).ok_or(Errno::SRCH)
    }

    /// Reads exactly this many bytes.
    pub(super) fn read(&mut self, address: u64, len: usize) -> Result<Vec<u8>, Errno> {
        let mut bytes = vec![0; len];
        let read = rustix::io::pread(self.memory()?, &mut bytes, address).map_err(fault)?;
        if read == len { Ok(bytes) } else { Err(Errno::FAULT) }
    }

    /// Reads a string up to the zero that ends it.
    fn string(&mut self, mut address: u64) -> Result<Vec<u8>, Errno> {
        let mut all = Vec::new();
        while all.len() < LONGEST_PATH {
            let mut page = [0; PAGE as usize];
            let len = usize::try_from(PAGE - address % PAGE).unwrap_or(0);
            let part = page.get_mut(..len.min(LONGEST_PATH - all.len())).unwrap_or_default();
            let read = rustix::io::pread(self.memory()?, &mut *part, address).map_err(fault)?;
            let part = part.get(..read).unwrap_or_default();
            if let Some(end) = part.iter().position(|byte| *byte == 0) {
                all.extend_from_slice(part.get(..end).unwrap_or_default());
                return Ok(all);
            }
            if part.is_empty() {
                return Err(Errno::FAULT);
            }
            all.extend_from_slice(part);
            address = address.checked_add(read as u64).ok_or(Errno::FAULT)?;
        }
        Err(Errno::NAMETOOLONG)
    }

    /// The path in an argument.
    pub(super) fn path(&mut self, index: usize) -> Result<Vec<u8>, Errno> {
        self.string(self.argument(index))
    }

    /// Writes to its memory.
    pub(super) fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), Errno> {
        let written = rustix::io::pwrite(self.memory()?, bytes, address).map_err(fault)?;
        if written == bytes.len() { Ok(()) } else { Err(Errno::FAULT) }
    }

    /// Answers with `value`, and with bytes in its memory. The kernel must not carry out
    /// the call if they cannot be written: it would tell, or do, what is not emulated.
    pub(super) fn answer_in_memory(&mut self, address: u64, bytes: &[u8], value: i64) -> Outcome {
        self.write(address, bytes).map_or_else(Outcome::Error, |()| Outcome::Value(value))
    }

    /// A line of a file in its directory of /proc: its status (proc_pid_status(5)), whose
    /// special characters are escaped, or what is known of a descriptor.
    fn line(&self, file: &str, name: &str) -> Result<String, Errno> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let status = rustix::fs::openat(self.process()?, file, flags, Mode::empty())?;
        let mut start = [0; 4096];
        let len = rustix::io::read(&status, &mut start)?;
        let text = String::from_utf8_lossy(start.get(..len).unwrap_or_default());
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.map(|value| value.trim().to_owned()).ok_or(Errno::IO)
    }

    /// Its mask of permission bits.
    pub(super) fn umask(&self) -> Result<Mode, Errno> {
        let mask = u32::from_str_radix(&self.line("status", "Umask")?, 8);
        mask.map(Mode::from_raw_mode).map_err(|_| Errno::IO)
    }

    /// The number of the thread that calls, in its own namespace of processes.
    pub(super) fn own_number(&self) -> Result<Option<u32>, Errno> {
        let numbers = self.line("status", "NSpid")?;
        Ok(numbers.split_whitespace().next_back().and_then(|number| number.parse().ok()))
    }

    /// Opens the directory that a call names by `fd`.
    pub(super) fn open_at(&self, fd: i32) -> Result<OwnedFd, Errno> {
        match fd {
            libc::AT_FDCWD => self.own("cwd"),
            _ => self.open_fd(fd),
        }
    }

    /// Opens the file that its descriptor `fd` refers to.
    pub(super) fn open_fd(&self, fd: i32) -> Result<OwnedFd, Errno> {
        match fd {
            ..0 => Err(Errno::BADF),
            _ => self.own(&format!("fd/{fd}")),
        }
    }

    /// As `open_fd`, for calls that do not take a descriptor of a mere path (`O_PATH`).
    pub(super) fn open_fd_of_file(&self, fd: i32) -> Result<OwnedFd, Errno> {
        let file = self.open_fd(fd)?;
        let flags = u32::from_str_radix(&self.line(&format!("fdinfo/{fd}"), "flags")?, 8);
        match flags.map(OFlags::from_bits_retain) {
            Ok(flags) if !flags.contains(OFlags::PATH) => Ok(file),
            _ => Err(Errno::BADF),
        }
    }

    /// Opens the target of a link in its directory of /proc.
    fn own(&self, link: &str) -> Result<OwnedFd, Errno> {
        rustix::fs::openat(self.process()?, link, PATH, Mode::empty())
    }

    /// Opens the file that the caller means by the path.
    pub(super) fn resolve(
        &mut self,
        at: At<'_>,
        path: &[u8],
        last: Last,
    ) -> Result<OwnedFd, Errno> {
        if path.is_empty() {
            return Err(Errno::NOENT);
        }
        self.enter_root()?;
        let (at, path) = match own_link(path) {
            // Without a file name behind it, the link itself is meant, unless it is followed.
            Some((name, b"")) if last == Last::Followed => return self.own(&name),
            Some((name, rest)) if !rest.is_empty() => (Some(self.own(&name)?), rest),
            _ if path.starts_with(b"/") => (None, path),
            _ => match at {
                At::Fd(fd) => (Some(self.open_at(fd)?), path),
                At::Directory(directory) => {
                    (Some(rustix::io::fcntl_dupfd_cloexec(directory, 0)?), path)
                }
            },
        };
        let at = at.as_ref().map_or(self.emulator.proc.as_fd(), OwnedFd::as_fd);
        let mut flags = PATH;
        if last == Last::Taken {
            flags |= OFlags::NOFOLLOW;
        }
        rustix::fs::openat2(at, path, flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS)
    }

    /// The directory that is to hold what the path names, and the name in it.
    pub(super) fn parent(&mut self, at: At<'_>, path: &[u8]) -> Result<(OwnedFd, Vec<u8>), Errno> {
        let end = path.iter().rposition(|byte| *byte != b'/').ok_or(Errno::EXIST)? + 1;
        let path = path.get(..end).unwrap_or_default();
        let start = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        let (parent, name) = path.split_at(start);
        if name == b"." || name == b".." {
            return Err(Errno::EXIST);
        }
        let parent = if parent.is_empty() { b"." } else { parent };
        Ok((self.resolve(at, parent, Last::Followed)?, name.to_vec()))
    }

    /// Makes its root that of the emulator: `..` and links then lead where they lead it.
    fn enter_root(&mut self) -> Result<(), Errno> {
        let flags = PATH | OFlags::DIRECTORY;
        let root = rustix::fs::openat(self.process()?, "root", flags, Mode::empty())?;
        let id = root_id(root.as_fd())?;
        if self.emulator.root != Some(id) {
            // The working directory is that of our own descriptors in /proc.
            rustix::process::chroot(link(root.as_fd()))?;
            self.emulator.root = Some(id);
        }
        Ok(())
    }
}

fn root_id(root: BorrowedFd<'_>) -> Result<RootId, Errno> {
    let mask = StatxFlags::INO | StatxFlags::MNT_ID;
    let found = rustix::fs::statx(root, "", AtFlags::EMPTY_PATH, mask)?;
    Ok((found.stx_dev_major, found.stx_dev_minor, found.stx_ino, found.stx_mnt_id))
}

/// The error of an address at which the caller has no memory.
fn fault(errno: Errno) -> Errno {
    match errno {
        Errno::IO | Errno::INVAL => Errno::FAULT,
        other => other,
    }
}

/// The path of a descriptor of our own, from the emulator's working directory.
pub(super) fn link(fd: BorrowedFd<'_>) -> String {
    fd.as_raw_fd().to_string()
}

#[cfg(test)]
mod tests {
    use std::cell::OnceCell;
    use std::fs::File;
    use std::os::fd::{AsFd as _, OwnedFd};

    use super::super::Start;
    use super::super::identity::{Identities, Identity};
    use super::{At, Caller, Emulator, Errno, Last, root_id};
    use crate::sandbox::Capabilities;
    use crate::sys::notify::Notification;

    fn nobody() -> Identity {
        Identity::new(7, 7, &[], 0)
    }

    /// An emulator whose listener knows of no call.
    fn emulator() -> Emulator {
        let open = |path: &str| File::open(path).unwrap().into();
        Emulator {
            listener: open("/dev/null"),
            proc: open("/proc"),
            root: None,
            identities: Identities::new(nobody(), 0),
            start: Start {
                uid: 0,
                gid: 0,
                groups: Vec::new(),
                capabilities: Capabilities::named("ALL").unwrap(),
                may_gain: true,
            },
            has_begun: true,
        }
    }

    fn call(arguments: [u64; 6]) -> Notification {
        let pid = i32::try_from(std::process::id()).unwrap();
        Notification { id: 1, pid, arch: 0, number: 0, arguments }
    }

    #[test]
    fn a_process_that_does_not_wait_is_not_reached() {
        let mut emulator = emulator();
        let mut caller = Caller::new(&mut emulator, call([0; 6]));
        assert_eq!(caller.umask(), Err(Errno::SRCH));
        assert_eq!(caller.read(0, 1), Err(Errno::SRCH));
        assert_eq!(caller.change_identity(nobody()), Err(Errno::SRCH));
    }

    /// A caller that is this process.
    fn own(emulator: &mut Emulator, arguments: [u64; 6]) -> Caller<'_> {
        let mut caller = Caller::new(emulator, call(arguments));
        caller.process = OnceCell::from(OwnedFd::from(File::open("/proc/self").unwrap()));
        caller
    }

    #[test]
    fn a_path_leads_through_no_magic_link() {
        let mut emulator = emulator();
        emulator.root = root_id(File::open("/").unwrap().as_fd()).ok();
        let mut caller = own(&mut emulator, [0; 6]);
        let mut resolve = |path: &str| {
            let at = At::Fd(libc::AT_FDCWD);
            caller.resolve(at, path.as_bytes(), Last::Followed).map(drop)
        };
        let process = std::process::id();
        assert_eq!(resolve(&format!("/proc/{process}/cwd")), Err(Errno::LOOP));
        assert_eq!(resolve(&format!("/proc/{process}/root/etc")), Err(Errno::LOOP));
        assert_eq!((resolve("/proc/self/cwd"), resolve("/etc/.")), (Ok(()), Ok(())));
    }

    #[test]
    fn what_a_caller_names_is_bounded() {
        let endless = vec![b'a'; 1 << 20];
        let mut emulator = emulator();
        let mut caller = own(&mut emulator, [(1 << 16) + 1, endless.as_ptr() as u64, 0, 0, 0, 0]);
        assert_eq!(caller.path(1), Err(Errno::NAMETOOLONG));
        assert_eq!(caller.setgroups(&mut nobody(), true), Err(Errno::INVAL));
        assert_eq!(caller.read(8, 1), Err(Errno::FAULT));
    }
}
