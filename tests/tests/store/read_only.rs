//! A store that cannot be written to: readers and dry runs work as on any other.

use layerutils_tests::require;
use layerutils_tests::sandbox::Sandbox;

/// Runs every reader before and after the store becomes read-only, by its modes and then
/// by its mount, with its locks and without.
const SCRIPT: &str = r##"
set -u
die() { echo "$*" >&2; exit 1; }
mkdir place tree
mount -t tmpfs none place || die mount
export LAYERUTILS_STORE=$PWD/place/store SOURCE_DATE_EPOCH=0
echo content > tree/file
tar -C tree -cf layer.tar file
img-commit -t base scratch layer.tar >out || die commit
img-commit -t gone scratch layer.tar -m other >out || die commit
img-commit --config-only -m more -t gone base >out || die commit
readers() {
	for line in 'img-ls' 'img-ls --check' 'img-history base' 'img-inspect base' \
		'img-rm --dry-run base' 'img-rm --prune --dry-run' 'img-rm --prune -n base gone' \
		'img-copy base oci-archive:copy.tar' 'img-commit --config-only -m x -o oci-archive:copy.tar base'; do
		echo "+ $line"
		$line || die "$1: $line failed"
	done
}
readers writable >before 2>&1 || die "$(cat before)"
grep -q sha256 before || die 'nothing would be pruned'
for locks in there missing; do
	[ "$locks" = there ] || rm place/store/.layerutils-*
	mount -o remount,ro none place || die remount
	readers "read-only, locks $locks" >after 2>&1 || die "$(cat after)"
	cmp before after || die "$(diff before after)"
	for line in 'img-rm base' 'img-rm --prune' 'img-commit --config-only base'; do
		$line >out 2>err
		[ $? = 2 ] && [ "$(wc -l < err)" = 1 ] || die "$line: $(cat err)"
	done
	mount -o remount,rw none place || die remount
done
"##;

#[test]
fn readers_and_dry_runs_need_no_writable_store() {
    require!(UserNamespace);
    let sandbox = Sandbox::ordinary();
    sandbox.write("script", SCRIPT);
    sandbox.run(&["unshare", "--user", "--map-root-user", "--mount", "bash", "script"]).succeeds();
}

/// As [`SCRIPT`], for a user whom the modes keep from writing.
const BY_MODE: &str = r##"
set -u
die() { echo "$*" >&2; exit 1; }
mkdir tree
export LAYERUTILS_STORE=$PWD/store
echo content > tree/file
tar -C tree -cf layer.tar file
img-commit -t base scratch layer.tar >out || die commit
img-commit scratch layer.tar -m other >out || die commit
img-rm --prune --dry-run >before || die prune
grep -q sha256 before || die 'nothing would be pruned'
for locks in there missing; do
	[ "$locks" = there ] || rm store/.layerutils-*
	chmod -R a-w store
	img-rm --prune --dry-run >after || die "locks $locks: prune"
	cmp before after || die "$(diff before after)"
	img-rm -n base >out || die "locks $locks: remove"
	img-ls --check || die "locks $locks: check"
	img-rm base 2>err && die "locks $locks: removed"
	chmod -R u+w store
done
"##;

#[test]
fn readers_and_dry_runs_need_no_permission_to_write() {
    let sandbox = Sandbox::ordinary();
    sandbox.write("script", BY_MODE);
    sandbox.run(&["bash", "script"]).succeeds();
}
