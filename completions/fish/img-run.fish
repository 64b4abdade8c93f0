complete -c img-run -l pull -d 'Pull a name from its registry: \'missing\' [default], \'always\' or \'never\'' -r -f -a "missing\t'If the store lacks it'
always\t'Each time'
never\t'Never'"
complete -c img-run -s e -l env -d 'Set a variable, or pass on the caller\'s; repeatable' -r
complete -c img-run -l env-file -d 'Read variables from FILE, one NAME[=VALUE] a line; repeatable' -r -F
complete -c img-run -l entrypoint -d 'Run PROGRAM instead of the image\'s entrypoint (\'\' for none)' -r
complete -c img-run -s w -l workdir -d 'Start in DIR, which is made if it is missing' -r -F
complete -c img-run -s u -l user -d 'Run as USER, by the image\'s own users and groups' -r
complete -c img-run -s v -l volume -d 'Show a file or directory of the host inside; repeatable' -r
complete -c img-run -l tmpfs -d 'Mount a fresh tmpfs inside; repeatable' -r
complete -c img-run -l upper -d 'Keep changes in DIR, which is made if it is missing; discarded otherwise' -r -F
complete -c img-run -l network -d 'Which network the command sees' -r -f -a "host\t'The host\'s'
none\t'A loopback interface and nothing else'"
complete -c img-run -l hostname -d 'The host name that the command sees' -r
complete -c img-run -l isolation -d 'How far the command is kept apart from the host' -r -f -a "full\t'Namespaces and mounts of its own'
oci\t'The same by crun or runc'
chroot\t'A copy of the image and chroot(2), for where nothing can be mounted'"
complete -c img-run -s m -l memory -d 'Most memory that the command may use, and as much swap' -r
complete -c img-run -l pids-limit -d 'Most processes that it may have' -r
complete -c img-run -l cpus -d 'Most processors that it may use at a time' -r
complete -c img-run -l cap-add -d 'Let the command have a capability; repeatable' -r
complete -c img-run -l cap-drop -d 'Take a capability away; repeatable' -r
complete -c img-run -l security-opt -d 'Leave a measure out, or add one; repeatable' -r -f -a "no-new-privileges\t'As --no-new-privs'
seccomp=unconfined\t'Refuse no system calls'
systempaths=unconfined\t'Hide nothing of /proc and /sys, and let it be written to'"
complete -c img-run -l users -d 'Have the users of images as: root\'s, subordinate ids, or the caller\'s one id' -r -f -a "auto\t'The first of root, map and single that is possible'
map\t'The caller\'s subordinate ids'
single\t'The caller\'s one id'
root\t'The host\'s own, which takes root'"
complete -c img-run -l platform -d 'The platform to take from an image for several' -r
complete -c img-run -l authfile -d 'Find credentials for registries in FILE and nowhere else' -r -F
complete -c img-run -l tls-verify -d 'Whether to insist on TLS and on a valid certificate' -r -f -a "true\t''
false\t''"
complete -c img-run -l cert-dir -d 'Trust the certificates in DIR too, and show ours from there' -r -F
complete -c img-run -l creds -d 'Log in to the registry as USER' -r
complete -c img-run -l store -d 'Keep images in DIR, an OCI image layout' -r -F
complete -c img-run -l max-size -d 'Refuse a layer that grows to more than SIZE [default: 64G, or 1,100 times its stored size]' -r
complete -c img-run -l color -d 'When to colour diagnostics' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is `dumb`'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c img-run -l read-only -d 'Let nothing be written but in volumes'
complete -c img-run -s t -l tty -d 'Give the command a terminal'
complete -c img-run -l no-new-privs -d 'Let nothing that the command executes gain privileges'
complete -c img-run -l map-users -d 'As --users map'
complete -c img-run -l quiet -d 'Show no progress and no notes; errors and warnings remain'
complete -c img-run -l verbose -d 'Say what is being done'
complete -c img-run -s h -l help -d 'Print help'
complete -c img-run -s V -l version -d 'Print version'
complete -c img-run -a '(img-ls --complete 2>/dev/null)'
