//! RUN: a command in a sandbox over the stage's layers, its changes made a layer.

use std::path::{Path, PathBuf};

use common::layer::{diff, overlay};
use common::message;
use common::mount::{Durability, Namespace, Overlay, Upper};
use common::privilege::can_mount;
use common::sandbox::{self, Exit, Network as SandboxNetwork, Root, Stream};
use common::signal;
use common::unpacked;

use super::mounts::Mounts;
use super::progress::Progress;
use super::{At, Made, Run};
use crate::cache::{Outcome, Record};
use crate::cli::Network;
use crate::error::Error;
use crate::graph::RunWork;
use crate::scratch::Scratch;

impl Run<'_> {
    /// RUN.
    pub(super) fn command(
        &self,
        progress: &mut Progress,
        at: &At<'_>,
        work: &RunWork,
    ) -> Result<Outcome, Error> {
        let mounts = self.mounts(&work.mounts, work.script.as_ref())?;
        // It may change while the command runs, which then has the result of another key.
        let is_emulated = sandbox::emulates_users();
        let environment = work.environment.iter();
        let record = Record::new(serde_json::json!({
            "operation": "run",
            "parent": progress.chain(),
            "argv": work.argv,
            "environment": environment.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>(),
            "directory": work.directory,
            "user": work.user,
            // With one id and no others emulated, a command finds and does other things.
            "owners": can_mount() || is_emulated,
            "network": format!("{:?}", work.network),
            "mounts": mounts.facts(),
            "epoch": self.executor.clock.epoch.map(|epoch| epoch.seconds),
        }));
        let hosts: Vec<_> = self.graph.hosts.iter().map(|(name, _)| name.as_str()).collect();
        let record = match hosts.is_empty() {
            true => record,
            false => record.with("hosts", hosts),
        };
        let record = match &self.graph.hostname {
            Some(hostname) => record.with("hostname", hostname.as_str()),
            None => record,
        };
        self.cached(at, &record, || {
            let mut made = self.execute(progress, at, work, &mounts)?;
            made.is_lasting &= sandbox::emulates_users() == is_emulated;
            Ok(made)
        })
    }

    fn execute(
        &self,
        progress: &mut Progress,
        at: &At<'_>,
        work: &RunWork,
        mounts: &Mounts,
    ) -> Result<Made, Error> {
        let scratch = Scratch::new(self.executor.place.cache.as_deref())?;
        let mut lowers = self.unpack(progress)?;
        if lowers.is_empty() {
            lowers.push(scratch.dir("empty")?);
        }
        let upper = scratch.dir("upper")?;
        let mut overlay = Overlay::new(lowers.clone()).with_upper(Upper::new(&upper));
        overlay.durability = Durability::Volatile;
        let Some((program, arguments)) = work.argv.split_first() else {
            return Err(Error::Other("no command".into()));
        };
        let directory = match work.directory.as_str() {
            "" => "/",
            directory => directory,
        };
        let network = match work.network {
            Network::None => SandboxNetwork::None,
            Network::Host => SandboxNetwork::Host,
        };
        let (output, shown) = self.executor.reporter.output(at.step.number, scratch.path())?;
        let mut command = sandbox::Command::new(Root::Overlay(overlay), program)
            .args(arguments)
            .cwd(directory)
            // A step may have removed it.
            .make_cwd()
            .user(&work.user)
            .network(network)
            .stdin(Stream::Null)
            .stdout(Stream::Fd(output.try_clone().map_err(Error::file("output"))?))
            .stderr(Stream::Fd(output));
        for (name, address) in &self.graph.hosts {
            command = command.host(name, *address);
        }
        for (name, value) in &self.graph.proxies {
            command = command.env(name, value);
        }
        for (name, value) in &*work.environment {
            command = command.env(name, value);
        }
        if let Some(hostname) = &self.graph.hostname {
            command = command.hostname(hostname);
        }
        let cache = self.executor.place.cache.as_deref();
        let (command, held) = mounts.add_to(command, &scratch, cache, &self.schedule)?;
        let exit = command.run();
        drop(held);
        // Whoever interrupts a build means the build.
        signal::die_if_passed_on();
        shown.finish(exit.as_ref().is_ok_and(|exit| exit.success()) || self.schedule.has_failed());
        match exit? {
            Exit::Code(0) => {}
            Exit::Code(code) => return Err(Error::Exited(code)),
            Exit::Signal(number) => return Err(Error::Killed(number)),
        }
        let is_lasting = !(mounts.are_live() && self.executor.context.has_changed());
        if !is_lasting {
            message::warning("the context changed while a step read it: its result is not kept");
        }
        Ok(Made { outcome: self.changes(&upper, &lowers)?, is_lasting })
    }

    /// Makes a layer of what the command changed.
    fn changes(&self, upper: &Path, lowers: &[PathBuf]) -> Result<Outcome, Error> {
        let options = diff::Options {
            clamp_mtime: self.executor.clock.epoch,
            owner: owner_rule(),
            overlay_xattrs: overlay::Prefixes::Only(Namespace::native()),
            ..diff::Options::default()
        };
        let lowers: Vec<&Path> = lowers.iter().map(PathBuf::as_path).collect();
        let mut sink = diff::LayerWriter::new(self.executor.place.store.writer()?);
        let summary = diff::overlay(upper, &lowers, &options, &mut sink)?;
        let created = self.executor.clock.now.to_string();
        if summary.is_empty() {
            return Ok(Outcome::of_nothing(created));
        }
        let (digest, len_bytes) = sink.finish()?.commit_layer()?;
        Ok(Outcome::of_layer(created, digest, len_bytes))
    }

    /// The layers of a stage as directories.
    fn unpack(&self, progress: &Progress) -> Result<Vec<PathBuf>, Error> {
        let place = self.executor.place;
        let cache = unpacked::Cache::open()?.with_max_size(place.max_size);
        cache.layers(&progress.diff_ids(), |index| {
            let missing = || Error::Other(format!("there is no layer {index}"));
            let layer = progress.layers.get(index).ok_or_else(missing)?;
            let blob = place.store.blob(&layer.descriptor)?;
            Ok::<_, Error>((blob, layer.descriptor.len_bytes))
        })
    }
}

/// Inside, everything is root's where there is but one id, unless it is recorded to be
/// somebody else's.
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
