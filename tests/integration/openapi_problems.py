"""How each problem that docs/openapi.yaml documents is provoked on a running vault, a method for each."""

import time

from vault_fixture import made_up_pan

NO_TOKEN = "tok_00000000000000000000000000"
KNOWN, REFUSED = "4111111111111111", "4000056655665556"
PASSWORD = "correct horse battery staple"
CARDS_PER_CUSTOMER = 3
SUBJECT_CAP = 5  # wrong attempts of one subject
DOC_CODE = "493817"  # stands for a real code in the examples


class Provocations:
    """Part of a TestCase that has a `vault`, configured with the limits above, and `customers`, phone numbers."""

    def customer(self):
        return str(next(self.customers))

    def tokenize(self, **fields):
        item = {"pan": KNOWN, "expiry": "2029-12", "customer": self.customer()} | fields
        answer = self.vault.request("web", "POST", "/v1/tokenize", item)
        self.assertEqual(answer.status, 200, answer)
        return answer.json()["token"]

    def enroll(self, customer, kind="password", secret=PASSWORD):
        answer = self.vault.request("web", "POST", "/v1/secrets/enroll",
                                    {"subject": customer, "kind": kind, "secret": secret})
        self.assertEqual(answer.status, 204, answer)

    def store(self, client="web", headers=None, **fields):
        item = {"pan": KNOWN, "customer": self.customer()} | fields
        item = {k: v for k, v in item.items() if v is not None}
        return self.vault.request(client, "POST", "/v1/tokenize", item, headers)

    def reveal(self, token, purpose="payment", client="processor"):
        body = {"token": token, "purpose": purpose}
        return self.vault.request(client, "POST", "/v1/detokenize", body)

    def post_raw(self, body, head=b"Content-Type: application/json\r\n", line=b"POST /v1/tokenize HTTP/1.1",
                 length=True, client="web"):
        sized = b"Content-Length: %d\r\n" % len(body) if length else b""
        request = line + b"\r\nHost: localhost\r\n" + head + sized + b"\r\n" + body
        return self.vault.raw(client, request)

    def provoke_bad_http(self):
        return self.post_raw(b"{}", head=b"Host: other\r\nContent-Type: application/json\r\n")

    def provoke_invalid_json(self):
        return self.post_raw(b'{"pan":')

    def provoke_unknown_field(self):
        return self.store(colour="red")

    def provoke_duplicate_field(self):
        return self.post_raw(b'{"pan":"4111111111111111","pan":"4111111111111111"}')

    def provoke_missing_field(self):
        return self.vault.request("web", "POST", "/v1/tokenize", {"customer": "x"})

    def provoke_invalid_field(self):
        good = {"pan": KNOWN, "customer": self.customer()}
        return self.vault.request("web", "POST", "/v1/tokenize", {"items": [good, good | {"format": "round"}]})

    def provoke_invalid_idempotency_key(self):
        return self.store(headers={"Idempotency-Key": "x" * 200})

    def provoke_batch_size(self):
        return self.vault.request("web", "POST", "/v1/tokenize", {"items": []})

    def provoke_client_unknown(self):
        return self.vault.request("sms-gateway", "GET", "/v1/whoami")

    def provoke_permission_denied(self):
        return self.reveal(self.tokenize(), client="web")

    def provoke_purpose_denied(self):
        return self.reveal(self.tokenize(), purpose="Any Reason")

    def provoke_token_not_found(self):
        return self.vault.request("web", "GET", f"/v1/tokens/{NO_TOKEN}")

    def provoke_path_not_found(self):
        return self.vault.request("web", "GET", "/v1/nothing")

    def provoke_method_not_allowed(self):
        return self.vault.request("web", "GET", "/v1/tokenize")

    def provoke_card_limit_reached(self):
        customer = self.customer()
        for number in range(CARDS_PER_CUSTOMER):
            self.tokenize(pan=made_up_pan(number), customer=customer)
        return self.store(pan=made_up_pan(CARDS_PER_CUSTOMER), customer=customer)

    def provoke_length_required(self):
        return self.post_raw(b"", length=False)

    def provoke_transfer_encoding_refused(self):
        head = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
        return self.post_raw(b"2\r\n{}\r\n0\r\n\r\n", head=head, length=False)

    def provoke_payload_too_large(self):
        head = b"Content-Type: application/json\r\nContent-Length: 1000000000\r\n"
        return self.post_raw(b"", head=head, length=False)

    def provoke_unsupported_media_type(self):
        return self.store(headers={"Content-Type": "text/plain"})

    def provoke_invalid_pan(self):
        return self.store(pan="4111111111111112")

    def provoke_sensitive_authentication_data(self):
        return self.store(cvv="123")

    def provoke_pan_in_field(self):
        return self.store(metadata={"note": f"card {KNOWN}"})

    def provoke_invalid_expiry(self):
        return self.store(expiry="2029-13")

    def provoke_card_expired(self):
        return self.store(expiry="2020-01")

    def provoke_invalid_customer(self):
        return self.store(customer="a\x01b")

    def provoke_customer_required(self):
        return self.store(customer=None)

    def provoke_invalid_metadata(self):
        return self.store(metadata={f"key{i}": "x" for i in range(9)})

    def provoke_invalid_ttl(self):
        return self.store(ttl=0)

    def provoke_bin_unknown(self):
        return self.store(pan="378282246310005")

    def provoke_country_refused(self):
        return self.store(pan=REFUSED)

    def provoke_invalid_token(self):
        return self.reveal("tok_short")

    def provoke_idempotency_mismatch(self):
        key = {"Idempotency-Key": f"mismatch-{time.monotonic_ns()}"}
        customer = self.customer()
        self.assertEqual(self.store(headers=key, customer=customer).status, 200)
        return self.store(headers=key, customer=customer, expiry="2031-01")

    def provoke_card_frozen(self):
        token = self.tokenize()
        self.vault.request("web", "POST", f"/v1/tokens/{token}/freeze")
        return self.reveal(token)

    def provoke_rate_limited(self):
        body = {"items": [{"token": "x", "purpose": "payment"}] * 1000}
        for _ in range(100):
            answer = self.vault.request("processor", "POST", "/v1/detokenize", body)
            if answer.status != 200:
                break
        return answer

    def provoke_pan_budget_exhausted(self):
        customer = self.customer()
        for number in range(20):
            answer = self.store(pan=made_up_pan(number, "40000566"), customer=customer)
            if answer.status == 429:
                break
        known = self.store(customer=customer)
        self.assertEqual(known.status, 429, "the budget goes before the lookup")
        return answer

    def provoke_reveal_budget_exhausted(self):
        token = self.tokenize()
        for _ in range(21):
            answer = self.reveal(token)
            if answer.code == "rate_limited":  # of the test before
                time.sleep(int(answer.headers["Retry-After"]))
        return answer

    def seal(self, subject=None, purpose="verify_login", recipient="sms-gateway", **fields):
        body = {"subject": subject or self.customer(), "purpose": purpose, "recipient": recipient} | fields
        return self.vault.request("web", "POST", "/v1/otp/seal", body)

    def wrong_code(self, subject, purpose="verify_login"):
        return self.vault.request("web", "POST", "/v1/otp/verify",
                                  {"subject": subject, "purpose": purpose, "code": DOC_CODE})

    def secret(self, act, subject, **fields):
        body = {"subject": subject, "kind": "password"} | fields
        return self.vault.request("web", "POST", f"/v1/secrets/{act}", body)

    def provoke_invalid_subject(self):
        return self.seal("a\x01b")

    def provoke_invalid_context(self):
        return self.seal(purpose="confirm_transaction")

    def provoke_otp_purpose_unknown(self):
        return self.seal(purpose="small_talk")

    def provoke_verification_failed(self):
        return self.wrong_code(self.customer())

    def provoke_locked(self):
        subject = self.customer()
        for _ in range(3):
            self.wrong_code(subject)
        return self.wrong_code(subject)

    def provoke_subject_blocked(self):
        subject = self.customer()
        for _ in range(3):
            self.wrong_code(subject)
        for _ in range(SUBJECT_CAP - 3):
            self.wrong_code(subject, "change_password")
        return self.wrong_code(subject, "change_password")

    def provoke_resend_too_soon(self):
        while True:  # until the machine is as fast as the pause is long
            subject = self.customer()
            self.assertEqual(self.seal(subject).status, 200)
            answer = self.seal(subject)
            if answer.status != 200:
                return answer

    def provoke_send_limit_reached(self):
        subject = self.customer()
        while True:
            answer = self.seal(subject)
            if answer.code == "resend_too_soon":
                time.sleep(int(answer.headers["Retry-After"]))
            elif answer.status != 200:
                return answer

    def provoke_confirmation_required(self):
        token = self.tokenize()
        body = {"token": token, "purpose": "payment", "recipient": "acquirer"}
        return self.vault.request("web", "POST", "/v1/detokenize", body)

    def provoke_secret_too_weak(self):
        return self.secret("enroll", self.customer(), secret="short")

    def provoke_already_enrolled(self):
        subject = self.customer()
        self.enroll(subject)
        return self.secret("enroll", subject, secret=PASSWORD)

    def provoke_not_enrolled(self):
        return self.secret("remove", self.customer())

    def provoke_recipient_unknown(self):
        return self.seal(recipient="nobody")

    def provoke_recipient_not_allowed(self):
        return self.seal(recipient="acquirer")

    def provoke_headers_too_large(self):
        return self.post_raw(b"{}", head=b"X-Long: " + b"x" * 100_000 + b"\r\n")

    def provoke_http_version_refused(self):
        return self.post_raw(b"{}", line=b"POST /v1/tokenize HTTP/1.0")

    def provoke_vault_unavailable(self):
        with self.vault.without_daemon():
            answer = self.vault.request("web", "GET", "/v1/whoami")
        self.vault.wait_ready("web")
        self.vault.wait_ready("processor")
        return answer
