//! RUN: the command that is executed, its environment, its network and its mounts.

use std::sync::Arc;

use common::containerfile::config::argv;
use common::containerfile::{
    CommandLine, Heredoc, MountKind, Run, RunNetwork, history, path, to_text,
};

use super::settings::{Settings, Surroundings};
use crate::cli::Network;
use crate::error::Error;
use crate::graph::{MountWork, RunWork, Source, Work};
use crate::lint::Watch;

/// A command, and a script to be there for it.
struct Script {
    argv: Vec<String>,
    file: Option<Heredoc>,
}

impl Settings {
    /// RUN.
    pub(super) fn run(
        &mut self,
        line: u32,
        run: &Run,
        surroundings: &mut Surroundings<'_, '_>,
    ) -> Result<(Option<String>, Work), Error> {
        if run.is_insecure {
            return Err(Error::Unsupported("--security=insecure".into()));
        }
        let Script { argv, file: script } = script(run, &self.image.config.shell)?;
        if argv.is_empty() {
            return Err(Error::Other("no command".into()));
        }
        let mut mounts = Vec::new();
        let watch = Watch::new(&*self.variables);
        let parsed = run.mounts(surroundings.expander, &watch)?;
        surroundings.findings.add_undefined(line, watch.missing(), &self.declared);
        for mut mount in parsed {
            if let (MountKind::Ssh { .. }, "") = (&mount.kind, mount.target.as_str()) {
                mount.target = format!("/run/buildkit/ssh_agent.{}", mounts.len());
            }
            // A secret that is a variable is mounted nowhere.
            if !mount.target.is_empty() {
                mount.target = path::join(&self.image.config.working_dir, &mount.target);
            }
            if mount.target == "/" {
                return Err(Error::Other("--mount: the target cannot be /".into()));
            }
            let source = match &mount.kind {
                MountKind::Bind { from: None, .. } => Some(Source::Context),
                MountKind::Bind { from: Some(from), .. }
                | MountKind::Cache { from: Some(from), .. } => Some(surroundings.source(from)?),
                _ => None,
            };
            mounts.push(MountWork { mount, source });
        }
        let network = match (run.network, surroundings.network) {
            (Some(RunNetwork::None), _) | (None | Some(RunNetwork::Default), Network::None) => {
                Network::None
            }
            (Some(RunNetwork::Host), Network::None) => {
                return Err(Error::Other(
                    "--network=host: the build was started with --network none".into(),
                ));
            }
            _ => Network::Host,
        };
        let arguments: Vec<_> = self
            .arguments
            .iter()
            .map(|name| (name.clone(), self.variables.get(name).cloned().unwrap_or_default()))
            .collect();
        let created_by = history::of_run(&argv, &arguments);
        let config = &self.image.config;
        let work = RunWork {
            argv,
            script,
            environment: Arc::clone(&self.variables),
            directory: config.working_dir.clone(),
            user: config.user.clone(),
            network,
            mounts,
        };
        Ok((Some(created_by), Work::Run(Box::new(work))))
    }
}

/// The argv of a RUN. A command that is one heredoc is a script: for the shell, or
/// if it begins with `#!` for the kernel. Other heredocs are left to the shell.
fn script(run: &Run, shell: &[String]) -> Result<Script, Error> {
    let CommandLine::Shell(text) = &run.command else {
        return Ok(Script { argv: argv(&run.command, shell), file: None });
    };
    if let [heredoc] = run.heredocs.as_slice() {
        if text.trim_start_matches(|char: char| char.is_ascii_digit()).starts_with("<<")
            && !text.trim().contains(char::is_whitespace)
        {
            let body = heredoc.content();
            if body.starts_with(b"#!") {
                let name = heredoc.name.clone();
                if name.contains('/') {
                    return Err(Error::Other(format!("'{name}' is not a file name")));
                }
                return Ok(Script {
                    argv: vec![format!("/dev/pipes/{name}")],
                    file: Some(Heredoc { body, strips_tabs: false, ..heredoc.clone() }),
                });
            }
            return Ok(Script {
                argv: argv(&CommandLine::Shell(to_text(&body)), shell),
                file: None,
            });
        }
    }
    let mut whole = text.clone();
    for heredoc in &run.heredocs {
        whole.push('\n');
        whole.push_str(&to_text(&heredoc.body));
        whole.push_str(&heredoc.name);
    }
    Ok(Script { argv: argv(&CommandLine::Shell(whole), shell), file: None })
}
