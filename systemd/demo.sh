#!/usr/bin/env bash
# `./dev demo`: a real vault in build/demo, and what it does, as curl lines that can be repeated.
# Ends non-zero when an answer is not the expected one.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."

dir=build/demo
port=9443
while ((port < 9743)) && /usr/bin/python3 - $port <<'PY'
import socket, sys
for port in range(int(sys.argv[1]), int(sys.argv[1]) + 3):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            sys.exit(0)
sys.exit(1)
PY
do port=$((port + 3)); done

[[ -e $dir/supervisor.pid ]] && ./dev down $dir
rm -rf $dir
trap './dev down $dir || true' EXIT
./dev up $dir --port $port

if [[ -t 1 ]]; then bold=$'\033[1m' dim=$'\033[2m' plain=$'\033[0m'; else bold='' dim='' plain=''; fi
tool=build/release/cardvault
failures=0

heading() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }

# ask WHO METHOD-AND-PATH BODY EXPECTED-STATUS EXPECTED-TEXT: prints the curl line and its answer,
# and keeps the answer in $answer.
ask() {
  local who=$1 path=$2 body=$3 status=$4 expected=$5 url got
  url=$(cat "$dir/$who.url")$path
  local line=(curl -s --cacert $dir/ca.pem --cert "$dir/$who.pem" --key "$dir/$who.key")
  [[ -z $body ]] || line+=(--json "$body")
  line+=("$url")
  printf '$ '
  local word
  for word in "${line[@]}"; do
    if [[ $word == *[\ \"{}*?]* ]]; then printf "'%s' " "$word"; else printf '%s ' "$word"; fi
  done
  got=$("${line[@]}" -w '\n%{http_code}') || true
  answer=${got%$'\n'*}
  printf '\n%s%s  (HTTP %s)%s\n' "$dim" "$answer" "${got##*$'\n'}" "$plain"
  if [[ ${got##*$'\n'} != "$status" || $answer != *"$expected"* ]]; then
    failures=$((failures + 1))
    printf 'NOT AS EXPECTED: HTTP %s with %s\n' "$status" "$expected"
  fi
}

run() { # EXPECTED-TEXT COMMAND...
  local expected=$1 said && shift
  printf '$ %s\n' "$*"
  said=$("$@" 2>&1) || true
  printf '%s%s%s\n' "$dim" "$said" "$plain"
  if [[ $said != *"$expected"* ]]; then
    failures=$((failures + 1))
    printf 'NOT AS EXPECTED: it should say %s\n' "$expected"
  fi
}

heading 'The web tier stores a card and gets a token; the card number is not in the answer'
ask web /v1/tokenize '{"pan":"4111 1111 1111 1111","expiry":"2029-12","customer":"+77010000001"}' \
  200 '"duplicate":false'
token=$(jq -r .token <<<"$answer" 2>/dev/null || echo none)
heading 'The same card of the same customer: the same token'
ask web /v1/tokenize '{"pan":"4111111111111111","customer":"+77010000001"}' 200 '"duplicate":true'
heading "The customer's cards, masked: what a payment form shows"
ask web /v1/cards/search '{"customer":"+77010000001"}' 200 "$token"
heading 'A card issued outside Kazakhstan is refused'
ask web /v1/tokenize '{"pan":"4000056655665556","customer":"+77010000001"}' 422 country_refused
heading 'A mistyped number is refused'
ask web /v1/tokenize '{"pan":"4111111111111112","customer":"+77010000001"}' 422 invalid_pan
heading 'A request with a card verification code is refused, and nothing of it is kept'
ask web /v1/tokenize '{"pan":"4111111111111111","cvv":"123"}' 422 sensitive_authentication_data
heading 'The web tier may not reveal a card'
ask web /v1/detokenize "{\"token\":\"$token\",\"purpose\":\"payment\"}" 403 permission_denied
heading 'The processor may, through a gate of its own'
ask processor /v1/detokenize "{\"token\":\"$token\",\"purpose\":\"payment\"}" 200 4111111111111111
# open_sealed NAME KIND EXPECTED-TEXT: what the holder of NAME's key reads in the last answer.
open_sealed() {
  local said
  printf '$ jq -r .sealed | systemd/demo_recipient.py %s %s %s\n' "$dir" "$1" "$2"
  said=$(jq -r .sealed <<<"$answer" | /usr/bin/python3 systemd/demo_recipient.py "$dir" "$1" "$2" 2>&1) || true
  printf '%s%s%s\n' "$dim" "$said" "$plain"
  if [[ $said != *"$3"* ]]; then
    failures=$((failures + 1))
    printf 'NOT AS EXPECTED: it should say %s\n' "$3"
  fi
  code=$(jq -r '.code // empty' <<<"$said" 2>/dev/null || true)
}
subject='"subject":"+77010000001"'
$tool --config $dir/vault.toml jwks >$dir/jwks.json

heading 'A login is verified: the code is sealed to the SMS gateway, the web tier only passes it on'
ask web /v1/otp/seal "{$subject,\"purpose\":\"verify_login\",\"recipient\":\"sms-gateway\"}" 200 '"sealed"'
heading "The gateway's key opens it: this is what the SMS says"
open_sealed sms-gateway otp verify_login
heading 'What the customer types is verified; a wrong code costs an attempt'
ask web /v1/otp/verify "{$subject,\"purpose\":\"verify_login\",\"code\":\"0000000000\"}" 403 '"attempts_left":2'
ask web /v1/otp/verify "{$subject,\"purpose\":\"verify_login\",\"code\":\"$code\"}" 200 '"verified":true'
heading 'A code is good once'
ask web /v1/otp/verify "{$subject,\"purpose\":\"verify_login\",\"code\":\"$code\"}" 403 verification_failed

heading 'A password is enrolled; changing it takes a new code, which is spent by it'
ask web /v1/secrets/enroll "{$subject,\"kind\":\"password\",\"secret\":\"Tulips by the lake\"}" 204 ''
ask web /v1/secrets/change "{$subject,\"kind\":\"password\",\"secret\":\"Poppies on the hill\"}" 403 confirmation_required
ask web /v1/otp/seal "{$subject,\"purpose\":\"change_password\",\"recipient\":\"sms-gateway\"}" 200 '"sealed"'
open_sealed sms-gateway otp change_password
ask web /v1/otp/verify "{$subject,\"purpose\":\"change_password\",\"code\":\"$code\"}" 200 '"verified":true'
ask web /v1/secrets/change "{$subject,\"kind\":\"password\",\"secret\":\"Poppies on the hill\"}" 204 ''
ask web /v1/secrets/verify "{$subject,\"kind\":\"password\",\"secret\":\"Poppies on the hill\"}" 200 '"verified":true'

heading 'A payment: the code is bound to amount, currency and payee'
payment='"context":{"amount":1250000,"currency":"KZT","payee":"Almaty Energo"}'
altered='"context":{"amount":9950000,"currency":"KZT","payee":"Almaty Energo"}'
reveal="\"token\":\"$token\",\"purpose\":\"payment\",\"recipient\":\"acquirer\""
ask web /v1/detokenize "{$reveal,$payment}" 403 confirmation_required
ask web /v1/otp/seal "{$subject,\"purpose\":\"confirm_transaction\",$payment,\"recipient\":\"sms-gateway\"}" 200 '"sealed"'
open_sealed sms-gateway otp 'Almaty Energo'
ask web /v1/otp/verify "{$subject,\"purpose\":\"confirm_transaction\",$altered,\"code\":\"$code\"}" 403 verification_failed
ask web /v1/otp/verify "{$subject,\"purpose\":\"confirm_transaction\",$payment,\"code\":\"$code\"}" 200 '"verified":true'
heading 'The confirmed payment buys one card, sealed to the acquirer; for another amount it buys none'
ask web /v1/detokenize "{$reveal,$altered}" 403 confirmation_required
ask web /v1/detokenize "{$reveal,$payment}" 200 '"sealed"'
open_sealed acquirer card 4111111111111111
ask web /v1/detokenize "{$reveal,$payment}" 403 confirmation_required

heading 'Who am I, and what is left of my quotas?'
ask processor /v1/whoami '' 200 '"client":"processor"'
heading 'All of it is in the audit log, before its answer left'
run detokenize $tool --config $dir/vault.toml audit tail -n 8
heading 'It is published as a Merkle tree, which anybody can verify with nothing but its public key'
sleep 1
run verified build/release/cardvault-audit verify $dir/audit --key $dir/audit.vkey
run 'tlog-proof' build/release/cardvault-audit prove $dir/audit 7
heading 'What an operator should know'
run 'not a secure cryptographic device' $tool --config $dir/vault.toml doctor

heading 'What next'
cat <<TEXT
  ./dev up $dir      resume this vault: the lines above work again as they are
  ./dev up DIR              a vault of your own; ./dev down DIR stops it
  $tool --help
  ./dev test                the proof
  docs/openapi.yaml, ARCHITECTURE.md
TEXT
((failures == 0)) || { printf '\n%d exchanges were not as expected\n' "$failures" && exit 1; }
