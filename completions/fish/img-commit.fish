complete -c img-commit -s m -l message -d 'Say in the history what the commit is for' -r
complete -c img-commit -s a -l author -d 'Say in the history and the config who made it' -r
complete -c img-commit -s c -l change -d 'Change the config by a Containerfile instruction (CMD, ENV, LABEL, ...); repeatable' -r
complete -c img-commit -l unset -d 'Take ENV=NAME, LABEL=NAME, PORT=NUMBER, VOLUME=PATH, CMD or HEALTHCHECK out of the config, before any --change; repeatable' -r
complete -c img-commit -s t -l tag -d 'Name the image; repeatable' -r
complete -c img-commit -s o -l output -d 'Write the image to DEST (-, oci:DIR, oci-archive:FILE, docker-archive:FILE) and not to the store' -r
complete -c img-commit -l upper -d 'Take the layer from DIR, the upper directory of an overlay mount' -r -F
complete -c img-commit -l lower -d 'With --upper: a lower directory of the mount; repeatable, base first' -r -F
complete -c img-commit -l users -d 'Have the users of images as: root\'s, subordinate ids, or the caller\'s one id' -r -f -a "auto\t'The first of root, map and single that is possible'
map\t'The caller\'s subordinate ids'
single\t'The caller\'s one id'
root\t'The host\'s own, which takes root'"
complete -c img-commit -l onto -d 'Put what is the parent\'s own, without its base, over IMAGE' -r
complete -c img-commit -l base -d 'With --onto: the parent\'s base [default: the one that it names]' -r
complete -c img-commit -l created-by -d 'Say in the history what made the layer [default: the parent\'s command]' -r
complete -c img-commit -l platform -d 'The platform to take from the parent, or to give to an image from scratch' -r
complete -c img-commit -l compress -d 'Compress the layer' -r -f -a "gzip\t'gzip'
zstd\t'zstd'
none\t'Plain tar, so that the layer\'s digest is its DiffID'"
complete -c img-commit -l level -d 'How hard to compress: 1 to 9 for gzip, 1 to 19 for zstd' -r
complete -c img-commit -l format -d 'With -o: write the manifest as OCI or docker (schema 2) defines it' -r -f -a "oci\t'OCI\'s'
docker\t'Docker\'s schema 2'"
complete -c img-commit -l annotation -d 'Note something in the manifest; repeatable' -r
complete -c img-commit -l max-size -d 'Refuse a layer that grows to more than SIZE [default: 64G, or 1,100 times its stored size]' -r
complete -c img-commit -l authfile -d 'Find credentials for registries in FILE and nowhere else' -r -F
complete -c img-commit -l tls-verify -d 'Whether to insist on TLS and on a valid certificate' -r -f -a "true\t''
false\t''"
complete -c img-commit -l cert-dir -d 'Trust the certificates in DIR too, and show ours from there' -r -F
complete -c img-commit -l creds -d 'Log in to the registry as USER' -r
complete -c img-commit -l store -d 'Keep images in DIR, an OCI image layout' -r -F
complete -c img-commit -l color -d 'When to colour diagnostics' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is `dumb`'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c img-commit -l map-users -d 'As --users map'
complete -c img-commit -l config-only -d 'Add no layer, only configuration'
complete -c img-commit -l squash -d 'Make one layer of the parent\'s and the new one'
complete -c img-commit -l allow-missing-end -d 'Accept a layer that stops without its end-of-archive marker'
complete -c img-commit -l quiet -d 'Show no progress and no notes; errors and warnings remain'
complete -c img-commit -s v -l verbose -d 'Say what is being done'
complete -c img-commit -s h -l help -d 'Print help'
complete -c img-commit -s V -l version -d 'Print version'
complete -c img-commit -a '(img-ls --complete 2>/dev/null)'
complete -c img-commit -l onto -x -a '(img-ls --complete 2>/dev/null)'
complete -c img-commit -l base -x -a '(img-ls --complete 2>/dev/null)'
