//! The terminal: prepared, drawn on, and given back as it was, however the tool ends.
//!
//! Everything is drawn with ECMA-48, which every terminal of today understands; colours
//! only mark what letters say as well.

use std::io;
use std::os::fd::AsFd as _;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::time::Duration;

use common::cleanup::{self, Guard};
use common::cli::{ColorChoice, Failure};
use common::signal;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::termios::{
    LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, isatty, tcflush,
    tcgetattr, tcgetwinsize, tcsetattr,
};

use crate::keys::{self, Key};

/// Alternate screen, no cursor, no lines that wrap.
const BEGIN: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";
const END: &str = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";

/// The time that reading waits for a key, in milliseconds: then the size of the window is
/// looked at.
const WAIT_MS: u8 = 200;

/// The number of times that a signal asks for the terminal while output holds it, and the
/// time between two of them.
const PATIENCE: u32 = 100;
const PAUSE: Duration = Duration::from_millis(10);

/// The time that a byte may wait for the terminal when it is given back, in milliseconds.
const PATIENCE_FOR_BYTE_MS: u8 = 200;

/// The way in which text stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Bold,
    Reverse,
    Green,
    Yellow,
    Red,
}

/// Text in one style. It holds nothing that acts on a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Style, pub(crate) String);

/// A line of the screen.
pub(crate) type Line = Vec<Span>;

/// Columns and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) width: usize,
    pub(crate) height: usize,
}

/// Refuses to begin if nobody could see or press anything.
pub(crate) fn check() -> Result<(), Failure> {
    let hint = "img-du, img-history, layer-ls and img-diff tell the same in a pipe";
    for (is_terminal, name) in
        [(isatty(io::stdout()), "standard output"), (isatty(io::stdin()), "standard input")]
    {
        if !is_terminal {
            return Err(Failure::new(format!("{name}: not a terminal")).hint(hint));
        }
    }
    if std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
        return Err(Failure::new("TERM is 'dumb': nothing can be drawn on it").hint(hint));
    }
    Ok(())
}

/// The terminal as the threads of signals and the tool share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It is not prepared yet.
    Before,
    Prepared,
    /// It is given back while the process is stopped.
    Stopped,
    /// It is given back for good.
    Over,
}

#[derive(Debug)]
struct Terminal {
    phase: Phase,
    /// Set if all lines must be drawn again.
    is_blank: bool,
}

static TERMINAL: Mutex<Terminal> = Mutex::new(Terminal { phase: Phase::Before, is_blank: true });

/// The modes before the tool began, and while it draws.
static MODES: OnceLock<(Termios, Termios)> = OnceLock::new();

fn terminal() -> MutexGuard<'static, Terminal> {
    TERMINAL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks the terminal; returns nothing if output blocks for too long even though what is
/// not sent yet is dropped.
fn terminal_soon() -> Option<MutexGuard<'static, Terminal>> {
    for attempt in 0..PATIENCE {
        match TERMINAL.try_lock() {
            Ok(terminal) => return Some(terminal),
            Err(TryLockError::Poisoned(error)) => return Some(error.into_inner()),
            Err(TryLockError::WouldBlock) => {}
        }
        if attempt >= PATIENCE / 2 {
            let _ = tcflush(io::stdout(), QueueSelector::OFlush);
        }
        std::thread::sleep(PAUSE);
    }
    None
}

/// Lets signals give the terminal back, however they end or stop the tool. To be called
/// before the tool starts threads.
pub(crate) fn await_signals() -> Result<(), Failure> {
    signal::await_for_screen(|| give_back(Phase::Stopped), resume)
        .map_err(|error| Failure::about("the terminal", error))
}

/// A prepared terminal.
#[derive(Debug)]
pub(crate) struct Screen {
    /// Gives the terminal back.
    _guard: Guard,
    has_colors: bool,
    size: Option<Size>,
    shown: Vec<String>,
    typed: Vec<u8>,
}

