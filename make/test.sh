#!/bin/bash
# make/test.sh all|fast|lint: runs the checks one after another, all of them even when one fails, and ends with one line
# each: passed or FAILED, how long it took, and the last line its runner printed. Full output: target/test/<check>.log.
#
# fast leaves out what builds packages or takes minutes: the bindings' packages, C, the pipeline, the examples in the
# documentation of Rust, and most steps of the model.
set -uo pipefail
cd "$(dirname "$0")/.."

for component in rustfmt clippy; do
  command -v "cargo-${component/rustfmt/fmt}" >/dev/null || { echo "test: $component is missing: rustup component add $component" >&2; exit 1; }
done

logs=target/test
mkdir -p "$logs"
summary=()
failed=0

# check NAME COMMAND...: runs the command, showing its output and keeping it.
check() {
  local name=$1 began=$SECONDS verdict=passed
  shift
  printf '\n── %s: %s\n' "$name" "$*"
  if ! "$@" 2>&1 | tee "$logs/$name.log"; then
    verdict=FAILED
    failed=1
  fi
  summary+=("$(printf '%-6s  %-14s %4d s  %s' "$verdict" "$name" $((SECONDS - began)) "$(closing_line "$name")")")
}

# What the runner said last of its own result; without such a line, the last line with something in it.
closing_line() {
  local said result
  said=$(sed 's/\x1b\[[0-9;]*[A-Za-z]//g' "$logs/$1.log" | grep '[[:alnum:]]' | grep -v '^make\|^npm warn')
  result=$(grep -E '[0-9] (passed|failed|failures|offenses|assertions|warnings)|no offenses|All checks passed|No fixes applied|^(ok|guards):' <<<"$said" | tail -n1)
  if grep -q '^# pass ' <<<"$said"; then # node --test counts a line each
    result=$(awk '/^# (pass|fail) / { counts = counts $3 " " $2 "ed, " } END { print "node: " counts }' <<<"$said")
  fi
  printf '%s' "${result:-$(tail -n1 <<<"$said")}" | sed 's/^[= ]*//; s/[=, ]*$//' | cut -c1-120
}

# No binding may bring threads of its own making or a generator that repeats itself after a fork (docs in core/Cargo.toml);
# so the core has neither unless its feature `async` is asked for.
guards() {
  local package crate bad=0
  for package in manyhands manyhands-ffi manyhands-python manyhands-node manyhands-ruby; do
    for crate in tokio rand; do
      if cargo tree --locked --quiet -p "$package" -e normal,build -i "$crate" 2>/dev/null | grep .; then
        echo "guard: $package must not depend on $crate"
        bad=1
      fi
    done
    if cargo tree --locked --quiet -p "$package" -e features -i uuid 2>/dev/null | grep 'fast-rng'; then
      echo "guard: $package must not use uuid's fast-rng"
      bad=1
    fi
    cargo tree --locked --quiet -p "$package" >/dev/null || bad=1
  done
  ((bad == 0)) && echo 'guards: no tokio, no rand, no uuid fast-rng in the core or any binding'
}

# What nobody has who does not ask for it: on in one build of the workspace, so that everything is compiled once.
features=(--features manyhands/async,manyhands-examples/spans)

# cargo prints a result per program; ends with their sum. The arguments are cargo's. The tests wait more than they compute.
cargo_test() {
  local status
  export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((2 * $(nproc)))}
  cargo test --locked --workspace "${features[@]}" --no-fail-fast "$@" | tee "$logs/cargo-programs.log"
  status=${PIPESTATUS[0]}
  awk '/^test result:/ { passed += $4; failed += $6 } END { print "cargo test: " passed " passed, " failed " failed" }' "$logs/cargo-programs.log"
  return "$status"
}

# The model runs beside the next check: it takes minutes of one processor, and its clock is its own.
begin_model() {
  cargo build --locked --quiet -p manyhands-model
  rm -f "$logs/model.status"
  {
    cargo run --locked --quiet -p manyhands-model >"$logs/model.out" 2>&1
    echo $? >"$logs/model.status"
  } &
  model=$!
}

end_model() {
  tail --pid="$model" -n +1 -f "$logs/model.out"
  return "$(cat "$logs/model.status")"
}

# The core's library once more as the bindings have it, where what only the features use would be dead.
clippy() {
  cargo clippy --locked --workspace "${features[@]}" --all-targets -- -D warnings &&
    cargo clippy --locked -p manyhands --lib -- -D warnings &&
    echo 'ok: clippy has nothing to say'
}

formatted() {
  cargo fmt --all --check && echo 'ok: every Rust file is formatted'
}

shared_lint() {
  check rustfmt formatted
  check clippy clippy
  check luacheck luacheck --no-color core/src/engine
  check guards guards
  check readme-lint target/venv/bin/ruff check --config bindings/python/pyproject.toml tests/readme examples/protocol bench/peers bench/noop
  check bench-lint make --no-print-directory -C bench lint
}

lint() {
  shared_lint
  local room
  for room in bindings/python bindings/node bindings/ruby examples/pipeline; do
    check "lint-${room#*/}" make --no-print-directory -C "$room" lint
  done
}

fast() {
  shared_lint
  check cargo-test cargo_test --lib --bins --tests
  check model env MANYHANDS_MODEL_STEPS=4000 cargo run --locked --quiet -p manyhands-model
  check scenarios cargo run --locked --quiet -p manyhands-scenarios
}

# The bindings' tests begin with their own lint; they install what scenarios, readme and pipeline then use.
all() {
  shared_lint
  check cargo-test cargo_test
  begin_model
  check c make --no-print-directory -C ffi check
  check model end_model
  local language
  for language in python node ruby; do
    check "$language" make --no-print-directory -C "bindings/$language" test
  done
  check scenarios cargo run --locked --quiet -p manyhands-scenarios -- --drivers all
  check pipeline-lint make --no-print-directory -C examples/pipeline C_PROFILE=dev build lint
  check readme target/venv/bin/python tests/readme/programs.py
  check pipeline make --no-print-directory -C examples/pipeline C_PROFILE=dev test
}

case ${1:-} in
  lint | fast | all) "$1" ;;
  *) echo "usage: make/test.sh all|fast|lint" >&2; exit 2 ;;
esac

printf '\n── summary\n'
printf '%s\n' "${summary[@]}"
if ((failed)); then
  echo "some checks failed; their output is in $logs"
  exit 1
fi
echo "all ${#summary[@]} checks passed in $((SECONDS / 60)) min $((SECONDS % 60)) s"
