//! `img-browse`: look inside images on a terminal.
//!
//! | file | owns |
//! |---|---|
//! | `model` | an image, read once: every name with its events |
//! | `view` | the names between two layers, filtered and sorted |
//! | `app` | the state, and what each key does to it |
//! | `draw` | the state as lines |
//! | `preview`, `export` | the content of files |
//! | `differences` | two images compared |
//! | `screen`, `keys` | the terminal |

mod app;
mod cli;
mod differences;
mod draw;
mod export;
mod keys;
mod model;
mod preview;
mod screen;
mod view;

use std::ffi::OsString;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use common::cli::{Failure, Status};
use common::image::{Opener, Reference};
use common::inside::{Reading, Trust};
use common::stream;
use registry::Client;

use app::App;
use cli::Cli;
use model::Model;
use screen::Screen;

/// The arguments, for parsing and for completions.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the tool on parsed arguments.
///
/// # Errors
/// An image that cannot be read, or streams that are no terminal.
///
/// # Streams
/// Reads keys from standard input and draws on standard output, both a terminal.
pub fn run(matches: &ArgMatches) -> Result<Status, Failure> {
    let cli = Cli::from_arg_matches(matches)?;
    if cli.images.iter().any(|image| stream::is_standard(image)) {
        return Err(Failure::usage("-: standard input is for keys: name a file with oci-archive:"));
    }
    screen::await_signals()?;
    let options = cli.registries.options(cli.images.iter().map(OsString::as_os_str))?;
    let mut opener =
        Opener::new(&cli.location, cli.platform.clone()).with_registries(Client::new(options));
    let mut images = Vec::new();
    for operand in &cli.images {
        let reference = Reference::parse(operand)?;
        let image = opener.open(&reference).map_err(|error| error.about(&reference))?;
        images.push((reference, image));
    }
    // Layers may be large: nothing of them is read for nobody to see.
    screen::check()?;
    let mut models = Vec::new();
    for (reference, image) in images {
        let reading = Reading {
            trust: Trust::of(&reference, cli.verify),
            max_size: cli.limit.max_size(),
            xattrs: true,
            past: true,
        };
        let model = Model::read(&reference, image, reading);
        models.push(model.map_err(|error| error.about(&reference))?);
    }
    let mut app = App::new(models);
    let mut screen = Screen::open(cli.output.color)?;
    loop {
        screen.show(|size| draw::lines(&mut app, size))?;
        for key in screen.keys()? {
            if app.press(key) == app::Next::Quit {
                return Ok(Status::DONE);
            }
        }
    }
}
