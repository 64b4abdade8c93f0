//! A terminal for the command: made inside, connected to the caller's.
//!
//! The command never gets the caller's own terminal to control: what it writes
//! comes out here, and what is typed goes in, and nothing else can be done to it.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread::JoinHandle;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::fs::{Mode, OFlags, openat};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Winsize, isatty, tcgetattr, tcgetwinsize,
    tcsetattr, tcsetwinsize,
};

use crate::cleanup;

/// Both ends of a new terminal.
#[derive(Debug)]
pub(super) struct Pair {
    /// The caller's.
    pub(super) master: OwnedFd,
    /// The command's.
    pub(super) slave: OwnedFd,
}

impl Pair {
    /// Makes a terminal on the file system `devpts`, its first: number 0.
    pub(super) fn new(devpts: impl AsFd) -> io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let master = openat(devpts, "ptmx", flags, Mode::empty())?;
        unlockpt(&master)?;
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let slave = ioctl_tiocgptpeer(&master, flags)?;
        Ok(Self { master, slave })
    }
}

/// How often the window is looked at for a new size. A signal would tell, and take
/// a handler or every thread's mask.
const GLANCE: u16 = 200;

/// What the caller types and what it sees, connected to the command's terminal.
pub(super) struct Relay {
    output: Option<JoinHandle<()>>,
    input: Option<JoinHandle<()>>,
    /// Closed to end the input.
    stop: Option<OwnedFd>,
    _raw: Option<cleanup::Guard>,
}

impl Relay {
    /// Connects standard input and output to `master`.
    ///
    /// # Streams
    /// Reads standard input, raw if it is a terminal, and writes standard output.
    pub(super) fn start(master: OwnedFd) -> io::Result<Self> {
        let raw = make_raw()?;
        copy_size(master.as_fd(), None);
        let (stopped, stop) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let reader = File::from(master.try_clone()?);
        let output = std::thread::Builder::new().spawn(move || show(reader))?;
        let writer = File::from(master);
        let input = std::thread::Builder::new().spawn(move || type_in(writer, &stopped))?;
        Ok(Self { output: Some(output), input: Some(input), stop: Some(stop), _raw: raw })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // All that was written is shown: the end comes when nobody has it open.
        let _ = self.output.take().map(JoinHandle::join);
        drop(self.stop.take());
        let _ = self.input.take().map(JoinHandle::join);
    }
}

/// Lets every key through, until the guard is dropped. Nothing where the input is
/// no terminal.
fn make_raw() -> io::Result<Option<cleanup::Guard>> {
    if !isatty(io::stdin()) {
        return Ok(None);
    }
    let before = tcgetattr(io::stdin())?;
    let mut raw = before.clone();
    raw.make_raw();
    tcsetattr(io::stdin(), OptionalActions::Drain, &raw)?;
    Ok(Some(cleanup::register(move || {
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &before);
    })))
}

/// Copies the window's size if it is not `known`, and returns it.
fn copy_size(master: BorrowedFd<'_>, known: Option<Winsize>) -> Option<Winsize> {
    let size = tcgetwinsize(io::stdout()).or_else(|_| tcgetwinsize(io::stdin())).ok()?;
    let same =
        known.is_some_and(|known| (known.ws_row, known.ws_col) == (size.ws_row, size.ws_col));
    if !same {
        let _ = tcsetwinsize(master, size);
    }
    Some(size)
}

fn show(mut master: File) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let len = match master.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // EIO is the end: no process has the terminal open.
            Ok(0) | Err(_) => return,
            Ok(len) => len,
        };
        let mut stdout = io::stdout().lock();
        let shown = stdout.write_all(buffer.get(..len).unwrap_or_default());
        if shown.and_then(|()| stdout.flush()).is_err() {
            return;
        }
    }
}

fn type_in(mut master: File, stopped: &OwnedFd) {
    let mut size = None;
    let mut open = true;
    let stdin = io::stdin();
    let mut buffer = [0; 4096];
    loop {
        size = copy_size(master.as_fd(), size);
        let wanted = if open { PollFlags::POLLIN } else { PollFlags::empty() };
        let mut polled =
            [PollFd::new(stopped.as_fd(), PollFlags::POLLIN), PollFd::new(stdin.as_fd(), wanted)];
        let watched = if open { 2 } else { 1 };
        match poll(polled.get_mut(..watched).unwrap_or_default(), PollTimeout::from(GLANCE)) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(_) => return,
        }
        let [stop, input] = polled.map(|fd| fd.any() == Some(true));
        if stop {
            return;
        }
        if !open {
            // Again at every glance: a shell discards what was typed before its
            // prompt, and a file that has ended stays so for whoever reads next.
            type_end_of_file(&mut master);
        } else if input {
            // Unbuffered: what is not typed for the command stays for the shell.
            match rustix::io::read(&stdin, &mut buffer) {
                Ok(0) | Err(_) => {
                    open = false;
                    type_end_of_file(&mut master);
                }
                Ok(len) => {
                    if master.write_all(buffer.get(..len).unwrap_or_default()).is_err() {
                        return;
                    }
                }
            }
        }
    }
}

/// Presses the key that ends a file on a terminal (`stty eof`), unless so much lies
/// unread that the key would have to wait.
fn type_end_of_file(master: &mut File) {
    let mut polled = [PollFd::new(master.as_fd(), PollFlags::POLLOUT)];
    if poll(&mut polled, PollTimeout::ZERO) != Ok(1) {
        return;
    }
    // The master tells of the slave's settings. Programs that read single keys take
    // this one for the end whatever `stty eof` says.
    let key = match tcgetattr(&*master) {
        Ok(settings) if settings.local_modes.contains(LocalModes::ICANON) => {
            settings.special_codes[SpecialCodeIndex::VEOF]
        }
        _ => 4,
    };
    let _ = master.write_all(&[key]);
}
