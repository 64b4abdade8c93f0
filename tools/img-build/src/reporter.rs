//! What a build tells while it goes on: its steps, what came of each, and the output of
//! commands.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::fd::{AsFd as _, OwnedFd};
use std::thread::{self, JoinHandle};

use common::message;

use crate::error::Error;
use crate::graph::Graph;

/// How much of the output of a command that failed is shown.
const SHOWN_LEN_BYTES: u64 = 64 * 1024;

/// The longest line of output that is kept together.
const MAX_LINE_LEN_BYTES: u64 = 16 * 1024;

/// Prints the progress of one graph. Lines of steps that run side by side come as they
/// happen, each with the number of its step.
#[derive(Debug)]
pub(crate) struct Reporter {
    /// The platform, if there are several.
    platform: Option<String>,
    steps: usize,
    /// Whether steps may run side by side.
    is_parallel: bool,
    /// `--explain`.
    explains: bool,
}

/// The output of one command.
#[derive(Debug)]
pub(crate) struct Output(Kept);

#[derive(Debug)]
enum Kept {
    /// It goes to standard error as it comes.
    Nothing,
    /// It is shown if the command fails.
    File(File),
    /// Each line is shown with its step as it comes.
    Lines(JoinHandle<()>),
}

impl Reporter {
    pub(crate) fn new(graph: &Graph, of_several: bool, explains: bool) -> Self {
        Self {
            platform: of_several.then(|| graph.platform.to_string()),
            steps: graph.steps,
            is_parallel: graph.stages.len() > 1,
            explains,
        }
    }

    pub(crate) fn explains(&self) -> bool {
        self.explains
    }

    /// Names a step that begins: on a terminal, and where it was asked for.
    pub(crate) fn step(&self, number: usize, title: &str) {
        self.about(number, title);
    }

    /// Tells what became of a step.
    pub(crate) fn about(&self, number: usize, text: &str) {
        let text = format!("{}: {text}", self.name(number));
        if self.explains || message::wants_progress() {
            message::note(text);
        } else {
            message::verbose(text);
        }
    }

    fn name(&self, number: usize) -> String {
        let platform = self.platform.as_ref().map(|platform| format!("{platform}: "));
        format!("{}STEP {number}/{}", platform.unwrap_or_default(), self.steps)
    }

    /// Where the output of a step's command goes: to standard error where somebody watches,
    /// else to a file that is shown if the command fails.
    ///
    /// # Errors
    /// No pipe, or no temporary file.
    pub(crate) fn output(&self, number: usize) -> Result<(OwnedFd, Output), Error> {
        let failed = || Error::file("output");
        if !message::is_watched() {
            let file = tempfile::tempfile().map_err(failed())?;
            let written = file.try_clone().map_err(failed())?;
            return Ok((written.into(), Output(Kept::File(file))));
        }
        if !self.is_parallel {
            let stderr = std::io::stderr().as_fd().try_clone_to_owned();
            return Ok((stderr.map_err(failed())?, Output(Kept::Nothing)));
        }
        let pipe = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC);
        let (reader, writer) = pipe.map_err(|errno| failed()(errno.into()))?;
        let name = self.name(number);
        let show = move || show_lines(&name, File::from(reader));
        let shown = thread::Builder::new().name("output".into()).spawn(show).map_err(failed())?;
        Ok((writer, Output(Kept::Lines(shown))))
    }
}

impl Output {
    /// Shows what is left to be shown of a command that has ended.
    pub(crate) fn finish(self, success: bool) {
        match self.0 {
            Kept::Nothing => {}
            Kept::File(file) if !success => show(file),
            Kept::File(_) => {}
            Kept::Lines(shown) => drop(shown.join()),
        }
    }
}

/// Shows each line with the name of its step until all writers are gone.
fn show_lines(name: &str, output: File) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output
        .by_ref()
        .take(MAX_LINE_LEN_BYTES)
        .read_until(b'\n', &mut line)
        .is_ok_and(|len| len > 0)
    {
        let text = String::from_utf8_lossy(&line);
        // Progress bars overwrite their line.
        for part in text.split(['\n', '\r']).filter(|part| !part.is_empty()) {
            message::note(format!("{name}| {part}"));
        }
        line.clear();
    }
}

/// Shows the end of what a failed command wrote.
fn show(mut file: File) {
    let len = file.seek(SeekFrom::End(0)).unwrap_or(0);
    let start = len.saturating_sub(SHOWN_LEN_BYTES);
    let mut bytes = Vec::new();
    if file.seek(SeekFrom::Start(start)).is_ok() && file.read_to_end(&mut bytes).is_ok() {
        if start > 0 {
            message::detail(format!("the output, but for its first {start} bytes:"));
        }
        for line in String::from_utf8_lossy(&bytes).lines() {
            message::detail(format!("| {line}"));
        }
    }
}
