//! What is built, and from where: the context operand, `-f`, standard input.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Seek as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use common::name::show_path;
use common::root::Root;
use common::stream::{self, Input, Payload};
use common::{containerfile, document};
use registry::{Fetched, fetch};

use crate::cli::Cli;
use crate::context::{self, Context, Hashed, OwnIgnore, Source};
use crate::error::Error;
use crate::frontend::scope;
use crate::git::{Repository, Settings, is_git};
use crate::graph::is_remote;
use crate::scratch::Scratch;
use crate::tree::{Tree, of_archive};

/// The longest Containerfile.
const MAX_FILE_LEN_BYTES: u64 = containerfile::MAX_LEN_BYTES as u64;

/// How much of standard input tells an archive from a Containerfile.
const START_LEN_BYTES: u64 = 1 << 10;

/// The name of standard input in messages.
const STANDARD_INPUT: &str = "standard input";

/// What `-f` stands for if it is not given, in this order.
const DEFAULTS: [&str; 3] = ["Containerfile", "Dockerfile", "dockerfile"];

/// The Containerfile and the context.
#[derive(Debug)]
pub(crate) struct Inputs {
    pub(crate) text: Vec<u8>,
    /// What messages call the Containerfile.
    pub(crate) label: String,
    pub(crate) context: Context,
    /// The place of a context that was fetched.
    _scratch: Option<Scratch>,
}

/// Opens what the arguments name.
///
/// # Errors
/// A file that is not there, standard input twice.
///
/// # Streams
/// Reads standard input for `-`.
pub(crate) fn open(cli: &Cli, cache: Option<&Path>, agent: Option<&Path>) -> Result<Inputs, Error> {
    let operands = [Some(cli.context.as_os_str()), cli.file.as_deref()];
    stream::at_most_one_standard(operands.into_iter().flatten())?;
    if stream::is_standard(&cli.context) {
        let input = Input::open(OsStr::new("-"), Payload::Binary)?;
        return from_stream(cli, input, STANDARD_INPUT);
    }
    if let Some(url) = cli.context.to_str().filter(|text| is_remote(text)) {
        return match is_git(url) {
            true => from_repository(cli, url, cache, agent),
            false => from_url(cli, url),
        };
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
            let text = standard_file(file)?;
            let context = Context::new(Source::Directory(dir, hashed), None);
            return Ok(Inputs { text, label: STANDARD_INPUT.into(), context, _scratch: None });
        }
        Some(file) => {
            let path = PathBuf::from(file);
            let text = document::named(&path, MAX_FILE_LEN_BYTES).map_err(Error::file(&path))?;
            let label = show_path(&path).to_string();
            (text, path, label)
        }
        None => default_file(&dir)?,
    };
    let ignore = Some(OwnIgnore::Host(ignore_of(&path)));
    let context = Context::new(Source::Directory(dir, hashed), ignore);
    Ok(Inputs { text, label, context, _scratch: None })
}

/// Returns the path of a Containerfile's own ignore file.
fn ignore_of(path: &Path) -> PathBuf {
    let mut ignore = path.as_os_str().to_owned();
    ignore.push(".dockerignore");
    ignore.into()
}

/// Reads a Containerfile on standard input.
fn standard_file(file: &OsStr) -> Result<Vec<u8>, Error> {
    let input = Input::open(file, Payload::Text)?;
    document::read(input, MAX_FILE_LEN_BYTES).map_err(standard_input)
}

