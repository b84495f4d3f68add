#include "daemon/app/config.h"

#include <yaml-cpp/yaml.h>

#include <functional>
#include <map>

namespace holdfast {

namespace {

// Thrown inside this file alone, where yaml-cpp throws too.
struct ConfigError {
  YAML::Mark mark;
  std::string message;
};

using Setter = std::function<void(const YAML::Node&)>;

void read_map(const YAML::Node& node, const std::string& where, const std::map<std::string, Setter>& keys) {
  if (!node.IsMap()) throw ConfigError{node.Mark(), where + " must hold keys and values"};
  for (const auto& item : node) {
    const auto name = item.first.as<std::string>();
    const auto found = keys.find(name);
    if (found == keys.end()) throw ConfigError{item.first.Mark(), "unknown key \"" + name + "\" in " + where};
    found->second(item.second);
  }
}

template <typename T>
Setter into(T& target, std::string name) {
  return [&target, name](const YAML::Node& node) {
    try {
      target = node.as<T>();
    } catch (const YAML::Exception&) {
      throw ConfigError{node.Mark(), "\"" + name + "\" has a value that is not understood"};
    }
  };
}

// "127.0.0.1:9000" or "[::1]:9000"
void parse_address(const YAML::Node& node, ListenConfig& listen) {
  const auto text = node.as<std::string>();
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos) throw ConfigError{node.Mark(), "address \"" + text + "\" has no port"};
  listen.address = text.substr(0, colon);
  if (listen.address.starts_with('[') && listen.address.ends_with(']')) {
    listen.address = listen.address.substr(1, listen.address.size() - 2);
  }
  try {
    const int port = std::stoi(text.substr(colon + 1));
    if (port < 0 || port > 65535) throw std::out_of_range("port");
    listen.port = static_cast<uint16_t>(port);
  } catch (const std::exception&) {
    throw ConfigError{node.Mark(), "address \"" + text + "\" has no valid port"};
  }
}

ListenConfig read_listen(const YAML::Node& node, const std::string& where) {
  ListenConfig listen;
  bool plain = false;
  read_map(node, where, {{"address", [&](const YAML::Node& n) { parse_address(n, listen); }},
                         {"plain_http", into(plain, "plain_http")}});
  if (listen.address.empty()) throw ConfigError{node.Mark(), where + " needs \"address\""};
  listen.tls = !plain;
  return listen;
}

PoolConfig read_pool(const YAML::Node& node) {
  PoolConfig p;
  const Setter iscsi = [&p](const YAML::Node& n) {
    read_map(n, "pools[].iscsi", {{"chap_user", into(p.chap_user, "chap_user")},
                                  {"chap_secret_file", into(p.chap_secret_file, "chap_secret_file")},
                                  {"mutual_chap_user", into(p.mutual_chap_user, "mutual_chap_user")},
                                  {"mutual_chap_secret_file", into(p.mutual_chap_secret_file, "mutual_chap_secret_file")},
                                  {"initiator_name", into(p.initiator_name, "initiator_name")},
                                  {"header_digest", into(p.header_digest, "header_digest")}});
  };
  read_map(node, "pools[]", {{"name", into(p.name, "name")},
                             {"device", into(p.device, "device")},
                             {"master_key_file", into(p.master_key_file, "master_key_file")},
                             {"cache_mib", [&p](const YAML::Node& n) { into(p.cache_mib.emplace(), "cache_mib")(n); }},
                             {"iscsi", iscsi}});
  if (p.name.empty() || p.device.empty()) throw ConfigError{node.Mark(), "a pool needs \"name\" and \"device\""};
  return p;
}

Config read_config(const YAML::Node& root) {
  Config c;
  const auto each = [](const YAML::Node& n, const std::string& where, const Setter& read) {
    if (!n.IsSequence()) throw ConfigError{n.Mark(), where + " must be a list"};
    for (const auto& item : n) read(item);
  };
  const Setter admin = [&](const YAML::Node& n) {
    read_map(n, "admin", {{"socket", into(c.admin_socket, "socket")},
                          {"token_file", into(c.admin_token_file, "token_file")},
                          {"listen", [&](const YAML::Node& l) { c.admin_listen = read_listen(l, "admin.listen"); }}});
  };
  const Setter tls = [&](const YAML::Node& n) {
    read_map(n, "tls", {{"certificate_file", into(c.certificate_file, "certificate_file")},
                        {"key_file", into(c.key_file, "key_file")}});
  };
  const Setter log = [&](const YAML::Node& n) {
    read_map(n, "log", {{"level", into(c.log_level, "level")}, {"access", into(c.access_log, "access")}});
  };
  read_map(root, "the file",
           {{"state_dir", into(c.state_dir, "state_dir")},
            {"listen", [&](const YAML::Node& n) { each(n, "listen", [&](const YAML::Node& l) { c.listen.push_back(read_listen(l, "listen[]")); }); }},
            {"tls", tls},
            {"region", into(c.region, "region")},
            {"public_url", into(c.public_url, "public_url")},
            {"public_ca_file", into(c.public_ca_file, "public_ca_file")},
            {"domains", into(c.domains, "domains")},
            {"admin", admin},
            {"log", log},
            {"stop_deadline_s", into(c.stop_deadline_s, "stop_deadline_s")},
            {"threads", into(c.threads, "threads")},
            {"pools", [&](const YAML::Node& n) { each(n, "pools", [&](const YAML::Node& p) { c.pools.push_back(read_pool(p)); }); }}});
  const auto need = [&](bool there, const std::string& what) {
    if (!there) throw ConfigError{root.Mark(), what};
  };
  while (c.public_url.ends_with('/')) c.public_url.pop_back();
  const bool http_url = c.public_url.starts_with("https://") || c.public_url.starts_with("http://");
  need(c.public_url.empty() || http_url, "\"public_url\" must begin with https:// or http://");
  need(!c.state_dir.empty(), "\"state_dir\" is missing");
  need(!c.listen.empty(), "\"listen\" is missing");
  need(!c.pools.empty(), "\"pools\" is missing");
  bool any_tls = c.admin_listen && c.admin_listen->tls;
  for (const ListenConfig& l : c.listen) any_tls = any_tls || l.tls;
  need(!any_tls || (!c.certificate_file.empty() && !c.key_file.empty()),
       "\"tls\" needs certificate_file and key_file, unless every listener says plain_http: true");
  need(!c.admin_listen || !c.admin_token_file.empty(), "\"admin.listen\" needs \"admin.token_file\"");
  return c;
}

}  // namespace

Result<Config> load_config(const std::string& path) {
  const auto fail = [&](const YAML::Mark& mark, const std::string& message) {
    return error(Code::kInvalidArgument, Subject::kConfig, path + ":" + std::to_string(mark.line + 1) + ": " + message);
  };
  try {
    return read_config(YAML::LoadFile(path));
  } catch (const ConfigError& e) {
    return fail(e.mark, e.message);
  } catch (const YAML::BadFile&) {
    return error(Code::kNotFound, Subject::kConfig, "cannot read configuration file " + path);
  } catch (const YAML::Exception& e) {
    return fail(e.mark, e.msg);
  }
}

}  // namespace holdfast
