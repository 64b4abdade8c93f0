//! The rules that need the words of a Containerfile alone.

use std::collections::HashSet;

use common::containerfile::{Argument, Containerfile, Instruction, Located, Stage};

use super::{Findings, Rule, shorten};

/// Words in the name of a variable that make it a secret.
const SECRETS: [&str; 10] = [
    "apikey",
    "auth",
    "credential",
    "credentials",
    "key",
    "password",
    "pword",
    "passwd",
    "secret",
    "token",
];

/// Words that make it none.
const HARMLESS: [&str; 3] = ["public", "file", "version"];

/// Checks what is read of all stages, also of those that the target does not need.
pub(crate) fn check(file: &Containerfile, findings: &mut Findings) {
    for line in &file.empty_continuations {
        let text = "an empty line inside an instruction will be an error one day";
        findings.add(*line, Rule::NoEmptyContinuation, text);
    }
    casing(file, findings);
    let mut names = HashSet::new();
    for stage in &file.stages {
        name(stage, &mut names, findings);
        for Located { line, instruction, .. } in &stage.instructions {
            if let Instruction::Maintainer(_) = instruction {
                let text = "use LABEL org.opencontainers.image.authors=NAME";
                findings.add(*line, Rule::MaintainerDeprecated, text);
            }
        }
    }
}

/// Checks the instructions of a stage that is built.
pub(crate) fn check_stage(stage: &Stage, findings: &mut Findings) {
    once(stage, findings);
    for located in &stage.instructions {
        instruction(located, findings);
    }
}

fn keyword(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or_default()
}

fn is_lower(word: &str) -> bool {
    word.to_lowercase() == word
}

fn is_upper(word: &str) -> bool {
    word.to_uppercase() == word
}

/// Keywords are all upper case or all lower case, as most of them are.
fn casing(file: &Containerfile, findings: &mut Findings) {
    let keywords = || {
        file.stages.iter().flat_map(|stage| {
            let rest = stage.instructions.iter().map(|located| (located.line, &located.text));
            [(stage.line, &stage.text)].into_iter().chain(rest)
        })
    };
    let count = |fits: fn(&str) -> bool| keywords().filter(|(_, text)| fits(keyword(text))).count();
    let (fits, wanted): (fn(&str) -> bool, _) = match count(is_lower) > count(is_upper) {
        true => (is_lower, "lower"),
        false => (is_upper, "upper"),
    };
    for (line, text) in keywords() {
        let word = keyword(text);
        if !fits(word) {
            let text = format!("'{}' should be {wanted} case, as most are", shorten(word));
            findings.add(line, Rule::ConsistentInstructionCasing, text);
        }
    }
}

/// FROM's own words.
fn name<'a>(stage: &'a Stage, names: &mut HashSet<&'a str>, findings: &mut Findings) {
    let Stage { line, text, base, .. } = stage;
    let Some(known) = &base.name else { return };
    let words = text.split_whitespace().skip(1).skip_while(|word| word.starts_with("--"));
    if let [_, r#as, written] = words.collect::<Vec<_>>().as_slice() {
        let from = keyword(text);
        let differs = match (is_lower(from), is_upper(from)) {
            (true, _) => !is_lower(r#as),
            (_, true) => !is_upper(r#as),
            _ => false,
        };
        if differs {
            let text = format!("'{}' and '{}' differ in case", shorten(from), shorten(r#as));
            findings.add(*line, Rule::FromAsCasing, text);
        }
        if !is_lower(written) {
            let text = format!("the stage '{}' should be lower case", shorten(written));
            findings.add(*line, Rule::StageNameCasing, text);
        }
    }
    if ["scratch", "context"].contains(&known.as_str()) {
        let text = format!("'{known}' has a meaning of its own and names no stage");
        findings.add(*line, Rule::ReservedStageName, text);
    }
    if !names.insert(known) {
        let text = format!("an earlier stage is called '{}', too", shorten(known));
        findings.add(*line, Rule::DuplicateStageName, text);
    }
}

/// Of some instructions, the last in a stage counts.
fn once(stage: &Stage, findings: &mut Findings) {
    for keyword in ["CMD", "ENTRYPOINT", "HEALTHCHECK"] {
        let all = stage.instructions.iter();
        let mut all = all.filter(|located| located.instruction.keyword() == keyword).rev();
        all.next();
        for located in all {
            let text = format!("only the last {keyword} of a stage counts");
            findings.add(located.line, Rule::MultipleInstructionsDisallowed, text);
        }
    }
}

fn instruction(located: &Located, findings: &mut Findings) {
    let Located { line, text, instruction } = located;
    match instruction {
        Instruction::Env(pairs) => {
            legacy(*line, text, findings);
            pairs.iter().for_each(|(name, _)| secret(*line, "ENV", name, findings));
        }
        Instruction::Label(_) => legacy(*line, text, findings),
        Instruction::Arg(arguments) => {
            let names = arguments.iter().map(|Argument { name, .. }| name);
            names.for_each(|name| secret(*line, "ARG", name, findings));
        }
        _ => {}
    }
}

/// `ENV NAME VALUE`.
fn legacy(line: u32, text: &str, findings: &mut Findings) {
    let first = text.split_whitespace().nth(1).unwrap_or_default();
    if !first.contains('=') && !first.starts_with(['"', '\'']) {
        let text = format!("write {}=VALUE, not {0} VALUE", shorten(first));
        findings.add(line, Rule::LegacyKeyValueFormat, text);
    }
}

fn secret(line: u32, keyword: &str, name: &str, findings: &mut Findings) {
    let lower = name.to_ascii_lowercase();
    let has = |words: &[&str]| lower.split('_').any(|word| words.contains(&word));
    if has(&SECRETS) && !has(&HARMLESS) {
        let text = format!("{keyword} {}: secrets are for RUN --mount=type=secret", shorten(name));
        findings.add(line, Rule::SecretsUsedInArgOrEnv, text);
    }
}
