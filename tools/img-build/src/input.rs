//! What is built, and from where: the context operand, `-f`, standard input.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Seek as _};
use std::path::{Path, PathBuf};

use common::name::show_path;
use common::stream::{self, Input, Payload};

use crate::cli::Cli;
use crate::context::{Context, Hashed, Source};
use crate::error::Error;
use crate::tree::{Kind, Last, Tree, of_archive};

/// Larger Containerfiles are refused by the parser; this bounds what is read.
const MAX_FILE_LEN_BYTES: u64 = 5 << 20;

/// What `-f` stands for if it is not given, in this order.
const DEFAULTS: [&str; 2] = ["Containerfile", "Dockerfile"];

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
    let path = match cli.file.as_deref() {
        Some(file) if stream::is_standard(file) => {
            let input = Input::open(file, Payload::Text)?;
            let text = read(input, Path::new("standard input"))?;
            let context = Context::new(Source::Directory(dir, hashed), None);
            return Ok(Inputs { text, label: "standard input".into(), context });
        }
        Some(file) => PathBuf::from(file),
        None => default_file(&dir)?,
    };
    let text = read(fs::File::open(&path).map_err(Error::file(&path))?, &path)?;
    let mut ignore = path.clone().into_os_string();
    ignore.push(".dockerignore");
    let label = match cli.file {
        Some(_) => show_path(&path).to_string(),
        None => path.file_name().map(|name| show_path(name).to_string()).unwrap_or_default(),
    };
    let context = Context::new(Source::Directory(dir, hashed), Some(ignore.into()));
    Ok(Inputs { text, label, context })
}

fn default_file(dir: &Path) -> Result<PathBuf, Error> {
    for name in DEFAULTS {
        let path = dir.join(name);
        match fs::metadata(&path) {
            Ok(_) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::file(path)(error)),
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
    let failed = |source| Error::Stream(stream::Error::StandardInput(source));
    let mut input = Input::open(OsStr::new("-"), Payload::Binary)?;
    let mut spooled = tempfile::tempfile().map_err(Error::file("standard input"))?;
    io::copy(&mut input, &mut spooled).map_err(failed)?;
    spooled.rewind().map_err(failed)?;
    let mut start = Vec::new();
    (&spooled).take(1 << 10).read_to_end(&mut start).map_err(failed)?;
    spooled.rewind().map_err(failed)?;
    if !looks_like_archive(&start) {
        if cli.file.is_some() {
            let text = "-f needs a context: standard input is no archive";
            return Err(Error::Other(text.into()));
        }
        let text = read(spooled, Path::new("standard input"))?;
        let context = Context::new(Source::Nothing, None);
        return Ok(Inputs { text, label: "standard input".into(), context });
    }
    let (members, archive) = of_archive(spooled).map_err(failed)?;
    let mut tree = Tree::new();
    tree.apply(&members, &archive)?;
    tree.forget_owners();
    let names = match cli.file_path() {
        Some(path) => vec![path],
        None => DEFAULTS.map(PathBuf::from).into(),
    };
    for path in &names {
        use std::os::unix::ffi::OsStrExt as _;
        let found = tree.resolve(path.as_os_str().as_bytes(), Last::Followed)?;
        if let Some(Kind::File(file)) = tree.get(&found).map(|node| &node.kind) {
            let text = file.small(MAX_FILE_LEN_BYTES).map_err(Error::file(path))?;
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

fn read(input: impl Read, path: &Path) -> Result<Vec<u8>, Error> {
    let mut text = Vec::new();
    input.take(MAX_FILE_LEN_BYTES).read_to_end(&mut text).map_err(Error::file(path))?;
    Ok(text)
}
