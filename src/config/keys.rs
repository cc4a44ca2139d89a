//! The keys of an entry: which there are, and what each may say.

use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU8, NonZeroU32};

use serde_json::{Map, Value};

use crate::address::{Address, Scheme};
use crate::config::fields::{Fields, PlanFields, put_header};
use crate::config::nearest::unknown;
use crate::config::substitute::Origin;
use crate::config::units::rate;
use crate::config::values::{
    interval_ms, line, loose_text, timeout_ms, truth, whole, wrong, wrong_secret,
};
use crate::target::{
    Auth, Connection, HttpVersion, IpVersion, Priority, Probe, Proxy, Role, Verify,
};

/// Every key of an entry.
pub const KEYS: &[&str] = &[
    "url",
    "interval",
    "timeout",
    "id",
    "name",
    "group",
    "labels",
    "check",
    "method",
    "headers",
    "body",
    "auth",
    "expect",
    "priority",
    "connection",
    "redirects",
    "http_version",
    "ip_version",
    "resolver",
    "tls",
    "proxy",
    "retries",
    "sentinel",
    "max_per_host",
    "host_rate",
    "locations",
    "quorum",
];

/// Methods that a check may use (RFC 9110, section 9, and what caches and file servers add).
const METHODS: &[&str] = &[
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "REPORT",
    "SEARCH", "QUERY", "PURGE",
];

impl Fields {
    /// The address `url` alone.
    ///
    /// # Errors
    /// What stands for a value in it cannot be put in.
    pub(crate) fn of_url(url: String, origin: &Origin) -> Result<Self, String> {
        let mut fields = Self::default();
        fields.set("url", &Value::String(url), origin)?;
        Ok(fields)
    }

    /// Takes the value of one key, with what stands for a value put in; `null` is the same as a
    /// key that is not there.
    ///
    /// # Errors
    /// The key is unknown or its value wrong; the reason names the key and what to write.
    pub fn set(&mut self, key: &str, value: &Value, origin: &Origin) -> Result<(), String> {
        if value.is_null() && KEYS.contains(&key) {
            return Ok(());
        }
        let Some(filled) = origin.fill_value(key, value)? else {
            return self.set_filled(key, value, origin);
        };
        if let ("url", Some(written)) = (key, value.as_str()) {
            self.written = Some(written.into());
        }
        // What was put in may be a secret, and the reason may show it.
        self.set_filled(key, &filled, &origin.done()).map_err(|_| {
            format!("\"{key}\" has a wrong value once its variables and files are put in")
        })
    }

    fn set_filled(&mut self, key: &str, value: &Value, origin: &Origin) -> Result<(), String> {
        match key {
            "url" => match value {
                Value::String(url) => self.url = Some(url.as_str().into()),
                _ => return Err(wrong(key, value, "a URL in quotes")),
            },
            "interval" => self.every_ms = Some(interval_ms(key, value)?),
            "timeout" => self.timeout_ms = Some(timeout_ms(key, value)?),
            "id" => self.id = Some(line(key, value)?),
            "name" => self.name = Some(line(key, value)?),
            "group" => self.group = Some(line(key, value)?),
            "priority" => self.priority = Some(priority(value)?),
            "labels" => {
                let want = "an object of names and texts like {\"team\": \"web\"}";
                for (name, text) in object(key, value, want)? {
                    let text = label(key, name, text)?;
                    self.labels.insert(name.as_str().into(), text);
                }
            }
            _ => return self.plan.set(key, value, origin),
        }
        Ok(())
    }
}

