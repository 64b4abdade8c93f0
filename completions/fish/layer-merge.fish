complete -c layer-merge -s o -l output -d 'Write to FILE and not to standard output' -r
complete -c layer-merge -l compress -d 'Compress the layer' -r -f -a "gzip\t'gzip'
zstd\t'zstd'
none\t'Plain tar, so that the layer\'s digest is its DiffID'"
complete -c layer-merge -l level -d 'How hard to compress: 1 to 9 for gzip, 1 to 19 for zstd' -r
complete -c layer-merge -l max-size -d 'Refuse a layer that grows to more than SIZE [default: 64G, or 1,100 times its stored size]' -r
complete -c layer-merge -l color -d 'When to colour diagnostics' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is `dumb`'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c layer-merge -l allow-missing-end -d 'Accept a layer that stops without its end-of-archive marker'
complete -c layer-merge -l quiet -d 'Show no progress and no notes; errors and warnings remain'
complete -c layer-merge -s v -l verbose -d 'Say what is being done'
complete -c layer-merge -s h -l help -d 'Print help'
complete -c layer-merge -s V -l version -d 'Print version'
