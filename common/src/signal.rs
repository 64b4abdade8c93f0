//! INT, TERM and HUP: undo what is registered, then die of the signal, so that
//! the caller sees it; or pass it on to a command that runs on our behalf.
//!
//! A tool that fills the terminal awaits the other signals that end or stop it, too.
//!
//! The signals are blocked in every thread and awaited by one, so that clean-up
//! runs as ordinary code and not in a handler.

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, raise, sigprocmask};
use nix::unistd::Pid;

use crate::{cleanup, sys};

/// The processes that get our signals.
static COMMANDS: Mutex<Vec<i32>> = Mutex::new(Vec::new());

/// The last signal that was passed on, 0 for none.
static PASSED_ON: AtomicI32 = AtomicI32::new(0);

/// Whether a signal is ending us: whatever fails from then on is its doing.
static ENDING: AtomicBool = AtomicBool::new(false);

fn commands() -> MutexGuard<'static, Vec<i32>> {
    COMMANDS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The other signals that end a tool, or stop it, and that a tool which prepares the
/// terminal awaits, too.
const OF_A_SCREEN: [Signal; 6] = [
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGTSTP,
    Signal::SIGCONT,
];

fn unless_ignored(signals: &[Signal]) -> SigSet {
    let mut set = SigSet::empty();
    for &signal in signals {
        // What our caller ignores (nohup, a background job of a plain sh) stays ignored.
        if !sys::signal_is_ignored(signal) {
            set.add(signal);
        }
    }
    set
}

pub(crate) fn install() {
    let set = unless_ignored(&[Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
    if set.thread_block().is_err() {
        return;
    }
    let spawned = std::thread::Builder::new().name("signals".into()).spawn(move || {
        // Another thread may await them: see [`await_for_screen`].
        let _ = unless_ignored(&OF_A_SCREEN).thread_block();
        loop {
            let Ok(signal) = set.wait() else { continue };
            let commands = commands();
            if commands.is_empty() {
                drop(commands);
                end(signal);
            }
            PASSED_ON.store(signal as i32, Ordering::SeqCst);
            for pid in commands.iter() {
                let _ = kill(Pid::from_raw(*pid), signal);
            }
        }
    });
    if spawned.is_err() {
        let _ = set.thread_unblock();
    }
}

fn end(signal: Signal) -> ! {
    ENDING.store(true, Ordering::SeqCst);
    cleanup::run_all();
    die_of(signal)
}

/// Lets QUIT, USR1, USR2 and ALRM undo what is registered before they end the process,
/// and TSTP call `pause` before it stops the process; CONT calls `resume`. For a tool
/// that prepares the terminal and runs no commands. To be called before the tool starts
/// threads: they must inherit the blocked signals.
///
/// # Errors
/// A thread that cannot be started.
pub fn await_for_screen(
    pause: impl Fn() + Send + 'static,
    resume: impl Fn() + Send + 'static,
) -> std::io::Result<()> {
    let set = unless_ignored(&OF_A_SCREEN);
    set.thread_block()?;
    let awaiting = move || {
        loop {
            match set.wait() {
                Ok(Signal::SIGTSTP) => {
                    pause();
                    // It stops this thread at once, and with it the process.
                    let _ = raise(Signal::SIGSTOP);
                }
                Ok(Signal::SIGCONT) => resume(),
                Ok(signal) => end(signal),
                Err(_) => {}
            }
        }
    };
    std::thread::Builder::new().name("screen".into()).spawn(awaiting)?;
    Ok(())
}

/// Leaves the end of the process to the signal's thread, if it is at work: the
/// tool may just have failed on a file that was cleaned up under its hands.
pub fn wait_if_ending() {
    while ENDING.load(Ordering::SeqCst) {
        std::thread::park();
    }
}

/// Passes INT, TERM, HUP, QUIT, USR1, USR2, WINCH, TSTP and CONT on to `command` until the
/// guard is dropped, instead of dying of them; TSTP stops this process, too. Several
/// commands may run at once, and each gets them.
#[must_use]
pub fn forward_to(command: Pid) -> Forwarding {
    let mut commands = commands();
    commands.push(command.as_raw());
    sys::pass_on::start(command.as_raw());
    Forwarding(command.as_raw())
}

/// Keeps signals going to a command: see [`forward_to`].
#[derive(Debug)]
pub struct Forwarding(i32);

impl Drop for Forwarding {
    fn drop(&mut self) {
        let mut commands = commands();
        sys::pass_on::stop(self.0);
        commands.retain(|command| *command != self.0);
    }
}

/// Kills every command that signals are passed on to: their results are not wanted any more.
pub fn kill_commands() {
    for command in commands().iter() {
        let _ = kill(Pid::from_raw(*command), Signal::SIGKILL);
    }
}

/// Dies of a signal that a command got in our stead, everything undone first: for a
/// tool to which the command was a step, and not all that it is for.
pub fn die_if_passed_on() {
    if let Ok(signal) = Signal::try_from(PASSED_ON.load(Ordering::SeqCst)) {
        cleanup::run_all();
        die_of(signal);
    }
}

/// Gives a freshly made child process the signals that a program expects: none
/// blocked, SIGPIPE fatal. To be called between fork and exec.
pub fn reset_in_child() {
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
    sys::default_signal(Signal::SIGPIPE);
}

/// Dies of SIGPIPE: the reader of our output has gone.
pub(crate) fn die_of_sigpipe() -> ! {
    die_of(Signal::SIGPIPE)
}

fn die_of(signal: Signal) -> ! {
    sys::default_signal(signal);
    let mut set = SigSet::empty();
    set.add(signal);
    let _ = set.thread_unblock();
    let _ = raise(signal);
    // Only a signal that cannot kill us gets here.
    #[allow(clippy::exit)]
    std::process::exit(128 + signal as i32)
}
