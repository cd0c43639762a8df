# Sourced by .ci/run, under set -e. `part NAME COMMAND...` runs a command and keeps the seconds it took; where it fails,
# the script ends with its exit code. However the script ends, it prints what was spent of the budget.
BUDGET=1800
spent=""
running=""

part() {
  running=$1
  started=$SECONDS
  shift
  "$@"
  keep
}

keep() {
  spent+=$(printf '%-10s %5d%s' "$running" $((SECONDS - started)) "${1:-}")$'\n'
  running=""
}

budget() {
  [ -z "$running" ] || keep " (stopped here)"
  printf '\nseconds\n%s%-10s %5d of %d\n' "$spent" all "$SECONDS" "$BUDGET"
}
trap budget EXIT
