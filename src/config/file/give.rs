//! One setting of the file, taken by its name.

use std::path::Path;

use clap::ValueEnum;

use super::SETTINGS;
use crate::config::given::{
    ApiGiven, ClusterGiven, Given, ProxyText, SecretText, broker, count, header_text, label, lease,
    listen, location_name, max_per_host, networks, origin, positive_size, topic_name,
};
use crate::config::keys::name_server;
use crate::config::nearest::unknown;
use crate::config::targets::source::Source;
use crate::config::units::{duration, positive_duration, rate};
use crate::config::values::{interval, timeout};

/// Takes the value of one setting; paths in it are relative to `folder`.
///
/// # Errors
/// Says what to write.
pub(super) fn give(given: &mut Given, key: &str, text: &str, folder: &Path) -> Result<(), String> {
    match key {
        "urls" => given.urls = Some(source(text, folder)),
        "limit" => given.limit = Some(count(text)?),
        "interval" => given.interval = Some(interval(text)?),
        "timeout" => given.timeout = Some(timeout(text)?),
        "strict" => given.strict = Some(truth(text)?),
        "allow_shrink" => given.allow_shrink = Some(truth(text)?),
        "threading" => given.threading = Some(choice(text)?),
        "max_workers" => given.max_workers = Some(count(text)?),
        "max_per_cycle" => given.max_per_cycle = Some(count(text)?),
        "parallel" => given.parallel = Some(switch(text)?),
        "adaptive" => given.adaptive = Some(switch(text)?),
        "max_memory" => given.max_memory = Some(positive_size(text)?),
        "max_per_host" => given.max_per_host = Some(max_per_host(text)?),
        "host_rate" => given.host_rate = Some(rate(text)?),
        "address_rate" => given.address_rate = Some(rate(text)?),
        "backoff_dead" => given.backoff_dead = Some(duration(text)?),
        "max_body" => given.max_body = Some(positive_size(text)?),
        "resolver" => given.resolver.push(name_server(text)?),
        "ca" => given.ca = Some(folder.join(text)),
        "proxy" => {
            let written = ProxyText::from(text);
            written.parse()?;
            given.proxy = Some(written);
        }
        "user_agent" => given.user_agent = Some(header_text(text)?),
        "grace" => given.grace = Some(duration(text)?),
        "data" => given.data = Some(folder.join(text)),
        "keep" => given.keep = Some(positive_duration(text)?),
        "max_disk" => given.max_disk = Some(positive_size(text)?),
        "log_level" => given.log_level = Some(choice(text)?),
        "log_format" => given.log_format = Some(choice(text)?),
        "log_size" => given.log_size = Some(positive_size(text)?),
        "log_files" => given.log_files = Some(count(text)?),
        _ if give_cluster(&mut given.cluster, key, text, folder)? => {}
        _ => return give_api(&mut given.api, key, text, folder),
    }
    Ok(())
}

fn give_api(given: &mut ApiGiven, key: &str, text: &str, folder: &Path) -> Result<(), String> {
    match key {
        "listen" => given.listen = Some(listen(text)?),
        "tls_cert" => given.tls_cert = Some(folder.join(text)),
        "tls_key" => given.tls_key = Some(folder.join(text)),
        "jwt_secret" => given.jwt_secret = Some(SecretText(text.into())),
        "cors_origin" => given.cors_origin.push(origin(text)?),
        "api_rate" => given.api_rate = Some(count(text)?),
        "allow_targets" => given.allow_targets.push(networks(text)?),
        "open_probe" => given.open_probe = Some(truth(text)?),
        "modules" => given.modules = Some(folder.join(text)),
        "metrics_label" => given.metrics_label.push(label(text)?),
        "metrics_targets" => given.metrics_targets = Some(count(text)?),
        "status_label" => given.status_label = Some(label(text)?),
        "status_public" => given.status_public = Some(truth(text)?),
        "status_title" => given.status_title = Some(header_text(text)?),
        _ => return Err(unknown("key", key, SETTINGS)),
    }
    Ok(())
}

/// Takes a setting of the distributed mode; false when `key` is none.
fn give_cluster(
    given: &mut ClusterGiven,
    key: &str,
    text: &str,
    folder: &Path,
) -> Result<bool, String> {
    match key {
        "postgres" => given.postgres = Some(SecretText(text.into())),
        "postgres_ca" => given.postgres_ca = Some(folder.join(text)),
        "kafka" => given.kafka.push(broker(text)?),
        "kafka_ca" => given.kafka_ca = Some(folder.join(text)),
        "kafka_cert" => given.kafka_cert = Some(folder.join(text)),
        "kafka_key" => given.kafka_key = Some(folder.join(text)),
        "kafka_user" => given.kafka_user = Some(header_text(text)?),
        "kafka_password" => given.kafka_password = Some(SecretText(text.into())),
        "kafka_sasl" => given.kafka_sasl = Some(choice(text)?),
        "topics" => given.topics = Some(topic_name(text)?),
        "location" => given.location = Some(location_name(text)?),
        "member" => given.member = Some(location_name(text)?),
        "lease" => given.lease = Some(lease(text)?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn source(text: &str, folder: &Path) -> Source {
    match text.parse() {
        Ok(Source::File(path)) => Source::File(folder.join(path)),
        Ok(other) => other,
        Err(never) => match never {},
    }
}

fn truth(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "write true or false".to_owned())
}

fn switch(text: &str) -> Result<bool, String> {
    match text {
        "on" | "true" => Ok(true),
        "off" | "false" => Ok(false),
        _ => Err("write on or off, or true or false".to_owned()),
    }
}

fn choice<T: ValueEnum>(text: &str) -> Result<T, String> {
    T::from_str(text, true).map_err(|_| {
        let names = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let names: Vec<String> = names.map(|value| value.get_name().to_owned()).collect();
        format!("write one of {}", names.join(", "))
    })
}
