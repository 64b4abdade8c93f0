//! A [`Plan`] as an OCI runtime takes it: the bundle's `config.json` (runtime-spec
//! 1.0.2, which old runtimes know too).
//!
//! The runtime mounts only /proc, /sys and /dev, and what belongs on them. All else is
//! mounted in the root already, so that no runtime follows an image's links. Files that it
//! is to mount lie in the bundle themselves, opened and copied by us: their names are such
//! that nobody else can change them. Everything is text there, so bytes that are not UTF-8
//! are refused.

use std::path::Path;

use serde_json::{Value, json};

use super::Error;
use super::capabilities::Capabilities;
use super::plan::{Bytes, Ids, MountPlan, Plan, SourcePlan};
use super::surroundings::{Access, Measure, Network, Privileges, Programs, Terminal, Writable};
use super::syscalls::{self, FAMILIES, NAMESPACES, PERSONALITIES, may_make_namespaces};
use super::system::{READ_ONLY, masked};
use super::target::Target;
use super::user::User;

/// The root's name in the bundle.
pub(super) const ROOT: &str = "rootfs";

/// The folder of what is mounted from the bundle, each by its number.
pub(super) const MOUNTS: &str = "mounts";

/// The whole config for the bundle in `dir`.
pub(super) fn config(plan: &Plan, user: &User, dir: &Path) -> Result<Value, Error> {
    let settings = &plan.settings;
    let mut mounts = system_mounts(plan);
    for (number, mount) in plan.mounts.iter().enumerate() {
        let target = Target::asked_for(&mount.target.0)?;
        if target.is_system() {
            let source = text(&Bytes::new(dir.join(format!("{MOUNTS}/{number}"))))?;
            mounts.push(added(mount, &target, source)?);
        }
    }
    let mut hidden: Vec<String> = Vec::new();
    let mut read_only: &[&str] = &[];
    if settings.takes(Measure::SystemPaths) {
        hidden = masked();
        read_only = &READ_ONLY;
    }
    let mut namespaces = vec![
        json!({"type": "pid"}),
        json!({"type": "ipc"}),
        json!({"type": "uts"}),
        json!({"type": "mount"}),
    ];
    if settings.network == Network::None {
        namespaces.push(json!({"type": "network"}));
    }
    let mut linux =
        json!({"namespaces": namespaces, "maskedPaths": hidden, "readonlyPaths": read_only});
    if settings.takes(Measure::SystemCalls) {
        linux["seccomp"] = seccomp(settings.capabilities());
    }
    Ok(json!({
        "ociVersion": "1.0.2",
        "root": {"path": ROOT, "readonly": settings.writable == Writable::No},
        "hostname": settings.hostname,
        "process": process(plan, user)?,
        "mounts": mounts,
        "linux": linux,
    }))
}

fn text(bytes: &Bytes) -> Result<String, Error> {
    String::from_utf8(bytes.0.clone()).map_err(|_| {
        let name = crate::name::show(&bytes.0);
        Error::new(format!("an OCI runtime takes UTF-8 only, not '{name}'"))
    })
}

fn process(plan: &Plan, user: &User) -> Result<Value, Error> {
    let settings = &plan.settings;
    let args = plan.argv.iter().map(text).collect::<Result<Vec<_>, _>>()?;
    let variables = super::process::variables(plan, user).map(Bytes);
    let env = variables.map(|variable| text(&variable)).collect::<Result<Vec<_>, _>>()?;
    // Runtimes rely on a device controller that we cannot ask for everywhere: without
    // this one no new device can be made in their /dev.
    let mut kept = settings.capabilities();
    let _ = kept.remove("MKNOD");
    // Nor can they give what they do not have.
    kept = kept.held()?;
    let names = kept.names();
    let mut user_json = json!({"uid": user.uid, "gid": user.gid, "umask": 0o022});
    if plan.ids == Ids::Host {
        user_json["additionalGids"] = json!(user.groups);
    }
    // An OCI runtime leaves those of another user than root effective.
    let held = if user.uid == 0 { names.clone() } else { Vec::new() };
    Ok(json!({
        "terminal": settings.terminal == Terminal::New,
        "user": user_json,
        "args": args,
        "env": env,
        "cwd": text(&plan.cwd)?,
        "capabilities": {"bounding": names, "effective": held, "permitted": held},
        "noNewPrivileges": settings.privileges == Privileges::Fixed,
    }))
}

