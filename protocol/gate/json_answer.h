// Answers as JSON bodies.
#pragma once

#include "protocol/gate/json_writer.h"
#include "vault/core/request.h"

namespace cardvault::gate {

void write_problem(JsonWriter& out, const core::Failure& failure);
// What a tokenize answers: whether the card was there already, and nothing masked to show.
void write_tokenized(JsonWriter& out, const core::CardView& card);
// What lists and GET /v1/tokens/T answer.
void write_card(JsonWriter& out, const core::CardView& card);
void write_revealed(JsonWriter& out, const core::Revealed& revealed);
void write_masked(JsonWriter& out, const core::Masked& masked);
void write_sealed(JsonWriter& out, const core::SealedCard& card);
void write_items(JsonWriter& out, const core::TokenizeAnswer& answer);
void write_items(JsonWriter& out, const core::DetokenizeAnswer& answer);
void write_search(JsonWriter& out, const core::SearchAnswer& answer);
void write_whoami(JsonWriter& out, const core::WhoamiAnswer& answer);
void write_otp_sealed(JsonWriter& out, const core::OtpSealedAnswer& answer);
void write_verified(JsonWriter& out, const core::VerifiedAnswer& answer);
void write_ready(JsonWriter& out, const core::ReadyAnswer& answer);

}  // namespace cardvault::gate
