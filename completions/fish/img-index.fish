complete -c img-index -s t -l tag -d 'Name the index; repeatable' -r
complete -c img-index -l remove -d 'Take the image for this platform out of what the first NAME stands for; repeatable' -r
complete -c img-index -l annotation -d 'Note something in the index; repeatable' -r
complete -c img-index -l authfile -d 'Find credentials for registries in FILE and nowhere else' -r -F
complete -c img-index -l tls-verify -d 'Whether to insist on TLS and on a valid certificate' -r -f -a "true\t''
false\t''"
complete -c img-index -l cert-dir -d 'Trust the certificates in DIR too, and show ours from there' -r -F
complete -c img-index -l creds -d 'Log in to the registry as USER' -r
complete -c img-index -l store -d 'Keep images in DIR, an OCI image layout' -r -F
complete -c img-index -l color -d 'When to colour diagnostics' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is `dumb`'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c img-index -l add -d 'Begin with what the first NAME stands for; an image for a platform that it has takes the place of the other'
complete -c img-index -l quiet -d 'Show no progress and no notes; errors and warnings remain'
complete -c img-index -s v -l verbose -d 'Say what is being done'
complete -c img-index -s h -l help -d 'Print help'
complete -c img-index -s V -l version -d 'Print version'
complete -c img-index -a '(img-ls --complete 2>/dev/null)'
