//! Ways out of a sandbox, each tried from inside: refused as long as the measure is
//! taken that stands against it, and open when that measure alone is left out.
//!
//! The sandbox starts this very program again, as it does with the tools, so there is
//! a main of our own instead of the test harness's.

#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::print_stdout)]
// A main of our own reads the arguments itself.
#![allow(clippy::disallowed_methods)]

mod attempt;
mod image;

use std::ffi::OsString;
use std::io::Read as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process::ExitCode;

use common::sandbox::{
    self, Capabilities, Command, Exit, Measure, Network, Privileges, Root, Stream, Writable,
};
use image::Image;

/// What is changed about a sandbox.
#[derive(Debug, Clone, Copy)]
enum Change {
    Without(Measure),
    With(&'static str),
    Drop(&'static str),
    NoNetwork,
    FixedPrivileges,
}

use Change::{Drop, FixedPrivileges, NoNetwork, With, Without};

/// Who can try it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Everybody,
    /// An ordinary user is refused in any case.
    Root,
}

/// An attempt, what the sandbox is like in which it fails, and in which it does not.
struct Case {
    name: &'static str,
    who: Who,
    refused: &'static [Change],
    open: &'static [Change],
}

const fn case(name: &'static str, who: Who, open: &'static [Change]) -> Case {
    Case { name, who, refused: &[], open }
}

const CALLS: Change = Without(Measure::SystemCalls);
const PATHS: Change = Without(Measure::SystemPaths);

/// A capability lets its own system calls through, as docker has it: so what takes one
/// is tried without the filter too, where the capability alone stands against it.
const CASES: &[Case] = &[
    Case { refused: &[CALLS], ..case("mount", Who::Everybody, &[With("SYS_ADMIN")]) },
    Case { refused: &[CALLS], ..case("setns", Who::Everybody, &[With("SYS_ADMIN")]) },
    case("handle", Who::Everybody, &[CALLS]),
    case("user-namespace", Who::Everybody, &[CALLS]),
    case("bpf", Who::Everybody, &[CALLS]),
    case("io-uring", Who::Everybody, &[CALLS]),
    case("keyctl", Who::Everybody, &[CALLS]),
    Case {
        refused: &[CALLS],
        ..case("session-key", Who::Everybody, &[CALLS, Without(Measure::SessionKeyring)])
    },
    case("write-sysctl", Who::Root, &[PATHS]),
    case("sysrq", Who::Root, &[PATHS]),
    case("proc-keys", Who::Everybody, &[PATHS]),
    case("device", Who::Root, &[Without(Measure::NoDevices)]),
    case("ptrace-init", Who::Everybody, &[Without(Measure::HiddenInit)]),
    case("init-root", Who::Everybody, &[Without(Measure::HiddenInit)]),
    case("program", Who::Everybody, &[Without(Measure::OwnProgram)]),
    Case { refused: &[FixedPrivileges], ..case("set-id", Who::Root, &[]) },
    case("raw-socket", Who::Root, &[With("NET_RAW")]),
    Case {
        refused: &[Drop("NET_RAW"), NoNetwork],
        ..case("raw-socket", Who::Everybody, &[NoNetwork])
    },
    Case { refused: &[NoNetwork], ..case("abstract-socket", Who::Everybody, &[]) },
];

/// What stands always, and a careless change could undo.
const CLOSED: [&str; 6] =
    ["shared-memory", "host-name", "processes", "control-group", "mounts", "write-sys"];

/// A measure of the kernel's own, which stands wherever it is taken.
const YAMA: &str = "/proc/sys/kernel/yama/ptrace_scope";

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if let Some(ended) = arguments.first().and_then(|name| sandbox::main_of_child(name)) {
        return ended;
    }
    if let [_, attempt, name, ..] = arguments.as_slice() {
        if attempt == "attempt" {
            return attempt::main(name.to_str().unwrap());
        }
    }
    let scratch = tempfile::tempdir().unwrap();
    let Some(image) = Image::build(scratch.path()) else {
        eprintln!("SKIPPED: the libraries of this program cannot be found with ldd(1)");
        return ExitCode::SUCCESS;
    };
    attempt::add_session_key();
    attempt::share_memory();
    let name = format!("layerutils-escape-{}", std::process::id());
    let _listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap());
    let is_root = rustix::process::geteuid().is_root();
    let mut failed = false;
    for case in CASES {
        if case.name == "sysrq" && std::fs::metadata("/proc/sysrq-trigger").is_err() {
            eprintln!("SKIPPED sysrq: this kernel has none");
            continue;
        }
        if case.name == "ptrace-init" && std::fs::read_to_string(YAMA).is_ok_and(|on| on != "0\n") {
            eprintln!("SKIPPED ptrace-init: this kernel lets nobody look into who is no child");
            continue;
        }
        if case.who == Who::Root && !is_root {
            eprintln!("SKIPPED {}: this process is not root", case.name);
            continue;
        }
        for (changes, expected) in [(case.refused, false), (case.open, true)] {
            let open = is_open(&image, case.name, changes);
            let right = open == Ok(expected);
            failed |= !right;
            let verdict = if right { "ok" } else { "FAILED" };
            println!("test {} with {changes:?}: open {open:?} ... {verdict}", case.name);
        }
    }
    for attempt in CLOSED {
        if !outside(attempt) {
            eprintln!("SKIPPED {attempt}: here it fails outside of a sandbox, too");
            continue;
        }
        let open = is_open(&image, attempt, &[]);
        let right = open == Ok(false);
        failed |= !right;
        println!("test {attempt}: open {open:?} ... {}", if right { "ok" } else { "FAILED" });
    }
    for hostile in [image::Hostile::Fifo, image::Hostile::Device, image::Hostile::Huge] {
        if hostile == image::Hostile::Device && !is_root {
            eprintln!("SKIPPED {hostile:?}: only root makes devices");
            continue;
        }
        image.replace_passwd(hostile);
        let refused = matches!(run(&image, "nothing", &[]), Err(text) if text.contains("passwd"));
        failed |= !refused;
        println!("test {hostile:?} as /etc/passwd: refused {refused}");
    }
    image.replace_passwd(image::Hostile::Plain);
    failed |= !no_descriptor_leads_out(&image);
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Whether an attempt succeeds in a sandbox that is changed so.
fn is_open(image: &Image, attempt: &str, changes: &[Change]) -> Result<bool, String> {
    match run(image, attempt, changes)? {
        Exit::Code(0) => Ok(true),
        Exit::Code(attempt::REFUSED) => Ok(false),
        other => Err(format!("{other:?}")),
    }
}

