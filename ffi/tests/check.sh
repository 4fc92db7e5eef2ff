#!/bin/bash
# make -C ffi check: installs the library into a folder of its own, starts servers there, and runs the tests of
# tests/c built in every way a user may build: by three compilers, shared and static, under sanitizers and valgrind.
# The examples too. Leaves nothing behind. The last line is "N passed, N failed".
#
# CHECK_FILES: names of tests/c files to run, for example CHECK_FILES=worker. Default: all.
set -euo pipefail
cd "$(dirname "$0")/.."

box=$(mktemp -d /tmp/manyhands-c-XXXXXX)
servers=()
runs=()
finish() {
  ((${#servers[@]} == 0)) || kill "${servers[@]}" 2>/dev/null || true
  ((${#runs[@]} == 0)) || kill -- "${runs[@]/#/-}" 2>/dev/null || true
  wait
  rm -rf "$box"
}
trap finish EXIT
trap 'exit 130' INT TERM

passed=0
failed=0
names=()

# begin NAME COMMAND...: runs the command beside what runs already: most of their time is waiting, of valgrind's computing.
begin() {
  names+=("$1")
  shift
  # In a shell of its own, where the first command that fails ends it, and in a process group of its own, to be ended whole.
  set -m
  (set -e; "$@") >"$box/log.${#runs[@]}" 2>&1 </dev/null &
  set +m
  runs+=($!)
}

# count INDEX: waits for a command and adds up its "N passed, N failed"; one that ends badly without failures counts as one.
count() {
  local name=${names[$1]} log="$box/log.$1" good=0 bad=0 status=0
  wait "${runs[$1]}" || status=$?
  # The sanitizers and valgrind speak after the summary.
  if [[ "$(grep -x '[0-9]* passed, [0-9]* failed' "$log")" =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    good=${BASH_REMATCH[1]} bad=${BASH_REMATCH[2]}
  fi
  if ((status != 0 && bad == 0)) || ((good + bad == 0)); then
    bad=1
  fi
  ((status == 0)) || grep -v -x '[0-9]* passed, [0-9]* failed' "$log" || true
  printf '%-28s %d passed, %d failed\n' "$name" "$good" "$bad"
  passed=$((passed + good))
  failed=$((failed + bad))
}

# The tests themselves, each run on a server of its own, as one of them kills the subscriptions of all, and in a folder
# where nothing is. Under valgrind only definite leaks count: the tagged pointers of a dependency look like possible ones.
begin_smoke() {
  local name=$1
  shift
  start "open-${#runs[@]}" redis-server
  MH_TEST_URL="unix://$box/open-${#runs[@]}.sock" begin "$name" smoke "$@"
}

smoke() {
  local program=$1
  shift
  (cd "$box/empty" && "$@" "$program" ${CHECK_FILES:-})
}

# The example prints its greeting.
hello() {
  local program=$1 said
  shift
  said=$(cd "$(mktemp -d "$box/hello-XXXXXX")" && env -u MANYHANDS_URL -u REDIS_URL "$@" "$program")
  printf '%s\n' "$said"
  [[ $said == 'Hello, world!' ]] && echo '1 passed, 0 failed'
}

# The example of an error reporter hears of the one job that fails.
errors() {
  local said
  said=$(run_example "$1" | grep -x 'REPORT ship failed in run 1, after [0-9]* ms: there is no such order (job [0-9a-f]* of queue orders)')
  [[ $(wc -l <<<"$said") == 1 ]]
  echo '1 passed, 0 failed'
}

# The example of a trace has one, and each of its spans is in the one that caused it.
trace() {
  run_example "$1" | awk '
    $1 == "SPAN" { id[$2 $3] = $7; parent[$2 $3] = $9; count++; traces += !seen[$5]++ }
    END {
      exit !(count == 4 && traces == 1 && parent["putorder"] == "0000000000000000" && parent["performorder"] == id["putorder"] &&
             parent["putinvoice"] == id["performorder"] && parent["performinvoice"] == id["putinvoice"])
    }'
  echo '1 passed, 0 failed'
}

# What an example says on standard error, on a server of its own.
run_example() {
  (cd "$(mktemp -d "$box/example-XXXXXX")" && env -u MANYHANDS_URL -u REDIS_URL "$1" 2>&1)
}

# The example of tests says nothing when all is well.
greetings() {
  (cd "$(mktemp -d "$box/greetings-XXXXXX")" && "$1")
  echo '1 passed, 0 failed'
}

# The library gives out what the header declares, and nothing else.
exports() {
  diff <(nm -D --defined-only "$box/prefix/lib/libmanyhands.so" | awk '{ print $3 }' | sort) \
       <(grep -o '\bmh_[a-z_]*(' "$box/prefix/include/manyhands.h" | tr -d '(' | sort -u)
  echo '1 passed, 0 failed'
}

# A staged install has the files under DESTDIR and names PREFIX in them; uninstall takes all of them back.
staging() {
  local stage="$box/stage" files
  make --no-print-directory --silent install PROFILE=dev PREFIX=/opt/mh DESTDIR="$stage"
  [[ $(PKG_CONFIG_PATH="$stage/opt/mh/lib/pkgconfig" pkg-config --variable=libdir manyhands) == /opt/mh/lib ]]
  [[ $(PKG_CONFIG_PATH="$stage/opt/mh/lib/pkgconfig" pkg-config --modversion manyhands) == "$(header_version)" ]]
  [[ -e "$stage/opt/mh/lib/libmanyhands.so" ]] # the links lead to the library
  make --no-print-directory --silent uninstall PREFIX=/opt/mh DESTDIR="$stage"
  files=$(find "$stage" ! -type d)
  [[ -z $files ]]
  echo '1 passed, 0 failed'
}

header_version() {
  sed -n 's/^#define MH_VERSION "\(.*\)"/\1/p' ../include/manyhands.h
}

# start NAME PROGRAM OPTION...: a redis-server on a socket, in a folder of its own; returns when it answers.
start() {
  local name=$1 program=$2 socket="$box/$1.sock"
  shift 2
  mkdir "$box/$name"
  (cd "$box/$name" && exec "$program" --port 0 --unixsocket "$socket" --save '' --appendonly no --logfile "$box/redis.log" "$@") &
  servers+=($!)
  until redis-cli -s "$socket" ping >/dev/null 2>&1; do
    kill -0 "${servers[-1]}" || { cat "$box/redis.log"; exit 1; }
    sleep 0.02
  done
}

build() {
  local output=$1 compiler=$2
  shift 2
  # shellcheck disable=SC2086 # a compiler with its flags
  $compiler -Wall -Wextra -Wpedantic -Werror -D_DEFAULT_SOURCE -g "$@" -o "$box/$output"
}

mkdir "$box/empty"
make --no-print-directory --silent install PROFILE=dev PREFIX="$box/prefix"
export PKG_CONFIG_PATH="$box/prefix/lib/pkgconfig"
read -ra cflags < <(pkg-config --cflags manyhands)
read -ra shared < <(pkg-config --libs manyhands)
read -ra static < <(pkg-config --variable=static_libs manyhands)
shared+=("-Wl,-rpath,$box/prefix/lib" -lpthread)

start locked redis-server --requirepass open
# Valgrind does not follow AES as the processor has it, and takes all that was decrypted for uninitialised.
start tls "$PWD/../tests/tls/server.sh" --tls-protocols TLSv1.3 --tls-ciphersuites TLS_CHACHA20_POLY1305_SHA256
export MH_TEST_LOCKED_URL="unix://$box/locked.sock"
export MH_TEST_TLS_URL="$(<"$box/tls/url")?ca=$box/tls/"

sanitize=(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
valgrind=(valgrind --quiet --fair-sched=try --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --error-exitcode=99)
sources=(tests/c/*.c)
example=../examples/c/hello.c

build gcc 'gcc -std=c11' "${cflags[@]}" "${sources[@]}" "${shared[@]}"
begin_smoke 'gcc, valgrind' "$box/gcc" "${valgrind[@]}"
begin_smoke 'gcc, shared' "$box/gcc"
build clang 'clang -std=c11' "${cflags[@]}" "${sources[@]}" "${shared[@]}"
begin_smoke 'clang, shared' "$box/clang"
build g++ 'g++ -std=c++17 -x c++' "${cflags[@]}" "${sources[@]}" -x none "${shared[@]}"
begin_smoke 'g++ as C++, shared' "$box/g++"
build static 'gcc -std=c11' "${cflags[@]}" "${sources[@]}" "${static[@]}"
begin_smoke 'gcc, static' "$box/static"
build sanitized 'gcc -std=c11' "${sanitize[@]}" "${cflags[@]}" "${sources[@]}" "${shared[@]}"
begin_smoke 'gcc, sanitizers' "$box/sanitized"
build hello 'gcc -std=c11' "${cflags[@]}" "$example" "${shared[@]}"
begin 'hello' hello "$box/hello"
build hello-sanitized 'gcc -std=c11' "${sanitize[@]}" "${cflags[@]}" "$example" "${shared[@]}"
begin 'hello, sanitizers' hello "$box/hello-sanitized"
build greetings 'gcc -std=c11' "${sanitize[@]}" "${cflags[@]}" ../examples/c/greetings.c "${shared[@]}"
begin 'greetings, sanitizers' greetings "$box/greetings"
for name in errors trace; do
  build "$name" 'gcc -std=c11' "${sanitize[@]}" "${cflags[@]}" "../examples/c/$name.c" "${shared[@]}"
  begin "$name, sanitizers" "$name" "$box/$name"
done
build worker 'gcc -std=c11' "${cflags[@]}" ../examples/c/{worker,serve}.c "${shared[@]}" # cli/tests runs it
begin 'exported functions' exports
begin 'staged install' staging

for index in "${!runs[@]}"; do
  count "$index"
done
# Beside the others it would wait too long for the server that it starts.
begin 'hello, valgrind' hello "$box/hello" "${valgrind[@]}"
count $((${#runs[@]} - 1))
runs=()

echo "$passed passed, $failed failed"
((failed == 0))
