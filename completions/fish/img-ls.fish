complete -c img-ls -l format -d 'Show as \'table\', \'json\', or by a template with docker\'s fields' -r
complete -c img-ls -l authfile -d 'Find credentials for registries in FILE and nowhere else' -r -F
complete -c img-ls -l tls-verify -d 'Whether to insist on TLS and on a valid certificate' -r -f -a "true\t''
false\t''"
complete -c img-ls -l cert-dir -d 'Trust the certificates in DIR too, and show ours from there' -r -F
complete -c img-ls -l creds -d 'Log in to the registry as USER' -r
complete -c img-ls -l store -d 'Keep images in DIR, an OCI image layout' -r -F
complete -c img-ls -l max-size -d 'Refuse a layer that grows to more than SIZE [default: 64G, or 1,100 times its stored size]' -r
complete -c img-ls -l color -d 'When to colour diagnostics' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is `dumb`'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c img-ls -l no-trunc -d 'Show whole digests'
complete -c img-ls -l json -d 'Show all there is to know, one JSON object a line'
complete -c img-ls -l check -d 'Verify every blob, manifest and name, and return 1 if anything is wrong'
complete -c img-ls -l blobs -d 'List the digests of the blobs that the store has, or that these images need'
complete -c img-ls -l complete -d 'Print names for the completions of shells'
complete -c img-ls -s v -l verbose -d 'Say what is being done'
complete -c img-ls -s q -l quiet -d 'Show image IDs only, and no progress'
complete -c img-ls -s h -l help -d 'Print help'
complete -c img-ls -s V -l version -d 'Print version'
