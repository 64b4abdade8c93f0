//! From a Containerfile, the arguments and the configs of base images to a [`Graph`].
//!
//! Has no side effects but the opening of images. Everything that can be known without
//! running a step is found out here: so what is wrong or unsupported is refused before the
//! first step runs.

mod checks;
mod command;
pub(crate) mod scope;
mod settings;
mod stages;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use common::containerfile::{Containerfile, Expander};
use common::image::Image;
use common::oci::Platform;

use crate::cli::{Named, Network};
use crate::context::Patterns;
use crate::error::Error;
use crate::graph::{Graph, NamedImage, Source, Stage};
use crate::lint::{Findings, check_stage};
use scope::Scope;
use settings::{Settings, Surroundings};
use stages::{From, Needed, Stages};

/// The most memory for the configs and steps of all stages: a stage takes a few
/// bytes to write, and has all that its base has.
const MAX_HELD_LEN_BYTES: usize = 64 << 20;

/// A request to build an image.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) file: &'a Containerfile,
    /// The name that messages give the Containerfile.
    pub(crate) label: &'a str,
    /// `--build-arg`.
    pub(crate) arguments: &'a [String],
    pub(crate) target: Option<&'a str>,
    pub(crate) network: Network,
    /// `--add-host`.
    pub(crate) hosts: &'a [(String, IpAddr)],
    /// `--build-context`.
    pub(crate) contexts: &'a [(String, Named)],
    /// The patterns of the context's ignore file.
    pub(crate) ignored: &'a Patterns,
    /// All stages are wanted, and not the target's alone.
    pub(crate) wants_all: bool,
}

/// Opens an image by its name in the Containerfile.
pub(crate) type Open<'a> = dyn Fn(&str, &Platform) -> Result<Image, Error> + 'a;

/// The graph of a build for `platform`.
///
/// # Errors
/// The first line that is wrong, or asks for what there is not.
pub(crate) fn graph(
    request: &Request<'_>,
    platform: &Platform,
    open: &Open<'_>,
    findings: &mut Findings,
) -> Result<Graph, Error> {
    let Request { file, label, .. } = *request;
    let at = |line: u32, keyword: &str| Error::at(label, line, keyword);
    if platform.os == "windows" {
        return Err(Error::Unsupported(format!("platform {platform}: building for Windows")));
    }
    let expander = Expander::new(file.directives.escape);
    let names = Stages::of(file, request.contexts);
    let target = stages::target(file, &names, request.target)?;
    let name = file.stages.get(target).and_then(|stage| stage.base.name.clone());
    let name = name.unwrap_or_else(|| request.target.unwrap_or("default").to_owned());
    let mut scope = Scope::new(request.arguments, platform);
    let declared = scope.declare_globals(file, &name, expander);
    declared.map_err(|(line, error)| at(line, "ARG")(error))?;
    checks::defaults(file, &name, platform, expander, findings);
    let bases = stages::bases(file, &names, &scope, expander, findings)
        .map_err(|(line, error)| at(line, "FROM")(error))?;
    let mut images = Images { platform, open, all: Vec::new(), places: HashMap::new() };
    let wanted = if request.wants_all { (0..=target).collect() } else { [target].into() };
    let needed = stages::needed(file, &names, &bases, wanted, &mut images)
        .map_err(|(line, error)| at(line, "FROM")(error))?;
    let mut building = Building {
        names: &names,
        bases: &bases,
        target,
        places: needed.keys().enumerate().map(|(place, index)| (*index, place)).collect(),
        heirs: heirs(&needed, &bases),
        images,
        scope: &mut scope,
        held: Held::default(),
        configs: HashMap::new(),
        steps: 0,
        findings,
    };
    let mut stages = Vec::new();
    for (index, stage) in &needed {
        stages.push(building.stage(request, *index, stage, expander)?);
    }
    let config = building.configs.remove(&target);
    let (steps, images) = (building.steps, building.images.all);
    let missing = || Error::Other("the target was not built".into());
    let (config, base) = config.ok_or_else(missing)?.into_config();
    Ok(Graph {
        platform: platform.clone(),
        label: label.to_owned(),
        stages,
        images,
        config,
        base,
        proxies: scope.proxies(),
        hosts: request.hosts.to_vec(),
        hostname: scope.hostname().map(str::to_owned),
        steps,
        unused_arguments: scope.unused().into_iter().map(str::to_owned).collect(),
    })
}

/// Returns the number of stages that begin from each.
fn heirs(needed: &BTreeMap<usize, Needed<'_>>, bases: &[From]) -> HashMap<usize, usize> {
    let mut heirs = HashMap::new();
    for index in needed.keys() {
        if let Some(From::Stage(base)) = bases.get(*index) {
            *heirs.entry(*base).or_default() += 1;
        }
    }
    heirs
}

