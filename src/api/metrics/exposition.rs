//! `Exposition`: figures as text, in the format that a monitoring system asks for.

use std::fmt;

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, MetricEncoder, NoLabelSet, prometheus_text, text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::{self, Registry};

use crate::view::series::{Family, Kind, Sample, Unit, Value};

/// The formats that figures are told in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum Format {
    /// Prometheus text, version 0.0.4.
    Text,
    /// `OpenMetrics` 1.0.0.
    OpenMetrics,
}

impl Format {
    /// What the header `Accept` prefers; text, when it says nothing of either.
    pub(in crate::api) fn asked(headers: &HeaderMap) -> Self {
        let accepts = headers.get_all(header::ACCEPT).iter().filter_map(|one| one.to_str().ok());
        let (mut open, mut plain) = (0.0_f64, 0.0_f64);
        for offer in accepts.flat_map(|list| list.split(',')) {
            let mut parts = offer.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let mut weight = 1.0_f64;
            let mut is_known = true;
            for part in parts {
                match part.split_once('=') {
                    Some(("q", value)) => weight = value.trim().parse().unwrap_or(0.0),
                    Some(("version", version)) if kind == "application/openmetrics-text" => {
                        is_known = version.trim_matches('"') == "1.0.0";
                    }
                    _ => {}
                }
            }
            match kind.as_str() {
                "application/openmetrics-text" if is_known => open = weight.max(open),
                "text/plain" | "text/*" | "*/*" => plain = weight.max(plain),
                _ => {}
            }
        }
        if open > 0.0 && open >= plain { Self::OpenMetrics } else { Self::Text }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Figures as text in one format.
#[derive(Debug)]
pub(in crate::api) struct Exposition {
    format: Format,
    text: String,
}

impl Exposition {
    /// `families` in `format`.
    pub(in crate::api) fn of(families: Vec<Family>, format: Format) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Told(families)));
        let mut text = String::new();
        // Writing to a text that grows never fails.
        let _ = match format {
            Format::Text => prometheus_text::encode(&mut text, &registry),
            Format::OpenMetrics => text::encode(&mut text, &registry),
        };
        Self { format, text }
    }

    /// The text itself.
    pub(in crate::api) fn into_text(self) -> String {
        self.text
    }
}

impl IntoResponse for Exposition {
    fn into_response(self) -> Response {
        let kind = HeaderValue::from_static(self.format.content_type());
        ([(header::CONTENT_TYPE, kind)], self.text).into_response()
    }
}

/// Figures that were taken already.
#[derive(Debug)]
struct Told(Vec<Family>);

impl Collector for Told {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for family in &self.0 {
            let unit = family.unit.map(|unit| match unit {
                Unit::Seconds => registry::Unit::Seconds,
                Unit::Bytes => registry::Unit::Bytes,
            });
            let kind = match family.kind {
                Kind::Gauge => MetricType::Gauge,
                Kind::Counter => MetricType::Counter,
                Kind::Histogram => MetricType::Histogram,
                Kind::Info => MetricType::Info,
            };
            let mut metric =
                encoder.encode_descriptor(family.name, family.help, unit.as_ref(), kind)?;
            for sample in &family.samples {
                tell(&mut metric, family.kind, sample)?;
            }
        }
        Ok(())
    }
}

fn tell(metric: &mut MetricEncoder<'_>, kind: Kind, sample: &Sample) -> fmt::Result {
    let labels: Vec<(&str, &str)> =
        sample.labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
    if kind == Kind::Info {
        return metric.encode_info(&labels);
    }
    if labels.is_empty() {
        return tell_value(metric, kind, &sample.value);
    }
    tell_value(&mut metric.encode_family(&labels)?, kind, &sample.value)
}

fn tell_value(metric: &mut MetricEncoder<'_>, kind: Kind, value: &Value) -> fmt::Result {
    const NONE: Option<&Exemplar<NoLabelSet, f64>> = None;
    match (kind, value) {
        (Kind::Counter, Value::Count(count)) => metric.encode_counter(count, NONE),
        (Kind::Counter, Value::Number(number)) => metric.encode_counter(number, NONE),
        (_, Value::Count(count)) => metric.encode_gauge(count),
        (_, Value::Number(number)) => metric.encode_gauge(number),
        (_, Value::Times(times)) => {
            let bound = |us: Option<u32>| us.map_or(f64::INFINITY, |us| f64::from(us) / 1e6);
            let buckets: Vec<(f64, u64)> =
                times.buckets().map(|(us, count)| (bound(us), count)).collect();
            let sum = seconds(times.sum_us());
            metric.encode_histogram::<NoLabelSet>(sum, times.count(), &buckets, None)
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "285 years are told to the microsecond")]
fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Histogram;

    fn asked(accept: &str) -> Format {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_str(accept).expect("a header"));
        Format::asked(&headers)
    }

    fn families() -> Vec<Family> {
        let mut times = Histogram::default();
        times.add(20_000);
        vec![
            Family::counter("poller_checks", "Polls").by("verdict", [("up", 3_u64)]),
            Family::gauge("poller_store", "Bytes").in_unit(Unit::Bytes).of(7_u64),
            Family::histogram("poller_check_latency", "Times").of(&times),
            Family::info("poller_build", "The build")
                .with(vec![("version", "a\"\\\n".into())], true),
        ]
    }

    #[test]
    fn the_format_is_the_one_that_is_preferred() {
        assert_eq!(Format::asked(&HeaderMap::new()), Format::Text);
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,application/\
                          openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        assert_eq!(asked(prometheus), Format::OpenMetrics);
        assert_eq!(asked("text/html, */*"), Format::Text);
        assert_eq!(asked("application/openmetrics-text; version=0.0.1"), Format::Text);
        assert_eq!(asked("application/openmetrics-text; q=0"), Format::Text);
        assert_eq!(asked("text/plain;q=0.9, application/openmetrics-text;q=0.1"), Format::Text);
    }

    #[test]
    fn figures_are_told_as_prometheus_text() {
        let text = Exposition::of(families(), Format::Text).into_text();
        assert!(text.starts_with("# HELP poller_checks_total Polls\n# TYPE poller_checks_total counter\npoller_checks_total{verdict=\"up\"} 3\n"), "{text}");
        assert!(text.contains("poller_store_bytes 7\n"), "{text}");
        assert!(text.contains("poller_check_latency_seconds_bucket{le=\"0.025\"} 1\n"), "{text}");
        assert!(text.contains("poller_check_latency_seconds_bucket{le=\"+Inf\"} 1\n"), "{text}");
        assert!(text.contains("poller_check_latency_seconds_sum 0.02\n"), "{text}");
        assert!(text.contains("poller_build_info{version=\"a\\\"\\\\\\n\"} 1\n"), "{text}");
        assert!(!text.contains("# EOF") && !text.contains("# UNIT"), "{text}");
    }

    #[test]
    fn figures_are_told_as_openmetrics() {
        let text = Exposition::of(families(), Format::OpenMetrics).into_text();
        assert!(text.contains("# TYPE poller_checks counter\n"), "{text}");
        assert!(text.contains("poller_checks_total{verdict=\"up\"} 3\n"), "{text}");
        assert!(text.contains("# UNIT poller_store_bytes bytes\n"), "{text}");
        assert!(text.contains("# TYPE poller_build info\n"), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