impl PlanFields {
    fn set(&mut self, key: &str, value: &Value, origin: &Origin) -> Result<(), String> {
        match key {
            "check" => self.probe = Some(kind(value)?),
            "method" => self.method = Some(method(value)?.into()),
            "headers" => self.set_headers(value, origin)?,
            "body" => self.body = Some(secret(key, value, origin)?.into()),
            "auth" => self.auth = Some(auth(value, origin)?),
            "expect" => {
                let want = "an object like {\"status\": \"200-299\"}";
                for (name, value) in object(key, value, want)? {
                    self.expect.set(name, value)?;
                }
            }
            "connection" => {
                let known = [("fresh", Connection::Fresh), ("reuse", Connection::Reuse)];
                self.connection = Some(choice(key, value, &known)?);
            }
            "redirects" => self.redirects = Some(whole(key, value, 50_u8)?),
            "http_version" => {
                let known = [("1.1", HttpVersion::Http11), ("2", HttpVersion::Http2)];
                self.http_version = Some(choice(key, value, &known)?);
            }
            "ip_version" => {
                let known = [("4", IpVersion::V4), ("6", IpVersion::V6), ("any", IpVersion::Any)];
                self.ip_version = Some(choice(key, value, &known)?);
            }
            "resolver" => {
                let read = value.as_str().and_then(|text| name_server(text).ok());
                let want = "the IP address of a name server like \"9.9.9.9\" or \"[::1]:5353\"";
                self.resolver = Some(read.ok_or_else(|| wrong(key, value, want))?);
            }
            "tls" => {
                let want = "an object like {\"verify\": false}";
                for (name, value) in object(key, value, want)? {
                    self.set_tls(name, value, origin)?;
                }
            }
            "proxy" => {
                let text = value.as_str().unwrap_or_default();
                let wrong = |want| format!("\"proxy\" has a wrong value; {want}");
                self.proxy = Some(proxy(text).map_err(wrong)?);
            }
            "retries" => self.retries = Some(whole(key, value, 10_u8)?),
            _ => return self.set_manners(key, value),
        }
        Ok(())
    }

    /// Takes what an entry says of us and of its host.
    fn set_manners(&mut self, key: &str, value: &Value) -> Result<(), String> {
        match key {
            "sentinel" => {
                let role = if truth(key, value)? { Role::Sentinel } else { Role::Watched };
                self.role = Some(role);
            }
            "max_per_host" => {
                let most = NonZeroU32::new(whole(key, value, u32::MAX)?);
                self.max_per_host =
                    Some(most.ok_or_else(|| wrong(key, value, "a whole number above 0"))?);
            }
            "host_rate" => {
                let read = loose_text(value).and_then(|text| rate(&text).ok());
                let want = "launches per second like 10, or a text like \"30/m\"";
                self.host_rate = Some(read.ok_or_else(|| wrong(key, value, want))?);
            }
            "locations" => {
                let is_all = value.as_str().is_some_and(|text| text.eq_ignore_ascii_case("all"));
                self.locations = Some(if is_all { 0 } else { above_zero(key, value)?.get() });
            }
            "quorum" => self.quorum = Some(above_zero(key, value)?),
            _ => return Err(unknown("key", key, KEYS)),
        }
        Ok(())
    }

    fn set_headers(&mut self, value: &Value, origin: &Origin) -> Result<(), String> {
        let want = "an object of names and texts like {\"Accept\": \"text/html\"}";
        let Value::Object(pairs) = value else { return Err(wrong_secret("headers", want)) };
        for (name, value) in pairs {
            let key = format!("headers.{}", super::values::shown(name));
            let parsed = http::HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| format!("\"{key}\" is no header name; write letters, digits and -"))?;
            if parsed == http::header::CONTENT_LENGTH || parsed == http::header::TRANSFER_ENCODING {
                return Err(format!("\"{key}\" follows from the body; remove it"));
            }
            let text = secret(&key, value, origin)?;
            if http::HeaderValue::from_bytes(text.as_bytes()).is_err() {
                let want = "text without line breaks and control characters";
                return Err(wrong_secret(&key, want));
            }
            put_header(&mut self.headers, name, text.trim_matches([' ', '\t']));
        }
        Ok(())
    }

    fn set_tls(&mut self, name: &str, value: &Value, origin: &Origin) -> Result<(), String> {
        let key = format!("tls.{name}");
        let path = || {
            let text = line(&key, value)?;
            origin.path(&text).map(Some).map_err(|fault| format!("\"{key}\" {fault}"))
        };
        match name {
            "verify" => {
                let strict = truth(&key, value)?;
                self.tls.verify = Some(if strict { Verify::Strict } else { Verify::Off });
            }
            "ca" => self.tls.ca = path()?,
            "client_cert" => self.tls.client_cert = path()?,
            "client_key" => self.tls.client_key = path()?,
            _ => {
                let known = ["verify", "ca", "client_cert", "client_key"];
                return Err(unknown("key in \"tls\"", name, &known));
            }
        }
        Ok(())
    }
}

/// A name server, `IP` or `IP:PORT`; port 53 unless it names one.
///
/// # Errors
/// Says what to write.
pub fn name_server(text: &str) -> Result<SocketAddr, String> {
    let text = text.trim();
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    text.parse()
        .or_else(|_| bare.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53)))
        .map_err(|_| "write an IP address like 9.9.9.9, or with a port 127.0.0.1:5353".to_owned())
}

