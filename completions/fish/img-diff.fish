complete -c img-diff -l only -d 'Compare one part only; repeatable' -r -f -a "config\t'The config'
history\t'The steps of the history'
layers\t'The layers, by DiffID'
files\t'The files of the final tree'
packages\t'The packages that are installed in it'"
complete -c img-diff -l ignore -d 'Leave names that match PATTERN out, and all below them; repeatable' -r
complete -c img-diff -s d -l depth -d 'Sum up directories down to this depth' -r
complete -c img-diff -l top -d 'Show N files at most, or all for 0' -r
complete -c img-diff -l platform -d 'The platform to take from images for several' -r
complete -c img-diff -l authfile -d 'Find credentials for registries in FILE and nowhere else' -r -F
complete -c img-diff -l tls-verify -d 'Whether to insist on TLS and on a valid certificate' -r -f -a "true\t''
false\t''"
complete -c img-diff -l cert-dir -d 'Trust the certificates in DIR too, and show ours from there' -r -F
complete -c img-diff -l creds -d 'Log in to the registry as USER' -r
complete -c img-diff -l store -d 'Keep images in DIR, an OCI image layout' -r -F
complete -c img-diff -l max-size -d 'Refuse a layer that grows to more than SIZE [default: 64G, or 1,100 times its stored size]' -r
complete -c img-diff -l color -d 'When to colour diagnostics' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is `dumb`'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c img-diff -l semantic -d 'Ignore times, the order of variables, and how layers are cut and stored'
complete -c img-diff -l content -d 'Show how the text of small files changed'
complete -c img-diff -l json -d 'Print one JSON object'
complete -c img-diff -l exit-code -d 'Return 1 if the images differ'
complete -c img-diff -l verify -d 'Check every layer that is read, also those of the store that were checked before'
complete -c img-diff -l quiet -d 'Show no progress and no notes; errors and warnings remain'
complete -c img-diff -s v -l verbose -d 'Say what is being done'
complete -c img-diff -s h -l help -d 'Print help'
complete -c img-diff -s V -l version -d 'Print version'
complete -c img-diff -a '(img-ls --complete 2>/dev/null)'
