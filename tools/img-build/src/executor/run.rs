//! RUN: a command in a sandbox over the stage's layers, its changes made a layer.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::cli::{message, signal};
use common::containerfile::config::argv;
use common::containerfile::{CommandLine, Heredoc, Run, RunNetwork, history};
use common::layer::{diff, overlay};
use common::mount::{Durability, Form, Overlay, Upper, can_mount};
use common::sandbox::{self, Exit, Network as SandboxNetwork, Root, Stream};
use common::{time, unpacked};

use super::mounts::Mounts;
use crate::build::Builder;
use crate::cache::{Outcome, Record};
use crate::cli::Network;
use crate::error::Error;
use crate::scratch::Scratch;
use crate::state::State;
use crate::tree::{Attributes, Names, Tree, components};

/// How much of the output of a command that failed is shown.
const SHOWN_LEN_BYTES: u64 = 64 * 1024;

/// What becomes of a RUN: the argv, and a script to be there for it.
struct Script {
    argv: Vec<String>,
    file: Option<Heredoc>,
}

impl Builder {
    /// RUN.
    pub(crate) fn run(&mut self, state: &mut State, run: &Run, index: usize) -> Result<(), Error> {
        if run.is_insecure {
            return Err(Error::Unsupported("--security=insecure".into()));
        }
        let Script { argv, file } = script(run, &state.image.config.shell)?;
        let expander = common::containerfile::Expander::new(self.file.directives.escape);
        let mounts = run.mounts(expander, &state.variables)?;
        let mounts = self.mounts(mounts, file.as_ref(), index)?;
        let network = match (run.network, self.network) {
            (Some(RunNetwork::None), _) | (None | Some(RunNetwork::Default), Network::None) => {
                SandboxNetwork::None
            }
            (Some(RunNetwork::Host), Network::None) => {
                return Err(Error::Other(
                    "--network=host: the build was started with --network none".into(),
                ));
            }
            _ => SandboxNetwork::Host,
        };
        let record = Record::new(serde_json::json!({
            "operation": "run",
            "parent": state.chain(),
            "argv": argv,
            "environment": state.variables.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>(),
            "directory": state.image.config.working_dir,
            "user": state.image.config.user,
            // Where there is one id, what a command finds and does is another thing.
            "owners": can_mount(),
            "network": format!("{network:?}"),
            "mounts": mounts.facts(),
            "epoch": time::source_date_epoch()?.map(|epoch| epoch.seconds),
        }));
        let arguments: Vec<_> = state
            .arguments
            .iter()
            .map(|name| (name.clone(), state.variables.get(name).cloned().unwrap_or_default()))
            .collect();
        let created_by = history::of_run(&argv, &arguments);
        let outcome =
            self.cached(&record, |builder| builder.execute(state, &argv, network, &mounts))?;
        let layer = outcome.layer().map(|layer| (layer, outcome.created.clone()));
        state.record(created_by, layer);
        Ok(())
    }

    fn execute(
        &mut self,
        state: &mut State,
        argv: &[String],
        network: SandboxNetwork,
        mounts: &Mounts,
    ) -> Result<Outcome, Error> {
        let scratch = Scratch::new(self.cache_dir.as_deref())?;
        let mut lowers = self.unpack(state)?;
        if lowers.is_empty() {
            lowers.push(scratch.dir("empty")?);
        }
        let upper = scratch.dir("upper")?;
        let mut overlay = Overlay::new(lowers.clone()).with_upper(Upper::new(&upper));
        overlay.durability = Durability::Volatile;
        let Some((program, arguments)) = argv.split_first() else {
            return Err(Error::Other("no command".into()));
        };
        let directory = match state.image.config.working_dir.as_str() {
            "" => "/",
            directory => directory,
        };
        let (output, shown) = output()?;
        let mut command = sandbox::Command::new(Root::Overlay(overlay), program)
            .args(arguments)
            .cwd(directory)
            .user(&state.image.config.user)
            .network(network)
            .stdin(Stream::Null)
            .stdout(Stream::Fd(output.try_clone().map_err(Error::file("output"))?))
            .stderr(Stream::Fd(output));
        for (name, value) in self.scope.proxies() {
            command = command.env(name, value);
        }
        for (name, value) in &state.variables {
            command = command.env(name, value);
        }
        let (command, locks) = mounts.add_to(command, &scratch)?;
        let exit = command.run();
        drop(locks);
        // Whoever interrupts a build means the build.
        signal::die_if_passed_on();
        let exit = exit?;
        if !exit.success() {
            if let Some(shown) = shown {
                show(shown);
            }
        }
        match exit {
            Exit::Code(0) => {}
            Exit::Code(code) => return Err(Error::Exited(code)),
            Exit::Signal(number) => return Err(Error::Killed(number)),
        }
        self.changes(state, &upper, &lowers)
    }

