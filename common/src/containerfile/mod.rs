//! Containerfiles (Dockerfiles): what they say, and what their instructions do
//! to an image's config.
//!
//! The language is that of the Dockerfile reference; where it is silent, of
//! BuildKit's frontend. Parsing is pure and bounded, needs no FROM, and names the
//! line of what it refuses. Layers of it, lowest first: physical lines (`lines`,
//! `directive`, `heredoc`), words and flags (`word`, `flags`), instructions
//! (`grammar`, `healthcheck`, `mount`, `port`, `signal`), stages (`stage`),
//! variables (`expand`, `pattern`), and what becomes of an image ([`config`],
//! [`history`]). Files and commands are the build's business, not ours.

pub mod config;
mod directive;
mod error;
mod expand;
mod flags;
mod grammar;
mod healthcheck;
mod heredoc;
pub mod history;
mod instruction;
mod lines;
mod mount;
pub mod path;
mod pattern;
mod port;
mod signal;
mod stage;
mod suggest;
mod unset;
mod word;

pub use directive::Directives;
pub use error::{Error, ExpansionError, Problem};
pub use expand::{Expander, NoVariables, Total, Variables};
pub use heredoc::Heredoc;
pub use instruction::{
    Argument, Base, CommandLine, Instruction, Located, Run, RunNetwork, Transfer,
};
pub use lines::{MAX_LEN_BYTES, to_text};
pub use mount::{Mount, MountKind, Sharing, mount_sources};
pub use stage::{Containerfile, Stage};
pub use suggest::nearest;
pub use unset::Unset;

use grammar::Line;
use lines::Lines;

/// The instructions of a file, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// What stands at its very top.
    pub directives: Directives,
    /// All of them, those before the first FROM too.
    pub instructions: Vec<Located>,
    /// The last lines of instructions that have an empty line in them.
    pub empty_continuations: Vec<u32>,
}

/// Parses instructions, in any order and with no FROM needed: see
/// [`Containerfile::parse`] for a file that can be built.
///
/// # Errors
/// The first thing that is wrong, with its line.
pub fn parse(bytes: &[u8]) -> Result<Parsed, Error> {
    let mut lines = Lines::new(bytes)?;
    let mut instructions = Vec::new();
    while let Some(logical) = lines.logical()? {
        let line = logical.line;
        let split = Line::split(&logical.text, lines.directives.escape);
        let split = split.map_err(|problem| problem.at(line))?;
        let heredocs = match split.may_have_heredocs() {
            true => heredoc::read(&logical.text, line, &mut lines)?,
            false => Vec::new(),
        };
        let instruction = split.parse(heredocs).map_err(|problem| problem.at(line))?;
        instructions.push(Located { line, text: logical.text.trim().to_owned(), instruction });
    }
    if instructions.is_empty() {
        return Err(Problem::Empty.at(lines.number().max(1)));
    }
    let Lines { directives, empty_continuations, .. } = lines;
    Ok(Parsed { directives, instructions, empty_continuations })
}

#[cfg(test)]
mod tests;
