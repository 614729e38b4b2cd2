# Bash parts words at = and :, which labels and ids have. The parts are joined before muster is asked, and bash is given
# back what takes the place of its own part.
_muster() {
    local words=() at word before= current kept
    for at in "${!COMP_WORDS[@]}"; do
        word=${COMP_WORDS[at]}
        if [[ $at -gt 0 && ($word == [=:]* || $before == *[=:]) ]]; then
            words[${#words[@]} - 1]+=$word
        else
            words+=("$word")
        fi
        before=$word
        [[ $at -lt $COMP_CWORD ]] || break
    done
    local COMP_CWORD=$((${#words[@]} - 1)) COMP_WORDS=("${words[@]}")
    current=${words[COMP_CWORD]}
    kept=${current%"$2"}
    _clap_complete_muster "$1" "$current" "${words[COMP_CWORD - 1]}"
    COMPREPLY=("${COMPREPLY[@]#"$kept"}")
}
complete -o nospace -o bashdefault -F _muster muster
