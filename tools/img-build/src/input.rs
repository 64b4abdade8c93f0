//! What is built, and from where: the context operand, `-f`, standard input.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Seek as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use common::name::show_path;
use common::root::Root;
use common::stream::{self, Input, Payload};
use common::{containerfile, document};

use crate::cli::Cli;
use crate::context::{self, Context, Hashed, Source};
use crate::error::Error;
use crate::tree::{Tree, of_archive};

/// The longest Containerfile.
const MAX_FILE_LEN_BYTES: u64 = containerfile::MAX_LEN_BYTES as u64;

/// How much of standard input tells an archive from a Containerfile.
const START_LEN_BYTES: u64 = 1 << 10;

/// What `-f` stands for if it is not given, in this order.
const DEFAULTS: [&str; 3] = ["Containerfile", "Dockerfile", "dockerfile"];

/// The Containerfile and the context.
#[derive(Debug)]
pub(crate) struct Inputs {
    pub(crate) text: Vec<u8>,
    /// What messages call the Containerfile.
    pub(crate) label: String,
    pub(crate) context: Context,
}

/// Opens what the arguments name.
///
/// # Errors
/// A file that is not there, standard input twice.
///
/// # Streams
/// Reads standard input for `-`.
pub(crate) fn open(cli: &Cli, cache: Option<&Path>) -> Result<Inputs, Error> {
    let operands = [Some(cli.context.as_os_str()), cli.file.as_deref()];
    stream::at_most_one_standard(operands.into_iter().flatten())?;
    if stream::is_standard(&cli.context) {
        return from_standard_input(cli);
    }
    let dir = PathBuf::from(&cli.context);
    let metadata = fs::metadata(&dir).map_err(Error::file(&dir))?;
    if !metadata.is_dir() {
        return Err(Error::File { path: dir, source: io::ErrorKind::NotADirectory.into() });
    }
    let hashed = match cli.rehash {
        true => Hashed::forgotten(cache, &dir),
        false => Hashed::load(cache, &dir),
    };
    let (text, path, label) = match cli.file.as_deref() {
        Some(file) if stream::is_standard(file) => {
            let input = Input::open(file, Payload::Text)?;
            let text = document::read(input, MAX_FILE_LEN_BYTES).map_err(standard_input)?;
            let context = Context::new(Source::Directory(dir, hashed), None);
            return Ok(Inputs { text, label: "standard input".into(), context });
        }
        Some(file) => {
            let path = PathBuf::from(file);
            let text = document::named(&path, MAX_FILE_LEN_BYTES).map_err(Error::file(&path))?;
            let label = show_path(&path).to_string();
            (text, path, label)
        }
        None => default_file(&dir)?,
    };
    let mut ignore = path.into_os_string();
    ignore.push(".dockerignore");
    let context = Context::new(Source::Directory(dir, hashed), Some(ignore.into()));
    Ok(Inputs { text, label, context })
}

/// The context's own Containerfile: its text, its path, and what messages call it.
fn default_file(dir: &Path) -> Result<(Vec<u8>, PathBuf, String), Error> {
    let root = Root::open(dir).map_err(Error::file(dir))?;
    for name in DEFAULTS {
        let path = dir.join(name);
        match document::found_in(&root, name.as_bytes(), MAX_FILE_LEN_BYTES) {
            Ok(Some(text)) => return Ok((text, path, name.to_owned())),
            Ok(None) => {}
            Err(source) => return Err(Error::Containerfile { path, source }),
        }
    }
    Err(Error::Other(format!(
        "{}: there is neither a Containerfile nor a Dockerfile",
        show_path(dir)
    )))
}

/// A tar archive in any compression is the context; anything else is a Containerfile
/// with no context.
fn from_standard_input(cli: &Cli) -> Result<Inputs, Error> {
    let mut input = Input::open(OsStr::new("-"), Payload::Binary)?;
    let mut start = Vec::new();
    (&mut input).take(START_LEN_BYTES).read_to_end(&mut start).map_err(standard_input)?;
    let is_archive = looks_like_archive(&start);
    let mut input = io::Cursor::new(start).chain(input);
    if !is_archive {
        if cli.file.is_some() {
            let text = "-f needs a context: standard input is no archive";
            return Err(Error::Other(text.into()));
        }
        let text = document::read(input, MAX_FILE_LEN_BYTES).map_err(standard_input)?;
        let context = Context::new(Source::Nothing, None);
        return Ok(Inputs { text, label: "standard input".into(), context });
    }
    let mut spooled = tempfile::tempfile().map_err(Error::file("standard input"))?;
    io::copy(&mut input, &mut spooled).map_err(standard_input)?;
    spooled.rewind().map_err(standard_input)?;
    let len_bytes = spooled.metadata().map_err(standard_input)?.len();
    let growth = cli.limit.max_size().growth(Some(len_bytes));
    let scanned = of_archive(spooled, growth).map_err(standard_input)?;
    let mut tree = Tree::new();
    tree.apply(scanned).map_err(Error::member("standard input"))?;
    tree.forget_owners();
    let names = match cli.file_path() {
        Some(path) => vec![path],
        None => DEFAULTS.map(PathBuf::from).into(),
    };
    for path in &names {
        let found = context::archived(&tree, path.as_os_str().as_bytes(), MAX_FILE_LEN_BYTES);
        if let Some(text) = found? {
            let label = show_path(path).to_string();
            return Ok(Inputs { text, label, context: Context::new(Source::Archive(tree), None) });
        }
    }
    Err(Error::Other("the archive on standard input holds no Containerfile".into()))
}

/// Text has no NUL bytes, and a tar header or a compressed stream has.
fn looks_like_archive(start: &[u8]) -> bool {
    start.contains(&0)
        || common::compression::Format::detect(start) != common::compression::Format::None
}

fn standard_input(source: io::Error) -> Error {
    Error::Stream(stream::Error::StandardInput(source))
}
