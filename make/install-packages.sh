#!/bin/bash
# Runs as root, called by setup.sh: installs the named Debian packages and lets none of them start a service.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d

had_redis=false
dpkg-query -W -f '${db:Status-Abbrev}' redis-server 2>/dev/null | grep -q '^.i' && had_redis=true

# While apt runs, invoke-rc.d asks this file before it starts a service; 101 says "not allowed".
if [[ ! -e $policy ]]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi

apt=(apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
"${apt[@]}" update
"${apt[@]}" install --yes --no-install-recommends "$@" >/dev/null

# Nobody asked for the service: it should not start with the next boot either. Whoever had it keeps it.
$had_redis || update-rc.d redis-server disable
