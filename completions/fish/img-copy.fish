complete -c img-copy -l login -d 'Log in to the registry HOST: standard input is the user\'s name and the password, each on a line' -r
complete -c img-copy -l platform -d 'The platforms to take from an image for several' -r
complete -c img-copy -l have -d 'Leave layers out of an archive whose digests are in FILE, one a line; \'-\' is standard input' -r
complete -c img-copy -l since -d 'Leave layers out of an archive that IMAGE has' -r
complete -c img-copy -l compress -d 'Have every layer in this format' -r -f -a "gzip\t'gzip'
zstd\t'zstd'
none\t'Plain tar, so that a layer\'s digest is its DiffID'"
complete -c img-copy -l level -d 'How hard to compress: 1 to 9 for gzip, 1 to 19 for zstd' -r
complete -c img-copy -l format -d 'Write manifests in this format' -r -f -a "oci\t'OCI\'s'
docker\t'Docker\'s schema 2'"
complete -c img-copy -l authfile -d 'Find credentials for registries in FILE and nowhere else' -r -F
complete -c img-copy -l tls-verify -d 'Whether to insist on TLS and on a valid certificate' -r -f -a "true\t''
false\t''"
complete -c img-copy -l cert-dir -d 'Trust the certificates in DIR too, and show ours from there' -r -F
complete -c img-copy -l retry-times -d 'Try again N times what may work another time' -r
complete -c img-copy -l speed-limit -d 'Give up a transfer that is slower than BYTES a second; 0: never' -r
complete -c img-copy -l speed-time -d 'How long it has to be slower than that' -r
complete -c img-copy -l creds -d 'Log in to the registry as USER' -r
complete -c img-copy -l src-creds -d 'As --creds, for the registry that is copied from' -r
complete -c img-copy -l dest-creds -d 'As --creds, for the registry that is copied to' -r
complete -c img-copy -l src-tls-verify -d 'As --tls-verify, for the registry that is copied from' -r -f -a "true\t''
false\t''"
complete -c img-copy -l dest-tls-verify -d 'As --tls-verify, for the registry that is copied to' -r -f -a "true\t''
false\t''"
complete -c img-copy -l src-cert-dir -d 'As --cert-dir, for the registry that is copied from' -r -F
complete -c img-copy -l dest-cert-dir -d 'As --cert-dir, for the registry that is copied to' -r -F
complete -c img-copy -l store -d 'Keep images in DIR, an OCI image layout' -r -F
complete -c img-copy -l max-size -d 'Refuse a layer that grows to more than SIZE [default: 64G, or 1,100 times its stored size]' -r
complete -c img-copy -l color -d 'When to colour diagnostics' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is `dumb`'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c img-copy -s a -l all -d 'Take all platforms, and what belongs to them, into the store too'
complete -c img-copy -l no-verify-layers -d 'Do not check that layers are what the image\'s config says: that is done before their first use'
complete -c img-copy -l quiet -d 'Show no progress and no notes; errors and warnings remain'
complete -c img-copy -s v -l verbose -d 'Say what is being done'
complete -c img-copy -s h -l help -d 'Print help'
complete -c img-copy -s V -l version -d 'Print version'
complete -c img-copy -l since -x -a '(img-ls --complete 2>/dev/null)'
