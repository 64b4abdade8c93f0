//! Which stages there are, what each begins from, and which are needed.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use common::containerfile::{
    self, Containerfile, Expander, Instruction, Located, Problem, Stage, mount_sources,
};

use common::store::Name;

use super::scope::Scope;
use super::{Images, checks};
use crate::cli::Named;
use crate::error::{Error, Suggestion};
use crate::lint::{Findings, Watch};

/// The image or stage that FROM names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum From {
    Scratch,
    /// An earlier stage.
    Stage(usize),
    /// `--build-context`: a directory, by its place among them.
    Directory(usize),
    Image {
        name: String,
        platform: Option<String>,
    },
}

/// A stage that the target needs.
#[derive(Debug)]
pub(super) struct Needed<'a> {
    pub(super) stage: &'a Stage,
    /// The triggers of its base.
    triggers: Vec<Located>,
}

impl Needed<'_> {
    /// Its instructions, those of the base's triggers first.
    pub(super) fn instructions(&self) -> impl Iterator<Item = &Located> {
        self.triggers.iter().chain(&self.stage.instructions)
    }
}

/// The stages of a file by name, each name with its stages in order; and the names that
/// `--build-context` gives to something else, which win.
#[derive(Debug)]
pub(super) struct Stages {
    by_name: HashMap<String, Vec<usize>>,
    given: HashMap<String, From>,
}

impl Stages {
    pub(super) fn of(file: &Containerfile, contexts: &[(String, Named)]) -> Self {
        let mut directories = 0..;
        let given = contexts.iter().map(|(name, named)| {
            let from = match named {
                Named::Directory(_) => From::Directory(directories.next().unwrap_or_default()),
                Named::Image(name) => From::Image { name: name.clone(), platform: None },
            };
            (key(name), from)
        });
        let given = given.collect();
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, stage) in file.stages.iter().enumerate() {
            if let Some(name) = &stage.base.name {
                by_name.entry(name.clone()).or_default().push(index);
            }
        }
        Self { by_name, given }
    }

    /// Returns the value that `--build-context` gives this name.
    fn given(&self, name: &str) -> Option<&From> {
        self.given.get(&key(name))
    }

    /// The last stage of this name that is earlier than the one at `before`.
    pub(super) fn find(&self, name: &str, before: usize) -> Option<usize> {
        let stages = self.by_name.get(&name.to_lowercase())?;
        let earlier = stages.partition_point(|index| *index < before);
        stages.get(..earlier)?.last().copied()
    }

    /// An error about an image, with the stage before the one at `index` that was probably
    /// meant.
    pub(super) fn suggest(&self, name: &str, index: usize) -> impl FnOnce(Error) -> Error + use<> {
        let earlier =
            self.by_name.iter().filter(|(_, at)| at.first().is_some_and(|at| *at < index));
        let nearest = containerfile::nearest(name, earlier.map(|(name, _)| name.as_str()));
        let nearest = nearest.map(str::to_owned);
        move |error| match nearest {
            Some(nearest) => Error::Suggested(Suggestion { nearest, source: Box::new(error) }),
            None => error,
        }
    }

    /// Returns the image or stage that `--from` names in the stage at `index`.
    ///
    /// # Errors
    /// A stage that is not earlier.
    pub(super) fn find_source(&self, from: &str, index: usize) -> Result<From, Error> {
        if let Some(given) = self.given(from) {
            return Ok(given.clone());
        }
        match self.find(from, index).or_else(|| from.parse().ok()) {
            Some(found) if found < index => Ok(From::Stage(found)),
            Some(_) => Err(Error::Other(format!("'{from}' is not an earlier stage"))),
            // One that comes later is not looked for among the images.
            None if self.find(from, usize::MAX).is_some() => {
                Err(Error::Other(format!("'{from}' is not an earlier stage")))
            }
            None if from == "scratch" => Ok(From::Scratch),
            None => Ok(From::Image { name: from.to_owned(), platform: None }),
        }
    }
}

/// A name as it is compared: an image's without what goes without saying.
fn key(name: &str) -> String {
    match name.parse::<Name>() {
        Ok(name) => name.to_string(),
        Err(_) => name.to_lowercase(),
    }
}

/// The stage that `--target` means.
///
/// # Errors
/// No such stage.
pub(super) fn target(
    file: &Containerfile,
    stages: &Stages,
    target: Option<&str>,
) -> Result<usize, Error> {
    let Some(target) = target else { return Ok(file.stages.len().saturating_sub(1)) };
    let by_name = stages.find(target, file.stages.len());
    let by_number = || target.parse().ok().filter(|index| *index < file.stages.len());
    by_name
        .or_else(by_number)
        .ok_or_else(|| Error::Other(format!("--target {target}: there is no such stage")))
}

/// Returns the base of each stage.
///
/// # Errors
/// A FROM that cannot be expanded, with its line.
pub(super) fn bases(
    file: &Containerfile,
    stages: &Stages,
    scope: &Scope,
    expander: Expander,
    findings: &mut Findings,
) -> Result<Vec<From>, (u32, Error)> {
    let globals = file.globals.iter().flat_map(|(_, arguments)| arguments);
    let declared = globals.map(|argument| argument.name.as_str()).collect();
    let all = file.stages.iter().enumerate();
    all.map(|(index, stage)| {
        let words = words(stage, scope, expander, &declared, findings);
        let base = words.and_then(|(name, platform)| base(stage, stages, index, name, platform));
        base.map_err(|error| (stage.line, error))
    })
    .collect()
}

