complete -c layer-ls -l image -d 'List the tree of IMAGE, or the PATHs in it: each with the layer and the step that wrote it' -r
complete -c layer-ls -l cat -d 'Write the content of the file PATH of IMAGE' -r
complete -c layer-ls -l at -d 'Stop after layer N, counted from 1, base first' -r
complete -c layer-ls -l platform -d 'The platform to take from an image for several' -r
complete -c layer-ls -l authfile -d 'Find credentials for registries in FILE and nowhere else' -r -F
complete -c layer-ls -l tls-verify -d 'Whether to insist on TLS and on a valid certificate' -r -f -a "true\t''
false\t''"
complete -c layer-ls -l cert-dir -d 'Trust the certificates in DIR too, and show ours from there' -r -F
complete -c layer-ls -l creds -d 'Log in to the registry as USER' -r
complete -c layer-ls -l max-size -d 'Refuse a layer that grows to more than SIZE [default: 64G, or 1,100 times its stored size]' -r
complete -c layer-ls -l color -d 'When to colour diagnostics' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is `dumb`'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c layer-ls -l store -d 'Keep images in DIR, an OCI image layout' -r -F
complete -c layer-ls -l all -d 'With --image: list every version of each path, with what the layer did to it'
complete -c layer-ls -l verify -d 'Check every layer that is read, also those of the store that were checked before'
complete -c layer-ls -s l -l long -d 'Show all that is recorded of a name, and a total'
complete -c layer-ls -l json -d 'Print JSON, one object a line'
complete -c layer-ls -s 0 -l null -d 'End each name with a zero byte'
complete -c layer-ls -l quiet -d 'Show no progress and no notes; errors and warnings remain'
complete -c layer-ls -s v -l verbose -d 'Say what is being done'
complete -c layer-ls -l allow-missing-end -d 'Accept a layer that stops without its end-of-archive marker'
complete -c layer-ls -s h -l help -d 'Print help'
complete -c layer-ls -s V -l version -d 'Print version'
complete -c layer-ls -l image -x -a '(img-ls --complete 2>/dev/null)'
complete -c layer-ls -l cat -x -a '(img-ls --complete 2>/dev/null)'