/// Whether an attempt succeeds where there is no sandbox.
fn outside(attempt: &str) -> bool {
    let mut command = std::process::Command::new("/proc/self/exe");
    command.args(["attempt", attempt]).env("ROOT", root_device());
    command.status().unwrap().success()
}

/// The device of the host's root, as /proc/self/mountinfo names it.
fn root_device() -> String {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mut fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    fields.rfind(|fields| fields[4] == "/").unwrap()[2].to_owned()
}

fn run(image: &Image, attempt: &str, changes: &[Change]) -> Result<Exit, String> {
    let root = Root::Directory(image.root.clone());
    // The image can name its own program so, and then it is ours.
    let program = if attempt == "program" { "/proc/self/exe" } else { image::PROBE };
    let own = std::fs::metadata("/proc/self/exe").unwrap();
    let mut command = Command::new(root, program)
        .args(["attempt", attempt])
        .env("OWN", format!("{}:{}", own.dev(), own.ino()))
        .env("ROOT", root_device())
        .env("CALLER", std::process::id().to_string())
        .writable(Writable::Discarded)
        .stdin(Stream::Null);
    if attempt == "set-id" {
        command = command.user("7:7");
    }
    let network = match changes.iter().any(|change| matches!(change, NoNetwork)) {
        true => Network::None,
        false => Network::Host,
    };
    command = command.network(network);
    // Only where they change: the default is tried, too.
    let mut capabilities = None::<Capabilities>;
    for change in changes {
        command = match change {
            Without(measure) => command.without(*measure),
            NoNetwork => command,
            FixedPrivileges => command.privileges(Privileges::Fixed),
            With(name) => {
                capabilities.get_or_insert(Capabilities::on(network)).add(name).unwrap();
                command
            }
            Drop(name) => {
                capabilities.get_or_insert(Capabilities::on(network)).remove(name).unwrap();
                command
            }
        };
    }
    if let Some(capabilities) = capabilities {
        command = command.capabilities(capabilities);
    }
    command.run().map_err(|error| error.to_string())
}

/// A directory that the caller has open, and one that we have, as the working directory
/// and on the way to the program (CVE-2024-21626).
fn no_descriptor_leads_out(image: &Image) -> bool {
    let outside = std::fs::File::open("/").unwrap();
    // Not marked to be closed, as in a careless caller.
    let leaked = rustix::io::dup(&outside).unwrap();
    let mut tight = true;
    for number in 3..40 {
        let root = Root::Directory(image.root.clone());
        let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let command = Command::new(root, image::PROBE)
            .args(["attempt", "working-directory"])
            .cwd(format!("/proc/self/fd/{number}"))
            .writable(Writable::Discarded)
            .stdin(Stream::Null)
            .stdout(Stream::Fd(writer));
        let by_directory = command.run().is_err();
        let mut said = String::new();
        std::fs::File::from(reader).read_to_string(&mut said).unwrap();
        let root = Root::Directory(image.root.clone());
        let program =
            format!("/proc/self/fd/{number}{}", std::env::current_exe().unwrap().display());
        let command = Command::new(root, program)
            .args(["attempt", "nothing"])
            .writable(Writable::Discarded)
            .stdin(Stream::Null);
        let by_program = command.run().is_err();
        if !(by_directory && by_program && said.is_empty()) {
            println!("test descriptor {number}: {by_directory} {by_program} {said:?} ... FAILED");
            tight = false;
        }
    }
    drop(leaked);
    println!("test descriptors lead nowhere: {tight}");
    tight
}
