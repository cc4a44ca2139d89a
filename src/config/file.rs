//! The settings file, TOML: every setting by its flag's name, `[defaults]` and `[[match]]`.

mod give;

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::fields::Fields;
use crate::config::given::Given;
use crate::config::keys::KEYS;
use crate::config::nearest::unknown;
use crate::config::rules::Match;
use crate::config::settings::{Mistake, SettingsError};
use crate::config::substitute::{Origin, Variables};
use crate::config::values::{loose_text, shown};

/// Every key at the top of the file that is a setting.
pub const SETTINGS: &[&str] = &[
    "urls",
    "limit",
    "interval",
    "timeout",
    "strict",
    "allow_shrink",
    "threading",
    "max_workers",
    "max_per_cycle",
    "parallel",
    "adaptive",
    "max_memory",
    "max_per_host",
    "host_rate",
    "address_rate",
    "backoff_dead",
    "max_body",
    "resolver",
    "ca",
    "proxy",
    "user_agent",
    "grace",
    "listen",
    "tls_cert",
    "tls_key",
    "jwt_secret",
    "cors_origin",
    "api_rate",
    "allow_targets",
    "open_probe",
    "modules",
    "metrics_label",
    "metrics_targets",
    "status_label",
    "status_public",
    "status_title",
    "postgres",
    "postgres_ca",
    "kafka",
    "kafka_ca",
    "kafka_cert",
    "kafka_key",
    "kafka_user",
    "kafka_password",
    "kafka_sasl",
    "topics",
    "location",
    "member",
    "lease",
    "data",
    "keep",
    "max_disk",
    "log_level",
    "log_format",
    "log_size",
    "log_files",
];

/// Settings that may be lists of values.
const LISTS: &[&str] = &["resolver", "cors_origin", "allow_targets", "metrics_label", "kafka"];

/// Settings of those who only ask a daemon, a store or a cluster.
const OF_READERS: &[&str] = &["data", "grace", "postgres", "postgres_ca"];

/// Keys of an entry whose own keys are told apart, each on its line.
const TABLES: &[&str] = &["labels", "headers", "expect", "tls", "label"];

/// What a settings file says.
#[derive(Clone, Debug, Default)]
pub struct File {
    /// Settings.
    pub given: Given,
    /// `[defaults]`.
    pub defaults: Fields,
    /// Each `[[match]]`, in order.
    pub matches: Vec<Match>,
}

/// Reads the settings file at `path`.
///
/// # Errors
/// It cannot be read, or it holds mistakes, all of which are told.
pub fn read(path: &Path, variables: &Variables) -> Result<File, SettingsError> {
    let unreadable = |source| SettingsError::Unreadable { path: path.to_path_buf(), source };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let origin = Origin::of_file(path, variables.clone());
    parse(&text, &path.display().to_string(), &origin).map_err(SettingsError::Mistakes)
}

/// Reads of the settings file at `path` where things are kept, and nothing else: other mistakes in
/// it stand in nobody's way, and no variable or file that it names is needed.
///
/// # Errors
/// It cannot be read, or `data` or `grace` is wrong.
pub fn read_place(path: &Path, variables: &Variables) -> Result<File, SettingsError> {
    let unreadable = |source| SettingsError::Unreadable { path: path.to_path_buf(), source };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let origin = Origin::of_file(path, variables.clone());
    let (table, _) = DeTable::parse_recoverable(&text);
    let name = path.display().to_string();
    let mut reader = Reader::new(&text, &name, &origin);
    for (key, value) in table.get_ref() {
        let name = key.get_ref().as_ref();
        if OF_READERS.contains(&name) {
            let result = reader.setting(name, value.get_ref());
            reader.put(key, result);
        }
    }
    let Reader { file, mistakes, .. } = reader;
    if mistakes.is_empty() { Ok(file) } else { Err(SettingsError::Mistakes(mistakes)) }
}

/// Reads the settings in `text`, which messages call `name`.
///
/// # Errors
/// All mistakes, in the order of their lines.
pub fn parse(text: &str, name: &str, origin: &Origin) -> Result<File, Vec<Mistake>> {
    let (table, broken) = DeTable::parse_recoverable(text);
    let mut reader = Reader::new(text, name, origin);
    for error in &broken {
        let at = error.span().map_or(0, |span| span.start);
        reader.note(at, format!("is not valid TOML: {}", error.message()));
    }
    let broken_lines: Vec<usize> = reader.mistakes.iter().map(|mistake| mistake.line).collect();
    reader.top(table.get_ref());
    let syntax = broken.len();
    let mut mistakes = reader.mistakes;
    let mut place = 0;
    // What could be saved of a broken line says nothing more.
    mistakes.retain(|mistake| {
        place += 1;
        place <= syntax || !broken_lines.contains(&mistake.line)
    });
    mistakes.sort_by_key(|mistake| mistake.line);
    // Brackets left open are told once, however many there are.
    mistakes.dedup();
    if mistakes.is_empty() { Ok(reader.file) } else { Err(mistakes) }
}

