//! The `OpenAPI` document, generated from the routes, and what all routes have in common in it.

mod answers;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use utoipa::OpenApi;
use utoipa::openapi::Server;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};

use super::problem::Problem;
pub(super) use answers::tell_answers;

/// Names of the two ways to send a token.
const BEARER: &str = "bearer";
const API_KEY: &str = "api_key";

/// What is said of the whole; routes add themselves.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "poller",
        description = "Polls URLs on time, keeps every result, and sums them up on demand. \
                       Durations are seconds, times RFC 3339 in UTC with milliseconds."
    ),
    components(schemas(Problem))
)]
struct Document;

/// The document without its routes.
pub(super) fn document() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    document.servers = Some(vec![Server::new("/")]);
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A token of poller token create, or a JWT of a service that has the key"))
        .build();
    let key = ApiKeyValue::with_description("X-API-Key", "The same in a header of its own");
    components.add_security_scheme(BEARER, SecurityScheme::Http(bearer));
    components.add_security_scheme(API_KEY, SecurityScheme::ApiKey(ApiKey::Header(key)));
    components.responses.extend(answers::all());
    document
}

/// The route of the finished document.
pub(super) fn route(document: &utoipa::openapi::OpenApi) -> Router {
    // It is made of values alone, which JSON can always tell.
    let text: Arc<str> = document.to_json().unwrap_or_default().into();
    let tell = move || {
        let text = Arc::clone(&text);
        async move { ([(header::CONTENT_TYPE, "application/json")], text.to_string()) }
    };
    Router::new().route("/api/v1/openapi.json", get(tell))
}

/// Turns the refusals of the server itself, which are plain text, into problem documents.
pub(super) async fn as_problem(response: Response) -> Response {
    let status = response.status();
    let is_plain = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if !(status.is_client_error() || status.is_server_error()) || !is_plain {
        return response;
    }
    let (parts, body) = response.into_parts();
    let said = axum::body::to_bytes(body, 4_096).await.unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let detail = if said.is_empty() { reason(status) } else { said.trim().to_owned() };
    let mut problem = Problem::new(status, detail).into_response();
    for (name, value) in &parts.headers {
        if name != header::CONTENT_TYPE && name != header::CONTENT_LENGTH {
            problem.headers_mut().append(name, HeaderValue::clone(value));
        }
    }
    problem
}

fn reason(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or("it cannot be answered").to_owned()
}
