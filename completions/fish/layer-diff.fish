complete -c layer-diff -l platform -d 'With --image: the platform to take from images for several' -r
complete -c layer-diff -l authfile -d 'Find credentials for registries in FILE and nowhere else' -r -F
complete -c layer-diff -l tls-verify -d 'Whether to insist on TLS and on a valid certificate' -r -f -a "true\t''
false\t''"
complete -c layer-diff -l cert-dir -d 'Trust the certificates in DIR too, and show ours from there' -r -F
complete -c layer-diff -l creds -d 'Log in to the registry as USER' -r
complete -c layer-diff -l lower -d 'With --overlay: a lower directory of the mount; repeatable, base first' -r -F
complete -c layer-diff -l overlay-xattrs -d 'With --overlay: whose attributes mark opaque directories and the like' -r -f -a "auto\t'The former where there are any, else the latter'
trusted\t'trusted.overlay.*, of a mount with privileges'
user\t'user.overlay.*, of a mount with userxattr'"
complete -c layer-diff -l work -d 'With --overlay: the work directory of the mount, for one with index=on' -r -F
complete -c layer-diff -s o -l output -d 'Write to FILE and not to standard output' -r
complete -c layer-diff -l level -d 'How hard to compress: 1 to 9 for gzip, 1 to 19 for zstd' -r
complete -c layer-diff -l content -d 'When to compare the content of files whose metadata are equal' -r -f -a "auto\t'When their times cannot tell'
always\t'Always'
never\t'Never'"
complete -c layer-diff -l mtime -d 'How precisely to compare and record times' -r -f -a "s\t'Whole seconds'
ns\t'Nanoseconds'"
complete -c layer-diff -l clamp-mtime -d 'Record no time after TIME (RFC 3339, or seconds since 1970) [default: $SOURCE_DATE_EPOCH]' -r
complete -c layer-diff -l owner -d 'Whose the entries are: UID:GID, \'keep\', or \'map\' to be root\'s what is ours [default: keep for root]' -r
complete -c layer-diff -l exclude -d 'Leave names that match PATTERN out of both trees; repeatable' -r
complete -c layer-diff -l xattrs -d 'Keep extended attributes that match PATTERN only, or with \'!\' all but those; repeatable' -r
complete -c layer-diff -l one-file-system -d 'Stay out of what is mounted below the trees' -r -f -a "yes\t'Yes'
no\t'No'"
complete -c layer-diff -l parents -d 'Which directories to record' -r -f -a "all\t'The changed ones and all above a change'
changed\t'The changed ones'"
complete -c layer-diff -l color -d 'When to colour diagnostics' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is `dumb`'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c layer-diff -l compress -d 'Compress the layer' -r -f -a "gzip\t'gzip'
zstd\t'zstd'
none\t'Plain tar, so that the layer\'s digest is its DiffID'"
complete -c layer-diff -l store -d 'Keep images in DIR, an OCI image layout' -r -F
complete -c layer-diff -l max-size -d 'Refuse a layer that grows to more than SIZE [default: 64G, or 1,100 times its stored size]' -r
complete -c layer-diff -l image -d 'Compare images, named as for img-history, as if both had been unpacked'
complete -c layer-diff -l verify -d 'With --image: read and check all layers, also those that were checked before'
complete -c layer-diff -l overlay -d 'Take UPPERDIR for the upper directory of an overlay mount'
complete -c layer-diff -l root -d 'With --overlay: record the root directory, whose attributes are UPPERDIR\'s own'
complete -c layer-diff -l list -d 'Print what changed, as \'docker diff\' does, and no layer'
complete -c layer-diff -l json -d 'Print what changed as JSON, one object a line, and no layer'
complete -c layer-diff -s 0 -l null -d 'With --list: end each line with a zero byte'
complete -c layer-diff -l exit-code -d 'Return 1 if there are changes'
complete -c layer-diff -l map-users -d 'As an ordinary user, read the trees as root of one\'s subordinate ids'
complete -c layer-diff -l strict -d 'Fail on sockets, which no layer can hold, instead of leaving them out'
complete -c layer-diff -l quiet -d 'Show no progress and no notes; errors and warnings remain'
complete -c layer-diff -s v -l verbose -d 'Say what is being done'
complete -c layer-diff -s h -l help -d 'Print help'
complete -c layer-diff -s V -l version -d 'Print version'
