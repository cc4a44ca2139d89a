//! Modules that speak HTTP, and what modules say of TLS.

use std::path::{Path, PathBuf};

use super::given::{GivenAuthorization, GivenBasic, GivenHeaderRule, GivenHttp, GivenTls};
use super::lists::patterns;
use super::module::{HeaderRule, Preference, Prober, WebRules};
use crate::address::Address;
use crate::expectation::{Expectation, Pattern, Patterns};
use crate::target::{Auth, HttpVersion, Plan, Proxy, TlsPlan, Verify};

/// Redirects that are followed at most.
const REDIRECTS: u8 = 10;

/// What a module that is given says.
pub(super) fn module(
    given: &GivenHttp,
    folder: &Path,
) -> Result<(Prober, Preference, Plan), String> {
    let preferred = given.preferred_ip_protocol.as_deref();
    let preference = Preference::of(preferred, given.ip_protocol_fallback)?;
    let rules = rules(given)?;
    let method = given.method.clone().filter(|method| !method.is_empty());
    let mut headers: Vec<(Box<str>, Box<str>)> = given
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
        .collect();
    if let Some(coding) = coding(given)?
        && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("accept-encoding"))
    {
        headers.push(("Accept-Encoding".into(), coding.into()));
    }
    let follows =
        given.follow_redirects.unwrap_or(true) && !given.no_follow_redirects.unwrap_or(false);
    let is_newer = given.enable_http2.unwrap_or(true);
    let mut tls = tls(&given.tls_config, folder);
    // The name that a server is called by is the one whose certificate it must show.
    let host = given.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"));
    tls.server_name = tls.server_name.or_else(|| host.map(|(_, value)| bare(value).into()));
    let plan = Plan {
        method: method.map_or_else(|| "GET".into(), |method| method.to_ascii_uppercase().into()),
        headers,
        body: body(given, folder)?,
        auth: auth(given, folder)?,
        expect: expectation(given)?,
        redirects: if follows { REDIRECTS } else { 0 },
        http_version: if is_newer { HttpVersion::Http2 } else { HttpVersion::Http11 },
        tls,
        proxy: proxy(given)?,
        ..Plan::default()
    };
    Ok((Prober::Http(rules), preference, plan))
}