/// Images that were opened, each once.
struct Images<'a> {
    platform: &'a Platform,
    open: &'a Open<'a>,
    all: Vec<NamedImage>,
    places: HashMap<(String, String), usize>,
}

impl Images<'_> {
    /// The place of an image, opened for `platform` or else for the build's.
    fn place(&mut self, name: &str, platform: Option<&str>) -> Result<usize, Error> {
        let platform = match platform {
            Some(text) => text.parse()?,
            None => self.platform.clone(),
        };
        let key = (name.to_owned(), platform.to_string());
        if let Some(place) = self.places.get(&key) {
            return Ok(*place);
        }
        let image = (self.open)(name, &platform)?;
        let place = self.all.len();
        self.all.push(NamedImage { name: name.to_owned(), image });
        self.places.insert(key, place);
        Ok(place)
    }
}

/// The memory that is in use.
#[derive(Debug, Default)]
struct Held(usize);

impl Held {
    fn add(&mut self, len_bytes: usize) -> Result<(), Error> {
        self.0 += len_bytes;
        if self.0 > MAX_HELD_LEN_BYTES {
            return Err(Error::Other(format!(
                "the configs and steps of all stages are longer than {MAX_HELD_LEN_BYTES} bytes together"
            )));
        }
        Ok(())
    }

    fn remove(&mut self, len_bytes: usize) {
        self.0 = self.0.saturating_sub(len_bytes);
    }
}

/// A graph under way.
struct Building<'a> {
    names: &'a Stages,
    bases: &'a [From],
    target: usize,
    /// The places in the graph of stages of the file.
    places: HashMap<usize, usize>,
    /// The number of stages that are still to begin from each.
    heirs: HashMap<usize, usize>,
    images: Images<'a>,
    scope: &'a mut Scope,
    held: Held,
    /// The configs of stages that others begin from.
    configs: HashMap<usize, Settings>,
    steps: usize,
    findings: &'a mut Findings,
}

impl Building<'_> {
    fn stage(
        &mut self,
        request: &Request<'_>,
        index: usize,
        needed: &Needed<'_>,
        expander: Expander,
    ) -> Result<Stage, Error> {
        let from_line = |error| Error::at(request.label, needed.stage.line, "FROM")(error);
        self.steps += 1;
        let number = self.steps;
        let (base, mut settings) = self.base(index).map_err(from_line)?;
        check_stage(needed.stage, self.findings);
        let mut steps = Vec::new();
        for located in needed.instructions() {
            self.steps += 1;
            let mut surroundings = Surroundings {
                index,
                number: self.steps,
                names: self.names,
                places: &self.places,
                images: &mut self.images,
                scope: self.scope,
                held: &mut self.held,
                network: request.network,
                expander,
                findings: self.findings,
                ignored: request.ignored,
            };
            let step = settings.step(located, &mut surroundings);
            let at = Error::at(request.label, located.line, located.instruction.keyword());
            steps.push(step.map_err(at)?);
        }
        if self.heirs.contains_key(&index) || index == self.target {
            self.held.add(settings.len_bytes()).map_err(from_line)?;
            self.configs.insert(index, settings);
        }
        let (line, title) = (needed.stage.line, settings::title(&needed.stage.text));
        Ok(Stage { index, line, number, title, base, steps })
    }

    /// Returns the base of a stage. The last stage with a base takes over the base's config,
    /// so that a chain of stages holds one config.
    fn base(&mut self, index: usize) -> Result<(Source, Settings), Error> {
        match self.bases.get(index) {
            None | Some(From::Scratch | From::Directory(_)) => {
                Ok((Source::Scratch, Settings::scratch(self.images.platform)))
            }
            Some(From::Image { name, platform }) => {
                let place = self.images.place(name, platform.as_deref())?;
                let missing = || Error::Other(format!("there is no image {place}"));
                let found = self.images.all.get(place).ok_or_else(missing)?;
                Ok((Source::Image(place), Settings::of_image(name, &found.image)))
            }
            Some(From::Stage(base)) => {
                let heirs = self.heirs.entry(*base).or_insert(1);
                *heirs = heirs.saturating_sub(1);
                let settings = match heirs {
                    0 => self.configs.remove(base),
                    _ => self.configs.get(base).cloned(),
                };
                let missing = || Error::Other(format!("stage {base} is not built"));
                let settings = settings.ok_or_else(missing)?;
                if self.heirs.get(base) == Some(&0) {
                    self.held.remove(settings.len_bytes());
                }
                let place = self.places.get(base).copied().ok_or_else(missing)?;
                Ok((Source::Stage(place), settings.of_stage()))
            }
        }
    }
}