/// The image and the platform that FROM names, their variables replaced.
fn words(
    stage: &Stage,
    scope: &Scope,
    expander: Expander,
    declared: &HashSet<&str>,
    findings: &mut Findings,
) -> Result<(String, Option<String>), Error> {
    let watch = Watch::new(scope.globals());
    let name = expander.word(&stage.base.image, &watch)?;
    checks::undefined(stage.line, watch.missing(), declared, findings);
    let Some(written) = &stage.base.platform else { return Ok((name, None)) };
    let watch = Watch::new(scope.globals());
    let platform = expander.word(written, &watch)?;
    checks::undefined(stage.line, watch.missing(), declared, findings);
    checks::platform(stage, written, &platform, findings);
    Ok((name, Some(platform).filter(|text| !text.is_empty())))
}

fn base(
    stage: &Stage,
    stages: &Stages,
    index: usize,
    name: String,
    platform: Option<String>,
) -> Result<From, Error> {
    if name.is_empty() {
        let written = &stage.base.image;
        return Err(Error::Other(format!(
            "'{written}' stands for nothing: is the ARG set before the first FROM?"
        )));
    }
    if let Some(given) = stages.given(&name) {
        return match given.clone() {
            From::Directory(_) => Err(Error::Other(format!(
                "'{name}' is a directory (--build-context), which only COPY and RUN read"
            ))),
            From::Image { name, .. } => Ok(From::Image { name, platform }),
            other => Ok(other),
        };
    }
    Ok(match stages.find(&name, index) {
        Some(stage) => From::Stage(stage),
        None if name == "scratch" => From::Scratch,
        None => From::Image { name, platform },
    })
}

/// The stages that are `wanted`, those that they need, and the triggers of their bases.
///
/// # Errors
/// A base image that is not there or whose triggers are malformed, with the line of FROM;
/// the first such line.
pub(super) fn needed<'a>(
    file: &'a Containerfile,
    stages: &Stages,
    bases: &[From],
    wanted: BTreeSet<usize>,
    images: &mut Images<'_>,
) -> Result<BTreeMap<usize, Needed<'a>>, (u32, Error)> {
    let mut needed = BTreeMap::new();
    let mut failed = None;
    let mut ahead = wanted;
    // A stage needs earlier ones only: from the last to the first, each is met once.
    while let Some(index) = ahead.pop_last() {
        let Some(stage) = file.stages.get(index) else { continue };
        let base = bases.get(index).unwrap_or(&From::Scratch);
        if let From::Stage(base) = base {
            ahead.insert(*base);
        }
        let triggers = triggers(base, file, images).map_err(|error| match base {
            From::Image { name, .. } => stages.suggest(name, index)(error),
            _ => error,
        });
        let triggers = triggers.and_then(|triggers| {
            let triggers = triggers.iter().map(|trigger| trigger_of(trigger, stage.line));
            triggers.collect::<Result<Vec<_>, _>>()
        });
        let triggers = triggers.unwrap_or_else(|error| {
            failed = Some((stage.line, error));
            Vec::new()
        });
        let found = Needed { stage, triggers };
        ahead.extend(found.instructions().flat_map(|located| sources(stages, located, index)));
        needed.insert(index, found);
    }
    match failed {
        Some(failed) => Err(failed),
        None => Ok(needed),
    }
}

/// The texts of the triggers that a base has for those who begin from it.
fn triggers(
    base: &From,
    file: &Containerfile,
    images: &mut Images<'_>,
) -> Result<Vec<String>, Error> {
    Ok(match base {
        From::Scratch | From::Directory(_) => Vec::new(),
        From::Image { name, platform } => {
            let place = images.place(name, platform.as_deref())?;
            let found = images.all.get(place);
            found.map(|found| found.image.config.config.on_build.clone()).unwrap_or_default()
        }
        From::Stage(base) => {
            let instructions = file.stages.get(*base).map(|stage| stage.instructions.iter());
            let trigger = |located: &Located| match &located.instruction {
                Instruction::Onbuild(text) => Some(text.clone()),
                _ => None,
            };
            instructions.into_iter().flatten().filter_map(trigger).collect()
        }
    })
}

/// A trigger, as if it stood at FROM's line.
fn trigger_of(text: &str, line: u32) -> Result<Located, Error> {
    let at = |problem: Problem| Error::Trigger(Box::new(problem.into()));
    let parsed = containerfile::parse(text.as_bytes()).map_err(|error| at(error.problem))?;
    let [located] = <[Located; 1]>::try_from(parsed.instructions)
        .map_err(|_| at(Problem::UnknownInstruction(text.to_owned())))?;
    let instruction = &located.instruction;
    if matches!(
        instruction,
        Instruction::From(_) | Instruction::Onbuild(_) | Instruction::Maintainer(_)
    ) {
        return Err(at(Problem::ForbiddenTrigger(instruction.keyword())));
    }
    Ok(Located { line, ..located })
}

/// The earlier stages that an instruction copies or mounts from.
fn sources(stages: &Stages, located: &Located, index: usize) -> Vec<usize> {
    let names = match &located.instruction {
        Instruction::Copy(copy) => copy.from.iter().cloned().collect(),
        Instruction::Run(run) => {
            run.raw_mounts.iter().flat_map(|text| mount_sources(text)).collect()
        }
        _ => Vec::new(),
    };
    let find = |name: &String| match stages.find_source(name, index) {
        Ok(From::Stage(stage)) => Some(stage),
        _ => None,
    };
    names.iter().filter_map(find).collect()
}
