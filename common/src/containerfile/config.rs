//! What an instruction does to an image's config. Used by a build for the
//! instructions that touch no file, and by `docker commit`'s `--change`.

use std::collections::HashMap;

use super::error::{Error, Problem};
use super::expand::Expander;
use super::instruction::{CommandLine, Instruction};
use super::{path, port, signal};
use crate::oci::{ContainerConfig, Empty, ImageConfig};

/// What runs shell forms where no SHELL says otherwise.
const DEFAULT_SHELL: [&str; 2] = ["/bin/sh", "-c"];

/// Applies the instructions of one stage, in order.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// CMD was given in this stage, so that a later ENTRYPOINT leaves it.
    cmd_is_set: bool,
    places: Places,
}

/// Where the variables of an environment are in it.
#[derive(Debug, Clone, Default)]
struct Places {
    by_name: HashMap<String, usize>,
    /// How many entries are known.
    known: usize,
}

impl Places {
    /// Sets `NAME=VALUE`, in the place of an earlier value.
    fn set(&mut self, env: &mut Vec<String>, name: &str, value: &str) {
        if self.known > env.len() {
            *self = Self::default();
        }
        self.catch_up(env);
        let pair = format!("{name}={value}");
        match self.by_name.get(name).and_then(|at| env.get_mut(*at)) {
            Some(entry) => *entry = pair,
            None => env.push(pair),
        }
        self.catch_up(env);
    }

    fn catch_up(&mut self, env: &[String]) {
        for (at, entry) in env.iter().enumerate().skip(self.known) {
            // A name of which there are two stands for the first.
            self.by_name.entry(name_of(entry).to_owned()).or_insert(at);
        }
        self.known = env.len();
    }
}

fn name_of(entry: &str) -> &str {
    entry.split('=').next().unwrap_or_default()
}

impl Changes {
    /// Applies an expanded instruction. Those that change files do nothing here,
    /// and neither do FROM and ARG.
    ///
    /// # Errors
    /// A port, signal or path that is none.
    pub fn apply(
        &mut self,
        instruction: &Instruction,
        image: &mut ImageConfig,
    ) -> Result<(), Problem> {
        let config = &mut image.config;
        match instruction {
            Instruction::Env(pairs) => {
                for (name, value) in pairs {
                    self.places.set(&mut config.env, name, value);
                }
            }
            Instruction::Label(labels) => config.labels.extend(labels.iter().cloned()),
            Instruction::Cmd(command) => {
                config.cmd = Some(argv(command, &config.shell));
                self.cmd_is_set = true;
            }
            Instruction::Entrypoint(command) => {
                let words = argv(command, &config.shell);
                // `ENTRYPOINT []` takes an inherited one away.
                config.entrypoint = Some(words).filter(|words| !words.is_empty());
                if !self.cmd_is_set {
                    config.cmd = None;
                }
            }
            Instruction::Shell(shell) => config.shell.clone_from(shell),
            Instruction::Workdir(to) => {
                config.working_dir = path::working_dir(&config.working_dir, to);
            }
            Instruction::User(user) => config.user.clone_from(user),
            Instruction::Volume(paths) => {
                if paths.iter().any(String::is_empty) {
                    return Err(Problem::EmptyVolume);
                }
                config.volumes.extend(paths.iter().map(|path| (path.clone(), Empty)));
            }
            Instruction::Expose(words) => {
                let ports = port::parse(words)?;
                config.exposed_ports.extend(ports.into_iter().map(|port| (port, Empty)));
            }
            Instruction::StopSignal(text) => {
                signal::check(text)?;
                config.stop_signal.clone_from(text);
            }
            Instruction::Healthcheck(check) => config.healthcheck = Some((**check).clone()),
            Instruction::Onbuild(trigger) => config.on_build.push(trigger.clone()),
            Instruction::Maintainer(name) => image.author.clone_from(name),
            Instruction::From(_)
            | Instruction::Run(_)
            | Instruction::Copy(_)
            | Instruction::Add(_)
            | Instruction::Arg(_) => {}
        }
        Ok(())
    }
}

/// The argv of a command: the shell form is one argument to the shell.
#[must_use]
pub fn argv(command: &CommandLine, shell: &[String]) -> Vec<String> {
    match command {
        CommandLine::Exec(words) => words.clone(),
        CommandLine::Shell(text) if shell.is_empty() => {
            DEFAULT_SHELL.iter().map(|word| (*word).to_owned()).chain([text.clone()]).collect()
        }
        CommandLine::Shell(text) => shell.iter().cloned().chain([text.clone()]).collect(),
    }
}

/// An environment as variables to expand words with.
#[must_use]
pub fn variables(env: &[String]) -> std::collections::BTreeMap<String, String> {
    env.iter()
        .map(|entry| entry.split_once('=').unwrap_or((entry, "")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Applies the lines of `docker commit --change`: joined, so that a continuation
/// may go from one to the next, and parsed as one file. Then what they left
/// empty is filled from the config before, as docker does.
///
/// # Errors
/// A malformed line; an instruction that is no valid change. The config is then
/// as it was before.
pub fn change(lines: &[String], image: &mut ImageConfig) -> Result<(), Error> {
    let parsed = super::parse(lines.join("\n").as_bytes())?;
    let expander = Expander::new(parsed.directives.escape);
    let mut changed = image.clone();
    let mut variables = variables(&image.config.env);
    let mut changes = Changes::default();
    for located in &parsed.instructions {
        let at = |problem: Problem| problem.at(located.line);
        let instruction = &located.instruction;
        if matches!(
            instruction,
            Instruction::From(_)
                | Instruction::Run(_)
                | Instruction::Copy(_)
                | Instruction::Add(_)
                | Instruction::Arg(_)
                | Instruction::Maintainer(_)
        ) {
            return Err(at(Problem::NotAChange(instruction.keyword().to_owned())));
        }
        let expanded = instruction.expanded(expander, &variables).map_err(at)?;
        if let Instruction::Env(pairs) = &expanded {
            variables.extend(pairs.iter().cloned());
        }
        changes.apply(&expanded, &mut changed).map_err(at)?;
    }
    merge(&mut changed.config, &image.config);
    *image = changed;
    Ok(())
}

/// Fills what is empty in `config` from the one before it. The command is taken
/// over only where the entrypoint is empty too: it would be its arguments.
fn merge(config: &mut ContainerConfig, before: &ContainerConfig) {
    let is_empty = |words: &Option<Vec<String>>| words.as_ref().is_none_or(Vec::is_empty);
    if is_empty(&config.entrypoint) {
        if is_empty(&config.cmd) {
            config.cmd.clone_from(&before.cmd);
            config.args_escaped = before.args_escaped;
        }
        if config.entrypoint.is_none() {
            config.entrypoint.clone_from(&before.entrypoint);
        }
    }
    if config.user.is_empty() {
        config.user.clone_from(&before.user);
    }
    if let (Some(check), Some(old)) = (&mut config.healthcheck, &before.healthcheck) {
        for (new, old) in [
            (&mut check.interval_ns, old.interval_ns),
            (&mut check.timeout_ns, old.timeout_ns),
            (&mut check.start_period_ns, old.start_period_ns),
            (&mut check.start_interval_ns, old.start_interval_ns),
            (&mut check.retries, old.retries),
        ] {
            if *new == 0 {
                *new = old;
            }
        }
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
