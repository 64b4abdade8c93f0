//! The terminal: prepared, drawn on, and given back as it was, however the tool ends.
//!
//! Everything is drawn with ECMA-48, which every terminal of today understands; colours
//! only mark what letters say as well.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use common::cleanup::{self, Guard};
use common::cli::Failure;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, isatty, tcgetattr, tcgetwinsize,
    tcsetattr,
};

use crate::keys::{self, Key};

/// Alternate screen, no cursor, no lines that wrap.
const BEGIN: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";
const END: &str = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";

/// The time that reading waits for a key, in tenths of a second: then the size of the
/// window is looked at.
const WAIT_TENTHS: u8 = 2;

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

/// A prepared terminal.
#[derive(Debug)]
pub(crate) struct Screen {
    /// Gives the terminal back.
    _guard: Guard,
    is_over: Arc<Mutex<bool>>,
    has_colors: bool,
    size: Option<Size>,
    shown: Vec<String>,
    typed: Vec<u8>,
}

impl Screen {
    pub(crate) fn open() -> Result<Self, Failure> {
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
        raw.special_codes[SpecialCodeIndex::VTIME] = WAIT_TENTHS;
        let is_over = Arc::new(Mutex::new(false));
        let restore = {
            let is_over = Arc::clone(&is_over);
            move || restore(&is_over, &before)
        };
        let at_panic = restore.clone();
        let guard = cleanup::register(restore);
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            at_panic();
            hook(panic);
        }));
        tcsetattr(io::stdin(), OptionalActions::Drain, &raw).map_err(failed)?;
        let has_colors = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let screen = Self {
            _guard: guard,
            is_over,
            has_colors,
            size: None,
            shown: Vec::new(),
            typed: Vec::new(),
        };
        screen.write(BEGIN)?;
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
        if self.size != Some(size) {
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
        self.write(&text)
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
        let mut buffer = [0; 1024];
        let len = match rustix::io::read(io::stdin(), &mut buffer) {
            Ok(len) => len,
            Err(rustix::io::Errno::INTR) => 0,
            Err(error) => return Err(Failure::about("the terminal", io::Error::from(error))),
        };
        self.typed.extend_from_slice(buffer.get(..len).unwrap_or_default());
        Ok(keys::take(&mut self.typed, len > 0))
    }

    fn write(&self, text: &str) -> Result<(), Failure> {
        let is_over = self.is_over.lock().unwrap_or_else(PoisonError::into_inner);
        if *is_over {
            return Ok(());
        }
        write_all(text).map_err(|error| Failure::about("the terminal", error))
    }
}

/// Gives the terminal back; nothing is drawn after that.
fn restore(is_over: &Mutex<bool>, before: &Termios) {
    let mut is_over = is_over.lock().unwrap_or_else(PoisonError::into_inner);
    if !std::mem::replace(&mut *is_over, true) {
        // There is nobody to tell if the terminal is gone.
        let _ = write_all(END);
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, before);
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
