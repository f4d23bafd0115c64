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
heading 'Who am I, and what is left of my quotas?'
ask processor /v1/whoami '' 200 '"client":"processor"'
heading 'All of it is in the audit log, before its answer left'
run detokenize $tool --config $dir/vault.toml audit tail -n 8
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
