//! The attempts, made inside. Each tells by its status whether it got through.

// What neither nix nor rustix offers is called by its number.
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use rustix::fs::{CWD, FileType, Mode, mknodat};

/// The status of an attempt that was refused.
pub(crate) const REFUSED: u8 = 44;

/// A description that only this run's key has.
const KEY: &std::ffi::CStr = c"layerutils-escape";

pub(crate) fn main(name: &str) -> ExitCode {
    match attempt(name) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::from(REFUSED)
        }
    }
}

fn attempt(name: &str) -> io::Result<()> {
    match name {
        "nothing" => Ok(()),
        "mount" => Ok(mount(Some("t"), "/tmp", Some("tmpfs"), MsFlags::empty(), None::<&str>)?),
        "setns" => Ok(setns(File::open("/proc/self/ns/uts")?, CloneFlags::CLONE_NEWUTS)?),
        "user-namespace" => Ok(unshare(CloneFlags::CLONE_NEWUSER)?),
        // Nonsense, which whoever may call it at all is told.
        "handle" => got_through(call(libc::SYS_open_by_handle_at, [-1, 0, 0, 0, 0])),
        "bpf" => got_through(call(libc::SYS_bpf, [9999, 0, 0, 0, 0])),
        "io-uring" => got_through(call(libc::SYS_io_uring_setup, [0, 0, 0, 0, 0])),
        "keyctl" => got_through(call(libc::SYS_keyctl, [9999, 0, 0, 0, 0])),
        "session-key" => find_session_key(),
        // Opened, and nothing written.
        "write-sysctl" => open_to_write("/proc/sys/kernel/panic"),
        "sysrq" => open_to_write("/proc/sysrq-trigger"),
        "proc-keys" => not_empty("/proc/keys"),
        "device" => {
            mknodat(
                CWD,
                "/zero",
                FileType::CharacterDevice,
                Mode::RUSR,
                rustix::fs::makedev(1, 5),
            )?;
            File::open("/zero")?.read_exact(&mut [0])
        }
        "ptrace-init" => call(libc::SYS_ptrace, [libc::PTRACE_SEIZE.into(), 1, 0, 0, 0]).map(drop),
        "init-root" => std::fs::read_link("/proc/1/root").map(drop),
        "program" => hold_own_program(),
        "program-held" => is_callers_program(),
        "set-id" => Err(Command::new("/set-id").args(["attempt", "set-id-gained"]).exec()),
        "set-id-gained" => yes(rustix::process::geteuid().is_root()),
        "raw-socket" => rustix::net::socket(
            rustix::net::AddressFamily::INET,
            rustix::net::SocketType::RAW,
            Some(rustix::net::ipproto::ICMP),
        )
        .map(drop)
        .map_err(io::Error::from),
        "abstract-socket" => {
            let name = format!("layerutils-escape-{}", std::env::var("CALLER").unwrap());
            UnixStream::connect_addr(&SocketAddr::from_abstract_name(name)?).map(drop)
        }
        // A line of headings, and one for each segment.
        "shared-memory" => more_lines_than(1, "/proc/sysvipc/shm"),
        "host-name" => yes(rustix::system::uname().nodename().to_str() != Ok("layerutils")),
        // Process 1 is init, and there are this one and its kin.
        "processes" => {
            let all = std::fs::read_dir("/proc")?.flatten();
            let is_number = |name: std::ffi::OsString| {
                name.to_str().is_some_and(|name| name.parse::<u32>().is_ok())
            };
            yes(all.filter(|entry| is_number(entry.file_name())).count() > 2)
        }
        "control-group" => {
            let own = std::fs::read_to_string("/proc/self/cgroup")?;
            yes(own.lines().any(|line| !line.ends_with(":/")))
        }
        "mounts" => {
            let all = std::fs::read_to_string("/proc/self/mountinfo")?;
            // The host's own root is somewhere, if it is anywhere, with its file system.
            let device = std::env::var("ROOT").unwrap();
            yes(all.lines().any(|line| line.split(' ').nth(2) == Some(&device)))
        }
        // Its files belong to root, who needs no capability to write to them.
        "write-sys" => {
            let all = std::fs::read_to_string("/proc/self/mountinfo")?;
            let fields = all.lines().map(|line| line.split(' ').collect::<Vec<_>>());
            let mut below = fields.filter(|fields| fields[4].starts_with("/sys"));
            yes(below.any(|fields| !fields[5].split(',').any(|option| option == "ro")))
        }
        "working-directory" => {
            println!("{}", std::env::current_dir()?.display());
            Ok(())
        }
        other => panic!("no such attempt: {other}"),
    }
}

