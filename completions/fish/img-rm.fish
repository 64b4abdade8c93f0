complete -c img-rm -l upper -d 'Remove the directory DIR, whose files belong to subordinate ids; repeatable' -r -F
complete -c img-rm -l authfile -d 'Find credentials for registries in FILE and nowhere else' -r -F
complete -c img-rm -l tls-verify -d 'Whether to insist on TLS and on a valid certificate' -r -f -a "true\t''
false\t''"
complete -c img-rm -l cert-dir -d 'Trust the certificates in DIR too, and show ours from there' -r -F
complete -c img-rm -l creds -d 'Log in to the registry as USER' -r
complete -c img-rm -l store -d 'Keep images in DIR, an OCI image layout' -r -F
complete -c img-rm -l color -d 'When to colour diagnostics' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is `dumb`'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c img-rm -l prune -d 'Then remove all that no name reaches'
complete -c img-rm -s n -l dry-run -d 'Say what would be removed, and remove nothing'
complete -c img-rm -s 0 -l null -d 'End each line with a zero byte'
complete -c img-rm -l quiet -d 'Show no progress and no notes; errors and warnings remain'
complete -c img-rm -s v -l verbose -d 'Say what is being done'
complete -c img-rm -s h -l help -d 'Print help'
complete -c img-rm -s V -l version -d 'Print version'
complete -c img-rm -a '(img-ls --complete 2>/dev/null)'