    /// Makes a layer of what the command changed.
    fn changes(
        &mut self,
        state: &mut State,
        upper: &Path,
        lowers: &[PathBuf],
    ) -> Result<Outcome, Error> {
        let options = diff::Options {
            clamp_mtime: time::source_date_epoch()?,
            owner: owner_rule(),
            overlay_xattrs: match Form::native() {
                Form::Trusted => overlay::Namespace::Trusted,
                Form::User => overlay::Namespace::User,
            },
            ..diff::Options::default()
        };
        // An ordinary user's base has lost its owners, and the command could not
        // change any: they are still those of the image.
        let base = match can_mount() {
            true => None,
            false => Some(state.tree(self.reading())?),
        };
        let lowers: Vec<&Path> = lowers.iter().map(PathBuf::as_path).collect();
        let writer = diff::LayerWriter::new(self.store.writer()?);
        let mut sink = WithOwners { base, writer };
        let summary = diff::overlay(upper, &lowers, &options, &mut sink)?;
        let created = self.now.to_string();
        if summary.is_empty() {
            return Ok(Outcome::of_nothing(created));
        }
        let (digest, len_bytes) = sink.writer.finish()?.commit_layer()?;
        Ok(Outcome::of_layer(created, digest, len_bytes))
    }

    /// The layers of a stage as directories.
    fn unpack(&self, state: &State) -> Result<Vec<PathBuf>, Error> {
        let cache = unpacked::Cache::open()?.with_max_size(self.max_size);
        cache.layers(&state.diff_ids(), |index| {
            let missing = || Error::Other(format!("there is no layer {index}"));
            let layer = state.layers.get(index).ok_or_else(missing)?;
            let blob = self.store.blob(&layer.descriptor)?;
            Ok::<_, Error>((blob, layer.descriptor.len_bytes))
        })
    }
}

/// Inside, everything is root's where there is but one id.
fn owner_rule() -> diff::Owner {
    if can_mount() {
        return diff::Owner::Kept;
    }
    let only = |outside| diff::IdMap(vec![diff::IdRange { inside: 0, outside, count: 1 }]);
    diff::Owner::Mapped {
        uids: only(nix::unistd::geteuid().as_raw()),
        gids: only(nix::unistd::getegid().as_raw()),
    }
}

/// Gives files that the base has their owners back.
struct WithOwners<W> {
    base: Option<Arc<Tree>>,
    writer: diff::LayerWriter<W>,
}

impl<W: std::io::Write> diff::Sink for WithOwners<W> {
    fn reads_content(&self) -> bool {
        self.writer.reads_content()
    }

    fn change(&mut self, change: diff::Change<'_>) -> Result<(), diff::SinkError> {
        let names: Names = components(change.path).collect();
        let before = self.base.as_ref().and_then(|tree| tree.get(&names));
        match before {
            Some(before) if change.kind == diff::ChangeKind::Changed => {
                let mut entry = change.entry.clone();
                let Attributes { uid, gid, .. } = Attributes::of(before);
                (entry.uid, entry.gid) = (uid, gid);
                self.writer.change(diff::Change { entry: &entry, ..change })
            }
            _ => self.writer.change(change),
        }
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
            if body.starts_with("#!") {
                let name = heredoc.name.clone();
                if name.contains('/') {
                    return Err(Error::Other(format!("'{name}' is not a file name")));
                }
                return Ok(Script {
                    argv: vec![format!("/dev/pipes/{name}")],
                    file: Some(Heredoc { body, strips_tabs: false, ..heredoc.clone() }),
                });
            }
            return Ok(Script { argv: argv(&CommandLine::Shell(body), shell), file: None });
        }
    }
    let mut whole = text.clone();
    for heredoc in &run.heredocs {
        whole.push('\n');
        whole.push_str(&heredoc.body);
        whole.push_str(&heredoc.name);
    }
    Ok(Script { argv: argv(&CommandLine::Shell(whole), shell), file: None })
}

/// Where the command's output goes: to standard error where somebody watches, else
/// to a file that is shown if the command fails.
fn output() -> Result<(OwnedFd, Option<File>), Error> {
    use std::os::fd::AsFd as _;
    if message::is_watched() {
        let stderr = std::io::stderr().as_fd().try_clone_to_owned();
        return Ok((stderr.map_err(Error::file("standard error"))?, None));
    }
    let file = tempfile::tempfile().map_err(Error::file("output"))?;
    let written = file.try_clone().map_err(Error::file("output"))?;
    Ok((written.into(), Some(file)))
}

/// Shows the end of what a failed command wrote.
fn show(mut file: File) {
    let len = file.seek(SeekFrom::End(0)).unwrap_or(0);
    let start = len.saturating_sub(SHOWN_LEN_BYTES);
    let mut bytes = Vec::new();
    if file.seek(SeekFrom::Start(start)).is_ok() && file.read_to_end(&mut bytes).is_ok() {
        if start > 0 {
            message::note(format!("the output, but for its first {start} bytes:"));
        }
        for line in String::from_utf8_lossy(&bytes).lines() {
            message::note(format!("| {line}"));
        }
    }
}
