# Looks, from inside, for what a mount in the wrong place would open: the host's settings,
# the host's files, the hidden parts of /proc and /sys. $1 is the name of a file of the
# host; $2 is `mounts` if the command has mounts of its own. Fails if it finds any.
status=0
bad() { echo "ESCAPE: $*"; status=1; }

[ /.. -ef / ] || bad "/.. is not /"
[ -e /../marker ] || bad "something is above the root"
if [ "$2" != mounts ]; then
	for file in $(find / -maxdepth 6 -name "$1"); do bad "a file of the host: $file"; done
	exit "$status"
fi

for file in $(find / \( -path /proc -o -path /sys \) -prune -o -maxdepth 6 -name "$1" -print); do
	bad "a file of the host: $file"
done
mounts=$(cut -d ' ' -f 2,3 /proc/mounts)
while read -r point kind; do
	case $kind:$point in
	proc:/proc | proc:/proc/* | sysfs:/sys | sysfs:/sys/*) ;;
	proc:* | sysfs:*) bad "$kind on $point" ;;
	esac
done <<END
$mounts
END
for wanted in '/proc proc' '/dev tmpfs' '/dev/pts devpts' '/dev/shm tmpfs'; do
	echo "$mounts" | grep -qx "$wanted" || bad "not mounted: $wanted"
done
for file in /proc/sys/vm/stat_interval /sys/vm/stat_interval /vm/stat_interval \
	/proc/sysrq-trigger /sysrq-trigger /sys/kernel/profiling /kernel/profiling; do
	# Opened to write, and nothing written.
	[ -e "$file" ] && (: >>"$file") 2>/dev/null && bad "a setting of the host: $file"
done
for above in /proc /sys ''; do
	for name in interrupts timer_list keys kcore; do
		[ -f "$above/$name" ] && [ -n "$(head -c 1 "$above/$name" | tr '\0' x)" ] &&
			bad "not hidden: $above/$name"
	done
	[ -d "$above/firmware" ] && [ -n "$(ls -A "$above/firmware")" ] &&
		bad "not hidden: $above/firmware"
done
exit "$status"
