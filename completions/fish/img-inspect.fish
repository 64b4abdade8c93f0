complete -c img-inspect -s f -l format -d 'Show by a template with docker\'s fields' -r
complete -c img-inspect -l platform -d 'The platform to take from an image for several' -r
complete -c img-inspect -l authfile -d 'Find credentials for registries in FILE and nowhere else' -r -F
complete -c img-inspect -l tls-verify -d 'Whether to insist on TLS and on a valid certificate' -r -f -a "true\t''
false\t''"
complete -c img-inspect -l cert-dir -d 'Trust the certificates in DIR too, and show ours from there' -r -F
complete -c img-inspect -l creds -d 'Log in to the registry as USER' -r
complete -c img-inspect -l store -d 'Keep images in DIR, an OCI image layout' -r -F
complete -c img-inspect -l max-size -d 'Refuse a layer that grows to more than SIZE [default: 64G, or 1,100 times its stored size]' -r
complete -c img-inspect -l color -d 'When to colour diagnostics' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is `dumb`'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c img-inspect -l raw -d 'Show the bytes of what the name stands for: an index, a manifest, an artifact\'s'
complete -c img-inspect -l manifest -d 'Show the bytes of the manifest of one image'
complete -c img-inspect -l config -d 'Show the bytes of the config of one image'
complete -c img-inspect -l digest -d 'Show the digest of what the name stands for, or with --platform of one image'
complete -c img-inspect -l quiet -d 'Show no progress and no notes; errors and warnings remain'
complete -c img-inspect -s v -l verbose -d 'Say what is being done'
complete -c img-inspect -s h -l help -d 'Print help'
complete -c img-inspect -s V -l version -d 'Print version'
complete -c img-inspect -a '(img-ls --complete 2>/dev/null)'
