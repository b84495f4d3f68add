#include "storage/object/store.h"

namespace holdfast {

namespace {
// The pool's own settings, such as its time, stand beside them without this.
const std::string kPrefix = "text/";
}  // namespace

Result<std::string> Store::setting(const std::string& name) const {
  const Catalog& catalog = pools_.front()->catalog();
  const std::string sealed = catalog.setting(kPrefix + name);
  if (sealed.empty()) return error(Code::kNotFound, Subject::kConfig, "no setting \"" + name + "\"");
  return catalog.opened_text(name, sealed);
}

std::vector<std::string> Store::setting_names(const std::string& prefix) const {
  std::vector<std::string> names = pools_.front()->catalog().setting_names(kPrefix + prefix);
  for (std::string& name : names) name.erase(0, kPrefix.size());
  return names;
}

Result<void> Store::put_setting(const std::string& name, const std::string& text) {
  if (text.size() > kMaxBytes) {
    return error(Code::kInvalidArgument, Subject::kConfig, "\"" + name + "\" is larger than " + std::to_string(kMaxBytes) + " bytes");
  }
  Pool& pool = *pools_.front();
  CommitRequest commit;
  commit.settled = true;
  commit.purpose = Purpose::kDelete;
  commit.estimated_bytes = 1024 + text.size();
  commit.decide = [&](CommitContext&) -> Result<std::vector<Fact>> {
    return std::vector<Fact>{SettingPut{kPrefix + name, pool.catalog().sealed_text(name, text, pool.random())}};
  };
  return pool.commit(std::move(commit));
}

}  // namespace holdfast
