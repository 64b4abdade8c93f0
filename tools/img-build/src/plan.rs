//! Which stages there are, what each begins from, and which are needed.

use std::collections::BTreeSet;

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

/// An earlier stage of this name or number. Later ones of the same name win.
pub(crate) fn find_stage(stages: &[Stage], name: &str, before: usize) -> Option<usize> {
    let earlier = stages.get(..before).unwrap_or_default();
    let is_named = |stage: &Stage| stage.base.name.as_deref() == Some(&name.to_lowercase());
    earlier.iter().rposition(is_named)
}

/// The stage that `--target` means.
///
/// # Errors
/// No such stage.
pub(crate) fn target(file: &Containerfile, target: Option<&str>) -> Result<usize, Error> {
    let Some(target) = target else { return Ok(file.stages.len().saturating_sub(1)) };
    let by_name = find_stage(&file.stages, target, file.stages.len());
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
        target: usize,
        scope: &Scope,
        expander: Expander,
    ) -> Result<Self, (u32, Error)> {
        let mut bases = Vec::new();
        for (index, stage) in file.stages.iter().enumerate() {
            bases.push(base(file, index, scope, expander).map_err(|error| (stage.line, error))?);
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
                ahead.extend(sources(file, stage, index));
            }
        }
        Ok(Self { bases, needed, target })
    }
}

fn base(
    file: &Containerfile,
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
    Ok(match find_stage(&file.stages, &name, index) {
        Some(stage) => Base::Stage(stage),
        None if name == "scratch" => Base::Scratch,
        None => Base::Image { name, platform },
    })
}

/// The earlier stages that a stage copies or mounts from.
fn sources(file: &Containerfile, stage: &Stage, index: usize) -> Vec<usize> {
    let mut found = Vec::new();
    let mut add = |name: &str| {
        let by_number = || name.parse().ok().filter(|number| *number < index);
        found.extend(find_stage(&file.stages, name, index).or_else(by_number));
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
