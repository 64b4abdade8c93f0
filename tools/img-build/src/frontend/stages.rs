//! Which stages there are, what each begins from, and which are needed.

use std::collections::{BTreeSet, HashMap};

use common::containerfile::{Containerfile, Expander, Instruction, MountKind, NoVariables, Stage};

use crate::error::Error;
use crate::scope::Scope;

/// What a stage begins from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Base {
    Scratch,
    /// An earlier stage.
    Stage(usize),
    Image {
        name: String,
        platform: Option<String>,
    },
}

/// What is built, in this order.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The base of each stage.
    pub(crate) bases: Vec<Base>,
    /// The stages that the target needs, and itself as the last.
    pub(crate) needed: BTreeSet<usize>,
    pub(crate) target: usize,
}

/// The stages of a file by name, each name with its stages in order.
#[derive(Debug)]
pub(crate) struct Stages(HashMap<String, Vec<usize>>);

impl Stages {
    pub(crate) fn of(file: &Containerfile) -> Self {
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, stage) in file.stages.iter().enumerate() {
            if let Some(name) = &stage.base.name {
                by_name.entry(name.clone()).or_default().push(index);
            }
        }
        Self(by_name)
    }

    /// The last stage of this name that is earlier than the one at `before`.
    pub(crate) fn find(&self, name: &str, before: usize) -> Option<usize> {
        let stages = self.0.get(&name.to_lowercase())?;
        let earlier = stages.partition_point(|index| *index < before);
        stages.get(..earlier)?.last().copied()
    }
}

/// The stage that `--target` means.
///
/// # Errors
/// No such stage.
pub(crate) fn target(
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

impl Plan {
    /// Resolves the bases, and walks back from the target.
    ///
    /// # Errors
    /// A FROM that cannot be expanded, with its line.
    pub(crate) fn new(
        file: &Containerfile,
        stages: &Stages,
        target: usize,
        scope: &Scope,
        expander: Expander,
    ) -> Result<Self, (u32, Error)> {
        let mut bases = Vec::new();
        for (index, stage) in file.stages.iter().enumerate() {
            bases.push(
                base(file, stages, index, scope, expander).map_err(|error| (stage.line, error))?,
            );
        }
        let mut needed = BTreeSet::new();
        let mut ahead = vec![target];
        while let Some(index) = ahead.pop() {
            if !needed.insert(index) {
                continue;
            }
            if let Some(Base::Stage(base)) = bases.get(index) {
                ahead.push(*base);
            }
            if let Some(stage) = file.stages.get(index) {
                ahead.extend(sources(stages, stage, index));
            }
        }
        Ok(Self { bases, needed, target })
    }
}

fn base(
    file: &Containerfile,
    stages: &Stages,
    index: usize,
    scope: &Scope,
    expander: Expander,
) -> Result<Base, Error> {
    let Some(stage) = file.stages.get(index) else { return Ok(Base::Scratch) };
    let name = expander.word(&stage.base.image, scope.globals())?;
    if name.is_empty() {
        let written = &stage.base.image;
        return Err(Error::Other(format!(
            "'{written}' stands for nothing: is the ARG set before the first FROM?"
        )));
    }
    let platform = match &stage.base.platform {
        Some(text) => Some(expander.word(text, scope.globals())?).filter(|text| !text.is_empty()),
        None => None,
    };
    Ok(match stages.find(&name, index) {
        Some(stage) => Base::Stage(stage),
        None if name == "scratch" => Base::Scratch,
        None => Base::Image { name, platform },
    })
}

/// The earlier stages that a stage copies or mounts from.
fn sources(stages: &Stages, stage: &Stage, index: usize) -> Vec<usize> {
    let mut found = Vec::new();
    let mut add = |name: &str| {
        let by_number = || name.parse().ok().filter(|number| *number < index);
        found.extend(stages.find(name, index).or_else(by_number));
    };
    for located in &stage.instructions {
        match &located.instruction {
            Instruction::Copy(copy) => copy.from.iter().for_each(|from| add(from)),
            Instruction::Run(run) => {
                let mounts = run.mounts(Expander::new('\\'), &NoVariables).unwrap_or_default();
                for mount in mounts {
                    match mount.kind {
                        MountKind::Bind { from: Some(from), .. }
                        | MountKind::Cache { from: Some(from), .. } => add(&from),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    found
}
