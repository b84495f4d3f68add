#include "k8s/spec/credentials_file.h"

#include "storage/base/text.h"

namespace holdfast::k8s {

namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

}  // namespace

Result<std::pair<std::string, std::string>> parse_credentials_file(std::string_view text, std::string_view profile) {
  if (profile.empty()) profile = "default";
  std::pair<std::string, std::string> found;
  bool ours = false;
  for (std::string_view line : split_text(text, '\n')) {
    line = trimmed(line);
    if (line.starts_with('[') && line.ends_with(']')) {
      ours = trimmed(line.substr(1, line.size() - 2)) == profile;
      continue;
    }
    const size_t equals = line.find('=');
    if (!ours || equals == std::string_view::npos || line.starts_with('#') || line.starts_with(';')) continue;
    const std::string name = lower(trimmed(line.substr(0, equals)));
    if (name == "aws_access_key_id") found.first = trimmed(line.substr(equals + 1));
    if (name == "aws_secret_access_key") found.second = trimmed(line.substr(equals + 1));
  }
  if (found.first.empty() || found.second.empty()) {
    return error(Code::kInvalidArgument, "it has no aws_access_key_id and aws_secret_access_key of profile \"" + std::string(profile) + "\"");
  }
  return found;
}

}  // namespace holdfast::k8s
