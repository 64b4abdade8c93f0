//! A disk that is full at every page that a command could want.

use layerutils_tests::require;
use layerutils_tests::sandbox::Sandbox;

/// In a mount namespace of its own, with a small file system for the store. Each
/// command is tried with ever more room: it fails in one line and changes nothing, or
/// succeeds, as removals do with no room at all; and whatever it does, the store is sound.
const SCRIPT: &str = r##"
set -u
mkdir full
mount -t tmpfs -o size=1m none full
export LAYERUTILS_STORE=$PWD/full/store
die() { echo "$*" >&2; exit 1; }
layer() { mkdir -p tree; seq "$1" 99999 | head -c 60000 > tree/file; tar -C tree -cf layer.tar file; }
names() { img-ls --format '{{.Repository}}' | sort; }
# Leaves so many pages free.
fill() {
	rm -f full/filler
	dd if=/dev/zero of=full/filler bs=4096 2>/dev/null
	truncate -s "-$(($1 * 4096))" full/filler
}
# attempt PAGES FREED NAMES-AFTER COMMAND...
attempt() {
	local pages=$1 after=$2 before status
	shift 2
	before=$(names)
	fill "$pages"
	"$@" >out 2>err
	status=$?
	img-ls --check || die "$* with $pages pages: not sound"
	case $status in
	0)	[ "$(names)" = "$after" ] || die "$* with $pages pages: there is $(names)" ;;
	2)	[ "$(names)" = "$before" ] || die "$* failed with $pages pages, and there is $(names)"
		[ "$(wc -l < err)" = 1 ] && grep -q 'No space left on device' err ||
			die "$* with $pages pages: $(cat err)" ;;
	*)	die "$* with $pages pages: status $status" ;;
	esac
	rm full/filler
	return "$status"
}
layer 0
img-commit -t base scratch layer.tar >out || die commit
for what in commit copy name remove prune; do
	failures=0
	for pages in 0 1 2 3 4 5 6 8 10 14 18 22 30 40 60 end; do
		[ "$pages" = end ] && die "$what never succeeds"
		case $what in
		commit)	layer 1; attempt "$pages" $'app\nbase' img-commit -t app base layer.tar ;;
		copy)	attempt "$pages" $'app\nbase\ncopy' img-copy app copy ;;
		name)	attempt "$pages" $'app\nbase\ncopy\nother' img-commit --config-only -t other app ;;
		remove)	attempt "$pages" $'app\nbase\ncopy' img-rm other ;;
		prune)	img-commit scratch layer.tar >out; attempt "$pages" $'app\nbase\ncopy' img-rm --prune ;;
		esac && break
		failures=$((failures + 1))
	done
	echo "$what: failed $failures times"
done
# Nothing needs room to go, one name after the other.
fill 0
for name in base copy; do
	img-rm "$name" >out || die "remove $name with no room at all"
	img-ls --check || die "not sound without $name"
done
[ "$(names)" = app ] || die "there is $(names)"
img-rm --prune app >out || die "prune app with no room at all"
[ "$(names)" = "" ] || die "there is $(names)"
rm full/filler
# A disk that is full of what nobody needs can be freed of it, by who keeps no reserve.
rm full/store/.layerutils-reserve
layer 2
img-commit -t gone scratch layer.tar >out || die commit
img-rm gone >out || die remove
fill 0
img-rm --prune >out || die "prune with no room at all"
[ "$(wc -l < out)" -ge 3 ] || die "pruned $(cat out)"
img-ls --check || die "not sound at the end"
"##;

#[test]
fn a_full_disk_leaves_the_store_as_it_was() {
    require!(UserNamespace);
    let sandbox = Sandbox::ordinary();
    sandbox.write("script", SCRIPT);
    let outcome =
        sandbox.run(&["unshare", "--user", "--map-root-user", "--mount", "bash", "script"]);
    let outcome = outcome.succeeds();
    for what in ["commit", "copy", "name"] {
        let line = format!("{what}: failed 0 times");
        assert!(!outcome.text().contains(&line), "the disk was not full\n{outcome}");
    }
    for what in ["remove", "prune"] {
        let line = format!("{what}: failed 0 times");
        assert!(outcome.text().contains(&line), "{what} needs room\n{outcome}");
    }
}