/// /proc, /sys and /dev, as `mounts` makes them.
fn system_mounts(plan: &Plan) -> Vec<Value> {
    let plain = ["nosuid", "noexec", "nodev"];
    let mut terminals = vec!["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"];
    if plan.ids == Ids::Host {
        terminals.push("gid=5");
    }
    // A fresh one shows the network, and belongs to whoever owns that.
    let sys = match (plan.ids, plan.settings.network) {
        (Ids::Host, _) | (_, Network::None) => json!({"destination": "/sys", "type": "sysfs",
            "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]}),
        _ => json!({"destination": "/sys", "type": "bind", "source": "/sys",
            "options": ["rbind", "nosuid", "noexec", "nodev", "ro"]}),
    };
    vec![
        json!({"destination": "/proc", "type": "proc", "source": "proc", "options": plain}),
        sys,
        json!({"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
            "options": ["nosuid", "noexec", "mode=755", "size=65536k"]}),
        json!({"destination": "/dev/pts", "type": "devpts", "source": "devpts",
            "options": terminals}),
        json!({"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
            "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]}),
        json!({"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
            "options": plain}),
    ]
}

/// A mount that the caller asked for.
fn added(mount: &MountPlan, target: &Target, source: String) -> Result<Value, Error> {
    let access = match mount.access {
        Access::ReadOnly => "ro",
        Access::ReadWrite => "rw",
    };
    let destination = text(&Bytes(target.path()))?;
    Ok(match &mount.source {
        SourcePlan::Tmpfs(tmpfs) => {
            let mut options = vec![access.into(), "nosuid".into(), "nodev".to_owned()];
            if tmpfs.programs == Programs::Refused {
                options.push("noexec".into());
            }
            options.push(format!("mode={:o}", tmpfs.mode));
            options.push(format!("uid={},gid={}", tmpfs.owner.0, tmpfs.owner.1));
            options.extend(tmpfs.size_bytes.map(|size| format!("size={size}")));
            json!({"destination": destination, "type": "tmpfs", "source": "tmpfs",
                "options": options})
        }
        SourcePlan::Path(_) | SourcePlan::Fd(_) => json!({"destination": destination,
            "type": "bind", "source": source, "options": ["rbind", access]}),
    })
}

/// The filter of `seccomp`, in the words of the specification. It has none for calls
/// that are newer than the list.
fn seccomp(capabilities: Capabilities) -> Value {
    let refuse = |names: Vec<&str>, args: Value| json!({"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": libc::EPERM, "args": args});
    let mut calls = vec![refuse(syscalls::names(capabilities).collect(), json!([]))];
    for family in FAMILIES {
        let equal = json!([{"index": 0, "value": family, "op": "SCMP_CMP_EQ"}]);
        calls.push(refuse(vec!["socket"], equal));
    }
    if !may_make_namespaces(capabilities) {
        calls.push(
            json!({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": libc::ENOSYS}),
        );
        // There is no "any of these bits": each gets its own rule.
        for bit in (0..u32::BITS).map(|shift| 1_u32 << shift).filter(|bit| NAMESPACES & bit != 0) {
            let any =
                json!([{"index": 0, "value": bit, "valueTwo": bit, "op": "SCMP_CMP_MASKED_EQ"}]);
            calls.push(refuse(vec!["clone"], any));
        }
    }
    let others =
        PERSONALITIES.map(|known| json!({"index": 0, "value": known, "op": "SCMP_CMP_NE"}));
    calls.push(refuse(vec!["personality"], json!(others)));
    let architectures = match std::env::consts::ARCH {
        "x86_64" => vec!["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "aarch64" => vec!["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
        _ => Vec::new(),
    };
    json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": architectures, "syscalls": calls})
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::command::Command;
    use super::super::user::User;
    use super::{Ids, Plan, config};
    use crate::sandbox::{Access, Mount, Network, Root, Source};

    #[test]
    fn a_bundles_config_says_what_the_plan_says() {
        let mount = |source, target: &str, access| Mount { source, target: target.into(), access };
        let command = Command::new(Root::Directory("/r".into()), "sh")
            .env("A", "b")
            .cwd("/w")
            .network(Network::None)
            .mount(mount(Source::Path("/host".into()), "/v", Access::ReadOnly))
            .mount(mount(Source::Path("/host".into()), "/sys/v", Access::ReadOnly));
        let (plan, _, _) = Plan::new(command, Ids::Host);
        let user = User { uid: 7, gid: 8, groups: vec![9], home: Some("/srv".into()) };
        let config = config(&plan, &user, Path::new("/bundle")).unwrap();
        let at = |pointer: &str| config.pointer(pointer).unwrap().clone();
        assert_eq!(at("/process/args"), serde_json::json!(["sh"]));
        assert_eq!(at("/process/user/additionalGids"), serde_json::json!([9]));
        assert_eq!(at("/process/capabilities/effective"), serde_json::json!([]));
        assert_eq!(at("/process/env/0"), "A=b");
        let mounts = at("/mounts");
        let find = |path: &str| {
            let all = mounts.as_array().unwrap();
            all.iter().find(|mount| mount["destination"] == path).cloned()
        };
        // Mounted in the root already.
        assert_eq!((find("/v"), find("/etc/hosts")), (None, None));
        let added = find("/sys/v").unwrap();
        assert_eq!(added["source"], "/bundle/mounts/1");
        assert_eq!(added["options"][1], "ro");
        let list = |pointer: &str| serde_json::to_string(&at(pointer)).unwrap();
        assert!(list("/linux/maskedPaths").contains("\"/sys/firmware\""));
        assert!(list("/linux/namespaces").contains("network"));
        assert!(list("/linux/seccomp/syscalls").contains("\"io_uring_setup\""));
        assert!(!list("/process/capabilities/bounding").contains("MKNOD"));
    }
}
