#!/bin/bash
# Installs what is missing to build, test and demonstrate Manyhands on Debian 12. Safe to repeat: with nothing to do it
# takes well under a second. Rust, Node (with npm), Python 3 and make must be there.
#
# Changes outside the checkout: Debian packages of make/debian-packages.txt, and cargo's and npm's own download caches.
# The redis-server package brings a service on port 6379; it is neither started nor enabled by us, and one that already
# runs is left alone.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*"; }
give_up() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# at_least NAME FOUND WANTED HOW: gives up unless version FOUND is WANTED or newer.
at_least() {
  [[ "$(printf '%s\n%s\n' "$3" "$2" | sort -V | head -n1)" == "$3" ]] || give_up "$1 $2 is too old, $3 or newer is needed: $4"
}

require_toolchains() {
  local rust=https://rustup.rs node='https://nodejs.org or your package manager'
  command -v cargo >/dev/null || give_up "Rust is missing (no cargo on PATH): $rust"
  command -v node >/dev/null || give_up "Node is missing (no node on PATH): $node"
  command -v npm >/dev/null || give_up "npm is missing (no npm on PATH): it comes with Node from $node"
  command -v python3 >/dev/null || give_up 'Python 3 is missing (no python3 on PATH): apt-get install python3'
  at_least Rust "$(cargo --version | cut -d' ' -f2)" 1.89 "$rust"
  at_least Node "$(node -p process.versions.node)" 18 "$node"
  at_least Python "$(python3 -c 'import platform; print(platform.python_version())')" 3.9 'apt-get install python3'
  local component
  for component in fmt clippy; do
    command -v "cargo-$component" >/dev/null || give_up "cargo $component is missing: rustup component add ${component/fmt/rustfmt}"
  done
}

missing_packages() {
  local wanted
  wanted=$(sed 's/#.*//' make/debian-packages.txt | awk 'NF { print $1 }')
  # The first field of a package's state is "i" when it is there.
  comm -23 <(sort <<<"$wanted") \
           <(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' $wanted 2>/dev/null | awk '/^.i/ { print $2 }' | sort)
}

# Runs a command as root: plainly when we are root, else through sudo.
as_root() {
  if [[ $EUID -eq 0 ]]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else give_up "root or sudo is needed to run: $*"
  fi
}

install_packages() {
  command -v apt-get >/dev/null || give_up "this is not Debian; install the equivalents of: $*"
  [[ $EUID -eq 0 ]] || command -v sudo >/dev/null ||
    give_up "neither root nor sudo; ask an administrator for: apt-get install $*"
  say "installing Debian packages: $*"
  as_root make/install-packages.sh "$@"
}

install_python_tools() {
  say "Python tools into target/venv"
  [[ -x target/venv/bin/python ]] && target/venv/bin/python -c '' 2>/dev/null || python3 -m venv --clear target/venv
  target/venv/bin/pip install --quiet --disable-pip-version-check -r bindings/python/requirements-dev.txt
}

install_node_tools() {
  say "Node tools into bindings/node/node_modules"
  # Build scripts stay off: the binding is built by its own Makefile, not by an install.
  (cd bindings/node && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
}

fetch_crates() {
  say "crates"
  cargo fetch --locked --quiet
}

# done_once NAME COMMAND FILE...: runs COMMAND unless it has succeeded with the same content of FILEs.
done_once() {
  local stamp="target/setup/$1" command=$2 content
  shift 2
  content=$(cat -- "$@" | sha256sum)
  [[ -e $stamp && "$(<"$stamp")" == "$content" ]] && return
  "$command"
  mkdir -p target/setup
  printf '%s\n' "$content" >"$stamp"
}

require_toolchains
mapfile -t missing < <(missing_packages)
((${#missing[@]} == 0)) || install_packages "${missing[@]}"
[[ -x target/venv/bin/pip ]] || rm -f target/setup/python-tools
[[ -d bindings/node/node_modules ]] || rm -f target/setup/node-tools
done_once python-tools install_python_tools bindings/python/requirements-dev.txt
done_once node-tools install_node_tools bindings/node/package.json bindings/node/package-lock.json
done_once crates fetch_crates Cargo.lock
