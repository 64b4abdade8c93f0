//! `--check` and `# check=`: what a Containerfile had better not say, by BuildKit's rules and
//! under their names. Rules that need words alone are in [`text`]; the frontend reports those
//! that depend on variables and configs as it meets them.

mod text;

use std::collections::{BTreeSet, HashSet};
use std::fmt;

use common::containerfile::Variables;
use common::name::show;

use crate::error::Error;

pub(crate) use text::{check as check_text, check_stage};

/// The longest text that a finding repeats.
const SHOWN_LEN_CHARS: usize = 80;

/// More findings than this are not read by anybody.
const MAX_FINDINGS: usize = 10_000;

/// Sets the options of the checks, and wins over the directive.
pub(crate) const ARGUMENT: &str = "BUILDKIT_DOCKERFILE_CHECK";

/// BuildKit's rules, but for two: the platform of a base image is checked when it is opened, and
/// descriptions of stages are an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    ConsistentInstructionCasing,
    CopyIgnoredFile,
    DuplicateStageName,
    ExposeInvalidFormat,
    ExposeProtoCasing,
    FromAsCasing,
    FromPlatformFlagConstDisallowed,
    InvalidDefaultArgInFrom,
    JSONArgsRecommended,
    LegacyKeyValueFormat,
    MaintainerDeprecated,
    MultipleInstructionsDisallowed,
    NoEmptyContinuation,
    RedundantTargetPlatform,
    ReservedStageName,
    SecretsUsedInArgOrEnv,
    StageNameCasing,
    UndefinedArgInFrom,
    UndefinedVar,
    WorkdirRelativePath,
}

/// A violation of a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) line: u32,
    rule: Rule,
    text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, rule, text } = self;
        write!(f, "{line}: {rule:?}: {text}")
    }
}

/// The options of the checks, and what was found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    skips_all: bool,
    skipped: BTreeSet<String>,
    is_error: bool,
    found: BTreeSet<Finding>,
}

impl Findings {
    /// Parses the value of the directive: `skip=RULE,...`, `skip=all`, `error=true`, with
    /// semicolons between them.
    ///
    /// # Errors
    /// Another option, or another value.
    pub(crate) fn new(options: &str) -> Result<Self, Error> {
        let mut findings = Self::default();
        for option in options.split(';').map(str::trim).filter(|option| !option.is_empty()) {
            let invalid = || Error::Other(format!("invalid check option '{}'", show(option)));
            let (name, value) = option.split_once('=').ok_or_else(invalid)?;
            match (name.trim(), value.trim()) {
                ("skip", "all") => findings.skips_all = true,
                ("skip", rules) => {
                    let rules = rules.split(',').map(|rule| rule.trim().to_ascii_lowercase());
                    findings.skipped = rules.collect();
                }
                ("error", value) => findings.is_error = boolean(value).ok_or_else(invalid)?,
                // Neither experiment is known here.
                ("experimental", _) => {}
                _ => return Err(invalid()),
            }
        }
        Ok(findings)
    }

    pub(crate) fn add(&mut self, line: u32, rule: Rule, text: impl Into<String>) {
        let name = format!("{rule:?}").to_ascii_lowercase();
        let is_wanted = !self.skips_all && !self.skipped.contains(&name);
        if is_wanted && self.found.len() < MAX_FINDINGS {
            self.found.insert(Finding { line, rule, text: text.into() });
        }
    }

    /// Adds the `missing` variables that no ARG of `declared` stands for.
    pub(crate) fn add_undefined(
        &mut self,
        line: u32,
        missing: BTreeSet<String>,
        declared: &HashSet<String>,
    ) {
        for name in missing {
            if !declared.contains(&name) {
                let text = format!("${} is not set here", shorten(&name));
                self.add(line, Rule::UndefinedVar, text);
            }
        }
    }

    /// All of them, by line.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Finding> {
        self.found.iter()
    }

    /// Set if the build must fail for them.
    pub(crate) fn are_errors(&self) -> bool {
        self.is_error && !self.found.is_empty()
    }
}

/// Go's `strconv.ParseBool`.
fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// Variables, and the names that were asked for and are not set.
pub(crate) struct Watch<'a> {
    variables: &'a dyn Variables,
    missing: std::cell::RefCell<BTreeSet<String>>,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(variables: &'a dyn Variables) -> Self {
        Self { variables, missing: Default::default() }
    }

    /// The names that were asked for and are not set.
    pub(crate) fn missing(self) -> BTreeSet<String> {
        self.missing.into_inner()
    }
}

impl Variables for Watch<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        let value = self.variables.get(name);
        if value.is_none() {
            self.missing.borrow_mut().insert(name.to_owned());
        }
        value
    }
}

/// A text as findings repeat it.
pub(crate) fn shorten(text: &str) -> String {
    let short: String = text.chars().take(SHOWN_LEN_CHARS).collect();
    show(&short).to_string()
}
