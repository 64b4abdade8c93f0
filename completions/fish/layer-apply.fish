complete -c layer-apply -l image -d 'Apply all layers of IMAGE, checked against its config' -r
complete -c layer-apply -l platform -d 'The platform to take from an image for several' -r
complete -c layer-apply -l authfile -d 'Find credentials for registries in FILE and nowhere else' -r -F
complete -c layer-apply -l tls-verify -d 'Whether to insist on TLS and on a valid certificate' -r -f -a "true\t''
false\t''"
complete -c layer-apply -l cert-dir -d 'Trust the certificates in DIR too, and show ours from there' -r -F
complete -c layer-apply -l creds -d 'Log in to the registry as USER' -r
complete -c layer-apply -l digest -d 'Refuse a layer whose stream has another digest; once for each LAYER' -r
complete -c layer-apply -l diff-id -d 'Refuse a layer whose archive has another digest; once for each LAYER' -r
complete -c layer-apply -l overlay -d 'Write one layer as a lower directory for overlayfs' -r -f -a "auto\t'`trusted` for root, `user` for others'
trusted\t'For mounts made by root'
user\t'For mounts with `userxattr`'"
complete -c layer-apply -l lower -d 'With --overlay: look links up in the layer directory DIR; base first' -r -F
complete -c layer-apply -l xattrs -d 'Take extended attributes that match PATTERN only, or with \'!\' all but those; repeatable' -r
complete -c layer-apply -l max-entries -d 'Refuse a layer with more entries than N' -r
complete -c layer-apply -l max-size -d 'Refuse a layer that grows to more than SIZE [default: 64G, or 1,100 times its stored size]' -r
complete -c layer-apply -l max-metadata -d 'Refuse an entry with more than SIZE bytes of headers' -r
complete -c layer-apply -l max-segments -d 'Refuse a sparse file with more than N segments' -r
complete -c layer-apply -l color -d 'When to colour diagnostics' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is `dumb`'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c layer-apply -l store -d 'Keep images in DIR, an OCI image layout' -r -F
complete -c layer-apply -l same-owner -d 'Give files to whom the layers say [default for root]'
complete -c layer-apply -l no-same-owner -d 'Keep all files for ourselves [default for ordinary users]'
complete -c layer-apply -l map-users -d 'As an ordinary user, have the layers\' users and groups as subordinate ids'
complete -c layer-apply -l keep-dirlinks -d 'Keep a link to a directory where a layer has a directory'
complete -c layer-apply -l drop-estargz -d 'Leave out the index files that eStargz puts into a layer'
complete -c layer-apply -l allow-missing-end -d 'Accept a layer that stops without its end-of-archive marker'
complete -c layer-apply -l quiet -d 'Show no progress and no notes; errors and warnings remain'
complete -c layer-apply -s v -l verbose -d 'Say what is being done'
complete -c layer-apply -s h -l help -d 'Print help'
complete -c layer-apply -s V -l version -d 'Print version'
complete -c layer-apply -l image -x -a '(img-ls --complete 2>/dev/null)'
