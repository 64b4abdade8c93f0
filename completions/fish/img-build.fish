complete -c img-build -s f -l file -d 'Read instructions from FILE; default: Containerfile, else Dockerfile, of the context' -r
complete -c img-build -s t -l tag -d 'Name the image (repeatable)' -r
complete -c img-build -s o -l output -d 'Write the image to DEST: -, oci:DIR, oci-archive:FILE or docker-archive:FILE; or its files to a directory (repeatable)' -r
complete -c img-build -l authfile -d 'Find credentials for registries in FILE and nowhere else' -r -F
complete -c img-build -l tls-verify -d 'Whether to insist on TLS and on a valid certificate' -r -f -a "true\t''
false\t''"
complete -c img-build -l cert-dir -d 'Trust the certificates in DIR too, and show ours from there' -r -F
complete -c img-build -l store -d 'Keep images in DIR, an OCI image layout' -r -F
complete -c img-build -l build-context -d 'Have FROM and --from find a directory or an image under this name (repeatable)' -r
complete -c img-build -l max-size -d 'Refuse a layer that grows to more than SIZE [default: 64G, or 1,100 times its stored size]' -r
complete -c img-build -l target -d 'Build up to the stage of this name or number, not to the last one' -r
complete -c img-build -l build-arg -d 'Set an ARG; without a value it is taken from the environment (repeatable)' -r
complete -c img-build -l label -d 'Add a label to the image (repeatable)' -r
complete -c img-build -l annotation -d 'Add an annotation to the image\'s manifest, or with \'index:\' before it to the index of several (repeatable)' -r
complete -c img-build -l iidfile -d 'Write the image\'s digest to FILE' -r
complete -c img-build -l metadata-file -d 'Write digests and names of the image to FILE, as JSON' -r
complete -c img-build -l platform -d 'Build for this platform; for several, an index of an image for each (repeatable)' -r
complete -c img-build -l network -d 'Network of the commands that RUN gives: \'host\' [default] or \'none\'' -r -f -a "host\t'The host\'s'
none\t'Loopback and nothing else'"
complete -c img-build -l add-host -d 'Add a name to the /etc/hosts of the commands that RUN gives (repeatable)' -r
complete -c img-build -l users -d 'Have the users of images as: root\'s, subordinate ids, or the caller\'s one id' -r -f -a "auto\t'The first of root, map and single that is possible'
map\t'The caller\'s subordinate ids'
single\t'The caller\'s one id'
root\t'The host\'s own, which takes root'"
complete -c img-build -l secret -d 'Give a file or a variable to the mounts of this secret (repeatable)' -r
complete -c img-build -l ssh -d 'Let the mounts of this name reach an ssh agent; default: that of SSH_AUTH_SOCK (repeatable)' -r
complete -c img-build -l progress -d 'Show progress as FORM: \'auto\' [default], \'plain\', \'tty\', \'json\' or \'none\'' -r -f -a "auto\t'As on a terminal if standard error is one, else plain'
plain\t'A line for each step, and for each line of output'
tty\t'As on a terminal'
json\t'A JSON object for each event'
none\t'Nothing'"
complete -c img-build -l print -d 'Print what would be built instead, and build nothing' -r -f -a "plan\t'The steps that the target needs, and what each reads'"
complete -c img-build -l color -d 'When to colour diagnostics' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is `dumb`'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c img-build -l pull -d 'Pull a name from its registry: \'missing\' [default], \'always\' or \'never\'' -r -f -a "missing\t'If the store lacks it'
always\t'Each time'
never\t'Never'"
complete -c img-build -l push -d 'Push the image to the registries of its names'
complete -c img-build -l load -d 'Have docker load the image'
complete -c img-build -l map-users -d 'As --users map'
complete -c img-build -l no-cache -d 'Execute every step, even if its result is in the cache'
complete -c img-build -l rehash -d 'Read all files of the context, also those that seem to be as they were'
complete -c img-build -l explain -d 'Say of each step whether it came from the cache, and why not'
complete -c img-build -l check -d 'Check the Containerfile by BuildKit\'s rules, and build nothing; status 1 if it breaks some'
complete -c img-build -s v -l verbose -d 'Say what is being done'
complete -c img-build -s q -l quiet -d 'Show no progress and no notes; errors and warnings remain'
complete -c img-build -s h -l help -d 'Print help'
complete -c img-build -s V -l version -d 'Print version'
