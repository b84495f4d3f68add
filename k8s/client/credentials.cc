#include "k8s/client/credentials.h"

#include <algorithm>

namespace holdfast::k8s {

namespace {
constexpr int64_t kTokenFileMs = 60'000;
}

Result<Credential> Credentials::current() {
  std::lock_guard lock(mutex_);
  const bool fresh = fetched_ && (valid_until_ms_ == 0 || clock_.wall_ms() < valid_until_ms_);
  if (fresh) return credential_;
  if (access_.exec) {
    HF_CHECK(run_plugin());
  } else {
    credential_.certificate_pem = access_.certificate_pem;
    credential_.key_pem = access_.key_pem;
    credential_.bearer_token = access_.token;
    if (!access_.token_file.empty()) HF_CHECK(read_token_file());
  }
  fetched_ = true;
  return credential_;
}

bool Credentials::reject() {
  std::lock_guard lock(mutex_);
  fetched_ = false;
  return access_.exec || !access_.token_file.empty();
}

Result<void> Credentials::read_token_file() {
  HF_TRY(std::string token, files_beside("")(access_.token_file));
  std::erase_if(token, [](unsigned char c) { return c <= ' '; });
  if (token.empty()) return error(Code::kPermissionDenied, Subject::kConfig, "the token file " + access_.token_file + " is empty");
  credential_.bearer_token = std::move(token);
  valid_until_ms_ = clock_.wall_ms() + kTokenFileMs;
  return {};
}

Result<void> Credentials::run_plugin() {
  HF_TRY(PluginAnswer answer, run_exec_plugin(*access_.exec, access_));
  const uint64_t generation = credential_.generation;
  const bool same = answer.credential.certificate_pem == credential_.certificate_pem;
  credential_ = std::move(answer.credential);
  credential_.generation = same ? generation : generation + 1;
  valid_until_ms_ = answer.expires_ms;
  return {};
}

}  // namespace holdfast::k8s
