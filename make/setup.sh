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
  local rust=https://rustup.rs node='https://nodejs.org'
  command -v cargo >/dev/null || give_up "Rust is missing (no cargo on PATH): $rust"
  command -v node >/dev/null || give_up "Node is missing (no node on PATH): $node"
  command -v npm >/dev/null || give_up "npm is missing (no npm on PATH): it comes with Node from $node"
  command -v python3 >/dev/null || give_up 'Python 3 is missing (no python3 on PATH): apt-get install python3'
  at_least Rust "$(cargo --version | cut -d' ' -f2)" "$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)" "$rust"
  at_least Node "$(node -p process.versions.node)" \
    "$(node -p 'require("./bindings/node/package.json").engines.node.replace(/[^0-9.]/g, "")')" "$node"
  # The package itself asks for less (bindings/python/pyproject.toml); its tools do not.
  at_least Python "$(python3 -c 'import platform; print(platform.python_version())')" 3.10 'apt-get install python3'
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

# The rooms know how to get their own tools.
python_tools() {
  say 'Python tools into target/venv'
  make --no-print-directory --silent -C bindings/python "$PWD/target/venv/.ready"
}

node_tools() {
  say 'Node tools into bindings/node/node_modules'
  make --no-print-directory --silent -C bindings/node node_modules/.package-lock.json
}

crates() {
  say 'crates'
  cargo fetch --locked --quiet
}

# done_once STEP FILE...: runs STEP unless it has succeeded with the same content of FILEs.
done_once() {
  local step=$1 stamp="target/setup/$1" content
  shift
  content=$(cat -- "$@" | sha256sum)
  [[ -e $stamp && "$(<"$stamp")" == "$content" ]] && return
  "$step"
  mkdir -p target/setup
  printf '%s\n' "$content" >"$stamp"
}

require_toolchains
mapfile -t missing < <(missing_packages)
((${#missing[@]} == 0)) || install_packages "${missing[@]}"
[[ -e target/venv/.ready ]] || rm -f target/setup/python_tools
[[ -e bindings/node/node_modules/.package-lock.json ]] || rm -f target/setup/node_tools
done_once python_tools bindings/python/requirements-dev.txt
done_once node_tools bindings/node/package.json bindings/node/package-lock.json
done_once crates Cargo.lock
