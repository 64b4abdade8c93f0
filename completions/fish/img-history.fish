complete -c img-history -s H -l human -d 'Show sizes and times for people, not for programs' -r
complete -c img-history -l format -d 'Show as \'table\', \'json\', or by a template with docker\'s fields' -r
complete -c img-history -l path -d 'Show only the steps whose layers wrote or deleted PATH, or something in it' -r
complete -c img-history -l platform -d 'The platform to take from an image for several' -r
complete -c img-history -l authfile -d 'Find credentials for registries in FILE and nowhere else' -r -F
complete -c img-history -l tls-verify -d 'Whether to insist on TLS and on a valid certificate' -r -f -a "true\t''
false\t''"
complete -c img-history -l cert-dir -d 'Trust the certificates in DIR too, and show ours from there' -r -F
complete -c img-history -l creds -d 'Log in to the registry as USER' -r
complete -c img-history -l store -d 'Keep images in DIR, an OCI image layout' -r -F
complete -c img-history -l max-size -d 'Refuse a layer that grows to more than SIZE [default: 64G, or 1,100 times its stored size]' -r
complete -c img-history -l color -d 'When to colour diagnostics' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is `dumb`'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c img-history -l no-trunc -d 'Show whole digests and commands'
complete -c img-history -l json -d 'Show all there is to know, one JSON object a line, newest first'
complete -c img-history -s v -l verbose -d 'Say what is being done'
complete -c img-history -s q -l quiet -d 'Show image IDs only, and no progress'
complete -c img-history -s h -l help -d 'Print help'
complete -c img-history -s V -l version -d 'Print version'
complete -c img-history -a '(img-ls --complete 2>/dev/null)'
