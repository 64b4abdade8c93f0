//! The report of a build while it runs: its steps, their results, and the output of
//! commands.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use clap::ValueEnum as _;
use common::cli::Failure;
use common::message;
use serde_json::json;

use crate::cli::Progress;
use crate::error::Error;
use crate::graph::Graph;

/// The most output that is shown of a failed command.
const SHOWN_LEN_BYTES: u64 = 64 * 1024;

/// The longest line of output that is kept together.
const MAX_LINE_LEN_BYTES: u64 = 16 * 1024;

/// The form in which progress is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Nothing,
    Plain,
    /// As plain, but the output of the only stage goes to the terminal as it is.
    Terminal,
    /// For programs.
    Json,
}

impl Form {
    /// The form that was asked for, by option or by environment as docker's is.
    ///
    /// # Errors
    /// An unknown form in the environment.
    pub(crate) fn choose(option: Option<Progress>) -> Result<Self, Failure> {
        let asked = match (option, std::env::var(ENVIRONMENT)) {
            (Some(asked), _) => asked,
            (None, Ok(text)) if !text.is_empty() => {
                Progress::from_str(&text, false).map_err(|_| {
                    Failure::usage(format!("{ENVIRONMENT}: not a form of progress: '{text}'"))
                })?
            }
            (None, _) => Progress::Auto,
        };
        Ok(match asked {
            _ if message::is_quiet() => Self::Nothing,
            Progress::Auto if message::wants_progress() => Self::Terminal,
            Progress::Auto | Progress::Plain => Self::Plain,
            Progress::Tty => Self::Terminal,
            Progress::Json => Self::Json,
            Progress::None => Self::Nothing,
        })
    }
}

/// Sets the form of progress where no option does.
const ENVIRONMENT: &str = "BUILDKIT_PROGRESS";

/// Prints the progress of one graph. Lines of steps that run side by side come as they
/// happen, each with the number of its step.
#[derive(Debug, Clone)]
pub(crate) struct Reporter {
    /// The platform, if there are several.
    platform: Option<String>,
    steps: usize,
    /// Whether steps may run side by side.
    is_parallel: bool,
    /// `--explain`.
    explains: bool,
    form: Form,
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
    pub(crate) fn new(graph: &Graph, of_several: bool, explains: bool, form: Form) -> Self {
        Self {
            platform: of_several.then(|| graph.platform.to_string()),
            steps: graph.steps,
            is_parallel: graph.stages.len() > 1,
            explains,
            // --explain shows the steps, too.
            form: if explains && form == Form::Nothing { Form::Plain } else { form },
        }
    }

    pub(crate) fn explains(&self) -> bool {
        self.explains
    }

    /// Names a step that begins.
    pub(crate) fn step(&self, number: usize, title: &str) {
        self.tell(number, "step", title, ": ");
    }

    /// Tells what became of a step.
    pub(crate) fn about(&self, number: usize, text: &str) {
        self.tell(number, "result", text, ": ");
    }

    /// Tells that a step was executed, and how long it took.
    pub(crate) fn done(&self, number: usize, taken: Duration) {
        self.about(number, &format!("done in {:.1} s", taken.as_secs_f64()));
    }

    fn tell(&self, number: usize, event: &str, text: &str, separator: &str) {
        let Self { platform, steps, .. } = self;
        match self.form {
            Form::Nothing => {}
            Form::Json => message::record(
                &json!({
                    "step": number, "steps": steps, "platform": platform, "event": event, "text": text,
                })
                .to_string(),
            ),
            Form::Plain | Form::Terminal => {
                let before = platform.as_ref().map(|platform| format!("{platform}: "));
                let before = before.unwrap_or_default();
                message::note(format!("{before}STEP {number}/{steps}{separator}{text}"));
            }
        }
    }

    /// Where the output of a step's command goes: to standard error as it comes, or to a file
    /// in `dir` that is shown if the command fails.
    ///
    /// # Errors
    /// No pipe, or no temporary file.
    pub(crate) fn output(&self, number: usize, dir: &Path) -> Result<(OwnedFd, Output), Error> {
        let failed = || Error::file("output");
        match self.form {
            Form::Nothing => {
                let file = tempfile::tempfile_in(dir).map_err(Error::file(dir))?;
                let written = file.try_clone().map_err(failed())?;
                Ok((written.into(), Output(Kept::File(file))))
            }
            Form::Terminal if !self.is_parallel => {
                let stderr = std::io::stderr().as_fd().try_clone_to_owned();
                Ok((stderr.map_err(failed())?, Output(Kept::Nothing)))
            }
            Form::Plain | Form::Terminal | Form::Json => {
                let pipe = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC);
                let (reader, writer) = pipe.map_err(|errno| failed()(errno.into()))?;
                let reporter = self.clone();
                let show = move || reporter.show_lines(number, File::from(reader));
                let shown = thread::Builder::new().name("output".into()).spawn(show);
                Ok((writer, Output(Kept::Lines(shown.map_err(failed())?))))
            }
        }
    }

    /// Shows each line with its step until all writers are gone.
    fn show_lines(&self, number: usize, output: File) {
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
                self.tell(number, "output", part, " | ");
            }
            line.clear();
        }
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
