"""What `mmrl --show-completion` prints and `--install-completion` installs for bash, zsh and fish.

Typer's own scripts lose the line in bash at each `=`, put a blank behind `--set lr=`, and break long helps into lines
that fish and zsh take for further answers. These ask for `value<Tab>help` a line, as Typer's own of fish does.
"""

from __future__ import annotations

ASK = "COLUMNS=400 _MMRL_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args"
"""Wide, so that no help is broken into lines."""

BASH = (
    r"""
_mmrl_completion() {
    local line="${COMP_LINE:0:COMP_POINT}" answer kept
    COMPREPLY=()
    while IFS= read -r answer; do
        [[ $answer ]] && COMPREPLY+=("${answer%%$'\t'*}")
    done < <("""
    + ASK
    + r""" _TYPER_COMPLETE_ARGS="$line" "$1")
    kept="${line##*[[:space:]]}"  # bash replaces only what follows the last = or :
    kept="${kept%"${kept##*["${COMP_WORDBREAKS//[^=:]/}"]}"}"
    COMPREPLY=("${COMPREPLY[@]#"$kept"}")
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
    return 0
}

complete -o default -F _mmrl_completion mmrl
"""
)

ZSH = (
    r"""
#compdef mmrl

_mmrl_completion() {
    local answer value
    local -a whole begun
    for answer in "${(@f)$("""
    + ASK
    + r""" _TYPER_COMPLETE_ARGS="${(j: :)words[1,CURRENT-1]} $PREFIX" "${words[1]}")}"; do
        value="${${answer%%$'\t'*}//:/\\:}"
        [[ $answer == *$'\t'* ]] && value+=":${answer#*$'\t'}"
        if [[ ${answer%%$'\t'*} == *= ]]; then begun+=("$value"); elif [[ -n $answer ]]; then whole+=("$value"); fi
    done
    (( $#whole + $#begun )) || { _files; return; }
    (( $#whole )) && _describe -V mmrl whole
    (( $#begun )) && _describe -V mmrl begun -S ''
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _mmrl_completion "$@"
else
    compdef _mmrl_completion mmrl
fi
"""
)

FISH = (
    r"""
function __mmrl_completion
    set -l line (commandline -cp | string collect)
    set -l found (env """
    + ASK
    + r""" "_TYPER_COMPLETE_ARGS=$line" mmrl | string match -rv '^$')
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end

complete --command mmrl --no-files --keep-order --arguments "(__mmrl_completion)"
"""
)


def put() -> None:
    """Let Typer show and install these scripts; a version of it that keeps its own elsewhere shows its own."""
    from typer import _completion_shared

    scripts = getattr(_completion_shared, "_completion_scripts", {})
    # Typer fills in names by %
    scripts.update({shell: text.replace("%", "%%") for shell, text in (("bash", BASH), ("zsh", ZSH), ("fish", FISH))})
