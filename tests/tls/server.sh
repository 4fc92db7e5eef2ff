#!/bin/bash
# tests/tls/server.sh ARGUMENT...: becomes a redis-server of these arguments that also speaks TLS, on a free port of
# 127.0.0.1 and of 127.0.0.2. The working folder, which should be the test's own, gets
#
#   url                          rediss://127.0.0.1:PORT
#   ca.pem other.pem             the authority of all certificates here, and one that has signed none
#   server.pem server.key        for 127.0.0.1 and localhost, not for 127.0.0.2
#   client.pem client.key        for clients, where the arguments say --tls-auth-clients yes
set -euo pipefail

# certify NAME EXTENSIONS SIGNER...: NAME.pem and NAME.key.
certify() {
  local name=$1 extensions=$2
  shift 2
  openssl req -x509 -config certificates.conf -extensions "$extensions" -subj "/CN=$name" -days 2 \
    -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$name.key" -out "$name.pem" "$@" 2>openssl.log ||
    { cat openssl.log >&2; exit 1; }
}

cat >certificates.conf <<'END'
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
[server]
basicConstraints = CA:FALSE
subjectAltName = IP:127.0.0.1, DNS:localhost
[client]
basicConstraints = CA:FALSE
extendedKeyUsage = clientAuth
END

if [[ ! -e url ]]; then # started again, it is the same server
  certify ca authority
  certify other authority
  certify server server -CA ca.pem -CAkey ca.key
  certify client client -CA ca.pem -CAkey ca.key
  # Below what the system gives to outgoing connections.
  port=$((20000 + RANDOM % 12000))
  while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    port=$((20000 + RANDOM % 12000))
  done
  printf 'rediss://127.0.0.1:%d' "$port" >url
fi

exec redis-server --port 0 --tls-port "$(grep -o '[0-9]*$' url)" --bind 127.0.0.1 127.0.0.2 --tls-auth-clients no \
  --tls-cert-file server.pem --tls-key-file server.key --tls-ca-cert-file ca.pem "$@"
