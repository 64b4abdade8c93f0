//! Makes random system calls that have to do with users and owners, and prints what each
//! returns: `random-calls FIRST COUNT` makes as many sequences. Run as root and under the
//! emulation of users, it must print the same.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout)]
// Calls with pointers to nothing, which no safe function makes.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::fmt::Debug;
use std::os::fd::AsRawFd as _;
use std::process::Command;

use nix::unistd::{
    Gid, Uid, getgroups, getresgid, getresuid, setgid, setgroups, setresgid, setresuid, setuid,
};
use rustix::fs::{
    AtFlags, CWD, FileType, Gid as FileGid, Mode, OFlags, Timespec, Timestamps, Uid as FileUid,
    XattrFlags, chmod, chownat, linkat, makedev, mkdir, mknodat, open, removexattr, rename, rmdir,
    setxattr, statat, statx, symlink, unlink, utimensat,
};

/// The number of calls in a sequence.
const CALLS: u32 = 30;

/// Numbers that look random (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn id(&mut self) -> u32 {
        [0, 1, 5, 1000, 65_534, 70_000][self.below(6) as usize]
    }

    fn name(&mut self) -> String {
        let folder = ["", "", "d/", "e/"][self.below(4) as usize];
        format!("{folder}{}", ["a", "b", "c", "d", "e", "l"][self.below(6) as usize])
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().and_then(|word| word.parse::<u64>().ok());
    let (Some(first), Some(count)) = (next(), next()) else { return };
    // Nothing is a matter of permission to read or write, which is not emulated.
    rustix::process::umask(Mode::empty());
    // A sequence, or what another process makes of it.
    match (count, next()) {
        (0, None) => return calls(first, Forks::Once),
        (0, Some(_)) => return calls(first, Forks::Never),
        _ => {}
    }
    for seed in first..first + count {
        let folder = format!("/w{seed}");
        mkdir(&folder, Mode::from_raw_mode(0o777)).unwrap();
        std::env::set_current_dir(&folder).unwrap();
        println!("sequence {seed}");
        // The users of a sequence do not come back.
        let number = seed.to_string();
        let own = Command::new("/proc/self/exe").args([number.as_str(), "0"]).output().unwrap();
        print!("{}", String::from_utf8_lossy(&own.stdout));
    }
}

/// Whether a process starts another.
#[derive(PartialEq)]
enum Forks {
    Once,
    Never,
}

