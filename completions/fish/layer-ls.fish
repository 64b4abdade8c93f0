complete -c layer-ls -l max-size -d 'Refuse a layer that grows to more than SIZE [default: 64G, or 1,100 times its stored size]' -r
complete -c layer-ls -l color -d 'When to colour diagnostics' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is `dumb`'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c layer-ls -s l -l long -d 'Show all that is recorded of a name, and a total'
complete -c layer-ls -l json -d 'Print JSON, one object a line'
complete -c layer-ls -s 0 -l null -d 'End each name with a zero byte'
complete -c layer-ls -l allow-missing-end -d 'Accept a layer that stops without its end-of-archive marker'
complete -c layer-ls -l quiet -d 'Show no progress and no notes; errors and warnings remain'
complete -c layer-ls -s v -l verbose -d 'Say what is being done'
complete -c layer-ls -s h -l help -d 'Print help'
complete -c layer-ls -s V -l version -d 'Print version'