struct Reader<'t> {
    text: &'t str,
    name: Arc<str>,
    origin: &'t Origin,
    /// The origin of values in which variables and files have been put in.
    filled: Origin,
    file: File,
    mistakes: Vec<Mistake>,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str, name: &str, origin: &'t Origin) -> Self {
        Self {
            text,
            name: name.into(),
            origin,
            filled: origin.done(),
            file: File::default(),
            mistakes: Vec::new(),
        }
    }

    fn note(&mut self, at: usize, text: String) {
        let before = self.text.as_bytes().get(..at).unwrap_or_default();
        let line = before.split(|byte| *byte == b'\n').count();
        self.mistakes.push(Mistake { file: Arc::clone(&self.name), line, text });
    }

    fn top(&mut self, table: &DeTable<'_>) {
        for (key, value) in table {
            let result = match (key.get_ref().as_ref(), value.get_ref()) {
                ("defaults", DeValue::Table(defaults)) => {
                    self.defaults(defaults);
                    Ok(())
                }
                ("defaults", _) => Err("\"defaults\" is a table; write [defaults]".to_owned()),
                ("match", DeValue::Array(matches)) => {
                    for rule in matches {
                        self.rule(rule);
                    }
                    Ok(())
                }
                ("match", _) => Err("\"match\" is a list of tables; write [[match]]".to_owned()),
                (key, value) => self.setting(key, value),
            };
            if let Err(text) = result {
                self.note(key.span().start, text);
            }
        }
    }

    fn defaults(&mut self, table: &DeTable<'_>) {
        let known: Vec<&str> =
            KEYS.iter().copied().filter(|key| !["url", "id", "name"].contains(key)).collect();
        let mut fields = Fields::default();
        self.section(table, |key, value, origin| {
            if known.contains(&key) {
                fields.set(key, value, origin)
            } else {
                Err(unknown("key in [defaults]", key, &known))
            }
        });
        self.file.defaults = fields;
    }

    fn rule(&mut self, rule: &Spanned<DeValue<'_>>) {
        let at = rule.span().start;
        let DeValue::Table(table) = rule.get_ref() else {
            self.note(at, "\"match\" is a list of tables; write [[match]]".to_owned());
            return;
        };
        let mut rule = Match::default();
        let before = self.mistakes.len();
        self.section(table, |key, value, origin| rule.set(key, value, origin));
        if before == self.mistakes.len() && !rule.is_conditional() {
            let text = "a [[match]] without a condition; add host, group or label, or write its \
                        keys into [defaults]";
            self.note(at, text.to_owned());
        }
        self.file.matches.push(rule);
    }

    /// Hands each key of a section to `set`, and the keys of its tables one by one.
    fn section(
        &mut self,
        table: &DeTable<'_>,
        mut set: impl FnMut(&str, &Value, &Origin) -> Result<(), String>,
    ) {
        let origin = self.filled.clone();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let parts = match value.get_ref() {
                DeValue::Table(parts) if TABLES.contains(&name) => parts,
                whole => {
                    let json = self.value(name, whole);
                    self.put(key, json.and_then(|json| set(name, &json, &origin)));
                    continue;
                }
            };
            for (part, value) in parts {
                let json = self.value(&format!("{name}.{}", part.get_ref()), value.get_ref());
                let alone = |json| Map::from_iter([(part.get_ref().to_string(), json)]);
                let result = json.and_then(|json| set(name, &Value::Object(alone(json)), &origin));
                self.put(part, result);
            }
        }
    }

    fn value(&self, shown: &str, value: &DeValue<'_>) -> Result<Value, String> {
        to_json(value, self.origin).map_err(|fault| format!("\"{shown}\" {fault}"))
    }

    fn put(&mut self, key: &Spanned<Cow<'_, str>>, result: Result<(), String>) {
        if let Err(text) = result {
            self.note(key.span().start, text);
        }
    }

    fn setting(&mut self, key: &str, value: &DeValue<'_>) -> Result<(), String> {
        if !SETTINGS.contains(&key) {
            let known = [SETTINGS, &["defaults", "match"]].concat();
            return Err(unknown("key", key, &known));
        }
        let value = self.value(key, value)?;
        let texts: Option<Vec<String>> = match &value {
            Value::Array(items) if LISTS.contains(&key) => {
                items.iter().map(|item| loose_text(item).map(Cow::into_owned)).collect()
            }
            single => loose_text(single).map(|text| vec![text.into_owned()]),
        };
        let texts =
            texts.ok_or_else(|| format!("\"{key}\" is a list or table; write one value"))?;
        let folder = &self.origin.folder;
        for text in texts {
            let result = give::give(&mut self.file.given, key, &text, folder);
            result.map_err(|want| match key {
                // It may hold a password.
                "proxy" | "jwt_secret" | "postgres" | "kafka_password" => {
                    format!("\"{key}\" has a wrong value; {want}")
                }
                _ => format!("\"{key}\" is \"{}\"; {want}", shown(&text)),
            })?;
        }
        Ok(())
    }
}

/// `value` as JSON, with variables and files put in wherever its texts name them.
fn to_json(value: &DeValue<'_>, origin: &Origin) -> Result<Value, String> {
    Ok(match value {
        DeValue::String(text) => Value::from(origin.fill(text)?.into_owned()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::from(number.as_str()), Value::from),
        DeValue::Float(number) => match number.as_str().parse::<f64>() {
            Ok(parsed) if parsed.is_finite() => Value::from(parsed),
            _ => Value::from(number.as_str()),
        },
        DeValue::Boolean(truth) => Value::from(*truth),
        DeValue::Datetime(time) => Value::from(time.to_string()),
        DeValue::Array(items) => {
            let items = items.iter().map(|item| to_json(item.get_ref(), origin));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => {
            let pairs = table.iter().map(|(key, value)| {
                Ok((key.get_ref().to_string(), to_json(value.get_ref(), origin)?))
            });
            Value::Object(pairs.collect::<Result<_, String>>()?)
        }
    })
}
