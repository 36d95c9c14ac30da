# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Completion for bash. The programs know themselves what may come next: "dkvadm --complete WORD...",
# see cli/completion.h.

# Undoes the quotes of a word and expands its tilde. What would run something is left as it is.
_dkv_unquote() {
    # shellcheck disable=SC2016
    case $1 in
        *[\'\"\\]* | '~'*) [[ $1 == *['$`']* ]] || eval "unquoted=$1" ;;
    esac 2>/dev/null
}

_dkv() {
    local cur words cword # which the next line sets
    local line candidate ends before word unquoted typed=()

    _get_comp_words_by_ref -n =: cur words cword || return

    for word in "${words[@]:0:cword}"; do
        unquoted=$word
        _dkv_unquote "$word"
        typed+=("$unquoted")
    done

    # What is replaced begins behind the last character at which readline ends a word.
    ends=${COMP_WORDBREAKS//[^=:]/}
    before=${ends:+${cur%"${cur##*["$ends"]}"}}

    while IFS= read -r line; do
        candidate=${line%%$'\t'*}
        case $candidate in
            :files | :directories)
                cur=${cur#--*=}
                _filedir "$([[ $candidate == :files ]] || echo -d)"
                ;;
            :hosts) _known_hosts_real -a -- "${cur#--*=}" ;;
            "$cur"*)
                printf -v candidate %q "${candidate#"$before"}"
                COMPREPLY+=("$candidate")
                ;;
        esac
    done < <("${typed[@]:0:1}" --complete "${typed[@]:1}" "$cur" 2>/dev/null </dev/null)

    [[ ${#COMPREPLY[@]} != 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace
}

complete -o nosort -F _dkv dkvadm dkv-bench dkv-sandbox