/// A proxy: `env`, `none` or its URL.
///
/// # Errors
/// Says what to write.
pub fn proxy(text: &str) -> Result<Proxy, String> {
    match text.trim() {
        "none" => Ok(Proxy::Direct),
        "env" => Ok(Proxy::Environment),
        url => match Address::parse(url) {
            Ok(address) if address.scheme() == Scheme::Https => {
                Err("no proxy can be asked over TLS; write its URL with http://".to_owned())
            }
            Ok(address) => Ok(Proxy::Through(address)),
            Err(_) => Err("write env, none or a URL like http://proxy.example:3128".to_owned()),
        },
    }
}

pub(crate) fn object<'v>(
    key: &str,
    value: &'v Value,
    want: &str,
) -> Result<&'v Map<String, Value>, String> {
    value.as_object().ok_or_else(|| wrong(key, value, want))
}

/// A whole number above 0.
fn above_zero(key: &str, value: &Value) -> Result<NonZeroU8, String> {
    let number = NonZeroU8::new(whole(key, value, u8::MAX)?);
    number.ok_or_else(|| wrong(key, value, "a whole number above 0"))
}

fn label(key: &str, name: &str, value: &Value) -> Result<Box<str>, String> {
    line(&format!("{key} name"), &Value::from(name))?;
    match loose_text(value) {
        Some(text) if text.is_empty() => Ok(Box::from("")),
        Some(text) => line(&format!("{key}.{name}"), &Value::from(text)),
        None => Err(wrong(&format!("{key}.{name}"), value, "text")),
    }
}

fn choice<T: Clone>(key: &str, value: &Value, known: &[(&str, T)]) -> Result<T, String> {
    let text = loose_text(value).unwrap_or_default();
    let found = known.iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
    found.map(|(_, choice)| choice.clone()).ok_or_else(|| {
        let names: Vec<String> = known.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        wrong(key, value, &names.join(" or "))
    })
}

fn priority(value: &Value) -> Result<Priority, String> {
    let known = [("high", Priority::High), ("normal", Priority::Normal), ("low", Priority::Low)];
    choice("priority", value, &known)
}

/// The kinds that need no more than an address; the others are read with all their keys.
fn kind(value: &Value) -> Result<Probe, String> {
    let known = ["http", "https", "website", "website_status"].map(|name| (name, Probe::Http));
    choice("check", value, &known)
}

fn method(value: &Value) -> Result<&'static str, String> {
    let text = value.as_str().unwrap_or_default();
    METHODS
        .iter()
        .find(|known| known.eq_ignore_ascii_case(text))
        .copied()
        .ok_or_else(|| wrong("method", value, &format!("one of {}", METHODS.join(", "))))
}

/// Text that may be a secret: it may be named indirectly and is never shown.
fn secret(key: &str, value: &Value, origin: &Origin) -> Result<String, String> {
    let text = loose_text(value).ok_or_else(|| wrong_secret(key, "text in quotes"))?;
    let filled = origin.fill(&text).map_err(|fault| format!("\"{key}\" {fault}"))?;
    Ok(filled.into_owned())
}

/// `{"basic": {"username": …, "password": …}}`, the same without `basic`, or `{"bearer": …}`.
fn auth(value: &Value, origin: &Origin) -> Result<Auth, String> {
    let want = "{\"basic\": {\"username\": …, \"password\": …}} or {\"bearer\": …}";
    let wanted = || wrong_secret("auth", want);
    let keys = value.as_object().ok_or_else(wanted)?;
    let text = |key: &str, value: &Value| {
        let text = secret(&format!("auth.{key}"), value, origin)?;
        if text.chars().any(char::is_control) {
            return Err(wrong_secret(&format!("auth.{key}"), "text without control characters"));
        }
        Ok(text)
    };
    if let (Some(token), 1) = (keys.get("bearer"), keys.len()) {
        let token = text("bearer", token)?;
        let fits = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        return if fits { Ok(Auth::Bearer(token)) } else { Err(wanted()) };
    }
    let pair = match (keys.get("basic"), keys.len()) {
        (Some(basic), 1) => basic.as_object().ok_or_else(wanted)?,
        _ => keys,
    };
    match (pair.get("username"), pair.get("password"), pair.len()) {
        (Some(username), Some(password), 2) => {
            let (username, password) = (text("username", username)?, text("password", password)?);
            if username.contains(':') {
                return Err(wrong_secret("auth.username", "a name without a colon (RFC 7617)"));
            }
            Ok(Auth::Basic { username, password })
        }
        _ => Err(wanted()),
    }
}
