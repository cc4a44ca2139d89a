//! A file of modules as it is written; what nobody knows in it is a mistake.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_saphyr::Spanned;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) modules: BTreeMap<String, Spanned<GivenModule>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GivenModule {
    #[serde(default)]
    pub(super) prober: String,
    pub(super) timeout: Option<String>,
    #[serde(default)]
    pub(super) http: GivenHttp,
    #[serde(default)]
    pub(super) tcp: GivenTcp,
    #[serde(default)]
    pub(super) icmp: GivenIcmp,
    #[serde(default)]
    pub(super) dns: GivenDns,
    #[expect(dead_code, reason = "the prober that it is for is refused as such")]
    grpc: Option<Value>,
    unix: Option<Value>,
}

/// What is known and not here: present unless it says the same as its absence.
type Unsupported = Option<Value>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct GivenHttp {
    pub(super) valid_status_codes: Vec<u16>,
    pub(super) valid_http_versions: Vec<String>,
    pub(super) preferred_ip_protocol: Option<String>,
    pub(super) ip_protocol_fallback: Option<bool>,
    pub(super) no_follow_redirects: Option<bool>,
    pub(super) follow_redirects: Option<bool>,
    pub(super) fail_if_ssl: bool,
    pub(super) fail_if_not_ssl: bool,
    pub(super) method: Option<String>,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) fail_if_body_matches_regexp: Vec<String>,
    pub(super) fail_if_body_not_matches_regexp: Vec<String>,
    pub(super) fail_if_header_matches: Vec<GivenHeaderRule>,
    pub(super) fail_if_header_not_matches: Vec<GivenHeaderRule>,
    pub(super) body: Option<String>,
    pub(super) body_file: Option<String>,
    pub(super) compression: Option<String>,
    pub(super) basic_auth: Option<GivenBasic>,
    pub(super) authorization: Option<GivenAuthorization>,
    pub(super) bearer_token: Option<String>,
    pub(super) bearer_token_file: Option<String>,
    pub(super) tls_config: GivenTls,
    pub(super) enable_http2: Option<bool>,
    pub(super) proxy_url: Option<String>,
    pub(super) proxy_from_environment: bool,
    /// Names are never resolved where a proxy does that.
    skip_resolve_phase_with_proxy: Option<bool>,
    no_proxy: Unsupported,
    proxy_connect_header: Unsupported,
    oauth2: Unsupported,
    http_headers: Unsupported,
    body_size_limit: Unsupported,
    fail_if_body_json_matches_cel: Unsupported,
    fail_if_body_json_not_matches_cel: Unsupported,
    enable_http3: Unsupported,
    enable_regexps_from_params: Unsupported,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GivenHeaderRule {
    pub(super) header: String,
    pub(super) regexp: String,
    #[serde(default)]
    pub(super) allow_missing: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct GivenBasic {
    pub(super) username: String,
    pub(super) password: Option<String>,
    pub(super) password_file: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct GivenAuthorization {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) credentials: Option<String>,
    pub(super) credentials_file: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct GivenTls {
    pub(super) insecure_skip_verify: bool,
    pub(super) ca_file: Option<String>,
    pub(super) cert_file: Option<String>,
    pub(super) key_file: Option<String>,
    pub(super) server_name: Option<String>,
    ca: Unsupported,
    cert: Unsupported,
    key: Unsupported,
    min_version: Unsupported,
    max_version: Unsupported,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct GivenTcp {
    pub(super) preferred_ip_protocol: Option<String>,
    pub(super) ip_protocol_fallback: Option<bool>,
    pub(super) query_response: Vec<GivenStep>,
    pub(super) tls: bool,
    pub(super) tls_config: GivenTls,
    source_ip_address: Unsupported,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct GivenStep {
    pub(super) expect: Option<String>,
    pub(super) send: Option<String>,
    pub(super) starttls: bool,
    labels: Unsupported,
    expect_bytes: Unsupported,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct GivenIcmp {
    pub(super) preferred_ip_protocol: Option<String>,
    pub(super) ip_protocol_fallback: Option<bool>,
    pub(super) payload_size: Option<u16>,
    pub(super) ttl: Option<u8>,
    source_ip_address: Unsupported,
    dont_fragment: Unsupported,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct GivenDns {
    pub(super) preferred_ip_protocol: Option<String>,
    pub(super) ip_protocol_fallback: Option<bool>,
    pub(super) transport_protocol: Option<String>,
    pub(super) query_name: String,
    pub(super) query_type: Option<String>,
    pub(super) query_class: Option<String>,
    pub(super) recursion_desired: Option<bool>,
    pub(super) valid_rcodes: Option<Vec<String>>,
    pub(super) validate_answer_rrs: GivenRecordRules,
    pub(super) validate_authority_rrs: GivenRecordRules,
    pub(super) validate_additional_rrs: GivenRecordRules,
    source_ip_address: Unsupported,
    dns_over_tls: Unsupported,
    tls_config: Unsupported,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct GivenRecordRules {
    #[serde(rename = "fail_if_matches_regexp")]
    pub(super) none: Vec<String>,
    #[serde(rename = "fail_if_all_match_regexp")]
    pub(super) each: Vec<String>,
    #[serde(rename = "fail_if_not_matches_regexp")]
    pub(super) all: Vec<String>,
    #[serde(rename = "fail_if_none_matches_regexp")]
    pub(super) any: Vec<String>,
}

impl GivenModule {
    /// What it asks for that is known and not here, in words.
    pub(super) fn unsupported(&self) -> Option<String> {
        if self.prober == "grpc" || self.prober == "unix" || self.unix.is_some() {
            return Some(format!("the prober {} is not supported", self.prober));
        }
        let names: Vec<&str> =
            self.http.unsupported().chain(self.tcp.unsupported()).chain(self.others()).collect();
        let is_other_class = self.dns.query_class.as_deref().is_some_and(|class| class != "IN");
        let class = is_other_class.then_some("query_class (but IN)");
        let names: Vec<&str> = names.into_iter().chain(class).collect();
        (!names.is_empty()).then(|| format!("{} not supported", listed(&names)))
    }

    fn others(&self) -> impl Iterator<Item = &'static str> + '_ {
        named([
            ("source_ip_address", &self.icmp.source_ip_address),
            ("dont_fragment", &self.icmp.dont_fragment),
            ("source_ip_address", &self.dns.source_ip_address),
            ("dns_over_tls", &self.dns.dns_over_tls),
        ])
    }
}

impl GivenHttp {
    fn unsupported(&self) -> impl Iterator<Item = &'static str> + '_ {
        named([
            ("no_proxy", &self.no_proxy),
            ("proxy_connect_header", &self.proxy_connect_header),
            ("oauth2", &self.oauth2),
            ("http_headers", &self.http_headers),
            ("body_size_limit", &self.body_size_limit),
            ("fail_if_body_json_matches_cel", &self.fail_if_body_json_matches_cel),
            ("fail_if_body_json_not_matches_cel", &self.fail_if_body_json_not_matches_cel),
            ("enable_http3", &self.enable_http3),
            ("enable_regexps_from_params", &self.enable_regexps_from_params),
        ])
        .chain(self.tls_config.unsupported())
    }
}

impl GivenTcp {
    fn unsupported(&self) -> impl Iterator<Item = &'static str> + '_ {
        let of_steps = self.query_response.iter().flat_map(|step| {
            named([("labels", &step.labels), ("expect_bytes", &step.expect_bytes)])
        });
        named([("source_ip_address", &self.source_ip_address)])
            .chain(self.tls_config.unsupported())
            .chain(of_steps)
    }
}

impl GivenTls {
    fn unsupported(&self) -> impl Iterator<Item = &'static str> + '_ {
        named([
            ("ca", &self.ca),
            ("cert", &self.cert),
            ("key", &self.key),
            ("min_version", &self.min_version),
            ("max_version", &self.max_version),
        ])
    }
}

/// The names of those that are given and say something.
fn named<const COUNT: usize>(
    fields: [(&'static str, &Unsupported); COUNT],
) -> impl Iterator<Item = &'static str> {
    let says = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::Bool(true) | Value::Number(_) => true,
    };
    fields
        .map(|(name, value)| value.as_ref().is_some_and(says).then_some(name))
        .into_iter()
        .flatten()
}

fn listed(names: &[&str]) -> String {
    match names {
        [one] => format!("{one} is"),
        more => format!("{} are", more.join(", ")),
    }
}
