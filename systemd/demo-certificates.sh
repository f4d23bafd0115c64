#!/usr/bin/env bash
# Makes a demo CA in DIR/ca and what it issues: a server certificate per gate (DIR/gates), and one
# certificate per client and recipient (DIR/NAME.pem, DIR/NAME.key). For pilots and tests only: a
# bank's own CA issues the real ones. Keys are EC P-256. Does nothing where the CA is complete.
#
#   systemd/demo-certificates.sh DIR GATE... -- CLIENT...
#
# Revoke one later, and the gates follow within seconds:
#   openssl ca -config DIR/ca/openssl.cnf -revoke DIR/web.pem
#   openssl ca -config DIR/ca/openssl.cnf -gencrl -out DIR/crl.new && mv DIR/crl.new DIR/crl.pem
set -euo pipefail
umask 077

dir=$(cd "$1" && pwd) && shift
ca=$dir/ca
[[ -e $ca/complete ]] && exit 0
rm -rf "$ca" "$dir/gates"
mkdir -p "$ca/issued" "$dir/gates"
: >"$ca/index.txt"
echo 1000 >"$ca/serial"
echo 01 >"$ca/crlnumber"

cat >"$ca/openssl.cnf" <<CNF
# Where the environment names none, as at a revocation.
CLIENT = none
[ca]
default_ca = demo
[demo]
dir = $ca
database = $ca/index.txt
serial = $ca/serial
crlnumber = $ca/crlnumber
new_certs_dir = $ca/issued
certificate = $dir/ca.pem
private_key = $ca/ca.key
default_md = sha256
default_days = 825
default_crl_days = 825
policy = any
unique_subject = no
copy_extensions = none
[any]
organizationName = optional
commonName = supplied
[req]
distinguished_name = name
prompt = no
[name]
[root]
basicConstraints = critical, CA:true, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1
authorityKeyIdentifier = keyid
[client]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature, keyAgreement
extendedKeyUsage = clientAuth
subjectAltName = DNS:\${ENV::CLIENT}.cardvault.test
authorityKeyIdentifier = keyid
CNF
export CLIENT=none

key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out "$1"; }

# issue SECTION COMMON-NAME BASE: BASE.key and BASE.pem
issue() {
  key "$3.key"
  openssl req -new -config "$ca/openssl.cnf" -key "$3.key" -subj "/O=cardvault demo/CN=$2" -out "$ca/csr"
  openssl ca -batch -notext -config "$ca/openssl.cnf" -extensions "$1" -in "$ca/csr" -out "$3.pem"
  chmod 644 "$3.pem"
}

{
  key "$ca/ca.key"
  openssl req -x509 -new -config "$ca/openssl.cnf" -extensions root -days 3650 -key "$ca/ca.key" \
    -subj "/O=cardvault demo/CN=cardvault demo CA" -out "$dir/ca.pem"
  while [[ $1 != -- ]]; do
    issue server "cardvault gate $1" "$dir/gates/$1"
    shift
  done
  shift
  for CLIENT in "$@"; do
    issue client "$CLIENT" "$dir/$CLIENT"
  done
  openssl ca -gencrl -config "$ca/openssl.cnf" -out "$dir/crl.pem"
  chmod 644 "$dir/ca.pem" "$dir/crl.pem"
} >"$ca/log" 2>&1 || { cat "$ca/log" >&2; exit 1; }
rm -f "$ca/csr"
touch "$ca/complete"
