complete -c img-du -s d -l depth -d 'Show directories down to this depth' -r
complete -c img-du -l sort -d 'The order of directories' -r -f -a "size\t'The largest first'
name\t'By name'
files\t'The one with the most files first'"
complete -c img-du -l top -d 'Show the N largest of what is wasted, or all for 0' -r
complete -c img-du -l html -d 'Write a page to FILE: the tree as rectangles coloured by layer, the history, the waste' -r
complete -c img-du -l svg -d 'Write the rectangles alone to FILE' -r
complete -c img-du -l max-waste -d 'Return 1 if an image wastes more than LIMIT: bytes, or with \'%\' a share of all it holds' -r
complete -c img-du -l min-efficiency -d 'Return 1 if an image\'s efficiency, as dive counts it, is below PERCENT' -r
complete -c img-du -l platform -d 'The platform to take from an image for several' -r
complete -c img-du -l authfile -d 'Find credentials for registries in FILE and nowhere else' -r -F
complete -c img-du -l tls-verify -d 'Whether to insist on TLS and on a valid certificate' -r -f -a "true\t''
false\t''"
complete -c img-du -l cert-dir -d 'Trust the certificates in DIR too, and show ours from there' -r -F
complete -c img-du -l creds -d 'Log in to the registry as USER' -r
complete -c img-du -l store -d 'Keep images in DIR, an OCI image layout' -r -F
complete -c img-du -l max-size -d 'Refuse a layer that grows to more than SIZE [default: 64G, or 1,100 times its stored size]' -r
complete -c img-du -l color -d 'When to colour diagnostics' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is `dumb`'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c img-du -s b -l bytes -d 'Show sizes in bytes'
complete -c img-du -s 0 -l null -d 'Print directories only, as du -b -0 does: bytes, a tab, the name, and a zero byte'
complete -c img-du -l json -d 'Show all there is to know, as one JSON object a line for each image'
complete -c img-du -l verify -d 'Check every layer that is read, also those of the store that were checked before'
complete -c img-du -l quiet -d 'Show no progress and no notes; errors and warnings remain'
complete -c img-du -s v -l verbose -d 'Say what is being done'
complete -c img-du -s h -l help -d 'Print help'
complete -c img-du -s V -l version -d 'Print version'
complete -c img-du -a '(img-ls --complete 2>/dev/null)'