fn yes(answer: bool) -> io::Result<()> {
    if answer { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
}

fn open_to_write(path: &str) -> io::Result<()> {
    OpenOptions::new().write(true).open(path).map(drop)
}

fn more_lines_than(count: usize, path: &str) -> io::Result<()> {
    yes(std::fs::read_to_string(path)?.lines().count() > count)
}

fn not_empty(path: &str) -> io::Result<()> {
    let mut text = String::new();
    File::open(path)?.read_to_string(&mut text)?;
    yes(!text.is_empty())
}

/// The system call, with arguments that are numbers or null.
fn call(number: libc::c_long, arguments: [libc::c_long; 5]) -> io::Result<libc::c_long> {
    let [a, b, c, d, e] = arguments;
    // SAFETY: no caller passes an address but null, which the kernel refuses.
    match unsafe { libc::syscall(number, a, b, c, d, e) } {
        -1 => Err(io::Error::last_os_error()),
        result => Ok(result),
    }
}

/// Whether the kernel looked at the arguments, and did not refuse before.
fn got_through(answer: io::Result<libc::c_long>) -> io::Result<()> {
    match answer {
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => Err(error),
        _ => Ok(()),
    }
}

/// In the caller: a key in a session keyring of its own.
/// Shared memory that must not be seen inside. It is gone when this process ends.
pub(crate) fn share_memory() {
    let number = call(libc::SYS_shmget, [libc::IPC_PRIVATE.into(), 4096, 0o600, 0, 0]).unwrap();
    // Attached, and marked to be removed when nobody is attached any more.
    call(libc::SYS_shmat, [number, 0, 0, 0, 0]).unwrap();
    call(libc::SYS_shmctl, [number, libc::IPC_RMID.into(), 0, 0, 0]).unwrap();
}

pub(crate) fn add_session_key() {
    let (kind, value) = (c"user", b"secret");
    // SAFETY: the strings end in a zero byte, and all outlive the calls.
    unsafe {
        let null = std::ptr::null::<libc::c_char>();
        libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, null);
        libc::syscall(
            libc::SYS_add_key,
            kind.as_ptr(),
            KEY.as_ptr(),
            value.as_ptr(),
            value.len(),
            libc::KEY_SPEC_SESSION_KEYRING,
        );
    }
}

fn find_session_key() -> io::Result<()> {
    // SAFETY: the strings end in a zero byte.
    let found = unsafe {
        let (kind, keyring) = (c"user", libc::KEY_SPEC_SESSION_KEYRING);
        libc::syscall(
            libc::SYS_keyctl,
            libc::KEYCTL_SEARCH,
            keyring,
            kind.as_ptr(),
            KEY.as_ptr(),
            0,
        )
    };
    if found == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Keeps the program that is running now open over the start of another, which is what
/// it takes to write to it: a program that runs is not written to.
fn hold_own_program() -> io::Result<()> {
    let held = rustix::fs::open("/proc/self/exe", rustix::fs::OFlags::PATH, Mode::empty())?;
    let number = std::os::fd::AsRawFd::as_raw_fd(&held.as_fd()).to_string();
    Err(Command::new(super::image::PROBE)
        .args(["attempt", "program-held"])
        .env("HELD", number)
        .exec())
}

/// Whether what is held open is the very file that the caller was started from.
fn is_callers_program() -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let held = std::fs::metadata(format!("/proc/self/fd/{}", std::env::var("HELD").unwrap()))?;
    yes(format!("{}:{}", held.dev(), held.ino()) == std::env::var("OWN").unwrap())
}