/// A commit of a repository is the context. The Containerfile is one of its files, or comes
/// on standard input.
fn from_repository(
    cli: &Cli,
    url: &str,
    cache: Option<&Path>,
    agent: Option<&Path>,
) -> Result<Inputs, Error> {
    let scratch = Scratch::new(cache).or_else(|_| Scratch::new(None))?;
    let arguments = scope::parse(&cli.build_args);
    let keeps_git_dir = arguments.get(scope::KEEP_GIT_DIR).is_some_and(|value| value == "1");
    let into = scratch.path().join("context");
    let settings = Settings { max_size: cli.limit.max_size(), agent };
    let dir = Repository::parse(url)?.check_out(&into, keeps_git_dir, None, settings)?;
    let (text, ignore, label) = match cli.file.as_deref() {
        None => {
            let (text, _, name) = default_file(&dir)?;
            (text, Some(ignore_of(Path::new(&name))), name)
        }
        Some(file) if stream::is_standard(file) => {
            (standard_file(file)?, None, STANDARD_INPUT.into())
        }
        Some(file) => {
            let file = Path::new(file);
            let root = Root::open(&dir).map_err(Error::file(&dir))?;
            let text = document::found_in(&root, file.as_os_str().as_bytes(), MAX_FILE_LEN_BYTES);
            let text = text.map_err(Error::file(file))?;
            let text = text.ok_or_else(|| Error::NotFound {
                path: file.display().to_string(),
                place: "the context".into(),
            })?;
            (text, Some(ignore_of(file)), show_path(file).to_string())
        }
    };
    let hashed = Hashed::forgotten(None, &dir);
    // The repository may link the directory of its Containerfile to one of the host.
    let context = Context::new(Source::Directory(dir, hashed), ignore.map(OwnIgnore::Context));
    Ok(Inputs { text, label, context, _scratch: Some(scratch) })
}

/// The file behind a URL is what standard input could be.
fn from_url(cli: &Cli, url: &str) -> Result<Inputs, Error> {
    match fetch(url, None)? {
        Fetched::File(download) => from_stream(cli, download.content, url),
        Fetched::Unchanged => Err(Error::Other(format!("'{url}': no content"))),
    }
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
fn from_stream(cli: &Cli, mut input: impl Read, name: &str) -> Result<Inputs, Error> {
    let failed = |source| match name {
        STANDARD_INPUT => standard_input(source),
        _ => Error::file(name)(source),
    };
    let mut start = Vec::new();
    (&mut input).take(START_LEN_BYTES).read_to_end(&mut start).map_err(failed)?;
    let is_archive = looks_like_archive(&start);
    let mut input = io::Cursor::new(start).chain(input);
    if !is_archive {
        if cli.file.is_some() {
            return Err(Error::Other(format!("-f needs a context: {name} is no archive")));
        }
        let text = document::read(input, MAX_FILE_LEN_BYTES).map_err(failed)?;
        let context = Context::new(Source::Nothing, None);
        return Ok(Inputs { text, label: name.into(), context, _scratch: None });
    }
    let mut spooled = tempfile::tempfile().map_err(failed)?;
    let mut growth = cli.limit.max_size().growth(None);
    let mut buffer = vec![0; 128 * 1024];
    loop {
        let len = input.read(&mut buffer).map_err(failed)?;
        if len == 0 {
            break;
        }
        growth.add(len as u64).map_err(|error| Error::Other(error.to_string()))?;
        spooled.write_all(buffer.get(..len).unwrap_or_default()).map_err(failed)?;
    }
    spooled.rewind().map_err(failed)?;
    let len_bytes = spooled.metadata().map_err(failed)?.len();
    let growth = cli.limit.max_size().growth(Some(len_bytes));
    let scanned = of_archive(spooled, growth).map_err(failed)?;
    let mut tree = Tree::new();
    tree.apply(scanned).map_err(Error::member(name))?;
    tree.forget_owners();
    let names = match cli.file_path() {
        Some(path) => vec![path],
        None => DEFAULTS.map(PathBuf::from).into(),
    };
    for path in &names {
        let found = context::archived(&tree, path.as_os_str().as_bytes(), MAX_FILE_LEN_BYTES);
        if let Some(text) = found? {
            let label = show_path(path).to_string();
            let context = Context::new(Source::Archive(tree), None);
            return Ok(Inputs { text, label, context, _scratch: None });
        }
    }
    let place = if name == STANDARD_INPUT { format!("on {name}") } else { format!("at {name}") };
    Err(Error::Other(format!("the archive {place} holds no Containerfile")))
}

/// Text has no NUL bytes, and a tar header or a compressed stream has.
fn looks_like_archive(start: &[u8]) -> bool {
    start.contains(&0)
        || common::compression::Format::detect(start) != common::compression::Format::None
}

fn standard_input(source: io::Error) -> Error {
    Error::Stream(stream::Error::StandardInput(source))
}
