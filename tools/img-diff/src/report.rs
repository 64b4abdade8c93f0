//! All that is known of the difference between two images.

use std::collections::BTreeMap;
use std::ffi::OsStr;

use common::cli::Failure;
use common::image::{Opener, Reference};
use common::inside::compare::{self, Change, File, Rules};
use common::inside::{self, Error, Inside, LayerSums, Reading, Side, Trust, Wanted};
use common::oci::History;
use registry::Client;

use crate::cli::{Cli, Part};
use crate::config::{self, Field, Rest};
use crate::files::{self, Sum};
use crate::lines;
use crate::packages::{self, Packages};

/// Files that are longer are not compared line by line.
const MAX_TEXT_LEN_BYTES: u64 = 64 << 10;

/// The most text that is read in all, in bytes.
const MAX_TEXTS_LEN_BYTES: u64 = 16 << 20;

/// Two images and what is different.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) old: Reference,
    pub(crate) new: Reference,
    /// The identities of the two.
    pub(crate) ids: (String, String),
    pub(crate) config: Vec<Field>,
    pub(crate) history: Rest<History>,
    /// The layers, if they are compared.
    pub(crate) layers: Rest<LayerSums>,
    pub(crate) shared_layers: usize,
    pub(crate) files: Vec<File>,
    pub(crate) directories: BTreeMap<Vec<u8>, Sum>,
    pub(crate) packages: Packages,
    /// The changes in the text of files, by path.
    pub(crate) texts: BTreeMap<Vec<u8>, String>,
}

impl Report {
    pub(crate) fn of(cli: &Cli, old: &OsStr, new: &OsStr) -> Result<Self, Failure> {
        let client = Client::new(cli.registries.options([old, new])?);
        let mut opener = Opener::new(&cli.location, cli.platform.clone()).with_registries(client);
        let mut open = |operand: &OsStr| -> Result<_, Failure> {
            let reference = Reference::parse(operand)?;
            let image = opener.open(&reference).map_err(|error| error.about(&reference))?;
            let reading = Reading {
                trust: Trust::of(&reference, cli.verify),
                max_size: cli.limit.max_size(),
                xattrs: true,
                past: false,
            };
            Ok((reference, image, reading))
        };
        let (old, old_image, of_old) = open(old)?;
        let (new, new_image, of_new) = open(new)?;
        let about = |(side, error): (Side, Error)| match side {
            Side::Old => error.about(&old),
            Side::New => error.about(&new),
        };
        let mut report = Self {
            ids: (old_image.id().to_string(), new_image.id().to_string()),
            config: Vec::new(),
            history: Rest { old: Vec::new(), new: Vec::new() },
            layers: Rest { old: Vec::new(), new: Vec::new() },
            shared_layers: 0,
            files: Vec::new(),
            directories: BTreeMap::new(),
            packages: Packages::default(),
            texts: BTreeMap::new(),
            old: old.clone(),
            new: new.clone(),
        };
        if cli.wants(Part::Config) {
            report.config = config::fields(&old_image, &new_image, cli.semantic)?;
        }
        if cli.wants(Part::History) {
            report.history = config::history(&old_image, &new_image, cli.semantic);
        }
        if !cli.wants_any(&[Part::Layers, Part::Files, Part::Packages]) {
            return Ok(report);
        }
        let (old, new) =
            inside::read_two((old_image, of_old), (new_image, of_new)).map_err(about)?;
        if cli.wants(Part::Layers) {
            let same =
                |one: &LayerSums, other: &LayerSums| one.layer.diff_id == other.layer.diff_id;
            report.layers = config::rest(&old.layers, &new.layers, same);
            report.shared_layers = old.layers.len() - report.layers.old.len();
        }
        if !cli.wants_any(&[Part::Files, Part::Packages]) {
            return Ok(report);
        }
        let rules = Rules::new(&cli.ignore, cli.semantic);
        let files = compare::compare(&old, &new, &rules).map_err(about)?;
        if cli.wants(Part::Packages) {
            report.packages = packages::compare(&old, &new, &files).map_err(about)?;
        }
        if cli.wants(Part::Files) {
            report.directories = files::directories(&files, cli.depth);
            if cli.content {
                report.texts = texts(&old, &new, &files).map_err(about)?;
            }
            report.files = files;
        }
        Ok(report)
    }

    /// Whether nothing of what was compared is different.
    pub(crate) fn is_empty(&self) -> bool {
        self.config.is_empty()
            && [&self.history.old, &self.history.new].iter().all(|steps| steps.is_empty())
            && [&self.layers.old, &self.layers.new].iter().all(|layers| layers.is_empty())
            && self.files.is_empty()
            && self.packages.list.is_empty()
            && self.packages.not_read.is_empty()
    }
}

/// Compares the text of changed files.
fn texts(
    old: &Inside,
    new: &Inside,
    files: &[File],
) -> Result<BTreeMap<Vec<u8>, String>, (Side, Error)> {
    let mut wanted = (Wanted::default(), Wanted::default());
    let mut pairs = Vec::new();
    let mut left = MAX_TEXTS_LEN_BYTES;
    for file in files.iter().filter(|file| file.change == Change::Changed) {
        let (Some(one), Some(other)) = (&file.old, &file.new) else { continue };
        let Some((old, new)) = file.places() else { continue };
        let len = one.len_bytes.max(other.len_bytes);
        let rest = left.checked_sub(one.len_bytes.saturating_add(other.len_bytes));
        let Some(rest) = rest.filter(|_| len <= MAX_TEXT_LEN_BYTES) else { continue };
        left = rest;
        wanted.0.add(old);
        wanted.1.add(new);
        pairs.push((&file.path, (old.layer, old.position), (new.layer, new.position)));
    }
    let read = |inside: &Inside, wanted, side| {
        let mut contents = BTreeMap::new();
        let read = inside.visit(wanted, |layer, position, _, content| {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes)?;
            contents.insert((layer, position), bytes);
            Ok(())
        });
        read.map(|()| contents).map_err(|error| (side, error))
    };
    let (old, new) = (read(old, &wanted.0, Side::Old)?, read(new, &wanted.1, Side::New)?);
    let mut budget = lines::Budget::default();
    let text = |(path, one, other): (&Vec<u8>, _, _)| {
        let hunks = lines::hunks(old.get(&one)?, new.get(&other)?, &mut budget)?;
        (!hunks.is_empty()).then(|| (path.clone(), hunks))
    };
    Ok(pairs.into_iter().filter_map(text).collect())
}