fn calls(seed: u64, mut forks: Forks) {
    let mut random = Random((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    for _ in 0..CALLS {
        let is_root = getresuid().unwrap().effective.is_root();
        let (name, other) = (random.name(), random.name());
        match random.below(if is_root { 24 } else { 19 }) {
            0 => tell(("open", &name), make(&name)),
            1 => tell(("mkdir", &name), mkdir(&name, Mode::from_raw_mode(0o777))),
            2 => tell(("symlink", &name), symlink("a", &name)),
            3 => {
                let mode = Mode::from_raw_mode(0o666);
                tell(("mkfifo", &name), mknodat(CWD, &name, FileType::Fifo, mode, 0));
            }
            4 => tell(("rename", &name, &other), rename(&name, &other)),
            5 => tell(("unlink", &name), unlink(&name)),
            6 => tell(("rmdir", &name), rmdir(&name)),
            7..=9 => {
                let flags = match random.below(2) {
                    0 => AtFlags::empty(),
                    _ => AtFlags::SYMLINK_NOFOLLOW,
                };
                let uid = [None, Some(random.id()), Some(random.id())][random.below(3) as usize];
                let gid = [None, Some(random.id()), Some(random.id())][random.below(3) as usize];
                let (user, group) = (uid.map(FileUid::from_raw), gid.map(FileGid::from_raw));
                let outcome = chownat(CWD, &name, user, group, flags);
                tell(("chown", &name, uid, gid, flags), outcome);
                look(&name);
            }
            10 | 11 => look(&name),
            12 => tell("ids", ids()),
            13 => {
                let id = random.id();
                tell(("setuid", id), setuid(Uid::from_raw(id)));
                tell("ids", ids());
            }
            14 => {
                let id = random.id();
                tell(("setgid", id), setgid(Gid::from_raw(id)));
                tell("ids", ids());
            }
            15 if forks == Forks::Once => {
                forks = Forks::Never;
                let number = (seed ^ 0xabcd_ef01).to_string();
                let program = Command::new("/proc/self/exe").args([&number, "0", "0"]).output();
                print!("{}", String::from_utf8_lossy(&program.unwrap().stdout));
            }
            16 => bad_pointers(&mut random, &name),
            17 => on_descriptors(&mut random, &name),
            18 => {
                // Devices and FIFOs are not opened alike.
                let is_other = statat(CWD, &name, AtFlags::empty())
                    .is_ok_and(|stat| stat.st_mode & 0o170_000 != 0o100_000);
                if !is_other {
                    let flags = OFlags::CREATE | OFlags::RDONLY;
                    let opened = open(&name, flags, Mode::from_raw_mode(0o666)).map(drop);
                    tell(("open behind links", &name), opened);
                    look(&name);
                }
            }
            19 => {
                let flags = match random.below(2) {
                    0 => AtFlags::empty(),
                    _ => AtFlags::SYMLINK_NOFOLLOW,
                };
                let time = Timespec { tv_sec: random.below(1 << 30) as i64, tv_nsec: 5 };
                let times = Timestamps { last_access: time, last_modification: time };
                tell(("utimensat", &name, flags), utimensat(CWD, &name, &times, flags));
                look(&name);
            }
            20 => {
                let kind = [FileType::CharacterDevice, FileType::BlockDevice];
                let kind = kind[random.below(2) as usize];
                let number = makedev(random.below(20) as u32 + 1, random.below(300) as u32);
                let mode = Mode::from_raw_mode(0o666);
                tell(("mknod", &name, number), mknodat(CWD, &name, kind, mode, number));
                look(&name);
            }
            21 => {
                let [real, effective, saved] = [(); 3].map(|()| random.id());
                let [r, e, s] = [real, effective, saved].map(Uid::from_raw);
                tell(("setresuid", real, effective, saved), setresuid(r, e, s));
                let [r, e, s] = [real, effective, saved].map(Gid::from_raw);
                tell(("setresgid", real, effective, saved), setresgid(r, e, s));
                tell("ids", ids());
            }
            22 => {
                let groups = [random.id(), random.id()];
                tell(("setgroups", groups), setgroups(&groups.map(Gid::from_raw)));
                tell("ids", ids());
            }
            23 => on_files(&mut random, &name, &other),
            _ => {}
        }
    }
}

/// Calls that only the owner of a file, which is not emulated, or root can make.
fn on_files(random: &mut Random, name: &str, other: &str) {
    match random.below(3) {
        0 => {
            // A sticky directory would be a matter of permission to open files.
            let mode = [0o777, 0o2777, 0o6777][random.below(3) as usize];
            // A link is followed, and a link to itself is nobody's.
            tell(("chmod", name, mode), chmod(name, Mode::from_raw_mode(mode)));
        }
        1 => tell(("link", name, other), linkat(CWD, name, CWD, other, AtFlags::empty())),
        _ => {
            let is_file = statat(CWD, name, AtFlags::SYMLINK_NOFOLLOW)
                .is_ok_and(|stat| stat.st_mode & 0o170_000 == 0o100_000);
            if is_file {
                let set = setxattr(name, "user.note", b"note", XattrFlags::empty());
                tell(("setxattr", name), set);
                tell(("removexattr", name), removexattr(name, "user.note"));
            }
        }
    }
}

/// Makes calls by descriptor: of a file, of a mere path, and of none.
fn on_descriptors(random: &mut Random, name: &str) {
    let opened = open(name, OFlags::PATH | OFlags::NOFOLLOW, Mode::empty());
    let (uid, gid) = (random.id(), random.id());
    let path = opened.as_ref().map_or(-1, |fd| fd.as_raw_fd());
    let directory = open(".", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
    for fd in [path, libc::AT_FDCWD, -1, directory.as_raw_fd()] {
        let mut stat = std::mem::MaybeUninit::<libc::stat>::zeroed();
        // SAFETY: the calls change no memory but the structure, which has room.
        let said = unsafe {
            let chown = errno(libc::fchown(fd, uid, gid));
            let times = errno(libc::futimens(fd, std::ptr::null()));
            (chown, times, errno(libc::fstat(fd, stat.as_mut_ptr())))
        };
        // SAFETY: zeros are a value.
        let stat = unsafe { stat.assume_init() };
        let fd = fd.min(0);
        tell(("by descriptor", fd, uid, gid), (said, stat.st_uid, stat.st_gid, stat.st_mode));
    }
}

/// Makes calls with addresses at which there is nothing.
fn bad_pointers(random: &mut Random, name: &str) {
    let path = CString::new(name).unwrap();
    let bad = 16_usize;
    // SAFETY: at the address there is no memory, which the kernel finds, and writes nothing.
    let said = unsafe {
        match random.below(8) {
            0 => libc::lchown(bad as *const _, 5, 5),
            1 => libc::lstat(path.as_ptr(), bad as *mut _),
            2 => libc::getresuid(bad as *mut _, bad as *mut _, bad as *mut _),
            3 => libc::syscall(libc::SYS_setgroups, 2, bad) as i32,
            4 => libc::mkdir(bad as *const _, 0o777),
            5 => libc::utimensat(libc::AT_FDCWD, path.as_ptr(), bad as *const _, 0),
            6 => libc::syscall(libc::SYS_capset, bad, bad) as i32,
            _ => libc::syscall(libc::SYS_prlimit64, 0, libc::RLIMIT_LOCKS, 0, bad) as i32,
        }
    };
    tell(("bad pointer", name), errno(said));
    tell("ids", ids());
}

/// The error of a call that has returned this.
fn errno(returned: i32) -> Result<i32, Option<i32>> {
    match returned {
        -1 => Err(std::io::Error::last_os_error().raw_os_error()),
        returned => Ok(returned),
    }
}

fn make(name: &str) -> rustix::io::Result<()> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NONBLOCK;
    open(name, flags, Mode::from_raw_mode(0o666)).map(drop)
}

fn ids() -> impl Debug {
    let (users, groups) = (getresuid().unwrap(), getresgid().unwrap());
    let mut others: Vec<u32> = getgroups().unwrap().iter().map(|gid| gid.as_raw()).collect();
    others.sort_unstable();
    (users, groups, others)
}

/// Prints what both calls say of a name, followed and not.
fn look(name: &str) {
    for flags in [AtFlags::empty(), AtFlags::SYMLINK_NOFOLLOW] {
        let stat = statat(CWD, name, flags).map(|stat| {
            let mode = format!("{:o}", stat.st_mode);
            (mode, stat.st_uid, stat.st_gid, stat.st_nlink, stat.st_rdev)
        });
        let newer = statx(CWD, name, flags, rustix::fs::StatxFlags::BASIC_STATS).map(|statx| {
            let mode = format!("{:o}", statx.stx_mode);
            let device = makedev(statx.stx_rdev_major, statx.stx_rdev_minor);
            (mode, statx.stx_uid, statx.stx_gid, u64::from(statx.stx_nlink), device)
        });
        assert_eq!(stat, newer, "stat and statx of {name}");
        tell(("stat", name, flags), stat);
    }
}

fn tell(call: impl Debug, outcome: impl Debug) {
    println!("{call:?}: {outcome:?}");
}
