//! `/probe`: probes a target at once, as `blackbox_exporter` does.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::facts::Answer;
use super::metrics::{Exposition, Format};
use super::problem::Problem;
use super::query::{bad, pairs};
use super::routes::Routes;
use super::visitor::Visitor;
use crate::view::series::Family;

/// How long a scrape may take when nobody says so.
const SCRAPE: f64 = 120.0;
/// What of that is left for the answer to come back.
const OFFSET: f64 = 0.5;

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeQuery {
    /// What is probed: an address as the module takes it, or the id of a target of the list.
    pub target: String,
    /// How, by the name of a module; none: as usual.
    pub module: Option<String>,
    /// By which name the target is called, in the place of its own.
    pub hostname: Option<String>,
    /// Whether the last scheduled poll is told instead.
    pub is_cached: bool,
    /// How long it may take; none: what the module says.
    pub limit: Option<Duration>,
}

/// What a probe came to.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeAnswer {
    /// Its figures.
    pub families: Vec<Family>,
    /// What happened, for people.
    pub log: String,
    /// The module, without its secrets.
    pub module: String,
}

/// Probes targets at once.
pub trait Prober: Send + Sync + 'static {
    /// Probes for `visitor` what is asked for; a target that fails is an answer like any other.
    fn probe(
        &self,
        asked: ProbeQuery,
        visitor: Visitor,
    ) -> Answer<'_, Result<ProbeAnswer, Problem>>;
}

/// The route of probes.
pub(super) fn routes(prober: Arc<dyn Prober>) -> Routes {
    let read = OpenApiRouter::new().routes(routes!(probe)).with_state(prober);
    Routes { read, ..Routes::default() }
}

/// Probes a target at once, and tells its figures as blackbox_exporter does.
#[utoipa::path(
    get, path = "/probe", tag = "metrics",
    params(
        ("target" = String, Query, description = "What is probed: a URL, HOST:PORT, a host or a name server, as the module takes it; or the id of a target of the list. Others than those of the list need the role run"),
        ("module" = Option<String>, Query, description = "How (http_2xx)"),
        ("hostname" = Option<String>, Query, description = "By which name the target is called, in the place of its own"),
        ("debug" = Option<bool>, Query, description = "Tell what happened, for people"),
        ("cached" = Option<bool>, Query, description = "Tell the last scheduled poll instead, without a probe"),
        ("X-Prometheus-Scrape-Timeout-Seconds" = Option<f64>, Header, description = "How long the scrape may take"),
    ),
    responses(
        (status = 200, description = "The figures, also of a target that fails", content(
            (String = "text/plain"), (String = "application/openmetrics-text")
        )),
        (status = 400, description = "No target, or no such module", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not a target of the list", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No scheduled poll to tell", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many probes run", body = Problem, content_type = "application/problem+json"),
    )
)]
#[expect(clippy::doc_markdown, reason = "people read it in the document of the API")]
async fn probe(
    State(prober): State<Arc<dyn Prober>>,
    Extension(visitor): Extension<Visitor>,
    query: RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (mut asked, form) = read(&query)?;
    asked.limit = limit(&headers)?;
    let answer = prober.probe(asked, visitor).await?;
    let format = Format::asked(&headers);
    Ok(match form {
        Form::Figures => Exposition::of(answer.families, format).into_response(),
        Form::Told => {
            ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], told(answer)).into_response()
        }
    })
}

/// In which form a probe is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Figures,
    Told,
}

fn told(answer: ProbeAnswer) -> String {
    let ProbeAnswer { families, log, module } = answer;
    let figures = Exposition::of(families, Format::Text).into_text();
    format!(
        "Log of the probe:\n{log}\n\nMetrics that would have been returned:\n{figures}\n\nModule:\n{module}"
    )
}

fn read(query: &RawQuery) -> Result<(ProbeQuery, Form), Problem> {
    let mut asked = ProbeQuery {
        target: String::new(),
        module: None,
        hostname: None,
        is_cached: false,
        limit: None,
    };
    let mut form = Form::Figures;
    for (name, value) in pairs(query) {
        let filled = Some(value.clone()).filter(|value| !value.is_empty());
        match name.as_str() {
            "target" => asked.target = value,
            "module" => asked.module = filled,
            "hostname" => asked.hostname = filled,
            "debug" => form = if is_true(&name, &value)? { Form::Told } else { Form::Figures },
            "cached" => asked.is_cached = is_true(&name, &value)?,
            // blackbox_exporter takes no notice of others, and configurations hold some.
            _ => {}
        }
    }
    if asked.target.is_empty() {
        return Err(bad("the parameter target is missing; name what to probe".to_owned()));
    }
    Ok((asked, form))
}

fn is_true(name: &str, value: &str) -> Result<bool, Problem> {
    match value {
        "true" | "1" => Ok(true),
        "false" | "0" | "" => Ok(false),
        _ => Err(bad(format!("{name} is true or false, not {value:?}"))),
    }
}

/// How long a probe may take, so that its answer comes within the scrape.
fn limit(headers: &HeaderMap) -> Result<Option<Duration>, Problem> {
    let name = "x-prometheus-scrape-timeout-seconds";
    let seconds = match headers.get(name) {
        None => SCRAPE,
        Some(value) => {
            let parsed = value.to_str().ok().and_then(|text| text.trim().parse::<f64>().ok());
            let good = parsed.filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
            good.ok_or_else(|| {
                Problem::new(StatusCode::BAD_REQUEST, format!("{name} is a number of seconds"))
            })?
        }
    };
    let seconds = if seconds == 0.0 { SCRAPE } else { seconds };
    // Where nothing would be left, the module alone says how long it may take.
    Ok(Duration::try_from_secs_f64(seconds - OFFSET).ok().filter(|limit| !limit.is_zero()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_query_is_read_as_blackbox_exporter_reads_it() {
        let query = |text: &str| RawQuery(Some(text.to_owned()));
        let (asked, form) =
            read(&query("target=http%3A%2F%2Fa%2F&module=&debug=true&cached=1")).expect("good");
        assert_eq!(
            (asked.target.as_str(), asked.module, asked.is_cached),
            ("http://a/", None, true)
        );
        assert_eq!(form, Form::Told);
        for slip in ["", "module=icmp", "target=a&debug=maybe"] {
            assert_eq!(read(&query(slip)).expect_err(slip).status, 400);
        }
        assert!(read(&query("target=a&job=blackbox")).is_ok(), "others stand in configurations");
    }

    #[test]
    fn a_probe_ends_half_a_second_before_the_scrape_does() {
        let with = |text: &'static str| {
            let mut headers = HeaderMap::new();
            let name = "x-prometheus-scrape-timeout-seconds";
            headers.insert(name, HeaderValue::from_static(text));
            limit(&headers)
        };
        assert_eq!(limit(&HeaderMap::new()), Ok(Some(Duration::from_millis(119_500))));
        assert_eq!(with("10.000000"), Ok(Some(Duration::from_millis(9_500))));
        assert_eq!(with("0"), Ok(Some(Duration::from_millis(119_500))));
        assert_eq!(with("0.5"), Ok(None));
        assert_eq!(with("0.2"), Ok(None));
        for slip in ["soon", "NaN", "-3"] {
            assert_eq!(with(slip).expect_err(slip).status, 400);
        }
    }
}
