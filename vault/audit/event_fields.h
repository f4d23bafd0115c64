// The text fields of an event, in the order of the line; both directions of the codec use it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "vault/core/event.h"

namespace cardvault::audit {

struct TextField {
  std::string_view opening;  // with the comma before and the quotes around it
  std::string core::Event::* member;
};

inline constexpr std::array<TextField, 6> kFieldsBeforeRequest = {{
    {",\"actor\":\"", &core::Event::actor},
    {",\"op\":\"", &core::Event::operation},
    {",\"outcome\":\"", &core::Event::outcome},
    {",\"source\":\"", &core::Event::source},
    {",\"gate\":\"", &core::Event::gate},
    {",\"resource\":\"", &core::Event::resource},
}};
inline constexpr std::array<TextField, 3> kFieldsAfterRequest = {{
    {",\"purpose\":\"", &core::Event::purpose},
    {",\"pan_fp\":\"", &core::Event::fingerprint},
    {",\"customer\":\"", &core::Event::customer},
}};
inline constexpr std::string_view kSeqOpening = "{\"seq\":";
inline constexpr std::string_view kTimeOpening = ",\"time\":\"";
inline constexpr std::string_view kRequestOpening = ",\"request\":\"";
inline constexpr std::string_view kKeyVersionOpening = ",\"key_version\":";
inline constexpr std::string_view kDetailsOpening = ",\"details\":{\"";
inline constexpr std::int64_t kLastTimeMs = 253402300799999;  // the end of the year 9999

}  // namespace cardvault::audit
