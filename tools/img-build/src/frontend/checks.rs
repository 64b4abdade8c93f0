//! The rules of [`crate::lint`] that depend on variables, configs and the context.

use std::collections::{BTreeSet, HashSet};

use common::containerfile::{CommandLine, Containerfile, Expander, Instruction, Stage, Transfer};
use common::oci::Platform;
use common::store::Name;

use super::scope::Scope;
use super::settings::{Settings, Surroundings};
use crate::context::{Matched, Patterns};
use crate::lint::{Findings, Rule, shorten};

impl Settings {
    /// Checks an instruction whose variables are replaced.
    pub(super) fn check(
        &mut self,
        line: u32,
        instruction: &Instruction,
        surroundings: &mut Surroundings<'_, '_>,
    ) {
        let findings = &mut *surroundings.findings;
        match instruction {
            Instruction::Cmd(CommandLine::Shell(_))
            | Instruction::Entrypoint(CommandLine::Shell(_))
                if self.image.config.shell.is_empty() =>
            {
                let keyword = instruction.keyword();
                let text = format!("in JSON form, {keyword} has no shell that keeps signals");
                findings.add(line, Rule::JSONArgsRecommended, text);
            }
            Instruction::Workdir(path) => {
                if !self.has_workdir && !path.starts_with('/') {
                    let text = format!("'{}' depends on the base image", shorten(path));
                    findings.add(line, Rule::WorkdirRelativePath, text);
                }
                self.has_workdir = true;
            }
            Instruction::Expose(ports) => {
                ports.iter().for_each(|port| expose(line, port, findings))
            }
            Instruction::Copy(transfer) | Instruction::Add(transfer) if transfer.from.is_none() => {
                ignored(line, transfer, surroundings.ignored, findings);
            }
            _ => {}
        }
    }
}

fn expose(line: u32, port: &str, findings: &mut Findings) {
    let protocol = port.split_once('/').map_or("", |(_, protocol)| protocol);
    if protocol.to_lowercase() != protocol {
        let text = format!("'{}': protocols are lower case", shorten(port));
        findings.add(line, Rule::ExposeProtoCasing, text);
    }
    if port.contains(':') {
        let text = format!("'{}': EXPOSE takes neither addresses nor host ports", shorten(port));
        findings.add(line, Rule::ExposeInvalidFormat, text);
    }
}

fn ignored(line: u32, transfer: &Transfer, patterns: &Patterns, findings: &mut Findings) {
    // As in BuildKit: a pattern that takes files in again makes it hard to tell.
    let relative = transfer.sources.iter().filter(|source| !source.starts_with('/'));
    for source in relative.filter(|_| !patterns.may_include_again()) {
        let (mut path, mut matched, mut excluded) = (String::new(), Matched::default(), false);
        for part in source.split('/').filter(|part| !matches!(*part, "" | ".")) {
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(part);
            (excluded, matched) = patterns.excludes(path.as_bytes(), &matched);
        }
        if excluded {
            let text = format!("'{}' is kept out by an ignore file", shorten(source));
            findings.add(line, Rule::CopyIgnoredFile, text);
        }
    }
}

/// Notes variables of FROM that no ARG before the first FROM declares.
pub(super) fn undefined(
    line: u32,
    missing: BTreeSet<String>,
    declared: &HashSet<&str>,
    findings: &mut Findings,
) {
    for name in missing {
        if !declared.contains(name.as_str()) {
            let text = format!("no ARG before the first FROM declares {}", shorten(&name));
            findings.add(line, Rule::UndefinedArgInFrom, text);
        }
    }
}

/// Checks `FROM --platform`, whose variables were replaced in `platform`.
pub(super) fn platform(stage: &Stage, written: &str, platform: &str, findings: &mut Findings) {
    if matches!(written, "$TARGETPLATFORM" | "${TARGETPLATFORM}") {
        let text = "FROM takes the platform of the target anyway";
        findings.add(stage.line, Rule::RedundantTargetPlatform, text);
    }
    let Ok(platform) = platform.parse::<Platform>() else { return };
    let name = stage.base.name.as_deref().unwrap_or_default();
    // A stage that is called so is meant so.
    if !written.contains('$')
        && !name.contains(&platform.os)
        && !name.contains(&platform.architecture)
    {
        let text = format!("'{}' is built for that platform only", shorten(written));
        findings.add(stage.line, Rule::FromPlatformFlagConstDisallowed, text);
    }
}

/// Checks that each FROM names something without any `--build-arg`.
pub(super) fn defaults(
    file: &Containerfile,
    target: &str,
    platform: &Platform,
    expander: Expander,
    findings: &mut Findings,
) {
    let mut scope = Scope::new(&[], platform);
    if scope.declare_globals(file, target, expander).is_err() {
        return;
    }
    for stage in file.stages.iter().filter(|stage| stage.base.image.contains('$')) {
        let name = expander.word(&stage.base.image, scope.globals()).unwrap_or_default();
        let bare = name.split('@').next().unwrap_or_default();
        if bare.parse::<Name>().is_err() {
            let text = format!("with its defaults '{}' names no image", shorten(&stage.base.image));
            findings.add(stage.line, Rule::InvalidDefaultArgInFrom, text);
        }
    }
}
