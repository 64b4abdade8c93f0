complete -c union-mount -l image -d 'Show the layers of IMAGE, below those of the directories' -r
complete -c union-mount -l platform -d 'The platform to take from an image for several' -r
complete -c union-mount -l authfile -d 'Find credentials for registries in FILE and nowhere else' -r -F
complete -c union-mount -l tls-verify -d 'Whether to insist on TLS and on a valid certificate' -r -f -a "true\t''
false\t''"
complete -c union-mount -l cert-dir -d 'Trust the certificates in DIR too, and show ours from there' -r -F
complete -c union-mount -l creds -d 'Log in to the registry as USER' -r
complete -c union-mount -l at -d 'Show the file system as of the Nth layer, counted from the base' -r
complete -c union-mount -l upper -d 'Put changes into DIR, which is made if it is missing; read-only otherwise' -r -F
complete -c union-mount -l work -d 'Let overlayfs work in DIR, on the file system of the upper directory' -r -F
complete -c union-mount -l users -d 'Have the users of images as: root\'s, subordinate ids, or the caller\'s one id' -r -f -a "auto\t'The first of root, map and single that is possible'
map\t'The caller\'s subordinate ids'
single\t'The caller\'s one id'
root\t'The host\'s own, which takes root'"
complete -c union-mount -l cap-add -d 'Let the command have a capability; repeatable' -r
complete -c union-mount -l cap-drop -d 'Take a capability away; repeatable' -r
complete -c union-mount -l driver -d 'Show the layers in this way, and try no other' -r -f -a "overlay\t'The kernel\'s overlay, as root'
userxattr\t'The kernel\'s overlay with marks that an ordinary user can read, in a user namespace'
fuse\t'fuse-overlayfs'
copy\t'A plain copy of the layers'"
complete -c union-mount -l isolation -d 'How far the command is kept apart from the host' -r -f -a "full\t'Namespaces and mounts of its own'
chroot\t'A copy of the layers and chroot(2), for where nothing can be mounted'"
complete -c union-mount -l color -d 'When to colour diagnostics' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is `dumb`'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c union-mount -l store -d 'Keep images in DIR, an OCI image layout' -r -F
complete -c union-mount -l max-size -d 'Refuse a layer that grows to more than SIZE [default: 64G, or 1,100 times its stored size]' -r
complete -c union-mount -l volatile -d 'Do not sync what is written: a crash of the machine may lose all of it'
complete -c union-mount -l map-users -d 'As --users map'
complete -c union-mount -l suid -d 'At a mount point, let set-id programs and file capabilities have effect'
complete -c union-mount -l dev -d 'At a mount point, let device nodes be opened'
complete -c union-mount -l copy -d 'Copy the layers where they cannot be mounted'
complete -c union-mount -l unmount -d 'Unmount the union at a mount point'
complete -c union-mount -l print -d 'Print the plan as JSON and mount nothing'
complete -c union-mount -l quiet -d 'Show no progress and no notes; errors and warnings remain'
complete -c union-mount -s v -l verbose -d 'Say what is being done'
complete -c union-mount -s h -l help -d 'Print help'
complete -c union-mount -s V -l version -d 'Print version'
complete -c union-mount -l image -x -a '(img-ls --complete 2>/dev/null)'
