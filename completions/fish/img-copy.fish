complete -c img-copy -l platform -d 'The platform to take from an image for several' -r
complete -c img-copy -l store -d 'Keep images in DIR, an OCI image layout' -r -F
complete -c img-copy -l color -d 'When to colour diagnostics' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is `dumb`'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c img-copy -l quiet -d 'Show no progress and no notes; errors and warnings remain'
complete -c img-copy -s v -l verbose -d 'Say what is being done'
complete -c img-copy -s h -l help -d 'Print help (see more with \'--help\')'
complete -c img-copy -s V -l version -d 'Print version'