/// A host without its port.
#[must_use]
pub fn bare(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn rules(given: &GivenHttp) -> Result<WebRules, String> {
    let known = ["HTTP/1.0", "HTTP/1.1", "HTTP/2.0", "HTTP/3.0"];
    if let Some(version) =
        given.valid_http_versions.iter().find(|one| !known.contains(&one.as_str()))
    {
        return Err(format!("valid_http_versions {version:?} is none of {}", known.join(", ")));
    }
    let tls = match (given.fail_if_ssl, given.fail_if_not_ssl) {
        (true, true) => return Err("fail_if_ssl and fail_if_not_ssl: nothing is left".to_owned()),
        (true, false) => Some(false),
        (false, true) => Some(true),
        (false, false) => None,
    };
    Ok(WebRules {
        versions: given.valid_http_versions.clone(),
        tls,
        unwanted: headers("fail_if_header_matches", &given.fail_if_header_matches)?,
        wanted: headers("fail_if_header_not_matches", &given.fail_if_header_not_matches)?,
    })
}

fn headers(field: &str, given: &[GivenHeaderRule]) -> Result<Vec<HeaderRule>, String> {
    let rule = |one: &GivenHeaderRule| {
        let pattern = Pattern::new(&one.regexp)
            .map_err(|error| format!("{field}: {:?} is no pattern: {error}", one.regexp))?;
        let header = one.header.to_ascii_lowercase();
        Ok(HeaderRule { header, pattern, may_be_missing: one.allow_missing })
    };
    given.iter().map(rule).collect()
}

fn expectation(given: &GivenHttp) -> Result<Expectation, String> {
    let unwanted = patterns("fail_if_body_matches_regexp", &given.fail_if_body_matches_regexp)?;
    let wanted =
        patterns("fail_if_body_not_matches_regexp", &given.fail_if_body_not_matches_regexp)?;
    let status = match given.valid_status_codes.as_slice() {
        [] => vec![(200, 299)],
        codes => codes.iter().map(|code| (*code, *code)).collect(),
    };
    let patterns = Some(Box::new(Patterns { wanted, unwanted }));
    Ok(Expectation { status, patterns, ..Expectation::default() })
}

fn coding(given: &GivenHttp) -> Result<Option<&str>, String> {
    match given.compression.as_deref() {
        None | Some("") => Ok(None),
        Some(coding @ ("gzip" | "deflate" | "identity")) => Ok(Some(coding)),
        Some(other) => Err(format!("compression {other:?} is none of gzip, deflate, identity")),
    }
}

fn body(given: &GivenHttp, folder: &Path) -> Result<Option<Box<str>>, String> {
    match (&given.body, &given.body_file) {
        (Some(_), Some(_)) => Err("body and body_file: give one of them".to_owned()),
        (Some(body), None) => Ok((!body.is_empty()).then(|| body.as_str().into())),
        (None, Some(file)) => content("body_file", file, folder).map(|text| Some(text.into())),
        (None, None) => Ok(None),
    }
}

fn auth(given: &GivenHttp, folder: &Path) -> Result<Option<Auth>, String> {
    if let Some(GivenBasic { username, password, password_file }) = &given.basic_auth {
        let password = secret(password.as_ref(), password_file.as_ref(), folder)?;
        return Ok(Some(Auth::Basic { username: username.clone(), password }));
    }
    if let Some(GivenAuthorization { kind, credentials, credentials_file }) = &given.authorization {
        if kind.as_deref().is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
            return Err("authorization: the type is Bearer; others go into headers".to_owned());
        }
        let token = secret(credentials.as_ref(), credentials_file.as_ref(), folder)?;
        return Ok(Some(Auth::Bearer(token)));
    }
    if given.bearer_token.is_none() && given.bearer_token_file.is_none() {
        return Ok(None);
    }
    let token = secret(given.bearer_token.as_ref(), given.bearer_token_file.as_ref(), folder)?;
    Ok(Some(Auth::Bearer(token)))
}

fn secret(text: Option<&String>, file: Option<&String>, folder: &Path) -> Result<String, String> {
    match (text, file) {
        (Some(_), Some(_)) => Err("a secret and a file of it: give one of them".to_owned()),
        (Some(text), None) => Ok(text.clone()),
        (None, Some(file)) => {
            content("file of a secret", file, folder).map(|text| text.trim().to_owned())
        }
        (None, None) => Ok(String::new()),
    }
}

fn content(what: &str, file: &str, folder: &Path) -> Result<String, String> {
    let path = folder.join(file);
    let told = |error| format!("{what}: cannot read {}: {error}", path.display());
    std::fs::read_to_string(&path).map_err(told)
}

fn proxy(given: &GivenHttp) -> Result<Proxy, String> {
    match given.proxy_url.as_deref() {
        None | Some("") if given.proxy_from_environment => Ok(Proxy::Environment),
        None | Some("") => Ok(Proxy::Direct),
        Some(url) => {
            Address::parse(url).map(Proxy::Through).map_err(|error| format!("proxy_url: {error}"))
        }
    }
}

/// What is given of TLS.
pub(super) fn tls(given: &GivenTls, folder: &Path) -> TlsPlan {
    let path = |file: &Option<String>| -> Option<PathBuf> {
        file.as_deref().filter(|file| !file.is_empty()).map(|file| folder.join(file))
    };
    TlsPlan {
        verify: if given.insecure_skip_verify { Verify::Off } else { Verify::Strict },
        ca: path(&given.ca_file),
        client_cert: path(&given.cert_file),
        client_key: path(&given.key_file),
        server_name: given.server_name.as_deref().filter(|name| !name.is_empty()).map(Into::into),
    }
}
