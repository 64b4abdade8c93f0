complete -c img-browse -l platform -d 'The platform to take from images for several' -r
complete -c img-browse -l authfile -d 'Find credentials for registries in FILE and nowhere else' -r -F
complete -c img-browse -l tls-verify -d 'Whether to insist on TLS and on a valid certificate' -r -f -a "true\t''
false\t''"
complete -c img-browse -l cert-dir -d 'Trust the certificates in DIR too, and show ours from there' -r -F
complete -c img-browse -l creds -d 'Log in to the registry as USER' -r
complete -c img-browse -l store -d 'Keep images in DIR, an OCI image layout' -r -F
complete -c img-browse -l max-size -d 'Refuse a layer that grows to more than SIZE [default: 64G, or 1,100 times its stored size]' -r
complete -c img-browse -l color -d 'When to colour diagnostics' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is `dumb`'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c img-browse -l verify -d 'Check every layer that is read, also those of the store that were checked before'
complete -c img-browse -l quiet -d 'Show no progress and no notes; errors and warnings remain'
complete -c img-browse -s v -l verbose -d 'Say what is being done'
complete -c img-browse -s h -l help -d 'Print help'
complete -c img-browse -s V -l version -d 'Print version'
complete -c img-browse -a '(img-ls --complete 2>/dev/null)'
