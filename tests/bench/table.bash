# The table that the benchmark prints: a row a figure, each judged by its goal.
# shellcheck shell=bash disable=SC2154  # work: set in run

row() { printf '%-34s %-30s %-8s %s\n' "$@"; }

# row_of_ratio TITLE OURS THEIRS GOAL
row_of_ratio() {
    local ours theirs ratio
    ours=$(median "$2")
    theirs=$(median "$3")
    ratio=$(awk -v a="$ours" -v b="$theirs" 'BEGIN { printf "%.2f", a / b }')
    judge "$1" "$ratio  ($(milliseconds "$ours") : $(milliseconds "$theirs"))" "<= $4" \
        "$(awk -v a="$ours" -v b="$theirs" -v goal="$4" 'BEGIN { print (a <= b * goal) }')"
}

# row_of_gain TITLE OURS THEIRS GOAL: theirs takes so many times as long at least
row_of_gain() {
    local ours theirs
    ours=$(median "$2")
    theirs=$(median "$3")
    judge "$1" "$(awk -v a="$ours" -v b="$theirs" 'BEGIN { printf "%.1f  (%.1f ms : %.1f ms)", b / a, b / 1000, a / 1000 }')" \
        ">= $4" "$(awk -v a="$ours" -v b="$theirs" -v goal="$4" 'BEGIN { print (b >= a * goal) }')"
}

# row_of_seconds TITLE OURS GOAL_IN_SECONDS
row_of_seconds() {
    judge "$1" "$(awk -v a="$(median "$2")" 'BEGIN { printf "%.2f s", a / 1e6 }')" \
        "< $3 s" "$(awk -v a="$(median "$2")" -v goal="$3" 'BEGIN { print (a < goal * 1e6) }')"
}

# row_of_difference TITLE OURS THEIRS GOAL_IN_MILLISECONDS
row_of_difference() {
    local ours theirs
    ours=$(median "$2")
    theirs=$(median "$3")
    judge "$1" "$(awk -v a="$ours" -v b="$theirs" 'BEGIN { printf "%.1f ms  (%.1f - %.1f)", (a - b) / 1000, a / 1000, b / 1000 }')" \
        "< $4 ms" "$(awk -v a="$ours" -v b="$theirs" -v goal="$4" 'BEGIN { print (a - b < goal * 1000) }')"
}

# row_of_shown TITLE OURS THEIRS: nothing to judge
row_of_shown() {
    local ours theirs
    ours=$(median "$2")
    theirs=$(median "$3")
    row "$1" "$(awk -v a="$ours" -v b="$theirs" 'BEGIN { printf "%.2f  (%.0f ms : %.0f ms)", a / b, a / 1000, b / 1000 }')" '' ''
}

# row_of_safety TITLE WINDOW_IN_SECONDS GOAL_IN_MILLISECONDS: what is neither dockerd's own nor the window
row_of_safety() {
    local part more
    more=-$(($2 * 1000000))
    for part in up-to-the-restart after-the-restart; do
        more=$(awk -v sum="$more" -v a="$(median "now-$part")" -v b="$(median "before-$part")" 'BEGIN { printf "%d", sum + a - b }')
    done
    judge "$1" "$(awk -v a="$more" 'BEGIN { printf "%.1f ms", a / 1000 }')" "< $3 ms" "$((more < $3 * 1000))"
}

# row_of_bytes TITLE BYTES GOAL_IN_MEGABYTES
row_of_bytes() {
    judge "$1" "$(awk -v b="$2" 'BEGIN { printf "%.1f MB", b / 1e6 }')" "< $3 MB" "$(($2 < $3 * 1000000))"
}

# judge TITLE MEASURED GOAL MET
judge() {
    if [[ $4 -eq 1 ]]; then
        row "$1" "$2" "$3" met
    else
        row "$1" "$2" "$3" MISSED
        missed+=("$1")
    fi
}

# memory COMMAND: its peak in kilobytes
memory() { awk -v command="$1" '$2 == command { print $1 }' "$work/memory"; }

median() {
    awk -v what="$1" '$1 == what { print $2 }' "$work/times" | sort -n |
        awk '{ t[NR] = $1 } END { print NR % 2 ? t[(NR + 1) / 2] : (t[NR / 2] + t[NR / 2 + 1]) / 2 }'
}

milliseconds() { awk -v us="$1" 'BEGIN { printf "%.0f ms", us / 1000 }'; }