impl Screen {
    pub(crate) fn open(color: ColorChoice) -> Result<Self, Failure> {
        let failed =
            |error: rustix::io::Errno| Failure::about("the terminal", io::Error::from(error));
        let before = tcgetattr(io::stdin()).map_err(failed)?;
        let mut raw = before.clone();
        raw.make_raw();
        // The interrupt key stays a signal, which ends every tool in the same way.
        raw.local_modes |= LocalModes::ISIG;
        for code in [SpecialCodeIndex::VQUIT, SpecialCodeIndex::VSUSP] {
            raw.special_codes[code] = 0;
        }
        raw.special_codes[SpecialCodeIndex::VMIN] = 0;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        let _ = MODES.set((before, raw));
        let guard = cleanup::register(|| give_back(Phase::Over));
        // A signal that came before that did not see it.
        signal::wait_if_ending();
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back(Phase::Over);
            hook(panic);
        }));
        let is_colored_by_default =
            std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let has_colors = match color {
            ColorChoice::Auto => is_colored_by_default,
            ColorChoice::Always => true,
            ColorChoice::Never => false,
        };
        let screen =
            Self { _guard: guard, has_colors, size: None, shown: Vec::new(), typed: Vec::new() };
        let mut terminal = terminal();
        if terminal.phase != Phase::Over {
            prepare(&mut terminal).map_err(|error| Failure::about("the terminal", error))?;
        }
        drop(terminal);
        Ok(screen)
    }

    /// Draws the lines that differ from those that are there.
    pub(crate) fn show(&mut self, lines: impl FnOnce(Size) -> Vec<Line>) -> Result<(), Failure> {
        let size = tcgetwinsize(io::stdout())
            .map_err(|error| Failure::about("the terminal", io::Error::from(error)))?;
        // Some terminals do not know their size.
        let or = |number: u16, usual| if number == 0 { usual } else { number.into() };
        let size = Size { width: or(size.ws_col, 80), height: or(size.ws_row, 24) };
        let mut text = String::new();
        let is_blank = std::mem::take(&mut terminal().is_blank);
        if is_blank || self.size != Some(size) {
            self.size = Some(size);
            self.shown.clear();
            text += "\x1b[0m\x1b[2J";
        }
        let lines: Vec<String> =
            lines(size).iter().take(size.height).map(|line| self.text(line)).collect();
        for (at, line) in lines.iter().enumerate() {
            if self.shown.get(at) != Some(line) {
                text += &format!("\x1b[{};1H{line}\x1b[0m\x1b[K", at + 1);
            }
        }
        for at in lines.len()..self.shown.len() {
            text += &format!("\x1b[{};1H\x1b[K", at + 1);
        }
        self.shown = lines;
        write(&text)
    }

    fn text(&self, line: &Line) -> String {
        let mut text = String::new();
        for Span(style, part) in line {
            let code = match style {
                Style::Bold => "1",
                Style::Reverse => "7",
                Style::Green if self.has_colors => "32",
                Style::Yellow if self.has_colors => "33",
                Style::Red if self.has_colors => "31",
                Style::Plain | Style::Green | Style::Yellow | Style::Red => "",
            };
            match code {
                "" => text += part,
                code => text += &format!("\x1b[{code}m{part}\x1b[0m"),
            }
        }
        text
    }

    /// Waits a moment for keys.
    pub(crate) fn keys(&mut self) -> Result<Vec<Key>, Failure> {
        let stdin = io::stdin();
        let mut waited = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        // The modes may change meanwhile: a read would wait for a whole line.
        if !poll(&mut waited, PollTimeout::from(WAIT_MS)).is_ok_and(|ready| ready > 0) {
            return Ok(keys::take(&mut self.typed, false));
        }
        let mut buffer = [0; 1024];
        let len = match rustix::io::read(io::stdin(), &mut buffer) {
            Ok(len) => len,
            Err(rustix::io::Errno::INTR) => 0,
            Err(error) => return Err(Failure::about("the terminal", io::Error::from(error))),
        };
        self.typed.extend_from_slice(buffer.get(..len).unwrap_or_default());
        Ok(keys::take(&mut self.typed, len > 0))
    }
}

/// Prepares the terminal.
fn prepare(terminal: &mut Terminal) -> io::Result<()> {
    let Some((_, raw)) = MODES.get() else { return Ok(()) };
    terminal.phase = Phase::Prepared;
    terminal.is_blank = true;
    tcsetattr(io::stdin(), OptionalActions::Drain, raw)?;
    write_all(BEGIN)
}

/// Draws, unless the terminal is given back.
fn write(text: &str) -> Result<(), Failure> {
    let terminal = terminal();
    if terminal.phase != Phase::Prepared {
        return Ok(());
    }
    write_all(text).map_err(|error| Failure::about("the terminal", error))
}

/// Gives the terminal back; nothing is drawn after that, or until the process goes on. It
/// does not wait for a terminal that takes no output.
fn give_back(phase: Phase) {
    let Some((before, _)) = MODES.get() else { return };
    let terminal = terminal_soon();
    // There is nobody to tell if the terminal is gone.
    if let Some(mut terminal) = terminal {
        let was = terminal.phase;
        if was == Phase::Over {
            return;
        }
        terminal.phase = phase;
        if was != Phase::Prepared {
            return;
        }
        end_soon();
        let _ = tcflush(io::stdin(), QueueSelector::IFlush);
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
    } else {
        // Another mode than this would wait for the output that blocks.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
    }
}

/// Writes [`END`] byte by byte, so that no write waits, and gives up if the terminal takes
/// no more.
fn end_soon() {
    for byte in END.bytes() {
        if !is_writable() {
            let _ = tcflush(io::stdout(), QueueSelector::OFlush);
            if !is_writable() {
                return;
            }
        }
        if rustix::io::write(io::stdout(), &[byte]).is_err() {
            return;
        }
    }
}

fn is_writable() -> bool {
    let stdout = io::stdout();
    let mut waited = [PollFd::new(stdout.as_fd(), PollFlags::POLLOUT)];
    poll(&mut waited, PollTimeout::from(PATIENCE_FOR_BYTE_MS)).is_ok_and(|ready| ready > 0)
}

/// Prepares the terminal again after the process was stopped.
fn resume() {
    let Some(mut terminal) = terminal_soon() else { return };
    if matches!(terminal.phase, Phase::Prepared | Phase::Stopped) {
        // If the terminal is gone, drawing fails and says so.
        let _ = prepare(&mut terminal);
    }
}

fn write_all(text: &str) -> io::Result<()> {
    let mut left = text.as_bytes();
    while !left.is_empty() {
        match rustix::io::write(io::stdout(), left) {
            Ok(len) => left = left.get(len..).unwrap_or_default(),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
